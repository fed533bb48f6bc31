"""ResNet-50 (He et al. 2016).

Torchvision's variant, whose 3 x 3 convolutions carry the stride. Batch
normalisation is part of the kernels, see
`converters.fold_batch_norm`. The weights used here are
those of SwAV (Caron et al. 2020).
"""

import functools
from collections.abc import Iterable, Iterator, Mapping

import jax
import jax.numpy as jnp

from brainjax.networks.backbones import feedforward

EPSILON = 1e-5  # Of the published batch normalisation.
BLOCKS = (3, 4, 6, 3)
CHANNELS = (64, 128, 256, 512)
EXPANSION = 4


def shapes(
    width: float = 1.0, size: int = 224, dense: bool = False
) -> feedforward.Shapes:
    """Returns the shapes of the parameters."""
    del size, dense  # It is convolutions all through.
    inputs = feedforward.scaled(64, width)
    kernels = {'conv1': (7, 7, 3, inputs)}
    for stage, (blocks, channels) in enumerate(zip(BLOCKS, CHANNELS), start=1):
        channels = feedforward.scaled(channels, width)
        outputs = EXPANSION * channels
        for i in range(blocks):
            block = f'layer{stage}/{i}'
            kernels[f'{block}/conv1'] = (1, 1, inputs, channels)
            kernels[f'{block}/conv2'] = (3, 3, channels, channels)
            kernels[f'{block}/conv3'] = (1, 1, channels, outputs)
            if i == 0:
                kernels[f'{block}/downsample'] = (1, 1, inputs, outputs)
            inputs = outputs
    return feedforward.with_biases(kernels)


def torch_names(layer: str) -> tuple[str, str]:
    """Returns torchvision's names of a layer's convolution and norm."""
    name = layer.replace('/', '.')
    if name.endswith('downsample'):
        return f'{name}.0', f'{name}.1'
    return name, name.replace('conv', 'bn')


def _block(params: Mapping, block: str, stride: int, x: jax.Array) -> jax.Array:
    y = jax.nn.relu(feedforward.convolve(x, params[f'{block}/conv1']))
    y = feedforward.convolve(
        y, params[f'{block}/conv2'], stride, ((1, 1), (1, 1))
    )
    y = feedforward.convolve(jax.nn.relu(y), params[f'{block}/conv3'])
    if f'{block}/downsample' in params:  # The first block of a stage.
        x = feedforward.convolve(
            x, params[f'{block}/downsample'], stride, 'VALID'
        )
    return jax.nn.relu(x + y)


def _pool(x: jax.Array) -> jax.Array:
    """3 x 3 maximum at stride 2; what surrounds a ReLU's output is 0."""
    return feedforward.max_pool(
        jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), 3, 2
    )


def steps(
    params: Mapping, preprocessing: str = 'torchvision'
) -> Iterator[feedforward.Step]:
    """Yields the network's steps, see `apply`."""
    yield feedforward.preprocess(preprocessing)
    yield (
        'relu1',
        lambda x: jax.nn.relu(
            feedforward.convolve(x, params['conv1'], 2, ((3, 3), (3, 3)))
        ),
    )
    yield 'pool1', _pool
    for stage, blocks in enumerate(BLOCKS, start=1):
        for i in range(blocks):
            stride = 2 if i == 0 and stage > 1 else 1
            last = i == blocks - 1
            yield (
                f'layer{stage}' if last else '',
                functools.partial(_block, params, f'layer{stage}/{i}', stride),
            )
    yield 'avgpool', lambda x: jnp.mean(x, axis=(1, 2))


def apply(
    params: feedforward.Params,
    images: jax.Array,
    taps: Iterable[str],
    preprocessing: str = 'torchvision',
) -> dict[str, jax.Array]:
    """Computes features of images, see `feedforward.run`.

    Args:
      params: of `Backbone.init` or `weights.load`.
      images: [n, height, width, 3] floating point in 0..1, RGB.
      taps: 'relu1', 'pool1', 'layer1' to 'layer4' after their last ReLU, and
        'avgpool', the mean over space.
      preprocessing: what the weights expect, of `feedforward.PREPROCESSING`.

    Returns:
      {tap: [n, height', width', channels]}; 'avgpool' is [n, 2048].
    """
    return feedforward.run(steps(params, preprocessing), images, taps)

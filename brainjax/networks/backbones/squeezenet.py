"""SqueezeNet v1.0 (Iandola et al. 2016).

A small network (1.2 million parameters) that knows ImageNet's classes. Its
published weights come from Caffe, so that its preprocessing is 'caffe'.
"""

from collections.abc import Iterable, Iterator, Mapping

import jax
import jax.numpy as jnp

from brainjax.networks.backbones import feedforward

# Channels of each fire module: squeezed, expanded by 1x1 and by 3x3 alike.
FIRES = {
    'fire2': (16, 64),
    'fire3': (16, 64),
    'fire4': (32, 128),
    'fire5': (32, 128),
    'fire6': (48, 192),
    'fire7': (48, 192),
    'fire8': (64, 256),
    'fire9': (64, 256),
}
POOLED = ('fire4', 'fire8')


def shapes(
    width: float = 1.0, size: int = 224, dense: bool = False
) -> feedforward.Shapes:
    """Returns the shapes of the parameters."""
    del size, dense  # It is convolutions all through.

    def scaled(channels):
        return feedforward.scaled(channels, width)

    inputs = scaled(96)
    kernels = {'conv1': (7, 7, 3, inputs)}
    for name, (squeeze, expand) in FIRES.items():
        narrow, wide = scaled(squeeze), scaled(expand)
        kernels[f'{name}_squeeze'] = (1, 1, inputs, narrow)
        kernels[f'{name}_expand1'] = (1, 1, narrow, wide)
        kernels[f'{name}_expand3'] = (3, 3, narrow, wide)
        inputs = 2 * wide
    kernels['conv10'] = (1, 1, inputs, scaled(1000))
    return feedforward.with_biases(kernels)


def steps(
    params: Mapping, preprocessing: str = 'caffe'
) -> Iterator[feedforward.Step]:
    """Yields the network's steps, see `apply`."""
    yield feedforward.preprocess(preprocessing)
    yield (
        'conv1',
        lambda x: feedforward.convolve(x, params['conv1'], 2, 'VALID'),
    )
    yield 'relu1', jax.nn.relu
    yield 'pool1', _pool
    for name in FIRES:
        squeeze, one, three = (
            params[f'{name}_{part}']
            for part in ('squeeze', 'expand1', 'expand3')
        )
        yield (
            f'{name}_squeeze',
            lambda x, layer=squeeze: feedforward.convolve(x, layer),
        )
        yield '', jax.nn.relu
        yield (
            f'{name}_expand',
            lambda x, one=one, three=three: jnp.concatenate(
                [feedforward.convolve(x, one), feedforward.convolve(x, three)],
                -1,
            ),
        )
        yield name, jax.nn.relu
        if name in POOLED:
            yield f'pool{name.removeprefix("fire")}', _pool
    yield 'conv10', lambda x: feedforward.convolve(x, params['conv10'])
    yield 'relu10', jax.nn.relu
    yield 'pool10', lambda x: jnp.mean(x, (1, 2))


def _pool(x: jax.Array) -> jax.Array:
    return feedforward.max_pool(x, 3, 2, ceiling=True)


def apply(
    params: feedforward.Params,
    images: jax.Array,
    taps: Iterable[str],
    preprocessing: str = 'caffe',
) -> dict[str, jax.Array]:
    """Computes features of images, see `feedforward.run`.

    Args:
      params: of `Backbone.init` or `weights.load`.
      images: [n, height, width, 3] floating point in 0..1, RGB.
      taps: 'conv1', 'fire2_squeeze', 'fire2_expand' (both expansions, one
        after the other) and 'conv10' are before their ReLU; 'relu1', 'fire2'
        and 'relu10' after it; 'pool1', 'pool4' and 'pool8' are 3x3 maxima;
        'pool10', [n, 1000], scores the classes of ImageNet.
      preprocessing: what the weights expect, of `feedforward.PREPROCESSING`.

    Returns:
      {tap: [n, height', width', channels]}; at 224 px 'fire9' is 13x13x512.
    """
    return feedforward.run(steps(params, preprocessing), images, taps)

"""EfficientNet-B1 (Tan & Le 2019).

Torchvision's variant. Batch normalisation is part of the kernels, see
`converters.fold_batch_norm`. Two sets of weights are published for the same
layout: IMAGENET1K_V1, which the scores of Ozcelik and VanRullen 2023 use, and
IMAGENET1K_V2, which those of Scotti et al. 2024 use.
"""

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from brainjax.networks.backbones import feedforward

EPSILON = 1e-5  # Of the published batch normalisation.


class Stage(NamedTuple):
    """Inverted bottlenecks in a row; only the first of them has the stride."""

    expansion: int
    kernel: int
    stride: int
    channels: int
    blocks: int


STAGES = (
    Stage(1, 3, 1, 16, 2),
    Stage(6, 3, 2, 24, 3),
    Stage(6, 5, 2, 40, 3),
    Stage(6, 3, 2, 80, 4),
    Stage(6, 5, 1, 112, 4),
    Stage(6, 5, 2, 192, 5),
    Stage(6, 3, 1, 320, 2),
)
STEM, HEAD = 32, 1280


def shapes(
    width: float = 1.0, size: int = 224, dense: bool = False
) -> feedforward.Shapes:
    """Returns the shapes of the parameters.

    Depthwise kernels are [height, width, 1, channels].
    """
    del size, dense  # It is convolutions all through.
    inputs = feedforward.scaled(STEM, width)
    kernels = {'0': (3, 3, 3, inputs)}
    for number, stage in enumerate(STAGES, start=1):
        outputs = feedforward.scaled(stage.channels, width)
        for i in range(stage.blocks):
            block, inner = f'{number}/{i}', inputs * stage.expansion
            if inner > inputs:
                kernels[f'{block}/expand'] = (1, 1, inputs, inner)
            squeezed = max(1, inputs // 4)
            across = stage.kernel
            kernels[f'{block}/depthwise'] = (across, across, 1, inner)
            kernels[f'{block}/squeeze'] = (1, 1, inner, squeezed)
            kernels[f'{block}/excite'] = (1, 1, squeezed, inner)
            kernels[f'{block}/project'] = (1, 1, inner, outputs)
            inputs = outputs
    kernels['8'] = (1, 1, inputs, feedforward.scaled(HEAD, width))
    return feedforward.with_biases(kernels)


def torch_names(layer: str) -> tuple[str, str | None]:
    """Returns torchvision's names of a layer's convolution and norm."""
    if '/' not in layer:
        return f'features.{layer}.0', f'features.{layer}.1'
    stage, block, part = layer.split('/')
    parts = ('expand', 'depthwise', 'squeeze', 'project')
    if stage == '1':  # Without an expansion.
        parts = parts[1:]
    place = parts.index(part.replace('excite', 'squeeze'))
    name = f'features.{stage}.{block}.block.{place}'
    if part in ('squeeze', 'excite'):
        return f'{name}.{"fc1" if part == "squeeze" else "fc2"}', None
    return f'{name}.0', f'{name}.1'


def _block(params: Mapping, block: str, stride: int, x: jax.Array) -> jax.Array:
    y = x
    if f'{block}/expand' in params:
        y = jax.nn.silu(feedforward.convolve(y, params[f'{block}/expand']))
    depthwise = params[f'{block}/depthwise']
    around = depthwise['kernel'].shape[0] // 2
    y = jax.nn.silu(
        feedforward.convolve(
            y,
            depthwise,
            stride,
            ((around, around), (around, around)),
            groups=y.shape[-1],
        )
    )
    gate = jnp.mean(y, axis=(1, 2), keepdims=True)
    gate = jax.nn.silu(feedforward.convolve(gate, params[f'{block}/squeeze']))
    gate = feedforward.convolve(gate, params[f'{block}/excite'])
    y = feedforward.convolve(
        y * jax.nn.sigmoid(gate), params[f'{block}/project']
    )
    # A residual wherever the shapes allow it, as published.
    return x + y if x.shape == y.shape else y


def steps(
    params: Mapping, preprocessing: str = 'torchvision'
) -> Iterator[feedforward.Step]:
    """Yields the network's steps, see `apply`."""
    yield feedforward.preprocess(preprocessing)
    yield (
        'features0',
        lambda x: jax.nn.silu(
            feedforward.convolve(x, params['0'], 2, ((1, 1), (1, 1)))
        ),
    )
    for number, stage in enumerate(STAGES, start=1):
        for i in range(stage.blocks):
            step = functools.partial(
                _block, params, f'{number}/{i}', 1 if i else stage.stride
            )
            last = i == stage.blocks - 1
            yield f'features{number}' if last else '', step
    yield (
        'features8',
        lambda x: jax.nn.silu(feedforward.convolve(x, params['8'])),
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
      taps: 'features0' to 'features8', and 'avgpool', the mean over space.
      preprocessing: what the weights expect, of `feedforward.PREPROCESSING`.

    Returns:
      {tap: [n, height', width', channels]}; 'avgpool' is [n, 1280].
    """
    return feedforward.run(steps(params, preprocessing), images, taps)

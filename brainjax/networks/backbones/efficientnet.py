"""EfficientNet-B1 as a frozen feature extractor (Tan & Le 2019).

Torchvision's variant. Batch normalisation is part of the kernels, see
`folding`. Two sets of weights are published for the same
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


def shapes() -> dict[str, tuple[int, ...]]:
    """Returns layer -> shape of its kernel, HWIO (depthwise: I is 1)."""
    result, inputs = {'0': (3, 3, 3, STEM)}, STEM
    for number, stage in enumerate(STAGES, start=1):
        for i in range(stage.blocks):
            block, inner = f'{number}/{i}', inputs * stage.expansion
            if inner > inputs:
                result[f'{block}/expand'] = (1, 1, inputs, inner)
            squeezed = max(1, inputs // 4)
            size = stage.kernel
            result[f'{block}/depthwise'] = (size, size, 1, inner)
            result[f'{block}/squeeze'] = (1, 1, inner, squeezed)
            result[f'{block}/excite'] = (1, 1, squeezed, inner)
            result[f'{block}/project'] = (1, 1, inner, stage.channels)
            inputs = stage.channels
    result['8'] = (1, 1, inputs, HEAD)
    return result


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


def init(key: jax.Array) -> feedforward.Params:
    """Draws random parameters (He-normal kernels, zero biases)."""
    return feedforward.init(key, shapes())


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
    return x + y if x.shape == y.shape else y


def _steps(params: Mapping) -> Iterator[feedforward.Step]:
    yield '', feedforward.normalise
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
    taps: Iterable[str] = ('avgpool',),
) -> dict[str, jax.Array]:
    """Computes features of images, normalised by ImageNet's mean here.

    Args:
      params: from `init` or `weights.load`.
      images: [n, height, width, 3] floating point in 0..1, RGB.
      taps: 'features0' to 'features8', and 'avgpool', the mean over space.

    Returns:
      {tap: [n, height', width', channels]}; 'avgpool' is [n, 1280].

    Raises:
      InputError: a tap is unknown.
      ValueError: the images are not floating-point RGB.
    """
    return feedforward.run(_steps(params), images, taps)

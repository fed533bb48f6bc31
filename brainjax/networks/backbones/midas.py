"""MiDaS v2.1: how near each place of one picture is (Ranftl et al. 2020).

    near = midas.estimate(weights.load('midas_small'), images)

A classification network whose four stages are fused from the deepest on.
'midas_large' is on ResNeXt-101 (32 x 8d), 'midas_small' on EfficientNet-Lite3,
whose later stages are wider. Batch normalisation is part of the kernels; all
else is read off their names and shapes.
"""

import functools
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from brainjax.networks.backbones import feedforward

Params = Mapping[str, Mapping[str, jax.Array]]


class Large(NamedTuple):
    """Sizes of a ResNeXt and of what fuses its stages."""

    blocks: tuple[int, ...] = (3, 4, 23, 3)
    stem: int = 64
    inner: tuple[int, ...] = (256, 512, 1024, 2048)
    outputs: tuple[int, ...] = (256, 512, 1024, 2048)
    groups: int = 32
    fused: tuple[int, ...] = (256, 256, 256, 256)
    side: int = 384  # Of the pictures, in pixels.
    epsilon: float = 1e-5


class Small(NamedTuple):
    """Sizes of an EfficientNet-Lite and of what fuses its stages."""

    blocks: tuple[int, ...] = (1, 3, 3, 5, 5, 6, 1)
    stem: int = 32
    outputs: tuple[int, ...] = (24, 32, 48, 96, 136, 232, 384)
    fused: tuple[int, ...] = (64, 128, 256, 512)
    side: int = 256
    epsilon: float = 1e-3  # TensorFlow's.


SIZES = {'midas_large': Large(), 'midas_small': Small()}
_KERNELS = (3, 3, 5, 3, 5, 5, 3)  # Of EfficientNet's stages.
_STRIDES = (1, 2, 2, 2, 1, 2, 1)
_LAST = (1, 2, 4, 6)  # Stages after which it is fused.


def shapes(sizes: Large | Small) -> feedforward.Shapes:
    """Returns the shapes of the parameters."""
    small = isinstance(sizes, Small)
    kernels = _lite(sizes) if small else _resnext(sizes)
    taps = [sizes.outputs[i] for i in _LAST] if small else sizes.outputs
    for i, (inputs, fused) in enumerate(zip(taps, sizes.fused), start=1):
        kernels[f'fuse{i}/in'] = (3, 3, inputs, fused)
        for unit in ('side', 'sum'):
            for part in (1, 2):
                kernels[f'fuse{i}/{unit}{part}'] = (3, 3, fused, fused)
        if small:
            outputs = sizes.fused[max(i - 2, 0)]
            kernels[f'fuse{i}/out'] = (1, 1, fused, outputs)
    first = sizes.fused[0]
    kernels['head1'] = (3, 3, first, first // 2)
    kernels['head2'] = (3, 3, first // 2, 32)
    kernels['head3'] = (1, 1, 32, 1)
    return feedforward.with_biases(kernels)


def _resnext(sizes):
    kernels, inputs = {'stem': (7, 7, 3, sizes.stem)}, sizes.stem
    for stage, blocks in enumerate(sizes.blocks, start=1):
        inner, outputs = sizes.inner[stage - 1], sizes.outputs[stage - 1]
        for i in range(blocks):
            name = f'layer{stage}/{i:02d}'
            kernels[f'{name}/conv1'] = (1, 1, inputs, inner)
            kernels[f'{name}/conv2'] = (3, 3, inner // sizes.groups, inner)
            kernels[f'{name}/conv3'] = (1, 1, inner, outputs)
            if i == 0:
                kernels[f'{name}/downsample'] = (1, 1, inputs, outputs)
            inputs = outputs
    return kernels


def _lite(sizes):
    kernels, inputs = {'stem': (3, 3, 3, sizes.stem)}, sizes.stem
    for stage, blocks in enumerate(sizes.blocks):
        outputs, across = sizes.outputs[stage], _KERNELS[stage]
        for i in range(blocks):
            name, inner = f'stage{stage}/{i}', inputs * (6 if stage else 1)
            if stage:
                kernels[f'{name}/expand'] = (1, 1, inputs, inner)
            kernels[f'{name}/depthwise'] = (across, across, 1, inner)
            kernels[f'{name}/project'] = (1, 1, inner, outputs)
            inputs = outputs
    return kernels


def torch_names(layer: str) -> tuple[str, str | None]:
    """Returns the published names of a convolution and of the norm after it."""
    if layer == 'stem':
        return 'pretrained.layer1.0', 'pretrained.layer1.1'
    if layer.startswith('head'):
        place = 2 * int(layer[4:]) - 2
        return f'scratch.output_conv.{place}', None
    group, *rest = layer.split('/')
    number = int(group[-1])
    if group.startswith('fuse'):
        [part] = rest
        if part == 'in':
            return f'scratch.layer{number}_rn', None
        place = f'scratch.refinenet{number}'
        if part == 'out':
            return f'{place}.out_conv', None
        unit = 1 if part.startswith('side') else 2
        return f'{place}.resConfUnit{unit}.conv{part[-1]}', None
    block, part = int(rest[0]), rest[1]
    if group.startswith('layer'):
        place = f'pretrained.{group}.{"4." if number == 1 else ""}{block}'
        if part == 'downsample':
            return f'{place}.downsample.0', f'{place}.downsample.1'
        return f'{place}.{part}', f'{place}.{part.replace("conv", "bn")}'
    tap = next(i for i, last in enumerate(_LAST) if number <= last)
    first = _LAST[tap - 1] + 1 if tap else -3  # Behind norm and activation.
    place = f'pretrained.layer{tap + 1}.{number - first}.{block}'
    parts = (
        ('conv_pw', 'conv_dw', 'conv_pwl')
        if number
        else (
            'conv_dw',
            'conv_pw',
        )
    )
    ours = ('expand', 'depthwise', 'project')[-len(parts) :]
    i = ours.index(part)
    return f'{place}.{parts[i]}', f'{place}.bn{i + 1}'


def is_small(params: Params) -> bool:
    """Whether parameters are of the small network."""
    return 'fuse1/out' in params


@jax.jit
def apply(params: Params, images: jax.Array) -> jax.Array:
    """Computes how near each place is, up to scale and shift.

    Args:
      params: of `weights.load`.
      images: [n, side, side, 3] in 0..1, RGB; published 384 px for the large
        network and 256 for the small; a multiple of 32.

    Returns:
      [n, side, side], 0 or more.
    """
    x = feedforward.normalise(images)
    taps = _lite_taps(params, x) if is_small(params) else _taps(params, x)
    path = None
    for i, tap in reversed([*enumerate(taps, start=1)]):
        path = _fuse(params, f'fuse{i}', tap, path)
    x = feedforward.convolve(path, params['head1'])
    x = _double(x, aligned=False)
    x = jax.nn.relu(feedforward.convolve(x, params['head2']))
    return jax.nn.relu(feedforward.convolve(x, params['head3']))[..., 0]


def _taps(params: Params, x: jax.Array) -> Iterable[jax.Array]:
    around = ((3, 3), (3, 3))
    x = jax.nn.relu(feedforward.convolve(x, params['stem'], 2, around))
    # What surrounds a ReLU's output is 0.
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    x = feedforward.max_pool(x, 3, 2)
    for stage in range(1, 5):
        for i, block in enumerate(_blocks(params, f'layer{stage}/')):
            x = _residual(params, block, 2 if stage > 1 and not i else 1, x)
        yield x


def _residual(params, block, stride, x):
    y = jax.nn.relu(feedforward.convolve(x, params[f'{block}/conv1']))
    layer = params[f'{block}/conv2']
    y = feedforward.convolve(
        y,
        layer,
        stride,
        ((1, 1), (1, 1)),
        groups=y.shape[-1] // layer['kernel'].shape[2],
    )
    y = feedforward.convolve(jax.nn.relu(y), params[f'{block}/conv3'])
    if f'{block}/downsample' in params:
        x = feedforward.convolve(
            x, params[f'{block}/downsample'], stride, 'VALID'
        )
    return jax.nn.relu(x + y)


def _lite_taps(params: Params, x: jax.Array) -> Iterable[jax.Array]:
    x = jax.nn.relu6(feedforward.convolve(x, params['stem'], 2))
    for stage, stride in enumerate(_STRIDES):
        for i, block in enumerate(_blocks(params, f'stage{stage}/')):
            x = _bottleneck(params, block, 1 if i else stride, x)
        if stage in _LAST:
            yield x


def _bottleneck(params, block, stride, x):
    y = x
    if f'{block}/expand' in params:
        y = jax.nn.relu6(feedforward.convolve(y, params[f'{block}/expand']))
    # TensorFlow's padding, which 'SAME' is.
    y = feedforward.convolve(
        y, params[f'{block}/depthwise'], stride, groups=y.shape[-1]
    )
    y = feedforward.convolve(jax.nn.relu6(y), params[f'{block}/project'])
    return x + y if x.shape == y.shape else y


def _blocks(params, prefix):
    """Names of a stage's blocks in order."""
    names = (n.rsplit('/', 1)[0] for n in params if n.startswith(prefix))
    return sorted({*names})


def _fuse(params, name, tap, path):
    """Adds a stage to what is deeper, and doubles height and width."""
    x = feedforward.convolve(tap, params[f'{name}/in'])
    if path is not None:
        x = path + _unit(params, f'{name}/side', x)
    x = _double(_unit(params, f'{name}/sum', x), aligned=True)
    if is_small(params):
        x = feedforward.convolve(x, params[f'{name}/out'])
    return x


def _unit(params, name, x):
    """Two convolutions and what goes past them."""
    y = feedforward.convolve(jax.nn.relu(x), params[f'{name}1'])
    y = feedforward.convolve(jax.nn.relu(y), params[f'{name}2'])
    # The large network rectifies in place: what goes past is rectified, too.
    return y + (x if is_small(params) else jax.nn.relu(x))


def _double(x: jax.Array, aligned: bool) -> jax.Array:
    """Bilinear; the corners stay in their places, or half-pixel centres."""
    rows, columns = (_doubling(n, aligned) for n in x.shape[1:3])
    x = jnp.einsum('oh,nhwc->nowc', rows, x)
    return jnp.einsum('ow,nhwc->nhoc', columns, x)


@functools.lru_cache
def _doubling(n: int, aligned: bool) -> np.ndarray:
    out = np.arange(2 * n)
    place = out * (n - 1) / (2 * n - 1) if aligned else (out + 0.5) / 2 - 0.5
    return _weights(place, n, lambda d: np.maximum(1 - d, 0))


def _weights(place, n, kernel):
    """[out, n] of what lies at a place, edges repeated."""
    first = np.floor(place).astype(int)[:, None] + np.arange(-1, 3)
    matrix = np.zeros((len(place), n))
    rows = np.repeat(np.arange(len(place))[:, None], 4, axis=1)
    near = kernel(np.abs(place[:, None] - first))
    np.add.at(matrix, (rows, first.clip(0, n - 1)), near)
    return np.float32(matrix)


def _cubic(d: np.ndarray) -> np.ndarray:
    """Keys' kernel with A = -0.75, as PyTorch's bicubic."""
    inner = (1.25 * d - 2.25) * d**2 + 1
    outer = -0.75 * (((d - 5) * d + 8) * d - 4)
    return np.where(d <= 1, inner, np.where(d < 2, outer, 0))


def resize(x: jax.Array, side: int) -> jax.Array:
    """Resizes [n, height, width, c] by PyTorch's bicubic, as it is enlarged."""
    matrices = [
        _weights((np.arange(side) + 0.5) * n / side - 0.5, n, _cubic)
        for n in x.shape[1:3]
    ]
    x = jnp.einsum('oh,nhwc->nowc', matrices[0], x)
    return jnp.einsum('ow,nhwc->nhoc', matrices[1], x)


def estimate(params: Params, images: jax.Array, side: int = 0) -> jax.Array:
    """Estimates depth as Gaziv and Irani (2021) do beside RGB alone.

    Args:
      params: of `weights.load`.
      images: [n, size, size, 3] in 0..1.
      side: of the pictures that the network sees; 0 for the published.

    Returns:
      [n, size, size] from 0, the farthest place of a picture, to 1.
    """
    sizes = SIZES['midas_small' if is_small(params) else 'midas_large']
    seen = resize(images, side or sizes.side)
    near = resize(apply(params, seen)[..., None], images.shape[1])[..., 0]
    axes = (1, 2)
    near = near - near.mean(axes, keepdims=True)
    near /= near.std(axes, keepdims=True, ddof=1) + 1e-4
    low, high = (f(near, axes, keepdims=True) for f in (jnp.min, jnp.max))
    return (near - low) / jnp.maximum(high - low, 1e-6)

"""VGG16 and VGG19 (Simonyan & Zisserman 2015).

    params = weights.load('vgg16')
    features = vgg.apply(params, images, ('relu1_2', 'pool5'))

Weights from Caffe need `preprocessing='caffe'`, which
`weights.SOURCES[name].preprocessing` tells.
"""

import functools
from collections.abc import Iterable, Iterator, Mapping

import jax

from brainjax.errors import check_known
from brainjax.networks.backbones import feedforward

CONVOLUTIONS = {'vgg16': (2, 2, 3, 3, 3), 'vgg19': (2, 2, 4, 4, 4)}
CHANNELS = (64, 128, 256, 512, 512)


def shapes(
    name: str = 'vgg16',
    width: float = 1.0,
    size: int = 224,
    dense: bool = False,
    channels: int = 3,
) -> feedforward.Shapes:
    """Returns the shapes of the parameters.

    Args:
      name: 'vgg16' or 'vgg19'.
      width, size, dense: see `backbones.Backbone`.
      channels: of the pictures: 4 with depth, 1 for depth alone.
    """
    check_known('VGG', name, CONVOLUTIONS)
    blocks = zip(CONVOLUTIONS[name], CHANNELS)
    kernels = feedforward.stacked(
        [
            (f'conv{block}_{i}', 3, outputs)
            for block, (n, outputs) in enumerate(blocks, start=1)
            for i in range(1, n + 1)
        ],
        width,
        channels,
    )
    if dense:
        inputs = (size // 32) ** 2 * feedforward.scaled(CHANNELS[-1], width)
        kernels |= feedforward.dense_shapes(inputs, width)
    return feedforward.with_biases(kernels)


def torch_names(layer: str, name: str = 'vgg16') -> tuple[str, None]:
    """Returns torchvision's name of a layer, which no norm follows."""
    if layer.startswith('fc'):
        return f'classifier.{3 * int(layer[2:]) - 18}', None
    block, i = map(int, layer.removeprefix('conv').split('_'))
    before = CONVOLUTIONS[name][: block - 1]
    # Each convolution has a ReLU after it, and each block a pool.
    return f'features.{2 * (sum(before) + i - 1) + len(before)}', None


def steps(
    params: Mapping,
    preprocessing: str = 'torchvision',
    pool: str = 'max',
    slope: float = 0.0,
) -> Iterator[feedforward.Step]:
    """Yields the network's steps; the network is read off the layers' names."""
    check_known('pool', pool, feedforward.POOLS)
    yield feedforward.preprocess(preprocessing)
    rectify = functools.partial(feedforward.rectify, slope=slope)
    # Numbers have one digit, so that the order of names is that of layers.
    names = sorted(name for name in params if name.startswith('conv'))
    for name, following in zip(names, [*names[1:], '']):
        block, position = name.removeprefix('conv').split('_')
        layer = params[name]
        yield name, lambda x, layer=layer: feedforward.convolve(x, layer)
        yield f'relu{block}_{position}', rectify
        if not following.startswith(f'conv{block}_'):
            yield f'pool{block}', lambda x: feedforward.POOLS[pool](x, 2, 2)
    yield from feedforward.dense_steps(params, slope)


def apply(
    params: feedforward.Params,
    images: jax.Array,
    taps: Iterable[str],
    preprocessing: str = 'torchvision',
    pool: str = 'max',
    slope: float = 0.0,
) -> dict[str, jax.Array]:
    """Computes features of images, see `feedforward.run`.

    Shen et al. (2019) reconstruct imagery with pool 'average' and slope 0.2.

    Args:
      params: of `Backbone.init` or `weights.load`.
      images: [n, height, width, 3] floating point in 0..1, RGB; as many
        channels as the preprocessing takes.
      taps: 'conv3_2' is a convolution before its ReLU, 'relu3_2' after it,
        'pool3' the 2x2 maximum after the last convolution of block 3; 'fc6'
        and 'relu6', 'fc7' and 'relu7', and 'fc8' where params hold them.
      preprocessing: what the weights expect, of `feedforward.PREPROCESSING`.
      pool: 'max' or 'average'.
      slope: of the ReLU below 0.

    Returns:
      {tap: [n, height', width', channels]}; at 112 px 'relu1_2' is 112x112x64
      and 'pool5' 3x3x512; 'fc6' is [n, units].
    """
    return feedforward.run(
        steps(params, preprocessing, pool, slope),
        images,
        taps,
        feedforward.CHANNELS.get(preprocessing, 3),
    )

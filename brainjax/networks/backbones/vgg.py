"""VGG16 and VGG19 as frozen feature extractors (Simonyan & Zisserman 2015).

The weights are an argument, so they are never trained by accident:

    params = weights.load('vgg16')
    features = vgg.apply(params, images, ('relu1_2', 'pool5'))

Weights from Caffe need `preprocessing='caffe'`, which
`published.SOURCES[name].preprocessing` tells.
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
    last: str | None = None,
    size: int | None = None,
) -> dict[str, tuple[int, ...]]:
    """Returns layer -> shape of its kernel, HWIO or [in, out].

    Args:
      name: 'vgg16' or 'vgg19'.
      width: factor of the channels, rounded to a multiple of 4.
      last: the deepest layer to keep, such as 'conv4_4'; None for all.
      size: height and width of the pictures, for the fully connected layers,
        which need it; None leaves them out.

    Raises:
      InputError: there is no such network or layer.
    """
    check_known('VGG', name, CONVOLUTIONS)
    layers = [
        (f'conv{block}_{i}', 3, channels)
        for block, (n, channels) in enumerate(
            zip(CONVOLUTIONS[name], CHANNELS), start=1
        )
        for i in range(1, n + 1)
    ]
    if size is None:
        return feedforward.shapes(layers, width, last)
    inputs = (size // 32) ** 2 * feedforward.scaled(CHANNELS[-1], width)
    found = feedforward.shapes(layers, width, None)
    return feedforward.up_to(
        found | feedforward.dense_shapes(inputs, width), last
    )


def init(
    key: jax.Array,
    name: str = 'vgg16',
    width: float = 1.0,
    last: str | None = None,
    size: int | None = None,
) -> feedforward.Params:
    """Draws random parameters (He-normal kernels, zero biases).

    Args:
      key: a JAX random key.
      name, width, last, size: as for `shapes`.

    Returns:
      {'conv1_1': {'kernel': [3, 3, I, O], 'bias': [O]}, ...}.

    Raises:
      InputError: there is no such network or layer.
    """
    return feedforward.init(key, shapes(name, width, last, size))


def _steps(
    params: Mapping, preprocessing: str, pool: str, slope: float
) -> Iterator[feedforward.Step]:
    yield feedforward.preprocess(preprocessing)
    rectify = functools.partial(feedforward.rectify, slope=slope)
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
    """Computes features of images.

    The images are preprocessed here. The network is read off the names in
    `params`, and nothing is computed past the deepest tap. Shen et al. (2019)
    reconstruct imagery with pool 'average' and slope 0.2.

    Args:
      params: from `init` or `weights.load`.
      images: [n, height, width, 3] floating point in 0..1, RGB.
      taps: 'conv3_2' is a convolution before its ReLU, 'relu3_2' after it,
        'pool3' the 2x2 maximum after the last convolution of block 3; 'fc6'
        and 'relu6', 'fc7' and 'relu7', and 'fc8' where params hold them.
      preprocessing: what the weights expect, of `backbone.PREPROCESSING`.
      pool: 'max' or 'average'.
      slope: of the ReLU below 0.

    Returns:
      {tap: [n, height', width', channels]}; at 112 px 'relu1_2' is 112x112x64
      and 'pool5' 3x3x512; 'fc6' is [n, units].

    Raises:
      InputError: a tap, preprocessing or pool is unknown.
      ValueError: the images are not floating-point RGB, or too small, or not
        of the size that the fully connected layers take.
    """
    check_known('pool', pool, feedforward.POOLS)
    steps = _steps(params, preprocessing, pool, slope)
    return feedforward.run(steps, images, taps)

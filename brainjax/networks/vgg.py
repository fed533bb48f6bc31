"""VGG16 and VGG19 as frozen feature extractors (Simonyan & Zisserman 2015).

The weights are an argument, so they are never trained by accident:

    params = weights.load('vgg16')
    features = vgg.apply(params, images, ('relu1_2', 'pool5'))
"""

from collections.abc import Iterable, Iterator, Mapping

import jax

from brainjax.networks import backbone

CONVOLUTIONS = {'vgg16': (2, 2, 3, 3, 3), 'vgg19': (2, 2, 4, 4, 4)}
CHANNELS = (64, 128, 256, 512, 512)


def shapes(
    name: str = 'vgg16', width: float = 1.0, last: str | None = None
) -> dict[str, tuple[int, ...]]:
    """Returns layer -> shape of its kernel, HWIO.

    Args:
      name: 'vgg16' or 'vgg19'.
      width: factor of the channels, rounded to a multiple of 4.
      last: the deepest convolution to keep, such as 'conv4_4'; None for all.

    Raises:
      InputError: there is no such network or convolution.
    """
    backbone.check_known('VGG', name, CONVOLUTIONS)
    layers = [
        (f'conv{block}_{i}', 3, channels)
        for block, (n, channels) in enumerate(
            zip(CONVOLUTIONS[name], CHANNELS), start=1
        )
        for i in range(1, n + 1)
    ]
    return backbone.shapes(layers, width, last)


def init(
    key: jax.Array,
    name: str = 'vgg16',
    width: float = 1.0,
    last: str | None = None,
) -> backbone.Params:
    """Draws random parameters (He-normal kernels, zero biases).

    Args:
      key: a JAX random key.
      name: 'vgg16' or 'vgg19'.
      width: factor of the channels, rounded to a multiple of 4.
      last: the deepest convolution to keep, such as 'conv4_4'; None for all.

    Returns:
      {'conv1_1': {'kernel': [3, 3, I, O], 'bias': [O]}, ...}.

    Raises:
      InputError: there is no such network or convolution.
    """
    return backbone.init(key, shapes(name, width, last))


def _steps(params: Mapping) -> Iterator[backbone.Step]:
    yield '', backbone.normalise
    names = sorted(params)
    for name, following in zip(names, [*names[1:], '']):
        block, position = name.removeprefix('conv').split('_')
        layer = params[name]
        yield name, lambda x, layer=layer: backbone.convolve(x, layer)
        yield f'relu{block}_{position}', jax.nn.relu
        if not following.startswith(f'conv{block}_'):
            yield f'pool{block}', lambda x: backbone.max_pool(x, 2, 2)


def apply(
    params: backbone.Params, images: jax.Array, taps: Iterable[str]
) -> dict[str, jax.Array]:
    """Computes features of images.

    The images are normalised by ImageNet's mean and deviation here. The
    network is read off the names in `params`, and nothing is computed past
    the deepest tap.

    Args:
      params: from `init` or `weights.load`.
      images: [n, height, width, 3] floating point in 0..1, RGB.
      taps: 'conv3_2' is a convolution before its ReLU, 'relu3_2' after it,
        'pool3' the 2x2 maximum after the last convolution of block 3.

    Returns:
      {tap: [n, height', width', channels]}; at 112 px 'relu1_2' is 112x112x64
      and 'pool5' 3x3x512.

    Raises:
      InputError: a tap is unknown.
      ValueError: the images are not floating-point RGB, or too small.
    """
    return backbone.run(_steps(params), images, taps)

"""AlexNet as a frozen feature extractor.

Torchvision's variant (Krizhevsky 2014, 'One weird trick'): 64, 192, 384, 256
and 256 channels, no local response normalisation.
"""

from collections.abc import Iterable, Iterator, Mapping

import jax

from brainjax.networks.backbones import feedforward

# (name, kernel size, channels)
LAYERS = (
    ('conv1', 11, 64),
    ('conv2', 5, 192),
    ('conv3', 3, 384),
    ('conv4', 3, 256),
    ('conv5', 3, 256),
)
POOLED = ('conv1', 'conv2', 'conv5')
Padding = str | tuple[tuple[int, int], tuple[int, int]]


def shapes(
    width: float = 1.0, last: str | None = None, size: int | None = None
) -> dict[str, tuple[int, ...]]:
    """Returns layer -> shape of its kernel, HWIO or [in, out].

    Args:
      width: factor of the channels, rounded to a multiple of 4.
      last: the deepest layer to keep, such as 'conv4'; None for all.
      size: height and width of the pictures, for the fully connected layers,
        which need it; None leaves them out.

    Raises:
      InputError: there is no layer `last`.
    """
    if size is None:
        return feedforward.shapes(LAYERS, width, last)
    found = feedforward.shapes(LAYERS, width, None)
    side = (size - 7) // 4 + 1  # conv1: 11 px at stride 4, padded by 2
    for _ in POOLED:
        side = (side - 3) // 2 + 1
    inputs = side**2 * found['conv5'][-1]
    return feedforward.up_to(
        found | feedforward.dense_shapes(inputs, width), last
    )


def init(
    key: jax.Array,
    width: float = 1.0,
    last: str | None = None,
    size: int | None = None,
) -> feedforward.Params:
    """Draws random parameters (He-normal kernels, zero biases).

    Args:
      key: a JAX random key.
      width, last, size: as for `shapes`.

    Returns:
      {'conv1': {'kernel': [11, 11, 3, O], 'bias': [O]}, ...}.

    Raises:
      InputError: there is no layer `last`.
    """
    return feedforward.init(key, shapes(width, last, size))


def _steps(
    params: Mapping, preprocessing: str, stride: int, padding: Padding
) -> Iterator[feedforward.Step]:
    yield feedforward.preprocess(preprocessing)
    for name in sorted(name for name in params if name.startswith('conv')):
        layer, number = params[name], name.removeprefix('conv')
        if name == 'conv1':
            options = {'stride': stride, 'padding': padding}
        else:
            options = {'stride': 1, 'padding': 'SAME'}
        yield (
            name,
            lambda x, layer=layer, options=options: feedforward.convolve(
                x, layer, **options
            ),
        )
        yield f'relu{number}', jax.nn.relu
        if name in POOLED:
            yield f'pool{number}', lambda x: feedforward.max_pool(x, 3, 2)
    yield from feedforward.dense_steps(params, 0.0)


def apply(
    params: feedforward.Params,
    images: jax.Array,
    taps: Iterable[str],
    normalise: bool = True,
    stride: int = 4,
    padding: Padding = ((2, 2), (2, 2)),
) -> dict[str, jax.Array]:
    """Computes features of images.

    Args:
      params: from `init` or `weights.load`; nothing past the deepest tap is
        computed.
      images: [n, height, width, 3] floating point, RGB; in 0..1 if normalise.
      taps: 'conv2' is a convolution before its ReLU, 'relu2' after it; 'pool1',
        'pool2' and 'pool5' the 3x3 maximum at stride 2 that follows; 'fc6'
        and 'relu6', 'fc7' and 'relu7', and 'fc8' where params hold them.
      normalise: whether to apply ImageNet's mean and deviation; if not, the
        images enter as they are (Gaziv et al. 2022 classify 2 * images - 1).
      stride: of the first convolution.
      padding: of the first convolution, as `jax.lax.conv_general_dilated`
        takes it. Stride 2 with 'SAME' gives 56x56 features at 112 px (the
        encoder of Beliy et al. 2019).

    Returns:
      {tap: [n, height', width', channels]}; at 112 px 'relu4' is 6x6x256.

    Raises:
      InputError: a tap is unknown.
      ValueError: the images are not floating-point RGB, or too small.
    """
    preprocessing = 'torchvision' if normalise else 'none'
    steps = _steps(params, preprocessing, stride, padding)
    return feedforward.run(steps, images, taps)

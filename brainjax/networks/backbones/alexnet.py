"""AlexNet, torchvision's variant (Krizhevsky 2014, 'One weird trick').

64, 192, 384, 256 and 256 channels, no local response normalisation.
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
    width: float = 1.0, size: int = 224, dense: bool = False
) -> feedforward.Shapes:
    """Returns the shapes of the parameters, see `backbones.Backbone`."""
    kernels = feedforward.stacked(LAYERS, width)
    if dense:
        side = (size - 7) // 4 + 1  # conv1: 11 px at stride 4, padded by 2
        for _ in POOLED:
            side = (side - 3) // 2 + 1
        inputs = side**2 * kernels['conv5'][-1]
        kernels |= feedforward.dense_shapes(inputs, width)
    return feedforward.with_biases(kernels)


def torch_names(layer: str) -> tuple[str, None]:
    """Returns torchvision's name of a layer, which no norm follows."""
    number = int(layer.removeprefix('conv').removeprefix('fc'))
    if layer.startswith('fc'):
        # Dropout comes before the first two, a ReLU after them.
        return f'classifier.{ {6: 1, 7: 4, 8: 6}[number] }', None
    pools = sum(name < layer for name in POOLED)
    return f'features.{2 * (number - 1) + pools}', None


def steps(
    params: Mapping,
    preprocessing: str = 'torchvision',
    stride: int = 4,
    padding: Padding = ((2, 2), (2, 2)),
) -> Iterator[feedforward.Step]:
    """Yields the network's steps, see `apply`."""
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
    preprocessing: str = 'torchvision',
    stride: int = 4,
    padding: Padding = ((2, 2), (2, 2)),
) -> dict[str, jax.Array]:
    """Computes features of images, see `feedforward.run`.

    Args:
      params: of `Backbone.init` or `weights.load`.
      images: [n, height, width, 3] floating point in 0..1, RGB.
      taps: 'conv2' is a convolution before its ReLU, 'relu2' after it; 'pool1',
        'pool2' and 'pool5' the 3x3 maximum at stride 2 that follows; 'fc6'
        and 'relu6', 'fc7' and 'relu7', and 'fc8' where params hold them.
      preprocessing: of `feedforward.PREPROCESSING`; with 'none' the images
        enter as they are (Gaziv et al. 2022 classify 2 * images - 1).
      stride: of the first convolution.
      padding: of the first convolution, as `jax.lax.conv_general_dilated`
        takes it. Stride 2 with 'SAME' gives 56x56 features at 112 px (the
        encoder of Beliy et al. 2019).

    Returns:
      {tap: [n, height', width', channels]}; at 112 px 'relu4' is 6x6x256.
    """
    return feedforward.run(
        steps(params, preprocessing, stride, padding), images, taps
    )

"""What the frozen backbones share: convolution, pooling, dense layers, taps."""

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from brainjax.errors import check_known
from brainjax.networks.backbones import winograd

Params = dict[str, dict[str, jax.Array]]
Step = tuple[str, Callable[[jax.Array], jax.Array]]

# Mean and deviation of ImageNet's pixels in 0..1, RGB, as torchvision has them.
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


# Mean pixel of ImageNet in 0..255, RGB: of Caffe's ilsvrc_2012_mean.npy.
CAFFE_MEAN = (122.67891434, 116.66876762, 104.00698793)


def normalise(images: jax.Array) -> jax.Array:
    """Takes images [..., 3] in 0..1 to ImageNet's zero mean, unit deviation."""
    return (images - np.float32(MEAN)) / np.float32(DEVIATION)


def subtract_mean(images: jax.Array) -> jax.Array:
    """Takes RGB [..., 3] in 0..1 to BGR in 0..255 minus ImageNet's mean."""
    return (255 * images - np.float32(CAFFE_MEAN))[..., ::-1]


# What published weights expect of a picture; it belongs to the weights, and
# `weights` keeps its name beside them.
PREPROCESSING = {
    'torchvision': normalise,
    'caffe': subtract_mean,
    'none': lambda images: images,
}


# What those take to zero: the mean pixel, RGB in 0..255.
MEAN_PIXEL = {
    'torchvision': tuple(255 * mean for mean in MEAN),
    'caffe': CAFFE_MEAN,
    'none': (0.0, 0.0, 0.0),
}


def preprocess(name: str) -> Step:
    """Returns the step that weights with this preprocessing begin with.

    Raises:
      InputError: there is no such preprocessing.
    """
    check_known('preprocessing', name, PREPROCESSING)
    return '', PREPROCESSING[name]


@functools.partial(jax.jit, static_argnums=1)
def _he_normal(key, shapes):
    sizes = [math.prod(shape) for _, shape in shapes]
    normal = jnp.split(
        jax.random.normal(key, (sum(sizes),)), np.cumsum(sizes)[:-1]
    )
    return {
        name: {
            'kernel': values.reshape(shape)
            * math.sqrt(2 / math.prod(shape[:-1])),
            'bias': jnp.zeros(shape[-1]),
        }
        for (name, shape), values in zip(shapes, normal)
    }


def init(key: jax.Array, shapes: Mapping[str, tuple[int, ...]]) -> Params:
    """Draws kernels from N(0, 2 / fan in) (He et al. 2015); biases are zero.

    The first layers do not depend on how many follow.

    Args:
      key: a JAX random key.
      shapes: layer -> shape of its kernel, HWIO.

    Returns:
      {layer: {'kernel': HWIO float32, 'bias': [O] float32}}.
    """
    return _he_normal(key, tuple(shapes.items()))


def scaled(channels: int, width: float) -> int:
    """Returns channels * width as a multiple of 4, at least 4."""
    return max(4, 4 * round(channels * width / 4))


def shapes(
    layers: Iterable[tuple[str, int, int]], width: float, last: str | None
) -> dict[str, tuple[int, ...]]:
    """Returns layer -> kernel shape, from RGB to the layer `last`.

    Args:
      layers: (name, kernel size, output channels) of each layer in order.
      width: factor of the channels.
      last: the deepest layer to keep; None for all.

    Raises:
      InputError: there is no layer `last`.
    """
    layers = tuple(layers)
    names = [name for name, _, _ in layers]
    if last is not None:
        check_known('layer', last, names)
        layers = layers[: names.index(last) + 1]
    result, inputs = {}, 3
    for name, size, channels in layers:
        outputs = scaled(channels, width)
        result[name] = (size, size, inputs, outputs)
        inputs = outputs
    return result


def up_to(layers: Mapping, last: str | None) -> dict:
    """Returns the entries of an ordered mapping up to the key `last`.

    Raises:
      InputError: there is no layer `last`.
    """
    if last is None:
        return dict(layers)
    check_known('layer', last, layers)
    names = list(layers)
    return {name: layers[name] for name in names[: names.index(last) + 1]}


def truncate(params: Params, last: str) -> Params:
    """Returns the parameters of the layers up to and including `last`.

    Raises:
      InputError: there is no layer `last`.
    """
    check_known('layer', last, params)
    return {name: params[name] for name in sorted(params) if name <= last}


def dense_shapes(inputs: int, width: float) -> dict[str, tuple[int, int]]:
    """Returns 'fc6', 'fc7' and 'fc8' -> shape of the kernel, [in, out].

    Args:
      inputs: numbers in the last feature map of one picture.
      width: factor of the units.
    """
    hidden = scaled(4096, width)
    return {
        'fc6': (inputs, hidden),
        'fc7': (hidden, hidden),
        'fc8': (hidden, scaled(1000, width)),
    }


def dense_steps(
    params: Mapping[str, Mapping[str, jax.Array]], slope: float
) -> Iterator[Step]:
    """Yields those of fc6, relu6, fc7, relu7 and fc8 that `params` holds."""
    for name in ('fc6', 'fc7', 'fc8'):
        if name not in params:
            return
        layer = params[name]
        yield name, lambda x, layer=layer, name=name: dense(x, layer, name)
        if name != 'fc8':
            yield name.replace('fc', 'relu'), lambda x: rectify(x, slope)


def dense(
    x: jax.Array, layer: Mapping[str, jax.Array], name: str = 'the layer'
) -> jax.Array:
    """Flattens x [n, ...] and applies a kernel [in, out] and a bias.

    Feature maps flatten in the order height, width, channels; `converters`
    reorders published kernels, which take channels first.

    Raises:
      ValueError: the kernel takes another number of inputs.
    """
    x = x.reshape(len(x), -1).astype(layer['kernel'].dtype)
    if x.shape[1] != len(layer['kernel']):
        raise ValueError(
            f'{name} takes {len(layer["kernel"])} numbers of each picture, '
            f'not {x.shape[1]}; the published networks take 224 x 224 px.'
        )
    return x @ layer['kernel'] + layer['bias']


def rectify(x: jax.Array, slope: float = 0.0) -> jax.Array:
    """Returns max(x, 0) + slope min(x, 0)."""
    return jax.nn.leaky_relu(x, slope) if slope else jax.nn.relu(x)


def convolve(
    x: jax.Array,
    layer: Mapping[str, jax.Array],
    stride: int = 1,
    padding: str | tuple[tuple[int, int], tuple[int, int]] = 'SAME',
    groups: int = 1,
) -> jax.Array:
    """Cross-correlates [n, H, W, I] with an HWIO kernel and adds the bias.

    The kernel's type is the type computed in. With as many groups as
    channels, each channel is convolved on its own. A layer of
    `winograd.prepare` takes stride 1, 'SAME' and one group only.
    """
    if 'tiles' in layer:
        y = winograd.convolve(x, layer['tiles'], layer['tiles_back'])
        return y + layer['bias']
    y = jax.lax.conv_general_dilated(
        x.astype(layer['kernel'].dtype),
        layer['kernel'],
        (stride, stride),
        padding,
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
        feature_group_count=groups,
    )
    return y + layer['bias']


def max_pool(
    x: jax.Array, window: int, stride: int, ceiling: bool = False
) -> jax.Array:
    """Takes the maximum over window x window pixels, without padding.

    As the maximum of shifted slices, because the gradient of
    `jax.lax.reduce_window` is some twenty times slower on a CPU. Where pixels
    tie they share the gradient.

    Args:
      x: [n, height, width, channels].
      window: height and width of the window.
      stride: distance between windows.
      ceiling: whether a last window that reaches past the border counts, as
        in Caffe.

    Returns:
      [n, (height - window) // stride + 1, likewise, channels], or with the
      division rounded up.
    """
    if ceiling:
        over = [(0, max(0, -(n - window) % stride)) for n in x.shape[1:3]]
        x = jnp.pad(x, ((0, 0), *over, (0, 0)), constant_values=-jnp.inf)
    return functools.reduce(jnp.maximum, _shifted(x, window, stride))


def average_pool(x: jax.Array, window: int, stride: int) -> jax.Array:
    """Takes the mean over window x window pixels; see `max_pool`."""
    return sum(_shifted(x, window, stride)) / window**2


POOLS = {'max': max_pool, 'average': average_pool}


def _shifted(x: jax.Array, window: int, stride: int) -> list[jax.Array]:
    # One past the last pixel that is the first of a window.
    height, width = (
        max(0, (n - window) // stride * stride + 1) for n in x.shape[1:3]
    )
    return [
        x[:, i : i + height : stride, j : j + width : stride]
        for i in range(window)
        for j in range(window)
    ]


def run(
    steps: Iterable[Step], images: jax.Array, taps: Iterable[str]
) -> dict[str, jax.Array]:
    """Applies steps in a row until the deepest tap is reached.

    Args:
      steps: (tap, function) in order; unnamed steps (tap '') cannot be taken.
      images: [n, height, width, 3] floating point.
      taps: names of the outputs wanted.

    Returns:
      {tap: output}.

    Raises:
      InputError: a tap is unknown.
      ValueError: the images are not floating-point RGB, or too small to reach
        the tap.
    """
    steps, taps = tuple(steps), tuple(taps)
    for tap in taps:
        check_known('tap', tap, [name for name, _ in steps if name])
    if images.ndim != 4 or images.shape[-1] != 3:
        raise ValueError(
            f'The images have shape {images.shape}; they must be [n, height, '
            'width, 3].'
        )
    if not jnp.issubdtype(images.dtype, jnp.floating):
        raise ValueError(
            f'The images are {images.dtype}; they must be floating point, 0 '
            'to 1.'
        )
    outputs, x = {}, images
    for name, function in steps:
        if outputs.keys() == set(taps):
            break
        x = function(x)
        if 0 in x.shape[1:]:
            raise ValueError(
                f'Images of {images.shape[1]} x {images.shape[2]} px are too '
                f'small: nothing is left of them at {name}.'
            )
        if name in taps:
            outputs[name] = x
    return outputs

"""What the frozen backbones share: convolution, pooling, dense layers, taps.

A network is a row of steps, (tap, function); a step without a name cannot be
tapped. Everything computes in the type of the kernels.
"""

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from brainjax.errors import check_known
from brainjax.networks.backbones import winograd

Params = dict[str, dict[str, jax.Array]]
Shapes = dict[str, dict[str, tuple[int, ...]]]
Step = tuple[str, Callable[[jax.Array], jax.Array]]

# What published weights expect of a picture in 0..1, RGB: mean and standard
# deviation, by which it is centred and scaled.
STATISTICS = {
    # Of ImageNet's pixels, as torchvision has them.
    'torchvision': ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    # Of OpenAI's training pictures.
    'clip': (
        (0.48145466, 0.4578275, 0.40821073),
        (0.26862954, 0.26130258, 0.27577711),
    ),
    # Torchvision's Inception undoes the first of these and sees -1 to 1.
    'inception': ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}
# Mean pixel of ImageNet in 0..255, RGB: of Caffe's ilsvrc_2012_mean.npy.
CAFFE_MEAN = (122.67891434, 116.66876762, 104.00698793)


def normalise(images: jax.Array, name: str = 'torchvision') -> jax.Array:
    """Takes images [..., 3] in 0..1 to zero mean, unit standard deviation."""
    mean, deviation = STATISTICS[name]
    return (images - np.float32(mean)) / np.float32(deviation)


def subtract_mean(images: jax.Array) -> jax.Array:
    """Takes RGB [..., 3] in 0..1 to BGR in 0..255 minus ImageNet's mean."""
    return (255 * images - np.float32(CAFFE_MEAN))[..., ::-1]


def standardise_depth(depth: jax.Array) -> jax.Array:
    """Takes depth maps [n, height, width, 1] to mean 0 and deviation 1 each.

    (d - mean) / max(std, 0.1) of each map, std with n - 1: a flat map stays
    nearly so (Gaziv and Irani 2021).
    """
    mean = depth.mean(axis=(1, 2), keepdims=True)
    deviation = jnp.std(depth, axis=(1, 2), keepdims=True, ddof=1)
    return (depth - mean) / jnp.maximum(deviation, 0.1)


def normalise_rgbd(images: jax.Array) -> jax.Array:
    """Takes pictures [n, height, width, 4], the last channel depth, in 0..1."""
    return jnp.concatenate(
        [normalise(images[..., :3]), standardise_depth(images[..., 3:])], -1
    )


# It belongs to the weights, whose file says its name.
PREPROCESSING = {
    **{name: functools.partial(normalise, name=name) for name in STATISTICS},
    'caffe': subtract_mean,
    'none': lambda images: images,
    'rgbd': normalise_rgbd,
    'depth': standardise_depth,
}
CHANNELS = {'rgbd': 4, 'depth': 1}  # That they take; all others take 3.
# What those take to zero: the mean pixel, RGB in 0..255.
MEAN_PIXEL = {
    **{
        name: tuple(255 * x for x in mean)
        for name, (mean, _) in STATISTICS.items()
    },
    'caffe': CAFFE_MEAN,
    'none': (0.0, 0.0, 0.0),
}


def preprocess(name: str) -> Step:
    """Returns the step that weights with this preprocessing begin with."""
    check_known('preprocessing', name, PREPROCESSING)
    return '', PREPROCESSING[name]


@functools.partial(jax.jit, static_argnums=1)
def _he_normal(key, shapes):
    sizes = [math.prod(shape) for _, shape in shapes]
    # One draw for all, so that it compiles in a moment.
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


def init(key: jax.Array, shapes: Shapes) -> Params:
    """Draws kernels from N(0, 2 / fan in) (He et al. 2015); biases are zero.

    The first layers do not depend on how many follow.

    Args:
      key: a JAX random key.
      shapes: of the parameters.
    """
    kernels = tuple((name, part['kernel']) for name, part in shapes.items())
    return _he_normal(key, kernels)


def scaled(channels: int, width: float) -> int:
    """Returns channels * width as a multiple of 4, at least 4."""
    return max(4, 4 * round(channels * width / 4))


def with_biases(kernels: Mapping[str, tuple[int, ...]]) -> Shapes:
    """Returns the shapes of layers: a kernel, and a bias for each output."""
    return {
        name: {'kernel': shape, 'bias': shape[-1:]}
        for name, shape in kernels.items()
    }


def stacked(
    layers: Iterable[tuple[str, int, int]], width: float, inputs: int = 3
) -> dict[str, tuple[int, int, int, int]]:
    """Returns layer -> kernel shape of convolutions in a row, from RGB on.

    Args:
      layers: (name, kernel size, output channels) of each in order.
      width: factor of the channels.
      inputs: channels of the pictures.
    """
    result = {}
    for name, size, channels in layers:
        outputs = scaled(channels, width)
        result[name] = (size, size, inputs, outputs)
        inputs = outputs
    return result


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

    With as many groups as channels, each channel is convolved on its own.
    """
    around = padding in ('SAME', ((1, 1), (1, 1)))  # The same for 3 x 3.
    fast = stride == groups == 1 and around
    if fast and 'tiles' in layer:
        y = winograd.convolve(x, layer['tiles'], layer['tiles_back'])
        return y + layer['bias']
    if fast and 'frozen' in layer:
        return winograd.convolve_frozen(x, layer['kernel']) + layer['bias']
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
    `jax.lax.reduce_window` is some twenty times slower on a CPU: it gains 3 to
    21 % of a step (`benchmarks/convolutions.py`). Where pixels tie, the first
    has the gradient, as in PyTorch.

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
        # What is outside never is the maximum.
        x = jnp.pad(x, ((0, 0), *over, (0, 0)), constant_values=-jnp.inf)
    return functools.reduce(_greater, _shifted(x, window, stride))


def _greater(a, b):
    # Not `jnp.maximum`, whose gradient asks which of both equals the maximum: a
    # compiler may compute it twice, rounded otherwise, and then neither does.
    return jnp.where((a >= b) | jnp.isnan(a), a, b)


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
    steps: Iterable[Step],
    images: jax.Array,
    taps: Iterable[str],
    channels: int = 3,
) -> dict[str, jax.Array]:
    """Applies steps in a row until the deepest tap is reached.

    Args:
      steps: (tap, function) in order; unnamed steps (tap '') cannot be taken.
      images: [n, height, width, channels] floating point.
      taps: names of the outputs wanted.
      channels: of the pictures, 3 for RGB.

    Returns:
      {tap: output}.

    Raises:
      ValueError: the images are not floating-point RGB, or too small to reach
        the tap.
    """
    steps, taps = tuple(steps), tuple(taps)
    for tap in taps:
        check_known('tap', tap, [name for name, _ in steps if name])
    if images.ndim != 4 or images.shape[-1] != channels:
        raise ValueError(
            f'The images have shape {images.shape}; they must be [n, height, '
            f'width, {channels}].'
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

"""Generators of pictures from features (Dosovitskiy & Brox 2016).

Frozen networks that turn one layer's activations of CaffeNet back into a
picture. Shen et al. (2019) search the input of 'relu7' for the picture whose
features are wanted; with decoded features as the input one pass makes a
picture without a search:

    params = weights.read('generator_relu7.safetensors')[0]
    images = generator.apply(params, 'relu7', codes)

In 'relu7', 'relu6' and 'pool5' even layers called conv are transposed
convolutions; in the others only some are. The sizes of 'relu4', 'relu3',
'norm2' and 'norm1' are those of their PyTorch versions; no published weights
have been run through these four here.
"""

import functools
import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from brainjax.errors import check_known
from brainjax.networks.backbones import feedforward

SLOPE = 0.3  # of the leaky ReLU


class Layer(NamedTuple):
    """One layer.

    Attributes:
      kind: 'dense', 'transposed' or 'convolution'.
      inputs, outputs: channels, or units.
      size, stride, padding: of the kernel.
      activation: 'leaky', 'tanh' (times 255) or ''.
    """

    kind: str
    inputs: int
    outputs: int
    size: int = 0
    stride: int = 1
    padding: int = 0
    activation: str = 'leaky'


def _double(inputs: int, outputs: int, activation: str = 'leaky') -> Layer:
    return Layer('transposed', inputs, outputs, 4, 2, 1, activation)


def _transposed(inputs: int, outputs: int) -> Layer:
    return Layer('transposed', inputs, outputs, 3, 1, 1)


def _plain(
    inputs: int,
    outputs: int,
    size: int = 3,
    stride: int = 1,
    padding: int = 1,
    activation: str = 'leaky',
) -> Layer:
    return Layer(
        'convolution', inputs, outputs, size, stride, padding, activation
    )


def _tail(inputs: int) -> dict[str, Layer]:
    """From a map of 4 x 4 to a picture of 256 x 256 px."""
    return {
        'deconv5': _double(inputs, 256),
        'conv5_1': _transposed(256, 512),
        'deconv4': _double(512, 256),
        'conv4_1': _transposed(256, 256),
        'deconv3': _double(256, 128),
        'conv3_1': _transposed(128, 128),
        'deconv2': _double(128, 64),
        'deconv1': _double(64, 32),
        'deconv0': _double(32, 3, activation=''),
    }


_DENSE = {
    name: Layer('dense', 4096, 4096) for name in ('defc7', 'defc6', 'defc5')
} | _tail(256)
_POOL5 = {
    'Rconv6': _plain(256, 512),
    'Rconv7': _plain(512, 512),
    'Rconv8': _plain(512, 512, padding=0),
} | _tail(512)
_RELU = {
    'Rconv6': _plain(384, 384, padding=0),
    'Rconv7': _plain(384, 512, padding=0),
    'Rconv8': _plain(512, 512, size=2, padding=0),
    'deconv5': _double(512, 256),
    'conv5_1': _transposed(256, 256),
    'deconv4': _double(256, 128),
    'conv4_1': _transposed(128, 128),
    'deconv3': _double(128, 128),
    'conv3_1': _transposed(128, 128),
    'deconv2': _double(128, 64),
    'conv2_1': _plain(64, 32),
    'deconv1': _double(32, 16),
    'conv1_1': _plain(16, 3, activation='tanh'),
}
_NORM = {
    'Rconv8': _plain(128, 128),
    'deconv4': _double(128, 128),
    'conv4_1': _plain(128, 128),
    'deconv3': _double(128, 64),
    'conv3_1': _plain(64, 64),
    'deconv2': _double(64, 32),
    'conv2_1': _plain(32, 32),
    'deconv1': _double(32, 16, activation=''),
    'conv1_1': _plain(16, 3, activation='tanh'),
}
GENERATORS = {
    'relu7': _DENSE,
    'relu6': _DENSE,
    'pool5': _POOL5,
    'relu4': _RELU,
    'relu3': _RELU,
    'norm2': {
        'Rconv6': _plain(256, 256, padding=2),
        'Rconv7': _plain(256, 128),
    }
    | _NORM,
    'norm1': {
        'Rconv6': _plain(96, 128, stride=2, padding=2),
        'Rconv7': _plain(128, 128),
    }
    | _NORM,
}
# Of one code, in the field's order: units, or channels, height and width.
CODES = {
    'relu7': (4096,),
    'relu6': (4096,),
    'pool5': (256, 6, 6),
    'relu4': (384, 13, 13),
    'relu3': (384, 13, 13),
    'norm2': (256, 13, 13),
    'norm1': (96, 27, 27),
}


def layers(name: str, width: float = 1.0) -> dict[str, Layer]:
    """Returns a generator's layers in order.

    Args:
      name: one of GENERATORS.
      width: factor of all channels but the three of the picture, rounded to
        a multiple of 4; the units of 'relu7' and 'relu6' are 16 times the
        channels of the map that they become.
    """
    check_known('generator', name, GENERATORS)

    def narrower(layer, size):
        if layer.kind == 'dense':
            return 16 * feedforward.scaled(size // 16, width)
        return size if size == 3 else feedforward.scaled(size, width)

    return {
        key: layer._replace(
            inputs=narrower(layer, layer.inputs),
            outputs=narrower(layer, layer.outputs),
        )
        for key, layer in GENERATORS[name].items()
    }


def shapes(name: str, width: float = 1.0) -> feedforward.Shapes:
    """Returns the shapes of the parameters; kernels are [in, out] or HWIO."""
    return feedforward.with_biases(
        {
            key: (layer.inputs, layer.outputs)
            if layer.kind == 'dense'
            else (layer.size, layer.size, layer.inputs, layer.outputs)
            for key, layer in layers(name, width).items()
        }
    )


def init(key: jax.Array, name: str, width: float = 1.0) -> feedforward.Params:
    """Draws random parameters of `shapes`."""
    return feedforward.init(key, shapes(name, width))


def code_shape(
    name: str, params: feedforward.Params | None = None
) -> tuple[int, ...]:
    """Returns the shape of one code: [units] or [height, width, channels].

    Args:
      name: one of GENERATORS.
      params: the weights, if they may be narrower than the published ones.
    """
    check_known('generator', name, GENERATORS)
    first = CODES[name][0]
    if params is not None:
        first = params[next(iter(GENERATORS[name]))]['kernel'].shape[-2]
    return (*CODES[name][1:], int(first))


def transposed_convolution(
    x: jax.Array, layer: Mapping[str, jax.Array], stride: int, padding: int
) -> jax.Array:
    """Convolves [n, H, W, I], spread apart by the stride, with an HWIO kernel.

    y = sum over inputs of the kernel placed at stride * input - padding. The
    kernel is a published one, [in, out, h, w], turned around in space
    (`converters.from_generator`), so that it slides as in a convolution.

    Returns:
      [n, stride (H - 1) + size - 2 padding, likewise, O].
    """
    size = layer['kernel'].shape[0]
    y = jax.lax.conv_general_dilated(
        x.astype(layer['kernel'].dtype),
        layer['kernel'],
        (1, 1),
        [(size - 1 - padding,) * 2] * 2,
        lhs_dilation=(stride, stride),
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    )
    return y + layer['bias']


_ACTIVATIONS = {
    'leaky': functools.partial(jax.nn.leaky_relu, negative_slope=SLOPE),
    'tanh': lambda x: 255 * jnp.tanh(x),
    '': lambda x: x,
}


def apply(params: feedforward.Params, name: str, codes: jax.Array) -> jax.Array:
    """Generates pictures.

    Args:
      params: from `init` or `weights.read`.
      name: one of GENERATORS.
      codes: [n, units], or [n, height, width, channels].

    Returns:
      [n, 256, 256, 3] ('norm2' and 'norm1': 240 x 240), RGB in 0..255 minus
      ImageNet's mean, `feedforward.CAFFE_MEAN`; neither is bound to that range.

    Raises:
      ValueError: the codes have another shape.
    """
    expected = code_shape(name, params)
    if codes.shape[1:] != expected:
        raise ValueError(
            f'The codes have shape {codes.shape}; the generator {name} takes '
            f'[n, {", ".join(map(str, expected))}].'
        )
    x = codes
    for key, layer in GENERATORS[name].items():
        if layer.kind == 'dense':
            x = feedforward.dense(x, params[key], key)
        else:
            x = _unflatten(x)
            padding = (layer.padding,) * 2
            if layer.kind == 'transposed':
                x = transposed_convolution(
                    x, params[key], layer.stride, layer.padding
                )
            else:
                x = feedforward.convolve(
                    x, params[key], layer.stride, (padding, padding)
                )
        x = _ACTIVATIONS[layer.activation](x)
    return x[..., ::-1]  # The networks make BGR.


def _unflatten(x: jax.Array) -> jax.Array:
    """Turns units [n, C * 4 * 4], in that order, into maps [n, 4, 4, C]."""
    if x.ndim == 4:
        return x
    side = 4
    channels = math.prod(x.shape[1:]) // side**2
    return x.reshape(len(x), channels, side, side).transpose(0, 2, 3, 1)

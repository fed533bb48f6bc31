"""Layers that JAX's own libraries compute differently from the papers."""

import functools
from collections.abc import Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from brainjax.errors import InputError, check_known

# Batches of this many numbers and more have the gradient of a convolution's
# kernel taken by matrix products on a CPU; below it XLA's own way is as fast.
_LARGE = 2**22


@functools.lru_cache
def _upsampling_matrix(n: int, method: str) -> np.ndarray:
    """Returns [2n, n]: one axis doubled, half-pixel centres, clamped edges."""
    taps = {
        # Keys' cubic with A = -0.75 at distances 1.75, 0.75, 0.25 and 1.25.
        'bicubic': (-0.03515625, 0.26171875, 0.87890625, -0.10546875),
        'bilinear': (0.0, 0.25, 0.75, 0.0),
        'nearest': (0.0, 0.0, 1.0, 0.0),
    }[method]
    matrix = np.zeros((2 * n, n), np.float32)
    for i in range(n):
        for offset, tap in zip((-2, -1, 0, 1), taps):
            matrix[2 * i, min(max(i + offset, 0), n - 1)] += tap
            matrix[2 * i + 1, min(max(i - offset, 0), n - 1)] += tap
    return matrix


def upsample(x: jax.Array, method: str = 'bicubic') -> jax.Array:
    """Doubles height and width.

    Bicubic is PyTorch's (A = -0.75, half-pixel centres, clamped edges), which
    differs from `jax.image.resize` (A = -0.5).

    Args:
      x: [n, height, width, channels].
      method: 'bicubic', 'bilinear' (half-pixel centres) or 'nearest'.

    Returns:
      [n, 2 height, 2 width, channels].
    """
    check_known('upsampling', method, ('bicubic', 'bilinear', 'nearest'))
    if method == 'nearest':
        return x.repeat(2, axis=1).repeat(2, axis=2)
    rows = _upsampling_matrix(x.shape[1], method).astype(x.dtype)
    columns = _upsampling_matrix(x.shape[2], method).astype(x.dtype)
    x = jnp.einsum('oh,nhwc->nowc', rows, x)
    return jnp.einsum('ow,nhwc->nhoc', columns, x)


def pad(x: jax.Array, amount: int, mode: str = 'reflect') -> jax.Array:
    """Pads height and width of [n, height, width, channels] on both sides.

    Args:
      x: pictures or feature maps.
      amount: pixels on each side.
      mode: 'reflect' (the edge pixel is not repeated), 'edge' or 'zero'.
    """
    check_known('padding', mode, ('reflect', 'edge', 'zero'))
    widths = ((0, 0), (amount, amount), (amount, amount), (0, 0))
    return jnp.pad(x, widths, mode='constant' if mode == 'zero' else mode)


@jax.custom_vjp
def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Cross-correlates without padding, quickly on a CPU too.

    Args:
      x: [n, height, width, inputs].
      kernel: [k, k, inputs, outputs].

    Returns:
      [n, height - k + 1, width - k + 1, outputs].
    """
    return _convolve(x, kernel)


def _convolve(x, kernel):
    # Without any padding XLA takes another path on a CPU, 3 to 5 times slower
    # forward and twice as slow in the kernel's gradient. So pad one row and
    # one column, and crop them from the result: a step of configs/demo.py takes
    # 1.8 times as long without (benchmarks/convolutions.py).
    rows, columns = (n - kernel.shape[0] + 1 for n in x.shape[1:3])
    y = jax.lax.conv_general_dilated(
        x,
        kernel,
        (1, 1),
        ((0, 1), (0, 1)),
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    )
    return y[:, :rows, :columns]


def _convolve_backward(saved, gradient):
    x, kernel = saved
    (to_input,) = jax.vjp(lambda x: _convolve(x, kernel), x)[1](gradient)

    def usual(x, gradient):
        return jax.vjp(lambda k: _convolve(x, k), kernel)[1](gradient)[0]

    if x.size < _LARGE:
        return to_input, usual(x, gradient)
    to_kernel = jax.lax.platform_dependent(
        x,
        gradient,
        cpu=lambda x, g: _kernel_gradient(x, g, kernel.shape),
        default=usual,
    )
    return to_input, to_kernel


convolve.defvjp(
    lambda x, kernel: (_convolve(x, kernel), (x, kernel)), _convolve_backward
)


def _kernel_gradient(x, gradient, shape):
    """The kernel's gradient as one matrix product a few pictures.

    Columns of x shifted by each offset across, times the gradient shifted by
    each offset down, holds every offset's gradient once.
    """
    k, _, inputs, outputs = shape
    width = gradient.shape[2]
    few = next(m for m in (4, 3, 2, 1) if len(x) % m == 0)

    def add(total, chunk):
        x, g = chunk
        across = jnp.concatenate(
            [x[:, :, j : j + width] for j in range(k)], axis=-1
        )
        pads = [((0, 0), (i, k - 1 - i), (0, 0), (0, 0)) for i in range(k)]
        down = jnp.concatenate([jnp.pad(g, p) for p in pads], axis=-1)
        product = jax.lax.dot_general(
            across.reshape(-1, k * inputs),
            down.reshape(-1, k * outputs),
            (((0,), (0,)), ((), ())),
        )
        return total + product, None

    chunks = jax.tree.map(
        lambda a: a.reshape(len(a) // few, few, *a.shape[1:]), (x, gradient)
    )
    zero = jnp.zeros((k * inputs, k * outputs), x.dtype)
    total, _ = jax.lax.scan(add, zero, chunks)
    return total.reshape(k, inputs, k, outputs).transpose(2, 0, 1, 3)


def _halve(x, kernel):
    return jax.lax.conv_general_dilated(
        x, kernel, (2, 2), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC')
    )


@jax.custom_vjp
def transposed_convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Doubles height and width: the adjoint of a SAME convolution of stride 2.

    It equals TensorFlow's `conv2d_transpose`, and JAX's `conv_transpose` with
    `transpose_kernel=True`, whose gradient of the kernel takes 20 times as
    long on a CPU. Here that is the gradient of the halving convolution, with
    the input and the output in each other's place; a step of the VAE-GAN takes
    3 times as long without (`benchmarks/convolutions.py`).

    Args:
      x: [n, height, width, inputs].
      kernel: [k, k, outputs, inputs].

    Returns:
      [n, 2 height, 2 width, outputs].
    """
    n, height, width, _ = x.shape
    larger = jax.ShapeDtypeStruct(
        (n, 2 * height, 2 * width, kernel.shape[2]), x.dtype
    )
    (y,) = jax.linear_transpose(lambda y: _halve(y, kernel), larger)(x)
    return y


def _transposed_backward(saved, gradient):
    x, kernel = saved
    to_input, pull = jax.vjp(lambda k: _halve(gradient, k), kernel)
    return to_input, pull(x)[0]


transposed_convolve.defvjp(
    lambda x, kernel: (transposed_convolve(x, kernel), (x, kernel)),
    _transposed_backward,
)


def patches(x: jax.Array, width: int = 3) -> jax.Array:
    """Collects each place's neighbourhood, without padding.

    Args:
      x: [n, height, width, channels].
      width: of the neighbourhood, in pixels.

    Returns:
      [n, height - width + 1, ..., channels * width**2]; channels vary
      slowest, then rows, then columns.
    """
    rows, columns = (n - width + 1 for n in x.shape[1:3])
    shifted = [
        x[:, i : i + rows, j : j + columns]
        for i in range(width)
        for j in range(width)
    ]
    return jnp.stack(shifted, axis=-1).reshape(len(x), rows, columns, -1)


def dropout(keys: jax.Array, x: jax.Array, rate: float) -> jax.Array:
    """Drops elements with a mask of its own for each example.

    One key an example makes the mask independent of how a batch is spread
    over devices. The rate is rounded to a multiple of 1/256: a mask then takes
    at most 8 random bits an element, and one bit for a rate of 1/2.

    Args:
      keys: [n] typed keys.
      x: [n, ...].
      rate: probability of zero.
    """
    threshold = round(rate * 256)
    if not 0 <= threshold < 256:
        raise InputError(
            f'A dropout of {rate} leaves nothing; choose one from 0 to .997.'
        )
    if threshold == 0:
        return x
    kept = jax.vmap(lambda key: _bernoulli(key, x.shape[1:], 256 - threshold))
    return jnp.where(kept(keys), x / (1 - threshold / 256), 0)


def _bernoulli(key: jax.Array, shape: tuple[int, ...], n: int) -> jax.Array:
    """Draws True with probability n / 256 from as few random bits as can be.

    From the last binary digit of the probability to the first, p becomes
    (p + 1) / 2 by OR with a fair bit where the digit is 1, p / 2 by AND where
    it is 0.
    """
    size = int(np.prod(shape))
    digits = f'{n:08b}'.rstrip('0')
    words = jax.random.bits(key, (len(digits), -(-size // 32)), jnp.uint32)
    drawn = jnp.zeros_like(words[0])
    for digit, fair in zip(reversed(digits), words):
        drawn = drawn | fair if digit == '1' else drawn & fair
    place = jnp.arange(32, dtype=jnp.uint32)
    bits = (drawn[:, None] >> place) & 1
    return bits.reshape(-1)[:size].reshape(shape).astype(bool)


def random_shift(keys: jax.Array, images: jax.Array, amount: int) -> jax.Array:
    """Shifts each picture by up to `amount` pixels, repeating its edge.

    Args:
      keys: [n] typed keys.
      images: [n, height, width, channels].
      amount: greatest shift in pixels, in either direction.
    """
    if amount == 0:
        return images

    def one(key, padded):
        start = jax.random.randint(key, (2,), 0, 2 * amount + 1)
        return jax.lax.dynamic_slice(
            padded, (start[0], start[1], 0), images.shape[1:]
        )

    return jax.vmap(one)(keys, pad(images, amount, 'edge'))


class Window(NamedTuple):
    """How a convolution or pool samples an axis.

    Attributes:
      size: of its kernel.
      stride: between windows.
      before: the padding in front of the first unit.
    """

    size: int
    stride: int
    before: int = 0


def unit_centres(windows: Iterable[Window], n: int) -> np.ndarray:
    """Where along an axis units look through a row of layers.

    The middle of a unit's window, whatever padding may hide of it. A stride
    s after a padding of (size - 1) / 2 puts unit j in the middle of pixel s
    j, not of the s pixels from there on, as (j + 1/2) s would have it.

    Args:
      windows: of the layers, from the picture on; those that keep every place
        (stride 1, padded by half of their kernel) may be left out.
      n: units along the axis.

    Returns:
      [n] float64 in pixels, the middle of the first pixel at 1/2.
    """
    first, spacing = 0.5, 1
    for window in windows:
        first += spacing * ((window.size - 1) / 2 - window.before)
        spacing *= window.stride
    return first + spacing * np.arange(n)

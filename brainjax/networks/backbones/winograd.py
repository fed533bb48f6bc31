"""3x3 convolution with fewer multiplications, for a processor's cores.

Winograd's F(4x4, 3x3) (Lavin & Gray 2016) makes 16 outputs of a tile from 36
products where the sum over the kernel takes 144. Kernels have no gradient here:
it suits networks that are not trained,

    features = vgg.apply(winograd.prepare(params), images, taps)

where few pictures pass many times (an iteration of an inversion, VGG19 at 224
px, takes a fifth of the time), and

    features = vgg.apply(winograd.freeze(params), images, taps)

where many pass at once, as in a train step: kernels are transformed in the
step, which costs little beside a batch and holds no memory between steps.
`benchmarks/convolutions.py` tells what both gain. Results differ from the plain
convolution by some 1e-5 of the largest.
"""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

_TILE, _WINDOW = 4, 6
# Of the picture, the kernel and the products: evaluation and interpolation at
# the points 0, 1, -1, 2, -2 and infinity.
_PICTURE = np.float32(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
_KERNEL = np.float64(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)
_PRODUCTS = np.float32(
    [
        [1, 1, 1, 1, 1, 0],
        [0, 1, -1, 2, -2, 0],
        [0, 1, 1, 4, 4, 0],
        [0, 1, -1, 8, -8, 1],
    ]
)
# With fewer channels the transforms cost more than they save.
FEWEST_CHANNELS = 64
# In one product; more would not be in a processor's caches when needed.
ENOUGH_TILES = 512
# Of one picture in one product; a larger picture is taken in strips.
MOST_TILES = 1024
# Of a batch; with fewer, transforming a kernel costs more than it saves.
ENOUGH_PIXELS = 2048


def prepare(
    params: Mapping[str, Mapping[str, jax.Array]],
    fewest: int = FEWEST_CHANNELS,
) -> dict[str, dict[str, jax.Array]]:
    """Transforms the 3x3 kernels of a network.

    They take 8 times their memory: 4 for `convolve` and 4 for its gradient;
    the kernels are kept for where they are not convolved at stride 1.

    Args:
      params: {layer: {'kernel', 'bias'}}.
      fewest: channels that a convolution must take and make.

    Returns:
      The same, where a transformed layer has 'tiles' [36, in, out] and
      'tiles_back' [36, out, in] too.
    """
    return {
        name: {
            **layer,
            'tiles': jnp.asarray(_tiles(np.asarray(layer['kernel']))),
            'tiles_back': jnp.asarray(_tiles(_turned(layer['kernel']))),
        }
        if _worthwhile(layer, fewest)
        else layer
        for name, layer in params.items()
    }


def freeze(
    params: Mapping[str, Mapping[str, jax.Array]],
    fewest: int = FEWEST_CHANNELS,
) -> dict[str, dict[str, jax.Array | None]]:
    """Marks the 3x3 kernels of a network that is not trained, by 'frozen'.

    On a processor they are convolved by `convolve_frozen`, elsewhere plainly.
    Nothing is computed, and the marks are no leaves.

    Args:
      params: {layer: {'kernel', 'bias'}}; other precisions than float32 and
        other shapes stay as they are.
      fewest: channels that a convolution must take and make.
    """
    return {
        name: {**layer, 'frozen': None}
        if _worthwhile(layer, fewest) and layer['kernel'].dtype == np.float32
        else layer
        for name, layer in params.items()
    }


def _worthwhile(layer, fewest) -> bool:
    kernel = layer.get('kernel')
    return (
        kernel is not None
        and kernel.ndim == 4
        and kernel.shape[:2] == (3, 3)
        and min(kernel.shape[2:]) >= fewest
    )


def _turned(kernel):
    """The kernel of the gradient: turned around, of outputs to inputs."""
    return kernel[::-1, ::-1].transpose(0, 1, 3, 2)


def _tiles(kernel):
    """Transforms [3, 3, in, out] to [36, in, out]; columns come first."""
    both = np.einsum('ax,by->abxy', _KERNEL, _KERNEL).astype(np.float32)
    columns = kernel.transpose(1, 0, 2, 3).reshape(9, -1)
    tiles = both.reshape(_WINDOW**2, 9) @ columns
    return tiles.reshape(_WINDOW**2, *kernel.shape[2:])


@jax.custom_vjp
def convolve(
    x: jax.Array, tiles: jax.Array, tiles_back: jax.Array
) -> jax.Array:
    """Cross-correlates x with a 3x3 kernel, padded to x's size.

    Only x has a gradient: the same convolution by the kernel turned around.

    Args:
      x: [n, height, width, in].
      tiles, tiles_back: from `prepare`.

    Returns:
      [n, height, width, out].
    """
    del tiles_back
    return _convolve(x, tiles)


convolve.defvjp(
    lambda x, tiles, tiles_back: (_convolve(x, tiles), tiles_back),
    lambda tiles_back, gradient: (_convolve(gradient, tiles_back), None, None),
)


@jax.custom_vjp
def convolve_frozen(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Cross-correlates x with a 3x3 kernel as it is, padded to x's size.

    Only x has a gradient. On a GPU or TPU it is the plain convolution.

    Args:
      x: [n, height, width, in].
      kernel: [3, 3, in, out].

    Returns:
      [n, height, width, out].
    """
    if np.prod(x.shape[:3]) < ENOUGH_PIXELS:
        return _plain(x, kernel)
    return jax.lax.platform_dependent(
        x,
        kernel,
        cpu=lambda x, kernel: _convolve(x, _tiles(kernel)),
        default=_plain,
    )


convolve_frozen.defvjp(
    lambda x, kernel: (convolve_frozen(x, kernel), kernel),
    lambda kernel, gradient: (
        convolve_frozen(gradient, _turned(kernel)),
        None,
    ),
)


def _plain(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        (1, 1),
        'SAME',
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    )


def _convolve(x: jax.Array, tiles: jax.Array) -> jax.Array:
    """Convolves a part at a time, so that caches hold its windows."""
    n, height, width, _ = x.shape
    down, across = -(-height // _TILE), -(-width // _TILE)
    strips = max(1, -(-down * across // MOST_TILES))  # Of a picture.
    rows = -(-down // strips)
    x = jnp.pad(
        x,
        (
            (0, 0),
            (1, strips * rows * _TILE + 1 - height),
            (1, across * _TILE + 1 - width),
            (0, 0),
        ),
    )
    at_once = max(1, ENOUGH_TILES // max(1, down * across))
    if strips > 1:
        y = _by_strips(x, tiles, strips, rows)
    elif n > at_once:
        y = _by_portions(x, tiles, at_once)
    else:
        y = _convolve_padded(x, tiles)
    return y[:, :height, :width]


def _by_strips(x, tiles, strips, rows):
    """Takes each picture's strips of so many rows of tiles one by one."""

    def strip(i):
        place = i // strips, i % strips * rows * _TILE, 0, 0
        size = 1, rows * _TILE + _WINDOW - _TILE, *x.shape[2:]
        return _convolve_padded(jax.lax.dynamic_slice(x, place, size), tiles)[0]

    y = jax.lax.map(strip, jnp.arange(len(x) * strips))
    return y.reshape(len(x), -1, *y.shape[2:])


def _by_portions(x, tiles, most):
    """Takes a few pictures at a time."""
    # Even portions, the last filled up: a rest would be a program of its own.
    portions = -(-len(x) // most)
    together = -(-len(x) // portions)
    missing = portions * together - len(x)
    filled = jnp.pad(x, ((0, missing), (0, 0), (0, 0), (0, 0)))
    y = jax.lax.map(
        lambda x: _convolve_padded(x, tiles),
        filled.reshape(portions, together, *x.shape[1:]),
    )
    return y.reshape(-1, *y.shape[2:])[: len(x)]


def _convolve_padded(x: jax.Array, tiles: jax.Array) -> jax.Array:
    """Convolves [n, 4 down + 2, 4 across + 2, in] without further borders."""
    n, height, width, channels = x.shape
    down, across = height // _TILE, width // _TILE
    # Stacked between the two axes: left apart, XLA would compute each column
    # anew for every row that it is part of.
    columns = jnp.stack(_combine(_PICTURE, _every_fourth(x, 2, across)))
    windows = jnp.stack(_combine(_PICTURE, _every_fourth(columns, 2, down)), 1)
    products = jax.lax.dot_general(
        windows.reshape(_WINDOW**2, -1, channels),
        tiles,
        (((2,), (1,)), ((0,), (0,))),
    )
    outputs = tiles.shape[-1]
    products = products.reshape(_WINDOW, _WINDOW, n, down, across, outputs)
    columns = jnp.stack(_combine(_PRODUCTS, list(products)), 4)
    y = jnp.stack(_combine(_PRODUCTS, list(columns)), 2)
    return y.reshape(n, down * _TILE, across * _TILE, outputs)


def _every_fourth(x: jax.Array, axis: int, count: int) -> list[jax.Array]:
    """Returns the six pixels of each window, as six arrays of `count`."""
    return [
        jax.lax.slice_in_dim(
            x, i, i + _TILE * (count - 1) + 1, stride=_TILE, axis=axis
        )
        for i in range(_WINDOW)
    ]


def _combine(matrix: np.ndarray, parts: Sequence[jax.Array]) -> list[jax.Array]:
    """Multiplies a small matrix with a row of arrays, skipping its zeros."""
    return [
        sum(
            part if factor == 1 else factor * part
            for factor, part in zip(row.tolist(), parts)
            if factor
        )
        for row in matrix
    ]

"""3x3 convolution with fewer multiplications, for a processor's cores.

Winograd's F(4x4, 3x3) (Lavin & Gray 2016) makes 16 outputs of a tile from 36
products where the sum over the kernel takes 144. The kernels are transformed
once, so that it suits networks that are not trained:

    params = winograd.prepare(params)
    features = vgg.apply(params, images, taps)

An iteration of an inversion (VGG19, 224 px) takes a fifth of the time, see
`benchmarks/convolutions.py`. Results differ from the plain convolution by some
1e-5 of the largest.
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

    def worthwhile(layer):
        kernel = layer.get('kernel')
        return (
            kernel is not None
            and kernel.ndim == 4
            and kernel.shape[:2] == (3, 3)
            and min(kernel.shape[2:]) >= fewest
        )

    return {
        name: {
            **layer,
            'tiles': _tiles(layer['kernel']),
            'tiles_back': _tiles(
                np.asarray(layer['kernel'])[::-1, ::-1].transpose(0, 1, 3, 2)
            ),
        }
        if worthwhile(layer)
        else layer
        for name, layer in params.items()
    }


def _tiles(kernel: jax.Array) -> jax.Array:
    """Transforms [3, 3, in, out] to [36, in, out]; columns come first."""
    kernel = np.asarray(kernel)
    half = np.tensordot(_KERNEL.astype(np.float32), kernel, (1, 1))
    tiles = np.tensordot(half, _KERNEL.astype(np.float32), (1, 1))
    return jnp.asarray(
        np.moveaxis(tiles, -1, 1).reshape(_WINDOW**2, *kernel.shape[2:])
    )


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


def _convolve(x: jax.Array, tiles: jax.Array) -> jax.Array:
    """Convolves a few pictures at a time, so that caches hold the windows."""
    down, across = (-(-n // _TILE) for n in x.shape[1:3])
    together = max(1, ENOUGH_TILES // (down * across))
    if len(x) <= together:
        return _convolve_all(x, tiles)
    return jax.lax.map(
        lambda picture: _convolve_all(picture[None], tiles)[0],
        x,
        batch_size=together if together > 1 else None,
    )


def _convolve_all(x: jax.Array, tiles: jax.Array) -> jax.Array:
    n, height, width, channels = x.shape
    down, across = -(-height // _TILE), -(-width // _TILE)
    x = jnp.pad(
        x,
        (
            (0, 0),
            (1, down * _TILE + 1 - height),
            (1, across * _TILE + 1 - width),
            (0, 0),
        ),
    )
    columns = _combine(_PICTURE, _every_fourth(x, 2, across))
    windows = jnp.stack(
        [
            part
            for column in columns
            for part in _combine(_PICTURE, _every_fourth(column, 1, down))
        ]
    )
    products = jax.lax.dot_general(
        windows.reshape(_WINDOW**2, -1, channels),
        tiles,
        (((2,), (1,)), ((0,), (0,))),
    )
    outputs = tiles.shape[-1]
    products = products.reshape(_WINDOW, _WINDOW, n, down, across, outputs)
    columns = _combine(_PRODUCTS, list(products))
    y = jnp.stack(
        [jnp.stack(_combine(_PRODUCTS, list(column)), 2) for column in columns],
        4,
    )
    y = y.reshape(n, down * _TILE, across * _TILE, outputs)
    return y[:, :height, :width]


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

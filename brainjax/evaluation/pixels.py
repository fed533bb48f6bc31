"""How alike two pictures are, pixel by pixel.

All functions compare picture i of `target` with picture i (or every picture)
of `reconstruction`, both [n, height, width, 3], floating point in 0..1 or
uint8, and compute in float64 on the host.
"""

import hashlib
from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np

from brainjax.errors import InputError
from brainjax.linear import correlation
from brainjax.pictures.operations import unit_range


def check_pictures(target: np.ndarray, reconstruction: np.ndarray) -> None:
    """Checks that two sets of pictures can be compared pair by pair."""
    for what, images in (
        ('the pictures that were seen', target),
        ('the reconstructions', reconstruction),
    ):
        if images.ndim != 4 or images.shape[-1] != 3 or 0 in images.shape:
            raise InputError(
                f'{what} have shape {images.shape}; give at least one picture '
                'as [n, height, width, 3].'
            )
        if images.dtype == np.uint8:
            continue
        if not np.issubdtype(images.dtype, np.floating):
            raise InputError(
                f'{what} are {images.dtype}; give floating point in 0..1 or '
                'uint8.'
            )
        low = images.min(axis=(1, 2, 3))
        high = images.max(axis=(1, 2, 3))
        # Written so that NaN, which compares false, counts as out of range.
        wrong = np.flatnonzero(~((low >= -1e-3) & (high <= 1 + 1e-3)))
        if len(wrong):
            raise InputError(
                f'{what} must lie in 0..1, but number {wrong[0]} runs from '
                f'{low[wrong[0]]:g} to {high[wrong[0]]:g}; rescale or clip '
                'them.'
            )
    if target.shape != reconstruction.shape:
        raise InputError(
            f'the pictures that were seen have shape {target.shape} and the '
            f'reconstructions {reconstruction.shape}; give one reconstruction '
            'a picture, of the same size.'
        )


def is_constant(images: np.ndarray) -> np.ndarray:
    """Returns [n] bool: whether all values of a picture are the same."""
    axes = tuple(range(1, images.ndim))
    return images.max(axis=axes) == images.min(axis=axes)


def distinct(images: Iterable[np.ndarray]) -> np.ndarray:
    """Tells which pictures are the same, byte by byte.

    Args:
      images: [height, width, 3] each; sizes may differ.

    Returns:
      [n] int, counted from 0 in the order of their first appearance.
    """
    known = {}
    digests = (
        hashlib.sha256(f'{x.shape} {x.dtype}'.encode() + x.tobytes()).digest()
        for x in images
    )
    return np.array([known.setdefault(each, len(known)) for each in digests])


def pixel_correlation(
    target: np.ndarray, reconstruction: np.ndarray
) -> np.ndarray:
    """PixCorr: Pearson correlation over all pixels and colour channels.

    It ignores each picture's brightness and contrast. Where a picture is
    constant the correlation is undefined; the score is then 0, what a picture
    without information is worth (published scripts give NaN).

    Returns:
      [n] float64, -1 to 1.
    """
    check_pictures(target, reconstruction)
    # Picture by picture, as float64 of all would need eight times the memory.
    pairs = zip(target, reconstruction)
    return np.array(
        [
            correlation.patterns(
                *(unit_range(image).ravel() for image in pair), constant=0.0
            )
            for pair in pairs
        ]
    )


def correlations(target: np.ndarray, reconstruction: np.ndarray) -> np.ndarray:
    """`pixel_correlation` of all pairs, but NaN where a picture is constant.

    Returns:
      [n, n] float64, rows targets and columns reconstructions.
    """
    n = len(target)
    # Not brought to 0..1 first: a correlation knows no scale.
    return correlation.all_pairs(
        target.reshape(n, -1), reconstruction.reshape(n, -1), constant=np.nan
    )


def squared_errors(
    target: np.ndarray, reconstruction: np.ndarray
) -> np.ndarray:
    """Mean squared errors of all pairs, of values in 0..1.

    Returns:
      [n, n] float64, rows targets and columns reconstructions.
    """
    x, y = (
        unit_range(images).reshape(len(images), -1)
        for images in (target, reconstruction)
    )
    squares = [np.einsum('np,np->n', rows, rows) for rows in (x, y)]
    error = squares[0][:, None] + squares[1] - 2 * x @ y.T
    return np.round(error / x.shape[1], 12)


def resize(
    images: np.ndarray, size: tuple[int, int], antialias: bool
) -> np.ndarray:
    """Resizes pictures bilinearly, with half-pixel centres.

    Published scores depend on `antialias` when pictures shrink: Pillow always
    smooths first, torchvision's resize of tensors did not before 0.17.

    Args:
      images: [n, height, width, 3] floating point.
      size: new height and width.
      antialias: whether to smooth before shrinking.

    Returns:
      [n, *size, 3] float32.
    """
    shape = (len(images), *size, images.shape[-1])
    small = jax.image.resize(
        jnp.asarray(images, jnp.float32), shape, 'bilinear', antialias
    )
    return np.asarray(small)

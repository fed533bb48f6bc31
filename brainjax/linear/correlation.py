"""Pearson correlation: of columns, of two patterns, of all pairs of rows.

Where one of the two is constant the correlation is undefined. `constant` is
what it is then taken as: 0, what a guess is worth, or NaN, to be left out.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from brainjax.linear import threads
from brainjax.linear.arrays import blocks

TILE = (64, 4096)  # Rows and columns summed at a time.
FEATURES_AT_A_TIME = 8192


def columns(x: np.ndarray, y: np.ndarray, *, constant: float) -> np.ndarray:
    """Correlation over rows of each column, as of voxels over trials.

    Args:
      x, y: [rows, columns].
      constant: see the module.

    Returns:
      [columns] float64.
    """
    a, b = (unit_columns(each) for each in (x, y))
    r = np.sum(a * b, axis=0)
    if constant:
        r[~(a.any(axis=0) & b.any(axis=0))] = constant
    return r


def unit_columns(x: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and length 1, float64; constant ones become 0."""
    largest = np.abs(x).max(axis=0)
    x = x - x.mean(axis=0, dtype=np.float64)
    norm = np.sqrt(np.sum(x**2, axis=0))
    # What rounding leaves of a constant is no variation.
    varies = norm > 1e-12 * np.sqrt(len(x)) * largest
    return np.divide(x, norm, out=np.zeros_like(x), where=varies)


def columns_in_tiles(
    x: np.ndarray, y: np.ndarray, *, constant: float
) -> np.ndarray:
    """As `columns`, of arrays that may be mapped from files.

    Sums are taken over tiles that fit the processor's cache; where means are
    large, of differences from the first row, so that they cost no digits.
    Beyond the result, the memory is that of a tile a thread.
    """
    width = min(TILE[1], -(-x.shape[1] // threads.available()))
    return np.concatenate(
        threads.spread(
            lambda part: _tile_columns(x[:, part], y[:, part], constant),
            blocks(x.shape[1], max(width, 1)),
        )
    )


def _tile_columns(x: np.ndarray, y: np.ndarray, constant: float) -> np.ndarray:
    sums = _sums_of_columns(x, y, (0.0, 0.0), slice(None))
    # Squares of a mean ten deviations from 0 cost digits: from the first row.
    far = (_spreads(sums, len(x)) < 0.01 * sums[2:4]).any(axis=0)
    if far.any():
        first = (np.float64(each[0, far]) for each in (x, y))
        sums[:, far] = _sums_of_columns(x, y, (*first,), far)
    spread = _spreads(sums, len(x))
    # What rounding leaves of a constant is no variation.
    varies = (spread > 1e-13 * sums[2:4]).all(axis=0)
    x1, y1, _, _, xy = sums
    r = np.divide(
        xy - x1 * y1 / len(x),
        np.sqrt(np.maximum(spread, 0).prod(axis=0)),
        out=np.full(len(xy), constant),
        where=varies,
    )
    return np.clip(r, -1, 1)


def _spreads(sums, n):
    return sums[2:4] - sums[:2] ** 2 / n


def _sums_of_columns(x, y, offsets, which):
    """Sums of x, y, x x, y y and x y over rows, [5, columns] float64."""
    sums = np.zeros((5, len(x[0, which])))
    moved = np.any(offsets[0]) or np.any(offsets[1])
    for start in range(0, len(x), TILE[0]):
        a, b = (
            np.asarray(each[start : start + TILE[0]][:, which], np.float64)
            for each in (x, y)
        )
        if moved:
            a, b = a - offsets[0], b - offsets[1]
        ones = np.ones(len(a))
        # First, as it reads memory at its full speed; the rest is in cache.
        sums[0] += ones @ a
        sums[1] += ones @ b
        for row, pair in zip(sums[2:], ((a, a), (b, b), (a, b))):
            row += np.einsum('pu,pu->u', *pair)
    return sums


def patterns(x: np.ndarray, y: np.ndarray, *, constant: float) -> float:
    """Correlation of two patterns, both [n] float64."""
    # Their ranges, as rounding may leave a constant with a variance.
    if not (np.ptp(x) and np.ptp(y)):
        return constant
    x, y = x - x.mean(), y - y.mean()
    return x @ y / np.sqrt((x @ x) * (y @ y))


def all_pairs(
    x: np.ndarray, y: np.ndarray, *, constant: float, centre: bool = True
) -> np.ndarray:
    """Correlation of every row of x with every row of y.

    In float64, over blocks of features, so that the memory needed beyond the
    features themselves is small.

    Args:
      x: [n, features].
      y: [m, features].
      constant: see the module.
      centre: False for the cosine, which does not subtract the mean over
        features and is undefined for rows of zeros.

    Returns:
      [n, m] float64, rounded to 12 decimals so that equal rows tie.
    """
    product = np.zeros((len(x), len(y)))
    squares = [np.zeros(len(x)), np.zeros(len(y))]
    offsets = [_offset(each, centre) for each in (x, y)]
    for start in range(0, x.shape[1], FEATURES_AT_A_TIME):
        block = slice(start, start + FEATURES_AT_A_TIME)
        a, b = (
            each[:, block] - offset for each, offset in zip((x, y), offsets)
        )
        product += a @ b.T
        squares[0] += (a**2).sum(axis=1)
        squares[1] += (b**2).sum(axis=1)
    norms = np.sqrt(np.outer(*squares))
    r = np.divide(
        product, norms, out=np.full_like(product, constant), where=norms > 0
    )
    r[~_varies(x, centre)] = constant
    r[:, ~_varies(y, centre)] = constant
    return np.clip(np.round(r, 12), -1, 1)


def _offset(rows: np.ndarray, centre: bool) -> np.ndarray:
    mean = rows.mean(axis=1, keepdims=True, dtype=np.float64)
    return mean if centre else np.zeros_like(mean)


def _varies(rows: np.ndarray, centre: bool) -> np.ndarray:
    low, high = rows.min(axis=1), rows.max(axis=1)
    return low < high if centre else (low != 0) | (high != 0)


class _Sums(NamedTuple):
    features: int
    x: np.ndarray
    y: np.ndarray
    x_squares: np.ndarray
    y_squares: np.ndarray
    product: np.ndarray


def all_pairs_of_blocks(
    blocks: Iterable[tuple[np.ndarray, np.ndarray]], *, constant: float
) -> np.ndarray:
    """As `all_pairs`, of rows that come some features after the others.

    Args:
      blocks: pairs of x [n, features] and y [m, features] float64; memory is
        that of one block and of [n, m].
      constant: see the module.

    Returns:
      [n, m] float64, rounded to 12 decimals.
    """
    sums = None
    for x, y in blocks:
        part = _Sums(
            x.shape[1],
            x.sum(axis=1),
            y.sum(axis=1),
            np.einsum('pu,pu->p', x, x),
            np.einsum('pu,pu->p', y, y),
            x @ y.T,
        )
        sums = part if sums is None else _Sums(*map(np.add, sums, part))
    n = sums.features
    covariance = sums.product - np.outer(sums.x, sums.y) / n
    spreads = []
    for total, squares in ((sums.x, sums.x_squares), (sums.y, sums.y_squares)):
        spread = squares - total**2 / n
        # What rounding leaves of a constant pattern is no variation.
        spreads.append(np.where(spread > 1e-12 * squares, spread, 0))
    norm = np.sqrt(np.outer(*spreads))
    r = np.divide(
        covariance, norm, out=np.full_like(norm, constant), where=norm > 0
    )
    return np.clip(np.round(r, 12), -1, 1)

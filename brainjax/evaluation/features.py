"""How well decoded features follow true ones, by unit and by picture.

Features are [pictures, units]. Layers too large for memory are scored a block
of units at a time.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

TILE = (25, 4096)  # Pictures and units summed at a time.


def profile_correlation(decoded: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Correlation over pictures of each unit.

    Sums are taken over tiles that fit the processor's cache, of differences
    from the first picture, so that large means cost no digits. Beyond the
    result, the memory is that of a tile; the arrays may be mapped from files.

    Args:
      decoded, true: [pictures, units].

    Returns:
      [units] float64; NaN for a unit that does not vary in either, as it says
      nothing.
    """
    starts = range(0, decoded.shape[1], TILE[1])
    return np.concatenate(
        [
            _profile(*(x[:, start : start + TILE[1]] for x in (decoded, true)))
            for start in starts
        ]
    )


def _profile(decoded: np.ndarray, true: np.ndarray) -> np.ndarray:
    pictures, units = decoded.shape
    first = [np.float64(values[0]) for values in (decoded, true)]
    tiles = np.empty((2, TILE[0], units))
    x1, y1, xx, yy, xy = np.zeros((5, units))
    for row in range(0, pictures, TILE[0]):
        rows = slice(row, min(row + TILE[0], pictures))
        x, y = tiles[:, : rows.stop - row]
        np.subtract(decoded[rows], first[0], out=x)
        np.subtract(true[rows], first[1], out=y)
        ones = np.ones(len(x))
        x1 += ones @ x
        y1 += ones @ y
        xx += np.einsum('pu,pu->u', x, x)
        yy += np.einsum('pu,pu->u', y, y)
        xy += np.einsum('pu,pu->u', x, y)
    spread = xx - x1 * x1 / pictures, yy - y1 * y1 / pictures
    # What rounding leaves of a constant is no variation.
    varies = (spread[0] > 1e-13 * xx) & (spread[1] > 1e-13 * yy)
    result = np.divide(
        xy - x1 * y1 / pictures,
        np.sqrt(np.maximum(spread[0], 0) * np.maximum(spread[1], 0)),
        out=np.full(units, np.nan),
        where=varies,
    )
    return np.clip(result, -1, 1)


def pattern_similarity(
    blocks: Iterable[tuple[np.ndarray, np.ndarray]],
    mean: np.ndarray | None = None,
    deviation: np.ndarray | None = None,
) -> np.ndarray:
    """Correlation over units of each true pattern with each decoded one.

    On raw features the pattern that all pictures share, and the units that
    vary most, decide; z-scored with statistics of the training pictures they
    do not. Say which was used.

    Args:
      blocks: pairs of decoded [n, units] and true [m, units], some units after
        the others; memory is that of one block and of [m, n].
      mean, deviation: [all units] of the training pictures' true features;
        units without variance among these are left out. None for raw
        features.

    Returns:
      [m, n] float64, rows true and columns decoded as
      `identification.two_way` takes it; NaN where a pattern is constant.
    """
    sums, start = None, 0
    for decoded, true in blocks:
        x, y = np.float64(true), np.float64(decoded)
        stop = start + x.shape[1]
        if mean is not None:
            varies = deviation[start:stop] > 0
            x, y = (
                (values[:, varies] - mean[start:stop][varies])
                / deviation[start:stop][varies]
                for values in (x, y)
            )
        start = stop
        part = _Sums(
            x.shape[1],
            x.sum(axis=1),
            y.sum(axis=1),
            np.einsum('pu,pu->p', x, x),
            np.einsum('pu,pu->p', y, y),
            x @ y.T,
        )
        sums = (
            part
            if sums is None
            else _Sums(*(a + b for a, b in zip(sums, part)))
        )
    return _correlations(sums)


class _Sums(NamedTuple):
    units: int
    true: np.ndarray
    decoded: np.ndarray
    true_squares: np.ndarray
    decoded_squares: np.ndarray
    product: np.ndarray


def _correlations(sums: _Sums) -> np.ndarray:
    n = sums.units
    covariance = sums.product - np.outer(sums.true, sums.decoded) / n
    spreads = []
    for total, squares in (
        (sums.true, sums.true_squares),
        (sums.decoded, sums.decoded_squares),
    ):
        spread = squares - total**2 / n
        # What rounding leaves of a constant pattern is no variation.
        spreads.append(np.where(spread > 1e-12 * squares, spread, 0))
    norm = np.sqrt(np.outer(*spreads))
    found = np.divide(
        covariance, norm, out=np.full_like(norm, np.nan), where=norm > 0
    )
    return np.clip(np.round(found, 12), -1, 1)

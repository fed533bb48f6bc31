"""How well decoded features follow true ones, by unit and by picture.

Features are [pictures, units]. Layers too large for memory are scored a block
of units at a time.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from brainjax.linear import correlation


def profile_correlation(decoded: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Correlation over pictures of each unit.

    Args:
      decoded, true: [pictures, units]; may be mapped from files.

    Returns:
      [units] float64; NaN for a unit that is constant in either.
    """
    return correlation.columns_in_tiles(decoded, true, constant=np.nan)


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
      mean, deviation: [all units], mean and standard deviation of the training
        pictures' true features; units without variance among these are left
        out. None for raw features.

    Returns:
      [m, n] float64, rows true and columns decoded as
      `identification.two_way` takes it; NaN where a pattern is constant.
    """
    return correlation.all_pairs_of_blocks(
        _standardised(blocks, mean, deviation), constant=np.nan
    )


def _standardised(blocks, mean, deviation) -> Iterator:
    """Yields true and decoded units, z-scored if there are statistics."""
    start = 0
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
        yield x, y

"""95 % intervals of mean scores, over pictures or subjects and pictures.

Scores are few, skewed, and often near the best that there is, where resampled
means give intervals far too narrow: of 20 hits in 20 they have no width at all.
`benchmarks/coverage.py` measures how often those here hold the true mean.
"""

from collections.abc import Sequence

import numpy as np
import scipy
from scipy import special

FEWEST = 5  # Pictures; of fewer no interval is known to hold.
TAIL = 0.025
NUMBERS_AT_A_TIME = 2_000_000  # Drawn and held at once.

Bounds = tuple[float, float]
UNBOUNDED = (-np.inf, np.inf)
CORRELATION = (-1.0, 1.0)
RATE = (0.0, 1.0)


def interval(
    scores: np.ndarray | Sequence[np.ndarray],
    bounds: Bounds = UNBOUNDED,
    *,
    seed: int = 0,
    draws: int = 10_000,
) -> tuple[float, float]:
    """95 % interval of a mean score.

    Over pictures it is that of the studentised bootstrap (Efron 1981), which
    follows the skew of the scores, but no narrower than Student's, and no
    wider than what holds for any scores within the bounds (Gaffke 2005). Of
    hits and misses it is that of Clopper and Pearson (1934).

    Of several subjects who saw the same pictures, intervals over subjects and
    over pictures are joined: their squared distances from the mean add up,
    less that of the noise, which is in both (Zou and Donner 2008). Over
    subjects it is Student's, of scores with bounds that of log odds. Means of
    subjects who saw pictures of their own hold all that varies.

    Args:
      scores: [n] one a picture; [subjects, n], NaN where there is none; or one
        array a subject, of different lengths.
      bounds: the lowest and the highest that a score can be.
      seed, draws: of the resampling.

    Returns:
      (low, high), both NaN of fewer than FEWEST pictures, of scores that are
      not defined, and of such without bounds that are all the same.
    """
    rows = _rows(scores)
    if min(map(len, rows)) < FEWEST:
        return np.nan, np.nan
    options = {'bounds': bounds, 'seed': seed, 'draws': draws}
    if len(rows) == 1:
        found = rows[0].mean() + _around(rows[0], **options)
    elif len({len(row) for row in rows}) == 1:
        found = _of_table(np.array(rows), options)
    else:
        means = np.array([np.nanmean(row) for row in rows])
        if np.ptp(means) == 0:
            return interval(np.concatenate(rows), **options)
        found = means.mean() + _over_subjects(means, bounds)
    low, high = np.clip(found, *bounds)
    if not (np.isfinite(low) and np.isfinite(high)):
        return np.nan, np.nan
    return float(low), float(high)


def _rows(scores):
    if isinstance(scores, np.ndarray) or np.isscalar(scores[0]):
        return [*np.atleast_2d(np.asarray(scores, np.float64))]
    return [np.asarray(row, np.float64) for row in scores]


def _of_table(table, options):
    """(low, high) over subjects, rows, and pictures, columns."""
    subjects, pictures = (np.nanmean(table, axis=axis) for axis in (1, 0))
    mean = np.nanmean(table)
    over = [
        _over_subjects(subjects, options['bounds']),
        # Joined they are wide enough without Student's.
        _around(pictures, **options, least=0.0),
    ]
    residual = table - subjects[:, None] - pictures + mean
    count = (~np.isnan(table)).sum()
    free = max(1, count - subjects.size - pictures.size + 1)
    # Of the mean's variance, what both ways of averaging have in them.
    noise = np.nansum(residual**2) / free / count
    squares = np.square(over)
    joined = squares.sum(axis=0) - scipy.stats.t.isf(TAIL, free) ** 2 * noise
    return mean + [-1, 1] * np.sqrt(np.maximum(joined, squares.max(axis=0)))


def _around(values, bounds, seed, draws, least=None):
    """Low and high over pictures, as distances from the mean.

    `least` is how far they are at least, in standard errors; by default as
    Student's.
    """
    values = np.asarray(values, np.float64)
    if np.isnan(values).any():
        return np.full(2, np.nan)
    if np.isfinite(bounds).all() and np.isin(values, bounds).all():
        return clopper_pearson(values, bounds) - values.mean()
    widest = _of_any(values, bounds, seed, draws)
    # What rounding leaves of scores that are all the same is no spread.
    if np.ptp(values) < 1e-12 * (1 + np.abs(values).max()):
        return widest - values.mean()
    if least is None:
        least = scipy.stats.t.isf(TAIL, len(values) - 1)
    usual = _studentised(values, seed, draws, least)
    low, high = np.array([usual, widest]).T
    return np.array([low.max(), high.min()]) - values.mean()


def clopper_pearson(values: np.ndarray, bounds: Bounds) -> np.ndarray:
    """Exact interval of a mean of values [n] that are all at a bound."""
    low, high = bounds
    n, hits = len(values), int(np.sum(values == high))
    # A beta distribution without misses, or hits, ends at its bound.
    shares = [
        scipy.stats.beta.ppf(TAIL, hits, n - hits + 1) if hits else 0.0,
        scipy.stats.beta.isf(TAIL, hits + 1, n - hits) if hits < n else 1.0,
    ]
    return low + (high - low) * np.array(shares)


def _of_any(values, bounds, seed, draws):
    """Interval for any distribution within the bounds (Gaffke 2005).

    Values, and one more at the bound, are weighted at random by a flat
    Dirichlet distribution. For hits and misses it is Clopper and Pearson's.
    """
    if not np.isfinite(bounds).any():
        return np.array(bounds)
    generator = np.random.default_rng(seed)
    n = len(values)
    means, rests = [], []
    for size in portions(draws, n + 1):
        weights = generator.standard_exponential((size, n + 1))
        total = weights.sum(axis=1)
        means.append(weights[:, :n] @ values / total)
        rests.append(weights[:, n] / total)
    means, rest = np.concatenate(means), np.concatenate(rests)
    return np.array(
        [
            np.quantile(means + rest * bound, tail)
            if np.isfinite(bound)
            else bound
            for bound, tail in zip(bounds, (TAIL, 1 - TAIL))
        ]
    )


def _studentised(values, seed, draws, least):
    """Bootstrap interval of Student's t; infinite where ties are many."""
    generator = np.random.default_rng(seed)
    n, mean, deviation = len(values), values.mean(), values.std()
    away = (values - mean) / deviation
    found = []
    for size in portions(draws, n):
        drawn = away[generator.integers(n, size=(size, n))]
        means, spread = drawn.mean(axis=1), drawn.std(axis=1)
        # A resample of one value only is infinitely far from the mean.
        spread[spread < 1e-9] = 0
        with np.errstate(divide='ignore', invalid='ignore'):
            found.append(np.where(means == 0, 0, means / spread))
    low, high = np.quantile(
        np.concatenate(found), [TAIL, 1 - TAIL], method='inverted_cdf'
    )
    least = least / np.sqrt(n - 1)
    high, low = max(high, least), min(low, -least)
    return mean - deviation * np.array([high, low])


def _over_subjects(means, bounds):
    """Low and high over subjects, as distances from the mean of their means.

    Subjects who are all alike, as at the ceiling, add nothing.
    """
    (low, high), n, mean = bounds, len(means), means.mean()
    half = scipy.stats.t.isf(TAIL, n - 1) * means.std(ddof=1) / np.sqrt(n)
    ends = np.array([-half, half])
    if not np.isfinite(bounds).all() or half < 1e-12 * (1 + abs(mean)):
        return ends
    share = (mean - low) / (high - low)
    ends /= (high - low) * share * (1 - share)
    ends = special.expit(special.logit(share) + ends)
    return low + (high - low) * ends - mean


def portions(draws: int, n: int) -> list[int]:
    """Splits draws of n numbers each so that a portion fits in memory."""
    most = max(1, NUMBERS_AT_A_TIME // n)
    return [min(most, draws - done) for done in range(0, draws, most)]

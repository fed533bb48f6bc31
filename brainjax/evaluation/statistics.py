"""How sure a score is: tests by permutation, for one score and for many.

Pictures are what is drawn at random and what conclusions are about, so it is
over pictures that permutations and signs go. The n(n - 1) comparisons
behind an identification score are not independent; a binomial test over them
claims far too much.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import scipy

from brainjax.evaluation.intervals import UNBOUNDED, Bounds, interval, portions


class Null(NamedTuple):
    """A score beside what it would be by chance.

    Attributes:
      family: the same where draws come from the same permutations.
      draws: [1 + draws] float32, the score and then its null distribution, in
        standard deviations of the latter; higher is better.
    """

    family: Hashable
    draws: np.ndarray


class Score(dict[str, float | int | str]):
    """A score as scores.json holds it, and what it comes from.

    Attributes:
      per_picture: [n] float64, of which the value is the mean, in the order of
        `pixels.distinct`; None where there are none. Not in scores.json.
      null: what 'q' is from; None where only p is known. Not in scores.json.
    """

    per_picture: np.ndarray | None = None
    null: Null | None = None

    def __or__(self, more: Mapping[str, float | int | str]) -> 'Score':
        found = Score({**self, **more})
        found.per_picture, found.null = self.per_picture, self.null
        return found


def standardised(observed: float, null: np.ndarray, family: Hashable) -> Null:
    """Brings a score and its null distribution [draws] to one scale."""
    values = np.concatenate([[observed], null])
    mean, deviation = values.mean(), values.std()
    if not deviation > 1e-9 * (1 + abs(mean)):
        # All are the same: p is 1, and no other score has to beat this one.
        return Null(family, np.full(len(values), -1e3, np.float32))
    return Null(family, np.float32((values - mean) / deviation))


def permutation_null(
    tables: Sequence[np.ndarray], draws: int = 10_000, seed: int = 0
) -> np.ndarray:
    """Mean scores of reconstructions permuted across stimuli.

    What all reconstructions have in common (that all are blurred, or grey) is
    thereby in the null too.

    Args:
      tables: [n, n]: [i, j] is the score of reconstruction j if stimulus i had
        been seen; more than one if reconstructions are to be exchanged only
        within groups of stimuli.
      draws: how many permutations.
      seed: seed of the permutations.

    Returns:
      [draws] float64.
    """
    generator = np.random.default_rng(seed)
    total = np.zeros(draws)
    for table in tables:
        n = len(table)
        rows = np.arange(n)
        total += np.concatenate(
            [
                table[
                    rows,
                    generator.permuted(np.tile(rows, (size, 1)), axis=1),
                ].sum(axis=1)
                for size in portions(draws, n)
            ]
        )
    return total / sum(len(table) for table in tables)


def sign_flip_null(
    values: np.ndarray, draws: int = 10_000, seed: int = 0
) -> np.ndarray:
    """Means of values whose signs are flipped at random.

    Args:
      values: [n] one a stimulus, as likely above as below 0 by chance; or
        [n, tests], of which a flip turns all of a stimulus at once.
      draws, seed: of the flips.

    Returns:
      [draws] or [draws, tests] float64.
    """
    generator = np.random.default_rng(seed)
    n = len(values)
    return np.concatenate(
        [
            (1 - 2 * generator.integers(2, size=(size, n))) @ values / n
            for size in portions(draws, n)
        ]
    )


def p_value(observed: float, null: np.ndarray) -> float:
    """One-sided p = (1 + null draws >= observed) / (1 + draws); NaN of NaN."""
    if np.isnan(observed) or np.isnan(null).any():
        return np.nan
    # Equal scores summed in another order may differ in their last bits.
    slack = 1e-9 * (1 + abs(observed))
    return float((1 + (null >= observed - slack).sum()) / (1 + len(null)))


def paired_difference(
    ours: np.ndarray,
    theirs: np.ndarray,
    seed: int = 0,
    draws: int = 10_000,
    bounds: Bounds = UNBOUNDED,
) -> 'Score':
    """Difference of two methods on the same stimuli.

    Args:
      ours, theirs: [n] scores of the same stimuli in the same order.
      seed: of the resampling.
      draws: of the bootstrap over stimuli and of the sign flips.
      bounds: of a difference.

    Returns:
      'value', the mean of ours - theirs; 'low' and 'high', its `interval`;
      'p', two-sided, from flipping the sign of each stimulus's difference at
      random; and 'n'.
    """
    difference = np.subtract(ours, theirs, dtype=np.float64)
    n = len(difference)
    value = difference.mean()
    null = sign_flip_null(difference, draws, seed)
    low, high = interval(difference, bounds, seed=seed, draws=draws)
    score = Score(
        value=float(value),
        low=low,
        high=high,
        p=p_value(abs(value), abs(null)),
        n=n,
    )
    score.per_picture = difference
    score.null = standardised(abs(value), abs(null), f'flips of {n}')
    return score


def false_discovery(p_values: np.ndarray) -> np.ndarray:
    """Benjamini and Hochberg's q: p for many tests, such as ROIs or layers.

    Calling all with q <= 0.05 significant, 5 % of those called are false on
    average.

    Args:
      p_values: of any shape; NaN is left out and stays NaN.

    Returns:
      q in the same shape.
    """
    q = np.array(p_values, np.float64)
    tested = ~np.isnan(q)
    q[tested] = scipy.stats.false_discovery_control(q[tested])
    return q


def family_wise(p_values: np.ndarray) -> np.ndarray:
    """Holm's p (1979): that of each test, corrected for their number.

    Calling all with p <= 0.05 significant, there is a false one among them in
    at most 5 % of families, however the tests depend on one another.

    Args:
      p_values: [tests].

    Returns:
      [tests] float64, at most 1.
    """
    order = np.argsort(p_values)
    n = len(p_values)
    raised = np.maximum.accumulate(p_values[order] * np.arange(n, 0, -1))
    corrected = np.empty(n)
    corrected[order] = np.minimum(raised, 1)
    return corrected


def against_zero(
    values: np.ndarray, seed: int = 0, draws: int = 10_000
) -> Score:
    """A score of values [n] of which 0 is chance, p from flipping signs."""
    low, high = interval(values, seed=seed, draws=draws)
    null = sign_flip_null(values, draws, seed)
    n, value = len(values), float(values.mean())
    score = Score(
        value=value,
        chance=0.0,
        low=low,
        high=high,
        p=p_value(value, null),
        n=n,
    )
    score.per_picture = values
    score.null = standardised(value, null, f'flips of {n}')
    return score


def max_t(nulls: Mapping[str, Null]) -> dict[str, float]:
    """Step-down max-T: p of each score, corrected for their number.

    How often the largest of the scores that are not above it would be as high
    by chance, from the same permutations of all (Westfall and Young 1993).
    Calling all with q <= 0.05 significant, there is a false one among them in
    at most 5 % of reports. Families of permutations add up, so that of scores
    that share none it is Holm's (1979), up to the scale of the scores.

    Args:
      nulls: name -> a score beside its null distribution.

    Returns:
      Name -> q.
    """
    order = sorted(nulls, key=lambda name: -nulls[name].draws[0])
    largest, share = {}, {}
    for name in reversed(order):
        family, draws = nulls[name]
        largest[family] = np.maximum(largest.get(family, draws), draws)
        # Ties in float32 may differ in their last bits.
        least = draws[0] - 1e-5 * (1 + abs(draws[0]))
        reached = ((each >= least).mean() for each in largest.values())
        share[name] = min(1.0, float(sum(reached)))
    q = np.maximum.accumulate([share[name] for name in order])
    return dict(zip(order, q.tolist()))


def of_p(p: float, family: Hashable, draws: int = 10_000) -> Null:
    """A null distribution, normal, for a score of which only p is known."""
    shares = np.arange(1, draws + 1) / (draws + 1)
    observed = max(p, shares[0])
    scale = scipy.stats.norm.isf(np.concatenate([[observed], shares]))
    return Null(family, np.float32(scale))


def corrected(*groups: Mapping[str, Score]) -> dict[str, Score]:
    """Adds 'q', p corrected for all scores of a report, see `max_t`.

    Args:
      groups: name -> score; scores of one group are of the same pictures in
        the same order, so that permutations of these are shared.

    Returns:
      All scores; q is NaN where p is.
    """
    scores, nulls = {}, {}
    for i, group in enumerate(groups):
        for name, score in group.items():
            p, null = score['p'], getattr(score, 'null', None)
            scores[name] = score
            if p is None or np.isnan(p):
                continue
            nulls[name] = (
                null._replace(family=(i, null.family))
                if null
                else of_p(p, name)
            )
    q = max_t(nulls)
    return {name: s | {'q': q.get(name, np.nan)} for name, s in scores.items()}


def normalised(
    score: np.ndarray,
    ceiling: np.ndarray,
    chance: float = 0.0,
    least: float = 0.1,
) -> np.ndarray:
    """(score - chance) / (ceiling - chance): a share of what is possible.

    Args:
      score, ceiling: of voxels, units or ROIs, in the same shape.
      chance: the score of a guess.
      least: where the ceiling is less than this above chance the share is
        noise, and NaN.

    Returns:
      float64 in the same shape; it may exceed 1, as both are estimates.
    """
    score, ceiling = np.asarray(score, float), np.asarray(ceiling, float)
    room = ceiling - chance
    return np.divide(
        score - chance,
        room,
        out=np.full(np.broadcast(score, room).shape, np.nan),
        where=room >= least,
    )

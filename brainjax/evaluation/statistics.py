"""How sure a score is: intervals and permutation tests over pictures.

Pictures are what is drawn at random and what conclusions are about, so both
the bootstrap and the permutations go over pictures. The n(n - 1) comparisons
behind an identification score are not independent; a binomial test over them
claims far too much.
"""

from collections.abc import Sequence

import numpy as np
from scipy import stats

PERMUTED_AT_A_TIME = 2_000_000  # Numbers drawn and held at once.


def bootstrap_interval(
    per_stimulus: np.ndarray,
    seed: int = 0,
    draws: int = 10_000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Expanded percentile bootstrap interval of a mean over stimuli.

    Resamples of n stimuli vary less than n new stimuli would, by
    sqrt((n - 1) / n), and of few stimuli the spread is poorly known; so the
    tails are taken at Phi(-t sqrt(n / (n - 1))), t being Student's quantile
    with n - 1 degrees of freedom (Hesterberg 2015), which makes up for both.

    Args:
      per_stimulus: [n] one score a stimulus.
      seed: seed of the resampling; the same seed gives the same interval.
      draws: how many resamples of the n stimuli, with replacement.
      level: how often such intervals are to hold the true mean.

    Returns:
      (low, high).
    """
    scores = np.asarray(per_stimulus, np.float64)
    generator = np.random.default_rng(seed)
    means = np.concatenate(
        [
            scores[
                generator.integers(len(scores), size=(size, len(scores)))
            ].mean(axis=1)
            for size in _portions(draws, len(scores))
        ]
    )
    tail = expanded_tail(len(scores), level)
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def two_level_interval(
    scores: Sequence[np.ndarray],
    seed: int = 0,
    draws: int = 10_000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean over subjects and stimuli.

    Subjects are drawn with replacement, and stimuli within them: where all
    subjects saw the same stimuli, the same draw of stimuli serves all, as a
    hard picture is hard for everybody. With few subjects the interval is wide
    and still too narrow; four subjects cannot speak for the population.

    Args:
      scores: one array a subject, [stimuli] scores of each; of equal lengths
        if the stimuli are the same, in the same order.
      seed: seed of the resampling.
      draws: how many resamples.
      level: share of resampled means inside the interval.

    Returns:
      (low, high) of the mean over subjects of their mean over stimuli.
    """
    scores = [np.asarray(each, np.float64) for each in scores]
    generator = np.random.default_rng(seed)
    subjects = len(scores)
    lengths = {len(each) for each in scores}
    if len(lengths) == 1:
        table = np.stack(scores)
        n = table.shape[1]
        means = np.concatenate(
            [
                # Resampled stimuli are counts; one product serves everybody.
                generator.multinomial(n, [1 / n] * n, size) / n @ table.T
                for size in _portions(draws, n)
            ]
        )
    else:
        means = np.stack(
            [
                each[
                    generator.integers(len(each), size=(draws, len(each)))
                ].mean(axis=1)
                for each in scores
            ],
            axis=1,
        )
    chosen = generator.integers(subjects, size=(draws, subjects))
    means = np.take_along_axis(means, chosen, axis=1).mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def crossed_interval(
    table: np.ndarray, seed: int = 0, draws: int = 10_000, level: float = 0.95
) -> tuple[float, float]:
    """Expanded percentile bootstrap interval over observers and stimuli.

    Both are drawn with replacement and independently, and a value counts as
    often as its observer times its stimulus (Owen 2007); tails are expanded as
    in `bootstrap_interval` for the fewer of the two. Where values differ by
    chance more than by observer and stimulus, the interval is too wide.

    Args:
      table: [observers, stimuli] scores, NaN where there is none. With one
        observer the interval is over stimuli alone.
      seed, draws, level: as in `bootstrap_interval`.

    Returns:
      (low, high) of the mean over all values.
    """
    table = np.asarray(table, np.float64)
    there = ~np.isnan(table)
    values = np.where(there, table, 0)
    generator = np.random.default_rng(seed)
    observers, stimuli = table.shape
    means = []
    for size in _portions(draws, observers + stimuli):
        rows, columns = (
            generator.multinomial(n, [1 / n] * n, size).astype(float)
            for n in (observers, stimuli)
        )
        total = (rows @ values * columns).sum(axis=1)
        count = (rows @ there * columns).sum(axis=1)
        means.append(total[count > 0] / count[count > 0])
    fewer = min((n for n in table.shape if n > 1), default=1)
    tail = expanded_tail(fewer, level)
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
    return float(low), float(high)


def expanded_tail(n: int, level: float = 0.95) -> float:
    """The share of resamples of n stimuli to leave out at each end."""
    tail = (1 - level) / 2
    if n == 1:
        return tail
    student = stats.t.ppf(tail, n - 1)
    return stats.norm.cdf(student * np.sqrt(n / (n - 1)))


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
                for size in _portions(draws, n)
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
            for size in _portions(draws, n)
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
) -> dict[str, float | int]:
    """Difference of two methods on the same stimuli.

    Args:
      ours, theirs: [n] scores of the same stimuli in the same order.
      seed: of the resampling.
      draws: of the bootstrap over stimuli and of the sign flips.

    Returns:
      'value', the mean of ours - theirs; 'low' and 'high', its 95 % bootstrap
      interval; 'p', two-sided, from flipping the sign of each stimulus's
      difference at random; and 'n'.
    """
    difference = np.subtract(ours, theirs, dtype=np.float64)
    n = len(difference)
    value = difference.mean()
    null = sign_flip_null(difference, draws, seed)
    low, high = bootstrap_interval(difference, seed, draws)
    return {
        'value': float(value),
        'low': low,
        'high': high,
        'p': p_value(abs(value), abs(null)),
        'n': n,
    }


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
    q[tested] = stats.false_discovery_control(q[tested])
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


def _portions(draws, n):
    """Splits `draws` so that a portion of them fits in memory."""
    most = max(1, PERMUTED_AT_A_TIME // n)
    return [min(most, draws - done) for done in range(0, draws, most)]

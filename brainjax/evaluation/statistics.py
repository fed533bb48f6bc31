"""How sure a score is: intervals and permutation tests over pictures.

Pictures are what is drawn at random and what conclusions are about, so both
the bootstrap and the permutations go over pictures. The n(n - 1) comparisons
behind an identification score are not independent; a binomial test over them
claims far too much.
"""

from collections.abc import Callable, Sequence

import numpy as np

PERMUTED_AT_A_TIME = 2_000_000


def bootstrap_interval(
    per_stimulus: np.ndarray,
    seed: int = 0,
    draws: int = 10_000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean over stimuli.

    Args:
      per_stimulus: [n] one score a stimulus.
      seed: seed of the resampling; the same seed gives the same interval.
      draws: how many resamples of the n stimuli, with replacement.
      level: share of resampled means inside the interval.

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
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def assignments(
    matrix: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Scores of every reconstruction for every stimulus it might belong to.

    Args:
      matrix: R [n, n] similarities, rows stimuli, columns reconstructions.
      statistic: R -> [n] scores, each from its own column of R, such as
        `identification.two_way` or `numpy.diagonal`.

    Returns:
      [n, n] table: [i, j] is the score of reconstruction j if stimulus i had
      been seen. Its diagonal is `statistic(matrix)`.
    """
    n = len(matrix)
    table = np.empty((n, n))
    rows = np.arange(n)
    for shift in range(n):
        columns = (rows + shift) % n
        table[rows, columns] = statistic(matrix[:, columns])
    return table


def permutation_null(
    tables: Sequence[np.ndarray], draws: int = 10_000, seed: int = 0
) -> np.ndarray:
    """Mean scores when reconstructions are dealt to stimuli at random.

    Args:
      tables: [n, n] tables of `assignments`, more than one if reconstructions
        are to be exchanged only within groups of stimuli.
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


def p_value(observed: float, null: np.ndarray) -> float:
    """One-sided p = (1 + number of null draws >= observed) / (1 + draws)."""
    # Equal scores summed in another order may differ in their last bits.
    slack = 1e-9 * (1 + abs(observed))
    return float((1 + (null >= observed - slack).sum()) / (1 + len(null)))


def permutation_p(
    matrix: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray] = np.diagonal,
    draws: int = 10_000,
    seed: int = 0,
) -> float:
    """p-value of a mean score under exchange of the reconstructions.

    Permutes which reconstruction, a column of the actual matrix, belongs to
    which stimulus. What all reconstructions have in common is thereby in the
    null too (for instance that they are all blurred or all grey).

    Args:
      matrix: R [n, n] similarities, rows stimuli, columns reconstructions.
      statistic: R -> [n] scores, each from its own column of R; higher is
        better.
      draws: how many permutations; p cannot fall below 1 / (1 + draws).
      seed: seed of the permutations.

    Returns:
      p in (0, 1], one-sided.
    """
    table = assignments(matrix, statistic)
    null = permutation_null([table], draws, seed)
    return p_value(np.diagonal(table).mean(), null)


def _portions(draws, n):
    """Splits `draws` so that a portion of them fits in memory."""
    most = max(1, PERMUTED_AT_A_TIME // n)
    return [min(most, draws - done) for done in range(0, draws, most)]

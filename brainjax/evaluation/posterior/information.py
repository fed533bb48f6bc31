"""What responses told of pictures in bits, where several fits reconstructed."""

from collections.abc import Sequence

import numpy as np

from brainjax.evaluation import identification
from brainjax.evaluation.intervals import RATE
from brainjax.evaluation.posterior.posterior_scores import bits_of_pairs
from brainjax.evaluation.scores import Score, make_score
from brainjax.evaluation.statistics import against_zero


def over_folds(
    folds: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
    *,
    seed: int = 0,
    draws: int = 10_000,
) -> dict[str, Score]:
    """`posterior_scores.information` of folds, each with its own posterior.

    Densities of two posteriors cannot be compared, so that everything is
    within folds: what is told apart, and what is exchanged for p.

    Args:
      folds: (log_posterior [n, n], log_prior [n], picture [n]) of each.
      seed, draws: of the bootstrap and the permutations.

    Returns:
      {'information', 'information_shuffled', 'two_way_density'}.
    """
    options = {'seed': seed, 'draws': draws}
    tables, others = zip(*(bits_of_pairs(*fold) for fold in folds))
    density = [
        identification.n_way_table(
            (log_posterior - log_prior).T, 2, picture=picture
        )
        for log_posterior, log_prior, picture in folds
    ]
    return {
        'information': make_score(tables, **options) | {'chance': 0.0},
        'information_shuffled': against_zero(np.concatenate(others), **options),
        'two_way_density': make_score(density, 0.5, bounds=RATE, **options),
    }

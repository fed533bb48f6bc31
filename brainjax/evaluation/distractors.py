"""n-way identification among pictures from outside the test set.

The protocol of Gaziv et al. 2022 (preset 'weizmann'): the picture that was
seen against n - 1 distractors from a large pool, such as ImageNet's
validation set, by LPIPS without learned heads at 112 px. The published script
draws distractors 10 or 100 times a picture; here the expectation over all
draws is exact: of a pool of m, B are at least as near to the reconstruction
as the target, and how many of the n - 1 drawn are among them follows the
hypergeometric distribution.
"""

from collections.abc import Callable, Sequence

import numpy as np

from brainjax.errors import InputError
from brainjax.evaluation import identification, pixels
from brainjax.evaluation.intervals import RATE
from brainjax.evaluation.scores import Score, make_score

SIZE = 112
WAYS = (2, 5, 10, 50, 100, 500, 1000)

Distances = Callable[[np.ndarray, np.ndarray], np.ndarray]


def better(
    target: np.ndarray, pool: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Counts distractors that beat a picture, for every reconstruction.

    Args:
      target: [n, n] distances of pictures, rows, and reconstructions, columns.
      pool: [m, n] distances of distractors and the same reconstructions.

    Returns:
      [n, n] int: how many distractors are at least as near to reconstruction
      j as picture i; ties count against it.
    """
    ordered = np.sort(pool, axis=0)
    return np.stack(
        [
            np.searchsorted(ordered[:, j], target[:, j], side='right')
            for j in range(target.shape[1])
        ],
        axis=1,
    )


def score(
    target: np.ndarray,
    reconstruction: np.ndarray,
    pool: np.ndarray,
    distances: Distances,
    name: str,
    *,
    ways: Sequence[int] = WAYS,
    seed: int = 0,
    draws: int = 10_000,
) -> dict[str, Score]:
    """Scores n-way identification with outside distractors.

    Args:
      target, reconstruction: [n, height, width, 3], matched.
      pool: [m, height, width, 3] distractors; may be mapped from a file.
      distances: (candidates [m, ...], reconstructions [n, ...]) -> [m, n],
        such as `perceptual.distances` with its network.
      name: of the distance.
      ways: numbers of candidates; those that the pool allows are scored.
      seed, draws: of `make_score`.

    Returns:
      {'identification_5way_NAME': ..., ...}, and 'rank_outside_NAME': the
      share of the pool that beats the target, 0 the best. Chance is
      the mean of the reconstructions permuted across stimuli: what all of
      them have in common may please or displease the pool.
    """
    if not len(pool):
        raise InputError(
            'there are no distractors; name a source with more pictures.'
        )
    beaten = better(
        distances(target, reconstruction), distances(pool, reconstruction)
    )
    picture = pixels.distinct(target)
    options = {'seed': seed, 'draws': draws}
    scores = {}
    for n in ways:
        if n - 1 > len(pool):
            continue
        table = identification.average_pairs(
            identification.expected_success(beaten, len(pool), n), picture
        )
        scores[f'identification_{n}way_{name}'] = make_score(
            [table], identification.chance(n), bounds=RATE, **options
        )
    share = identification.average_pairs(beaten / len(pool), picture)
    scores[f'rank_outside_{name}'] = make_score(
        [share], 0.5, bounds=RATE, lower=True, **options
    )
    return scores

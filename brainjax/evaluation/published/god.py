"""The measures of MinD-Vis and those that follow it (preset 'god').

Pictures are 256 x 256, uint8. Two-way identification over all other test
pictures, by mean squared error, correlation, SSIM of colour pictures and
LPIPS with AlexNet (Chen et al. 2023, Zeng et al. 2024).

Two of their measures need networks that are not here: the n-way semantic
classification by ViT-H/14, and an FID of 64 Inception features, which is not
comparable with the usual one.
"""

from collections.abc import Callable

import numpy as np

from brainjax.evaluation import identification, pixels
from brainjax.evaluation.intervals import RATE
from brainjax.evaluation.scores import Score, make_score
from brainjax.evaluation.table.score_table import SCORES

SIZE = 256
PICTURE_SCORES = ('mse', 'pixcorr', 'ssim_rgb')


def score(
    target: np.ndarray,
    reconstruction: np.ndarray,
    lpips: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
    *,
    seed: int = 0,
    draws: int = 10_000,
) -> dict[str, Score]:
    """Scores by mean squared error, correlation, SSIM and LPIPS.

    Args:
      target, reconstruction: [n, height, width, 3] uint8, matched.
      lpips: (pictures, reconstructions) -> [n, n] distances, or None.
      seed, draws: of `make_score`.

    Returns:
      'mse' (of values in 0..1; lower is better), 'pixcorr', 'ssim_rgb' and
      'lpips_alexnet' (lower is better), and 'two_way_...' by each.
    """
    pixels.check_pictures(target, reconstruction)
    picture = pixels.distinct(target)
    tables = {
        name: (SCORES[name].table(target, reconstruction), SCORES[name].lower)
        for name in PICTURE_SCORES
    }
    if lpips is not None:
        tables['lpips_alexnet'] = lpips(target, reconstruction), True
    options = {'seed': seed, 'draws': draws}
    scores = {}
    for name, (table, lower) in tables.items():
        averaged = identification.average_pairs(np.nan_to_num(table), picture)
        bounds = SCORES[name].bounds if name in SCORES else (0, np.inf)
        scores[name] = make_score(
            [averaged], bounds=bounds, lower=lower, **options
        )
        similarity = -table if lower else table
        scores[f'two_way_{name}'] = make_score(
            [identification.n_way_table(similarity, 2, picture=picture)],
            0.5,
            bounds=RATE,
            **options,
        )
    return scores

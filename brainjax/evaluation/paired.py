"""A method beside others on the same pictures, paired by picture."""

from collections.abc import Mapping

import numpy as np

from brainjax.evaluation import identification, pixels, statistics
from brainjax.evaluation.scores import (
    Score,
    identification_scores,
    pixel_scores,
)

COMPARED = ('pixcorr', 'two_way_pixels')


def per_picture(
    target: np.ndarray, reconstruction: np.ndarray
) -> dict[str, np.ndarray]:
    """Returns each of `COMPARED` [n] for every different target.

    Args:
      target, reconstruction: [n, height, width, 3]; of targets that show the
        same picture the scores are averaged.
    """
    matrix = pixels.correlations(target, reconstruction)
    return _per_picture(matrix, pixels.distinct(target))


def _per_picture(matrix, picture):
    matrix = np.nan_to_num(matrix)
    tables = (
        identification.average_pairs(matrix, picture),
        identification.n_way_table(matrix, 2, picture=picture),
    )
    return dict(zip(COMPARED, map(np.diagonal, tables)))


def score(
    target: np.ndarray,
    reconstruction: np.ndarray,
    others: Mapping[str, np.ndarray],
    seed: int = 0,
    fold: np.ndarray | None = None,
) -> dict[str, Score]:
    """Scores other reconstructions of the same pictures, and the differences.

    Args:
      target, reconstruction: [n, height, width, 3].
      others: name -> [n, height, width, 3].
      seed: of bootstrap and permutations.
      fold: [n] of `evaluation.score`.

    Returns:
      'SCORE_minus_NAME' for each of `COMPARED`: the mean of the paired
      differences, above 0 where the reconstructions are better, with 'paired'
      true, its interval over pictures and p, two-sided, of sign flips; and
      'SCORE_NAME', the scores of the other pictures alone.
    """
    picture = pixels.distinct(target)
    ours = per_picture(target, reconstruction)
    scores = {}
    for name, images in others.items():
        options = {'picture': picture, 'fold': fold, 'seed': seed}
        alone, matrix = pixel_scores(target, images, **options)
        theirs = _per_picture(matrix, picture)
        for key, values in ours.items():
            found = statistics.paired_difference(values, theirs[key], seed)
            scores[f'{key}_minus_{name}'] = {
                **found,
                'chance': 0.0,
                'paired': True,
            }
        alone |= identification_scores('pixels', matrix, **options)
        scores |= {f'{key}_{name}': value for key, value in alone.items()}
    return scores


def below(scores: Mapping[str, Score], titles: Mapping[str, str]) -> list[str]:
    """A sentence on what of the method is worse than the others, or none.

    Args:
      scores: of `score`, with the method's own.
      titles: name -> what it is called in the sentence.
    """
    found = []
    for name, title in titles.items():
        for key, word in zip(COMPARED, ('pixel correlation', 'two-way')):
            difference = scores.get(f'{key}_minus_{name}')
            if difference and difference['value'] < 0:
                own, other = (
                    scores[k]['value'] for k in (key, f'{key}_{name}')
                )
                clear = difference['high'] < 0
                found.append(
                    f'{title} in {word} ({own:.3f} against {other:.3f}'
                    + (')' if clear else ', within its interval)')
                )
    if not found:
        return []
    return [f'This method is below {"; ".join(found)}.']

"""A method beside others on the same pictures, paired by picture."""

import itertools
from collections.abc import Mapping

import numpy as np

from brainjax.evaluation import identification, pixels, statistics
from brainjax.evaluation.intervals import UNBOUNDED, Bounds
from brainjax.evaluation.scores import (
    Score,
    identification_scores,
    pixel_scores,
)
from brainjax.evaluation.table.score_table import decimals, describe, p_in_words

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
            scores[f'{key}_minus_{name}'] = difference(
                values, theirs[key], bounds=bounds_of(key), seed=seed
            )
        alone |= identification_scores('pixels', matrix, **options)
        scores |= {f'{key}_{name}': value for key, value in alone.items()}
    return scores


def difference(
    ours: np.ndarray,
    theirs: np.ndarray,
    *,
    lower: bool = False,
    bounds: Bounds = UNBOUNDED,
    seed: int = 0,
    draws: int = 10_000,
) -> Score:
    """Makes a score of what one method's pictures score above another's.

    Args:
      ours, theirs: [n] of the same pictures; one with a NaN is left out.
      lower: whether lower values are better.
      bounds: of a difference.
      seed, draws: of bootstrap and sign flips.

    Returns:
      That of `statistics.paired_difference` with 'chance' 0, 'paired' true;
      'd_z', mean over standard deviation of the differences (Cohen 1988), NaN
      if they are all alike; and 'wins', the share of the pictures on which
      ours is the better one, ties counting half.
    """
    away = np.subtract(ours, theirs, dtype=np.float64)
    known = ~np.isnan(away)
    found = statistics.paired_difference(
        ours[known], theirs[known], seed, draws, bounds
    )
    score = found | {
        'chance': 0.0,
        'paired': True,
        'd_z': effect_size(away[known]),
        'wins': float(
            np.mean(np.sign(away[known]) * (1 - 2 * lower) / 2 + 0.5)
        ),
    }
    score.per_picture = away
    return score | ({'better': 'lower'} if lower else {})


def bounds_of(name: str) -> Bounds:
    """The lowest and highest difference of two scores of a name."""
    low, high = describe(name).bounds
    return low - high, high - low


def effect_size(differences: np.ndarray) -> float:
    """Cohen's d_z: mean over standard deviation (n - 1) of differences [n]."""
    if len(differences) < 2 or np.ptp(differences) == 0:
        return np.nan
    return float(differences.mean() / differences.std(ddof=1))


def all_pairs(
    methods: Mapping[str, Mapping[str, Score]],
    seed: int = 0,
    draws: int = 10_000,
) -> dict[str, Score]:
    """Compares every two methods by every score that both have a picture.

    Args:
      methods: name -> its scores of the same pictures.
      seed, draws: of bootstrap and sign flips.

    Returns:
      'SCORE_A_minus_B' -> `difference` with the names 'score', 'method' and
      'other', and 'q', p corrected for all scores and pairs in the result: a
      flip turns all differences of a picture at once.
    """
    found = {}
    for (a, ours), (b, theirs) in itertools.combinations(methods.items(), 2):
        for name in ours:
            sides = [each.get(name) for each in (ours, theirs)]
            if any(x is None or x.per_picture is None for x in sides):
                continue
            found[f'{name}_{a}_minus_{b}'] = difference(
                *(x.per_picture for x in sides),
                lower=sides[0].get('better') == 'lower',
                bounds=bounds_of(name),
                seed=seed,
                draws=draws,
            ) | {'score': name, 'method': a, 'other': b}
    return statistics.corrected(found)


def in_line(score: Mapping[str, float | None]) -> str:
    """Writes a difference of `all_pairs` for a terminal."""
    value, low, high, size = (
        decimals(score[key]) for key in ('value', 'low', 'high', 'd_z')
    )
    return (
        f'{value:>6s}  (95% {low} to {high}, p {p_in_words(score["p"])}, '
        f'q {p_in_words(score["q"])}, d_z {size}, '
        f'n {score["n"]})'
    )


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

"""Scores of several subjects as one: mean, interval, p, prevalence.

Subjects are what is drawn at random here. Whether their mean is above chance
and how many people there is an effect in are two questions, see `prevalence`.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import scipy

from brainjax.evaluation import statistics
from brainjax.evaluation.group.prevalence import prevalence
from brainjax.evaluation.intervals import interval
from brainjax.evaluation.paired import bounds_of
from brainjax.evaluation.table.score_table import decimals, describe, p_in_words

Scores = Mapping[str, Mapping[str, float]]

# What a group's score has as its subjects have it.
KEPT = ('better', 'paired', 'nominal', 'score', 'method', 'other')


def combine(
    subjects: Sequence[Scores],
    tables: Mapping[str, np.ndarray] = MappingProxyType({}),
    *,
    level: float = 0.05,
    seed: int = 0,
    draws: int = 10_000,
) -> dict[str, dict]:
    """Combines what scores.json holds of each subject, score by score.

    Args:
      subjects: name -> score of each; those that all have are combined.
      tables: name -> [subjects, pictures], where all saw the same pictures.
      level: up to which p a subject counts as significant.
      seed, draws: of the bootstrap over subjects and pictures.

    Returns:
      Name -> score: 'value', the mean over subjects, 'low' and 'high', its 95
      % t interval, 'chance', the mean of theirs, 'p' of a t test of what each
      is from its own chance, 'q', that corrected over the scores (Benjamini
      and Hochberg), 'd', mean over standard deviation of the same, 'n', the
      number of subjects, 'subjects', value, chance, p and n of each; of those
      in `tables` also 'crossed_low' and 'crossed_high', the 95 % interval over
      subjects and pictures; and, unless the score has a nominal value, those
      of `prevalence`.
    """
    common = [name for name in subjects[0] if all(name in s for s in subjects)]
    combined = {
        name: _combine([scores[name] for scores in subjects], level)
        for name in common
    }
    for name in combined.keys() & tables.keys():
        bounds = _bounds(name, combined[name])
        low, high = interval(tables[name], bounds, seed=seed, draws=draws)
        combined[name] |= {'crossed_low': low, 'crossed_high': high}
    q = statistics.false_discovery([each['p'] for each in combined.values()])
    for each, corrected in zip(combined.values(), q):
        each['q'] = float(corrected)
    return combined


def _bounds(name, score):
    """Of a score, or of a difference that `brainjax compare` made."""
    name = score.get('score', name)
    return bounds_of(name) if 'other' in score else describe(name).bounds


def _combine(scores, level):
    values, chance = (
        np.array([score.get(key) for score in scores], float)
        for key in ('value', 'chance')
    )
    first = scores[0]
    nominal = 'nominal' in first
    reference = first['nominal'] if nominal else chance
    return {
        'value': float(values.mean()),
        'chance': float(chance.mean()),
        **_over_subjects(values, reference, _alternative(first)),
        'n': len(scores),
        'subjects': [
            {key: score.get(key) for key in ('value', 'chance', 'p', 'n')}
            for score in scores
        ],
        **({} if nominal else _prevalence(scores, level)),
        **{key: first[key] for key in KEPT if key in first},
    }


def _prevalence(scores, level):
    """Of subjects above chance; of a difference, of those that gain."""
    p = np.array([score.get('p') for score in scores], float)
    if scores[0].get('paired'):  # Two-sided: of those that lose, too.
        sign = -1 if scores[0].get('better') == 'lower' else 1
        gains = np.array([sign * score['value'] > 0 for score in scores])
        p = np.where(gains, p / 2, 1 - p / 2)
    return prevalence(p, level)._asdict()


def _alternative(score: Mapping[str, float]) -> str:
    """As the p of a subject: from chance to better, differences both ways."""
    if score.get('paired') or 'nominal' in score:
        return 'two-sided'
    return 'less' if score.get('better') == 'lower' else 'greater'


def _over_subjects(values, reference, alternative):
    """t interval of the mean, and t test of the distance from chance."""
    away = values - reference
    if np.isnan(away).any() or np.ptp(away) == 0:
        # Subjects that are all alike say nothing of how others would differ.
        return {'low': np.nan, 'high': np.nan, 'p': np.nan, 'd': np.nan}
    test = scipy.stats.ttest_1samp(away, 0, alternative=alternative)
    low, high = scipy.stats.ttest_1samp(values, 0).confidence_interval(0.95)
    return {
        'low': float(low),
        'high': float(high),
        'p': float(test.pvalue),
        'd': float(away.mean() / away.std(ddof=1)),
    }


def in_line(score: Mapping[str, float | None]) -> str:
    """Writes a group's score for a terminal."""
    value, chance, low, high = (
        decimals(score[key]) for key in ('value', 'chance', 'low', 'high')
    )
    text = (
        f'{value:>6s}  (chance {chance}, 95% over subjects {low} to {high}, '
        f'p {p_in_words(score["p"])}, q {p_in_words(score["q"])}'
    )
    if 'significant' in score:
        text += (
            f', {score["significant"]} of {score["n"]} significant, '
            f'prevalence at least {decimals(score["prevalence_low"])}'
        )
    return text + ')'

"""The page of `brainjax compare`: methods beside one another."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from brainjax.evaluation.table.score_table import (
    decimals,
    describe,
    in_words,
    is_defined,
    p_in_words,
)
from brainjax.io.files import PathLike
from brainjax.reports import alt_texts, figures, page
from brainjax.reports.figures import COLOURS, INK, LINE, MUTED, WIDTH

MOST_SHOWN = 60  # Pictures, of which the first and the last are shown.
ABOUT = (
    'Differences are paired by picture: mean, 95 % interval over pictures and '
    'p, two-sided, of sign flips; q is p corrected for all rows of this table, '
    'from the largest of each flip. d_z is the mean difference in standard '
    'deviations of the differences: if these are normal, 58 % of the pictures '
    'gain at 0.2 and 84 % at 1. “Better in” counts the pictures, ties half.',
    'Pictures stand for others of their kind; of other subjects, seeds or '
    'trainings this says nothing.',
)


def render(
    path: PathLike,
    results: Mapping[str, Any],
    *,
    names: Sequence[str],
    target: np.ndarray,
    reconstructions: Mapping[str, np.ndarray],
    values: Mapping[str, np.ndarray],
    by: str,
    notes: Sequence[str] = (),
    seconds: float = 0,
) -> None:
    """Writes the page.

    Args:
      path: file to write.
      results: what scores.json holds.
      names: [n] of the pictures.
      target: [n, height, width, 3].
      reconstructions: method -> [n, height, width, 3].
      values: method -> [n], what each picture scores by `by`.
      by: name of the score.
      notes: sentences on how this was made.
      seconds: that it took.
    """
    methods = results['compared']
    gain = gains(values, describe(by).lower)
    order = _ends(np.argsort(-gain, kind='stable'))
    first, others = methods[0], _joined(methods[1:])
    page.render(
        path,
        title=f'{first} beside {others}',
        lede=f'{len(names)} pictures as they were seen, and as '
        f'{_joined(methods)} reconstructed them from '
        + ('simulated' if results['simulated'] else 'measured')
        + ' brain responses.',
        method=first,
        simulated=results['simulated'],
        transductive=results['transductive'],
        problems=results['problems'],
        lead=sentences(results['scores'], by),
        scores={},
        figures=[
            (
                'Picture by picture',
                f'Sorted by what {first} gains on {others} in '
                f'{describe(by).title}, which stands below each'
                + (
                    f': {len(order)} of {len(names)} pictures, where it gains '
                    'most and where it loses most.'
                    if len(order) < len(names)
                    else ': first where it gains most, last where it loses '
                    'most.'
                ),
                figures.montage(
                    target[order],
                    {k: v[order] for k, v in reconstructions.items()},
                    names=[f'{names[i]} {gain[i]:+.3f}' for i in order],
                ),
            ),
            (
                'All differences',
                f'{describe(by).title} of {first} less that of {others}, each '
                'picture a bar; the line is the mean.',
                sorted_bars(gain),
            ),
        ],
        tables=[_differences(results), _alone(results)],
        versions=results['versions'],
        fingerprints=results['fingerprints'],
        methods=results['methods'],
        timings={'All': seconds},
        notes=notes,
    )


def gains(values: Mapping[str, np.ndarray], lower: bool) -> np.ndarray:
    """What the first method gains [n] on the mean of the others, above 0."""
    first, *others = (np.asarray(each) for each in values.values())
    away = first - np.mean(others, axis=0)
    return -away if lower else away


def _ends(order: np.ndarray) -> np.ndarray:
    if len(order) <= MOST_SHOWN:
        return order
    half = MOST_SHOWN // 2
    return np.concatenate([order[:half], order[-half:]])


def _joined(words: Sequence[str]) -> str:
    *most, last = words
    return f'{", ".join(most)} and {last}' if most else last


def sentences(scores: Mapping[str, Mapping[str, Any]], by: str) -> list[str]:
    """What each pair of methods differs by, in words for a reader."""
    found = []
    for each in _pairs(scores):
        if each['score'] != by:
            continue
        item, better = describe(by), winner(each)
        value, low, high = (
            _signed(each[key], item.percent) for key in ('value', 'low', 'high')
        )
        found.append(
            f'In {item.title}, {each["method"]} less {each["other"]} is '
            f'{value} (95 % interval {low} to {high}, p '
            f'{p_in_words(each["q"])} corrected): '
            + (f'{better} is the better one.' if better else 'no difference.')
        )
    return found


def winner(each: Mapping[str, Any]) -> str:
    """The better method of a pair, '' if neither is.

    Better asks for an interval beyond 0 and a q below 0.05.
    """
    known = all(is_defined(each[k]) for k in ('low', 'high', 'q'))
    if not known or each['q'] >= 0.05:
        return ''
    if not (each['low'] > 0 or each['high'] < 0):
        return ''
    higher = each['value'] > 0
    lower_is_better = each.get('better') == 'lower'
    return each['method'] if higher != lower_is_better else each['other']


def _pairs(scores):
    return [each for each in scores.values() if 'other' in each]


def _differences(results) -> page.Table:
    """One row a score and pair, both means and the difference."""
    scores = results['scores']
    rows = []
    for each in _pairs(scores):
        item = describe(each['score'])
        a, b = (
            decimals(
                scores[f'{each["score"]}_{each[k]}']['value'], item.percent
            )
            for k in ('method', 'other')
        )
        rows.append(
            [
                item.title + (' (lower is better)' if item.lower else ''),
                *_pair_names(each, results['compared']),
                a,
                b,
                _signed(each['value'], item.percent),
                f'{_signed(each["low"], item.percent)} to '
                f'{_signed(each["high"], item.percent)}',
                decimals(each['d_z']),
                in_words(each['wins'], True),
                p_in_words(each['p']),
                p_in_words(each['q']),
                winner(each) or 'neither',
            ]
        )
    two = len(results['compared']) == 2
    first, second = results['compared'][:2]
    columns = [
        'score',
        *([] if two else ['A', 'B']),
        *([first, second] if two else ['mean of A', 'mean of B']),
        *('difference', '95 % interval', 'd_z'),
        f'{first if two else "A"} better in',
        *('p', 'q', 'better'),
    ]
    return page.Table('Differences', ABOUT, columns, rows)


def _alone(results) -> page.Table:
    """One row a score, each method with its interval."""
    scores, methods = results['scores'], results['compared']
    names = dict.fromkeys(
        each['score'] for each in scores.values() if 'other' not in each
    )
    rows = [
        [describe(name).title]
        + [_in_cell(scores.get(f'{name}_{m}'), describe(name)) for m in methods]
        for name in names
    ]
    about = [
        'The mean of each method, in brackets its 95 % interval and what '
        'chance would score. Two intervals may overlap where the paired '
        'difference is clear.'
    ]
    return page.Table('Method by method', about, ('score', *methods), rows)


def _in_cell(score, item):
    if score is None:
        return '-'
    value, low, high, chance = (
        decimals(score[key], item.percent)
        for key in ('value', 'low', 'high', 'chance')
    )
    return f'{value} ({low} to {high}; chance {chance})'


def _pair_names(each, methods):
    return [] if len(methods) == 2 else [each['method'], each['other']]


def _signed(value, percent):
    if not is_defined(value):
        return '-'
    return ('+' if value >= 0 else '') + decimals(value, percent)


def sorted_bars(values: np.ndarray) -> Figure:
    """Differences [n] from the largest to the smallest, with their mean."""
    values = np.sort(values[~np.isnan(values)])[::-1]
    figure = Figure(figsize=(WIDTH, 2.4), layout='constrained')
    axes = figure.subplots()
    figures.style(axes)
    axes.bar(
        range(len(values)),
        values,
        width=1.0,
        color=[COLOURS[0] if x > 0 else COLOURS[1] for x in values],
    )
    axes.axhline(values.mean(), color=INK, linewidth=1, linestyle='--')
    axes.axhline(0, color=MUTED, linewidth=0.8)
    axes.set_xticks([])
    axes.set_xlabel('pictures, sorted', fontsize=8.5, color=INK)
    axes.grid(axis='y', color=LINE, linewidth=0.5)
    axes.set_axisbelow(True)
    figure.set_label(alt_texts.sorted_bars(values))
    return figure

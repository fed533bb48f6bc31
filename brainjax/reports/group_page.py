"""The pages of `brainjax group`: subjects together, and the leaderboard."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from brainjax.evaluation.group import leaderboard
from brainjax.evaluation.group.leaderboard import Leaderboard
from brainjax.evaluation.table.score_table import (
    decimals,
    describe,
    in_words,
    p_in_words,
)
from brainjax.io.files import PathLike
from brainjax.reports import alt_texts, figures, page, score_plots
from brainjax.reports.figures import COLOURS, INK, LINE, MUTED, WIDTH, plain

ABOUT = (
    'Mean over subjects with its 95 % interval over subjects (Student’s t) '
    'and, where all saw the same pictures, over subjects and pictures; '
    'chance, and p of a t test over subjects of what each '
    'is from its own chance; q is p corrected for the number of rows '
    '(Benjamini and Hochberg). The mean may be above chance because of a few '
    'subjects.',
    'So beside it: how many subjects are significant by their own p, and of '
    'the whole population the share with an effect, which is at least what is '
    'written (95 % confidence, binomial). “By the minimum” is the same from '
    'the least significant subject alone (Allefeld et al. 2016). “Half” is p '
    'of “at most half of all people have an effect”.',
)
OF_BOARD = ('entry', 'method', 'subjects', 'pictures', 'simulated', 'added')
MOST_SCORES = 4  # Columns of the leaderboard's page; its file has all.


def render(
    path: PathLike,
    results: Mapping[str, Any],
    board: Leaderboard,
    by: str,
    *,
    notes: Sequence[str] = (),
    seconds: float = 0,
) -> None:
    """Writes the page of a group.

    Args:
      path: file to write.
      results: what scores.json holds.
      board: the leaderboard that the group is on.
      by: score that it is sorted by.
      notes: sentences on how this was made.
      seconds: that it took.
    """
    scores, names = results['scores'], results['subjects']
    shown = {
        k: v for k, v in scores.items() if score_plots.on_shared_axis(k, v)
    }
    page.render(
        path,
        title=f'{results["method"]} over {len(names)} subjects',
        lede=f'{len(names)} subjects whose '
        + ('simulated' if results['simulated'] else 'measured')
        + f' responses {results["method"]} turned into pictures.',
        method=results['method'],
        simulated=results['simulated'],
        transductive=results['transductive'],
        problems=results['problems'],
        lead=_sentences(scores, by),
        scores={},
        figures=[
            (
                'Subjects',
                'Each subject a dot, their mean with its 95 % interval over '
                'subjects, and chance.',
                strips(shown),
            )
        ]
        if shown
        else [],
        tables=[
            over_subjects(scores, len(names)),
            each_subject(scores, names),
            board_table(board, by),
        ],
        versions=results['versions'],
        fingerprints=results['fingerprints'],
        methods=results['methods'],
        timings={'All': seconds},
        notes=notes,
    )


def render_board(path: PathLike, board: Leaderboard, by: str) -> None:
    """Writes the page of a leaderboard alone."""
    page.render(
        path,
        title='Leaderboard',
        lede=f'{len(board.lines)} group'
        f'{"" if len(board.lines) == 1 else "s"} of subjects, sorted by '
        f'{describe(by).title}.',
        method='',
        simulated=False,
        transductive=False,
        problems=leaderboard.problems(board),
        scores={},
        figures=[],
        tables=[board_table(board, by)],
    )


def _sentences(scores, by):
    """What the score that is sorted by says, for the top of the page."""
    score = scores.get(by)
    if not score or 'significant' not in score:
        return []
    item, n = _item(by, score), score['n']
    value, low, high = (
        decimals(score[key], item.percent) for key in ('value', 'low', 'high')
    )
    return [
        f'{title(by, score)} is {value} over subjects (95 % interval {low} to '
        f'{high}, chance {decimals(score["chance"], item.percent)}, p '
        f'{p_in_words(score["p"])}); {score["significant"]} of {n} subjects '
        f'{"gain" if score.get("paired") else "are above chance"} by '
        'themselves, from which at least '
        f'{in_words(score["prevalence_low"], True)} of such people do.'
    ]


def title(name: str, score: Mapping[str, Any]) -> str:
    """What a score is called, those of `brainjax compare` with its methods."""
    parts = [_item(name, score).title]
    if 'method' in score:
        parts.append(score['method'])
    return ', '.join(parts) + (
        f' less {score["other"]}' if 'other' in score else ''
    )


def _item(name, score):
    return describe(score.get('score', name))


def over_subjects(scores: Mapping[str, Any], n: int) -> page.Table:
    """What `group_scores.combine` found, a row a score."""
    rows = []
    for name, each in scores.items():
        item = _item(name, each)
        value, chance, low, high = (
            decimals(each[key], item.percent)
            for key in ('value', 'chance', 'low', 'high')
        )
        row = [
            title(name, each) + (' (lower is better)' if item.lower else ''),
            *(value, chance, f'{low} to {high}', _crossed(each, item)),
            decimals(each['d']),
            *(p_in_words(each['p']), p_in_words(each['q'])),
        ]
        if 'significant' in each:
            row += [
                f'{each["significant"]} of {n}',
                in_words(each['prevalence_low'], True),
                in_words(each['prevalence_low_minimum'], True),
                p_in_words(each['p_majority']),
            ]
        else:
            row += ['-'] * 4
        rows.append(row)
    columns = (
        *('score', 'mean', 'chance', '95 % interval', 'and pictures'),
        *('d', 'p', 'q'),
        *('significant', 'share at least', 'by the minimum', 'half'),
    )
    return page.Table('Over subjects', ABOUT, columns, rows)


def _crossed(each, item):
    """The interval over subjects and pictures, where there is one."""
    if 'crossed_low' not in each:
        return '-'
    low, high = (
        decimals(each[f'crossed_{k}'], item.percent) for k in ('low', 'high')
    )
    return f'{low} to {high}'


def each_subject(scores: Mapping[str, Any], names: Sequence[str]) -> page.Table:
    """The same subject by subject."""
    rows = [
        [
            title(name, score),
            *(
                f'{decimals(each["value"], _item(name, score).percent)} '
                f'({p_in_words(each["p"])})'
                for each in score['subjects']
            ),
        ]
        for name, score in scores.items()
    ]
    about = ["Each subject's score and, in brackets, its p over pictures."]
    return page.Table('Subject by subject', about, ('score', *names), rows)


def board_table(board: Leaderboard, by: str) -> page.Table:
    """A leaderboard as a table, with the scores that most lines have."""
    names = sorted(
        leaderboard.scored(board.columns),
        key=lambda name: (
            name != by,
            -sum(bool(each.get(name)) for each in board.lines),
        ),
    )[:MOST_SCORES]
    rows = [
        [
            *(each.get(column, '') for column in OF_BOARD),
            *(_with_interval(each, name) for name in names),
        ]
        for each in board.lines
    ]
    about = [
        f'Sorted by {describe(by).title}; means over subjects with 95 % '
        'intervals. Lines compare only where subjects and pictures are the '
        'same: `brainjax compare` says whether two methods differ.',
        *leaderboard.problems(board),
    ]
    columns = (*OF_BOARD, *(describe(name).title for name in names))
    return page.Table('Leaderboard', about, columns, rows)


def _with_interval(line: Mapping[str, str], name: str) -> str:
    """A score of a line, as '84.2 % (80.1 % to 88.3 %)'."""
    if not line.get(name):
        return '-'
    texts = []
    for suffix in ('', '_low', '_high'):
        text = line.get(f'{name}{suffix}', '')
        try:
            texts.append(decimals(float(text), describe(name).percent))
        except ValueError:  # Empty, or written by hand.
            texts.append(text or '-')
    return f'{texts[0]} ({texts[1]} to {texts[2]})'


def strips(scores: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Each subject's score, the mean with its interval, and chance.

    Args:
      scores: of `group_scores.combine`, those of which 1 is the best.
    """
    height = 0.7 + 0.36 * len(scores)
    figure = Figure(figsize=(WIDTH, height), layout='constrained')
    axes = figure.subplots()
    figures.style(axes)
    for y, score in enumerate(scores.values()):
        marks = score_plots.marks(score)
        values = [each['value'] for each in score['subjects']]
        axes.plot(
            [marks['chance']] * 2, [y - 0.32, y + 0.32], color=MUTED,
            linewidth=1.2, label='chance' if y == 0 else None,
        )  # fmt: skip
        axes.plot(
            values, [y] * len(values), 'o', color=COLOURS[5], markersize=4,
            alpha=0.8, label='subject' if y == 0 else None,
        )  # fmt: skip
        axes.plot(
            [marks['low'], marks['high']], [y + 0.2] * 2, color=COLOURS[0],
            linewidth=1.8, label='95 % interval' if y == 0 else None,
        )  # fmt: skip
        axes.plot(marks['value'], y + 0.2, 'D', color=COLOURS[0], markersize=4)
    axes.set_yticks(
        range(len(scores)), [plain(title(*item)) for item in scores.items()]
    )
    axes.tick_params(axis='y', length=0, labelsize=8.5, labelcolor=INK)
    axes.set_ylim(len(scores) - 0.4, -0.6)
    axes.grid(axis='x', color=LINE, linewidth=0.5)
    axes.legend(
        frameon=False, fontsize=7.5, ncols=3, labelcolor=MUTED,
        loc='lower left', bbox_to_anchor=(0, 1), borderaxespad=0.2,
    )  # fmt: skip
    figure.set_label(
        alt_texts.strips(
            {
                title(name, score): [
                    each['value'] for each in score['subjects']
                ]
                for name, score in scores.items()
            }
        )
    )
    return figure

"""Plots of scores: a row of the report's table, and all of them as bars.

A value may be undefined (NaN, which scores.json holds as null), below chance,
beyond the range, or better the lower it is.
"""

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brainjax.evaluation.table.score_table import describe, in_words
from brainjax.reports import alt_texts
from brainjax.reports.figures import (
    COLOURS,
    INK,
    LINE,
    MUTED,
    WIDTH,
    plain,
    style,
)

Scores = Mapping[str, Mapping[str, float]]

_MARKS = ('value', 'chance', 'low', 'high')


def marks(score: Mapping[str, float]) -> dict[str, float]:
    """Value, chance and interval of a score; NaN where undefined."""
    return {
        key: math.nan if score[key] is None else float(score[key])
        for key in _MARKS
    }


def is_lower(name: str, score: Mapping[str, float]) -> bool:
    """Whether lower is better, also of a score that is not in the table."""
    return score.get('better') == 'lower' or describe(name).lower


def places(scores: Scores) -> dict[str, dict[str, float]]:
    """Where the marks of each score lie on the small plots of a table.

    All scores that are better the higher they are, up to a limit, share an
    axis. Each of the others has one of its own, as their units differ: a
    distance from perfect, on the right, to as much worse than chance as
    perfect is better; a score with a nominal value around that; one without a
    limit as far as its marks go.

    Returns:
      Name -> mark -> place in 0..100 from the left; undefined marks lack.
    """
    found = {name: marks(score) for name, score in scores.items()}
    lower = {name: is_lower(name, score) for name, score in scores.items()}
    shared = {name for name in scores if on_shared_axis(name, scores[name])}
    higher = [found[name] for name in shared]
    common = _extent([0, 1, *(x for each in higher for x in each.values())])
    result = {}
    for name, each in found.items():
        left, right = common
        if lower[name]:
            best = _best(name)
            right, left = _extent(
                [best, *each.values(), 2 * each['chance'] - best]
            )
        elif 'nominal' in scores[name]:
            nominal = scores[name]['nominal']
            farthest = np.abs(np.array([0, *each.values()]) - nominal)
            left, right = nominal + np.nanmax(farthest) * np.array([-1, 1])
        elif name not in shared:
            left, right = _extent([0, *each.values()])
        result[name] = {
            key: round(100 * (x - left) / (right - left), 2)
            for key, x in each.items()
            if not math.isnan(x) and left != right
        }
    return result


def on_shared_axis(name: str, score: Mapping[str, float]) -> bool:
    """Whether higher is better and 1 the best."""
    return (
        not is_lower(name, score)
        and 'nominal' not in score
        and math.isfinite(describe(name).best)
    )


def _extent(values: list[float]) -> tuple[float, float]:
    known = [x for x in values if not math.isnan(x)]
    return min(known), max(known)


def _best(name: str) -> float:
    item = describe(name)
    return item.best if item.lower else 0.0


def bars(scores: Scores, axes: Axes | None = None) -> Figure:
    """Each score with its 95 % interval and its own chance.

    Args:
      scores: as returned by `brainjax.evaluation.score`.
      axes: where to draw; by default in a new figure. Scores that are better
        the lower they are then have axes of their own below, from chance to
        perfect; in given axes they are left out. Scores with a nominal value
        or without a limit are left out always.
    """
    higher, lower = {}, {}
    for name, score in scores.items():
        values = marks(score)
        if is_lower(name, score):
            lower[name] = _from_chance(values, _best(name)), score['value']
        elif on_shared_axis(name, score):
            higher[name] = values, score['value']
    panels = [each for each in (higher, lower) if each]
    drawn_scores = [*higher, *lower]
    if axes is not None:
        drawn, panels = [axes], [higher]
    else:
        heights = [0.7 + 0.36 * len(panel) for panel in panels] or [0.7]
        figure = Figure(figsize=(WIDTH, sum(heights)), layout='constrained')
        drawn = figure.subplots(
            len(heights), 1, height_ratios=heights, squeeze=False
        )[:, 0]
    for each, panel in zip(drawn, panels):
        _draw(each, panel)
        if panel is lower:
            each.set_xlabel(
                'share of the way from chance to perfect', size=8, color=INK
            )
    if axes is None:  # A user's own figure shows more.
        figure.set_label(alt_texts.bars({k: scores[k] for k in drawn_scores}))
    return drawn[0].figure


def _from_chance(values: dict[str, float], best: float) -> dict[str, float]:
    """Turns values into shares of the way from chance, 0, to the best, 1."""
    way = values['chance'] - best
    return {
        key: (values['chance'] - x) / way if way else math.nan
        for key, x in values.items()
    }


def _draw(axes: Axes, panel: Mapping[str, tuple[dict, float]]) -> None:
    style(axes)
    for y, (name, (values, text)) in enumerate(panel.items()):
        first = y == 0
        value, chance = values['value'], values['chance']
        axes.plot(
            [chance, value], [y, y], color=LINE, linewidth=7, zorder=1,
            solid_capstyle='butt',
        )  # fmt: skip
        axes.plot(
            [chance, chance], [y - 0.32, y + 0.32], color=MUTED, linewidth=1.2,
            zorder=2, label='chance' if first else None,
        )  # fmt: skip
        axes.plot(
            [values['low'], values['high']], [y, y], color=COLOURS[0],
            linewidth=1.8, zorder=3, label='95 % interval' if first else None,
        )  # fmt: skip
        axes.plot(
            value, y, 'o', color=COLOURS[0], markersize=6, zorder=4,
            clip_on=False, label='score' if first else None,
        )  # fmt: skip
        axes.text(
            1.02, y, in_words(text, describe(name).percent), va='center',
            fontsize=8.5, color=INK, transform=axes.get_yaxis_transform(),
        )  # fmt: skip
    axes.set_yticks(
        range(len(panel)), [plain(describe(name).title) for name in panel]
    )
    axes.tick_params(axis='y', length=0, labelsize=8.5, labelcolor=INK)
    left, right = _extent(
        [0, 1, *(x for values, _ in panel.values() for x in values.values())]
    )
    # No room on the right: the numbers stand there.
    axes.set_xlim(left * 1.05, right)
    axes.set_ylim(len(panel) - 0.4, -0.6)
    axes.spines['left'].set_visible(False)
    axes.grid(axis='x', color=LINE, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.legend(
        frameon=False, fontsize=7.5, ncols=3, labelcolor=MUTED,
        loc='lower left', bbox_to_anchor=(0, 1), borderaxespad=0.2,
    )  # fmt: skip

"""The figure of what people chose, observer by observer and by picture."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from brainjax.evaluation.human import Judged
from brainjax.reports.figures import COLOURS, INK, LINE, MUTED, WIDTH, style


def section(judged: Judged) -> tuple[str, str, Figure]:
    """Returns title, caption and figure for a report."""
    caption = (
        'How often each observer, and on the right each picture, was right. '
        'The dashed line is a guess.'
    )
    if judged.excluded:
        caption += ' Rings are observers who were left out of the score.'
    return 'What people chose', caption, choices(judged)


def choices(judged: Judged) -> Figure:
    """Rates of observers beside those of pictures.

    Args:
      judged: from `human.score`.
    """
    figure = Figure(figsize=(WIDTH, 2.9), layout='constrained')
    left, right = figure.subplots(1, 2)
    kept = sorted(np.nanmean(judged.table, axis=1))
    others = sorted(
        np.mean(list(each.correct.values())) for each in judged.excluded
    )
    places = np.arange(1, len(kept) + len(others) + 1)
    left.plot(places[: len(kept)], kept, 'o', color=COLOURS[0], markersize=5)
    left.plot(
        places[len(kept) :], others, 'o', markersize=5,
        markerfacecolor='none', markeredgecolor=MUTED,
    )  # fmt: skip
    rates = np.sort(np.nanmean(judged.table, axis=0))
    right.plot(
        np.arange(1, len(rates) + 1), rates, 'o', color=COLOURS[0], markersize=3
    )
    for axes, what in ((left, 'observers'), (right, 'pictures')):
        style(axes)
        axes.axhline(0.5, color=MUTED, linewidth=1, linestyle='--')
        axes.set_ylim(-0.04, 1.04)
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=' %'))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis='y', color=LINE, linewidth=0.5)
        axes.set_axisbelow(True)
        axes.set_xlabel(
            f'{what}, from the least often right', fontsize=8.5, color=INK
        )
    left.set_ylabel('chose what was seen', fontsize=8.5, color=INK)
    return figure

"""What noise and the method itself allow, as figures."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from brainjax.evaluation.table.score_table import describe
from brainjax.reports import alt_texts
from brainjax.reports.figures import COLOURS, INK, MUTED, plain, style


def repeat_curves(
    curve: Mapping[str, np.ndarray], ceilings: Mapping[str, float]
) -> Figure:
    """Scores against the number of trials averaged, a panel a score.

    Args:
      curve: of `evaluation.ceilings.curve_arrays`.
      ceilings: SCORE -> what the method reaches without noise, where known.
    """
    names = [name for name in curve if f'{name}_chance' in curve]
    figure = Figure(figsize=(4.2 * len(names), 3.2), layout='constrained')
    figure.set_label(alt_texts.repeat_curves(curve))
    trials = curve['trials']
    for axes, name in zip(
        figure.subplots(1, len(names), squeeze=False)[0], names
    ):
        style(axes)
        axes.fill_between(
            trials, curve[f'{name}_low'], curve[f'{name}_high'],
            color=COLOURS[0], alpha=0.25, linewidth=0,
        )  # fmt: skip
        axes.plot(
            trials, curve[name], color=COLOURS[0], marker='o', markersize=4
        )
        axes.plot(
            trials, curve[f'{name}_chance'], color=MUTED, linewidth=0.8,
            linestyle=':',
        )  # fmt: skip
        if name in ceilings:
            axes.axhline(
                ceilings[name], color=MUTED, linewidth=0.8, linestyle='--'
            )
        axes.set_xscale('log', base=2)
        axes.set_xticks(trials, [f'{x:g}' for x in trials])
        axes.set_xlabel('trials averaged', size=8.5, color=INK)
        axes.set_ylabel(plain(describe(name).title), size=8.5, color=INK)
    return figure

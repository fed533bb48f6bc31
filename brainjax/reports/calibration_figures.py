"""Figures of draws from a posterior: the draws, their ranks, their coverage."""

from collections.abc import Sequence

import numpy as np
import scipy
from matplotlib.figure import Figure

from brainjax.reports import alt_texts
from brainjax.reports.figures import COLOURS, INK, LINE, MUTED, montage, style

SHOWN = 4  # Draws of a picture.


def posterior_montage(
    target: np.ndarray,
    mean: np.ndarray,
    samples: np.ndarray,
    deviation: np.ndarray,
    names: Sequence[str] | None = None,
) -> Figure:
    """What was seen, the mean, some draws, and where the draws differ.

    Args:
      target, mean: [n, height, width, 3], floats in 0..1 or uint8.
      samples: [n, k, height, width, 3], likewise; the first four are shown.
      deviation: [n, height, width] standard deviation of the draws; the
        largest of all is shown white.
      names: [n] what to write under each.
    """
    grey = deviation / max(float(deviation.max()), 1e-9)
    draws = {
        f'draw {i + 1}': samples[:, i]
        for i in range(min(SHOWN, samples.shape[1]))
    }
    sets = {
        'mean': mean,
        **draws,
        'deviation': np.repeat(grey[..., None], 3, axis=-1),
    }
    figure = montage(target, sets, names=names)
    figure.set_label(
        alt_texts.posterior_montage(target, mean, samples, deviation)
    )
    return figure


def rank_histogram(ranks: np.ndarray, draws: int, bins: int = 20) -> Figure:
    """How often the truth stands where among its draws.

    Over all axes, with the range that 95 % of the bars of a calibrated
    posterior lie in if axes are independent. A hump: draws spread too much; a
    hollow: too little; a slope: they lie to one side.

    Args:
      ranks: [n, q] int in 0..draws.
      draws: how many there are of each.
      bins: most bars; ranks are shared out evenly among them.
    """
    bins = min(bins, draws + 1)
    # A rank counts in the bins that its cell of width 1 lies in, by its part.
    edges = np.linspace(0, draws + 1, bins + 1)
    cells = np.clip(
        np.minimum(edges[1:, None], np.arange(1, draws + 2))
        - np.maximum(edges[:-1, None], np.arange(draws + 1)),
        0,
        None,
    )
    counts = cells @ np.bincount(ranks.ravel(), minlength=draws + 1)
    low, high = scipy.stats.binom.ppf([0.025, 0.975], ranks.size, 1 / bins)
    figure = Figure(figsize=(5.4, 3.2), layout='constrained')
    axes = figure.subplots()
    style(axes)
    axes.axhspan(low, high, color=LINE, alpha=0.6, linewidth=0, zorder=0)
    axes.axhline(ranks.size / bins, color=MUTED, linewidth=0.8)
    places = (edges[1:] + edges[:-1]) / 2 / (draws + 1)
    axes.bar(places, counts, width=0.92 / bins, color=COLOURS[0], alpha=0.8)
    axes.set(xlim=(0, 1))
    axes.set_xlabel('rank of the truth among its draws', size=8.5, color=INK)
    axes.set_ylabel('pictures x axes', size=8.5, color=INK)
    figure.set_label(alt_texts.rank_histogram(counts, ranks.size / bins))
    return figure


def coverage_curve(levels: np.ndarray, covered: np.ndarray) -> Figure:
    """Coverage of central intervals against their nominal level.

    Args:
      levels: [m] nominal, in 0..1.
      covered: [n, m] of each picture, NaN where undefined; shown are the mean
        and its 95 % interval over pictures (t).
    """
    covered = covered[~np.isnan(covered).all(axis=1)]
    figure = Figure(figsize=(4.2, 4.0), layout='constrained')
    axes = figure.subplots()
    style(axes)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle='--')
    figure.set_label(alt_texts.coverage_curve((), ()))
    if len(covered):
        there = ~np.isnan(covered).any(axis=0)
        levels, covered = np.asarray(levels)[there], covered[:, there]
        mean = covered.mean(axis=0)
        figure.set_label(alt_texts.coverage_curve(levels, mean))
        if len(covered) > 1:
            half = scipy.stats.sem(covered) * scipy.stats.t.ppf(
                0.975, len(covered) - 1
            )
            axes.fill_between(
                levels, mean - half, mean + half, color=COLOURS[0],
                alpha=0.25, linewidth=0,
            )  # fmt: skip
        axes.plot(levels, mean, color=COLOURS[0], marker='o', markersize=3)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_xlabel('nominal', size=8.5, color=INK)
    axes.set_ylabel('values covered', size=8.5, color=INK)
    return figure

"""A recording on one page: voxels, reliability, repeats, pictures."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brainjax.recordings import Recording, Trials, description, reliability
from brainjax.reports.figures import (
    COLOURS,
    INK,
    LINE,
    MUTED,
    WIDTH,
    plain,
    style,
)

_PICTURES = 8  # Of the training and as many of the test stimuli.
_MOST = 24  # ROIs drawn at the most.


def draw(recording: Recording, summary: Mapping[str, Any]) -> Figure:
    """Draws what `inspection.summary` counts.

    Args:
      recording: any.
      summary: its summary.

    Returns:
      A figure with the voxels of each ROI, the distribution of the noise
      ceiling over voxels by ROI (where stimuli were repeated), the repeats of
      the stimuli and, where there are pictures, some of them.
    """
    rois = dict(list(recording.rois.items())[:_MOST])
    pictures = recording.stimuli.images is not None
    tall = max(2.4, 0.7 + 0.22 * len(rois))
    figure = Figure(
        figsize=(WIDTH, tall + 2.5 * pictures + 0.4), layout='constrained'
    )
    rows = [tall, 2.5][: 1 + pictures]
    figures = figure.subfigures(len(rows), 1, height_ratios=rows, squeeze=False)
    voxels, reliable, repeats = figures[0, 0].subplots(1, 3)
    _bars(voxels, {name: int(mask.sum()) for name, mask in rois.items()})
    _reliability(reliable, recording, rois)
    _repeats(repeats, recording)
    if pictures:
        _pictures(figures[1, 0], recording)
    figure.suptitle(
        f'{plain(summary["subject"])}{" (simulated)" * summary["simulated"]}: '
        f'{summary["trials"]["train"]} training and '
        f'{summary["trials"]["test"]} test trials, {summary["voxels"]} voxels',
        fontsize=10,
        color=INK,
    )
    return figure


def _title(axes: Axes, text: str, across: str) -> None:
    style(axes)
    axes.set_title(text, loc='left', fontsize=8.5, color=INK)
    axes.set_xlabel(across, fontsize=7.5, color=MUTED)


def _bars(axes: Axes, counts: Mapping[str, int]) -> None:
    _title(axes, 'voxels by ROI', 'voxels')
    names = [*counts][::-1]
    counted = [counts[name] for name in names]
    axes.barh([plain(name) for name in names], counted, color=COLOURS[0])
    if not counts:
        _note(axes, 'no ROIs')


def _reliability(
    axes: Axes, recording: Recording, rois: Mapping[str, np.ndarray]
) -> None:
    """Draws one strip of the histogram of the noise ceiling for each ROI."""
    found = description.repeated_trials(recording)
    if found is None:
        _title(axes, 'reliability', 'noise ceiling')
        _note(axes, 'no stimulus was repeated')
        return
    part, trials = found
    _, count = np.unique(trials.stimulus, return_counts=True)
    ceiling = reliability.noise_ceiling_from_repeats(trials, count)
    word = {'train': 'training', 'test': 'test'}[part]
    _title(
        axes,
        f'reliability, from {word} trials',
        f'noise ceiling of averages of {count.mean():.3g}',
    )
    whole = {'all voxels': np.ones(len(ceiling), bool)}
    groups = {name: m for name, m in {**whole, **rois}.items() if m.any()}
    edges = np.linspace(0, 1, 31)
    for i, (name, mask) in enumerate(reversed(groups.items())):
        height, _ = np.histogram(ceiling[mask], edges)
        colour = COLOURS[1] if name == 'all voxels' else COLOURS[0]
        axes.stairs(
            i + 0.85 * height / max(1, height.max()),
            edges,
            baseline=i,
            fill=True,
            color=colour,
        )
        axes.plot(
            [np.median(ceiling[mask])] * 2, [i, i + 0.85], color=INK, lw=1
        )
    axes.set_yticks(
        np.arange(len(groups)) + 0.3, [plain(name) for name in groups][::-1]
    )
    axes.set_xlim(0, 1)


def _repeats(axes: Axes, recording: Recording) -> None:
    _title(axes, 'repeats', 'trials of a stimulus')
    for i, part in enumerate(('train', 'test')):
        trials: Trials = getattr(recording, part)
        _, count = np.unique(trials.stimulus, return_counts=True)
        repeats, stimuli = np.unique(count, return_counts=True)
        axes.bar(
            repeats + 0.4 * (i - 0.5),
            stimuli,
            0.4,
            color=COLOURS[i],
            label=('training', 'test')[i],
        )
    axes.set_ylabel('stimuli', fontsize=7.5, color=MUTED)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(frameon=False, fontsize=7, labelcolor=INK)


def _pictures(figure, recording: Recording) -> None:
    """Shows pictures spread evenly over those of training and of test."""
    grid = figure.subplots(2, _PICTURES)
    for row, (part, word) in zip(
        grid, (('train', 'training'), ('test', 'test'))
    ):
        shown = np.unique(getattr(recording, part).stimulus)
        n = min(len(shown), _PICTURES)
        chosen = shown[np.linspace(0, len(shown) - 1, n).astype(int)]
        for axes in row:
            axes.set_axis_off()
        for axes, i in zip(row, chosen):
            axes.imshow(recording.stimuli.images[i], interpolation='nearest')
            name = recording.stimuli.names[i]
            name = name if len(name) < 15 else f'{name[:13]}…'
            axes.set_title(plain(name), fontsize=6, color=MUTED, pad=2)
        row[0].set_title(
            f'{word}\n{row[0].get_title()}', fontsize=6, color=INK, pad=2
        )


def _note(axes: Axes, text: str) -> None:
    axes.text(
        0.5, 0.5, text, ha='center', va='center', fontsize=8, color=MUTED,
        transform=axes.transAxes,
    )  # fmt: skip
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_color(LINE)

"""Figures of what a fitted encoder shows of voxels and regions."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from brainjax.evaluation.voxels.receptive_fields import (
    Fields,
    Preference,
    polar,
)
from brainjax.reports import alt_texts
from brainjax.reports.figures import (
    COLOURS,
    INK,
    LINE,
    MUTED,
    plain,
    regions,
    style,
)


def receptive_fields(
    fields: Fields,
    preference: Preference,
    layers: Sequence[str],
    rois: Mapping[str, np.ndarray],
) -> Figure:
    """Where the voxels of each region look, how widely, and in which layers.

    Args:
      fields, preference: from `evaluation.receptive_fields`.
      layers: names of the branches.
      rois: name -> [voxels] bool; a voxel counts for the first that has it.
    """
    groups = regions(len(fields.size), rois)
    figure = Figure(figsize=(9.2, 3.2), layout='constrained')
    where, size, depth = figure.subplots(1, 3)
    eccentricity, _ = polar(fields.centre)
    for i, (name, mask) in enumerate(groups.items()):
        colour = COLOURS[i % len(COLOURS)]
        known = mask & fields.located
        where.scatter(
            *fields.centre[known].T, s=5, alpha=0.5, linewidths=0, color=colour,
            label=plain(name),
        )  # fmt: skip
        size.scatter(
            eccentricity[known], fields.size[known], s=5, alpha=0.3,
            linewidths=0, color=colour,
        )  # fmt: skip
        size.plot(*trend(eccentricity[known], fields.size[known]), color=colour)
    where.set(xlim=(0, 1), ylim=(1, 0), aspect='equal', xticks=(), yticks=())
    where.set_title('centres in the picture', size=8.5, color=INK)
    _name_colours(figure, where)
    size.set_xlabel('eccentricity (picture widths)')
    size.set_ylabel('size (s.d., picture widths)')
    left = np.zeros(len(groups))
    for b, layer in enumerate(layers):
        share = np.array(
            [np.nanmean(preference.share[b][mask]) for mask in groups.values()]
        )
        grey = str(0.25 + 0.6 * b / max(1, len(layers) - 1))
        depth.barh(
            range(len(groups)), share, left=left, color=grey, label=plain(layer)
        )
        left += share
    depth.set_yticks(range(len(groups)), map(plain, groups))
    depth.invert_yaxis()
    depth.set_xlabel('share of the response')
    depth.legend(
        frameon=False, fontsize=7, labelcolor=INK, ncols=len(layers),
        loc='lower left', bbox_to_anchor=(0, 1), borderaxespad=0.2,
        handlelength=1, columnspacing=1,
    )  # fmt: skip
    _finish(where, size, depth)
    figure.set_label(
        alt_texts.receptive_fields(fields.size, fields.located, groups)
    )
    return figure


def recovered(
    fields: Fields,
    centre: np.ndarray,
    size: np.ndarray,
    rois: Mapping[str, np.ndarray],
) -> Figure:
    """Estimated receptive fields against the truth of a simulated subject.

    Args:
      fields: as estimated.
      centre: [voxels, 2] true centres, and
      size: [voxels] true sizes, in picture widths.
      rois: name -> [voxels] bool.
    """
    groups = regions(len(size), rois)
    figure = Figure(figsize=(9.2, 3.2), layout='constrained')
    panels = figure.subplots(1, 3)
    for axes, what, true, estimated in (
        (panels[0], 'x', centre[:, 0], fields.centre[:, 0]),
        (panels[1], 'y', centre[:, 1], fields.centre[:, 1]),
        (panels[2], 'size', size, fields.size),
    ):
        for i, (name, mask) in enumerate(groups.items()):
            mask = mask & fields.located
            axes.scatter(
                true[mask], estimated[mask], s=5, alpha=0.5, linewidths=0,
                color=COLOURS[i % len(COLOURS)], label=plain(name),
            )  # fmt: skip
        high = 1 if what != 'size' else np.nanmax([*size, *fields.size]) * 1.02
        axes.plot([0, high], [0, high], color=MUTED, linewidth=0.8)
        axes.set(xlim=(0, high), ylim=(0, high))
        unit = 's.d., picture widths' if what == 'size' else 'picture widths'
        axes.set_xlabel(f'true {what} ({unit})')
    panels[0].set_ylabel('estimated')
    _name_colours(figure, panels[0])
    _finish(*panels)
    return figure


def _name_colours(figure, axes):
    """Puts the legend of one panel above all, where no data lie."""
    figure.legend(
        *axes.get_legend_handles_labels(), frameon=False, fontsize=7,
        markerscale=2, labelcolor=INK, loc='outside upper left', ncols=10,
        handlelength=1, columnspacing=1,
    )  # fmt: skip


def trend(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Medians of x and y in fifths of x; equal x stay in one part.

    Args:
      x, y: [voxels]; those that are not finite are left out. Of less than ten
        there is no trend.
    """
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    if len(x) < 10:
        return x[:0], y[:0]
    part = np.searchsorted(np.quantile(x, [0.2, 0.4, 0.6, 0.8]), x, 'right')
    parts = [part == p for p in np.unique(part)]
    return tuple(
        np.array([np.median(values[p]) for p in parts]) for values in (x, y)
    )


def _finish(*panels):
    for axes in panels:
        style(axes)
        for axis in (axes.xaxis, axes.yaxis):
            axis.label.set(fontsize=8.5, color=INK)
    panels[0].spines[['left', 'bottom']].set_color(LINE)

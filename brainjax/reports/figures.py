"""Figures of a report. They return Matplotlib figures and show nothing.

No function touches pyplot or any other global state, so that they work
without a display and together with a user's own plots.
"""

import base64
import io
import math
import re
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brainjax.errors import InputError
from brainjax.io import files
from brainjax.io.files import PathLike
from brainjax.reports import alt_texts

INK, MUTED, LINE = '#22262b', '#6a7079', '#d5d8dc'
# Okabe and Ito's colours, which colour-blind readers can distinguish.
COLOURS = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9')
WIDTH = 9.2


def to_png_base64(figure: Figure, dpi: int = 150) -> str:
    """Returns a figure as the base64 text of a PNG file."""
    stream = io.BytesIO()
    figure.savefig(stream, format='png', dpi=dpi, metadata={'Software': None})
    return base64.b64encode(stream.getvalue()).decode('ascii')


def save_png(figure: Figure, path: PathLike, dpi: int = 150) -> None:
    """Writes a figure as a PNG file, whole or not at all."""
    with files.atomic(path) as temporary:
        figure.savefig(
            temporary, format='png', dpi=dpi, metadata={'Software': None}
        )


def plain(text: str) -> str:
    """Returns a name as Matplotlib draws it letter by letter.

    Between dollar signs it would read formulas, and a legend leaves out what
    begins with an underscore.
    """
    text = text.encode('utf-8', 'replace').decode().replace('$', r'\$')
    return f' {text}' if text.startswith('_') else text


def montage(
    target: np.ndarray,
    reconstructions: np.ndarray | Mapping[str, np.ndarray],
    names: Sequence[str] | None = None,
    columns: int | None = None,
    first: str = 'seen',
) -> Figure:
    """Targets next to their reconstructions, picture by picture.

    Args:
      target: [n, height, width, 3] the pictures, floats in 0..1 or uint8.
      reconstructions: pictures of the same shape, or several sets of them by
        label, shown from left to right.
      names: [n] what to write under each group, or None.
      columns: how many groups of pictures to a row; by default chosen so that
        the pictures are not too small.
      first: what to write above the pictures of `target`.
    """
    if not isinstance(reconstructions, Mapping):
        reconstructions = {'reconstructed': reconstructions}
    sets = {first: target, **reconstructions}
    for label, images in sets.items():
        if np.shape(images) != np.shape(target):
            raise InputError(
                f'the pictures {label!r} have shape {np.shape(images)} and '
                f'those that were seen {np.shape(target)}; give one a picture, '
                'of the same size.'
            )
    n, height, width, _ = np.shape(target)
    columns = min(n, columns or max(1, 10 // len(sets)))
    rows = math.ceil(n / columns)
    # In units of a picture's width.
    gap, margin, label_height = 0.04, 0.22, 0.2 if names is not None else 0.06
    picture = height / width
    group = len(sets) * (1 + gap) - gap
    across = columns * (group + margin) - margin
    down = rows * (picture + label_height + 0.06)
    inch = min(WIDTH / across, 1.9)
    top = 0.28 / inch
    figure = Figure(figsize=(inch * across, inch * (down + top)))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, across), ylim=(down, -top))
    for i in range(n):
        row, column = divmod(i, columns)
        y = row * (picture + label_height + 0.06)
        x = column * (group + margin)
        for place, (label, images) in enumerate(sets.items()):
            left = x + place * (1 + gap)
            axes.imshow(
                np.clip(images[i], 0, 255 if images.dtype == np.uint8 else 1),
                extent=(left, left + 1, y + picture, y),
                interpolation='nearest',
                aspect='auto',
            )
            if row == 0:
                axes.text(
                    left + 0.5,
                    -0.3 * top,
                    plain(label),
                    ha='center',
                    va='center',
                    size=8,
                    color=INK if place else MUTED,
                )
        if names is not None:
            axes.text(
                x + group / 2,
                y + picture + label_height / 2,
                plain(_shorten(names[i], 12 * len(sets))),
                ha='center',
                va='center',
                size=7,
                color=MUTED,
            )
    axes.set(xlim=(0, across), ylim=(down, -top))
    figure.set_label(alt_texts.montage(target, reconstructions))
    return figure


def picture_grid(
    images: np.ndarray,
    labels: Sequence[str] | None = None,
    titles: Sequence[str] | None = None,
) -> Figure:
    """Pictures in a grid.

    Args:
      images: [rows, columns, height, width, 3], floats in 0..1 or uint8.
      labels: [rows] what to write beside each row.
      titles: [columns] what to write above each column.
    """
    down, across, height, width, _ = images.shape
    gap = 0.04
    left = 1.0 if labels is not None else 0.0
    top = 0.22 if titles is not None else 0.0
    picture = height / width
    total = left + across * (1 + gap) - gap
    tall = top + down * (picture + gap) - gap
    inch = min(WIDTH / total, 1.2)
    figure = Figure(figsize=(inch * total, inch * tall))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    top_value = 255 if images.dtype == np.uint8 else 1
    for row in range(down):
        y = top + row * (picture + gap)
        for column in range(across):
            x = left + column * (1 + gap)
            axes.imshow(
                np.clip(images[row, column], 0, top_value),
                extent=(x, x + 1, y + picture, y),
                interpolation='nearest',
                aspect='auto',
            )
            if row == 0 and titles is not None:
                axes.text(
                    x + 0.5, top / 2, plain(titles[column]), ha='center',
                    va='center', size=7.5, color=MUTED,
                )  # fmt: skip
        if labels is not None:
            axes.text(
                left - 0.1, y + picture / 2, plain(labels[row]), ha='right',
                va='center', size=8, color=INK,
            )  # fmt: skip
    axes.set(xlim=(0, total), ylim=(tall, 0))
    figure.set_label(alt_texts.picture_grid(images, labels))
    return figure


def _shorten(name, length):
    name = str(name)
    return name if len(name) <= length else name[: length - 1] + '…'


def loss_curves(history: Sequence[Mapping[str, float]]) -> Figure:
    """One small panel for each quantity that training recorded.

    Args:
      history: records with 'epoch' and any named scalars; a record may lack
        some of them. Names that differ only by the prefix 'train_' or
        'validation_' share a panel.
    """
    curves = {}
    for record in history:
        for name, value in record.items():
            if name != 'epoch' and _is_number(value):
                curves.setdefault(name, []).append((record['epoch'], value))
    panels = {}
    for name in curves:
        part, _, rest = name.partition('_')
        if part not in ('train', 'validation'):
            part, rest = 'train', name
        panels.setdefault(rest, {})[part] = name
    across = min(3, max(1, len(panels)))
    down = max(1, math.ceil(len(panels) / across))
    figure = Figure(
        figsize=(WIDTH * max(across, 2) / 3, 2.1 * down), layout='constrained'
    )
    grid = figure.subplots(down, across, squeeze=False)
    for axes, (title, parts) in zip(grid.flat, panels.items()):
        style(axes)
        for part, name in parts.items():
            epochs, values = np.transpose(sorted(curves[name]))
            axes.plot(
                epochs,
                values,
                color=COLOURS[part == 'validation'],
                linewidth=1.4,
                marker='o' if len(epochs) < 15 else None,
                markersize=2.5,
                label=part,
            )
        values = np.concatenate(
            [[value for _, value in curves[name]] for name in parts.values()]
        )
        if values.min() > 0 and values.max() > 20 * values.min():
            axes.set_yscale('log')
        if len(parts) > 1:
            axes.legend(frameon=False, fontsize=7, labelcolor=INK)
        axes.set_title(
            title.replace('_', ' '), loc='left', fontsize=8.5, color=INK
        )
        axes.set_xlabel('epoch', fontsize=7.5, color=MUTED)
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_axis_off()
    figure.set_label(alt_texts.loss_curves(curves))
    return figure


def _is_number(value):
    try:
        return math.isfinite(value)
    except TypeError:
        return False


def voxel_correlation(
    correlation: np.ndarray,
    noise_ceiling: np.ndarray | None = None,
    rois: Mapping[str, np.ndarray] | None = None,
) -> Figure:
    """How well the encoder predicts each voxel, against its noise ceiling.

    Args:
      correlation: [voxels] of predicted and measured test responses.
      noise_ceiling: [voxels] highest correlation a perfect model could reach;
        without it a histogram is drawn.
      rois: name -> [voxels] bool, to colour voxels by the first region that
        holds them.
    """
    figure = Figure(figsize=(5.4, 4.2), layout='constrained')
    axes = figure.subplots()
    style(axes)
    correlation = np.asarray(correlation)
    groups = regions(len(correlation), rois or {})
    colours = [COLOURS[i % len(COLOURS)] for i in range(len(groups))]
    labels = [
        f'{plain(name)} ({mask.sum()}), median '
        f'{np.nanmedian(correlation[mask]):.2f}'
        for name, mask in groups.items()
    ]
    if noise_ceiling is None:
        axes.hist(
            [correlation[mask] for mask in groups.values()],
            bins=40,
            stacked=True,
            color=colours,
            label=labels,
        )
        axes.axvline(0, color=MUTED, linewidth=0.8)
        axes.set_xlabel('correlation of predicted and measured responses')
        axes.set_ylabel('voxels')
    else:
        for (_, mask), colour, label in zip(groups.items(), colours, labels):
            axes.scatter(
                np.asarray(noise_ceiling)[mask], correlation[mask], s=7,
                alpha=0.55, linewidths=0, color=colour, label=label,
            )  # fmt: skip
        low = min(0, np.nanmin(correlation))
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle='--')
        axes.set(xlim=(0, 1), ylim=(low - 0.03, 1))
        axes.set_xlabel('noise ceiling')
        axes.set_ylabel('correlation of predicted and measured responses')
    axes.legend(frameon=False, fontsize=7.5, labelcolor=INK)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set(fontsize=8.5, color=INK)
    figure.set_label(
        alt_texts.voxel_correlation(correlation, noise_ceiling, groups)
    )
    return figure


def regions(
    voxels: int, rois: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Returns masks that do not overlap, V1 to V4 first.

    Other regions follow as they are given; voxels of no region come last.

    Args:
      voxels: how many there are.
      rois: region -> [voxels] bool; of two that overlap the first takes all.
    """
    left = np.ones(voxels, bool)
    early = re.compile(r'V[1-4]\w*')
    groups = {}
    for name, mask in rois.items():
        if (left & mask).any():
            groups[name] = left & mask
            left &= ~mask
    visual = sorted(name for name in groups if early.fullmatch(name))
    groups = {name: groups[name] for name in [*visual, *groups]}
    if left.any():
        groups['other voxels' if groups else 'voxels'] = left
    return groups


def style(axes: Axes) -> None:
    """Gives axes the look of all figures."""
    for side in ('top', 'right'):
        axes.spines[side].set_visible(False)
    for side in ('bottom', 'left'):
        axes.spines[side].set_color(LINE)
    axes.tick_params(which='both', labelsize=7.5, color=LINE, labelcolor=MUTED)

"""What a figure shows, in numbers: for those who hear a report, or search it.

A drawing of this package gives its figure such a text as a label
(`figure.set_label`), and a page writes it as the picture's alt text.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from brainjax.evaluation import pixels
from brainjax.evaluation.table.score_table import describe, in_words, is_defined
from brainjax.linear import correlation


def montage(target: np.ndarray, sets: Mapping[str, np.ndarray]) -> str:
    """Pictures [n, height, width, 3] beside sets of the same shape."""
    n, height, width, _ = np.shape(target)
    parts = [
        f'{label}: pixel correlation {_spread(_correlations(target, images))}'
        for label, images in sets.items()
    ]
    return f'{n} pictures of {width} by {height} pixels. {". ".join(parts)}.'


def picture_grid(images: np.ndarray, labels: Sequence[str] | None) -> str:
    """Pictures [rows, columns, height, width, 3], rows perhaps labelled."""
    rows, columns, height, width, _ = images.shape
    light = pixels.unit_range(images).mean(axis=(1, 2, 3, 4))
    names = labels or [f'row {i + 1}' for i in range(rows)]
    parts = [f'{name} {value:.2f}' for name, value in zip(names, light)]
    return (
        f'{rows} rows of {columns} pictures of {width} by {height} pixels; '
        f'mean brightness, of 1, {", ".join(parts)}.'
    )


def posterior_montage(
    target: np.ndarray,
    mean: np.ndarray,
    samples: np.ndarray,
    deviation: np.ndarray,
) -> str:
    """What `calibration_figures.posterior_montage` takes."""
    text = montage(
        target, {'mean of the draws': mean, 'first draw': samples[:, 0]}
    )
    return (
        f'{text} {samples.shape[1]} draws a picture; their standard deviation '
        f'{_spread(deviation.mean(axis=(1, 2)))}.'
    )


def loss_curves(curves: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """(epoch, value) of each quantity."""
    parts = []
    for name, points in curves.items():
        epochs, values = np.transpose(sorted(points))
        parts.append(
            f'{name.replace("_", " ")} from {values[0]:.3g} in epoch '
            f'{epochs[0]:g} to {values[-1]:.3g} in epoch {epochs[-1]:g}'
        )
    return f'{"; ".join(parts) or "0 quantities were recorded"}.'


def voxel_correlation(
    found: np.ndarray,
    noise_ceiling: np.ndarray | None,
    groups: Mapping[str, np.ndarray],
) -> str:
    """Of [voxels], by the masks of regions."""
    parts = [
        f'{name}, {mask.sum()} voxels: correlation {_spread(found[mask])}'
        + (
            ''
            if noise_ceiling is None
            else f', noise ceiling {_spread(np.asarray(noise_ceiling)[mask])}'
        )
        for name, mask in groups.items()
    ]
    return f'{"; ".join(parts)}.'


def receptive_fields(
    size: np.ndarray, located: np.ndarray, groups: Mapping[str, np.ndarray]
) -> str:
    """Of [voxels] sizes and whether each was located, by region."""
    parts = [
        f'{name}: {(mask & located).sum()} of {mask.sum()} voxels are located, '
        f'their size in picture widths {_spread(size[mask & located])}'
        for name, mask in groups.items()
    ]
    return f'{"; ".join(parts)}.'


def rank_histogram(counts: np.ndarray, expected: float) -> str:
    """Counts [bins] and what a calibrated posterior has in each."""
    lowest, middle, highest = counts[0], counts[len(counts) // 2], counts[-1]
    return (
        f'{len(counts)} bars from the lowest to the highest rank, expected '
        f'{expected:.3g} each: {lowest:.3g} in the first, {middle:.3g} in the '
        f'middle, {highest:.3g} in the last; {counts.min():.3g} in the '
        f'emptiest, {counts.max():.3g} in the fullest.'
    )


def coverage_curve(levels: Sequence[float], covered: Sequence[float]) -> str:
    """Nominal levels and the share of values covered."""
    parts = [
        f'the {100 * level:.0f} % interval covers {100 * share:.0f} %'
        for level, share in zip(levels, covered)
    ]
    return f'{", ".join(parts) or "0 levels are defined"}.'


def repeat_curves(curve: Mapping[str, np.ndarray]) -> str:
    """Scores from averages of so many trials, see `ceilings.curve_arrays`."""
    return '; '.join(
        f'{name}, '
        + ', '.join(
            f'{trials:g} trials {value:.3f}'
            for trials, value in zip(curve['trials'], curve[name])
        )
        for name in curve
        if f'{name}_chance' in curve
    )


def bars(scores: Mapping[str, Mapping[str, float]]) -> str:
    """Every score with its interval and chance."""
    parts = []
    for name, score in scores.items():
        item = describe(name)
        value, low, high, chance = (
            in_words(score[key], item.percent)
            if is_defined(score[key])
            else 'not defined'
            for key in ('value', 'low', 'high', 'chance')
        )
        parts.append(f'{item.title} {value}, {low} to {high}, chance {chance}')
    return f'{len(scores)} scores. {"; ".join(parts)}.'


def sorted_bars(values: np.ndarray) -> str:
    """Gains [n] of one method on another."""
    return (
        f'{len(values)} pictures, difference {_spread(values)}, mean '
        f'{np.mean(values):+.3f}; above 0 in {(values > 0).sum()}.'
    )


def strips(values: Mapping[str, Sequence[float]]) -> str:
    """Title of a score -> what each subject scored."""
    parts = [f'{title} {_spread(each)}' for title, each in values.items()]
    return f'{len(values)} scores. {"; ".join(parts)}.'


def choices(observers: np.ndarray, pictures: np.ndarray, left_out: int) -> str:
    """Rates of [observers] and of [pictures]; observers that do not count."""
    return (
        f'{len(observers)} observers, rate {_spread(observers)}; '
        f'{len(pictures)} pictures, rate {_spread(pictures)}; {left_out} '
        'observers left out.'
    )


def _correlations(target, images):
    """[n] of pictures with their reconstructions; NaN of a plain one."""
    return np.array(
        [
            correlation.patterns(
                *(np.float64(image).ravel() for image in pair), constant=np.nan
            )
            for pair in zip(target, images)
        ]
    )


def _spread(values: np.ndarray) -> str:
    """'0.71 in the median, 0.32 to 0.88'."""
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return 'not defined (0 values)'
    low, median, high = np.quantile(values, [0, 0.5, 1])
    return f'{median:.2f} in the median, {low:.2f} to {high:.2f}'

"""How reliable each voxel is, from stimuli that were shown more than once.

All functions take trials, so the caller decides which repeats are looked at.
What weights voxels while fitting should come from `recording.train`: repeats
of the test stimuli are test data, and so are published values made from them
(`recording.snr`).
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from brainjax.errors import InputError
from brainjax.recordings.on_disk import rows_at_once, stimulus_blocks
from brainjax.recordings.recording import Trials
from brainjax.recordings.transforms import take_trials


def snr_from_repeats(trials: Trials) -> np.ndarray:
    """Signal-to-noise ratio of each voxel.

    The variance over stimuli of the responses averaged over repeats, divided
    by the mean over stimuli of the variance across repeats:

      var_s(mean_r y[s, r]) / mean_s(var_r y[s, r])

    Both variances divide by n, and the noise left in the average is not
    taken off, as in the published values for 'fMRI on ImageNet' (Beliy et
    al. 2019, Gaziv et al. 2022). Stimuli shown once are left out.

    Returns:
      [voxels] float32; infinite where repeats do not differ at all.
    """
    averaged, within, _ = _repeats(trials)
    with np.errstate(divide='ignore', invalid='ignore'):
        return averaged.var(axis=0) / within.mean(axis=0)


def ncsnr_from_repeats(trials: Trials) -> np.ndarray:
    """Noise ceiling signal-to-noise ratio of each voxel.

    The standard deviation of the signal over stimuli divided by that of the
    noise over repeats, ncsnr = s / n (Allen et al. 2022, NSD).
    Both variances are estimated without bias; a negative s^2 counts as 0.

    Args:
      trials: with repeats; the number may differ between stimuli.

    Returns:
      [voxels] float32; infinite where repeats do not differ at all.
    """
    averaged, within, count = _repeats(trials)
    noise = (within * count[:, None]).sum(axis=0) / (count - 1).sum()
    signal = averaged.var(axis=0, ddof=1) - noise * (1 / count).mean()
    signal = np.maximum(signal, 0)  # Unbiased, and so negative by chance.
    with np.errstate(divide='ignore', invalid='ignore'):
        ratio = np.where(signal > 0, np.sqrt(signal / noise), 0)
    return ratio.astype(np.float32)


def noise_ceiling_from_ncsnr(
    ncsnr: np.ndarray, repeats_averaged: ArrayLike
) -> np.ndarray:
    """Highest correlation a perfect model reaches with averaged responses.

    The correlation of the noiseless response with the average of n repeats is

      sqrt(s^2 / (s^2 + n^2 / repeats)) = sqrt(1 / (1 + m / ncsnr^2))

    with m = 1 / repeats; its square is the explainable variance of Allen et
    al. 2022. Where stimuli differ in repeats, m is the mean of theirs.

    Args:
      ncsnr: [voxels] from `ncsnr_from_repeats`, or as NSD publishes it.
      repeats_averaged: the repeats in each average that is predicted, one
        number or one a stimulus.

    Returns:
      [voxels] float32 in 0..1.
    """
    m = np.mean(1 / np.asarray(repeats_averaged, np.float64))
    with np.errstate(divide='ignore'):
        noise = m / np.square(np.asarray(ncsnr, np.float64))
    return np.sqrt(1 / (1 + noise)).astype(np.float32)


def noise_ceiling_from_repeats(
    trials: Trials, repeats_averaged: ArrayLike
) -> np.ndarray:
    """The noise ceiling that repeats show; see `noise_ceiling_from_ncsnr`.

    Args:
      trials: with repeats; the number may differ between stimuli.
      repeats_averaged: the repeats in the average that is predicted.

    Returns:
      [voxels] float32 in 0..1.
    """
    return noise_ceiling_from_ncsnr(
        ncsnr_from_repeats(trials), repeats_averaged
    )


def split_half(trials: Trials, splits: int = 20, seed: int = 0) -> np.ndarray:
    """Split-half reliability with the Spearman-Brown correction.

    The repeats of every stimulus are divided at random into two halves (one
    repeat of an odd number is left out), each half is averaged, and the two
    are correlated over stimuli. The mean correlation r of several divisions
    is corrected to the reliability of the average of all repeats, the squared
    correlation a perfect model would reach with it:

      k r / (1 + (k - 1) |r|)

    where k is how many times more repeats there are than in a half: 2 of an
    even number, 3 of three repeats, 5 / 2 of five. The modulus keeps voxels
    without signal, where r may be negative, in -1..1.

    Args:
      trials: with repeats.
      splits: how many random divisions are averaged.

    Returns:
      [voxels] float32 in -1..1.
    """
    trials = _repeated(trials)
    _, place, count = np.unique(
        trials.stimulus, return_inverse=True, return_counts=True
    )
    first = np.cumsum(count) - count
    random = np.random.default_rng(seed)
    rank = np.empty((splits, len(trials)), np.int64)
    for turn in rank:
        # By stimulus, in random order within each.
        order = np.lexsort((random.random(len(trials)), place))
        turn[order] = np.arange(len(trials)) - first[place[order]]
    half = (count // 2)[place]
    r = _half_correlations(
        trials, (rank < half, (rank >= half) & (rank < 2 * half))
    ).mean(axis=0)
    # Noise of an average goes with 1 / n, so that its mean over stimuli counts.
    k = (1 / (count // 2)).mean() / (1 / count).mean()
    return (k * r / (1 + (k - 1) * np.abs(r))).astype(np.float32)


def _half_correlations(
    trials: Trials, halves: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Correlates the averages of two halves of the repeats over stimuli.

    The trials are read once, for all divisions.

    Args:
      trials: with repeats.
      halves: [splits, trials] bool; each holds trials of every stimulus.

    Returns:
      [splits, voxels]; 0 where an average is constant.
    """
    sums = np.zeros((5, len(halves[0]), trials.fmri.shape[1]))
    shift, stimuli = None, 0
    for _, rows, start in stimulus_blocks(
        trials.stimulus, rows_at_once(trials.fmri)
    ):
        fmri = trials.fmri[rows].astype(np.float64)
        if shift is None:  # Near the mean, so that no digits cancel.
            shift = fmri[0].copy()
        fmri -= shift
        stimuli += len(start)
        for split in range(len(halves[0])):
            a, b = (_average(fmri, half[split, rows], start) for half in halves)
            products = (a, b, a * a, b * b, a * b)
            for total, values in zip(sums[:, split], products):
                total += values.sum(axis=0)
    a, b, aa, bb, ab = sums / stimuli
    # What rounding leaves of a constant average is no variance.
    va, vb = (
        np.where(square - mean**2 > 1e-12 * square, square - mean**2, 0)
        for mean, square in ((a, aa), (b, bb))
    )
    scale = np.sqrt(va * vb)
    return np.divide(ab - a * b, scale, out=np.zeros_like(ab), where=scale > 0)


def _average(
    fmri: np.ndarray, chosen: np.ndarray, start: np.ndarray
) -> np.ndarray:
    """Averages the chosen trials of each stimulus; see `stimulus_blocks`."""
    count = np.add.reduceat(chosen, start, dtype=np.int64)
    total = np.add.reduceat(fmri[chosen], np.cumsum(count) - count, axis=0)
    return total / count[:, None]


def by_roi(
    values: np.ndarray, rois: Mapping[str, np.ndarray]
) -> dict[str, dict[str, float]]:
    """Sums values up by region of interest.

    Args:
      values: [voxels], of which only the finite ones count.
      rois: region of interest -> [voxels] bool.

    Returns:
      {'all voxels' and each ROI that holds a finite value: {'median', 'p90'}},
      where p90 is the 90th percentile.
    """
    whole = {'all voxels': np.ones(len(values), bool)}
    finite = np.isfinite(values)
    return {
        name: {
            'median': float(np.median(values[mask & finite])),
            'p90': float(np.percentile(values[mask & finite], 90)),
        }
        for name, mask in {**whole, **rois}.items()
        if (mask & finite).any()
    }


def _repeated(trials: Trials) -> Trials:
    """Keeps the trials of stimuli that were shown more than once."""
    stimulus, count = np.unique(trials.stimulus, return_counts=True)
    if (count > 1).sum() < 2:
        raise InputError(
            'Reliability cannot be estimated: '
            f'{(count > 1).sum()} of {len(stimulus)} stimuli were shown more '
            'than once, and at least two are needed; give trials with repeats.'
        )
    return take_trials(trials, np.isin(trials.stimulus, stimulus[count > 1]))


def _repeats(trials: Trials) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, variance (divided by n) and number of each stimulus' repeats."""
    trials = _repeated(trials)
    _, count = np.unique(trials.stimulus, return_counts=True)
    shape = len(count), trials.fmri.shape[1]
    averaged, within = np.empty(shape, np.float32), np.empty(shape, np.float32)
    for place, rows, start in stimulus_blocks(
        trials.stimulus, rows_at_once(trials.fmri)
    ):
        fmri = trials.fmri[rows]
        repeats = count[place, None]
        total = np.add.reduceat(fmri, start, 0, np.float64)
        averaged[place] = total / repeats
        squared = np.square(fmri - np.repeat(averaged[place], repeats[:, 0], 0))
        total = np.add.reduceat(squared, start, 0, np.float64)
        within[place] = total / repeats
    return averaged, within, count

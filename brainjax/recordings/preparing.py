"""What is done to responses before fitting, learned from training trials.

Test trials are scaled, averaged and selected, but never looked at to decide
how.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from brainjax.errors import InputError, check_known
from brainjax.recordings import reliability
from brainjax.recordings.on_disk import (
    Fmri,
    mean_and_std,
    standardise_groups,
)
from brainjax.recordings.recording import Recording, Trials
from brainjax.recordings.transforms import (
    average_repeats,
    normalise,
    select_roi,
    take_voxels,
)

SCALES = ('none', 'train', 'run', 'session', 'own_run')
MEASURES = {
    'snr': reliability.snr_from_repeats,
    'ncsnr': reliability.ncsnr_from_repeats,
    'split_half': reliability.split_half,
}


def scale(recording: Recording, over: str = 'train') -> Recording:
    """z-scores each voxel with statistics of training trials.

    By run or session, a trial is scaled with the mean and standard deviation
    of the training trials of its own. Where there are none, or they do not
    vary, as in runs of test trials alone, the average of the runs' means and
    the root mean square of their standard deviations stand in: what a run that
    was never seen is expected to have. The same holds for unpaired fMRI.

    Args:
      over: 'none'; 'train', as `normalise`; 'run'; 'session'; or 'own_run',
        by all trials of the run, test and imagery too (the Keras release of
        Gaziv et al. 2022): labels play no part, but what was measured in the
        test decides how it is scaled.
    """
    check_known('scale', over, SCALES)
    if over == 'none':
        return recording
    if over == 'train':
        return normalise(recording)
    known, mean, std = _by_group(recording, over)
    field = _field(over)

    def scaled(fmri: Fmri, groups: np.ndarray | None) -> Fmri:
        place = np.full(len(fmri), len(known))
        if groups is not None:
            there = np.isin(groups, known)
            place[there] = np.searchsorted(known, groups[there])
        return standardise_groups(fmri, place, mean, std)

    def trials(part: Trials | None) -> Trials | None:
        if part is None:
            return None
        return dataclasses.replace(
            part, fmri=scaled(part.fmri, getattr(part, field))
        )

    unpaired = recording.unpaired_fmri
    return dataclasses.replace(
        recording,
        train=trials(recording.train),
        test=trials(recording.test),
        imagery=trials(recording.imagery),
        unpaired_fmri=None if unpaired is None else scaled(unpaired, None),
    )


def usual(
    recording: Recording, over: str = 'train'
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the mean and std by which `scale` takes trials of no known run.

    Returns:
      [voxels] float64 each; with 'train' those of all training trials.
    """
    check_known('scale', over, SCALES[1:])
    if over == 'train':
        return mean_and_std(recording.train.fmri)
    _, mean, std = _by_group(recording, over)
    return mean[-1], std[-1]


def _field(over: str) -> str:
    return over.removeprefix('own_')


def _by_group(
    recording: Recording, over: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Runs or sessions [n], means and stds [n + 1, voxels]; last, of others."""
    parts = [recording.train]
    if over == 'own_run':
        parts += [recording.test, recording.imagery]
    parts = [part for part in parts if part is not None]
    groups = [getattr(part, _field(over)) for part in parts]
    if any(group is None for group in groups):
        raise InputError(
            f'{recording.source} does not say the {_field(over)} of its '
            "trials; normalise over 'train'."
        )
    known = np.unique(np.concatenate(groups))
    mean, std = np.stack(
        [_pooled(parts, [group == g for group in groups]) for g in known],
        axis=1,
    )
    varies = std > 0
    if not varies.any(axis=0).all():
        raise InputError(
            f'{recording.source}: {(~varies.any(axis=0)).sum()} voxels vary '
            f'in no {_field(over)}; leave them out, or normalise over '
            "'train'."
        )
    expected = (
        mean.mean(axis=0),
        np.sqrt(np.square(std).sum(axis=0) / varies.sum(axis=0)),
    )
    mean = np.where(varies, mean, expected[0])
    std = np.where(varies, std, expected[1])
    return (
        known,
        np.vstack([mean, expected[0]]),
        np.vstack([std, expected[1]]),
    )


def _pooled(
    parts: Sequence[Trials], chosen: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and std of the chosen trials of all parts, [voxels] float64."""
    found = [
        (rows.sum(), *mean_and_std(part.fmri.take(np.flatnonzero(rows), 0)))
        for part, rows in zip(parts, chosen)
        if rows.any()
    ]
    if len(found) == 1:
        return found[0][1:]
    number, mean, std = (np.stack(each) for each in zip(*found))
    weight = (number / number.sum())[:, None]
    centre = (weight * mean).sum(axis=0)
    square = (weight * (std**2 + (mean - centre) ** 2)).sum(axis=0)
    return centre, np.sqrt(square)


def average_training(recording: Recording) -> Recording:
    """Averages the repeats of each training stimulus; drops run and session."""
    return dataclasses.replace(
        recording, train=average_repeats(recording.train)
    )


def select_voxels(
    recording: Recording,
    roi: str | None = None,
    measure: str = 'snr',
    n: int | None = None,
    least: float | None = None,
) -> Recording:
    """Keeps the voxels of an ROI that are most reliable in training trials.

    Args:
      recording: its training trials must hold repeats if `n` or `least` is
        given.
      roi: one ROI or several joined by '|'; None for all voxels.
      measure: one of MEASURES: 'snr', 'ncsnr' or 'split_half'.
      n: how many voxels to keep at the most, those that measure highest.
      least: the lowest value to keep.

    Returns:
      A recording whose voxels have kept their order.
    """
    if roi:
        recording = select_roi(recording, roi)
    if n is None and least is None:
        return recording
    check_known('measure of voxels', measure, MEASURES)
    values = MEASURES[measure](recording.train)
    # 0 / 0 of a voxel without signal or noise; it is chosen last.
    values = np.where(np.isnan(values), -np.inf, values)
    order = np.argsort(-values, kind='stable')[:n]
    if least is not None:
        order = order[values[order] >= least]
    if not len(order):
        raise InputError(
            f'{recording.source}: no voxel is left by {measure} (the highest '
            f'is {values.max():.3g}); ask for less.'
        )
    return take_voxels(recording, np.sort(order))

"""What is made of a recording: some voxels or trials, averages, z-scores."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from brainjax.errors import InputError, listed, suggestion
from brainjax.recordings import volume
from brainjax.recordings.on_disk import (
    Fmri,
    mean_and_std,
    rows_at_once,
    standardise,
    stimulus_blocks,
)
from brainjax.recordings.recording import Recording, Trials

# Voxels that readers can leave out, by the option `drop`.
UNUSABLE = ('nan', 'infinite', 'constant')
_SAID = {'nan': 'NaN', 'infinite': 'infinite', 'constant': 'constant'}


def take_voxels(recording: Recording, voxels: np.ndarray) -> Recording:
    """Returns the recording with only some voxels.

    Args:
      voxels: [voxels] bool, or the indices of those to keep, in their order.
    """
    index = np.arange(recording.voxels)[voxels]

    # The last axis is voxels in fMRI, masks and values alike.
    def take(values: Fmri | None) -> Fmri | None:
        return None if values is None else values.take(index, axis=-1)

    return dataclasses.replace(
        recording,
        **_each_fmri(recording, take),
        rois={name: take(mask) for name, mask in recording.rois.items()},
        snr=take(recording.snr),
        noise_ceiling=take(recording.noise_ceiling),
        volume=volume.take(recording.volume, index),
    )


def roi_mask(
    rois: Mapping[str, np.ndarray], name: str, where: str
) -> np.ndarray:
    """Returns the [voxels] bool mask of one ROI, or of several joined by '|'.

    Args:
      rois: region of interest -> [voxels] bool.
      name: for example 'VC' or 'V1|V2'.
    """
    parts = [part.strip() for part in name.split('|')]
    for part in parts:
        if part not in rois:
            known = f', only {listed(rois)}' if rois else ' nor any other'
            raise InputError(
                f'{where} has no ROI {part!r}{known}.{suggestion(part, rois)}'
            )
    mask = np.any([rois[part] for part in parts], axis=0)
    if not mask.any():
        raise InputError(
            f'{where}: ROI {name!r} holds no voxel; choose another of '
            f'{", ".join(rois)}.'
        )
    return mask


def select_roi(recording: Recording, name: str) -> Recording:
    """Keeps the voxels of one ROI, or of several joined by '|'."""
    mask = roi_mask(recording.rois, name, recording.source)
    return take_voxels(recording, mask)


def unusable_voxels(train: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """Says of each voxel why no method could use it, [voxels] str.

    Args:
      train: [trials, voxels] to fit on.
      *others: [trials, voxels] of other trials.

    Returns:
      One of UNUSABLE: it is NaN or infinite in some trial, or has the same
      value in all of `train`; '' for a voxel that can be used.
    """
    every = (train, *others)
    return np.select(
        [
            np.any([np.isnan(fmri).any(axis=0) for fmri in every], axis=0),
            np.any([np.isinf(fmri).any(axis=0) for fmri in every], axis=0),
            (train == train[:1]).all(axis=0),
        ],
        UNUSABLE,
        '',
    )


def kept_voxels(
    why: np.ndarray,
    drop: Sequence[str],
    where: str,
    column: np.ndarray | None = None,
) -> tuple[np.ndarray, list[str]]:
    """Returns the voxels to keep, [voxels] bool, and a sentence on the rest.

    Args:
      why: [voxels] of UNUSABLE, or '' for a voxel that can be used.
      drop: of UNUSABLE what to leave out; others are refused.
      column: [voxels] of each in the file; None where all are there.
    """
    count = {kind: int((why == kind).sum()) for kind in UNUSABLE}
    found = {kind: n for kind, n in count.items() if n}
    listed = ', '.join(f'{n} {_SAID[kind]}' for kind, n in found.items())
    keep = why == ''
    first = keep.argmin() if column is None else column[keep.argmin()]
    if not {*found} <= {*drop}:
        raise InputError(
            f'{where}: {(~keep).sum()} of the {len(why)} voxels cannot be used '
            f'({listed}), the first is voxel {first}; leave them out '
            f'with the option drop={",".join(found)}.'
        )
    if not keep.any():
        raise InputError(
            f'{where}: none of the {len(why)} voxels can be used ({listed}); '
            'check that the file is whole and the right one.'
        )
    if not found:
        return keep, []
    return keep, [
        f'{where}: {(~keep).sum()} of the {len(why)} voxels are left out '
        f'({listed}).'
    ]


def keep_voxels(fmri: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Returns fMRI of the voxels to keep, [trials, kept].

    The very array where all are kept: rounding depends on its layout in
    memory, which indexing by a mask would transpose.
    """
    return fmri if keep.all() else fmri[:, keep]


def average_repeats(trials: Trials) -> Trials:
    """Averages the trials of each stimulus.

    Returns:
      One trial a stimulus, in ascending order of stimulus; run and session
      are dropped.
    """
    fmri = trials.fmri
    stimulus, count = np.unique(trials.stimulus, return_counts=True)
    average = np.empty((len(stimulus), fmri.shape[1]), np.float32)
    for place, rows, start in stimulus_blocks(
        trials.stimulus, rows_at_once(fmri)
    ):
        total = np.add.reduceat(fmri[rows], start, 0, np.float64)
        average[place] = total / count[place, None]
    return Trials(average, stimulus.astype(np.int32))


def normalise(
    recording: Recording,
    mean: np.ndarray | None = None,
    std: np.ndarray | None = None,
) -> Recording:
    """z-scores each voxel with mean and std of the training trials.

    The standard deviation is the population's (dividing by n). Signal-to-noise
    ratio and noise ceiling do not depend on scale and stay as they are.

    Args:
      mean, std: [voxels]; None for those of the training trials.
    """
    if mean is None:
        mean, std = mean_and_std(recording.train.fmri)

    def scaled(fmri: Fmri | None) -> Fmri | None:
        return None if fmri is None else standardise(fmri, mean, std)

    return dataclasses.replace(recording, **_each_fmri(recording, scaled))


def _each_fmri(
    recording: Recording, change: Callable[[Fmri | None], Fmri | None]
) -> dict[str, Trials | Fmri | None]:
    """Returns the fields of a recording that hold fMRI, changed."""

    def trials(part: Trials | None) -> Trials | None:
        if part is None:
            return None
        return dataclasses.replace(part, fmri=change(part.fmri))

    return {
        'train': trials(recording.train),
        'test': trials(recording.test),
        'imagery': trials(recording.imagery),
        'unpaired_fmri': change(recording.unpaired_fmri),
    }


def split_trials(
    trials: Trials, held_out: Sequence[int]
) -> tuple[Trials, Trials]:
    """Splits trials by stimulus: (those kept, those of `held_out` stimuli)."""
    out = np.isin(trials.stimulus, np.asarray(held_out))
    return take_trials(trials, ~out), take_trials(trials, out)


def take_trials(trials: Trials, which: np.ndarray) -> Trials:
    """Returns some trials: [trials] bool, or their indices in a new order."""
    rows = np.arange(len(trials))[which]
    return Trials(
        trials.fmri.take(rows, axis=0),
        trials.stimulus[rows],
        None if trials.run is None else trials.run[rows],
        None if trials.session is None else trials.session[rows],
    )


def need_pictures(recording: Recording) -> np.ndarray:
    """Returns the pictures [stimuli, height, width, 3]."""
    if recording.stimuli.images is None:
        raise InputError(
            f'{recording.source} names its stimuli but holds no pictures; '
            'name a folder, an archive or an HDF5 file of them with '
            'config.recording.images.'
        )
    return recording.stimuli.images

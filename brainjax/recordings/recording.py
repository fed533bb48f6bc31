"""The Recording: what one subject was shown and how the brain answered."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from brainjax.errors import InputError
from brainjax.recordings import volume as volumes
from brainjax.recordings.on_disk import Fmri, constant_voxels
from brainjax.recordings.volume import Volume


@dataclasses.dataclass(frozen=True, eq=False)
class Trials:
    """Single responses, or averages of them, in the order of measurement.

    Attributes:
      fmri: [trials, voxels] float32; an array, or left on disk (`stored`).
      stimulus: [trials] int32, the row in `Stimuli` of what was shown.
      run: [trials] int32, the scanning run, or None where it is not known;
        numbers do not repeat between sessions.
      session: [trials] int32, the scanning session, or None.
    """

    fmri: Fmri
    stimulus: np.ndarray
    run: np.ndarray | None = None
    session: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.fmri)


@dataclasses.dataclass(frozen=True, eq=False)
class Stimuli:
    """What was shown.

    Attributes:
      images: [stimuli, height, width, 3] uint8, or None where only the names
        are at hand, as for stimuli that are given out on request.
      names: one unique name a stimulus.
      categories: one category a stimulus, or None where there are none.
      depth: [stimuli, height, width] uint8, how near each place of a picture
        is, 255 the nearest; or None where that is not known.
    """

    images: np.ndarray | None
    names: tuple[str, ...]
    categories: tuple[str, ...] | None = None
    depth: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.names)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Recording:
    """One subject's responses to pictures; an immutable, checked value.

    Attributes:
      subject: a short name.
      train: trials to fit on.
      test: trials to reconstruct, of stimuli that `train` does not hold.
      stimuli: the pictures of both.
      rois: region of interest -> [voxels] bool; regions may overlap.
      source: where the recording came from, for reports and messages.
      simulated: True if no brain was measured.
      unpaired_fmri: [n, voxels] float32 responses to pictures that are not
        known, none of them a test trial; or None.
      snr: [voxels] signal-to-noise ratio as the source states it, or None.
        Published values come from the repeats of the test stimuli, so a
        method that weights voxels with them has seen test data;
        `reliability.snr_from_repeats` can do with training trials.
      noise_ceiling: [voxels] highest correlation a perfect model of the
        averaged test responses could reach, or None where it is not known.
      imagery: trials in which a test picture was imagined, not shown, or
        None.
      volume: where each voxel lies, or None where that is not known.
      format: the file format it was read from.
      problems: sentences on what a person should know of before trusting
        it; none of them prevents its use.
    """

    subject: str
    train: Trials
    test: Trials
    stimuli: Stimuli
    rois: Mapping[str, np.ndarray]
    source: str
    simulated: bool
    unpaired_fmri: Fmri | None = None
    snr: np.ndarray | None = None
    noise_ceiling: np.ndarray | None = None
    imagery: Trials | None = None
    format: str = 'arrays'
    problems: tuple[str, ...] = ()
    volume: Volume | None = None

    def __post_init__(self):
        check(self)

    @property
    def voxels(self) -> int:
        """Number of voxels."""
        return self.train.fmri.shape[1]

    def __repr__(self) -> str:
        shown = f'{len(self.stimuli)} stimuli without pictures'
        if self.stimuli.images is not None:
            _, height, width, _ = self.stimuli.images.shape
            shown = f'{len(self.stimuli)} pictures of {height} x {width}'
        return (
            f'<Recording {self.subject}'
            f'{" (simulated)" if self.simulated else ""}: '
            f'{len(self.train)} training and {len(self.test)} test trials, '
            f'{self.voxels} voxels, {len(self.rois)} ROIs, {shown}>'
        )


def check(recording: Recording) -> None:
    """Checks shapes, types, finiteness and indices."""
    where = recording.source
    stimuli = recording.stimuli
    _check_stimuli(stimuli, where)
    parts = {'train': recording.train, 'test': recording.test}
    if recording.imagery is not None:
        parts['imagery'] = recording.imagery
    for part, trials in parts.items():
        _check_trials(trials, len(stimuli), f'{where}: {part}')
    fmri = {f'the {part} fMRI': trials.fmri for part, trials in parts.items()}
    if recording.unpaired_fmri is not None:
        fmri['the unpaired fMRI'] = recording.unpaired_fmri
        check_fmri(recording.unpaired_fmri, f'{where}: the unpaired fMRI')
    voxels = recording.voxels
    for what, values in fmri.items():
        if values.shape[1] != voxels:
            raise InputError(
                f'{where}: {what} has {values.shape[1]} voxels and the '
                f'training fMRI {voxels}; both must come from one mask.'
            )
    _check_voxels(recording, voxels, where)
    shared = np.intersect1d(recording.train.stimulus, recording.test.stimulus)
    if len(shared):  # What was trained on is remembered, not decoded.
        raise InputError(
            f'{where}: picture {stimuli.names[shared[0]]!r} was shown in '
            f'training and in test trials ({len(shared)} such pictures); '
            'test on pictures that training never saw.'
        )


def _check_voxels(recording: Recording, voxels: int, where: str) -> None:
    """Checks what is said of each voxel, and that each varies."""
    constant = np.flatnonzero(constant_voxels(recording.train.fmri))
    if len(constant):  # z-scoring would divide by 0.
        raise InputError(
            f'{where}: voxel {constant[0]} has the same value in every '
            f'training trial ({len(constant)} such voxels); leave them out.'
        )
    for name, mask in recording.rois.items():
        if mask.shape != (voxels,) or mask.dtype != bool:
            raise InputError(
                f'{where}: ROI {name!r} is {mask.dtype} of shape '
                f'{mask.shape}; it must be bool of shape ({voxels},).'
            )
    for what in ('snr', 'noise_ceiling'):
        values = getattr(recording, what)
        if values is not None and values.shape != (voxels,):
            raise InputError(
                f'{where}: {what} has shape {values.shape}; it must be '
                f'({voxels},), one value a voxel.'
            )
    if recording.volume is not None:
        volumes.check(recording.volume, voxels, where)


def _check_stimuli(stimuli: Stimuli, where: str) -> None:
    images, depth = stimuli.images, stimuli.depth
    if depth is not None and (
        images is None
        or depth.shape != images.shape[:3]
        or depth.dtype != np.uint8
    ):
        raise InputError(
            f'{where}: the depth maps are {depth.dtype} of shape '
            f'{depth.shape}; they must be uint8, one to each picture and as '
            'large.'
        )
    if images is not None:
        if images.ndim != 4 or images.shape[-1] != 3:
            raise InputError(
                f'{where}: the pictures have shape {images.shape}; they must '
                'be [stimuli, height, width, 3].'
            )
        if images.dtype != np.uint8:
            raise InputError(
                f'{where}: the pictures are {images.dtype}; they must be '
                'uint8, 0 to 255.'
            )
        if len(images) != len(stimuli.names):
            raise InputError(
                f'{where}: {len(stimuli.names)} names for {len(images)} '
                'pictures; give one to each.'
            )
    if stimuli.categories is not None and len(stimuli.categories) != len(
        stimuli
    ):
        raise InputError(
            f'{where}: {len(stimuli.categories)} categories for '
            f'{len(stimuli)} pictures; give one to each.'
        )
    if len(set(stimuli.names)) < len(stimuli.names):
        twice = next(n for n in stimuli.names if stimuli.names.count(n) > 1)
        raise InputError(
            f'{where}: two pictures are named {twice!r}; names must differ.'
        )


def _check_trials(trials: Trials, pictures: int, where: str) -> None:
    check_fmri(trials.fmri, f'{where} fMRI')
    if trials.stimulus.shape != (len(trials),):
        raise InputError(
            f'{where}: {trials.stimulus.shape} stimulus labels for '
            f'{len(trials)} trials; give one to each.'
        )
    for what in ('run', 'session'):
        numbers = getattr(trials, what)
        if numbers is not None and numbers.shape != (len(trials),):
            raise InputError(
                f'{where}: {numbers.shape} {what} numbers for {len(trials)} '
                'trials; give one to each.'
            )
    if not np.issubdtype(trials.stimulus.dtype, np.integer):
        raise InputError(
            f'{where}: the stimulus labels are {trials.stimulus.dtype}; they '
            'must be integers that count the pictures from 0.'
        )
    wrong = np.flatnonzero(
        (trials.stimulus < 0) | (trials.stimulus >= pictures)
    )
    if len(wrong):
        raise InputError(
            f'{where}: trial {wrong[0]} has label '
            f'{trials.stimulus[wrong[0]]}, but there are {pictures} pictures '
            f'(labels 0 to {pictures - 1}); the labels and the pictures must '
            'belong together.'
        )


def check_fmri(fmri: Fmri, where: str) -> None:
    """Checks that fMRI is [trials, voxels], numeric and finite."""
    if fmri.ndim != 2 or 0 in fmri.shape:
        raise InputError(
            f'{where} has shape {fmri.shape}; it must be [trials, voxels] '
            'with at least one of each.'
        )
    if not np.issubdtype(fmri.dtype, np.floating):
        raise InputError(f'{where} is {fmri.dtype}; it must be floating point.')
    if not isinstance(fmri, np.ndarray):
        return  # Finite numbers with finite scales are finite.
    finite = np.isfinite(fmri)
    if not finite.all():
        trial, voxel = np.argwhere(~finite)[0]
        raise InputError(
            f'{where}: voxel {voxel} is {fmri[trial, voxel]} in trial {trial} '
            f'({int((~finite).any(axis=0).sum())} such voxels); leave those '
            'voxels or trials out.'
        )

"""A recording in the files of the Natural Scenes Dataset."""

import csv
import math
import pathlib
import re

import h5py
import numpy as np
import scipy.io

from brainjax.errors import InputError
from brainjax.io import nifti
from brainjax.io.files import PathLike, atomic, write_text
from brainjax.recordings import volume
from brainjax.recordings.formats.nsd import files
from brainjax.recordings.on_disk import BLOCK
from brainjax.recordings.recording import Recording

PERCENT = 300  # Stored betas are per cent signal change, times 300.

_SUBJECTS = 8
_WIDTH = 1.8  # Millimetres of a voxel that has no place of its own.
_NAME = re.compile(r'nsd-(\d{5})')


def write(
    recording: Recording,
    folder: PathLike,
    subject: int = 1,
    betas: str = 'betas_fithrf_GLMdenoise_RR',
    space: str = 'func1pt8mm',
) -> None:
    """Writes the least that `nsd.read` wants, with every voxel in nsdgeneral.

    Responses are rounded to 1/300 and end at +-109; read with zscore=False,
    a recording of NSD comes back exactly, voxels in the order of their places.
    Without places they fill a cube, and the masks say that it is none of a
    brain. The test
    pictures are the shared ones. Names other than 'nsd-00001' give way to the
    place of the stimulus. Sessions are kept where all have as many trials,
    else there is one; within a session, training trials come first. Noise
    ceiling, categories and unpaired fMRI are lost.

    Args:
      subject: 1 to 8.
      betas: name of the betas' folder.
      space: name of the space.
    """
    if not 1 <= subject <= _SUBJECTS:
        raise InputError(f'subject={subject} is not one of 1 to {_SUBJECTS}.')
    layout = files.Layout(
        pathlib.Path(folder).absolute(), subject, space, betas
    )
    number = _numbers(recording)
    sessions = _sessions(recording)
    each = len(next(iter(sessions.values())))
    stimulus = _joined(recording, 'stimulus')
    shown = np.zeros((max(sessions), each), np.int64)
    for session, trials in sessions.items():
        shown[session - 1] = stimulus[trials]
    _write_design(layout, number, shown, np.unique(recording.test.stimulus))
    run = _joined(recording, 'run')
    if run is not None:
        _write_responses(layout, sessions, number[stimulus], run)
    places, about = recording.volume, ''
    if places is None:
        places, about = volume.cube(recording.voxels, _WIDTH), volume.NOWHERE
    _write_volumes(layout, recording, places, about)
    for session, trials in sessions.items():
        _write_session(layout.session(session), recording, trials, places)
    if recording.stimuli.images is not None:
        _write_brick(layout.root / files.BRICK, recording, number)
    if recording.simulated:
        write_text(
            layout.root / files.SIMULATED,
            'These responses were simulated; no brain was measured.\n',
        )


def _numbers(recording: Recording) -> np.ndarray:
    """Returns the 73k number of each stimulus."""
    found = [_NAME.fullmatch(name) for name in recording.stimuli.names]
    if all(found) and all(int(match[1]) for match in found):
        return np.array([int(match[1]) for match in found])
    return np.arange(1, len(found) + 1)


def _joined(recording: Recording, what: str) -> np.ndarray | None:
    """Joins what belongs to training trials and to test trials."""
    parts = [getattr(part, what) for part in (recording.train, recording.test)]
    if any(part is None for part in parts):
        return None
    return np.concatenate(parts)


def _sessions(recording: Recording) -> dict[int, np.ndarray]:
    """Returns the trials of each session, all of one length."""
    session = _joined(recording, 'session')
    if session is not None and session.min() > 0:
        numbers, count = np.unique(session, return_counts=True)
        if (count == count[0]).all():
            return {int(n): np.flatnonzero(session == n) for n in numbers}
    return {1: np.arange(len(recording.train) + len(recording.test))}


def _write_design(layout, number, shown, tested) -> None:
    """Writes nsd_expdesign.mat; other subjects get the same pictures."""
    path = layout.root / files.DESIGN
    with atomic(path) as temporary:
        scipy.io.savemat(
            temporary,
            {
                'masterordering': shown.reshape(1, -1) + 1.0,
                'subjectim': np.tile(number * 1.0, (_SUBJECTS, 1)),
                'sharedix': number[tested][None] * 1.0,
            },
            do_compression=True,
        )


def _write_responses(layout, sessions, picture, run) -> None:
    layout.responses.parent.mkdir(parents=True, exist_ok=True)
    with (
        atomic(layout.responses) as temporary,
        open(temporary, 'w', encoding='utf-8', newline='') as stream,
    ):
        table = csv.writer(stream, delimiter='\t', lineterminator='\n')
        table.writerow(['SUBJECT', 'SESSION', 'RUN', 'TRIAL', '73KID'])
        for session, trials in sessions.items():
            within = run[trials] - (session - 1) * files.RUNS
            if within.min() < 1 or within.max() > files.RUNS:
                within = np.unique(run[trials], return_inverse=True)[1] + 1
            for trial, row in enumerate(trials):
                table.writerow(
                    [
                        layout.subject,
                        session,
                        within[trial],
                        trial + 1,
                        picture[row],
                    ]
                )


def _write_volumes(layout, recording, places, about) -> None:
    def write(path, values):
        filled = volume.fill(places, values)
        nifti.write(path, filled, places.affine, about=about)

    rois = {**recording.rois, 'nsdgeneral': np.ones(recording.voxels, bool)}
    for name, mask in rois.items():
        write(
            layout.functional / 'roi' / f'{name.replace("/", "_")}.nii.gz',
            mask.astype(np.int16),
        )
    if recording.snr is not None:
        write(
            layout.betas_folder / 'ncsnr.nii.gz',
            np.sqrt(recording.snr).astype(np.float32),
        )


def _write_session(path, recording, trials, places) -> None:
    x, y, z = places.indices.T
    shape = places.shape[::-1]
    first = len(recording.train)
    step = max(1, BLOCK // (8 * math.prod(shape)))
    with (
        atomic(path) as temporary,
        h5py.File(temporary, 'w', locking=False) as file,
    ):
        betas = file.create_dataset('betas', (len(trials), *shape), np.int16)
        for start in range(0, len(trials), step):
            rows = trials[start : start + step]
            fmri = np.concatenate(
                [
                    recording.train.fmri[rows[rows < first]],
                    recording.test.fmri[rows[rows >= first] - first],
                ]
            )
            limits = np.iinfo(np.int16)  # +-109 % of signal change.
            numbers = np.rint(fmri * np.float64(PERCENT))
            part = np.zeros((len(rows), *shape), np.int16)
            part[:, z, y, x] = numbers.clip(limits.min, limits.max)
            betas[start : start + len(rows)] = part


def _write_brick(path, recording, number) -> None:
    images = recording.stimuli.images
    with (
        atomic(path) as temporary,
        h5py.File(temporary, 'w', locking=False) as file,
    ):
        brick = file.create_dataset(
            'imgBrick',
            (number.max(), *images.shape[1:]),
            np.uint8,
            chunks=(1, *images.shape[1:]),
        )
        for place, image in zip(number - 1, images):
            brick[place] = image

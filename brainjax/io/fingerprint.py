"""What tells recordings and pictures from others, whatever files are called."""

import hashlib

import numpy as np

from brainjax.recordings.on_disk import Fmri
from brainjax.recordings.recording import Recording, Trials

_ROWS = 1024  # Read at a time.


def of_trials(*parts: Trials) -> str:
    """Returns a hash of responses and of the stimuli that evoked them."""
    digest = hashlib.sha256()
    for trials in parts:
        digest.update(np.ascontiguousarray(trials.stimulus))
        _add(digest, trials.fmri)
    return digest.hexdigest()


def of_arrays(*arrays: np.ndarray | None) -> str:
    """Returns a hash of arrays, such as pictures."""
    digest = hashlib.sha256()
    for array in arrays:
        if array is not None:
            digest.update(f'{array.dtype} {array.shape}'.encode())
            _add(digest, array)
    return digest.hexdigest()


def of_recording(recording: Recording) -> str:
    """Returns a hash of all that a method may learn from."""
    parts = [recording.train, recording.test]
    if recording.imagery is not None:
        parts.append(recording.imagery)
    arrays = recording.stimuli.images, recording.unpaired_fmri, recording.snr
    return f'{of_trials(*parts)}{of_arrays(*arrays)}'


def _add(digest, rows: np.ndarray | Fmri) -> None:
    for start in range(0, len(rows), _ROWS):
        digest.update(np.ascontiguousarray(rows[start : start + _ROWS]))

"""What all methods share."""

import dataclasses

import numpy as np
import tiny

from brainjax.methods.data import hash_recording


def test_all_that_a_method_learns_from_counts():
    recording = tiny.subject()
    found = {hash_recording(recording)}
    assert hash_recording(tiny.subject()) in found
    renamed = dataclasses.replace(recording, source='moved', subject='other')
    assert hash_recording(renamed) in found
    images = recording.stimuli.images.copy()
    images[-1, -1, -1, -1] ^= 1
    stimulus = recording.test.stimulus.copy()
    stimulus[[0, -1]] = stimulus[[-1, 0]]
    for change in (
        {'stimuli': dataclasses.replace(recording.stimuli, images=images)},
        {'test': dataclasses.replace(recording.test, stimulus=stimulus)},
        {'unpaired_fmri': np.ones((2, recording.voxels), np.float32)},
        {'snr': np.ones(recording.voxels, np.float32)},
        {'imagery': recording.test},
    ):
        other = dataclasses.replace(recording, **change)
        found.add(hash_recording(other))
    assert len(found) == 6

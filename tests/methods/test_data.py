"""What all methods share."""

import dataclasses

import numpy as np
import pytest
import tiny
import tiny_faces
import tiny_inversion
from PIL import Image

from brainjax import experiment
from brainjax.methods.data import hash_recording, prepare
from brainjax.recordings.description import problems_of

CONFIGS = {
    'selfsup': tiny.get_config,
    'inversion': tiny_inversion.get_config,
    'faces': tiny_faces.get_run_config,
}


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


@pytest.mark.parametrize('method', CONFIGS)
def test_what_is_odd_about_pictures_is_a_problem_of_the_run(
    method, tmp_path, recwarn
):
    for i, picture in enumerate(tiny.pictures(60, seed=1)):
        Image.fromarray(picture).save(tmp_path / f'{i}.png')
    Image.new('RGBA', (16, 16), (9, 9, 9, 9)).save(tmp_path / '0.png')
    (tmp_path / 'pages.psd').write_bytes(b'8BPS')
    c = CONFIGS[method]()
    c.pictures.path, c.pictures.number = str(tmp_path), 60
    if method == 'faces':
        c.gender = False
    data = experiment.open_data(c)
    own = problems_of(data.recording)
    skipped, transparent = data.problems[len(own) :]
    assert data.problems[: len(own)] == own
    assert '1' in skipped and '.psd' in skipped
    assert '1 of 60 pictures are transparent' in transparent
    assert not [w for w in recwarn if 'transparent' in str(w.message)]


def test_what_is_odd_about_a_recording_is_a_problem_of_the_run():
    recording = tiny.subject()
    images = recording.stimuli.images.copy()
    images[recording.test.stimulus[0]] = images[recording.train.stimulus[0]]
    stimuli = dataclasses.replace(recording.stimuli, images=images)
    recording = dataclasses.replace(
        recording, stimuli=stimuli, problems=('A run was left out.',)
    )
    problems = prepare(recording, tiny.pictures(2, seed=1)).problems
    assert problems[0] == 'A run was left out.'
    assert any('1 test pictures are the same' in text for text in problems)

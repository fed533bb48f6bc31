"""What `brainjax inspect` says of a recording."""

import dataclasses
import json
import re

import numpy as np
import pytest
from recording_files import (
    small_recording,
    weizmann_arrays,
    write_digits,
    write_weizmann,
)

from brainjax.errors import InputError
from brainjax.recordings import Stimuli, description, reliability

CONTRACT = [
    'format',
    'subject',
    'simulated',
    'trials',
    'stimuli',
    'voxels',
    'rois',
    'repeats',
    'problems',
    'dtype',
    'runs',
    'sessions',
    'stimuli_with_pictures',
    'unpaired_fmri',
    'reliability',
    'volume',
]


def test_weizmann_summary_has_the_keys_of_the_contract(tmp_path):
    for paths in (
        write_weizmann(tmp_path),
        write_weizmann(tmp_path)[::-1],
    ):
        (recording,) = description.open_all(paths)
        found = description.summary(recording)
        assert list(found) == CONTRACT
        found = json.loads(json.dumps(found))
        measured = found.pop('reliability')
        assert [measured['from'], measured['repeats']] == ['test', 5]
        assert list(measured['ncsnr']) == ['all voxels', 'V1', 'V2', 'VC']
        ceiling = reliability.noise_ceiling_from_repeats(recording.test, 5)
        assert measured['noise_ceiling']['V1'] == {
            'median': pytest.approx(np.median(ceiling[1:4])),
            'p90': pytest.approx(np.percentile(ceiling[1:4], 90)),
        }
        assert found == {
            'format': 'weizmann',
            'subject': 'sbj_3',
            'simulated': False,
            'trials': {'train': 8, 'test': 15},
            'stimuli': {'train': 8, 'test': 3},
            'voxels': 10,
            'rois': {'V1': 3, 'V2': 4, 'FFA': 0, 'VC': 10},
            'repeats': {'train': 1, 'test': 5},
            'problems': ['No voxel lies in ROI FFA.'],
            'dtype': 'float32',
            'runs': None,
            'sessions': None,
            'stimuli_with_pictures': {'train': 8, 'test': 3},
            'unpaired_fmri': 0,
            'volume': None,
        }


def test_digits_summary(tmp_path):
    (recording,) = description.open_all([write_digits(tmp_path)])
    found = json.loads(json.dumps(description.summary(recording)))
    assert list(found) == CONTRACT
    assert found['format'] == found['subject'] == 'digits69'
    assert found['trials'] == found['stimuli'] == {'train': 90, 'test': 10}
    assert found['repeats'] == {'train': 1, 'test': 1}
    assert len(found['rois']) == 13


def test_problems_are_sentences(tmp_path):
    arrays = weizmann_arrays()
    arrays['arr_4'][np.flatnonzero(arrays['arr_4'] == 1)[:2]] = 0
    arrays['arr_5'][3] = np.nan
    arrays['arr_1'][:, 6] = 2
    arrays['VC'] = arrays['V1'] | arrays['V2']
    del arrays['arr_2'], arrays['FFA']
    paths = write_weizmann(tmp_path, without=['arr_2', 'FFA'], **arrays)
    (recording,) = description.open_all(paths, roi=None)
    images = recording.stimuli.images.copy()
    images[9] = images[4]
    recording = dataclasses.replace(
        recording,
        stimuli=dataclasses.replace(recording.stimuli, images=images),
        problems=('Said by the reader.',),
    )
    found = description.summary(recording)
    assert found['repeats'] == {'train': 1, 'test': 3}
    assert found['problems'] == [
        'Said by the reader.',
        'Stimuli of the test trials were shown 3 to 7 times.',
        '1 test pictures are the same, pixel by pixel, as a training picture '
        '(train-0005 and test-0002).',
        '6 voxels lie in no ROI.',
        'noise_ceiling is not finite in 1 voxels.',
        '1 voxels have the same value in every test trial.',
    ]


def test_text_for_a_terminal(tmp_path):
    (recording,) = description.open_all(write_weizmann(tmp_path))
    text = description.render(description.summary(recording))
    assert re.sub(r'\d\.\d\d', '0.00', text) == (
        'format          weizmann\n'
        'subject         sbj_3\n'
        'training trials 8 of 8 stimuli, at least 1 of each\n'
        'test trials     15 of 3 stimuli, at least 5 of each\n'
        'pictures        of 8 training and 3 test stimuli\n'
        'unpaired fMRI   none\n'
        'voxels          10, float32\n'
        'places          not known, so that no maps can be written\n'
        'ROIs            V1 3, V2 4, FFA 0, VC 10\n'
        'reliability     noise ceiling of averages of 5 test trials, median '
        '(90th percentile)\n'
        'reliability     all voxels 0.00 (0.00)\n'
        'reliability     V1 0.00 (0.00)\n'
        'reliability     V2 0.00 (0.00)\n'
        'reliability     VC 0.00 (0.00)\n'
        'problem         No voxel lies in ROI FFA.'
    )
    bare = dataclasses.replace(recording, rois={}, simulated=True)
    text = description.render(description.summary(bare))
    assert 'sbj_3 (simulated)\n' in text
    assert 'ROIs            none\n' in text
    assert text.endswith('problem         none')


def test_training_repeats_come_first_and_runs_are_counted():
    recording = small_recording()
    found = description.summary(recording)
    assert found['reliability']['from'] == 'train'
    assert found['runs'] == {'train': 3, 'test': 3}
    assert found['sessions'] == {'train': 1, 'test': 1}
    assert found['unpaired_fmri'] == 4
    text = description.render(found)
    assert '27 of 9 stimuli, at least 3 of each, 3 runs, 1 sessions' in text
    once = description.summary(small_recording(repeats=1))
    assert once['reliability'] is None
    assert 'not known, no stimulus was repeated' in description.render(once)
    bare = dataclasses.replace(
        recording, stimuli=Stimuli(None, recording.stimuli.names)
    )
    assert description.summary(bare)['stimuli_with_pictures'] == {
        'train': 0,
        'test': 0,
    }


def test_several_recordings_share_pictures(tmp_path):
    path, pictures = write_weizmann(tmp_path)
    copy = tmp_path / 'sbj_4.npz'
    copy.write_bytes(path.read_bytes())
    found = description.open_all([path, copy, pictures])
    assert [recording.subject for recording in found] == ['sbj_3', 'sbj_4']


def test_what_cannot_be_inspected_is_one_sentence(tmp_path):
    path, pictures = write_weizmann(tmp_path)
    for paths, words in (
        ([], 'No file with responses was given; give'),
        ([pictures], 'No file with responses was given, only .*images_16'),
        ([path, pictures, str(pictures)], 'both hold pictures; give one'),
        ([path], 'sbj_3.npz holds no pictures'),
        ([tmp_path / 'no.npz'], 'no.npz does not exist'),
    ):
        with pytest.raises(InputError, match=words):
            description.open_all(paths)

"""The Recording's checks and operations, and telling formats apart."""

import dataclasses

import numpy as np
import pytest
from recording_files import write_digits, write_weizmann
from recording_parts import STIMULI, TEST, TRAIN, parts

from brainjax.errors import InputError
from brainjax.recordings import (
    Recording,
    open_recording,
)


def changed(array, index, value):
    array = array.copy()
    array[index] = value
    return array


def test_recording_is_an_immutable_value_that_says_what_it_is():
    recording = Recording(**parts())
    assert recording.voxels == 5
    assert repr(recording) == (
        '<Recording S1: 6 training and 4 test trials, 5 voxels, 3 ROIs, 5 '
        'pictures of 4 x 4>'
    )
    assert 'S1 (simulated)' in repr(
        dataclasses.replace(recording, simulated=True)
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        recording.subject = 'S2'


def train(**changes):
    return {'train': dataclasses.replace(TRAIN, **changes)}


def held_out(**changes):
    return {'test': dataclasses.replace(TEST, **changes)}


def stimuli(**changes):
    return {'stimuli': dataclasses.replace(STIMULI, **changes)}


BAD = [
    (
        train(fmri=changed(TRAIN.fmri, (3, 2), np.nan)),
        'train fMRI: voxel 2 is nan in trial 3 .1 such voxels',
    ),
    (
        held_out(fmri=changed(TEST.fmri, (1, 4), np.inf)),
        'test fMRI: voxel 4 is inf in trial 1',
    ),
    (
        train(fmri=changed(TRAIN.fmri, (slice(None), 3), 7)),
        'voxel 3 has the same value in every training trial',
    ),
    (train(fmri=TRAIN.fmri[:, 0]), 'must be .trials, voxels.'),
    (train(fmri=TRAIN.fmri[:0]), 'at least one of each'),
    (train(fmri=TRAIN.fmri.astype(int)), 'int64; it must be floating'),
    (
        held_out(fmri=TEST.fmri[:, :4]),
        'test fMRI has 4 voxels and the training fMRI 5',
    ),
    (
        train(stimulus=np.int32([0, 2, 1, 0, 2, 5])),
        'trial 5 has label 5, but there are 5 pictures',
    ),
    (train(stimulus=np.int32([0, 2, 1, 0, 2, -1])), 'trial 5 has label -1'),
    (train(stimulus=np.zeros(6)), 'float64; they must be integers'),
    (train(stimulus=np.int32([0, 1])), 'stimulus labels for 6 trials'),
    (train(run=np.int32([0, 1])), 'run numbers for 6 trials'),
    (
        train(stimulus=np.int32([0, 2, 1, 0, 2, 3])),
        "picture 'd' was shown in training and in test trials",
    ),
    (stimuli(images=STIMULI.images[..., 0]), 'must be .stimuli, height'),
    (stimuli(images=STIMULI.images[..., :1]), 'must be .stimuli, height'),
    (stimuli(images=STIMULI.images / 255), 'float64; they must be uint8'),
    (stimuli(names=('a', 'b')), '2 names for 5 pictures'),
    (stimuli(names=('a', 'b', 'c', 'b', 'e')), "two pictures are named 'b'"),
    (stimuli(categories=('x',)), '1 categories for 5 pictures'),
    ({'unpaired_fmri': np.ones((2, 4), np.float32)}, 'unpaired fMRI has 4'),
    (
        {'unpaired_fmri': np.full((2, 5), np.nan, np.float32)},
        'unpaired fMRI: voxel 0 is nan',
    ),
    ({'rois': {'V1': np.ones(4, bool)}}, "ROI 'V1' is bool of shape .4,.;"),
    ({'rois': {'V1': np.ones(5)}}, "ROI 'V1' is float64"),
    ({'snr': np.ones(4)}, 'snr has shape .4,.; it must be .5,.'),
    ({'noise_ceiling': np.ones((5, 1))}, 'noise_ceiling has shape .5, 1.'),
]


@pytest.mark.parametrize(('change', 'words'), BAD)
def test_what_is_wrong_is_named_with_its_source(change, words):
    with pytest.raises(InputError, match=f'^S1.file.*{words}'):
        Recording(**{**parts(), **change})


def test_formats_are_told_by_content(tmp_path):
    fmri, pictures = write_weizmann(tmp_path)
    digits = write_digits(tmp_path)
    for path, name, options in (
        (fmri, 'weizmann', {'pictures': pictures, 'roi': 'V1'}),
        (digits, 'digits69', {'test_rows': [3, 60]}),
    ):
        renamed = path.rename(tmp_path / f'{name}.data')
        assert open_recording(renamed, **options).format == name


def test_what_cannot_be_opened_is_one_sentence(tmp_path):
    fmri, pictures = write_weizmann(tmp_path)
    text = tmp_path / 'notes.txt'
    text.write_text('hello')
    other = tmp_path / 'other.npz'
    np.savez(other, x=np.ones(3))
    cut = tmp_path / 'cut.npz'
    cut.write_bytes(fmri.read_bytes()[:3000])
    for path, options, words in (
        (tmp_path / 'absent.npz', {}, 'absent.npz does not exist'),
        (text, {}, 'notes.txt is no recording .* weizmann, digits69'),
        (other, {}, 'other.npz is no recording'),
        (tmp_path, {}, 'is no recording that can be read'),
        (cut, {'pictures': pictures}, 'cut.npz is not a complete npz file'),
        (fmri, {}, 'sbj_3.npz holds no pictures; name the file'),
        (pictures, {'pictures': fmri}, 'images_16.npz has no arr_0'),
        (
            fmri,
            {'pictures': pictures, 'rois': 'V1'},
            "as weizmann, which has no option 'rois'.* Did you mean 'roi'",
        ),
    ):
        with pytest.raises(InputError, match=words):
            open_recording(path, **options)

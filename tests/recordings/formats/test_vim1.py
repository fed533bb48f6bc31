"""vim-1: the layout of EstimatedResponses.mat and Stimuli.mat."""

import h5py
import numpy as np
import pytest
from PIL import Image
from recording_files import write_vim1

from brainjax.errors import InputError
from brainjax.recordings import average_repeats, description, open_recording
from brainjax.recordings.formats import vim1
from brainjax.simulation import subject


def test_every_array_lands_where_it_belongs(tmp_path):
    path, stimuli = write_vim1(tmp_path)
    recording = open_recording(path)
    with h5py.File(path) as file:
        # What MATLAB calls dataTrnS1(voxel, picture).
        matlab = file['dataTrnS1'][()].T
        validation = file['dataValS1'][()].T
        codes = file['roiS1'][()].ravel()
    with h5py.File(stimuli) as file:
        pictures = file['stimTrn'][()]
    keep = np.isfinite(matlab).all(axis=1)
    assert recording.format == 'vim1'
    assert recording.subject == 'S1'
    assert keep.sum() == recording.voxels == 18
    for picture, voxel in ((0, 0), (2, 1), (1, 5)):
        kept = np.flatnonzero(keep)[voxel]
        assert recording.train.fmri[picture, voxel] == matlab[kept, picture]
        assert recording.test.fmri[picture, voxel] == validation[kept, picture]
    np.testing.assert_array_equal(recording.rois['V3A'], codes[keep] == 4)
    assert list(recording.rois) == [*vim1.ROIS]
    assert recording.problems == (
        f'{path}: 2 of the 20 voxels are left out (2 NaN).',
    )
    images = recording.stimuli.images
    assert images.shape == (9, 8, 8, 3) and images.dtype == np.uint8
    for picture, row, column in ((0, 2, 5), (3, 7, 1)):
        expected = round(255 * (pictures[column, row, picture] + 0.5))
        assert (images[picture, row, column] == expected).all()
    assert recording.stimuli.names[:2] == ('train-0001', 'train-0002')
    assert recording.stimuli.names[6:] == (
        'test-0001',
        'test-0002',
        'test-0003',
    )
    np.testing.assert_array_equal(recording.train.stimulus, range(6))
    np.testing.assert_array_equal(recording.test.stimulus, range(6, 9))


def test_grey_is_scaled_by_one_rule(tmp_path):
    grey = np.zeros((8, 8, 6), np.float32)
    grey[0, 0, 0], grey[1, 0, 0], grey[0, 1, 0] = 0.5, -0.5, 0.25
    path, _ = write_vim1(tmp_path, stimTrn=grey, stimVal=grey[..., :3])
    image = vim1.read(path).stimuli.images[0, ..., 0]
    assert image[0, 0] == 255 and image[0, 1] == 0 and image[1, 0] == 191
    assert image[3, 3] == 128
    grey[0, 0, 0] = 0.8
    path, stimuli = write_vim1(tmp_path, stimTrn=grey, stimVal=grey[..., :3])
    recording = vim1.read(path)
    image = recording.stimuli.images[0, ..., 0]
    assert image[0, 0] == 255 and image[3, 3] == 128
    assert image[0, 1] == round(255 * 0.3 / 1.6)
    assert f'{stimuli}: grey values reach 0.8' in recording.problems[0]


def test_options(tmp_path):
    path, stimuli = write_vim1(tmp_path)
    other = vim1.read(path, subject=3, roi='V1|LatOcc', size=4)
    assert other.subject == 'S3'
    assert other.voxels == (other.rois['V1'] | other.rois['LatOcc']).sum() > 0
    assert other.stimuli.images.shape == (9, 4, 4, 3)
    found = vim1.read(path).stimuli.images[0]
    for fit, how in (('centre', 'BILINEAR'), ('whole', 'BICUBIC')):
        image = Image.fromarray(found).resize((9, 9), Image.Resampling[how])
        resized = vim1.read(path, size=9, fit=fit).stimuli.images[0]
        np.testing.assert_array_equal(resized, image)
    with pytest.raises(InputError, match="fit pictures 'hole'"):
        vim1.read(path, fit='hole')
    with pytest.raises(InputError, match='no subject 2, only 1, 3; choose'):
        vim1.read(path, subject=2)
    with pytest.raises(InputError, match="has no ROI 'V5', only V1"):
        vim1.read(path, roi='V5')
    moved = stimuli.rename(tmp_path / 'pictures.mat')
    assert vim1.read(path).stimuli.images is None
    assert vim1.read(path, pictures=moved).stimuli.images is not None
    (both,) = description.open_all([moved, path])
    assert both.stimuli.images is not None
    with pytest.raises(
        InputError, match=r'pictures.mat holds the pictures; giv'
    ):
        open_recording(moved)


def test_round_trip(tmp_path):
    original = subject.simulated_subject(
        size=16, seed=1, n_train=20, n_test=4, voxels={'V1': 12, 'V4': 9}
    )
    paths = tmp_path / 'EstimatedResponses.mat', tmp_path / 'Stimuli.mat'
    vim1.write(original, *paths, subject=2)
    once = vim1.read(paths[0], subject=2)
    assert once.stimuli.images.shape[0] == 24
    vim1.write(once, *paths, subject=2)
    twice = vim1.read(paths[0], subject=2)
    np.testing.assert_array_equal(
        once.train.fmri, average_repeats(original.train).fmri
    )
    for part in ('train', 'test'):
        a, b = getattr(once, part), getattr(twice, part)
        np.testing.assert_array_equal(a.fmri, b.fmri)
        np.testing.assert_array_equal(a.stimulus, b.stimulus)
    np.testing.assert_array_equal(once.stimuli.images, twice.stimuli.images)
    for name in vim1.ROIS:
        np.testing.assert_array_equal(once.rois[name], twice.rois[name])
    with open(paths[0], 'rb') as stream:
        header = stream.read(128)
    assert header.startswith(b'MATLAB 7.3 MAT-file') and header[-2:] == b'IM'
    with h5py.File(paths[0]) as file:
        assert file['dataTrnS2'].attrs['MATLAB_class'] == b'single'


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'dataValS1': np.ones((3, 19), 'f4')}, 'dataValS1 19 and roiS1 20'),
        ({'roiS1': np.full((1, 20), 8.0)}, 'codes other than 0 to 7'),
        ({'dataTrnS1': np.ones((3,), 'f4')}, r'must be \[voxels, pictures\]'),
        ({'dataTrnS1': np.ones((6, 20), 'i4')}, 'dataTrnS1 has dtype int32'),
        (
            {'dataTrnS1': np.full((6, 20), np.nan)},
            'none of the 20 voxels can be used',
        ),
        ({'stimTrn': np.ones((8, 8, 5), 'f4')}, '5 pictures for 6 responses'),
        ({'stimTrn': np.ones((8, 7, 6), 'f4')}, r'stimTrn has shape \(6, 7, 8'),
        ({'stimTrn': np.zeros((4, 4, 6), 'f4')}, 'differ in size'),
        ({'stimTrn': np.full((8, 8, 6), 255.0)}, 'grey values reach 255'),
        ({'stimTrn': np.full((8, 8, 6), np.nan)}, 'grey values reach nan'),
    ],
)
def test_bad_files(tmp_path, change, words):
    path, stimuli = write_vim1(tmp_path, **change)
    with pytest.raises(InputError, match=words) as error:
        vim1.read(path)
    assert str(error.value).startswith((str(path), str(stimuli)))


def test_missing_and_truncated_files_are_named(tmp_path):
    path, _ = write_vim1(tmp_path, without=['roiS1'])
    with pytest.raises(InputError, match=f"^{path} has no array 'roiS1'"):
        vim1.read(path)
    content = path.read_bytes()
    for length in np.linspace(0, len(content) - 1, 12).astype(int):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match=f'^{path} '):
            vim1.read(path)

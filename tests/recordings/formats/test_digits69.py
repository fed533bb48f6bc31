"""digits69.mat: the layout on small files, and the real file."""

import h5py
import numpy as np
import pytest
from conftest import shared_data
from recording_files import cell, digits_variables, write_digits

from brainjax.errors import InputError
from brainjax.pictures import sources
from brainjax.recordings.formats import digits69


def changed(name, index, value):
    array = digits_variables()[name].astype(np.float64)
    array[index] = value
    return {name: array}


def test_every_variable_lands_where_it_belongs(tmp_path):
    recording = digits69.read(write_digits(tmp_path))
    variables = digits_variables()
    test = [*range(45, 50), *range(95, 100)]
    train = [i for i in range(100) if i not in test]
    for part, rows in ((recording.train, train), (recording.test, test)):
        np.testing.assert_array_equal(
            part.fmri, variables['Y'][rows].astype(np.float32)
        )
        np.testing.assert_array_equal(part.stimulus, rows)
        assert part.fmri.dtype == np.float32
    stimuli = recording.stimuli
    for row, column in ((3, 7), (20, 0)):
        for channel in range(3):
            np.testing.assert_array_equal(
                stimuli.images[:, row, column, channel],
                variables['X'][:, row + 28 * column],
            )
    assert stimuli.names[:2] == ('six-00', 'six-01')
    assert stimuli.names[49:51] == ('six-49', 'nine-00')
    assert stimuli.categories == ('six',) * 50 + ('nine',) * 50
    assert len(recording.rois) == 13
    masks = variables['region_of_interest_mask'][0]
    place = np.argwhere(masks[0].transpose(2, 1, 0))  # First axis fastest.
    np.testing.assert_array_equal(
        recording.rois['lh.V1d'],
        [masks[1][x, y, z] for z, y, x in place],
    )
    assert recording.rois['primary'].all()
    assert not recording.simulated


def test_voxels_are_left_out_where_one_asks_for_it(tmp_path):
    whole = digits69.read(write_digits(tmp_path))
    path = write_digits(tmp_path, **changed('Y', (3, 2), np.inf))
    recording = digits69.read(path, drop='infinite')
    for part in ('train', 'test'):
        np.testing.assert_array_equal(
            getattr(recording, part).fmri,
            np.delete(getattr(whole, part).fmri, 2, axis=1),
        )
    for roi, mask in recording.rois.items():
        np.testing.assert_array_equal(mask, np.delete(whole.rois[roi], 2))
    assert '1 of the 25 voxels are left out (1 inf' in recording.problems[0]


def test_rows_and_roi_are_options(tmp_path):
    path = write_digits(tmp_path)
    recording = digits69.read(path, test_rows=(0, 99), roi='lh.V1d|rh.V3v')
    np.testing.assert_array_equal(recording.test.stimulus, [0, 99])
    assert len(recording.train) == 98
    assert recording.voxels < digits69.read(path).voxels
    for rows in ([100], [-1], [0.5], [], [[1]]):
        with pytest.raises(InputError, match='test_rows must be integers'):
            digits69.read(path, rows)
    with pytest.raises(InputError, match='leaves no trials to train on'):
        digits69.read(path, range(99))
    with pytest.raises(InputError, match=r"no ROI 'V4', only primary, lh.V1"):
        digits69.read(path, roi='V4')


def test_folds_cover_every_row_once_and_are_stratified():
    folds = digits69.folds()
    assert folds[2] == (10, 11, 12, 13, 14, 60, 61, 62, 63, 64)
    assert folds[9] == digits69.TEST_ROWS
    for n in (2, 5, 10, 25, 50):
        rows = np.array(digits69.folds(n))
        np.testing.assert_array_equal(np.sort(rows, axis=None), range(100))
        assert (rows < 50).sum(axis=1).tolist() == [50 // n] * n
    for n in (1, 3):
        with pytest.raises(InputError, match=f'divided into {n} folds'):
            digits69.folds(n)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (changed('Y', (3, 2), np.nan), '1 NaN.*the first is voxel 2'),
        (changed('Y', (slice(None), 4), 1), '1 constant.*the first is voxel 4'),
        ({'Y': np.ones((99, 20))}, r'Y has shape \(99, 20\); .* 100 pictures'),
        ({'Y': np.ones((100, 20))}, "mask 'primary' holds .* and Y 20 col"),
        ({'X': np.ones((100, 783))}, r'X has shape \(100, 783\); .* 28 x 28'),
        (changed('X', (0, 0), 256), 'X holds values that are not in 0..255'),
        (changed('X', (0, 0), np.nan), 'X holds values that are not in'),
        (changed('stimulus_label', 0, 3), 'stimulus_label must hold 1'),
        ({'stimulus_label': np.ones(99)}, 'each of the 100 pictures in X'),
        ({'X': 'text'}, 'X must be numbers'),
        ({'region_of_interest_mask': np.ones(3)}, 'must be a cell array'),
        ({'region_of_interest_mask': cell([np.ones(3)])}, 'one name for'),
        (
            {'region_of_interest_mask': cell([np.full((4, 5), 2)] * 13)},
            'must hold volumes of one size, of 0 and 1',
        ),
        (
            {'region_of_interest_label': cell([f'r{i}' for i in range(13)])},
            "'primary' holds 0 voxels",
        ),
    ],
)
def test_bad_files(tmp_path, change, words):
    path = write_digits(tmp_path, **change)
    with pytest.raises(InputError, match=f'^{path}.*{words}'):
        digits69.read(path)


def test_missing_things_are_named(tmp_path):
    with pytest.raises(InputError, match=r'no.mat does not exist'):
        digits69.read(tmp_path / 'no.mat')
    path = write_digits(tmp_path, without=['Y', 'X_prior'])
    with pytest.raises(InputError, match=f'^{path} has no Y; give the digits'):
        digits69.read(path)
    with pytest.raises(InputError, match=f'^{path} has no X_prior; give the'):
        sources.unpaired_digits(path)
    path.write_text('not MATLAB')
    with pytest.raises(InputError, match='is not a complete MATLAB v5 file'):
        digits69.read(path)


def test_truncated_files_are_named(tmp_path):
    path = write_digits(tmp_path)
    content = path.read_bytes()
    for length in np.linspace(0, len(content) - 1, 25).astype(int):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match=f'^{path} '):
            digits69.read(path)


def test_the_real_file_is_upright_and_in_order():
    path = shared_data('digits69.mat')
    recording = digits69.read(path)
    assert recording.voxels == 3092
    prior = sources.unpaired_digits(path)
    assert prior.shape == (2000, 28, 28, 3)
    # From its loop, which holds most ink, a six tapers upward and a nine
    # downward: the third moment over rows tells one from the other.
    for images in (recording.stimuli.images, prior):
        ink = images[..., 0].sum(axis=2)
        ink = ink / ink.sum(axis=1, keepdims=True)
        row = np.arange(28) - ink @ np.arange(28)[:, None]
        sixes, nines = np.split((ink * row**3).sum(axis=1), 2)
        assert (sixes < 0).mean() > 0.9
        assert (nines > 0).mean() > 0.9


def test_the_real_file_agrees_with_the_bdata_file():
    recording = digits69.read(shared_data('digits69.mat'))
    with h5py.File(shared_data('digits69_bdata.h5')) as file:
        keys = [key.decode() for key in file['metadata/key'][:]]
        value = dict(zip(keys, file['metadata/value'][:]))
        dataset = file['dataset'][:]
    columns = value['VoxelData'] == 1
    everything = np.empty((100, 3092), np.float32)
    for part in (recording.train, recording.test):
        everything[part.stimulus] = part.fmri
    np.testing.assert_array_equal(
        everything, dataset[:, columns].astype(np.float32)
    )
    for name, mask in recording.rois.items():
        stated = value[f'ROI_{name.replace(".", "_")}'][columns]
        np.testing.assert_array_equal(mask, stated == 1)


def kernel_ridge(recording, alpha=1000.0):
    """Pixels from voxels, the reference that methods must beat.

    Voxels are z-scored with the training trials' mean and deviation (n, not
    n - 1); pixels (0..255) are centred on the training mean, which is the
    unpenalised intercept; linear kernel; no clipping.
    """
    train, test = recording.train, recording.test
    pixels = recording.stimuli.images[..., 0].reshape(100, -1).astype(float)
    fmri = train.fmri.astype(float)
    mean, deviation = fmri.mean(axis=0), fmri.std(axis=0)
    seen, new = ((f - mean) / deviation for f in (fmri, test.fmri))
    average = pixels[train.stimulus].mean(axis=0)
    weights = np.linalg.solve(
        seen @ seen.T + alpha * np.eye(len(seen)),
        pixels[train.stimulus] - average,
    )
    return new @ seen.T @ weights + average, pixels[test.stimulus]


def scores(predicted, truth):
    """Pixel correlation, and how often it is highest for the true of two."""
    n = len(truth)
    correlation = np.corrcoef(predicted, truth)[:n, n:]
    own = np.diag(correlation)
    others = own[:, None] > correlation
    return own.mean(), others[~np.eye(n, dtype=bool)].mean()


def test_ridge_reaches_the_published_reference():
    path = shared_data('digits69.mat')
    np.testing.assert_allclose(
        scores(*kernel_ridge(digits69.read(path))), [0.787, 0.933], atol=5e-4
    )
    pairs = [kernel_ridge(digits69.read(path, f)) for f in digits69.folds()]
    predicted, truth = map(np.concatenate, zip(*pairs))
    np.testing.assert_allclose(
        scores(predicted, truth), [0.732, 0.895], atol=5e-4
    )
    within = [
        scores(
            np.concatenate([p[part] for p, _ in pairs]),
            np.concatenate([t[part] for _, t in pairs]),
        )[1]
        for part in (slice(5), slice(5, 10))
    ]
    np.testing.assert_allclose(within, [0.79, 0.84], atol=5e-3)

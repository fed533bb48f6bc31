"""Decoders kept in the field's layout give the features again."""

import numpy as np
import pytest
import tiny
from tiny_inversion_files import SETTING, SHAPES, write_true

from brainjax.__main__ import main
from brainjax.errors import InputError
from brainjax.io import feature_files, feature_folders, matlab73
from brainjax.methods.inversion import decoder_files, feature_decoding
from brainjax.recordings import conversion


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    root, recording = tmp_path_factory.mktemp('decoders'), tiny.subject()
    write_true(root / 'true', recording)
    for _ in range(2):  # The second finds them there.
        feature_decoding.decode(
            recording,
            root / 'true',
            root / 'decoded',
            setting=SETTING,
            decoders=root / 'decoders',
        )
    return root, recording


def test_decoders_give_the_features_that_were_decoded(saved, tmp_path):
    root, recording = saved
    feature_decoding.apply(recording, root / 'decoders', tmp_path)
    ours, again = (
        feature_folders.open_layers(folder, subject='tiny', roi='all')
        for folder in (root / 'decoded', tmp_path)
    )
    for layer in SHAPES:
        names = ours[layer].names
        expected = feature_folders.read(ours[layer], names)
        found = feature_folders.read(again[layer], names)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
        assert expected.std() > 0.1


def test_files_are_those_of_the_field(saved):
    root, _ = saved
    model = root / 'decoders' / 'conv1' / 'tiny' / 'all' / 'model'
    chunks = [f'{i:08d}.mat' for i in range(SHAPES['conv1'][0])]
    for name, first in (('W', tiny.VOXELS), ('b', 1)):
        assert sorted(x.name for x in (model / name).iterdir()) == chunks
        values = feature_files.read_array(model / name / chunks[2], name)
        assert values.shape == (first, 1, *SHAPES['conv1'][1:])
    # Ten voxels a unit.
    w = feature_files.read_array(model / 'W' / chunks[2], 'W')
    assert set((w != 0).sum(axis=0).ravel()) <= {0, SETTING.k}
    assert feature_files.read_array(model / 'x_mean.mat', 'x_mean').shape == (
        1,
        tiny.VOXELS,
    )
    assert feature_files.read_array(model / 'y_norm.mat', 'y_norm').shape == (
        1,
        *SHAPES['conv1'],
    )
    assert 'computation_status: done' in (model / 'info.yaml').read_text()
    dense = root / 'decoders' / 'fc' / 'tiny' / 'all' / 'model' / 'W.mat'
    assert feature_files.read_array(dense, 'W').shape == (
        tiny.VOXELS,
        *SHAPES['fc'],
    )


def test_what_does_not_fit_is_refused(saved, tmp_path):
    root, recording = saved
    decoders = root / 'decoders'
    with pytest.raises(InputError, match='no decoders LAYER/tiny/V1/model'):
        feature_decoding.apply(recording, decoders, tmp_path, roi='V1')
    with pytest.raises(InputError, match='fc9'):
        feature_decoding.apply(recording, decoders, tmp_path, layers=['fc9'])
    folder = decoders / 'fc' / 'tiny' / 'all'
    fmri = recording.test.fmri
    with pytest.raises(InputError, match=f'of {tiny.VOXELS} voxels and the'):
        [*decoder_files.predict(folder, fmri[:, 1:])]
    with pytest.raises(InputError, match='was made from something else'):
        feature_decoding.decode(
            recording,
            root / 'true',
            tmp_path / 'out',
            layers=['fc'],
            setting=SETTING._replace(alpha=3.0),
            decoders=decoders,
        )
    model = decoders / 'conv1' / 'tiny' / 'all' / 'model'
    (model / 'W' / '00000005.mat').unlink()
    (model / 'b' / '00000005.mat').unlink()
    with pytest.raises(InputError, match='lacks channels from 5'):
        [*decoder_files.predict(model.parent, fmri)]
    (model / 'info.yaml').write_text('_status:\n')
    with pytest.raises(InputError, match='was not finished'):
        [*decoder_files.predict(model.parent, fmri)]


def test_arrays_that_are_mostly_zero_are_small(tmp_path):
    values = np.zeros((1000, 500), np.float32)
    values[3] = np.arange(500)
    matlab73.write(tmp_path / 'W.mat', {'W': values}, compress=True)
    assert (tmp_path / 'W.mat').stat().st_size < values.nbytes / 20
    np.testing.assert_array_equal(
        feature_files.read_array(tmp_path / 'W.mat', 'W'), values
    )


def test_regions_and_folds_have_folders_of_their_own(tmp_path, capsys):
    recording = tiny.subject()
    write_true(tmp_path / 'true', recording)
    [path, *_], _ = conversion.convert(recording, tmp_path / 'x.h5', 'bdata')
    command = (
        *('decode', path, '--features', tmp_path / 'true', '--layers', 'fc'),
        *('--k', 10, '--rois', 'V1,VC', '--folds', 2),
        *('--fold-by', 'stimulus', '--out', tmp_path / 'out'),
        *('--score', tmp_path / 'true'),
    )
    assert main([str(word) for word in command]) == 0
    inside = 'cv-fold{}/decoded_features'
    told = capsys.readouterr().out.split()
    assert [word for word in told if word.endswith('_features')] == [
        str(tmp_path / 'out' / 'fc' / 'x' / roi / inside.format(i))
        for roi in ('V1', 'VC')
        for i in (1, 2)
    ]
    for roi in ('V1', 'VC'):
        folder = tmp_path / 'out' / 'fc' / 'x' / roi
        parts = [
            {file.stem for file in (folder / inside.format(i)).iterdir()}
            for i in (1, 2)
        ]
        # Each stimulus is decoded once, by a fit that has not seen it.
        assert not parts[0] & parts[1]
        assert parts[0] | parts[1] == {*recording.stimuli.names}
        layer = feature_folders.open_layers(
            tmp_path / 'out', subject='x', roi=roi
        )['fc']
        assert {*layer.names} == {*recording.stimuli.names}
    for roi in ('V1', 'VC'):
        path = tmp_path / 'out' / f'x-{roi}-cv-fold2.csv'
        assert str(path) in told
        head, row = path.read_text().splitlines()
        assert head.startswith('layer,units,pictures,profile_correlation,')
        layer, units, _, *scores = row.split(',')
        assert (layer, units) == ('fc', '30')
        assert all(0.1 < float(x) <= 1 for x in scores)
    wrong = [*map(str, command), '--fold-by', 'month']
    assert main(wrong) == 2 and 'month' in capsys.readouterr().err

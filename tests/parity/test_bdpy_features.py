"""Folders of features beside bdpy: each opens what the other writes."""

import warnings

import numpy as np
import pytest

pytest.importorskip('bdpy')

import hdf5storage
import scipy.io
import tiny
from bdpy.dataform import DecodedFeatures, Features, load_array, save_array
from bdpy.evals import metrics
from bdpy.ml import ModelTest
from tiny_inversion_files import SETTING, SHAPES, write_true

from brainjax.io import feature_folders
from brainjax.methods.inversion import (
    decoder_files,
    feature_decoding,
    feature_scores,
)

pytestmark = pytest.mark.parity
FEW = 15  # Of more, bdpy forks, which JAX does not bear.
NAMES = ['n01443537_22563', 'n01677366_18182', 'n03626115_19498']


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
    """True features of the tiny subject, decoded by two regions."""
    root, recording = tmp_path_factory.mktemp('features'), tiny.subject()
    made = write_true(root / 'true', recording, compact=False)
    for roi in ('V1', 'VC'):
        feature_decoding.decode(
            recording, root / 'true', root / 'decoded', roi=roi, setting=SETTING
        )
    return root, recording, made


def test_bdpy_opens_true_features(folders):
    root, recording, made = folders
    theirs = Features(str(root / 'true'))
    assert theirs.layers == [*SHAPES]
    assert theirs.labels == sorted(recording.stimuli.names)
    some = theirs.labels[:FEW]
    order = [recording.stimuli.names.index(name) for name in some]
    for layer in SHAPES:
        found = theirs.get(layer, some)
        np.testing.assert_array_equal(found, made[layer][order])


def test_bdpy_opens_decoded_features(folders):
    root, recording, _ = folders
    theirs = DecodedFeatures(str(root / 'decoded'))
    assert sorted(theirs.layers) == [*SHAPES]
    assert theirs.subjects == ['tiny'] and sorted(theirs.rois) == ['V1', 'VC']
    shown = np.unique(recording.test.stimulus)
    names = [recording.stimuli.names[i] for i in shown]
    assert sorted(theirs.labels) == sorted(names)
    for roi in ('V1', 'VC'):
        ours = feature_folders.open_layers(
            root / 'decoded', subject='tiny', roi=roi
        )
        for layer, shape in SHAPES.items():
            found = theirs.get(
                layer=layer, subject='tiny', roi=roi, label=names[3]
            )
            assert found.shape == (1, *shape)
            np.testing.assert_array_equal(
                found, feature_folders.read(ours[layer], [names[3]])
            )


@pytest.mark.parametrize('sparse', [False, True])
@pytest.mark.parametrize(
    'inside', ['', 'decoded_features', 'cv-1/decoded_features']
)
def test_what_bdpy_saves_is_read(tmp_path, inside, sparse):
    rng, made = np.random.default_rng(0), {}
    for layer, shape in SHAPES.items():
        for name in NAMES:
            values = np.float32(rng.standard_normal((1, *shape)))
            values[np.abs(values) < 0.5] = 0
            made[layer, name] = values
            folder = tmp_path / layer / 'S1' / 'VC' / inside
            folder.mkdir(parents=True, exist_ok=True)
            save_array(
                str(folder / f'{name}.mat'), values, key='feat', sparse=sparse
            )
    ours = feature_folders.open_layers(tmp_path, subject='S1', roi='VC')
    assert [*ours] == [*SHAPES]
    for layer, shape in SHAPES.items():
        assert ours[layer].shape == shape
        np.testing.assert_array_equal(
            feature_folders.read(ours[layer], NAMES),
            np.concatenate([made[layer, name] for name in NAMES]),
        )


def test_files_named_by_layer_and_columns_are_read(tmp_path):
    """As the published decoded features: MATLAB v5, the layer in the name."""
    made = {}
    for layer in ('conv1_1', 'fc6'):
        folder = tmp_path / layer / 'S1' / 'VC'
        folder.mkdir(parents=True)
        shape = (2, 3, 3) if layer == 'conv1_1' else (1, 7)
        for i in (1, 2):
            made[layer, i] = np.random.default_rng(i).random(shape, np.float32)
            name = f'natural-VGG19-{layer}-S1-VC-Img{i:04d}.mat'
            scipy.io.savemat(folder / name, {'feat': made[layer, i]})
    layers = feature_folders.open_layers(tmp_path, subject='S1', roi='VC')
    names = [f'natural-VGG19-Img{i:04d}' for i in (1, 2)]
    for layer, found in layers.items():
        assert [*found.names] == names
        np.testing.assert_array_equal(
            feature_folders.read(found, names).reshape(2, -1),
            [made[layer, i].ravel() for i in (1, 2)],
        )


def test_an_index_of_units_means_the_same(folders, tmp_path):
    root, _, _ = folders
    units = {
        'conv1': np.array([95, 3, 40]),
        'fc': np.array([0, 29, 7, 2]),
    }
    index = tmp_path / 'feature_index.mat'
    hdf5storage.savemat(str(index), {'index': units})
    theirs = Features(str(root / 'true'), feature_index=str(index))
    for layer in SHAPES:
        (tmp_path / layer).symlink_to(root / 'true' / layer)
    ours = feature_folders.open_layers(tmp_path)
    for layer in SHAPES:
        np.testing.assert_array_equal(
            feature_folders.read(ours[layer], theirs.labels[:FEW]),
            theirs.get(layer, theirs.labels[:FEW]).reshape(FEW, -1),
        )


def test_scores_are_those_of_bdpy(folders):
    root, recording, made = folders
    true = feature_folders.open_layers(root / 'true')
    decoded = feature_folders.open_layers(
        root / 'decoded', subject='tiny', roi='VC'
    )
    shown = np.unique(recording.test.stimulus)
    seen = np.unique(recording.train.stimulus)
    names, train = (
        [recording.stimuli.names[i] for i in part] for part in (shown, seen)
    )
    for layer in SHAPES:
        found = feature_scores.score_layer(
            decoded[layer], true[layer], names, true[layer], train
        )
        x = feature_folders.read(decoded[layer], names).astype(float)
        y, z = made[layer][shown].astype(float), made[layer][seen].astype(float)
        np.testing.assert_allclose(
            found.profile,
            metrics.profile_correlation(x, y).ravel(),
            atol=1e-6,
        )
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            pattern = metrics.pattern_correlation(
                x, y, mean=z.mean(0), std=z.std(0, ddof=1)
            )
        np.testing.assert_allclose(found.pattern, pattern, atol=1e-5)
        [row] = feature_scores.rows([(layer, found)])
        two_way = metrics.pairwise_identification(x, y)
        assert float(row[-1]) == pytest.approx(np.mean(two_way), abs=6e-5)


def test_decoders_predict_there_what_they_do_here(tmp_path):
    """bdpy runs our decoders, and we those with its sparse weights."""
    recording = tiny.subject()
    write_true(tmp_path / 'true', recording, compact=False)
    feature_decoding.decode(
        recording,
        tmp_path / 'true',
        tmp_path / 'out',
        setting=SETTING,
        decoders=tmp_path / 'decoders',
    )

    class Linear:
        def predict(self, x):
            w = self.W.reshape(len(self.W), -1)
            return (x @ w + self.b.ravel()).reshape(-1, *self.W.shape[1:])

    for layer, axis in (('conv1', 1), ('fc', None)):
        model = tmp_path / 'decoders' / layer / 'tiny' / 'all' / 'model'
        mean, norm, y_mean, y_norm = (
            load_array(str(model / f'{name}.mat'), key=name)
            for name in ('x_mean', 'x_norm', 'y_mean', 'y_norm')
        )
        test = ModelTest(
            Linear(),
            (recording.test.fmri - mean) / norm,
            model_format='bdmodel',
            model_path=str(model),
            chunk_axis=axis,
        )
        theirs = test.run() * y_norm + y_mean

        def ours(model=model):
            found = decoder_files.predict(model.parent, recording.test.fmri)
            return np.concatenate([*found], axis=1)

        np.testing.assert_allclose(ours(), theirs, rtol=1e-4, atol=1e-4)
        for path in model.glob('W*/*.mat'):
            w = load_array(str(path), key='W')
            save_array(str(path), w, key='W', dtype=np.float32, sparse=True)
        np.testing.assert_allclose(ours(), theirs, rtol=1e-4, atol=1e-4)

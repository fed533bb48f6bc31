"""Scaling features on disk is scaling them in memory."""

import dataclasses

import jax
import numpy as np
import pytest
import scipy.io
import tiny
from tiny_inversion import get_config
from tiny_inversion_files import SHAPES

from brainjax.errors import InputError
from brainjax.io import arrays, feature_folders
from brainjax.linear import scaling
from brainjax.methods.data import prepare
from brainjax.methods.inversion import scales
from brainjax.methods.inversion.method import fit, reconstruct
from brainjax.networks import frozen

TEST, TRAIN = [f'test{i}' for i in range(7)], [f'seen{i}' for i in range(20)]


@pytest.fixture(scope='module')
def layers(tmp_path_factory):
    root, made = tmp_path_factory.mktemp('scales'), {}
    rng = np.random.default_rng(0)
    for part, names in (('test', TEST), ('train', TRAIN)):
        for layer, shape in SHAPES.items():
            values = rng.standard_normal((len(names), *shape)) * 3 + 1
            made[part, layer] = np.float32(values)
            feature_folders.write_compact(
                root / part, layer, names, made[part, layer]
            )
    return [
        feature_folders.open_layers(root / part) for part in ('test', 'train')
    ], made


@pytest.mark.parametrize(
    'name', [x for x in scales.SCALINGS if x != 'published']
)
def test_every_scaling_by_portions(layers, monkeypatch, name):
    (test, train), made = layers
    monkeypatch.setattr(scales, '_UNITS_AT_A_TIME', 32)
    how = scales.SCALINGS[name]
    found = scales.measure(test, train, TRAIN, name)
    scale = scales.scaler(found, test, TEST)
    for layer in SHAPES:
        known = scaling.reference(
            made['train', layer], scaling.DDOF.get(how, 0)
        )
        expected = scaling.scale(made['test', layer], known, how)
        some = scale(layer, made['test', layer][2:4])
        np.testing.assert_allclose(some, expected[2:4], rtol=1e-5, atol=1e-5)
        assert some.dtype == np.float32


def test_the_published_spread_comes_from_its_file(layers, tmp_path):
    (test, train), made = layers
    path = tmp_path / 'std.mat'
    # A number, or one a channel whose mean counts.
    spread = {'conv1': np.arange(1.0, 7), 'fc': np.float32([[11.5]])}
    scipy.io.savemat(path, spread)
    found = scales.measure(test, None, None, 'about_zero', path)
    scale = scales.scaler(found, test, TEST)
    for layer, expected in (('conv1', 3.5), ('fc', 11.5)):
        values = scale(layer, made['test', layer])
        np.testing.assert_allclose(
            scaling.picture_std(values), expected, rtol=1e-5
        )
    # The mean is still that of the training pictures.
    found = scales.measure(test, train, TRAIN, 'about_training_mean', path)
    known = scaling.reference(made['train', 'fc'])._replace(std=11.5)
    np.testing.assert_allclose(
        scales.scaler(found, test, TEST)('fc', made['test', 'fc']),
        scaling.about_training_mean(made['test', 'fc'], known),
        rtol=1e-5,
    )
    with pytest.raises(InputError, match='takes the mean of true features'):
        scales.measure(test, None, None, 'about_training_mean', path)
    scipy.io.savemat(path, {'conv1': np.zeros(3)})
    with pytest.raises(InputError, match='no standard deviation of conv1'):
        scales.measure(test, None, None, 'about_zero', path)


def test_a_mean_picture_is_what_the_network_sees_as_nothing(tmp_path):
    path = tmp_path / 'ilsvrc_2012_mean.npy'
    mean = np.ones((3, 4, 4)) * np.array([100.0, 110, 120])[:, None, None]
    np.save(path, mean)  # BGR
    network = frozen.init_random(
        jax.random.key(0), 'vgg16', 1 / 16, preprocessing='caffe'
    )
    changed = frozen.with_mean(network, path)
    assert changed.architecture.mean_pixel == (120, 110, 100)
    assert frozen.with_mean(network, '') is network
    image = np.random.default_rng(0).random((1, 16, 16, 3), np.float32)
    own = np.float32(np.array(network.architecture.mean_pixel) / 255)
    shifted = image + own - np.float32([120, 110, 100]) / np.float32(255)
    found, expected = (
        each.architecture.apply(each.params, x, ['conv1_2'])['conv1_2']
        for each, x in ((changed, image), (network, shifted))
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert frozen.provenance(changed)['mean'] == [120, 110, 100]
    assert 'mean' not in frozen.provenance(network)
    np.save(path, mean[0])
    with pytest.raises(InputError, match=r'a mean picture is'):
        frozen.read_mean(path)


def test_a_run_searches_codes_of_a_generator(tmp_path):
    recording = tiny.subject()
    bounds = tmp_path / 'fc7.txt'
    bounds.write_text('3')
    config = get_config(
        inversion__generator='relu7',
        inversion__upper=str(bounds),
        inversion__start='zeros',
        inversion__decay=0.01,
        inversion__decay_end=0.01,
        inversion__blur=(),
        inversion__steps=3,
        inversion__recovered=0,
        inversion__together=24,
        network__width=1 / 64,
        network__layers=('conv1_2',),
    )
    data = prepare(recording, None)
    fitted = fit(data, config, tmp_path / 'run')
    images = reconstruct(fitted, data.test.fmri, config)
    assert images.shape == (len(data.test), 16, 16, 3)
    part = arrays.read(tmp_path / 'run' / 'inversion' / 'parts' / '0000.npz')
    codes = part['codes']
    assert codes.min() == 0 and 0 < codes.max() <= 3
    assert len(np.unique(codes, axis=0)) > 1
    said = dataclasses.asdict(fitted.network.architecture)
    assert said['mean'] == ()

import functools
import json

import caffe_writer
import jax
import numpy as np
import pytest
import torch_writer

from brainjax.errors import InputError
from brainjax.networks import frozen
from brainjax.networks.backbones import BACKBONES, feedforward, vgg
from brainjax.networks.weights import cache as weights
from brainjax.networks.weights import catalogue, converters


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('BRAINJAX_CACHE', str(tmp_path / 'cache'))


@pytest.fixture
def narrow(monkeypatch):
    """Takes networks with few channels for the published ones."""

    for name in ('vgg16', 'vgg19', 'squeezenet'):
        whole = BACKBONES[name]
        shapes = functools.partial(whole.shapes, width=1 / 16)
        monkeypatch.setitem(BACKBONES, name, whole._replace(shapes=shapes))


def arrays(name, seed=0):
    """Layer -> (OIHW or [out, in] kernel, bias), at random."""
    rng = np.random.default_rng(seed)
    result = {}
    for layer, parts in catalogue.shapes(name).items():
        shape = parts['kernel']
        order = (3, 2, 0, 1) if len(shape) == 4 else (1, 0)
        kernel = rng.standard_normal([shape[i] for i in order], np.float32)
        result[layer] = kernel / 8, rng.standard_normal(shape[-1:], np.float32)
    return result


def apply(network, images, *taps):
    run = jax.jit(network.architecture.apply, static_argnums=2)
    return run(network.params, images, taps)


def caffe(path, name, **options):
    path.write_bytes(caffe_writer.model(arrays(name), **options))
    return path


@pytest.mark.parametrize('old', [True, False])
def test_caffe_vgg19_knows_its_preprocessing(tmp_path, narrow, old):
    name = 'vgg19_caffe'
    weights.fetch(name, caffe(tmp_path / 'VGG.caffemodel', name, old=old))
    network = frozen.load(name)
    assert network.architecture == frozen.Architecture('vgg19', 'caffe')
    assert len(frozen.layers(network)) == 19
    images = np.random.default_rng(1).random((1, 224, 224, 3), np.float32)
    found = apply(network, images, 'conv1_1', 'pool5', 'fc6')
    held = arrays(name)
    # The middle pixel of conv1_1, from BGR in 0..255 minus the mean.
    kernel, bias = held['conv1_1']
    patch = 255 * images[0, 99:102, 99:102, ::-1] - feedforward.CAFFE_MEAN[::-1]
    np.testing.assert_allclose(
        found['conv1_1'][0, 100, 100],
        np.einsum('oihw,hwi->o', kernel, patch) + bias,
        rtol=1e-4,
        atol=1e-2,
    )
    # fc6 takes channels, height, width.
    kernel, bias = held['fc6']
    flat = np.moveaxis(np.float64(found['pool5'][0]), -1, 0).ravel()
    expected = kernel @ flat + bias
    np.testing.assert_allclose(
        found['fc6'][0], expected, atol=1e-4 * np.abs(expected).max()
    )


def test_torchvision_classifier(tmp_path, narrow):
    held = arrays('vgg16_fc')
    places = {layer: vgg.torch_names(layer)[0] for layer in held}
    assert [places[f'fc{i}'] for i in (6, 7, 8)] == [
        'classifier.0',
        'classifier.3',
        'classifier.6',
    ]
    state = {
        f'{places[layer]}.{part}': array
        for layer, pair in held.items()
        for part, array in zip(('weight', 'bias'), pair)
    }
    path = torch_writer.write_zip(tmp_path / 'vgg16.pth', state)
    weights.fetch('vgg16_fc', path)
    network = frozen.load('vgg16_fc', pool='average', slope=0.2)
    assert network.architecture.preprocessing == 'torchvision'
    images = np.random.default_rng(0).random((1, 224, 224, 3), np.float32)
    found = apply(network, images, 'pool5', 'fc6', 'relu6', 'fc7', 'fc8')
    flat = np.moveaxis(np.float64(found['pool5'][0]), -1, 0).ravel()
    kernel, bias = held['fc6']
    expected = kernel @ flat + bias
    np.testing.assert_allclose(
        found['fc6'][0], expected, atol=1e-4 * np.abs(expected).max()
    )
    np.testing.assert_allclose(
        found['relu6'],
        np.where(found['fc6'] > 0, found['fc6'], 0.2 * found['fc6']),
        rtol=1e-6,
    )
    kernel, bias = held['fc7']
    np.testing.assert_allclose(
        found['fc7'][0],
        kernel @ found['relu6'][0] + bias,
        rtol=1e-3,
        atol=1e-3 * np.abs(found['fc7']).max(),
    )


def test_squeezenet_from_both_files(tmp_path, narrow):
    held = arrays('squeezenet')
    model = {
        converters._caffe_name(layer): pair for layer, pair in held.items()
    }
    assert 'fire2/squeeze1x1' in model and 'conv10' in model
    path = tmp_path / 'squeezenet.caffemodel'
    path.write_bytes(caffe_writer.model(model))
    parts = {
        'squeeze': 'conv1x1_1',
        'expand1': 'conv1x1_2',
        'expand3': 'conv3x3_2',
    }
    flat = {}
    for layer, pair in held.items():
        fire, _, part = layer.partition('_')
        theirs = f'{fire}.{parts[part]}' if part else fire
        theirs = theirs.replace('conv10', 'conv_final')
        flat |= {f'{theirs}.weight': pair[0], f'{theirs}.bias': pair[1]}
    np.savez(tmp_path / 'squeezenet.npz', **flat)
    weights.fetch('squeezenet', path)
    first = frozen.load('squeezenet')
    weights.fetch('squeezenet', tmp_path / 'squeezenet.npz')
    second = frozen.load('squeezenet')
    assert (
        first.architecture
        == second.architecture
        == frozen.Architecture('squeezenet', 'caffe')
    )
    jax.tree.map(np.testing.assert_array_equal, first.params, second.params)
    flat.pop('fire9.conv3x3_2.bias')
    np.savez(tmp_path / 'less.npz', **flat)
    with pytest.raises(InputError, match=r"no 'fire9\.conv3x3_2\.bias'"):
        weights.fetch('squeezenet', tmp_path / 'less.npz')


def test_weights_of_another_preprocessing_are_refused(tmp_path, narrow):
    name = 'vgg16_caffe'
    weights.fetch(name, caffe(tmp_path / 'VGG.caffemodel', name))
    with pytest.raises(InputError, match=r"'caffe' and vgg16_fc expects 'torc"):
        weights.fetch('vgg16_fc', weights.path(name))
    with pytest.raises(InputError, match=r'holds no layer|is damaged'):
        weights.fetch(
            name, torch_writer.write_zip(tmp_path / 'a.pth', {'a': np.ones(2)})
        )


def test_published_scales_hold_for_the_caffe_network_only():
    network = frozen.init_random(jax.random.key(0), 'vgg19', 1 / 16)
    right = network._replace(
        name='vgg19_caffe', architecture=frozen.Architecture('vgg19', 'caffe')
    )
    frozen.check_scales(right)
    for wrong in (
        network,
        network._replace(name='vgg19_fc'),
        right._replace(
            architecture=frozen.Architecture('vgg19', 'caffe', 'average', 0.2)
        ),
    ):
        with pytest.raises(InputError, match='are those of vgg19_caffe'):
            frozen.check_scales(wrong)


def test_features_of_another_network_are_refused(tmp_path):
    network = frozen.init_random(jax.random.key(0), 'vgg16', 1 / 16)
    pictures = {'size': 32, 'fit': 'whole'}
    frozen.check_provenance(tmp_path, network, 32)  # Nothing is said there.
    frozen.write_provenance(tmp_path, network, pictures)
    frozen.write_provenance(tmp_path, network, pictures)
    frozen.check_provenance(tmp_path, network, 32)
    with pytest.raises(InputError, match='with size 32, and here it is 48'):
        frozen.check_provenance(tmp_path, network, 48)
    drawn = frozen.init_random(jax.random.key(1), 'vgg16', 1 / 16)
    with pytest.raises(InputError, match=r'with weights .* other scales'):
        frozen.check_provenance(tmp_path, drawn, 32)
    for change, word in (
        ({'preprocessing': 'caffe'}, 'preprocessing'),
        ({'pool': 'average'}, 'pool'),
        ({'slope': 0.2}, 'slope'),
    ):
        kind = frozen.Architecture(
            **{**network.architecture.__dict__, **change}
        )
        with pytest.raises(InputError, match=f'with {word} .* other scales'):
            frozen.check_provenance(
                tmp_path, network._replace(architecture=kind), 32
            )
    (tmp_path / 'conv1_1').mkdir()  # Features are there now.
    for other, changed, words in (
        (network._replace(name='vgg16'), {}, "'random', and here it is 'vgg"),
        (network, {'size': 48}, 'size 32, and here it is 48'),
        (network, {'fit': 'centre'}, "fit 'whole', and here it is 'centre'"),
    ):
        with pytest.raises(InputError, match=words):
            frozen.write_provenance(tmp_path, other, {**pictures, **changed})
    (tmp_path / frozen.PROVENANCE).write_text('{')
    with pytest.raises(InputError, match=r'network\.json is damaged'):
        frozen.check_provenance(tmp_path, network, 32)
    (tmp_path / frozen.PROVENANCE).write_text(json.dumps([1]))
    with pytest.raises(InputError, match='no JSON object'):
        frozen.check_provenance(tmp_path, network, 32)


def test_unknown_network_and_option():
    with pytest.raises(InputError, match=r"'vgg17'.*Did you mean 'vgg1"):
        frozen.load('vgg17')
    with pytest.raises(InputError, match='no other pool'):
        frozen.load('squeezenet', pool='average')
    with pytest.raises(InputError, match='fetch vgg19_caffe'):
        frozen.load('vgg19_caffe')


def test_alexnet_with_dense_layers():
    network = frozen.init_random(
        jax.random.key(0), 'alexnet', 1 / 16, dense=True
    )
    images = np.random.default_rng(0).random((1, 224, 224, 3), np.float32)
    found = apply(network, images, 'pool5', 'fc8')
    assert found['pool5'].shape == (1, 6, 6, 16)
    assert found['fc8'].shape == (1, 64)
    with pytest.raises(ValueError, match='fc6 takes 576 numbers'):
        apply(network, images[:, :200, :200], 'fc6')


def test_options_that_a_network_does_not_have():
    key = jax.random.key(0)
    with pytest.raises(InputError, match='alexnet has no other pool or slope'):
        frozen.init_random(key, 'alexnet', 1 / 16, pool='average')
    with pytest.raises(InputError, match=r"of alexnet 'caffe'.*torchvision"):
        frozen.init_random(key, 'alexnet', 1 / 16, preprocessing='caffe')

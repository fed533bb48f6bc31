"""Any network that can be a feature target works in this method."""

import jax
import numpy as np
import pytest
from tiny_inversion import get_config

from brainjax.errors import InputError
from brainjax.io import feature_folders
from brainjax.methods.inversion import search
from brainjax.methods.inversion.networks import (
    build_network,
    feature_shapes,
    features,
)
from brainjax.methods.inversion.problem import (
    build_problem,
    from_config,
)
from brainjax.methods.inversion.steps import OPTIMISERS
from brainjax.methods.inversion.true_features import extract
from brainjax.networks import frozen
from brainjax.networks.backbones import BACKBONES
from brainjax.pictures import operations


def network_config(family, **changes):
    size = BACKBONES[family].smallest
    config = get_config()
    config.network.update(family=family, size=max(size, 16), width=1 / 16)
    config.network.update(changes)
    return config


@pytest.mark.parametrize(
    'family', [name for name, b in BACKBONES.items() if 'target' not in b.unfit]
)
def test_every_feature_target_can_be_inverted(family):
    config = network_config(family, layers=())
    network = build_network(config)
    layers = frozen.layers(network)
    layers = [layers[0], layers[len(layers) // 2], layers[-1]]
    shapes = feature_shapes(network, layers, config.network.size)
    targets = {x: np.ones((1, *shape)) for x, shape in shapes.items()}
    settings = from_config(config)
    problem, data, x = build_problem(targets, ['a'], network, settings)
    optimiser = OPTIMISERS[type(settings.optimiser)]
    state = optimiser.start(x, settings.optimiser)
    # From shapes alone: to compile each network would take a minute.
    after = search.advance.trace(problem, data, state, 0)
    shapes = jax.tree.map(lambda x: x.shape, after.out_info)
    assert shapes == jax.tree.map(np.shape, state)
    # Within it a processor would take a convolution's gradient far slower.
    assert 'while' not in {each.primitive.name for each in after.jaxpr.eqns}


def test_a_network_that_cannot_be_a_target_says_why():
    with pytest.raises(InputError, match=r"alexnet_stride2 .* take 'alexnet'"):
        build_network(network_config('alexnet_stride2', layers=('conv1',)))
    config = network_config('vgg16')
    config.network.family = 'vgg17'
    with pytest.raises(InputError, match=r"no network 'vgg17'\. Did you mean"):
        build_network(config)
    with pytest.raises(InputError, match="no tap 'conv9_1'"):
        build_network(network_config('vgg16', layers=('conv9_1',)))


@pytest.mark.parametrize('fit', ['whole', 'centre'])
def test_pictures_of_another_size_come_to_the_networks(tmp_path, fit):
    config = network_config('vgg16', layers=('conv1_1',), fit=fit)
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    network, size = build_network(config), config.network.size
    resized = operations.resize(images, size, fit)
    assert size == 32 and resized.shape == (2, 32, 32, 3)
    found = extract(network, images, ['a', 'b'], config, tmp_path)['conv1_1']
    expected = features(network, np.float32(resized) / 255, ['conv1_1'])
    np.testing.assert_allclose(
        feature_folders.read(found, ['a', 'b']),
        frozen.channels_first(expected['conv1_1']),
        rtol=1e-5,
        atol=1e-5,
    )
    other = operations.resize(images, size, 'lanczos')
    assert np.any(other != resized)


def test_features_of_other_pictures_replace_those_that_are_there(tmp_path):
    config = network_config('vgg16', layers=('conv1_1',))
    config.memory_gib = 1e-4  # A picture at a time.
    network = build_network(config)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 3, 16, 16, 3), np.uint8)
    before = {}
    for some in (*images, images[1]):
        layer = extract(network, some, ['a', 'b', 'c'], config, tmp_path)
        values = feature_folders.read(layer['conv1_1'], ['c', 'a', 'b'])
        expected = features(
            network,
            np.float32(operations.resize(some, 32, 'whole')) / 255,
            ['conv1_1'],
        )
        expected = frozen.channels_first(expected['conv1_1'])[[2, 0, 1]]
        np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-5)
        stat = (tmp_path / 'conv1_1.npy').stat()
        assert len(before) < 2 or before[1] == stat.st_mtime_ns
        before[len(before)] = stat.st_mtime_ns

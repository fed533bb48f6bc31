"""Any network that can be a feature target works in this method."""

import functools

import jax
import numpy as np
import pytest
from tiny_inversion import get_config

from brainjax.errors import InputError
from brainjax.methods.inversion import search
from brainjax.methods.inversion.networks import (
    build_network,
    feature_shapes,
    true_features,
)
from brainjax.methods.inversion.problem import (
    build_problem,
    from_config,
)
from brainjax.methods.inversion.steps import OPTIMISERS
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
    after = jax.eval_shape(
        functools.partial(search.advance, problem), data, state, 0, 1
    )
    assert jax.tree.map(np.shape, after) == jax.tree.map(np.shape, state)


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
def test_pictures_of_another_size_come_to_the_networks(fit):
    config = network_config('vgg16', layers=('conv1_1',), fit=fit)
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    network = build_network(config)
    found = true_features(network, images, config)['conv1_1']
    size = config.network.size
    resized = operations.resize(images, size, fit)
    assert size == 32 and resized.shape == (2, 32, 32, 3)
    same = true_features(network, resized, config)['conv1_1']
    np.testing.assert_array_equal(found, same)
    other = operations.resize(images, size, 'lanczos')
    assert np.any(other != resized)

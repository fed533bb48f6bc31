"""Every network of the table in everything that it can be used for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.evaluation import network_features
from brainjax.methods.inversion.networks import features
from brainjax.methods.inversion.problem import Settings
from brainjax.methods.inversion.search import invert
from brainjax.methods.inversion.steps import Descent
from brainjax.networks import frozen, weights
from brainjax.networks.backbones import BACKBONES, ROLES, backbone
from brainjax.networks.encoder import SeparableEncoder

WIDTH = 1 / 32
NAMES = tuple(BACKBONES)  # Before a page of the documentation adds some.


def size_of(name):
    """Pixels of the pictures here: few, but something is left at each tap."""
    return 28 if name == 'clip' else max(32, BACKBONES[name].smallest)


def pictures(name, n=2):
    size = size_of(name)
    return np.random.default_rng(0).random((n, size, size, 3), np.float32)


def fit(role):
    return [name for name, each in BACKBONES.items() if role not in each.unfit]


@pytest.mark.parametrize('name', BACKBONES)
def test_shapes_taps_and_default_layers(name):
    known = BACKBONES[name]
    key, options = (
        jax.random.key(0),
        {
            'width': WIDTH,
            'size': size_of(name),
            'dense': size_of(name) > 29,
        },
    )
    params = jax.eval_shape(lambda: known.init(key, **options))
    shapes = known.shapes(**options)
    assert jax.tree.map(lambda x: x.shape, params) == shapes
    taps = known.taps(shapes)
    assert set(known.layers) <= set(taps)
    images = jax.ShapeDtypeStruct((3, size_of(name), size_of(name), 3), 'f4')
    found = jax.eval_shape(
        lambda p, x: known.apply(p, x, taps, known.preprocessing[0]),
        params,
        images,
    )
    assert found.keys() == set(taps)
    assert all(x.shape[0] == 3 and x.ndim in (2, 4) for x in found.values())


@pytest.mark.parametrize(
    'name', [name for name, each in BACKBONES.items() if each.smallest > 1]
)
def test_nothing_is_left_of_smaller_pictures(name):
    known = BACKBONES[name]
    params = jax.eval_shape(lambda: known.init(jax.random.key(0), width=WIDTH))
    taps = known.taps(params)

    def run(size):
        images = jax.ShapeDtypeStruct((1, size, size, 3), 'f4')
        jax.eval_shape(lambda p, x: known.apply(p, x, taps), params, images)

    run(known.smallest)
    with pytest.raises(ValueError, match=r'small|give'):
        run(known.smallest - 1)


@pytest.mark.parametrize('name', fit('target'))
def test_target_of_an_inversion(name):
    network = frozen.init_random(
        jax.random.key(0), name, WIDTH, size_of(name), dense=True
    )
    known = BACKBONES[name]
    assert frozen.layers(network) == known.layers
    layers = known.layers[:2]  # Deep ones take long to compile.
    wanted = features(network, pictures(name), layers)
    found = invert(
        wanted,
        ['a', 'b'],
        network,
        Settings(Descent(steps=1), size=size_of(name)),
    )
    assert found.images.shape == pictures(name).shape
    assert np.isfinite(found.images).all() and found.images.std() > 0
    assert all(np.isfinite(each).all() for each in found.errors.values())


@pytest.mark.parametrize('name', fit('encoder'))
def test_backbone_of_an_encoder(name):
    known = backbone(name, 'encoder')
    params = known.init(jax.random.key(0), width=WIDTH, size=size_of(name))
    images = jnp.asarray(pictures(name))
    taps = known.taps(params)[:8]
    found = jax.jit(lambda p, x: known.apply(p, x, taps))(params, images)
    [tap, *_] = [tap for tap in taps if found[tap].shape[1] >= 2]
    encoder = SeparableEncoder(
        5, (tap,), pools=(False,), kernels=(3,), strides=(1,), channels=4
    )
    if found[tap].shape[1] < 3:  # Its patches are 3 x 3.
        found[tap] = jnp.pad(found[tap], ((0, 0), (1, 1), (1, 1), (0, 0)))
    variables = jax.jit(encoder.init)(jax.random.key(1), found)
    fmri = jax.jit(encoder.apply)(variables, found)
    assert fmri.shape == (2, 5) and np.isfinite(fmri).all()


@pytest.mark.parametrize('name', fit('evaluation'))
def test_network_that_scores(name):
    network = next(
        each
        for each in weights.networks()
        if weights.SOURCES[each].backbone == name
    )
    known = BACKBONES[name]
    params = known.init(jax.random.key(0), width=WIDTH, size=size_of(name))
    tap = known.taps(params)[3]
    images = pictures(name, 3)
    found = network_features.extract(f'{network}_{tap}', params, images)
    preprocessing = weights.SOURCES[network].preprocessing
    expected = jax.jit(
        lambda p, x: known.apply(p, x, [tap], preprocessing)[tap]
    )(params, images)
    np.testing.assert_allclose(
        found, expected.reshape(3, -1), rtol=1e-3, atol=1e-3 * found.std()
    )


def test_what_a_network_cannot_be_is_told_in_a_sentence():
    for name in NAMES:
        known = BACKBONES[name]
        for role in ROLES:
            if role not in known.unfit:
                assert backbone(name, role) is known
                continue
            with pytest.raises(InputError, match=f'{name} cannot be .*: .*'):
                backbone(name, role)
    with pytest.raises(InputError, match=r"'vgg17'.*Did you mean 'vgg1"):
        backbone('vgg17', 'target')


def test_every_network_has_weights_or_says_where_they_are():
    published = {weights.SOURCES[name].backbone for name in weights.networks()}
    assert {*published, 'alexnet_stride2'} == set(NAMES)
    for name in weights.networks():
        source = weights.SOURCES[name]
        known = BACKBONES[source.backbone].preprocessing
        assert source.preprocessing in known

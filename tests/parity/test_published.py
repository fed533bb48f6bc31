"""The published configs beside the reference: what each release adds."""

# ruff: noqa: E402 (what needs torch is imported after asking for it)

import functools
import importlib.util
import pathlib

import numpy as np
import pytest

torch = pytest.importorskip('torch')

import convert
import jax
import jax.numpy as jnp
import reference
from test_parity import close, precise, randomised, trees_close

from brainjax.methods.selfsup import losses as selfsup_losses
from brainjax.methods.selfsup import networks
from brainjax.networks.encoder import SeparableEncoder
from brainjax.training import optimizers

pytestmark = pytest.mark.parity
CONFIGS = pathlib.Path(__file__).parents[2] / 'configs'
VARIANTS = {
    'beliy2019': 'beliy2019',
    'gaziv2022': 'gaziv2022-torch',
    'gaziv2022_keras': 'gaziv2022-keras',
}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def published(name):
    spec = importlib.util.spec_from_file_location(name, CONFIGS / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config()


@pytest.mark.parametrize('part', ['encoder', 'decoder'])
@pytest.mark.parametrize('name', VARIANTS)
def test_learning_rate_of_every_epoch(name, part):
    c = published(name)[part]
    rate = optimizers.stepwise(c.learning_rate, c.drops, c.steps)
    for epoch in range(c.epochs):
        expected = reference.learning_rate(VARIANTS[name], part, epoch)
        for step in (epoch * c.steps, (epoch + 1) * c.steps - 1):
            assert float(rate(step)) == pytest.approx(expected, rel=1e-5)
    # A fifth for the last epoch alone, in both of Keras.
    if part == 'decoder' and name != 'gaziv2022':
        assert float(rate(149 * c.steps)) == pytest.approx(
            0.2 * float(rate(149 * c.steps - 1))
        )


def value_and_gradient(penalty, params):
    with jax.enable_x64(True):
        return jax.jit(jax.value_and_grad(penalty))(precise(params))


def test_penalty_of_the_encoder_of_2019(rng):
    config = published('beliy2019')
    config.size = 32
    encoder = networks.build_encoder(config, 9)
    features = {'relu1': jnp.zeros((1, 16, 16, 12))}
    shapes = jax.eval_shape(encoder.init, jax.random.key(0), features)
    variables = precise(randomised(shapes, rng))
    theirs = reference.DenseEncoderReference(9, 12, 16)
    convert.load_dense_encoder(
        theirs, variables['params'], variables['batch_stats']
    )
    expected = reference.encoder_regulariser_2019(theirs)
    expected.backward()
    value, gradient = value_and_gradient(
        functools.partial(selfsup_losses.encoder_regularisation, config),
        variables['params'],
    )
    close(value, expected.detach(), 1e-6)
    for i in range(2):
        close(
            gradient[f'conv_{i}']['kernel'],
            convert.conv_to_jax(theirs.conv[i].conv.weight.grad),
            1e-5,
        )


@pytest.mark.parametrize('name', ['beliy2019', 'gaziv2022_keras'])
def test_penalty_of_the_decoder(rng, name):
    config = published(name)
    config.size = 32
    decoder = networks.build_decoder(config)
    shapes = jax.eval_shape(decoder.init, jax.random.key(0), jnp.zeros((1, 9)))
    variables = precise(randomised(shapes, rng))
    theirs = reference.DecoderReference(
        9, 4, **reference.DECODERS[VARIANTS[name]]
    )
    convert.load_decoder(
        theirs, variables['params'], variables.get('batch_stats')
    )
    inverse_snr = rng.uniform(0.2, 1.8, 9)
    value, _ = value_and_gradient(
        lambda p: selfsup_losses.decoder_regularisation(
            config, p, jnp.asarray(inverse_snr)
        ),
        variables['params'],
    )
    if name == 'beliy2019':
        expected = reference.decoder_regulariser_2019(theirs)
    else:
        expected = reference.decoder_regulariser_keras(
            theirs, convert.tensor(inverse_snr)
        )
    close(value, expected.detach(), 1e-6)


def test_penalty_of_the_keras_encoder(rng):
    config, _, variables, _, theirs, _ = keras_pair(rng)
    repeats = dict.fromkeys(theirs.maps(), 1)
    expected = reference.encoder_regulariser(
        theirs, repeats, moment=0.0, conv=1e-5, padding='symmetric'
    )
    value, _ = value_and_gradient(
        functools.partial(selfsup_losses.encoder_regularisation, config),
        variables['params'],
    )
    close(value, expected.detach(), 1e-6)


def keras_pair(rng, voxels=20, size=32, channels=(8, 16, 32, 64)):
    config = published('gaziv2022_keras')
    config.size = size
    sides = (size, size // 2, size // 4, size // 8)
    # No device axis: it is applied by itself.
    ours = networks.build_encoder(config, voxels).clone(axis_name=None)
    features = {
        tap: rng.normal(size=(4, side, side, c)).astype(np.float32)
        for tap, side, c in zip(config.encoder.taps, sides, channels)
    }
    shapes = jax.eval_shape(ours.init, jax.random.key(0), features)
    variables = randomised(shapes, rng)
    theirs = reference.SeparableEncoderReference(
        *(voxels, channels, sides, 1, 'tf', 0.0, 1e-3, 0.01, False)
    )
    convert.load_separable_encoder(
        theirs, variables['params'], variables['batch_stats']
    )
    taps = [convert.images_to_torch(x) for x in features.values()]
    return config, ours, variables, features, theirs, taps


def test_forward_of_the_keras_encoder(rng):
    _, ours, variables, features, theirs, taps = keras_pair(rng)
    assert (variables['params']['branch_weights'] < 0).any()
    fmri = jax.jit(ours.apply)(variables, features)
    close(fmri, theirs.eval()(taps).detach())
    folded = jax.jit(ours.fold)(variables['params'], features)
    again = jax.jit(ours.apply)(variables, features, folded=folded)
    close(again, fmri)
    train = functools.partial(ours.apply, train=True, mutable='batch_stats')
    fmri, state = jax.jit(train)(variables, features)
    expected = theirs.train()(taps)
    close(fmri, expected.detach())
    trees_close(
        state['batch_stats']['branch_1']['norm_in']['mean'],
        theirs.norm_in[1].running_mean.numpy(),
    )


# Drawn often enough that a deviation is known to 2 or 3 %.


def test_first_values_of_the_keras_networks():
    config = published('gaziv2022_keras')
    config.size, voxels = 32, 400
    ours = networks.build_encoder(config, voxels)
    sides = dict(zip(config.encoder.taps, (32, 16, 8, 4)))
    features = {tap: jnp.zeros((1, n, n, 64)) for tap, n in sides.items()}
    params = jax.jit(ours.init)(jax.random.key(0), features)['params']
    for width in (6, 2):
        np.testing.assert_allclose(
            params[f'space_{width}'], 2 / (width**2 + voxels), rtol=1e-6
        )
    assert (params['branch_weights'] == 1).all()
    deviates(params['channels_0'], 288, voxels)
    biases = [params[f'bias_{b}'] for b in range(4)]
    deviates(np.stack(biases), voxels)
    deviates(params['branch_0']['conv']['kernel'], 3, 3, 64, 32)
    assert not params['branch_0']['conv']['bias'].any()


@pytest.mark.parametrize('name', ['beliy2019', 'gaziv2022_keras'])
def test_first_values_of_the_decoders(name):
    config = published(name)
    config.size, voxels = 32, 50
    init = jax.jit(networks.build_decoder(config).init)
    params = init(jax.random.key(0), jnp.zeros((1, voxels)))['params']
    deviates(params['dense']['kernel'], 4, 4, 64, voxels)
    deviates(params['dense']['bias'], 4, 4, 64)
    kernel = config.decoder.kernel
    deviates(params['conv_0']['kernel'], kernel, kernel, 64, 64)


def deviates(drawn, *shape):
    expected = reference.glorot_deviation(*shape)
    assert np.std(drawn) == pytest.approx(expected, rel=0.05)
    # Cut off at two deviations of what is then widened to one.
    assert np.abs(drawn).max() <= 2 * expected / 0.8796


def test_what_each_is_called():
    names = {name: published(name).paper for name in VARIANTS}
    assert names == {
        'beliy2019': 'Beliy et al. 2019',
        'gaziv2022': 'Gaziv et al. 2022',
        'gaziv2022_keras': 'Gaziv et al. 2022, Keras release',
    }
    assert published('demo').paper == 'Gaziv et al. 2022'


def test_the_keras_encoder_has_three_branches_on_its_large_map():
    c = published('gaziv2022_keras').encoder
    ours = SeparableEncoder(
        10, tuple(c.taps), strides=tuple(c.strides), release=c.release
    )
    sides = [ours.side(b, n) - 2 for b, n in enumerate((112, 56, 28, 14))]
    assert sides == [26, 26, 26, 12]

"""Large pictures as latents of an autoencoder; here, large is above 8 px."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny_posterior

from brainjax.errors import InputError
from brainjax.io import metrics
from brainjax.methods import references
from brainjax.methods.posterior import (
    findings,
    latents,
    losses,
    method,
    networks,
    packing,
    steps,
)
from brainjax.methods.posterior.data import divide, stimuli
from brainjax.networks import frozen
from brainjax.networks.vaegan import Posterior
from brainjax.pictures.operations import shrink
from brainjax.training import parallel
from brainjax.training import state as training_state


def get_config():
    config = tiny_posterior.get_config()
    config.latents.update(
        above=8,
        number=4,
        channels=(8, 16),
        patch=2,
        groups=4,
        batch=8,
        epochs=3,
        steps=100,
        learning_rate=4e-3,
        average=0.95,
    )
    return config


@pytest.fixture(scope='module')
def fitted(tmp_path_factory):
    """Data, config, and a fit that was cut off and resumed."""
    data, config = tiny_posterior.data(), get_config()
    folder = tmp_path_factory.mktemp('latents')
    indices = latents.indices

    def until(seed, stream, n, step, batch):
        if step > 140:  # In the second epoch of three.
            raise OSError('the power went')
        return indices(seed, stream, n, step, batch)

    with pytest.MonkeyPatch.context() as m:
        m.setattr(latents, 'indices', until)
        with pytest.raises(OSError, match='power'):
            method.fit(data, config, folder)
    return data, config, method.fit(data, config, folder)


def test_a_fit_that_was_cut_off_ends_with_the_same_latents(fitted, tmp_path):
    data, config, resumed = fitted
    images = stimuli(data)
    learned, chosen = divide(len(images), config.seed)
    options = (data.pictures, images[learned]), images[chosen]
    made_of = data.fingerprints
    whole, history = latents.fit(config, *options, made_of, tmp_path)
    assert resumed.autoencoder_history == history and len(history) == 3
    assert metrics.read(resumed.folder).keys() == {'autoencoder', 'posterior'}
    both = (latents.numbers(x) for x in (resumed.data.autoencoder, whole))
    for a, b in zip(*map(jax.tree.leaves, both)):
        np.testing.assert_array_equal(a, b)
    draws = method.draw(resumed, data.test.fmri, config)
    assert draws.shape == (10, 20, 16, 16, 3) and draws.std(axis=1).any()
    other = config.copy_and_resolve_references()
    other.latents.kl = 1.0
    with pytest.raises(InputError, match='kl'):
        latents.fit(other, *options, made_of, tmp_path)


def test_latents_are_scaled_and_tell_the_pictures(fitted):
    data, _, fitted = fitted
    of = fitted.data.autoencoder
    rows = fitted.data.pictures
    assert rows.shape == (len(data.pictures), 4 * 4 * 4)
    assert fitted.data.shape == latents.shape(of) == (4, 4, 4)
    channels = rows.reshape(-1, 4)
    np.testing.assert_allclose(channels.mean(axis=0), 0, atol=0.1)
    np.testing.assert_allclose(channels.std(axis=0), 1, atol=0.1)
    # It has learned: better than each picture's mean for all of its pixels.
    pictures = tiny_posterior.pictures(30, 5)
    away = pictures / 255 - np.mean(pictures / 255, axis=(1, 2, 3), keepdims=1)
    flat = np.sqrt(np.mean(away**2, axis=(1, 2, 3)))
    assert latents.errors(of, pictures).mean() < 0.6 * flat.mean()
    # Neither it nor the flow has learned from what chooses.
    assert len(fitted.data.validation.pictures) == 8
    assert len(fitted.data.paired) == 32
    np.testing.assert_allclose(
        findings.ceiling(fitted, pictures),
        latents.decode(of, latents.encode(of, pictures)),
    )
    assert fitted.autoencoder_history[-1]['validation_error'] > 0


def test_an_untrained_flow_draws_latents_from_their_closed_form(fitted):
    _, config, fitted = fitted
    zero = fitted._replace(params=jax.tree.map(jnp.zeros_like, fitted.params))
    level = fitted.data.levels['prior']
    few = config.copy_and_resolve_references()
    few.draw_steps = 12
    drawn = method.draw_prior(zero, 400, few)
    of, known = fitted.data.autoencoder, fitted.data
    rows = latents.encode(of, drawn)
    rng = np.random.default_rng(0)
    white = rng.standard_normal((400, level.axes.shape[0]))
    wanted = level.offset + (white * np.sqrt(level.variance)) @ level.axes
    wanted += np.sqrt(level.floor) * rng.standard_normal(wanted.shape)
    wanted = latents.decode(of, np.float32(wanted * known.scale + known.centre))
    wanted = latents.encode(of, np.uint8(wanted * 255))
    np.testing.assert_allclose(rows.std(), wanted.std(), rtol=0.1)
    np.testing.assert_allclose(
        rows.mean(axis=0), wanted.mean(axis=0), atol=0.35
    )


def test_a_model_of_latents_is_packed_and_unpacked(fitted, tmp_path):
    data, config, fitted = fitted
    packed = packing.pack(fitted, config)
    voxels = data.recording.voxels
    back = packing.unpack(packed, config, voxels, tmp_path)
    for make in (method.draw, method.reconstruct):
        np.testing.assert_array_equal(
            make(back, data.test.fmri[:2], config),
            make(fitted, data.test.fmri[:2], config),
        )
    packed.arrays['autoencoder']['std'] = np.ones(3)
    with pytest.raises(InputError, match='std has shape'):
        packing.unpack(packed, config, voxels, tmp_path)


def test_the_loss_of_an_autoencoder_is_that_of_its_equations():
    rng = np.random.default_rng(0)
    mean, log_sigma = rng.standard_normal((2, 3, 4, 4, 2))
    made, images = rng.random((2, 3, 16, 16, 1))
    error, divergence = losses.autoencoding(
        Posterior(jnp.array(mean), jnp.array(log_sigma)),
        jnp.array(made),
        jnp.array(images),
    )
    expected = kl = 0.0
    for i in range(3):
        for a, b in zip(made[i].ravel(), images[i].ravel()):
            expected += abs(a - b) / (3 * 256)
        for m, s in zip(mean[i].ravel(), log_sigma[i].ravel()):
            # Between N(m, s^2) and N(0, 1), by quadrature of p log(p / q).
            x = np.linspace(m - 9 * np.exp(s), m + 9 * np.exp(s), 2001)
            log_p = -((x - m) ** 2) / (2 * np.exp(2 * s)) - s
            p = np.exp(log_p) / np.sqrt(2 * np.pi)
            kl += np.trapezoid(p * (log_p + x**2 / 2), x) / (3 * 256)
    np.testing.assert_allclose(error, expected, rtol=1e-5)
    np.testing.assert_allclose(divergence, kl, rtol=1e-4)
    a, b = rng.random((2, 2, 5, 5, 4))
    unit = [x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (a, b)]
    np.testing.assert_allclose(
        losses.perceptual({'one': a, 'two': a}, {'one': b, 'two': a}),
        np.square(unit[0] - unit[1]).sum(axis=-1).mean(),
        rtol=1e-4,
    )


def test_references_of_large_pictures_are_those_of_shrunk_ones(monkeypatch):
    monkeypatch.setattr(references, 'LARGEST', 8)
    data = tiny_posterior.data(train=12)
    fitted = references.fit(data)
    assert fitted.shape == (8, 8, 1) and fitted.size == (16, 16)
    assert 'shrunk to 8 px' in ' '.join(fitted.notes)
    images = data.recording.stimuli.images
    small = shrink(images, 8)
    np.testing.assert_allclose(
        small[..., 0],
        images[..., 0].reshape(-1, 8, 2, 8, 2).mean(axis=(2, 4)),
        atol=1,  # Pillow rounds twice.
    )
    for found in references.reconstruct(fitted, data.test.fmri).values():
        assert found.shape == (10, 16, 16, 3)
    rows = references.to_rows(fitted, images)
    np.testing.assert_array_equal(
        rows.reshape(small[..., 0].shape) * 255, small[..., 0]
    )
    enlarged = references.to_images(fitted, rows)
    error = np.abs(enlarged - images / 255).mean()
    assert error < 0.3 * np.abs(images / 255 - images.mean() / 255).mean()


def test_a_step_of_the_autoencoder_is_given_by_its_losses():
    """All parts of the loss, beside a pass written out."""
    config = get_config()
    config.latents.update(perceptual=0.5, perceptual_layers=('conv1',), kl=0.1)
    config.latents.update(channels=(8,), patch=4)  # Any halves do.
    net = frozen.init_random(jax.random.key(3), 'alexnet', 0.1)
    images = tiny_posterior.pictures(4, 0)[..., :1]
    shape = images.shape[1:]
    start = networks.init_autoencoder(config, shape, jax.random.key(0))
    state = training_state.create(
        start,
        steps.build_optimizer(config.latents),
        jax.random.key(1),
        steps.AUTOENCODER_METRICS,
    )
    step = steps.autoencoder_step(config, shape, net.architecture)
    run = jax.vmap(step, (None, None, 0), axis_name=parallel.AXIS)
    after, found = jax.jit(run)(state, net.params, {'images': images[None]})
    keys = jax.vmap(
        lambda x: parallel.example_keys(
            jax.random.fold_in(state.key, 0), len(x)
        ),
        axis_name=parallel.AXIS,
    )(images[None])[0]
    encoder, generator = networks.build_autoencoder(config, shape)
    x = images / 255
    mean, log_sigma = jax.jit(encoder.apply)(
        {'params': start['params']['encoder']}, x
    )
    noise = jax.vmap(lambda key: jax.random.normal(key, mean.shape[1:]))(keys)
    made = jax.jit(generator.apply)(
        {'params': start['params']['generator']},
        mean + jnp.exp(log_sigma) * noise,
    )
    kl = 0.5 * (mean**2 + jnp.exp(log_sigma) ** 2 - 1 - 2 * log_sigma)
    seen = [
        net.architecture.apply(net.params, each.repeat(3, axis=-1), ['conv1'])
        for each in (made.clip(0, 1), x)
    ]
    expected = {
        'error': np.abs(made - x).mean(),  # No pixel is 0 or 1.
        'kl': kl.sum() / x.size,
        'perceptual': losses.perceptual(*seen),
    }
    expected['loss'] = (
        expected['error'] + 0.1 * expected['kl'] + 0.5 * expected['perceptual']
    )
    assert expected['perceptual'] > 0
    for name, value in expected.items():
        np.testing.assert_allclose(found[name][0], value, rtol=1e-4)
    for half in ('encoder', 'generator'):
        stems = (each.params[half]['stem']['kernel'] for each in (after, state))
        assert not np.array_equal(*(np.squeeze(stem) for stem in stems))

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny_faces
import vaegan_devices
from conftest import TESTS
from processes import python

from brainjax.errors import InputError
from brainjax.methods.faces import networks, steps
from brainjax.methods.faces.config import narrow, vanrullen2019
from brainjax.methods.faces.data import check_config
from brainjax.methods.faces.training import fit_vaegan
from brainjax.networks import vaegan
from brainjax.training import optimizers

NAMES = set(steps.METRICS)


@pytest.fixture(scope='module')
def images():
    return tiny_faces.pictures(40)


def test_parts_and_sizes():
    config = tiny_faces.get_config()
    config.networks.width = 1.5
    variables = networks.initialise(config, jax.random.key(0))
    assert set(variables['params']) == set(networks.PARTS)
    assert set(variables['batch_stats']) == {'encoder', 'generator'}
    for part, channels in (
        ('encoder', (6, 12)),
        ('generator', (12, 6)),
        ('discriminator', (6, 12)),
    ):
        assert vaegan.channels(variables['params'][part]) == channels
    assert vaegan.picture_size(variables['params']['generator']) == 16


def test_rates_of_the_parts_and_warm_up():
    config = tiny_faces.get_config()
    config.training.update(
        learning_rate=0.1, rates=(0.5, 1.0, 2.0), warmup=4, drops=((1, 0.1),)
    )
    config.training.optimizer = 'sgd'  # Its first step is 1.9 times the rate.
    config.training.steps = 6
    update = steps.build_optimizer(config)
    ones = {part: np.ones(1, np.float32) for part in networks.PARTS}
    gates = dict.fromkeys(networks.PARTS, True)
    first = update.init(ones)
    for step, factor in ((0, 0.25), (1, 0.5), (3, 1), (5, 1), (6, 0.1)):
        state = jax.tree.map(
            lambda x, step=step: (
                x + step if np.issubdtype(x.dtype, np.integer) else x
            ),
            first,
        )
        found, _ = update.update(ones, state, ones, gates=gates)
        for part, rate in zip(networks.PARTS, (0.05, 0.1, 0.2)):
            np.testing.assert_allclose(
                found[part], -1.9 * rate * factor, rtol=1e-5
            )


def test_clip_holds_each_part_by_itself_and_0_is_the_published_update():
    config = tiny_faces.get_config()
    ones = {part: np.ones(4, np.float32) for part in networks.PARTS}
    gates = dict.fromkeys(networks.PARTS, True)

    def path(update, absurd):
        state, moves = update.init(ones), []
        for step in range(8):
            g = {k: v * (-1) ** step for k, v in ones.items()}
            if step == 5:
                g['encoder'] = g['encoder'] * absurd
            change, state = update.update(g, state, ones, gates=gates)
            moves.append(change)
        return state, {k: np.stack([m[k] for m in moves]) for k in ones}

    rate = config.training.learning_rate
    published = optimizers.separate(
        dict.fromkeys(networks.PARTS, optax.adam(lambda step: rate))
    )
    assert not vanrullen2019().training.clip
    unheld, plain = path(steps.build_optimizer(config), 1e6)
    jax.tree.map(
        np.testing.assert_array_equal,
        (unheld, plain),
        path(published, 1e6),
    )
    config.training.clip = 2.0
    held = path(steps.build_optimizer(config), 1e6)[1]
    doubled = path(published, 2.0)[1]
    for part in networks.PARTS:
        np.testing.assert_allclose(held[part], doubled[part], rtol=1e-4)
    assert np.abs(plain['encoder'] - held['encoder']).max() > 1e-5


@pytest.mark.parametrize('make', [vanrullen2019, narrow])
def test_given_settings_fit_together(make):
    config = make()
    check_config(config)
    encoder, generator, _ = networks.build(config)
    assert generator.size == config.size == 4 * 2 ** len(encoder.channels)
    with pytest.raises(AttributeError):
        config.training.batches = 3


def test_training_lowers_the_error_of_held_out_pictures(tmp_path, images):
    config = tiny_faces.get_config()
    config.networks.brightness = 'clip'
    config.training.update(
        epochs=3, steps=40, learning_rate=5e-3, pixels=1.0, game='minimax'
    )
    held_out = tiny_faces.pictures(16, seed=1)
    variables, history = fit_vaegan(images, config, tmp_path, held_out)
    errors = [record['validation_error'] for record in history]
    assert errors[-1] < 0.75 * errors[0]
    reconstructed = networks.reconstruct(config, variables, held_out)
    error = np.mean((reconstructed - held_out / 255) ** 2)
    np.testing.assert_allclose(errors[-1], error, rtol=1e-3)
    assert {'epoch', 'validation_score', 'validation_error'} | NAMES == set(
        history[0]
    )
    assert history[-1]['reconstruction'] < history[0]['reconstruction']
    # What training leaves is on the host, and is all that is needed.
    assert all(isinstance(x, np.ndarray) for x in jax.tree.leaves(variables))


def test_a_gate_that_is_shut_leaves_the_discriminator_as_it_was(
    tmp_path, images
):
    config = tiny_faces.get_config()
    config.training.update(epochs=1, equilibrium=50.0, margin=0.0)
    first = networks.initialise(
        config, jax.random.split(jax.random.key(config.seed))[0]
    )
    last, history = fit_vaegan(images, config, tmp_path)
    assert history[0]['discriminator_steps'] == 0
    assert history[0]['generator_steps'] == 1
    same = [
        np.array_equal(a, b)
        for a, b in zip(*(jax.tree.leaves(v['params']) for v in (first, last)))
    ]
    parts = [
        path[0].key
        for path, _ in jax.tree_util.tree_leaves_with_path(first['params'])
    ]
    assert all(s for s, p in zip(same, parts) if p == 'discriminator')
    assert not any(s for s, p in zip(same, parts) if p == 'encoder')
    assert not any(s for s, p in zip(same, parts) if p == 'generator')


def test_number_of_devices_changes_nothing_but_rounding():
    assert jax.local_device_count() == 1
    one = vaegan_devices.metrics()
    many = python(4, TESTS / 'vaegan_devices.py')
    assert many['devices'] == 4
    assert len(many['history']) == len(one) == 20
    for name in NAMES:
        np.testing.assert_allclose(
            [record[name] for record in many['history']],
            [record[name] for record in one],
            rtol=1e-4,
            err_msg=name,
        )
    assert {0.0, 1.0} == {
        record[f'{part}_steps']
        for record in one
        for part in ('generator', 'discriminator')
    }


@pytest.mark.parametrize(
    ('section', 'values', 'message'),
    [
        ('training', {'game': 'none!'}, "no config.training.game 'none!'"),
        ('training', {'game': 'minmax'}, "'minmax'. Did you mean 'minimax'"),
        ('training', {'first_feature': 2}, 'has 2 layers, counted from 0'),
        ('networks', {'channels': (4,) * 5}, 'cannot be halved by 5 layers'),
        ('networks', {'brightness': 'mean'}, "no brightness 'mean'"),
        ('training', {'clip': 0.5}, r'clip is 0\.5; give 0 or a number abov'),
        ('training', {'optimizer': 'adm'}, "no optimizer 'adm'. Did you mea"),
    ],
)
def test_configs_that_cannot_be(tmp_path, images, section, values, message):
    config = tiny_faces.get_config()
    config[section].update(values)
    with pytest.raises(InputError, match=message):
        fit_vaegan(images, config, tmp_path)


def test_a_checkpoint_belongs_to_pictures_and_settings(
    tmp_path, images, monkeypatch
):
    def idle(state, frozen, batch):  # What is learnt does not matter.
        metrics = dict.fromkeys(steps.METRICS, jnp.zeros([]))
        return state.replace(step=state.step + 1), metrics

    monkeypatch.setattr(steps, 'vaegan_step', lambda *_: idle)
    config = tiny_faces.get_config()
    config.training.epochs = 1
    fit_vaegan(images, config, tmp_path)
    with pytest.raises(InputError, match='trained with another pictures'):
        fit_vaegan(images[::-1], config, tmp_path)
    config.training.kl = 0.5
    with pytest.raises(InputError, match=r'another config\.training\.kl'):
        fit_vaegan(images, config, tmp_path)
    # A longer training goes on from a shorter one.
    config.training.update(kl=1.0, epochs=2)
    assert len(fit_vaegan(images, config, tmp_path)[1]) == 2


def test_pictures_that_cannot_be(tmp_path, images):
    config = tiny_faces.get_config()
    with pytest.raises(InputError, match=r'are 16 x 8 px and config\.size'):
        fit_vaegan(images[:, :, :8], config, tmp_path)
    with pytest.raises(InputError, match='no pictures to train on'):
        fit_vaegan(images[:0], config, tmp_path)

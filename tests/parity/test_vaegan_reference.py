"""The VAE-GAN beside an independent form in PyTorch."""

# ruff: noqa: E402 (what needs torch is imported after asking for it)

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip('torch')

import tiny_faces
import vaegan_reference as reference

from brainjax.methods.faces import networks as faces_networks
from brainjax.methods.faces import steps
from brainjax.methods.faces.networks import PARTS
from brainjax.networks import vaegan
from brainjax.training import parallel
from brainjax.training import state as training_state

pytestmark = pytest.mark.parity

BATCH = 8


def build(config, variables):
    """Returns the three reference networks with our weights."""
    c = config.networks
    networks = (
        reference.EncoderReference(
            config.size, c.channels, c.latents, tuple(c.log_sigma)
        ),
        reference.GeneratorReference(
            config.size, c.generator_channels, c.latents
        ),
        reference.DiscriminatorReference(config.size, c.discriminator_channels),
    )
    for part, network in zip(PARTS, networks):
        reference.load(
            network,
            variables['params'][part],
            variables['batch_stats'].get(part),
        )
    return networks


def randomise(variables):
    """Adds noise to every array, so that none is one or zero."""
    rng = np.random.default_rng(4)
    return jax.tree.map(
        lambda x: np.float32(x + 0.1 * rng.random(x.shape) - 0.03), variables
    )


def nchw(images):
    return torch.from_numpy(np.moveaxis(np.array(images), -1, 1).copy())


def check_running_means(networks, state):
    # After one step: the optimiser blows up the rounding of the gradient of
    # a bias before a batch norm, which is 0, and the mean follows the bias.
    for part, network in zip(PARTS[:2], networks):
        for i, layer in enumerate(network.layers, 1):
            norm = next(m for m in layer if isinstance(m, torch.nn.BatchNorm2d))
            ours = state.batch_stats[part][f'layer{i}']['norm']['mean']
            np.testing.assert_allclose(
                ours, norm.running_mean, rtol=1e-4, atol=1e-5
            )


@pytest.mark.parametrize('game', ['cadl', 'minimax', 'nonsaturating', 'none'])
def test_steps_are_the_references(game):
    config = tiny_faces.get_config()
    config.training.update(game=game, pixels=0.3, kl=0.7, mirror=False)
    config.training.update(margin=0.05)  # So narrow that gates shut.
    variables = randomise(faces_networks.initialise(config, jax.random.key(0)))
    # So that no logit is so high that 1 - D is 0 in PyTorch's float32.
    head = variables['params']['discriminator']['fc']
    head['kernel'] = head['kernel'] / 10
    networks = build(config, variables)
    optimizers = reference.adam(networks, config.training.learning_rate)
    optimizer = steps.build_optimizer(config)
    state = training_state.create(
        variables, optimizer, jax.random.key(1), steps.METRICS
    )
    run = parallel.parallel(steps.vaegan_step(config))
    state = parallel.replicate(state)
    seen = set()
    for i in range(4):
        images = tiny_faces.pictures(BATCH, seed=i)
        floats, noise, prior = jax.vmap(
            lambda x, state=state: steps.draws(config, state, x),
            axis_name=parallel.AXIS,
        )(images[None])
        expected = reference.step(
            networks,
            optimizers,
            nchw(floats[0]),
            *(torch.from_numpy(np.array(x[0])) for x in (noise, prior)),
            gamma=config.training.gamma,
            kl=config.training.kl,
            pixels=config.training.pixels,
            first_feature=config.training.first_feature,
            game=game,
            margin=config.training.margin,
        )
        before = jax.device_get(state.opt_state)
        state, metrics = run(state, {}, parallel.shard({'images': images}))
        for name in steps.METRICS:
            np.testing.assert_allclose(
                metrics[name], expected[name], rtol=3e-5, err_msg=f'{i} {name}'
            )
        after = jax.device_get(state.opt_state)
        for part, network in zip(PARTS, networks):
            if expected.get(f'{part}_steps', True):
                gradients = jax.tree.map(
                    lambda new, old: (new - np.float32(0.9) * old) * 10,
                    after[part][0].mu,
                    before[part][0].mu,
                )
                error = reference.difference(network, gradients)
                assert error < 2e-4, (i, part)
            else:
                jax.tree.map(
                    np.testing.assert_array_equal, after[part], before[part]
                )
        if i == 0:
            check_running_means(networks, state)
        seen.add((expected['generator_steps'], expected['discriminator_steps']))
    assert len(seen) > 1 or game == 'none'


def test_encode_and_generate_at_the_published_size():
    """128 px and five layers, narrow."""
    channels, generator_channels = (4, 5, 6, 7, 8), (9, 8, 7, 6, 5)
    config = tiny_faces.get_config()
    config.size = 128
    config.networks.update(
        latents=11,
        channels=channels,
        generator_channels=generator_channels,
        discriminator_channels=channels,
    )
    variables = randomise(faces_networks.initialise(config, jax.random.key(0)))
    encoder, generator, discriminator = build(config, variables)
    encoder.eval(), generator.eval()
    images = np.random.default_rng(0).random((3, 128, 128, 3), np.float32)
    with torch.no_grad():
        latents = encoder(nchw(images))[0].numpy()
        raw = np.moveaxis(generator(torch.from_numpy(latents)).numpy(), 1, -1)
        logits, features = discriminator(nchw(images))
    np.testing.assert_allclose(
        vaegan.encode(variables, images), latents, atol=1e-5
    )
    brightest = raw.max(axis=(1, 2, 3), keepdims=True)
    np.testing.assert_allclose(
        vaegan.generate(variables, latents),
        (raw / brightest).clip(0, 1),
        atol=1e-5,
    )
    ours, our_features = jax.jit(vaegan.Discriminator(channels).apply)(
        {'params': variables['params']['discriminator']}, jnp.asarray(images)
    )
    np.testing.assert_allclose(ours, logits, rtol=1e-4, atol=1e-5)
    assert [f.shape[-1] for f in our_features] == list(channels)
    for a, b in zip(our_features, features):
        np.testing.assert_allclose(
            a, np.moveaxis(b.numpy(), 1, -1), rtol=1e-3, atol=1e-5
        )

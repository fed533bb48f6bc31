"""What is not published of the VAE-GAN: linear paths, a perceptual loss."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny_faces

from brainjax.linear import pca
from brainjax.methods.faces import networks, steps
from brainjax.methods.faces.training import first_variables
from brainjax.networks import frozen, vaegan
from brainjax.networks.weights import vaegan as vaegan_weights
from brainjax.training import parallel
from brainjax.training import state as training_state


@pytest.mark.parametrize('normalise', [False, True])
def test_linear_paths_begin_as_principal_components(normalise, tmp_path):
    images = tiny_faces.pictures(60)
    config = tiny_faces.get_config()
    config.networks.update(linear=True, normalise_mu=normalise)
    config.networks.brightness = 'clip'
    variables = first_variables(images, config, jax.random.key(0))
    made = networks.reconstruct(config, variables, images)
    basis = pca.fit(images, config.networks.latents)
    scores = pca.encode(basis, images)
    best = pca.generate(basis, scores)
    # Latents are the scores, bent a little by the tanh.
    z = np.arctanh(vaegan.encode(variables, images)) / vaegan.LINEAR_SCALE
    np.testing.assert_allclose(z * basis.std, scores, atol=1e-3)
    target = np.float32(images) / 255
    ours, theirs = (np.mean((x - target) ** 2) for x in (made, best))
    assert theirs <= ours < theirs + 0.05 * np.var(target)
    vaegan_weights.save(tmp_path / 'it.safetensors', variables)
    again = vaegan_weights.load(tmp_path / 'it.safetensors')
    np.testing.assert_array_equal(
        networks.reconstruct(config, again, images), made
    )


def test_perceptual_loss_of_one_step():
    """Its value and gradients, beside an independent form."""
    weight, rate = 30.0, 0.1
    config = tiny_faces.get_config()
    config.training.update(
        optimizer='sgd', learning_rate=rate, game='none', batch=4
    )
    config.training.perceptual = weight
    config.training.perceptual_layers = ('relu1',)
    net = frozen.init_random(jax.random.key(3), 'squeezenet', 0.1)
    images = tiny_faces.pictures(4)
    start = networks.initialise(config, jax.random.key(0))

    state = training_state.create(
        start,
        steps.build_optimizer(config),
        jax.random.key(1),
        steps.METRICS,
    )
    step = steps.vaegan_step(config, net.architecture)
    run = jax.jit(jax.vmap(step, (None, None, 0), axis_name=parallel.AXIS))

    def one_step(seen_by):
        after, metrics = run(state, seen_by, {'images': images[None]})
        return jax.tree.map(lambda x: x[0], (after.params, metrics))

    # To a network whose weights are all 0 all pictures are the same.
    plain, without = one_step(jax.tree.map(jnp.zeros_like, net.params))
    seeing, within = one_step(net.params)
    x, noise, _ = jax.vmap(
        lambda i: steps.draws(config, state, i), axis_name=parallel.AXIS
    )(images[None])
    encoder, generator, _ = networks.build(config)

    def loss(params):
        def apply(part, module, given):
            held = {'params': params[part], 'batch_stats': stats[part]}
            return module.apply(
                held, given, train=True, mutable=['batch_stats']
            )[0]

        stats = start['batch_stats']
        total = 0.0
        posterior = apply('encoder', encoder, x[0])
        z = posterior.mean + noise[0] * jnp.exp(posterior.log_sigma)
        made = apply('generator', generator, z)
        pair = [
            net.architecture.apply(net.params, each, ['relu1'])['relu1']
            for each in (made, x[0])
        ]
        for f, g in zip(*pair):
            f, g = (
                y / jnp.sqrt((y**2).sum(-1, keepdims=True) + 1e-10)
                for y in (f, g)
            )
            total += ((f - g) ** 2).sum(-1).mean() / 2
        return weight * total / len(images)

    value, gradient = jax.jit(
        jax.vmap(
            lambda _: jax.value_and_grad(loss)(start['params']),
            axis_name=parallel.AXIS,
        )
    )(jnp.zeros(1))
    np.testing.assert_allclose(
        within['reconstruction'] - without['reconstruction'],
        value[0],
        rtol=1e-3,
    )
    # The first step of this optimiser is 1.9 times the rate.
    for part, factor in (('encoder', 1.0), ('generator', 0.5)):
        found = jax.tree.map(lambda a, b: a - b, seeing[part], plain[part])
        expected = jax.tree.map(
            lambda g, f=factor: -1.9 * rate * f * g[0], gradient[part]
        )
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=0.02, atol=2e-4),
            found,
            expected,
        )

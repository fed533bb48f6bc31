"""The train step of the VAE-GAN, written for one device.

It is step(state, frozen, batch) -> (state, metrics) for all three networks at
once. Pictures travel as uint8.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from brainjax.methods.faces import losses
from brainjax.networks import vaegan
from brainjax.training import parallel
from brainjax.training import state as training_state
from brainjax.training.optimizers import optimizer, separate, stepwise
from brainjax.training.state import cast

PARTS = ('encoder', 'generator', 'discriminator')
METRICS = (
    'kl',
    'likeness',
    'real',
    'fake',
    'generator_steps',
    'discriminator_steps',
)


def build(
    config: ConfigDict,
) -> tuple[vaegan.Encoder, vaegan.Generator, vaegan.Discriminator]:
    """Returns the Flax modules that `config.networks` describes.

    Raises:
      InputError: the size of picture does not halve so often.
    """
    c = config.networks
    encoder, generator, discriminator = (
        tuple(max(1, round(c.width * n)) for n in channels)
        for channels in (
            c.channels,
            c.generator_channels,
            c.discriminator_channels,
        )
    )
    for channels in (encoder, generator, discriminator):
        vaegan.grid(config.size, len(channels))
    return (
        vaegan.Encoder(
            c.latents, encoder, tuple(c.log_sigma), axis_name=parallel.AXIS
        ),
        vaegan.Generator(config.size, generator, axis_name=parallel.AXIS),
        vaegan.Discriminator(discriminator),
    )


def initialise(config: ConfigDict, key: jax.Array) -> dict[str, Any]:
    """Returns the networks' first variables, by part."""
    inputs = (
        jnp.zeros((1, config.size, config.size, 3)),
        jnp.zeros((1, config.networks.latents)),
        jnp.zeros((1, config.size, config.size, 3)),
    )
    variables = {
        part: training_state.initialise(module, each, x)
        for part, module, each, x in zip(
            PARTS, build(config), jax.random.split(key, 3), inputs
        )
    }
    return {
        kind: {
            part: held[kind] for part, held in variables.items() if kind in held
        }
        for kind in ('params', 'batch_stats')
    }


def build_optimizer(config: ConfigDict):
    """Returns the three optimisers, as one with a gate a part."""
    c = config.training

    def rate(factor):
        later = stepwise(factor * c.learning_rate, c.drops, c.steps)
        if not c.warmup:
            return later
        return lambda step: later(step) * jnp.minimum(1, (step + 1) / c.warmup)

    return separate(
        {
            part: optimizer(c.optimizer, rate(factor))
            for part, factor in zip(PARTS, c.rates)
        }
    )


def build_step(config: ConfigDict) -> Callable:
    """Returns the step, for one device, that updates all three networks.

    A batch holds 'images' [n, size, size, 3] uint8; `frozen` holds nothing.

    Each network has its own loss and is changed by no other's:

      encoder        kl KL + likeness
      generator      gamma likeness + game
      discriminator  -L

    Batch norm: pictures x, reconstructions and pictures from the prior each
    go through the generator or encoder in a pass of their own, normalised by
    their own statistics. The generator's running averages are those of
    reconstructions, which is what it is used for. The discriminator has none.

    The steps of both players are gated by means over the whole batch, on all
    devices.
    """
    c = config.training
    encoder, generator, discriminator = build(config)
    update = build_optimizer(config)

    def training(module, stats):
        """Returns (params, x) -> (y, batch_stats after it)."""

        def apply(params, x):
            params, x = cast((params, x), config.compute_dtype)
            y, changed = module.apply(
                {'params': params, 'batch_stats': stats},
                x,
                train=True,
                mutable=['batch_stats'],
            )
            return cast(y, 'float32'), changed['batch_stats']

        return apply

    def judge(params, images):
        def apply(params, x):
            params, x = cast((params, x), config.compute_dtype)
            found = discriminator.apply({'params': params}, x)
            return cast(found, 'float32')

        return jax.vjp(apply, params['discriminator'], images)

    def step(state, frozen, batch):
        del frozen
        params, stats = state.params, state.batch_stats
        images, noise, prior = draws(config, state, batch['images'])
        n = len(images)

        # Forward, each network's way back kept apart from the others'.
        def sample(params):
            posterior, changed = training(encoder, stats['encoder'])(
                params, images
            )
            latents = posterior.mean + noise * jnp.exp(posterior.log_sigma)
            return (latents, losses.divergence(posterior)), changed

        (latents, divergence), encoder_back, encoder_stats = jax.vjp(
            sample, params['encoder'], has_aux=True
        )
        generate = training(generator, stats['generator'])
        rebuilt, rebuilt_back, generator_stats = jax.vjp(
            generate, params['generator'], latents, has_aux=True
        )
        drawn, drawn_back, _ = jax.vjp(
            generate, params['generator'], prior, has_aux=True
        )
        (real_logits, seen), real_back = judge(params, images)
        (rebuilt_logits, features), judged_back = judge(params, rebuilt)
        (drawn_logits, _), drawn_judged_back = judge(params, drawn)
        logits = losses.Logits(real_logits, rebuilt_logits, drawn_logits)

        # Likeness, as it changes with the reconstruction.
        errors = [a - b for a, b in zip(features, seen)][c.first_feature :]
        skipped = jax.tree.map(jnp.zeros_like, features)
        _, to_rebuilt = judged_back(
            (
                jnp.zeros(n),
                skipped[: c.first_feature] + [e / n for e in errors],
            )
        )
        to_rebuilt += c.pixels / n * (rebuilt - images)
        likeness = sum(losses.half_square(e).mean() for e in errors)
        likeness += c.pixels * losses.half_square(rebuilt - images).mean()

        # The discriminator's loss and the game.
        own = jax.grad(lambda logits: -losses.likelihood(logits))(logits)
        game = jax.grad(losses.GAMES[c.game])(logits)
        from_real, _ = real_back((own.real, skipped))
        from_rebuilt, own_rebuilt = judged_back((own.rebuilt, skipped))
        from_drawn, own_drawn = drawn_judged_back((own.drawn, skipped))
        # It judges each picture alone, so the game's gradient is its own,
        # times a number a picture.
        game_rebuilt = _scale(own_rebuilt, game.rebuilt, own.rebuilt)
        game_drawn = _scale(own_drawn, game.drawn, own.drawn)

        # Back through the generator and the encoder.
        _, to_latents = rebuilt_back(to_rebuilt)
        (to_encoder,) = encoder_back((to_latents, jnp.full(n, c.kl / n)))
        by_rebuilt, _ = rebuilt_back(c.gamma * to_rebuilt + game_rebuilt)
        by_drawn, _ = drawn_back(game_drawn)
        gradients = {
            'encoder': to_encoder,
            'generator': _sum(by_rebuilt, by_drawn),
            'discriminator': _sum(from_real, from_rebuilt, from_drawn),
        }

        real, fake = losses.costs(logits)
        metrics = {
            'kl': divergence.mean(),
            'likeness': likeness,
            'real': real,
            'fake': fake,
        }
        gradients, metrics = parallel.mean((gradients, metrics))
        gates = losses.gates(
            metrics['real'], metrics['fake'], c.equilibrium, c.margin
        )
        for part in ('generator', 'discriminator'):
            metrics[f'{part}_steps'] = gates[part].astype(jnp.float32)
        state = training_state.advance(
            state,
            update,
            gradients,
            {'encoder': encoder_stats, 'generator': generator_stats},
            metrics,
            gates=gates,
        )
        return state, metrics

    return step


def _sum(*trees):
    return jax.tree.map(lambda *leaves: sum(leaves), *trees)


def _scale(gradient, wanted, had):
    """Turns a gradient by pictures for one loss of logits into another's."""
    ratio = jnp.where(had == 0, 0, wanted / jnp.where(had == 0, 1, had))
    return ratio[:, None, None, None] * gradient


def draws(config, state, images):
    """Returns the pictures as floats, noise and latents from the prior."""
    key = jax.random.fold_in(state.key, state.step)
    keys = parallel.example_keys(key, len(images))
    noise, prior = jax.vmap(
        lambda key: jax.random.normal(key, (2, config.networks.latents)),
        out_axes=1,
    )(keys)
    images = images.astype(jnp.float32) / 255
    if config.training.mirror:
        turned = jax.vmap(
            lambda key: jax.random.bernoulli(jax.random.fold_in(key, 1))
        )(keys)
        images = jnp.where(
            turned[:, None, None, None], images[:, :, ::-1], images
        )
    return images, noise, prior

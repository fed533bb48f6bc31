"""Training of the VAE-GAN (VanRullen & Reddy 2019; Larsen et al. 2016).

Three networks learn at once, each from a loss of its own:

    variables, history = fit(images, config, folder)
    latents = vaegan.encode(variables, images)

The losses are sums over units, as in CADL; see `faces_config`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict, FrozenConfigDict

from brainjax.errors import InputError
from brainjax.files import PathLike
from brainjax.methods import vaegan_losses as losses
from brainjax.networks import vaegan
from brainjax.training import parallel
from brainjax.training import state as training_state
from brainjax.training.batches import indices
from brainjax.training.loop import History, train
from brainjax.training.optimizers import optimizer, separate, stepwise

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
            y, changed = module.apply(
                {'params': params, 'batch_stats': stats},
                x,
                train=True,
                mutable=['batch_stats'],
            )
            return y, changed['batch_stats']

        return apply

    def judge(params, images):
        return jax.vjp(
            lambda params, x: discriminator.apply({'params': params}, x),
            params['discriminator'],
            images,
        )

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


def fit(
    images: np.ndarray,
    config: ConfigDict,
    folder: PathLike,
    held_out: np.ndarray | None = None,
) -> tuple[dict[str, Any], History]:
    """Trains a VAE-GAN; resumes what `folder` holds.

    Args:
      images: [n, size, size, 3] uint8.
      config: see `faces_config.vanrullen2019`.
      folder: for the checkpoints.
      held_out: pictures to reconstruct after each epoch, whose errors enter
        the history; they change nothing else.

    Returns:
      The variables of all three networks after the last step, on the host,
      and one record of mean metrics an epoch.

    Raises:
      InputError: pictures, config or a checkpoint cannot be used.
      Interrupted: SIGINT or SIGTERM came; the same call resumes.
    """
    config = FrozenConfigDict(config)
    c = config.training
    _check(config, images)

    def batch_at(step):
        i = indices(config.seed, 6, len(images), step, c.batch)
        return {'images': images[i]}

    def validate(variables):
        rebuilt = reconstruct(config, variables, held_out)
        truth = np.float32(held_out) / 255
        error = np.mean((rebuilt - truth) ** 2)
        return {'score': -error, 'error': error}

    init_key, run_key = jax.random.split(jax.random.key(config.seed))
    state = training_state.create(
        initialise(config, init_key), build_optimizer(config), run_key, METRICS
    )
    state, history = train(
        build_step(config),
        state,
        {},
        batch_at,
        epochs=c.epochs,
        steps_per_epoch=c.steps,
        folder=folder,
        label='vaegan',
        validate=None if held_out is None else validate,
        checkpoint_every=config.checkpoint_every,
    )
    variables = {'params': state.params, 'batch_stats': state.batch_stats}
    return jax.device_get(variables), history


def reconstruct(
    config: ConfigDict, variables: Any, images: np.ndarray
) -> np.ndarray:
    """Returns pictures of the latents of pictures, [n, size, size, 3]."""
    latents = vaegan.encode(variables, images)
    return vaegan.generate(variables, latents, config.networks.brightness)


def _check(config, images):
    losses.check_game(config.training.game)
    vaegan.check_brightness(config.networks.brightness)
    layers = len(config.networks.discriminator_channels)
    if not 0 <= config.training.first_feature < layers:
        raise InputError(
            f'config.training.first_feature is '
            f'{config.training.first_feature} and the discriminator has '
            f'{layers} layers, counted from 0; choose one of them.'
        )
    if images.shape[1:] != (config.size, config.size, 3):
        raise InputError(
            f'The pictures are {images.shape[1]} x {images.shape[2]} px and '
            f'config.size is {config.size}; load them at that size.'
        )
    if not len(images):
        raise InputError('There are no pictures to train on; give some.')
    parallel.check_batch(config.training.batch)

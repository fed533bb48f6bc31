"""The train steps of flow and autoencoder, written for one device."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from brainjax.methods.posterior import losses
from brainjax.methods.posterior.networks import (
    Shape,
    build_autoencoder,
    correction,
    known,
)
from brainjax.networks.frozen import Architecture
from brainjax.training import parallel
from brainjax.training import state as training_state
from brainjax.training.optimizers import averaged, optimizer
from brainjax.training.state import cast

METRICS = ('loss', 'pictures', 'paired', 'prior')
AUTOENCODER_METRICS = ('loss', 'error', 'kl', 'perceptual')


def build_optimizer(c: ConfigDict) -> optax.GradientTransformation:
    """Adam with a clipped gradient and a falling cosine, and the average.

    Where validation ends the training nobody knows beforehand where the cosine
    would: the rate stays as it is, and the average does its work.

    Args:
      c: `config.flow` or `config.latents`.
    """
    rate = c.learning_rate
    if not c.get('patience', 0):
        rate = optax.cosine_decay_schedule(rate, c.epochs * c.steps)
    return averaged(
        optax.chain(optax.clip_by_global_norm(c.clip), optimizer('adam', rate)),
        c.average,
    )


def flow_step(config: ConfigDict, shape: Shape) -> Callable:
    """Returns the step that matches the flow.

    `frozen` holds 'eye', the levels 'pictures', 'paired' and 'prior', 'centre'
    and 'scale'; a batch 'pictures' {'images'}, with a `Nonlinearity` perhaps,
    'paired' {'images', 'mean'} and 'prior' {'images'}, images uint8 and means
    scaled, as rows. Parts whose batch is 0 are left out. Where the rows are
    latents, images are floats.
    """
    update = build_optimizer(config.flow)

    def step(state, frozen, batch):
        key = jax.random.fold_in(state.key, state.step)
        names, parts = sorted(batch), []
        for place, name in enumerate(names):
            keys = parallel.example_keys(
                jax.random.fold_in(key, place), len(batch[name]['images'])
            )
            parts.append(_pairs(shape, frozen, name, batch[name], keys))
        left, seen, t = map(jnp.concatenate, zip(*parts))

        def objective(params):
            # One pass of the network serves all parts.
            error = (correction(config, params, seen, t) - left) ** 2
            metrics = dict.fromkeys(METRICS, jnp.zeros([]))
            start = 0
            for name, (_, _, times) in zip(names, parts):
                metrics[name] = error[start : start + len(times)].mean()
                start += len(times)
            metrics['loss'] = error.mean()
            return metrics['loss'], metrics

        (_, metrics), gradients = jax.value_and_grad(objective, has_aux=True)(
            state.params
        )
        gradients, metrics = parallel.mean((gradients, metrics))
        state = training_state.advance(
            state, update, gradients, state.batch_stats, metrics
        )
        return state, metrics

    return step


def _pairs(shape, frozen, name, part, keys):
    """What is left of the velocity, what the network sees of it, and when."""
    x = wanted = part['images']
    if x.dtype == jnp.uint8:
        x = x.astype(jnp.float32) / 255
        wanted = losses.beyond_bounds(x)
    x, wanted = (
        (each - frozen['centre']) / frozen['scale'] for each in (x, wanted)
    )
    time_keys, noise_keys, told_keys = jax.vmap(
        lambda key: jax.random.split(key, 3), out_axes=1
    )(keys)
    level = frozen[name]
    if name == 'paired':
        mean = part['mean']
    else:  # Of the prior, nothing is told: the level's gain is 0.
        beside = part.get('nonlinearity')
        mean = losses.told(level, frozen['eye'], x, told_keys, beside)
    noise = jax.vmap(lambda key, x: jax.random.normal(key, x.shape))(
        noise_keys, x
    )
    t = losses.times(time_keys)
    now = (1 - t)[:, None] * noise + t[:, None] * wanted
    base, seen = known(shape, level, mean, now, t)
    return wanted - noise - base, seen, t


@functools.partial(jax.jit, static_argnums=(0, 1))
def validation_losses(
    config: ConfigDict, shape: Shape, params: Any, frozen: Any, batch: Any
) -> dict[str, jax.Array]:
    """Losses of each part of a batch, the same noise and times in each epoch.

    Args:
      config: of the experiment, frozen.
      shape: of a row.
      params: of the network.
      frozen, batch: as the step of `flow_step` takes them.
    """
    found = {}
    for place, name in enumerate(sorted(batch)):
        key = jax.random.key(config.seed + place)
        keys = jax.random.split(key, len(batch[name]['images']))
        left, seen, t = _pairs(shape, frozen, name, batch[name], keys)
        error = correction(config, params, seen, t) - left
        found[name] = (error**2).mean()
    return found


def autoencoder_step(
    config: ConfigDict, shape: Shape, perceive: Architecture | None = None
) -> Callable:
    """Returns the step of the variational autoencoder.

    A batch holds 'images' [n, *shape] uint8; `frozen` holds the parameters of
    `perceive`, the network of the perceptual loss.
    """
    c, dtype = config.latents, config.compute_dtype
    encoder, generator = build_autoencoder(config, shape)
    update = build_optimizer(c)

    def look(frozen, images):
        colour = jnp.broadcast_to(images, (*images.shape[:-1], 3))
        return perceive.apply(frozen, colour, c.perceptual_layers)

    def step(state, frozen, batch):
        key = jax.random.fold_in(state.key, state.step)
        images = batch['images'].astype(jnp.float32) / 255
        keys = parallel.example_keys(key, len(images))

        def objective(params):
            held, x = cast((params, images), dtype)
            posterior = encoder.apply({'params': held['encoder']}, x)
            posterior = cast(posterior, 'float32')
            noise = jax.vmap(
                lambda key: jax.random.normal(key, posterior.mean.shape[1:])
            )(keys)
            latents = posterior.mean + noise * jnp.exp(posterior.log_sigma)
            made = generator.apply(
                {'params': held['generator']}, cast(latents, dtype)
            ).astype(jnp.float32)
            error, divergence = losses.autoencoding(
                posterior, made, losses.beyond_bounds(images)
            )
            looks = jnp.zeros([])
            if perceive:
                looks = losses.perceptual(
                    *(look(frozen, each.clip(0, 1)) for each in (made, images))
                )
            loss = error + c.kl * divergence + c.perceptual * looks
            return loss, (error, divergence, looks)

        (loss, parts), gradients = jax.value_and_grad(objective, has_aux=True)(
            state.params
        )
        metrics = dict(zip(AUTOENCODER_METRICS, (loss, *parts)))
        gradients, metrics = parallel.mean((gradients, metrics))
        state = training_state.advance(
            state, update, gradients, state.batch_stats, metrics
        )
        return state, metrics

    return step

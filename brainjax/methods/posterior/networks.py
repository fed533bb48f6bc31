"""The velocity of the flow: what is known of it, and what a network adds."""

from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from brainjax.methods.posterior.closed_form import Level
from brainjax.methods.posterior.losses import gaussian_velocity
from brainjax.networks import autoencoder
from brainjax.networks.unet import UNet
from brainjax.training.state import cast, initialise

Shape = tuple[int, int, int]


def build(config: ConfigDict, channels: int) -> UNet:
    """Returns the network for pictures, or latents, of so many channels."""
    c = config.flow
    patch = 1 if in_latents(config) else c.patch
    return UNet(tuple(c.channels), channels, c.groups, patch)


def in_latents(config: ConfigDict) -> bool:
    """Whether latents of an autoencoder are drawn, and not pixels."""
    return config.size > config.latents.above


def build_autoencoder(
    config: ConfigDict, shape: Shape
) -> tuple[autoencoder.Encoder, autoencoder.Generator]:
    """Returns both halves for pictures of a shape (height, width, channels)."""
    c = config.latents
    options = {'groups': c.groups, 'patch': c.patch}
    channels = tuple(c.channels)
    return (
        autoencoder.Encoder(c.number, channels, **options),
        autoencoder.Generator(shape, channels, **options),
    )


def latent_shape(config: ConfigDict, shape: Shape) -> Shape:
    """Returns (height, width, channels) of the latents of such pictures."""
    c = config.latents
    return (*autoencoder.grid(shape, c.patch, tuple(c.channels)), c.number)


def init_autoencoder(
    config: ConfigDict, shape: Shape, key: jax.Array
) -> dict[str, Any]:
    """Returns the first variables of both halves, {'params'}."""
    inputs = (
        jnp.zeros((1, *shape)),
        jnp.zeros((1, *latent_shape(config, shape))),
    )
    halves = zip(
        ('encoder', 'generator'),
        build_autoencoder(config, shape),
        jax.random.split(key),
        inputs,
    )
    return {
        'params': {
            name: initialise(half, key, x)['params']
            for name, half, key, x in halves
        }
    }


def init(config: ConfigDict, shape: Shape, key: jax.Array) -> dict[str, Any]:
    """Returns its first variables."""
    inputs = jnp.zeros((1, *shape[:2], 4 * shape[2]))
    return initialise(build(config, shape[2]), key, inputs, jnp.zeros(1))


def known(
    shape: Shape, level: Level, mean: jax.Array, x: jax.Array, t: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The closed form's velocity, and what the network is to see.

    Args:
      shape: (height, width, channels) of the rows.
      level: whose covariance the closed-form posterior has.
      mean: [n, pixels] that posterior's means.
      x, t: [n, pixels] and [n], where and when.

    Returns:
      [n, pixels], and [n, height, width, 4 channels].
    """
    base = gaussian_velocity(level, mean, x, t)
    deviation = jnp.broadcast_to(level.deviation, x.shape)
    # What the picture would be if the closed form were all there is.
    guess = x + (1 - t)[:, None] * base
    seen = [
        each.reshape(len(x), *shape) for each in (x, mean, deviation, guess)
    ]
    return base, jnp.concatenate(seen, axis=-1)


def correction(
    config: ConfigDict, params: Any, seen: jax.Array, t: jax.Array
) -> jax.Array:
    """What the network adds to the closed form's velocity, [n, pixels].

    Args:
      config: of the experiment.
      params: of the network.
      seen: of `known`.
      t: [n].
    """
    found = build(config, seen.shape[-1] // 4).apply(
        {'params': cast(params, config.compute_dtype)},
        cast(seen, config.compute_dtype),
        t,
    )
    return found.reshape(len(seen), -1).astype(jnp.float32)


def draw(
    config: ConfigDict,
    params: Any,
    shape: Shape,
    level: Level,
    mean: jax.Array,
    keys: jax.Array,
) -> jax.Array:
    """Draws one picture for each condition, by midpoint steps.

    Args:
      config, params: of `correction`.
      shape, level: of `known`.
      mean: [n, pixels].
      keys: [n] typed keys of the noise.

    Returns:
      [n, pixels], scaled as the conditions are.
    """
    step = 1 / config.draw_steps
    noise = jax.vmap(lambda key: jax.random.normal(key, mean.shape[1:]))(keys)

    def speed(x, t):
        times = jnp.full(len(x), t)
        base, seen = known(shape, level, mean, x, times)
        return base + correction(config, params, seen, times)

    def advance(i, x):
        t = i * step
        middle = x + step / 2 * speed(x, t)
        return x + step * speed(middle, t + step / 2)

    return jax.lax.fori_loop(0, config.draw_steps, advance, noise)

"""Losses of the VAE-GAN: sums over units, means over the batch.

The discriminator's logits come as `Logits`; D(x) is their sigmoid. Logarithms
are of D + 1e-12, as in CADL.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

EPSILON = 1e-12


class Logits(NamedTuple):
    """Of pictures, their reconstructions and samples of the prior, [n] each."""

    real: jax.Array
    reconstructed: jax.Array
    sampled: jax.Array


def half_squared_norm(x: jax.Array) -> jax.Array:
    """Returns 1/2 ||x||^2 of each example, [n]."""
    return 0.5 * jnp.sum(x**2, axis=tuple(range(1, x.ndim)))


def log_real(logits: jax.Array) -> jax.Array:
    """Returns log(D + 1e-12)."""
    # By logits, for D itself is 0 or 1 in float32 where logits are large.
    return jnp.logaddexp(jax.nn.log_sigmoid(logits), math.log(EPSILON))


def log_fake(logits: jax.Array) -> jax.Array:
    """Returns log(1 - D + 1e-12)."""
    return log_real(-logits)


def gan_objective(logits: Logits) -> jax.Array:
    """Returns L_gan, what the discriminator maximises.

    mean(log D(x) + log(1 - D(x_rec)) + log(1 - D(x_prior))) / 3.
    """
    parts = (
        log_real(logits.real),
        log_fake(logits.reconstructed),
        log_fake(logits.sampled),
    )
    return sum(part.mean() for part in parts) / 3


def nonsaturating_loss(logits: Logits) -> jax.Array:
    """Returns -mean(log D(x_rec) + log D(x_prior)) / 3.

    Goodfellow et al. 2014: its gradient does not vanish where the
    discriminator is sure of generated pictures.
    """
    parts = log_real(logits.reconstructed) + log_real(logits.sampled)
    return -parts.mean() / 3


# The generator's loss in the game; see `config.training.game`.
GAMES = {
    'cadl': lambda logits: -gan_objective(logits),
    'minimax': gan_objective,
    'nonsaturating': nonsaturating_loss,
    'none': lambda logits: jnp.zeros([]),
}


def discriminator_costs(logits: Logits) -> tuple[jax.Array, jax.Array]:
    """Returns -mean log D(x) and -mean log(1 - D(x_rec))."""
    return (
        -log_real(logits.real).mean(),
        -log_fake(logits.reconstructed).mean(),
    )


def gates(
    real: jax.Array, fake: jax.Array, equilibrium: float, margin: float
) -> dict[str, jax.Array]:
    """Decides which networks take a step: part -> bool.

    A generator that is well ahead of the discriminator waits, and so does a
    discriminator that is well ahead; if both would wait, neither does. The
    encoder never waits.

    Args:
      real, fake: the discriminator's costs, of the whole batch.
      equilibrium: of both costs; log 2 is that of a discriminator that
        guesses.
      margin: how far from it is well ahead.
    """
    high, low = equilibrium + margin, equilibrium - margin
    generator = (real <= high) & (fake <= high)
    discriminator = (real >= low) & (fake >= low)
    neither = ~generator & ~discriminator
    return {
        'encoder': jnp.array(True),
        'generator': generator | neither,
        'discriminator': discriminator | neither,
    }

"""Losses of the VAE-GAN: sums over units, means over the batch.

The discriminator's logits come as `Logits`; D(x) is their sigmoid. Logarithms
are of D + 1e-12, as in CADL.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from brainjax.errors import InputError, suggestion
from brainjax.networks.vaegan import Posterior

EPSILON = 1e-12


class Logits(NamedTuple):
    """Of pictures, reconstructions and pictures from the prior, [n] each."""

    real: jax.Array
    rebuilt: jax.Array
    drawn: jax.Array


def divergence(posterior: Posterior) -> jax.Array:
    """Returns KL(posterior || N(0, 1)), summed over latents, [n].

    -1/2 sum(1 + 2 log sigma - mu^2 - sigma^2).
    """
    mean, log_sigma = posterior
    return -0.5 * jnp.sum(
        1 + 2 * log_sigma - mean**2 - jnp.exp(2 * log_sigma), axis=-1
    )


def half_square(x: jax.Array) -> jax.Array:
    """Returns 1/2 ||x||^2 of each example, [n]."""
    return 0.5 * jnp.sum(x**2, axis=tuple(range(1, x.ndim)))


def log_true(logits: jax.Array) -> jax.Array:
    """Returns log(D + 1e-12)."""
    return jnp.logaddexp(jax.nn.log_sigmoid(logits), math.log(EPSILON))


def log_false(logits: jax.Array) -> jax.Array:
    """Returns log(1 - D + 1e-12)."""
    return log_true(-logits)


def likelihood(logits: Logits) -> jax.Array:
    """Returns what the discriminator maximises.

    L = mean(log D(x) + log(1 - D(x_rec)) + log(1 - D(x_prior))) / 3.
    """
    parts = (
        log_true(logits.real),
        log_false(logits.rebuilt),
        log_false(logits.drawn),
    )
    return sum(part.mean() for part in parts) / 3


def nonsaturating(logits: Logits) -> jax.Array:
    """Returns -mean(log D(x_rec) + log D(x_prior)) / 3."""
    return -(log_true(logits.rebuilt) + log_true(logits.drawn)).mean() / 3


# What the generator adds to likeness; see `faces_config`.
GAMES = {
    'cadl': lambda logits: -likelihood(logits),
    'minimax': likelihood,
    'nonsaturating': nonsaturating,
    'none': lambda logits: jnp.zeros([]),
}


def check_game(name: str) -> None:
    """Raises InputError if there is no such game."""
    if name not in GAMES:
        raise InputError(
            f'There is no config.training.game {name!r}.'
            f'{suggestion(name, GAMES)} There are: {", ".join(GAMES)}.'
        )


def costs(logits: Logits) -> tuple[jax.Array, jax.Array]:
    """Returns -mean log D(x) and -mean log(1 - D(x_rec))."""
    return -log_true(logits.real).mean(), -log_false(logits.rebuilt).mean()


def gates(
    real: jax.Array, fake: jax.Array, equilibrium: float, margin: float
) -> dict[str, jax.Array]:
    """Decides which networks take a step: part -> bool.

    A generator that is well ahead of the discriminator waits, and so does a
    discriminator that is well ahead; if both would wait, neither does. The
    encoder never waits.

    Args:
      real, fake: the costs, of the whole batch.
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

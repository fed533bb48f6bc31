"""Conditional flow matching (Lipman et al. 2023), from noise to pictures.

x_t = (1 - t) e + t x goes from noise e at t = 0 to a picture x at t = 1, with
the velocity x - e. Its expectation given x_t and the condition carries noise
to draws from the posterior. Where that is Gaussian the expectation is known;
the network learns what is left. Large pictures are latents of a variational
autoencoder (`autoencoding`).
"""

import jax
import jax.numpy as jnp

from brainjax.linear.bayes.encoder import left_open
from brainjax.losses import unit_features
from brainjax.methods.posterior.closed_form import Eye, Level, Nonlinearity
from brainjax.networks.vaegan import Posterior, kl_divergence

BEYOND = 0.05  # Of the range of a pixel; wider than the network's errors.


def gaussian_velocity(
    level: Level, mean: jax.Array, x: jax.Array, t: jax.Array
) -> jax.Array:
    """E[x_1 - e | x_t = x] for x_1 ~ N(mean, covariance of the level).

    With the variance v of x_1 along an axis, x_t has the mean t m and the
    variance s = (1 - t)^2 + t^2 v along it, and the expectation is
    m + (t v - (1 - t)) / s (x_t - t m).

    Args:
      level: the covariance.
      mean, x: [n, pixels].
      t: [n] from 0 to 1.

    Returns:
      [n, pixels].
    """
    t = t[:, None]
    away = x - t * mean

    def factor(variance):
        variance = variance + level.floor
        return (t * variance - (1 - t)) / ((1 - t) ** 2 + t**2 * variance)

    rest = factor(0.0)
    along = (away @ level.axes.T) * (factor(level.variance) - rest)
    return mean + rest * away + along @ level.axes


def told(
    level: Level,
    eye: Eye,
    x: jax.Array,
    keys: jax.Array,
    beside: Nonlinearity | None = None,
) -> jax.Array:
    """Draws what a response to each picture would say, the posterior's mean.

    Encoder and noise are drawn anew for each.

    Args:
      level: of the number of repeats to simulate.
      eye: of the encoder.
      x: [n, pixels].
      keys: [n] typed keys.
      beside: what a nonlinear encoder says of them, whose level this is.

    Returns:
      [n, pixels], the means of the closed-form posterior.
    """
    y = x @ eye.axes.T + eye.offset
    b = y @ eye.directions.T
    if beside is None:
        beside = Nonlinearity(0.0, left_open(eye.features, eye.certain, y))
    white = jax.vmap(lambda key: jax.random.normal(key, (2, b.shape[1])))(keys)
    g = b @ level.information + beside.shift + white[:, 0] @ level.own.T
    g += jnp.sqrt(beside.doubt.clip(0))[:, None] * (white[:, 1] @ level.open.T)
    return level.offset + g @ level.gain.T


def beyond_bounds(x: jax.Array) -> jax.Array:
    """Moves pixels that are 0 or 1 beyond it by `BEYOND`.

    Draws are clipped to 0..1. A background that is black, exactly, is then so
    in every draw, however little the network errs; otherwise none of the
    intervals of such pixels would hold it.

    Args:
      x: pictures of any shape in 0..1.
    """
    return jnp.where(x <= 0, -BEYOND, jnp.where(x >= 1, 1 + BEYOND, x))


def times(keys: jax.Array) -> jax.Array:
    """Times [n] in 0..1, the logistic function of a standard normal."""
    return jax.nn.sigmoid(jax.vmap(jax.random.normal)(keys))


def autoencoding(
    posterior: Posterior, made: jax.Array, images: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """What an autoencoder loses of pictures, and what its latents say of them.

    Rombach et al. 2022 add sums over pixels and latents; both are divided by
    the number of values of the pictures here.

    Args:
      posterior: of the latents, [n, ...].
      made: [n, ...] what was generated from draws of these.
      images: of the same shape.

    Returns:
      Mean absolute error, and KL(posterior || N(0, 1)).
    """
    divergence = kl_divergence(posterior).sum() / images.size
    return jnp.abs(made - images).mean(), divergence


def perceptual(
    made: dict[str, jax.Array], seen: dict[str, jax.Array]
) -> jax.Array:
    """Squared distance of unit features, over places and layers (LPIPS).

    Zhang et al. 2018, all channels weighing the same.

    Args:
      made, seen: layer -> [n, height, width, channels].
    """
    distances = [
        jnp.sum((unit_features(made[k]) - unit_features(seen[k])) ** 2, -1)
        for k in seen
    ]
    return sum(each.mean() for each in distances)

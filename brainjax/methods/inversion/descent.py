"""Gradient descent of many pictures at once, as Shen et al. 2019 order it."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from brainjax.methods.inversion.objective import (
    Box,
    Objective,
    value_and_gradient,
)

Pair = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Descent:
    """Gradient descent with momentum, decay and blur (Shen et al. 2019).

    A pair goes from its first value to the second, linearly, and never quite
    arrives: start + t (end - start) / steps.

    Attributes:
      steps: how many.
      rate: step size; with normalised gradients in units of x a step.
      momentum: what is kept of the last step's direction.
      decay: by how much x is drawn to 0 after each step.
      blur: standard deviation in pixels of the Gaussian that smooths x after
        each step; None for codes and for none.
      jitter: x is moved by up to so many pixels, around the edges, for the
        gradient.
      normalise: whether the gradient is divided by its mean absolute value.
      norm: (p, weight) of the regulariser sum |x|^p.
      variation: weight of total variation, sum of squared differences.
    """

    steps: int = 200
    rate: Pair = (2.0, 1e-10)
    momentum: Pair = (0.9, 0.9)
    decay: Pair = (0.2, 1e-10)
    blur: Pair | None = (2.0, 0.5)
    jitter: int = 0
    normalise: bool = True
    norm: Pair = (3.0, 0.0)
    variation: float = 0.0


# For codes of a generator.
CODE_DESCENT = Descent(decay=(0.01, 0.01), blur=None)


class DescentState(NamedTuple):
    """x after some steps; what it was when last evaluated; the velocity."""

    x: jax.Array
    seen: jax.Array
    velocity: jax.Array
    losses: jax.Array


def schedule(pair: Pair, step: jax.Array, steps: int) -> jax.Array:
    """start + step (end - start) / steps."""
    start, end = pair
    return start + step * (end - start) / steps


def _axes(x: jax.Array) -> tuple[int, ...]:
    return tuple(range(1, x.ndim))


def mean_normalised(gradient: jax.Array) -> jax.Array:
    """Divides each picture's gradient by its mean absolute value."""
    mean = jnp.mean(jnp.abs(gradient), _axes(gradient), keepdims=True)
    return gradient / jnp.where(mean > 0, mean, 1)


def roll(x: jax.Array, shifts: jax.Array) -> jax.Array:
    """Moves pictures [n, H, W, C] by [n, 2] pixels, around the edges."""
    return jax.vmap(lambda a, s: jnp.roll(a, s, (0, 1)))(x, shifts)


def blur(x: jax.Array, sigma: jax.Array, largest: float) -> jax.Array:
    """Smooths [n, H, W, C] as `scipy.ndimage.gaussian_filter` by default does.

    The Gaussian is cut off at 4 standard deviations and the picture is
    reflected at its edges. A standard deviation of 0 leaves x as it is.

    Args:
      x: pictures.
      sigma: standard deviation in pixels; may be traced.
      largest: the most that sigma will be.
    """
    for axis in (1, 2):
        matrix = _blur_matrix(x.shape[axis], sigma, largest).astype(x.dtype)
        x = jnp.moveaxis(jnp.tensordot(matrix, x, (1, axis)), 0, axis)
    return x


def _blur_matrix(size: int, sigma: jax.Array, largest: float) -> jax.Array:
    radius = int(4 * largest + 0.5)
    offsets = np.arange(-radius, radius + 1)
    places = (np.arange(size)[:, None] + offsets) % (2 * size)
    places = np.minimum(places, 2 * size - 1 - places)  # reflected
    sigma = jnp.asarray(sigma, jnp.float32)
    inside = jnp.abs(offsets) <= jnp.floor(4 * sigma + 0.5)
    width = jnp.where(sigma > 0, sigma, 1)
    weights = jnp.where(inside, jnp.exp(-0.5 * (offsets / width) ** 2), 0)
    weights = jnp.broadcast_to(weights / weights.sum(), places.shape)
    rows = np.arange(size)[:, None]
    return jnp.zeros((size, size)).at[rows, places].add(weights)


def _variation_gradient(x: jax.Array) -> jax.Array:
    """Gradient of the sum of squared differences of neighbours."""

    def variation(x):
        return jnp.sum(jnp.diff(x, axis=1) ** 2) + jnp.sum(
            jnp.diff(x, axis=2) ** 2
        )

    return jax.grad(variation)(x)


def start_descent(x: jax.Array, settings: Descent) -> DescentState:
    """Returns the state before the first step."""
    return DescentState(
        x, x, jnp.zeros_like(x), jnp.zeros((settings.steps, len(x)))
    )


def descend(
    objective: Objective,
    settings: Descent,
    box: Box,
    keys: jax.Array,
    step: jax.Array,
    state: DescentState,
) -> DescentState:
    """Takes one step.

    Jitter, gradient, its normalisation, velocity, step, jitter undone, decay,
    blur, box: in this order.

    Args:
      objective: x -> losses [n].
      settings: see `Descent`.
      box: what x is clipped to at the end.
      keys: [n] random keys, one a picture.
      step: which step it is, from 0.
      state: from `start_descent` or the step before.
    """

    def now(pair):
        return schedule(pair, step, settings.steps)

    x, velocity = state.x, state.velocity
    if settings.jitter:
        most = settings.jitter
        shifts = jax.vmap(
            lambda key: jax.random.randint(
                jax.random.fold_in(key, step), (2,), -most, most + 1
            )
        )(keys)
        x, velocity = roll(x, shifts), roll(velocity, shifts)
    loss, gradient = value_and_gradient(objective, x)
    if settings.normalise:
        gradient = mean_normalised(gradient)
    velocity = now(settings.momentum) * velocity + gradient
    power, weight = settings.norm
    if weight:
        slope = jnp.sign(x) * jnp.abs(x) ** (power - 1)
        velocity += weight * mean_normalised(slope)
    if settings.variation:
        slope = _variation_gradient(x)
        velocity += settings.variation * mean_normalised(slope)
    x -= now(settings.rate) * velocity
    if settings.jitter:
        x, velocity = roll(x, -shifts), roll(velocity, -shifts)
    x *= 1 - now(settings.decay)
    if settings.blur is not None:
        x = blur(x, now(settings.blur), max(settings.blur))
    losses = state.losses.at[step].set(loss)
    return DescentState(box.clip(x), state.x, velocity, losses)

"""One iteration of the search, by gradient descent or projected L-BFGS.

All state is per picture, so that a picture's search does not depend on its
neighbours' and each goes at its own pace.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from brainjax.methods.inversion.losses import Objective, value_and_gradient

Pair = tuple[float, float]


class Box(NamedTuple):
    """Bounds that broadcast against x; None for none."""

    low: jax.Array | None = None
    high: jax.Array | None = None

    def clip(self, x: jax.Array) -> jax.Array:
        """Brings what lies outside to the nearest bound."""
        return jnp.clip(x, self.low, self.high)


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
    return gradient / jnp.where(mean > 0, mean, 1)  # A flat loss: 0.


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
    # Added, not set: at an edge two offsets come to one place.
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
    # Weighted by 1, not by 1 - momentum: the published rates are for this.
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
    # The loss is that of x before the step.
    losses = state.losses.at[step].set(loss)
    return DescentState(box.clip(x), state.x, velocity, losses)


@dataclasses.dataclass(frozen=True)
class QuasiNewton:
    """Projected L-BFGS within a box.

    Attributes:
      steps: evaluations of the objective; a step that lowers the loss too
        little is shortened and costs another.
      memory: pairs of differences kept.
    """

    steps: int = 200
    memory: int = 10


class QuasiNewtonState(NamedTuple):
    """The best x so far and what the next trial needs.

    Attributes:
      x: [n, d].
      loss: [n]; infinite before the first evaluation.
      gradient: [n, d].
      direction: [n, d], the way from x.
      length: [n], how far along it the next trial is.
      moves, changes: [n, memory, d], differences of x and of the gradient.
      losses: [steps, n] of the best x.
    """

    x: jax.Array
    loss: jax.Array
    gradient: jax.Array
    direction: jax.Array
    length: jax.Array
    moves: jax.Array
    changes: jax.Array
    losses: jax.Array


def start_quasi_newton(x: jax.Array, settings: QuasiNewton) -> QuasiNewtonState:
    """Returns the state before the first evaluation."""
    n = len(x)
    flat = x.reshape(n, -1)
    history = jnp.zeros((n, settings.memory, flat.shape[1]), x.dtype)
    zeros = jnp.zeros_like(flat)
    return QuasiNewtonState(
        flat,
        jnp.full(n, jnp.inf),
        zeros,
        zeros,
        jnp.zeros(n),
        history,
        history,
        jnp.zeros((settings.steps, n)),
    )


def quasi_newton(
    objective: Objective,
    settings: QuasiNewton,
    box: Box,
    keys: jax.Array,
    step: jax.Array,
    state: QuasiNewtonState,
) -> QuasiNewtonState:
    """Evaluates one trial of each picture and accepts it or comes closer.

    A trial is the projection of x + length * direction on the box. It is
    accepted if it lowers the loss by at least 1e-4 of what the gradient
    promises (Armijo); each picture goes at its own pace. The direction is that
    of L-BFGS over the components that the box leaves free (Nocedal & Wright,
    algorithm 7.4, and Bertsekas 1982 for the projection).

    Args:
      objective: flat x [n, d] -> losses [n].
      settings: see `QuasiNewton`.
      box: bounds, flat; x must be within them.
      keys: not used; nothing is drawn.
      step: which evaluation it is, from 0.
      state: from `start_quasi_newton` or the evaluation before.
    """
    del keys
    trial = box.clip(state.x + state.length[:, None] * state.direction)
    loss, gradient = value_and_gradient(objective, trial)
    move = trial - state.x
    promised = _dot(state.gradient, move)
    first = ~jnp.isfinite(state.loss)  # Where the search begins.
    # NaN compares false: a trial that overflows is not accepted.
    accepted = first | (loss <= state.loss + 1e-4 * promised) & (promised < 0)
    change = gradient - state.gradient
    curved = accepted & ~first
    # Pairs without positive curvature would spoil the approximation.
    curved &= _dot(move, change) > 1e-10 * _dot(change, change)
    moves = _remember(state.moves, move, curved)
    changes = _remember(state.changes, change, curved)
    # A step too short to matter: forget the curvature and start anew.
    stuck = ~accepted & (state.length < 1e-6)
    moves = jnp.where(stuck[:, None, None], 0, moves)
    changes = jnp.where(stuck[:, None, None], 0, changes)
    x = jnp.where(accepted[:, None], trial, state.x)
    best = jnp.where(accepted, loss, state.loss)
    gradient = jnp.where(accepted[:, None], gradient, state.gradient)
    direction, length = _direction(x, gradient, moves, changes, box)
    # Between a tenth and half of the last, by the parabola through it.
    curvature = loss - state.loss - promised
    shorter = -promised / (2 * jnp.where(curvature > 0, curvature, jnp.inf))
    shorter = state.length * jnp.clip(
        jnp.where(jnp.isfinite(loss), shorter, 0.1), 0.1, 0.5
    )
    renewed = accepted | stuck
    return QuasiNewtonState(
        x,
        best,
        gradient,
        jnp.where(renewed[:, None], direction, state.direction),
        jnp.where(renewed, length, shorter),
        moves,
        changes,
        state.losses.at[step].set(best),
    )


def _dot(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.sum(a * b, -1)


def _remember(
    history: jax.Array, latest: jax.Array, where: jax.Array
) -> jax.Array:
    """Puts `latest` [n, d] behind the older ones of the chosen pictures."""
    moved = jnp.concatenate([history[:, 1:], latest[:, None]], 1)
    return jnp.where(where[:, None, None], moved, history)


def _direction(x, gradient, moves, changes, box):
    """Returns where to go and how far to try first."""
    # At a bound a component is free only to come back inside.
    free = jnp.ones(x.shape, bool)
    if box.low is not None:
        free &= (x > box.low) | (gradient < 0)
    if box.high is not None:
        free &= (x < box.high) | (gradient > 0)
    downhill = jnp.where(free, gradient, 0)
    products = jnp.einsum('nmd,nmd->nm', moves, changes)
    known = products > 0
    factor = jnp.where(known, 1 / jnp.where(known, products, 1), 0)
    memory = moves.shape[1]
    q, alphas = downhill, [None] * memory
    for i in reversed(range(memory)):
        alphas[i] = factor[:, i] * _dot(moves[:, i], q)
        q -= alphas[i][:, None] * changes[:, i]
    latest = _dot(changes[:, -1], changes[:, -1])
    scaled = known[:, -1]
    scale = jnp.where(scaled, products[:, -1] / jnp.where(scaled, latest, 1), 1)
    q *= scale[:, None]
    for i in range(memory):
        beta = factor[:, i] * _dot(changes[:, i], q)
        q += (alphas[i] - beta)[:, None] * moves[:, i]
    direction = jnp.where(free, -q, 0)
    # With a direction that does not go down, take the gradient's.
    down = _dot(direction, downhill) < 0
    direction = jnp.where(down[:, None], direction, -downhill)
    size = jnp.sqrt(_dot(downhill, downhill))
    first = 1 / jnp.where(size > 0, size, 1)
    return direction, jnp.where(scaled & down, 1.0, first)


class Optimiser(NamedTuple):
    """How a search goes on.

    Attributes:
      start: x [n, ...], settings -> state before the first iteration.
      step: objective, settings, box, keys [n], iteration, state -> state.
      result: state, whether x are codes -> x.
    """

    start: Callable
    step: Callable
    result: Callable


OPTIMISERS = {
    # Of codes the paper returns what the last gradient was taken at.
    Descent: Optimiser(
        start_descent,
        descend,
        lambda state, codes: state.seen if codes else state.x,
    ),
    QuasiNewton: Optimiser(
        start_quasi_newton, quasi_newton, lambda state, codes: state.x
    ),
}

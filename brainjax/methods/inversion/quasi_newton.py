"""Projected L-BFGS of many pictures at once, each at its own pace."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from brainjax.methods.inversion.objective import (
    Box,
    Objective,
    value_and_gradient,
)


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
    first = ~jnp.isfinite(state.loss)
    accepted = first | (loss <= state.loss + 1e-4 * promised) & (promised < 0)
    change = gradient - state.gradient
    curved = accepted & ~first
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

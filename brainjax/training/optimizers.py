"""Optimisers and learning-rate schedules of the papers."""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from brainjax.errors import check_known


class AmsgradState(NamedTuple):
    """Step count, first moment, second moment, its running maximum."""

    count: jax.Array
    mean: Any
    square: Any
    largest: Any


def amsgrad(
    learning_rate: optax.ScalarOrSchedule,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
) -> optax.GradientTransformation:
    """AMSGrad as PyTorch and Keras compute it.

    With gradient g: m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2,
    w = max(w, v), update = -rate m / (1 - b1^t) / (sqrt(w / (1 - b2^t)) + eps).
    `optax.amsgrad` takes the maximum of the bias-corrected v instead, which
    after a large first gradient makes its steps about 1.6 times smaller.

    Reference: Reddi et al. 2018, On the convergence of Adam and beyond.
    """

    def init(params):
        def zeros():
            return jax.tree.map(jnp.zeros_like, params)

        return AmsgradState(jnp.zeros([], jnp.int32), zeros(), zeros(), zeros())

    def update(gradients, state, params=None):
        del params
        count = state.count + 1
        mean = jax.tree.map(
            lambda m, g: b1 * m + (1 - b1) * g, state.mean, gradients
        )
        square = jax.tree.map(
            lambda v, g: b2 * v + (1 - b2) * g * g, state.square, gradients
        )
        largest = jax.tree.map(jnp.maximum, state.largest, square)
        rate = (
            learning_rate(state.count)
            if callable(learning_rate)
            else learning_rate
        )
        t = count.astype(jnp.float32)
        # 1 - b**t, without the cancellation that float32 suffers from.
        first, second = (
            -jnp.expm1(t * math.log(b)) if b else 1.0 for b in (b1, b2)
        )
        step = rate / first
        correction = jnp.sqrt(second)
        updates = jax.tree.map(
            lambda m, w: -step * m / (jnp.sqrt(w) / correction + eps),
            mean,
            largest,
        )
        return updates, AmsgradState(count, mean, square, largest)

    return optax.GradientTransformation(init, update)


def optimizer(
    name: str, learning_rate: optax.ScalarOrSchedule
) -> optax.GradientTransformation:
    """Returns 'adam', 'amsgrad' or 'sgd' (momentum 0.9, Nesterov)."""
    check_known('optimizer', name, OPTIMIZERS)
    return OPTIMIZERS[name](learning_rate)


OPTIMIZERS = {
    'adam': optax.adam,
    'amsgrad': amsgrad,
    'sgd': lambda rate: optax.sgd(rate, momentum=0.9, nesterov=True),
}


def non_negative(*names: str) -> optax.GradientTransformation:
    """Keeps the parameters of these names from falling below 0.

    Comes after an optimiser: a parameter that its update would take below 0
    becomes 0, as by the constraint NonNeg of Keras.
    """

    def bound(path, change, parameter):
        if getattr(path[-1], 'key', None) not in names:
            return change
        return jnp.where(parameter + change < 0, -parameter, change)

    def update(updates, state, params):
        changed = jax.tree_util.tree_map_with_path(bound, updates, params)
        return changed, state

    return optax.GradientTransformation(lambda _: optax.EmptyState(), update)


def separate(
    parts: Mapping[str, optax.GradientTransformation],
) -> optax.GradientTransformationExtraArgs:
    """One optimiser for each part of the parameters, each with its gate.

    `update` takes `gates`, part -> bool. A part whose gate is shut keeps its
    parameters and its optimiser's state, as if the step had not been taken.

    Args:
      parts: name of a part of the parameters -> its optimiser.
    """

    def init(params):
        return {name: part.init(params[name]) for name, part in parts.items()}

    def update(gradients, state, params, *, gates):
        updates, states = {}, {}
        for name, part in parts.items():
            change, after = part.update(
                gradients[name], state[name], params[name]
            )
            updates[name], states[name] = jax.tree.map(
                functools.partial(jnp.where, gates[name]),
                (change, after),
                (jax.tree.map(jnp.zeros_like, change), state[name]),
            )
        return updates, states

    return optax.GradientTransformationExtraArgs(init, update)


class ClippedState(NamedTuple):
    """State of the optimiser, running mean of the norm, steps done."""

    inner: Any
    norm: jax.Array
    count: jax.Array


def clipped(
    optimizer: optax.GradientTransformation, times: float, decay: float = 0.98
) -> optax.GradientTransformation:
    """Shortens gradients whose norm is far above that of those before.

    The norm of all arrays together is held to `times` its running mean, whose
    decay grows to `decay` as (1 + step) / (10 + step). It is the mean of what
    was held, so that no single gradient raises the limit by much, and a
    lasting growth does in some tens of steps. The first gradient that is not
    0 is taken as it is.

    Args:
      optimizer: that changes the parameters.
      times: above 1.
      decay: below 1.
    """

    def init(params):
        return ClippedState(
            optimizer.init(params), jnp.zeros([]), jnp.zeros([], jnp.int32)
        )

    def update(gradients, state, params=None):
        squares = [jnp.sum(g * g) for g in jax.tree.leaves(gradients)]
        norm = jnp.sqrt(sum(squares))
        known = state.norm > 0
        held = jnp.where(known, jnp.minimum(norm, times * state.norm), norm)
        factor = jnp.where(held < norm, held / norm, 1)
        gradients = jax.tree.map(lambda g: factor * g, gradients)
        updates, inner = optimizer.update(gradients, state.inner, params)
        keep = jnp.minimum(decay, (1 + state.count) / (10 + state.count))
        mean = jnp.where(known, keep * state.norm + (1 - keep) * held, held)
        return updates, ClippedState(inner, mean, state.count + 1)

    return optax.GradientTransformation(init, update)


class AveragedState(NamedTuple):
    """State of the optimiser, moving average of the parameters, steps done."""

    inner: Any
    average: Any
    count: jax.Array


def averaged(
    optimizer: optax.GradientTransformation, decay: float
) -> optax.GradientTransformation:
    """Keeps a moving average of the parameters in the optimiser's state.

    The decay grows to `decay` as (1 + step) / (10 + step), so that the first
    parameters are soon forgotten.

    Args:
      optimizer: that changes the parameters.
      decay: below 1.
    """

    def init(params):
        return AveragedState(
            optimizer.init(params),
            jax.tree.map(jnp.copy, params),
            jnp.zeros([], jnp.int32),
        )

    def update(gradients, state, params):
        updates, inner = optimizer.update(gradients, state.inner, params)
        keep = jnp.minimum(decay, (1 + state.count) / (10 + state.count))
        average = jax.tree.map(
            lambda a, p, u: keep * a + (1 - keep) * (p + u),
            state.average,
            params,
            updates,
        )
        return updates, AveragedState(inner, average, state.count + 1)

    return optax.GradientTransformation(init, update)


def stepwise(
    base: float, drops: Sequence[tuple[int, float]], steps_per_epoch: int
) -> optax.Schedule:
    """Multiplies the rate by a factor from the given epochs on.

    Args:
      base: rate of the first epoch.
      drops: (epoch counted from 0, factor).
      steps_per_epoch: steps of one epoch.
    """
    return optax.piecewise_constant_schedule(
        base, {epoch * steps_per_epoch: factor for epoch, factor in drops}
    )

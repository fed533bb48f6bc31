"""What a training run carries from step to step, and in which precision.

Mixed precision: networks compute in `compute_dtype`, all else is float32:
parameters, the statistics of norms, losses, gradients, the optimiser's state.
A step casts what goes into a network and what comes out; Flax and XLA take the
statistics of a norm and the sums of products in float32 anyway.
"""

import os
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
import optax

COMPUTE_TYPES = ('float32', 'bfloat16')


@flax.struct.dataclass
class TrainState:
    """Everything that a resumed run needs; an immutable pytree.

    Attributes:
      step: steps done; the place in the data follows from it.
      key: the run's random key; steps fold their number into it.
      params, batch_stats: of the network that is trained.
      opt_state: of the optimiser.
      totals: sums of the metrics since the epoch began.
      best: params and batch_stats with the best validation score so far; {}
        where nobody asks for them, as they are a third of what Adam leaves.
      best_score: that score; higher is better.
    """

    step: jax.Array
    key: jax.Array
    params: Any
    batch_stats: Any
    opt_state: Any
    totals: dict[str, jax.Array]
    best: Any
    best_score: jax.Array


def initialise(module: nn.Module, key: jax.Array, *inputs: Any) -> Any:
    """Returns a Flax module's first variables.

    It runs once, so it is compiled with less optimisation: a third of the
    time to compile, the same numbers. What XLA_FLAGS say goes before.
    """
    if isinstance(key, jax.core.Tracer):  # Where shapes alone are asked for.
        return module.init(key, *inputs)
    level = 'xla_backend_optimization_level'
    said = level in os.environ.get('XLA_FLAGS', '')
    options = None if said else {level: 1}
    return jax.jit(module.init, compiler_options=options)(key, *inputs)


def create(
    variables: Any,
    optimizer: optax.GradientTransformation,
    key: jax.Array,
    metrics: Sequence[str],
    keep_best: bool = False,
) -> TrainState:
    """Returns the state before the first step.

    Args:
      variables: a Flax module's, with 'params' and perhaps 'batch_stats'.
      optimizer: its state is initialised here.
      key: a typed key.
      metrics: names of the scalars that the step returns.
      keep_best: whether the variables of the best validation score are kept.
    """

    @jax.jit  # One program, and not one for each shape of an array.
    def begun(variables, key):
        now = {
            'params': variables['params'],
            'batch_stats': variables.get('batch_stats', {}),
        }
        return TrainState(
            step=jnp.zeros([], jnp.int32),
            key=key,
            **now,
            opt_state=optimizer.init(now['params']),
            totals={name: jnp.zeros([]) for name in metrics},
            best=jax.tree.map(jnp.copy, now) if keep_best else {},
            best_score=jnp.full([], -jnp.inf, jnp.float32),
        )

    return begun(variables, key)


@jax.jit
def copied(tree: Any) -> Any:
    """Returns arrays of their own, compiled once for all of them."""
    return jax.tree.map(jnp.copy, tree)


def advance(
    state: TrainState,
    optimizer: optax.GradientTransformation,
    gradients: Any,
    batch_stats: Any,
    metrics: dict[str, jax.Array],
    **extra: Any,
) -> TrainState:
    """Applies gradients and adds the metrics to the epoch's totals.

    `extra` is for the optimiser, such as the gates of `optimizers.separate`.
    """
    updates, opt_state = optimizer.update(
        gradients, state.opt_state, state.params, **extra
    )
    return state.replace(
        step=state.step + 1,
        params=optax.apply_updates(state.params, updates),
        batch_stats=batch_stats,
        opt_state=opt_state,
        totals={k: state.totals[k] + metrics[k] for k in state.totals},
    )


def cast(tree: Any, dtype: str) -> Any:
    """Returns the tree with its floating-point arrays in another type.

    Gradients come back in the type of what was given.

    Args:
      tree: of arrays.
      dtype: one of COMPUTE_TYPES.
    """

    def one(x):
        if jnp.issubdtype(x.dtype, jnp.floating):
            return x.astype(dtype)
        return x

    return jax.tree.map(one, tree)

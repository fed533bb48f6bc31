"""Mixed precision: networks compute in one type, all else is float32.

Parameters, statistics of norms, losses, gradients and the optimiser's state
are float32. A step casts what goes into a network and what comes out; Flax and
XLA take the statistics of a norm and the sums of products in float32 anyway.
"""

from typing import Any

import jax
import jax.numpy as jnp

TYPES = ('float32', 'bfloat16')


def cast(tree: Any, dtype: str) -> Any:
    """Returns the tree with its floating-point arrays in another type.

    Gradients come back in the type of what was given.

    Args:
      tree: of arrays.
      dtype: one of TYPES.
    """

    def one(x):
        if jnp.issubdtype(x.dtype, jnp.floating):
            return x.astype(dtype)
        return x

    return jax.tree.map(one, tree)

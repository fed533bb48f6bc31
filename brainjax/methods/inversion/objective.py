"""What is searched in inversion, and within which bounds.

`x` [n, ...] is pixels or codes of many pictures at once, and an objective takes
it to one loss a picture, [n]. All state is per picture, so that a picture's
search does not depend on its neighbours'.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

Objective = Callable[[jax.Array], jax.Array]


class Box(NamedTuple):
    """Bounds that broadcast against x; None for none."""

    low: jax.Array | None = None
    high: jax.Array | None = None

    def clip(self, x: jax.Array) -> jax.Array:
        """Brings what lies outside to the nearest bound."""
        return jnp.clip(x, self.low, self.high)


def value_and_gradient(
    objective: Objective, x: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Returns the losses [n] and each one's gradient by its own x."""

    def both(x):
        loss = objective(x)
        return jnp.sum(loss), loss

    (_, loss), gradient = jax.value_and_grad(both, has_aux=True)(x)
    return loss, gradient

"""The ridge on an accelerator, in JAX; see `ridge`."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from brainjax.linear.ridge.equations import Prepared


def solver(prepared: Prepared, device: Any) -> Callable[[np.ndarray], Any]:
    """Returns solve(values [stimuli, units]) -> weights [units, voxels].

    The weights stay on the device. They are NaN for a unit that cannot be
    solved in the type that the equations are in.
    """
    with _precision(prepared):
        rows, sums, selection = jax.device_put(
            (prepared.rows, prepared.sums, prepared.selection), device
        )
        gram = _gram(rows, prepared.alpha)

    def solve(values: np.ndarray) -> jax.Array:
        with _precision(prepared):
            values = jax.device_put(values, device)
            return _solve(gram, sums, selection, values, prepared.k)

    return solve


def predictor(
    prepared: Prepared, fmri: np.ndarray, device: Any
) -> Callable[[np.ndarray], Any]:
    """Returns predict(values [stimuli, units]) -> [trials, units].

    The computation goes on after it has returned.

    Args:
      prepared: from `prepare`.
      fmri: [trials, voxels], normalised.
      device: to work on.
    """
    solve = solver(prepared, device)
    # bias = s mean(y) + (1 - s) weights @ origin, with s the shrinkage.
    shift = (1 - prepared.shrinkage) * prepared.origin
    weight = (prepared.shrinkage * prepared.weight).astype(fmri.dtype)
    with _precision(prepared):
        shifted = jax.device_put((fmri + shift).astype(fmri.dtype), device)

    def predict(values: np.ndarray) -> jax.Array:
        weights = solve(values)
        with _precision(prepared):
            return shifted @ weights.T + weight @ values

    return predict


@jax.jit
def _gram(rows: jax.Array, alpha: float) -> jax.Array:
    return rows.T @ rows + alpha * jnp.eye(rows.shape[1], dtype=rows.dtype)


@partial(jax.jit, static_argnames='k')
def _solve(gram, sums, selection, values, k: int) -> jax.Array:
    right = values.T @ sums.T
    _, voxels = jax.lax.top_k(jnp.abs(values.T @ selection.T), k)
    matrices = gram[voxels[:, :, None], voxels[:, None, :]]
    factors = jnp.linalg.cholesky(matrices, symmetrize_input=False)
    solution = jax.scipy.linalg.cho_solve(
        (factors, True),
        jnp.take_along_axis(right, voxels, axis=1)[..., None],
    )[..., 0]
    units = jnp.arange(len(right))[:, None]
    return jnp.zeros_like(right).at[units, voxels].set(solution)


@contextlib.contextmanager
def _precision(prepared: Prepared) -> Iterator[None]:
    """Full precision of the type that the equations are in; never TF32."""
    double = prepared.rows.dtype == np.float64
    with jax.enable_x64(double), jax.default_matmul_precision('highest'):
        yield

"""The ridge on an accelerator, in JAX; see `ridge`."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from brainjax.linear.ridge.equations import (
    Prepared,
    dual_targets,
    is_dual,
)

# Numbers of X_J that units solved together may take: half a gigabyte.
NUMBERS_AT_A_TIME = 2**26


def predictor(
    prepared: Prepared, fmri: np.ndarray, device: Any
) -> Callable[[np.ndarray], Any]:
    """Returns predict(values [stimuli, units]) -> [trials, units].

    The computation goes on after it has returned. Predictions are NaN for a
    unit that cannot be solved in the type that the equations are in.

    Args:
      prepared: from `prepare`, with fewer than all voxels for each unit.
      fmri: [trials, voxels], normalised.
      device: to work on.
    """
    solve = _dual_solver if is_dual(prepared) else _primal_solver
    solve = solve(prepared, device)
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


def _primal_solver(
    prepared: Prepared, device: Any
) -> Callable[[np.ndarray], jax.Array]:
    """Returns solve(values [stimuli, units]) -> weights [units, voxels]."""
    with _precision(prepared):
        rows, sums, selection = jax.device_put(
            (prepared.rows, prepared.sums, prepared.selection), device
        )
        gram = _gram(rows, prepared.alpha)

    def solve(values: np.ndarray) -> jax.Array:
        with _precision(prepared):
            values = jax.device_put(values, device)
            return _solve_primal(gram, sums, selection, values, prepared.k)

    return solve


def _dual_solver(
    prepared: Prepared, device: Any
) -> Callable[[np.ndarray], jax.Array]:
    """As `_primal_solver`, by systems of rows instead of voxels."""
    with _precision(prepared):
        columns, selection = jax.device_put(
            (np.ascontiguousarray(prepared.rows.T), prepared.selection), device
        )

    def solve(values: np.ndarray) -> jax.Array:
        targets = dual_targets(prepared, values)
        with _precision(prepared):
            values, targets = jax.device_put((values, targets), device)
            return _solve_dual(
                columns, selection, values, targets, prepared.alpha, prepared.k
            )

    return solve


@jax.jit
def _gram(rows: jax.Array, alpha: float) -> jax.Array:
    return rows.T @ rows + alpha * jnp.eye(rows.shape[1], dtype=rows.dtype)


@partial(jax.jit, static_argnames='k')
def _solve_primal(gram, sums, selection, values, k: int) -> jax.Array:
    right = values.T @ sums.T
    voxels = _select(values, selection, k)
    chosen = jax.lax.platform_dependent(
        gram, voxels, tpu=_submatrices_by_rows, default=_submatrices
    )
    solution = _cholesky_solve(
        chosen, jnp.take_along_axis(right, voxels, axis=1)
    )
    return _scatter(solution, voxels, right)


def _submatrices(gram, voxels) -> jax.Array:
    """Rows and columns of a symmetric matrix, [units, k, k]."""
    return gram[voxels[:, :, None], voxels[:, None, :]]


def _submatrices_by_rows(gram, voxels) -> jax.Array:
    """The same for a TPU, which fetches a tile of 4 KB for each number.

    By whole rows it fetches a seventh (benchmarks/tpu_compile.py).
    """

    def one(voxels):
        return gram[voxels].T[voxels]

    together = max(1, NUMBERS_AT_A_TIME // (voxels.shape[1] * len(gram)))
    return jax.lax.map(one, voxels, batch_size=together)


@partial(jax.jit, static_argnames='k')
def _solve_dual(columns, selection, values, targets, alpha, k) -> jax.Array:
    voxels = _select(values, selection, k)
    eye = jnp.eye(len(targets), dtype=targets.dtype)

    def one(unit):
        chosen, target = unit
        x = columns[chosen]
        return x @ _cholesky_solve(x.T @ x + alpha * eye, target)

    solution = jax.lax.map(
        one,
        (voxels, targets.T),
        batch_size=max(1, NUMBERS_AT_A_TIME // (k * len(targets))),
    )
    return _scatter(solution, voxels, values.T @ selection.T)


def _select(values, selection, k: int) -> jax.Array:
    """Returns the k voxels of each unit, [units, k]."""
    return jax.lax.top_k(jnp.abs(values.T @ selection.T), k)[1]


def _cholesky_solve(matrix, right) -> jax.Array:
    factor = jnp.linalg.cholesky(matrix, symmetrize_input=False)
    return jax.scipy.linalg.cho_solve((factor, True), right[..., None])[..., 0]


def _scatter(solution, voxels, like) -> jax.Array:
    """Returns weights [units, voxels] of the type and shape of `like`."""
    units = jnp.arange(len(like))[:, None]
    return jnp.zeros_like(like).at[units, voxels].set(solution)


@contextlib.contextmanager
def _precision(prepared: Prepared) -> Iterator[None]:
    """Full precision of the type that the equations are in; never TF32."""
    double = prepared.rows.dtype == np.float64
    with jax.enable_x64(double), jax.default_matmul_precision('highest'):
        yield

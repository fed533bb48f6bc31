"""The ridge on a CPU: LAPACK and one thread a core; see `ridge`.

A thread solves whole units. Cutting one decomposition of 500 x 500 up between
threads costs more than it gains.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import scipy.linalg
from threadpoolctl import threadpool_limits

from brainjax.linear.lapack import solve_positive
from brainjax.linear.ridge.equations import Prepared, not_solvable

# Rows of the Gram matrix gathered at a time, so that they stay in the cache.
GATHERED_AT_A_TIME = 50


def solver(
    prepared: Prepared, threads: int | None = None
) -> Callable[[np.ndarray], np.ndarray]:
    """Returns solve(values [stimuli, units]) -> weights [units, voxels]."""
    threads = threads or _cores()
    if prepared.k == len(prepared.mean):
        factor = _factor(prepared, threads)
        return partial(_solve_all, prepared, factor, threads)
    solve_unit = _unit_solver(prepared, threads)
    return partial(_solve_selected, prepared, solve_unit, threads)


def projection(
    prepared: Prepared, fmri: np.ndarray, threads: int | None = None
) -> np.ndarray:
    """Returns M [trials, stimuli] such that M @ values is fmri @ weights.

    For all voxels: weights are (X^T X + alpha)^-1 X^T E values, the same
    matrix for every unit. For few trials to decode M is small and quick.

    Args:
      prepared: from `prepare`, with all voxels for every unit.
      fmri: [trials, voxels], normalised.
      threads: as `ridge.fitter`.
    """
    threads = threads or _cores()
    factor = _factor(prepared, threads)
    with threadpool_limits(threads):
        if _few_rows(prepared):
            half = _apply(factor, prepared.rows @ fmri.T)
            half[: prepared.trials] -= half[: prepared.trials].mean(axis=0)
            return (prepared.spread.T @ half).T
        return _apply(factor, fmri.T).T @ prepared.sums


def _solve_all(
    prepared: Prepared, factor: np.ndarray, threads: int, values: np.ndarray
) -> np.ndarray:
    with threadpool_limits(threads):
        if _few_rows(prepared):
            dual = _apply(factor, _targets(prepared, values))
            return dual.T @ prepared.rows
        return _apply(factor, prepared.sums @ values).T


def _few_rows(prepared: Prepared) -> bool:
    """Whether equations of rows are smaller than those of voxels."""
    rows, voxels = prepared.rows.shape
    return rows < voxels


def _factor(prepared: Prepared, threads: int) -> np.ndarray:
    """Cholesky factor of X X^T + alpha or X^T X + alpha, the smaller one."""
    x = prepared.rows if _few_rows(prepared) else prepared.rows.T
    with threadpool_limits(threads):
        matrix = x @ x.T
        matrix.flat[:: len(matrix) + 1] += prepared.alpha
        try:
            # Symmetric: its transpose is the same, in the order of LAPACK.
            return scipy.linalg.cholesky(
                matrix.T, lower=True, overwrite_a=True, check_finite=False
            )
        except np.linalg.LinAlgError as error:
            raise not_solvable(prepared) from error


def _apply(factor: np.ndarray, right: np.ndarray) -> np.ndarray:
    return scipy.linalg.cho_solve((factor, True), right, check_finite=False)


def _solve_selected(
    prepared: Prepared,
    solve_unit: Callable[..., bool],
    threads: int,
    values: np.ndarray,
) -> np.ndarray:
    """Solves each unit with its own voxels."""
    with threadpool_limits(threads):
        right = values.T @ prepared.sums.T
        ranked = right
        if prepared.selection is not prepared.sums:
            ranked = values.T @ prepared.selection.T
    weights = np.zeros_like(right)
    k = prepared.k

    def work(units: range) -> bool:
        room = np.empty((k, k), right.dtype)
        return all(
            solve_unit(
                np.sort(np.argpartition(np.abs(ranked[u]), -k)[-k:]),
                values[:, u],
                right[u],
                weights[u],
                room,
            )
            for u in units
        )

    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
        parts = [range(i, len(right), threads) for i in range(threads)]
        if not all(pool.map(work, parts)):
            raise not_solvable(prepared)
    return weights


def _unit_solver(prepared: Prepared, threads: int) -> Callable[..., bool]:
    """Returns solve_unit(voxels, values, right, weights, room) -> solvable.

    It solves one unit with its voxels [k], ascending, from its values
    [stimuli] and its right-hand side [voxels], and writes weights [voxels].
    """
    rows = len(prepared.rows)
    if 2 * rows < prepared.k:
        return partial(
            _solve_by_rows,
            np.ascontiguousarray(prepared.rows.T),
            prepared,
        )
    with threadpool_limits(threads):
        gram = prepared.rows.T @ prepared.rows
    gram.flat[:: len(gram) + 1] += prepared.alpha
    return partial(_solve_by_voxels, gram)


def _solve_by_voxels(gram, voxels, values, right, weights, room) -> bool:
    """Solves G[J, J] w = R[J]; of G[J, J] only the upper triangle is made."""
    del values
    for start in range(0, len(voxels), GATHERED_AT_A_TIME):
        stop = min(start + GATHERED_AT_A_TIME, len(voxels))
        first = voxels[start]
        part = gram[voxels[start:stop], first:]
        room[start:stop, start:] = part.take(voxels[start:] - first, axis=1)
    solution = right[voxels]
    solved = solve_positive(room, solution)
    weights[voxels] = solution
    return solved


def _solve_by_rows(
    voxel_rows, prepared, voxels, values, right, weights, room
) -> bool:
    """Solves (X_J X_J^T + alpha) v = E y for w = X_J^T v."""
    del right, room
    chosen = voxel_rows[voxels]
    kernel = chosen.T @ chosen
    kernel.flat[:: len(kernel) + 1] += prepared.alpha
    solution = _targets(prepared, values)
    solved = solve_positive(kernel, solution)
    weights[voxels] = chosen @ solution
    return solved


def _targets(prepared: Prepared, values: np.ndarray) -> np.ndarray:
    """Returns values [stimuli, ...] for each row, centred over the trials.

    Centring changes nothing but rounding, as the voxels are centred.
    """
    targets = prepared.spread @ values
    targets[: prepared.trials] -= targets[: prepared.trials].mean(axis=0)
    return targets


def _cores() -> int:
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

"""The ridge on a CPU: LAPACK and one thread a core; see `ridge`.

A thread solves whole units. Cutting one decomposition of 500 x 500 up between
threads costs more than it gains. SciPy's own wrappers of LAPACK keep Python's
lock while they work, so that threads wait for each other; the same routines,
called through the pointers that `scipy.linalg.cython_lapack` offers to other
languages, do not.
"""

import ctypes
import functools
from collections.abc import Callable
from functools import partial

import numpy as np
import scipy.linalg
from scipy.linalg import cython_lapack
from threadpoolctl import threadpool_limits

from brainjax.linear.ridge.equations import (
    Prepared,
    dual_targets,
    is_dual,
    not_solvable,
)
from brainjax.linear.threads import available, spread

# Rows of the Gram matrix gathered at a time, so that they stay in the cache.
GATHERED_AT_A_TIME = 50
ROUTINES = {np.dtype(np.float32): 'sposv', np.dtype(np.float64): 'dposv'}


def solver(
    prepared: Prepared, threads: int | None = None
) -> Callable[[np.ndarray], np.ndarray]:
    """Returns solve(values [stimuli, units]) -> weights [units, voxels]."""
    threads = threads or available()
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
    threads = threads or available()
    factor = _factor(prepared, threads)
    with threadpool_limits(threads):
        if is_dual(prepared):
            half = _apply(factor, prepared.rows @ fmri.T)
            half[: prepared.trials] -= half[: prepared.trials].mean(axis=0)
            return (prepared.shown.T @ half).T
        return _apply(factor, fmri.T).T @ prepared.sums


def _solve_all(
    prepared: Prepared, factor: np.ndarray, threads: int, values: np.ndarray
) -> np.ndarray:
    with threadpool_limits(threads):
        if is_dual(prepared):
            dual = _apply(factor, dual_targets(prepared, values))
            return dual.T @ prepared.rows
        return _apply(factor, prepared.sums @ values).T


def _factor(prepared: Prepared, threads: int) -> np.ndarray:
    """Cholesky factor of X X^T + alpha or X^T X + alpha, the smaller one."""
    x = prepared.rows if is_dual(prepared) else prepared.rows.T
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

    parts = [range(i, len(right), threads) for i in range(threads)]
    if not all(spread(work, parts, threads)):
        raise not_solvable(prepared)
    return weights


def _unit_solver(prepared: Prepared, threads: int) -> Callable[..., bool]:
    """Returns solve_unit(voxels, values, right, weights, room) -> solvable.

    It solves one unit with its voxels [k], ascending, from its values
    [stimuli] and its right-hand side [voxels], and writes weights [voxels].
    """
    if is_dual(prepared):
        columns = np.ascontiguousarray(prepared.rows.T)
        return partial(_solve_by_rows, columns, prepared)
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
    columns, prepared, voxels, values, right, weights, room
) -> bool:
    """Solves (X_J X_J^T + alpha) v = E y for w = X_J^T v."""
    del right, room
    chosen = columns[voxels]
    kernel = chosen.T @ chosen
    kernel.flat[:: len(kernel) + 1] += prepared.alpha
    solution = dual_targets(prepared, values)
    solved = solve_positive(kernel, solution)
    weights[voxels] = chosen @ solution
    return solved


def solve_positive(matrix: np.ndarray, right: np.ndarray) -> bool:
    """Solves matrix @ x = right in place, by Cholesky's decomposition.

    Args:
      matrix: [n, n] symmetric, C-contiguous, float32 or float64; only the
        upper triangle is read, and it is overwritten.
      right: [n] of the same type, contiguous; becomes x.

    Returns:
      False if the matrix is not positive definite; `right` is then useless.
    """
    n, one, status = (ctypes.c_int(value) for value in (len(matrix), 1, 0))
    # An upper triangle by rows is a lower triangle by columns, which OpenBLAS
    # decomposes a fifth faster than the other.
    triangle = ctypes.c_char(b'L')
    _routine(matrix.dtype)(
        ctypes.byref(triangle),
        ctypes.byref(n),
        ctypes.byref(one),
        matrix.ctypes.data,
        ctypes.byref(n),
        right.ctypes.data,
        ctypes.byref(n),
        ctypes.byref(status),
    )
    return status.value == 0


@functools.cache
def _routine(dtype: np.dtype) -> Callable[..., None]:
    """Returns LAPACK's routine for a type; it does not hold Python's lock."""
    capsule = cython_lapack.__pyx_capi__[ROUTINES[dtype]]
    name = ctypes.pythonapi.PyCapsule_GetName
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype = ctypes.c_void_p
    pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    signature = ctypes.CFUNCTYPE(None, *8 * [ctypes.c_void_p])
    return signature(pointer(capsule, name(capsule)))

"""Small positive definite systems, solved by several threads at once.

SciPy's own wrappers of LAPACK keep Python's lock while they work, so that
threads wait for each other. The same routines, called through the pointers
that `scipy.linalg.cython_lapack` offers to other languages, do not.
"""

import ctypes
import functools
from collections.abc import Callable

import numpy as np
from scipy.linalg import cython_lapack

ROUTINES = {np.dtype(np.float32): 'sposv', np.dtype(np.float64): 'dposv'}


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

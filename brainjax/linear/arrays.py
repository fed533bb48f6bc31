"""Arrays that a regression takes: checked, and multiplied block by block."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse

from brainjax.errors import InputError

ROWS_AT_A_TIME = 4096


def as_numbers(values: Any, what: str) -> np.ndarray:
    """Returns values as an array of integers or floats.

    Truth values become 0 and 1; they have no difference in NumPy, and nothing
    here could be centred. Objects are converted if each is a number.

    Args:
      values: of any shape.
      what: they are, for the message.
    """
    if scipy.sparse.issparse(values):
        raise InputError(
            f'{what} are sparse, and sparse input is not supported; give '
            '.toarray() of it.'
        )
    try:
        values = np.asarray(values)
        if values.dtype.kind in 'bO':
            values = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f'{what} cannot be read as an array of numbers ({error}); give '
            'rows of one length, without text.'
        ) from error
    if values.dtype.kind not in 'iuf':
        raise InputError(
            f'{what} are of type {values.dtype}; give real numbers.'
            + ' Complex data not supported.' * (values.dtype.kind == 'c')
        )
    return values


def check_finite(values: np.ndarray, what: str, row: str, column: str) -> None:
    """Refuses NaN and infinity in [rows, columns], and names the first."""
    finite = np.isfinite(values)
    if not finite.all():
        i, j = np.argwhere(~finite)[0]
        raise InputError(
            f'{what}: {column} {j} is {_called(values[i, j])} in {row} {i} '
            f'(in all, {int((~finite).any(axis=0).sum())} of the {column}s '
            'hold such values); leave them, or the rows, out.'
        )


def _called(value: float) -> str:
    """NaN by its usual name, which scikit-learn's checks look for."""
    return 'NaN' if np.isnan(value) else str(value)


def blocks(n: int, size: int) -> Iterator[slice]:
    """Yields slices of at most `size` that cover 0 to n."""
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def evenly(n: int, most: int) -> np.ndarray:
    """Returns indices below n, all of them or `most` evenly spread ones."""
    if n <= most:
        return np.arange(n)
    return np.linspace(0, n - 1, most).astype(int)


def gram(a: np.ndarray) -> np.ndarray:
    """Returns a' a [columns, columns], in float64 throughout."""
    total = np.zeros((a.shape[1], a.shape[1]))
    for part in blocks(len(a), ROWS_AT_A_TIME):
        rows = np.float64(a[part])
        total += rows.T @ rows
    return total


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns a' b, float32 within blocks of rows and float64 over them."""
    total = np.zeros((a.shape[1], b.shape[1]))
    for part in blocks(len(a), ROWS_AT_A_TIME):
        total += a[part].T @ b[part]
    return total

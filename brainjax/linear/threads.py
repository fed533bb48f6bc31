"""Many small problems of linear algebra at once, a thread each."""

import functools
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import scipy.linalg  # noqa: F401  Brings a BLAS of its own, to be found below.
from threadpoolctl import ThreadpoolController

Part = TypeVar('Part')
Result = TypeVar('Result')


def spread(
    work: Callable[[Part], Result],
    parts: Iterable[Part],
    threads: int | None = None,
) -> list[Result]:
    """Does work on each part, several at once.

    Several threads on one small matrix wait for each other longer than they
    work, so each problem has one. Within `work` another `spread` has one, too.

    Args:
      work: on one part; what it changes belongs to that part alone.
      parts: what it is called with.
      threads: how many at once; as many cores as NumPy may use by default.

    Returns:
      What it returns, in the order of the parts.
    """
    pool = ThreadPoolExecutor(threads or available())
    # Of BLAS alone: OpenMP's limit is each thread's own.
    with _blas().limit(limits=1), pool:
        return list(pool.map(work, parts))


def available() -> int:
    """How many threads NumPy may use, as OMP_NUM_THREADS says or the cores."""
    return max((each['num_threads'] for each in _blas().info()), default=1)


@functools.cache
def _blas():
    """Linear algebra's libraries; to look for them takes a millisecond."""
    return ThreadpoolController().select(user_api='blas')

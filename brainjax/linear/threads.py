"""Many small problems of linear algebra at once, a thread each."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import threadpool_info, threadpool_limits

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
    pool = ThreadPoolExecutor(threads or _threads())
    # Of BLAS alone: OpenMP's limit is each thread's own.
    with threadpool_limits(1, 'blas'), pool:
        return list(pool.map(work, parts))


def _threads():
    libraries = threadpool_info()
    return max(
        (x['num_threads'] for x in libraries if x['user_api'] == 'blas'),
        default=1,
    )

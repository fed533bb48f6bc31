"""Which examples a step sees, made in time; a function over many batches."""

import collections
import concurrent.futures
import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

BATCH = 64  # Examples at a time outside of training.


@functools.lru_cache(maxsize=16)
def _permutation(seed: int, stream: int, round_: int, n: int) -> np.ndarray:
    return np.random.default_rng([seed, stream, round_]).permutation(n)


def indices(
    seed: int, stream: int, n: int, step: int, batch: int
) -> np.ndarray:
    """Returns which of n examples batch number `step` holds: [batch] int.

    Examples are shuffled anew each epoch over them, each once an epoch; a
    pure function of its arguments, so that a resumed run sees what it would
    have seen.

    Args:
      seed: of the run.
      stream: tells apart the data of one run (paired, unpaired ...).
      n: number of examples.
      step: counted from 0.
      batch: examples in a batch.
    """
    place = np.arange(step * batch, (step + 1) * batch)
    return np.array(
        [_permutation(seed, stream, int(i // n), n)[i % n] for i in place]
    )


def prefetch(
    batch_at: Callable[[int], Any], start: int, stop: int, depth: int = 2
) -> Iterator[Any]:
    """Yields batch_at(start) ... batch_at(stop - 1), made ahead in threads.

    Args:
      batch_at: a pure function of the step.
      start: the first step.
      stop: the step after the last.
      depth: how many are made at a time: while one waits for the disk,
        another is computed.
    """
    pool = concurrent.futures.ThreadPoolExecutor(depth)
    steps = iter(range(start, stop))
    made = collections.deque()
    try:
        for step in itertools.islice(steps, depth):
            made.append(pool.submit(batch_at, step))
        while made:
            batch = made.popleft().result()
            made.extend(
                pool.submit(batch_at, step)
                for step in itertools.islice(steps, 1)
            )
            yield batch
    finally:
        pool.shutdown(cancel_futures=True)


def map_batches(
    function: Callable,
    array: np.ndarray,
    batch: int = BATCH,
    fill: bool = True,
) -> Any:
    """Applies a compiled function to a batch of rows at a time.

    Args:
      function: [batch, ...] -> arrays [batch, ...], in any pytree.
      array: [n, ...]; n may be 0.
      batch: rows at a time, which bounds the memory.
      fill: whether a rest is filled up to a batch, so that it is not compiled
        anew. A batch of another size may be rounded otherwise.

    Returns:
      The pytree of the function, of NumPy arrays [n, ...].
    """
    if not len(array):
        one = jax.ShapeDtypeStruct((1, *array.shape[1:]), array.dtype)
        return jax.tree.map(
            lambda x: np.zeros((0, *x.shape[1:]), x.dtype),
            jax.eval_shape(function, one),
        )
    made = None
    for start in range(0, len(array), batch):
        part = array[start : start + batch]
        missing = batch - len(part) if fill and len(array) > batch else 0
        padded = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)])
        result = jax.device_get(function(padded))
        if made is None:  # Filled as they come: joined, they would be twice.
            made = jax.tree.map(
                lambda x: np.empty((len(array), *x.shape[1:]), x.dtype), result
            )
        for whole, x in zip(jax.tree.leaves(made), jax.tree.leaves(result)):
            whole[start : start + len(part)] = x[: len(part)]
    return made

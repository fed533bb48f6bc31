"""Many examples through a network, a few at a time."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

CHUNK = 64  # Examples at a time outside of training.


def in_chunks(function: Callable, array: np.ndarray) -> Any:
    """Applies a compiled function to CHUNK rows at a time."""
    if not len(array):
        one = jax.ShapeDtypeStruct((1, *array.shape[1:]), array.dtype)
        return jax.tree.map(
            lambda x: np.zeros((0, *x.shape[1:]), x.dtype),
            jax.eval_shape(function, one),
        )
    results = []
    for start in range(0, len(array), CHUNK):
        part = array[start : start + CHUNK]
        missing = CHUNK - len(part) if len(array) > CHUNK else 0
        padded = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)])
        result = jax.device_get(function(padded))
        n = len(part)
        results.append(jax.tree.map(lambda x, n=n: x[:n], result))
    return jax.tree.map(lambda *x: np.concatenate(x), *results)

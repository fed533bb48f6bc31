"""The only module that knows of devices.

A step is written for one device and gets the device axis's name; the result
must not depend on how many devices share a batch beyond rounding.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from brainjax.errors import InputError

AXIS = 'devices'


def _sharding(*axes: str) -> NamedSharding:
    return NamedSharding(
        Mesh(np.array(jax.local_devices()), (AXIS,)), PartitionSpec(*axes)
    )


def replicate(tree: Any) -> Any:
    """Puts a copy of every array on every device, once."""
    return jax.device_put(tree, _sharding())


def shard(batch: Any) -> Any:
    """Spreads arrays [batch, ...] to [devices, batch / devices, ...].

    Raises:
      InputError: a batch does not divide by the number of devices.
    """
    devices = jax.local_device_count()

    def split(x):
        check_batch(len(x))
        return x.reshape(devices, len(x) // devices, *x.shape[1:])

    return jax.device_put(jax.tree.map(split, batch), _sharding(AXIS))


def check_batch(size: int) -> None:
    """Raises InputError if a batch does not divide among the devices."""
    devices = jax.local_device_count()
    if size < 1 or size % devices:
        raise InputError(
            f'A batch of {size} does not divide among {devices} devices; '
            'choose batch sizes that are multiples of it.'
        )


def parallel(step: Callable) -> Callable:
    """Compiles step(state, frozen, batch) -> (state, metrics) for all devices.

    `state` and `frozen` are replicated (see `replicate`), the state's buffers
    are donated, and the batch comes from `shard`.
    """
    return jax.pmap(
        step,
        axis_name=AXIS,
        in_axes=(None, None, 0),
        out_axes=(None, None),
        donate_argnums=0,
    )


def mean(tree: Any) -> Any:
    """Averages over devices, inside a step."""
    return jax.lax.pmean(tree, AXIS)


def example_keys(key: jax.Array, examples: int) -> jax.Array:
    """One key for each example of this device's part of a batch.

    Keys follow the example's place in the whole batch, so that draws do not
    depend on the number of devices.
    """
    place = jax.lax.axis_index(AXIS) * examples + jnp.arange(examples)
    return jax.vmap(jax.random.fold_in, (None, 0))(key, place)

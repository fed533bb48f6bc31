"""The only module that knows of devices.

A step is written for one device and gets the device axis's name; the result
must not depend on how many devices share a batch beyond rounding.
"""

import contextlib
import functools
import os
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from brainjax.errors import InputError
from brainjax.training import hosts

AXIS = 'devices'

# Read when JAX first looks for devices; older ones end at a flag that they do
# not know. What a user sets stays.
_ON_PROCESSORS = {
    # In the order of least memory, not in the one that starts most at once: a
    # published decoder step holds a third less, and is as fast.
    'xla_cpu_scheduler_type': 'CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED',
}
if jax.__version_info__ >= (0, 12):
    # XLA hands parts of a step to YNNPACK there, which fails on the encoder's
    # ('unsupported parameter').
    _ON_PROCESSORS['xla_cpu_experimental_ynn_fusion_type'] = ''
_FLAGS = os.environ.get('XLA_FLAGS', '')
os.environ['XLA_FLAGS'] = ' '.join(
    [
        _FLAGS,
        *(f'--{k}={v}' for k, v in _ON_PROCESSORS.items() if k not in _FLAGS),
    ]
).strip()


def check_platform() -> None:
    """Refuses a platform of JAX_PLATFORMS that is not there."""
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:  # As JAX raises it.
        reason = str(error).partition(' (set JAX_PLATFORMS')[0]
        raise InputError(
            f'JAX cannot compute on JAX_PLATFORMS={jax.config.jax_platforms} '
            f'({reason or "it is not installed"}); unset that variable, or '
            'install JAX for it.'
        ) from error


def _devices() -> list[jax.Device]:
    """Every host's devices, each host's side by side."""
    return sorted(jax.devices(), key=lambda d: (d.process_index, d.id))


def _sharding(*axes: str) -> NamedSharding:
    ours = [d for d in _devices() if d.process_index == hosts.index()]
    return NamedSharding(Mesh(np.array(ours), (AXIS,)), PartitionSpec(*axes))


def replicate(tree: Any) -> Any:
    """Puts a copy of every array on every device of this host, once."""
    return jax.device_put(tree, _sharding())


def local_rows(rows: np.ndarray) -> np.ndarray:
    """Returns this host's rows of a batch: an equal share, in order."""
    check_batch(len(rows))
    share = len(rows) // hosts.count()
    return rows[hosts.index() * share :][:share]


def shard(batch: Any) -> Any:
    """Spreads arrays [batch, ...] to [devices, batch / devices, ...].

    Batch and devices are this host's part (see `local_rows`).
    """
    devices = jax.local_device_count()

    def split(x):
        check_batch(len(x) * hosts.count())
        return x.reshape(devices, len(x) // devices, *x.shape[1:])

    return jax.device_put(jax.tree.map(split, batch), _sharding(AXIS))


def pad(rows: np.ndarray) -> np.ndarray:
    """Repeats a batch's last row until it divides among all devices."""
    missing = -len(rows) % jax.device_count()
    return np.concatenate([rows, np.repeat(rows[-1:], missing, axis=0)])


def padded_weights(size: int) -> np.ndarray:
    """Returns by what the losses of a batch that is `pad`ded are multiplied.

    Their mean over all rows is then the mean over the batch's own.

    Args:
      size: of the batch before.

    Returns:
      [padded size] float32; 0 for what was added.
    """
    own = pad(np.arange(size))
    own = np.arange(len(own)) < size
    return np.float32(own * (len(own) / size))


def check_batch(size: int, name: str = 'the size of a batch') -> None:
    """Refuses a batch that does not divide among all devices of all hosts.

    Args:
      size: examples in the batch.
      name: of the config's key, for the message.
    """
    devices = jax.device_count()
    if size < 1 or size % devices:
        raise InputError(
            f'{name} is {size}, which does not divide among {devices} '
            f'devices; give a multiple of {devices}.'
        )


def parallel(
    step: Callable, devices: list[jax.Device] | None = None
) -> Callable:
    """Compiles step(state, frozen, batch) -> (state, metrics) for all devices.

    `state` and `frozen` are replicated (see `replicate`), the state's buffers
    are donated, and the batch comes from `shard`.

    Args:
      step: for one device.
      devices: to compile for, which need not be there; None for all that are.
    """
    return jax.pmap(
        step,
        axis_name=AXIS,
        in_axes=(None, None, 0),
        out_axes=(None, None),
        donate_argnums=0,
        devices=devices or _devices(),
    )


def map_rows(
    function: Callable,
    frozen: Any,
    rows: np.ndarray,
    at_a_time: int,
    show: Callable[[int], None] = lambda done: None,
) -> Any:
    """Applies a function to rows, which all devices of all hosts share.

    Args:
      function: (frozen, rows [k, ...]) -> arrays [k, ...] in any pytree, for
        one device; compiled here.
      frozen: arrays that all devices have.
      rows: [n, ...], the same on every host.
      at_a_time: rows a device, which bounds the memory.
      show: told how many are done.

    Returns:
      The pytree of the function, of NumPy arrays [n, ...], on every host.
    """
    n, devices = len(rows), jax.device_count()
    described = jax.ShapeDtypeStruct(rows.shape, rows.dtype)
    shapes = jax.eval_shape(function, frozen, described)
    found = jax.tree.map(lambda x: np.empty(x.shape, x.dtype), shapes)
    run = jax.pmap(
        lambda frozen, part: jax.lax.all_gather(
            function(frozen, part), AXIS, tiled=True
        ),
        axis_name=AXIS,
        in_axes=(None, 0),
        out_axes=None,
        devices=_devices(),
    )
    frozen = replicate(frozen)
    together = devices * min(at_a_time, -(-n // devices))
    for start in range(0, n, max(together, 1)):
        part = rows[start : start + together]
        missing = together - len(part)
        padded = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)])
        made = jax.device_get(run(frozen, shard(local_rows(padded))))
        for whole, x in zip(jax.tree.leaves(found), jax.tree.leaves(made)):
            whole[start : start + len(part)] = x[: len(part)]
        show(start + len(part))
    return found


def any_host(flag: bool) -> jax.Array:
    """Whether a host says so; reading the array waits, making it does not."""
    return _voting()(shard(np.full(jax.local_device_count(), flag)))


@functools.cache
def _voting() -> Callable:
    return jax.pmap(
        lambda x: jax.lax.pmax(x.any().astype(jnp.int32), AXIS),
        axis_name=AXIS,
        out_axes=None,
        devices=_devices(),
    )


def mean(tree: Any, means: Callable[[str], bool] = lambda name: False) -> Any:
    """Averages over devices, inside a step.

    Args:
      tree: of arrays.
      means: tells by a leaf's `jax.tree_util.keystr` whether it is the mean
        already, as a gradient by the kernel of `product` is.
    """
    return jax.tree_util.tree_map_with_path(
        lambda path, x: (
            x if means(jax.tree_util.keystr(path)) else jax.lax.pmean(x, AXIS)
        ),
        tree,
    )


@jax.custom_vjp
def product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """x @ kernel, whose gradient by the kernel is the mean over devices.

    That gradient is the product of two thin matrices. Devices exchange these,
    and each multiplies them: of the decoder's dense layer, at the published
    sizes, 6 MB instead of 233.

    Args:
      x: [n, inputs] this device's examples.
      kernel: [inputs, outputs], the same on all devices.
    """
    return x @ kernel


def _product_back(factors, gradient):
    x, kernel = rows, _ = factors
    gradients, devices = gradient, 1
    # Outside of a step, as where its input alone is asked about, the axis has
    # no device.
    with contextlib.suppress(NameError):
        devices = jax.lax.psum(1, AXIS)
        rows, gradients = jax.lax.all_gather((x, gradient), AXIS, tiled=True)
    by_kernel = rows.T @ gradients / devices
    return gradient @ kernel.T, by_kernel.astype(kernel.dtype)


product.defvjp(lambda x, kernel: (x @ kernel, (x, kernel)), _product_back)


def example_keys(key: jax.Array, examples: int) -> jax.Array:
    """One key for each example of this device's part of a batch.

    Keys follow the example's place in the whole batch, so that draws do not
    depend on the number of devices.
    """
    place = jax.lax.axis_index(AXIS) * examples + jnp.arange(examples)
    return jax.vmap(jax.random.fold_in, (None, 0))(key, place)

"""The processes that share a run, one a host: who is who, and who does what.

A run of many hosts is one program started once a host (`joining.together`).
The first host alone writes what belongs to the run, and publishes what it
finds there. Blocks of work that lie in files of their own are divided among
the hosts, and whoever computes a block writes it.
"""

import contextlib
import itertools
import json
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

# JAX has no public name for the hosts' store of keys; who is who is asked here
# too, as `jax.process_index` would start the devices, for which hosts wait.
from jax._src import distributed
from jax.experimental import multihost_utils

from brainjax.errors import InputError
from brainjax.io.progress import progress as show_progress

# A file that another host has written may be long in coming.
SECONDS_TO_SEE = 60
# Milliseconds. JAX wants a bound; a host that waits in vain is ended by the
# watch of `joining`.
NEVER = 7 * 24 * 3600 * 1000

_numbers = itertools.count()  # Of messages: every host counts in one order.


def index() -> int:
    """This host's number, from 0."""
    return distributed.global_state.process_id


def count() -> int:
    """How many hosts share the run."""
    return distributed.global_state.num_processes


def is_first() -> bool:
    """Whether this is the host that writes files."""
    return index() == 0


def run_on_first(function: Callable[[], Any]) -> Any:
    """Calls it on the first host; every host gets what it returned.

    Args:
      function: of no arguments; returns what JSON can hold. An InputError
        of its is raised on every host.
    """
    if count() == 1:
        return function()
    key = f'first/{next(_numbers)}'
    if is_first():
        try:
            value = {'value': function()}
        except InputError as error:
            value = {'error': str(error)}
        publish(key, value)
    else:
        value = wait_for(key)
    if 'error' in value:
        raise InputError(value['error'])
    return value['value']


def broadcast(tree: Any) -> Any:
    """Returns the first host's arrays, bit by bit, as NumPy arrays.

    Args:
      tree: arrays of the same shapes and types on every host.
    """
    if count() == 1:
        return tree

    def numbers(x):
        x = np.asarray(x)
        bytes_ = np.frombuffer(x.tobytes(), np.uint8)
        got = np.asarray(multihost_utils.broadcast_one_to_all(bytes_))
        return np.frombuffer(got.tobytes(), x.dtype).reshape(x.shape)

    return jax.tree.map(numbers, jax.device_get(tree))


def my_items(work: Sequence[Any]) -> list[Any]:
    """Returns this host's share of a list: each item is one host's."""
    return list(work[index() :: count()])


def barrier(where: str = '') -> None:
    """Waits until every host has come here.

    Args:
      where: names a place that hosts reach after different numbers of
        messages; once a name.
    """
    if count() > 1:
        where = where or next(_numbers)
        _client().wait_at_barrier(f'brainjax/wait/{where}', NEVER)


def wait_for_file(path: pathlib.Path) -> None:
    """Waits for a file that another host has written."""
    began = time.monotonic()
    while not path.exists():
        if time.monotonic() - began > SECONDS_TO_SEE:
            raise InputError(
                f'{path} was written by another host and is not here; name a '
                'folder on a disk that all hosts share.'
            )
        time.sleep(0.1)


@contextlib.contextmanager
def progress(*shown: Any, **options: Any) -> Iterator[Callable[..., None]]:
    """As `progress.progress` on the first host; the others show nothing."""
    if is_first():
        with show_progress(*shown, **options) as update:
            yield update
    else:
        yield lambda *shown, **options: None


def _client():
    return distributed.global_state.client


def publish(key: str, value: Any) -> None:
    """Makes what JSON can hold known to all hosts, under a key."""
    _client().key_value_set(
        f'brainjax/{key}', json.dumps(value), allow_overwrite=True
    )


def wait_for(key: str) -> Any:
    """Waits until something is published under a key, and returns it."""
    return json.loads(
        _client().blocking_key_value_get(f'brainjax/{key}', NEVER)
    )


def published(key: str) -> Any:
    """Returns what was published under a key, None if nothing was."""
    try:
        return json.loads(_client().key_value_try_get(f'brainjax/{key}'))
    except jax.errors.JaxRuntimeError as error:
        if 'NOT_FOUND' in str(error):
            return None
        raise

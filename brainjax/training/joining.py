"""Joining the processes that share a run, and ending them together.

Every host watches the others, so that a lost one ends the run instead of
hanging it.
"""

import contextlib
import ctypes
import itertools
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import jax

from brainjax.errors import InputError
from brainjax.training import hosts

SECONDS_TO_START = 120
SECONDS_BETWEEN_SIGNS = 2
# Without a sign of life for so long a host is lost.
SECONDS_OF_SILENCE = 30
# JAX's own watch aborts the process without a word; ours has to come first.
SECONDS_OF_JAX = 300
INTERRUPTED = 130
VARIABLES = ('BRAINJAX_COORDINATOR', 'BRAINJAX_PROCESSES', 'BRAINJAX_PROCESS')

_kept: list[Any] = []  # C holds no reference to what it calls.


def options(environment: Mapping[str, str]) -> dict[str, Any] | None:
    """Returns what `jax.distributed.initialize` wants, None for one host.

    BRAINJAX_HOSTS=auto leaves it to JAX to ask the TPU pod, SLURM or Open MPI.
    Otherwise BRAINJAX_COORDINATOR=ADDRESS:PORT of the first host,
    BRAINJAX_PROCESSES=N and BRAINJAX_PROCESS=I (from 0) say it.

    Raises:
      InputError: only a part of it is set, or a value makes no sense.
    """
    how = environment.get('BRAINJAX_HOSTS', '')
    if how not in ('', 'auto'):
        raise InputError(f'BRAINJAX_HOSTS is {how!r}; set it to auto or not.')
    values = [environment.get(name, '') for name in VARIABLES]
    if how:
        return {}
    if not any(values):
        return None
    for name, value in zip(VARIABLES, values):
        if not value:
            raise InputError(f'{name} is not set; set all of {VARIABLES}.')
    address, processes, process = values
    if not address.rpartition(':')[0] or not address[-1].isdigit():
        raise InputError(
            f'{VARIABLES[0]} is {address!r}; write ADDRESS:PORT of the first '
            'host.'
        )
    if not (
        processes.isdecimal()
        and process.isdecimal()
        and int(process) < int(processes)
    ):
        raise InputError(
            f'BRAINJAX_PROCESS is {process!r} of BRAINJAX_PROCESSES '
            f'{processes!r}; count processes from 0.'
        )
    return {
        'coordinator_address': address,
        'num_processes': int(processes),
        'process_id': int(process),
    }


def together(work: Callable[[], int]) -> int:
    """Does this host's part of the work, with the others if there are any.

    Joins them before JAX looks for devices, and waits at the end until all
    are done. What stops one host stops them all.

    Args:
      work: returns the exit status, the same on every host.

    Raises:
      InputError: the hosts cannot find each other.
    """
    given = options(os.environ)
    if given is None:
        return work()
    _join(given)
    if not hosts.is_first():
        _catch_abort()
    done = threading.Event()
    watch = threading.Thread(target=_watch, args=(done,), daemon=True)
    watch.start()
    try:
        status = work()
        hosts.publish(f'left/{hosts.index()}', 0)
        hosts.barrier('end')
    except BaseException as error:  # Told to the others, then it ends here.
        _stopped(error)
    sys.stdout.flush()
    if not hosts.is_first():
        # JAX would take leave of the first host, which may be gone by then.
        os._exit(status)
    done.set()
    watch.join()
    jax.distributed.shutdown()
    return status


def _join(given: Mapping[str, Any]) -> None:
    # The hosts watch each other here; SIGTERM is the training loop's.
    jax.config.update('jax_enable_recoverability', True)
    jax.config.update('jax_enable_preemption_service', False)
    try:
        jax.distributed.initialize(
            **given,
            initialization_timeout=SECONDS_TO_START,
            heartbeat_timeout_seconds=SECONDS_OF_JAX,
        )
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f'The hosts did not find each other ({reason}); check the '
            "coordinator's address and that every host was started."
        ) from error


def _catch_abort() -> None:
    """Ends well where JAX aborts because the first host, its store, is gone.

    Python's own handlers would come too late: JAX calls C's abort().
    """
    kind = ctypes.CFUNCTYPE(None, ctypes.c_int)
    handler = kind(lambda number: _end('the first host has gone'))
    _kept.append(handler)
    c = ctypes.CDLL(None)
    c.signal.argtypes = ctypes.c_int, kind
    c.signal.restype = ctypes.c_void_p
    c.signal(signal.SIGABRT, handler)


def _stopped(error: BaseException) -> NoReturn:
    """Ends this process, and the others with it, as an exception asks."""
    if isinstance(error, jax.errors.JaxRuntimeError) and any(
        word in str(error) for word in ('Gloo', 'NCCL', 'UNAVAILABLE', 'peer')
    ):
        time.sleep(3 * SECONDS_BETWEEN_SIGNS)  # The watch may know more.
        _end('another host has gone')
    if isinstance(error, InputError):
        status = 2
        print(f'brainjax: {error}', file=sys.stderr, flush=True)
    elif isinstance(error, KeyboardInterrupt):
        status = INTERRUPTED
        print('brainjax: interrupted', file=sys.stderr, flush=True)
    else:
        status = 1
        traceback.print_exception(error)
    with contextlib.suppress(jax.errors.JaxRuntimeError):
        hosts.publish(f'left/{hosts.index()}', status)
        if (
            hosts.is_first()
        ):  # Which holds what was said, for the others to hear.
            time.sleep(2 * SECONDS_BETWEEN_SIGNS)
    os._exit(status)


def _watch(done: threading.Event) -> None:
    """Gives signs of life and ends this process if another gives none."""
    others = [i for i in range(hosts.count()) if i != hosts.index()]
    seen = {i: (None, time.monotonic()) for i in others}
    heard = time.monotonic()
    for sign in itertools.count():
        try:
            hosts.publish(f'alive/{hosts.index()}', sign)
            for i in others:
                status = hosts.published(f'left/{i}')
                if status:
                    _end(f'host {i} ended with status {status}', status)
                now = hosts.published(f'alive/{i}')
                if now != seen[i][0] or status == 0:
                    seen[i] = now, time.monotonic()
                silence = time.monotonic() - seen[i][1]
                if silence > SECONDS_OF_SILENCE:
                    _end(f'host {i} has been silent for {silence:.0f} s')
            heard = time.monotonic()
        except jax.errors.JaxRuntimeError:
            # The first host holds the store: it is busy, or gone.
            if time.monotonic() - heard > SECONDS_OF_SILENCE / 2:
                _end('the first host cannot be reached')
        if done.wait(SECONDS_BETWEEN_SIGNS):
            return


def _end(reason: str, status: int = INTERRUPTED) -> NoReturn:
    """Ends this process at once: JAX would wait for the host that is gone."""
    print(
        f'brainjax: host {hosts.index()} of {hosts.count()}: {reason}; the '
        'same command on all hosts goes on from what was saved.',
        file=sys.stderr,
        flush=True,
    )
    os._exit(status)

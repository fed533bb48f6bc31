"""Joining the processes that share a run, and ending them together.

JAX's own coordination is not enough to end a run whose host was killed. Seen
with JAX 0.10: as it comes, every other host aborts with a C++ trace and status
134; with `jax_enable_recoverability` they wait without end, whatever the
heartbeat. So every host publishes signs of life and watches those of the
others. Only the first host needs no watch: with it goes JAX's store of keys,
upon which JAX aborts the others, and `_on_abort` turns that into a sentence.
"""

import contextlib
import ctypes
import itertools
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

import jax

from brainjax.errors import InputError
from brainjax.training import hosts, parallel

SECONDS_TO_START = 120
SECONDS_BETWEEN_SIGNS = 2
# A host without a sign of life, or a first host that does not answer JAX.
SECONDS_OF_SILENCE = 30
INTERRUPTED = 130
VARIABLES = ('BRAINJAX_COORDINATOR', 'BRAINJAX_PROCESSES', 'BRAINJAX_PROCESS')

_kept: list[Any] = []  # C holds no reference to what it calls.


def options(environment: Mapping[str, str]) -> dict[str, Any] | None:
    """Returns what `jax.distributed.initialize` wants, None for one host.

    BRAINJAX_HOSTS=auto leaves it to JAX to ask the TPU pod, SLURM or Open MPI.
    Otherwise BRAINJAX_COORDINATOR=ADDRESS:PORT of the first host,
    BRAINJAX_PROCESSES=N and BRAINJAX_PROCESS=I (from 0) say it.
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
    host, _, port = address.rpartition(':')
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise InputError(
            f'{VARIABLES[0]} is {address!r}; write ADDRESS:PORT of the first '
            'host, with a port from 1 to 65535.'
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
    """
    given = options(os.environ)
    if given is None:
        return work()
    _join(given)
    if not hosts.is_first():
        _on_abort(lambda: _end('the first host has gone'))
    done = threading.Event()
    watch = threading.Thread(target=_watch, args=(done,), daemon=True)
    watch.start()
    try:
        parallel.check_platform()
        status = work()
        hosts.publish(f'left/{hosts.index()}', 0)
        hosts.barrier('end')
    except BaseException as error:  # Published, then this process ends.
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
    """Joins the other hosts within SECONDS_TO_START, or says why not.

    What would make JAX crash without a word is looked at first: a port that
    is taken (a segmentation fault), a first host that is not there.
    """
    deadline = time.monotonic() + SECONDS_TO_START
    if given and given['process_id'] == 0:
        _check_port(int(given['coordinator_address'].rpartition(':')[2]))
    elif given:
        _wait_for_first_host(given['coordinator_address'], deadline)
    jax.config.update('jax_enable_recoverability', True)
    # SIGTERM is the training loop's.
    jax.config.update('jax_enable_preemption_service', False)
    try:
        with _abort_in_one_sentence():
            jax.distributed.initialize(
                **given,
                initialization_timeout=max(
                    1, round(deadline - time.monotonic())
                ),
                heartbeat_timeout_seconds=SECONDS_OF_SILENCE,
            )
    except (RuntimeError, ValueError) as error:
        raise InputError(_not_joined(str(error).splitlines()[0])) from error


def _not_joined(reason: str) -> str:
    return (
        f'the hosts did not find each other ({reason}); check the '
        "coordinator's address and that every host was started."
    )


def _check_port(port: int) -> None:
    """Refuses a port of this host that another program listens at."""
    both = socket.has_dualstack_ipv6()  # As JAX, at every address of the host.
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        socket.create_server(
            ('', port), family=family, dualstack_ipv6=both
        ).close()
    except OSError as error:
        raise InputError(
            f'port {port} of this host cannot be used '
            f'({os.strerror(error.errno)}); give {VARIABLES[0]} another port, '
            'the same on all hosts.'
        ) from error


def _wait_for_first_host(address: str, deadline: float) -> None:
    host, _, port = address.rpartition(':')
    while True:
        try:
            # IPv6 addresses stand in brackets before a port.
            socket.create_connection((host.strip('[]'), int(port)), 5).close()
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise InputError(
                    _not_joined(
                        f'{address} did not answer in {SECONDS_TO_START} s: '
                        f'{error.strerror or error}'
                    )
                ) from error
        time.sleep(0.5)


@contextlib.contextmanager
def _abort_in_one_sentence() -> Iterator[None]:
    """Turns an abort of JAX's, with its C++ trace, into a sentence."""
    sys.stderr.flush()
    terminal = os.dup(2)

    def end():
        text = f'brainjax: {_not_joined("a host did not come in time")}\n'
        os.write(terminal, text.encode())
        os._exit(2)

    with open(os.devnull, 'wb') as nowhere:
        os.dup2(nowhere.fileno(), 2)
    _on_abort(end)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
        _on_abort(None)


def _on_abort(function: Callable[[], Any] | None) -> None:
    """Calls a function of ours where C's abort() is called; None: no more.

    Python's own handlers would come too late: they run between bytecodes.
    """
    kind = ctypes.CFUNCTYPE(None, ctypes.c_int)
    default = ctypes.cast(signal.SIG_DFL, kind)
    handler = kind(lambda number: function()) if function else default
    _kept.append(handler)
    c = ctypes.CDLL(None)
    c.signal.argtypes = ctypes.c_int, kind
    c.signal.restype = ctypes.c_void_p
    c.signal(signal.SIGABRT, handler)


def _stopped(error: BaseException) -> NoReturn:
    """Ends this process, and the others with it, as an exception asks."""
    if not isinstance(error, InputError | KeyboardInterrupt):
        # A collective, or what waits for it, breaks off before the watch reads
        # why the other ended.
        before = _signs()
        time.sleep(3 * SECONDS_BETWEEN_SIGNS)
        words = ('Gloo', 'NCCL', 'UNAVAILABLE', 'peer')
        if (
            isinstance(error, jax.errors.JaxRuntimeError)
            and any(word in str(error) for word in words)
        ) or any(now == sign for now, sign in zip(_signs(), before)):
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
        if hosts.is_first():  # Its store must outlive what the others read.
            time.sleep(2 * SECONDS_BETWEEN_SIGNS)
    os._exit(status)


def _signs() -> list[int | None]:
    """Returns the last sign of life of each other host, None where none is."""
    others = _others()
    try:
        return [hosts.published(f'alive/{i}') for i in others]
    except jax.errors.JaxRuntimeError:  # The first host, who keeps them, left.
        return [None] * len(others)


def _others() -> list[int]:
    return [i for i in range(hosts.count()) if i != hosts.index()]


def _watch(done: threading.Event) -> None:
    """Publishes signs of life; ends this process if another gives none."""
    others = _others()
    seen = {i: (None, time.monotonic()) for i in others}
    for sign in itertools.count():
        # Fails where the first host is gone: then JAX aborts this process.
        with contextlib.suppress(jax.errors.JaxRuntimeError):
            hosts.publish(f'alive/{hosts.index()}', sign)
            for i in others:
                seen[i] = _look_after(i, *seen[i])
        if done.wait(SECONDS_BETWEEN_SIGNS):
            return


def _look_after(i: int, sign: int | None, when: float) -> tuple:
    """Ends this process if host i has; returns its last sign and when."""
    status = hosts.published(f'left/{i}')
    if status:
        _end(f'host {i} ended with status {status}', status)
    now = hosts.published(f'alive/{i}')
    if now != sign or status == 0:
        return now, time.monotonic()
    silence = time.monotonic() - when
    if silence > SECONDS_OF_SILENCE:
        _end(f'host {i} has been silent for {silence:.0f} s')
    return sign, when


def _end(reason: str, status: int = INTERRUPTED) -> NoReturn:
    """Ends this process at once: JAX would wait for the host that is gone."""
    print(
        f'brainjax: host {hosts.index()} of {hosts.count()}: {reason}; the '
        'same command on all hosts resumes from what was saved.',
        file=sys.stderr,
        flush=True,
    )
    os._exit(status)

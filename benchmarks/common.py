"""What benchmarks share: sides in processes of their own, results as JSON.

Who imports it can import brainjax from this repository, installed or not.
"""

import importlib.util
import multiprocessing
import os
import pathlib
import platform
import sys
from typing import Any

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
if str(REPOSITORY) not in sys.path:
    sys.path.insert(0, str(REPOSITORY))

# Of every result, as pages and comparisons rely on them; null if not measured.
KEYS = (
    'name',
    'unit',
    'ours',
    'peer',
    'peer_name',
    'ratio',
    'accuracy',
    'threads',
    'device',
)


class Side:
    """A process that holds one side and answers calls.

    Args:
      name: for messages.
      make: options -> dict of functions; called in the process.
      options: of the benchmark; 'threads' bounds the CPUs.
    """

    def __init__(self, name, make, options):
        context = multiprocessing.get_context('spawn')
        self._name = name
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, make, options), daemon=True
        )
        self._process.start()
        theirs.close()
        self._receive()

    def _receive(self):
        try:
            return self._connection.recv()
        except EOFError:
            raise SystemExit(f'the {self._name} side ended early') from None

    def __call__(self, function, *arguments):
        self._connection.send((function, arguments))
        return self._receive()

    def close(self):
        self._connection.send(None)
        self._process.join()


def _serve(connection, make, options):
    """Answers (function, arguments) until None comes."""
    if hasattr(os, 'sched_setaffinity'):
        cpus = sorted(os.sched_getaffinity(0))[: options['threads']]
        os.sched_setaffinity(0, cpus)
    os.environ['OMP_NUM_THREADS'] = str(options['threads'])
    functions = make(options)
    connection.send('ready')
    while (request := connection.recv()) is not None:
        name, arguments = request
        connection.send(functions[name](*arguments))


def demo():
    """Loads configs/demo.py."""
    path = REPOSITORY / 'configs' / 'demo.py'
    spec = importlib.util.spec_from_file_location('demo', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config()


def print_results(results):
    """Prints results, dictionaries, a line each."""
    for result in results:
        print(
            ', '.join(
                f'{key} {value:.3g}' if isinstance(value, float) else str(value)
                for key, value in result.items()
            )
        )


def write_result(
    path: str | pathlib.Path | None, result: dict[str, Any] | list[dict]
) -> None:
    """Writes a benchmark's result, or several, with all of KEYS.

    Args:
      path: of a JSON file; None for none.
      result: what was measured; threads and device are those of this process
        where it does not tell.
    """
    if path is None:
        return
    from brainjax.io import files  # Not before a side has bound its threads.

    usual = dict.fromkeys(KEYS)
    usual |= {'threads': threads(), 'device': device_name()}
    if isinstance(result, dict):
        files.write_json(path, usual | result)
    else:
        files.write_json(path, [usual | each for each in result])


def threads() -> int:
    """Returns how many CPUs this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def device_name() -> str:
    """Returns the name of what JAX computes on here, or of the processor."""
    if 'jax' in sys.modules:
        device = sys.modules['jax'].devices()[0]
        if device.platform != 'cpu':
            return device.device_kind
    return cpu_name()


def cpu_name() -> str:
    """Returns the processor's name, as well as it can be told."""
    path = pathlib.Path('/proc/cpuinfo')
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    return platform.processor() or platform.machine()

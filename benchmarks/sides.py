"""What benchmarks share: sides in processes of their own, the demo's config."""

import importlib.util
import multiprocessing
import os
import pathlib
import platform
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]


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
    sys.path.insert(0, str(REPOSITORY))
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


def cpu_name() -> str:
    """Returns the processor's name, as well as it can be told."""
    path = pathlib.Path('/proc/cpuinfo')
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    return platform.processor() or platform.machine()

"""Python in processes of their own: simulated devices, and several hosts."""

import json
import os
import socket
import subprocess
import sys

import jax
from conftest import TESTS


def environment(devices):
    """For a process with simulated devices, which shares our caches."""
    return {
        **os.environ,
        'JAX_PLATFORMS': 'cpu',
        'XLA_FLAGS': f'{os.environ.get("XLA_FLAGS", "")} '
        f'--xla_force_host_platform_device_count={devices}',
        'JAX_COMPILATION_CACHE_DIR': jax.config.jax_compilation_cache_dir,
        'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0',
        'PYTHONPATH': f'{TESTS.parent}{os.pathsep}{TESTS}',
    }


def python(devices, *arguments):
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment(devices),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def run(processes, *arguments, seconds=300):
    """Runs a program as so many hosts; returns status, stdout, stderr each."""
    port = free_port()
    started = [
        subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(1)
            | {
                'BRAINJAX_COORDINATOR': f'127.0.0.1:{port}',
                'BRAINJAX_PROCESSES': str(processes),
                'BRAINJAX_PROCESS': str(i),
            },
        )
        for i in range(processes)
    ]
    try:
        found = [p.communicate(timeout=seconds) for p in started]
    finally:
        for p in started:
            p.kill()
    return [(p.returncode, *text) for p, text in zip(started, found)]

"""What all tests share: a compilation cache and the way to real data."""

import gc
import os
import pathlib
import resource

os.environ.setdefault('JAX_PLATFORMS', 'cpu')
# Several tests run at once: threads of one that wait for cores that another
# has slow both tenfold. Read when NumPy is imported.
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
import jax
import pytest

# To compile takes most of the time of most tests: half of it so, and what is
# compiled is as right, but slower. Without XLA's fusion emitters it takes a
# third, but the gradient of the encoder's batch norm is then wrong (jax 0.10,
# tests/parity). Read when JAX first looks for devices.
os.environ['XLA_FLAGS'] = (
    f'--xla_backend_optimization_level=0 {os.environ.get("XLA_FLAGS", "")}'
)

TESTS = pathlib.Path(__file__).parent
REPOSITORY = TESTS.parent

jax.config.update('jax_compilation_cache_dir', str(REPOSITORY / '.compiled'))
# An operation alone, too: to read it takes half the time to compile it.
jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)
jax.config.update('jax_persistent_cache_min_entry_size_bytes', -1)


LARGE = 2_000_000  # Kilobytes.


@pytest.fixture(autouse=True, scope='module')
def forget_compiled():
    """Forgets what was compiled once a process has held much.

    Programs of a thousand tests fill gigabytes, beside which the next compile
    many times slower. What is needed again is in the compilation cache.
    """
    yield
    if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > LARGE:
        jax.clear_caches()
        gc.collect()


def shared_data(name: str) -> pathlib.Path:
    """Returns the path of a file of real data, or skips the test."""
    folder = os.environ.get('BRAINJAX_DATA', REPOSITORY / '../shared/data')
    path = pathlib.Path(folder) / name
    if not path.exists():
        pytest.skip(f'{name} is not in {folder} (set BRAINJAX_DATA)')
    return path

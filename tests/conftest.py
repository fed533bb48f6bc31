"""What all tests share: a compilation cache and the way to real data."""

import ctypes
import gc
import os
import pathlib

os.environ.setdefault('JAX_PLATFORMS', 'cpu')
# Several tests run at once: threads of one that wait for cores that another
# has slow both tenfold. Read when NumPy is imported.
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
if 'PYTEST_XDIST_WORKER' in os.environ:
    os.environ.setdefault('NPROC', '1')  # Likewise of XLA.
import jax
import psutil
import pytest

# To compile takes most of the time of most tests: a third of it so, and what is
# compiled is as right, but slower. Read when JAX first looks for devices; newer
# ones end at a flag that they do not know.
# Once only: what is compiled under other flags is compiled anew, and a process
# of xdist has them from its parent.
FAST = [
    '--xla_backend_optimization_level=0',
    '--xla_cpu_parallel_codegen_split_count=1',  # A program in one piece.
]
if jax.__version_info__ < (0, 11):
    FAST.append('--xla_cpu_use_fusion_emitters=false')
FLAGS = os.environ.get('XLA_FLAGS', '').split()
if not any('xla_backend_optimization_level' in flag for flag in FLAGS):
    os.environ['XLA_FLAGS'] = ' '.join([*FAST, *FLAGS])

# To trace makes so many objects that to look for cycles among them takes a
# tenth of the time.
gc.set_threshold(50_000, 20, 20)

TESTS = pathlib.Path(__file__).parent
REPOSITORY = TESTS.parent

jax.config.update('jax_compilation_cache_dir', str(REPOSITORY / '.compiled'))
# An operation alone, too: to read it takes half the time to compile it.
jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)
jax.config.update('jax_persistent_cache_min_entry_size_bytes', -1)


LARGE = 2_000_000_000  # Bytes.
# Gives freed memory back to the system. Without it a process stays as large
# as it was, and would forget after every module from then on. Only GNU's C
# library has it.
TRIM = getattr(ctypes.CDLL(None), 'malloc_trim', lambda _: None)


@pytest.fixture(autouse=True, scope='module')
def forget_compiled():
    """Forgets what was compiled once a process has held much.

    Programs of a thousand tests fill gigabytes, beside which the next compile
    many times slower. What is needed again is in the compilation cache.
    """
    yield
    if psutil.Process().memory_info().rss > LARGE:
        jax.clear_caches()
        gc.collect()
        TRIM(0)


def shared_data(name: str) -> pathlib.Path:
    """Returns the path of a file of real data, or skips the test."""
    folder = os.environ.get('BRAINJAX_DATA', REPOSITORY / '../shared/data')
    path = pathlib.Path(folder) / name
    if not path.exists():
        pytest.skip(f'{name} is not in {folder} (set BRAINJAX_DATA)')
    return path

"""The benchmark of an accelerator, tried on the CPU."""

import sys
import time

import pytest
from conftest import REPOSITORY

sys.path.append(str(REPOSITORY / 'benchmarks'))
import gpu


def test_a_program_is_timed():
    found = gpu.measure('ridge', 'float32', 0.02, 2)
    # 93 voxels and 24 trials: the products alone.
    assert found['gflop'] > 1e-4
    assert found['tflop_a_second'] * found['seconds'] == pytest.approx(
        found['gflop'] / 1e3
    )


def test_whole_experiments_follow_from_steps():
    rows = [
        {'name': 'encoder tf32', 'seconds': 0.36},
        {'name': 'decoder tf32', 'seconds': 0.048},
        {'name': 'decoder float32', 'seconds': 1.0},
        {'name': 'encoder float32', 'error': 'not run: the time was up'},
        {'name': 'ridge float32', 'seconds': 2.0},
        {'name': 'inversion float32', 'seconds': 0.04},
    ]
    found = gpu.projected(rows)
    assert found.pop('Gaziv et al. 2022, hours, tf32') == pytest.approx(0.195)
    assert found.pop('ridge, units a second') == 128
    assert found.pop('ridge, hours of all units of VGG19') == pytest.approx(
        32.25, abs=0.01
    )
    assert found.pop('search, pictures a second') == 1 and not found


def test_what_does_not_run_is_told():
    late = gpu.run('late', ['-c', 'pass'], time.monotonic())
    assert late['error'] == 'not run: the time was up'
    wrong = gpu.run('wrong', ['-c', '1 / 0'], time.monotonic() + 60)
    assert wrong['error'] == 'ZeroDivisionError: division by zero'

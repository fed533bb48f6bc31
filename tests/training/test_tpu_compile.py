"""Steps compile for TPU chips that are not there, where libtpu is installed."""

import importlib.util
import json
import subprocess
import sys

import pytest
from conftest import REPOSITORY

sys.path.append(str(REPOSITORY / 'benchmarks'))
import tpu_compile


@pytest.mark.skipif(
    importlib.util.find_spec('libtpu') is None,
    reason='libtpu is not installed: the extra tpu',
)
def test_an_encoder_step_compiles_for_four_chips(tmp_path):
    script = REPOSITORY / 'benchmarks' / 'tpu_compile.py'
    flags = '--slices v5e:2x2 --steps encoder --types float32 --scale 0.05'
    flags += ' --effort -1'
    out = tmp_path / 'out.json'
    command = [sys.executable, script, *flags.split(), '--json', out]
    subprocess.run(command, check=True, capture_output=True)
    [found] = json.loads(out.read_text())
    assert found['chips'] == 4 and found['fits'] and not found.get('error')
    # Gradients are averaged: more is said than their parameters hold.
    assert found['collectives'] > 0 and found['exchanged_mb'] > 1


def test_collectives_are_counted_in_a_compiled_program():
    text = """
      %a = (f32[64]{0:T(128)S(1)}, /*index=1*/bf16[3,5]{1,0}) all-reduce(%x)
      %b = f32[]{:T(128)} all-reduce-start(%y), channel_id=1
      %c = f32[8]{0} add(%a, %b)
      %d = s32[4,2]{1,0} all-gather(%z), dimensions={0}
    """
    assert tpu_compile.exchanged(text) == {
        'all-reduce': (2, 64 * 4 + 15 * 2 + 4),
        'all-gather': (1, 32),
    }


def test_a_batch_grows_to_one_that_divides():
    assert [tpu_compile.divisible(24, n) for n in (4, 8, 16)] == [24, 24, 32]
    assert tpu_compile.divisible(0.4, 4) == 4

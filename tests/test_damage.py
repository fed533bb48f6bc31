"""Damaged recordings of every format end in one sentence.

BRAINJAX_DAMAGED=300 damages that many files; BRAINJAX_DAMAGE_SEED draws how.
"""

import collections
import json
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
from conftest import TESTS

from brainjax.errors import InputError
from brainjax.io import arrays as npz
from brainjax.io import hdf5
from brainjax.recordings import FORMATS

NUMBER = int(os.environ.get('BRAINJAX_DAMAGED', 60))
SEED = int(os.environ.get('BRAINJAX_DAMAGE_SEED', 0))


def test_damaged_files_are_refused_in_one_sentence(tmp_path):
    ended = _in_little_memory('damage.py', tmp_path)
    assert {x['format'] for x in ended} == {*FORMATS}


def test_damaged_files_of_every_kind_are_refused_in_one_sentence(tmp_path):
    ended = _in_little_memory('damaged_files.py', tmp_path)
    assert {x['file'] for x in ended} >= {'a.webp', 'a.pth', 'table.pkl'}


def _in_little_memory(program, folder):
    """Runs a program of this folder that damages NUMBER files."""
    process = subprocess.run(
        [sys.executable, TESTS / program, folder, str(SEED), str(NUMBER)],
        env={**os.environ, 'PYTHONPATH': f'{TESTS.parent}:{TESTS}'},
        capture_output=True,
        text=True,
        timeout=600,
    )
    ended = [json.loads(line) for line in process.stdout.splitlines()]
    assert process.returncode == 0, (process.stderr[-2000:], ended[-1:])
    assert len(ended) == NUMBER
    wrong = [x for x in ended if x['ending'] not in ('read', 'refused')]
    assert not wrong
    assert max(x['seconds'] for x in ended) < 20
    # Damage is found more often than not; in pixels and voxels it cannot be.
    endings = collections.Counter(x['ending'] for x in ended)
    assert endings['refused'] > NUMBER // 3
    return ended


def test_bombs_are_refused_before_they_are_unpacked(tmp_path):
    with h5py.File(tmp_path / 'bomb.h5', 'w') as file:
        # 40 GB of zeros in a few kilobytes: no chunk is written.
        file.create_dataset('never', (10**5, 10**5), 'f4', chunks=(1000, 1000))
        file.create_dataset(
            'packed', data=np.zeros((3000, 8000)), compression=9
        )
    with hdf5.opened(tmp_path / 'bomb.h5') as file:
        for name in ('never', 'packed'):
            with pytest.raises(InputError, match=r'declares .* GiB in a file'):
                hdf5.read(file, name)
    np.savez_compressed(tmp_path / 'bomb.npz', arr_0=np.zeros((3000, 8000)))
    with pytest.raises(InputError, match=r'declares .* GiB'):
        npz.shapes(tmp_path / 'bomb.npz')


def test_what_lies_in_other_files_is_never_opened(tmp_path):
    with h5py.File(tmp_path / 'secret.h5', 'w') as file:
        file['x'] = np.arange(5.0)
    with h5py.File(tmp_path / 'file.h5', 'w') as file:
        file['linked'] = h5py.ExternalLink('secret.h5', 'x')
        layout = h5py.VirtualLayout((5,), 'f8')
        layout[:] = h5py.VirtualSource(tmp_path / 'secret.h5', 'x', (5,))
        file.create_virtual_dataset('virtual', layout)
        file.create_dataset(
            'outside',
            (5,),
            'f8',
            external=[(str(tmp_path / 'raw'), 0, h5py.h5f.UNLIMITED)],
        )
    with hdf5.opened(tmp_path / 'file.h5') as file:
        for name in ('linked', 'virtual', 'outside'):
            with pytest.raises(InputError):
                hdf5.read(file, name)

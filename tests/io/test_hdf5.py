"""HDF5 files from elsewhere: links, bounds and what is asked for."""

import os
import signal

import h5py
import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.io import hdf5


@pytest.fixture
def never_waits():
    """Ends a test that opens a pipe which nobody writes to."""

    def stop(*_):
        raise AssertionError('it waits for a pipe')

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def test_links_lead_nowhere(tmp_path, never_waits):
    os.mkfifo(tmp_path / 'pipe')
    with h5py.File(tmp_path / 'secret.h5', 'w') as file:
        file['x'] = np.arange(5)
    with h5py.File(tmp_path / 'x.h5', 'w') as file:
        file['own'] = np.arange(3)
        file['group/inner'] = np.arange(4)
        file['pipe'] = h5py.ExternalLink('pipe', '/x')
        file['other'] = h5py.ExternalLink('secret.h5', '/x')
        file['soft'] = h5py.SoftLink('/own')
        file['group/pipe'] = h5py.ExternalLink(str(tmp_path / 'pipe'), '/')
    with hdf5.opened(tmp_path / 'x.h5') as file:
        assert hdf5.names(file) == ['group', 'own']
        assert hdf5.names(file['group']) == ['inner']
        assert hdf5.read(file, 'group/inner').tolist() == [0, 1, 2, 3]
        for name in ('pipe', 'other', 'soft', 'group/pipe', 'pipe/x', 'no/x'):
            assert not hdf5.inside(file, name)
            with pytest.raises(InputError, match='has no array'):
                hdf5.read(file, name)


def test_chunks_are_bounded_as_arrays_are(tmp_path):
    with h5py.File(tmp_path / 'x.h5', 'w') as file:
        file.create_dataset(
            'x',
            (10,),
            'u1',
            maxshape=(None,),
            chunks=(2**31,),
            compression='gzip',
        )
    with (
        hdf5.opened(tmp_path / 'x.h5') as file,
        pytest.raises(InputError, match=r'x declares 2\.0 GiB in a file'),
    ):
        hdf5.read(file, 'x')

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
    """Ends a test that opens a pipe which nobody writes to, or loops."""

    def stop(*_):
        raise AssertionError('it waits')

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


def heap_of(content):
    """Returns where the objects of a heap with texts begin."""
    return content.index(b'GCOL\x01\0\0\0') + 16


@pytest.mark.parametrize('kind', ['text', 'attribute', 'reference'])
@pytest.mark.parametrize(
    'size', [0, 2**64 - 16, 2**40], ids=['none', 'wraps', 'beyond']
)
def test_heaps_on_which_the_library_never_ends(
    tmp_path, kind, size, never_waits
):
    path = tmp_path / 'x.h5'
    with h5py.File(path, 'w') as file:
        file['x'] = np.arange(4)
        if kind == 'text':
            file['text'] = ['one', 'two']
        elif kind == 'attribute':
            file['x'].attrs['text'] = 'one'
        else:
            of = h5py.regionref_dtype
            file.create_dataset('text', (1,), of)[0] = file['x'].regionref[:2]

    def read():
        with hdf5.opened(path) as file:
            if kind == 'attribute':
                return hdf5.attribute(file['x'], 'text')
            return hdf5.read(file, 'text', 'SR').tolist()

    assert 'one' in str(read()) or kind == 'reference'
    content = bytearray(path.read_bytes())
    place = heap_of(content)
    # Free space counts its head, so that 0 of it leads nowhere.
    content[place : place + 2] = bytes([size > 0, 0])
    content[place + 8 : place + 16] = size.to_bytes(8, 'little')
    path.write_bytes(content)
    with pytest.raises(InputError, match='has objects of impossible sizes'):
        read()


def test_heaps_within_heaps_are_looked_at_in_little_time(tmp_path, never_waits):
    path = tmp_path / 'x.h5'
    with h5py.File(path, 'w') as file:
        file['text'] = ['one']
        pattern = np.frombuffer(
            b'GCOL\x01\0\0\0' + (2**20).to_bytes(8, 'little'), np.uint8
        )
        file['data'] = np.tile(pattern, 2**18)
    with (
        pytest.raises(InputError, match='has objects of impossible sizes'),
        hdf5.opened(path) as file,
    ):
        hdf5.read(file, 'text', 'S')


def test_of_many_names_some_are_told(tmp_path):
    with h5py.File(tmp_path / 'x.h5', 'w') as file:
        for i in range(100):
            file[f'{i:02d}'] = i
    with (
        pytest.raises(InputError) as caught,
        hdf5.opened(tmp_path / 'x.h5') as file,
    ):
        hdf5.read(file, '5x')
    assert "no array '5x', only 00, 01, " in str(caught.value)
    assert ', 19 and 80 more. Did you mean' in str(caught.value)


@pytest.mark.parametrize('userblock', [0, 512])
def test_texts_that_say_they_are_longer_than_their_file(tmp_path, userblock):
    path, texts = tmp_path / 'x.h5', ['a' * 99, 'b']
    with h5py.File(path, 'w', userblock_size=userblock) as file:
        file['text'] = texts
    with hdf5.opened(path) as file:
        found = hdf5.read(file, 'text', 'S')
        start = file['text'].id.get_offset()
    assert [x.decode() for x in found] == texts
    content = bytearray(path.read_bytes())
    assert content[start : start + 4] == bytes([99, 0, 0, 0])
    content[start : start + 4] = b'\xff' * 4
    path.write_bytes(content)
    with (
        pytest.raises(InputError, match=r'text declares 4\.0 GiB in a file'),
        hdf5.opened(path) as file,
    ):
        hdf5.read(file, 'text', 'S')

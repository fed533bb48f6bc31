"""Pictures that are read by rows."""

import io
import tarfile
import tracemalloc

import numpy as np
import pytest
import tiny
from PIL import Image

from brainjax.io import provenance
from brainjax.pictures import loading, on_disk


@pytest.fixture
def stored(tmp_path):
    images = np.asarray(tiny.pictures(20, 0, 8))
    np.save(tmp_path / 'images.npy', images)
    return images, on_disk.OnDisk(str(tmp_path / 'images.npy'))


def test_they_are_read_as_an_array(stored):
    images, lazy = stored
    rows = np.array([3, 17, 3])
    np.testing.assert_array_equal(lazy[rows], images[rows])
    np.testing.assert_array_equal(lazy[2:5], images[2:5])
    np.testing.assert_array_equal(np.stack(list(lazy)), images)
    np.testing.assert_array_equal(np.asarray(lazy), images)
    assert type(lazy[2:5]) is np.ndarray
    assert lazy.shape == images.shape
    assert provenance.hash_arrays(lazy) == provenance.hash_arrays(images)
    np.testing.assert_array_equal(lazy[0, 1], images[0, 1])
    np.testing.assert_array_equal(lazy[rows, :, 2], images[rows, :, 2])
    np.testing.assert_array_equal(lazy[..., :1], images[..., :1])


def test_some_of_them_stay_there(stored):
    images, lazy = stored
    odd = np.arange(1, 20, 2)
    some = on_disk.select(on_disk.select(lazy, odd), np.array([4, 0]))
    assert isinstance(some, on_disk.OnDisk)
    np.testing.assert_array_equal(some[:], images[[9, 1]])
    np.testing.assert_array_equal(on_disk.select(images, odd), images[odd])


def test_an_archive_is_never_held_whole(tmp_path, monkeypatch):
    """More pictures than are decoded at once, and than memory is used."""
    monkeypatch.setenv('BRAINJAX_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setattr(loading, '_CHUNK', 16)
    monkeypatch.setattr(loading, '_BLOCK', 1 << 16)
    stream = io.BytesIO()
    Image.fromarray(np.asarray(tiny.pictures(1, 0, 8))[0]).save(stream, 'png')
    with tarfile.open(tmp_path / 'faces.tar', 'w') as archive:
        for i in range(160):
            member = tarfile.TarInfo(f'{i:03d}.png')
            member.size = len(stream.getvalue())
            archive.addfile(member, io.BytesIO(stream.getvalue()))
    tracemalloc.start()
    found, names = loading.load(tmp_path / 'faces.tar', 128, cached=True)
    lazy = on_disk.from_mapped(found)
    batch = lazy[np.arange(16)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(names) == len(lazy) == 160
    assert peak < 0.5 * np.prod(lazy.shape)
    whole, _ = loading.load(tmp_path / 'faces.tar', 128)
    np.testing.assert_array_equal(whole, lazy[:])
    np.testing.assert_array_equal(whole[:16], batch)

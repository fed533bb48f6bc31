"""NIfTI volumes: what headers say, masks, and what a small file may ask for."""

import gzip
import struct
import tracemalloc

import nibabel
import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.io import nifti

AFFINE = np.diag([2.0, 2, 2, 1])


def write(path, values, kind=nibabel.Nifti1Image, seconds=None, scale=None):
    order = '>' if values.dtype.byteorder == '>' else '<'
    image = kind(values, AFFINE, kind.header_class(endianness=order))
    image.set_data_dtype(values.dtype)
    if seconds is not None:
        image.header.set_xyzt_units('mm', 'sec')
        image.header['pixdim'][4] = seconds
    if scale:
        image.header.set_slope_inter(*scale)
    nibabel.save(image, path)
    return path


def volume(dtype=np.int16, shape=(4, 5, 6)):
    return np.random.default_rng(0).integers(0, 90, shape).astype(dtype)


@pytest.mark.parametrize('kind', [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize('suffix', ['nii', 'nii.gz'])
@pytest.mark.parametrize('dtype', ['u1', '<i2', '>i2', '<f4', '>f8'])
def test_a_volume_is_what_nibabel_reads(tmp_path, kind, suffix, dtype):
    path = write(tmp_path / f'v.{suffix}', volume(dtype), kind)
    found, header = nifti.volume(path)
    expected = nibabel.load(path)
    np.testing.assert_array_equal(found, np.asarray(expected.dataobj))
    assert found.dtype == dtype
    np.testing.assert_array_equal(header.affine, expected.affine)
    write(path, volume(dtype)[..., None], kind)
    np.testing.assert_array_equal(nifti.volume(path)[0], volume(dtype))


def test_scales_and_series(tmp_path):
    values = volume(np.int16, (3, 4, 2, 5))
    path = write(tmp_path / 'v.nii.gz', values, seconds=1.5, scale=(2.0, 3.0))
    header = nifti.header(path)
    assert (header.volumes, header.seconds) == (5, 1.5)
    some = np.array([7, 0, 23])
    expected = np.asarray(nibabel.load(path).dataobj).reshape(24, 5)[some].T
    np.testing.assert_array_equal(nifti.series(header, some), expected)
    with pytest.raises(InputError, match='holds 5 volumes; one is needed'):
        nifti.volume(path)


def test_masks(tmp_path):
    path = tmp_path / 'm.nii.gz'
    values = volume() % 2
    for stored in (
        values,
        values * 7,
        np.where(values, 1.0, np.nan).astype(np.float32),
        np.where(values, 1, -1).astype(np.int16),
    ):
        write(path, stored)
        np.testing.assert_array_equal(nifti.mask(path)[0], values > 0)
    write(path, volume())
    with pytest.raises(InputError, match='several values above 0'):
        nifti.mask(path)
    write(path, -values)
    with pytest.raises(InputError, match='values below 0 and none above'):
        nifti.mask(path)
    write(path, 0 * values)
    assert not nifti.mask(path)[0].any()


def test_headers_that_say_what_cannot_be(tmp_path):
    path = write(tmp_path / 'v.nii', volume(), seconds=np.nan)
    assert nifti.header(path).seconds == 0
    whole = path.read_bytes()
    for place, value, words in (
        (108, struct.pack('<f', 0), 'begin at byte 0, within its own header'),
        (108, struct.pack('<f', -1e9), 'not a complete NIfTI|begin at byte'),
        (108, struct.pack('<f', np.inf), 'not a complete NIfTI'),
        (112, struct.pack('<2f', 1, np.inf), 'not a complete NIfTI'),
        (280, struct.pack('<f', np.nan), 'NaN or infinite'),
        (42, struct.pack('<h', -4), 'has shape|not a complete NIfTI'),
        (40, struct.pack('<h', 30), 'not a complete NIfTI|has shape'),
        (70, struct.pack('<h', 32), 'holds complex64'),
        (344, b'ni1\0', 'no NIfTI file of one piece'),
        (0, b'\0' * 4, 'is no NIfTI file'),
    ):
        path.write_bytes(whole[:place] + value + whole[place + len(value) :])
        with pytest.raises(InputError, match=words):
            nifti.volume(path)
    path.write_bytes(whole[:-1])
    with pytest.raises(InputError, match='it is truncated or damaged'):
        nifti.volume(path)
    packed = write(tmp_path / 'v.nii.gz', volume())
    packed.write_bytes(packed.read_bytes()[:-6])
    with pytest.raises(InputError, match='not a complete NIfTI file'):
        nifti.volume(packed)


def test_a_small_file_takes_little_memory(tmp_path):
    path = tmp_path / 'm.nii.gz'
    image = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.uint8), AFFINE)
    header = bytearray(image.to_bytes()[:352])
    zeros = gzip.compress(bytes(2**20))  # A file may be several in a row.

    def bomb(shape, offset, megabytes):
        sizes = (len(shape), *shape, 1, 1, 1, 1)[:8]
        header[40:56] = struct.pack('<8h', *sizes)
        header[108:112] = struct.pack('<f', offset)
        path.write_bytes(gzip.compress(header) + megabytes * zeros)

    tracemalloc.start()
    bomb((640, 640, 640), 352, 250)
    with pytest.raises(InputError, match=r'one volume declares .* GiB'):
        nifti.mask(path)
    # An extension of the header may be as long as it likes.
    bomb((2, 2, 2), 2.0e8, 200)
    with pytest.raises(InputError, match='one volume declares'):
        nifti.mask(path)
    bomb((100, 100, 10, 2000), 352, 200)
    with pytest.raises(InputError, match='its series declares'):
        nifti.series(nifti.header(path), np.arange(100_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100 * 2**20

"""Pictures as arrays: range, type, sizes, files."""

import numpy as np
import pytest
from PIL import Image

from brainjax.errors import InputError
from brainjax.pictures import operations


def picture(height, width, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), np.uint8)


def test_pictures_of_several_sizes_are_brought_to_one():
    small, large = picture(10, 10, 3), picture(30, 20, 3)
    found = operations.to_one_size([small, large], (10, 10))
    np.testing.assert_array_equal(found[0], small)
    expected = Image.fromarray(large).resize((10, 10), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(found[1], np.asarray(expected))
    floats = [np.float32(small / 255)] * 2
    assert operations.to_one_size(floats, (10, 10)).dtype == np.float32
    assert operations.to_one_size(floats, (5, 5)).dtype == np.uint8
    assert operations.to_uint8(floats[0]).tolist() == small.tolist()


def test_filters_by_name():
    image = picture(9, 9)
    for name in ('box', 'bilinear', 'bicubic', 'lanczos'):
        [found] = operations.to_one_size([image], (4, 5), name)
        how = Image.Resampling[name.upper()]
        expected = Image.fromarray(image).resize((5, 4), how)
        np.testing.assert_array_equal(found, np.asarray(expected))


def test_saved_pictures_are_read_as_they_were(tmp_path):
    image = picture(6, 7)
    operations.save_png(tmp_path / 'a' / 'x.png', image)
    operations.save_png(tmp_path / 'a' / 'y.png', np.float32(image) / 255)
    for name in ('x', 'y'):
        with Image.open(tmp_path / f'a/{name}.png') as found:
            np.testing.assert_array_equal(np.asarray(found), image)
    written = (tmp_path / 'a' / 'x.png').read_bytes()
    assert operations.png_bytes(image) == written


def test_other_whole_numbers_are_refused():
    operations.check_kind(picture(2, 2))
    operations.check_kind(np.zeros((2, 2, 3), np.float16))
    with pytest.raises(InputError, match='int64'):
        operations.check_kind(np.zeros((2, 2, 3), np.int64))


def test_pictures_become_like_others():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 6, 6, 3), np.uint8)
    shown = rng.integers(0, 256, (12, 6, 6, 3), np.uint8)
    same, told = operations.alike(images, shown)
    assert same is images and told == []
    shown[:, :2] = 99  # A background, but colours.
    found, told = operations.alike(images, shown)
    assert (found[:, :2] == 99).all() and len(told) == 1
    np.testing.assert_array_equal(found[:, 2:], images[:, 2:])
    shown[..., 1:] = shown[..., :1]
    found, told = operations.alike(images, shown)
    assert told[0] == 'turned grey' and '33%' in told[1]
    luma = 0.299 * images[..., 0] + 0.587 * images[..., 1]
    luma += 0.114 * images[..., 2]
    np.testing.assert_allclose(found[:, 2:, :, 0], luma[:, 2:], atol=0.51)
    assert (found == found[..., :1]).all()
    few, _ = operations.alike(images, shown[:9])  # May agree by chance.
    assert (few[:, :2] != 99).any()

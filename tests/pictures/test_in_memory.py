"""Pictures that are held already: arrays, lists, dictionaries."""

import numpy as np
import pytest
from PIL import Image

from brainjax.errors import InputError
from brainjax.pictures import load

RNG = np.random.default_rng(0)
UINT8 = RNG.integers(0, 256, (3, 8, 8, 3), np.uint8)


@pytest.mark.parametrize(
    'given',
    [
        UINT8,
        [*UINT8],
        UINT8 / 255,
        [Image.fromarray(image) for image in UINT8],
        dict(zip('abc', UINT8)),
        np.concatenate([UINT8, np.full((3, 8, 8, 1), 255, np.uint8)], -1),
    ],
    ids=['array', 'list', 'floats', 'Pillow', 'dictionary', 'opaque'],
)
def test_pictures_of_any_kind_are_the_same(given):
    images, names = load(given, 8)
    np.testing.assert_array_equal(images, UINT8)
    first = 'a' if isinstance(given, dict) else 'picture-0001'
    assert names[0] == first


def test_paths_in_a_list_name_their_pictures(tmp_path):
    path = tmp_path / 'x.png'
    Image.fromarray(UINT8[0]).save(path)
    images, names = load([path], 8, cached=True)
    np.testing.assert_array_equal(images[0], UINT8[0])
    assert names == [str(path)]


@pytest.mark.parametrize(
    ('given', 'says'),
    [
        (np.int64(UINT8), r'holds int64 from .*\.astype\(np\.uint8\)'),
        (np.int64(UINT8 > 99), 'holds int64 from 0 to 1; give uint8 from 0'),
        (UINT8.astype(np.float32), 'divide by 255, or give uint8'),
        (UINT8 / 127.5 - 1, r'bring them to 0\.\.1: \(x \+ 1\) / 2'),
        (UINT8 / 40.0 - 3, 'undo their normalisation'),
        (np.where(UINT8 > 9, 0.5, np.nan), 'replace what is NaN'),
        (UINT8.transpose(0, 3, 1, 2), r'transpose\(0, 2, 3, 1\)'),
        ([UINT8[0].transpose(2, 0, 1)], r'transpose\(1, 2, 0\)'),
        (UINT8[..., :2], '2 channels in the place of 3'),
        (UINT8.reshape(3, -1), r'shape \(3, 192\)'),
        ({'a': UINT8}, r'pictures: a has shape \(3, 8, 8, 3\)'),
        ({1: UINT8[0], '1': UINT8[1]}, "two of the name '1'"),
        (['nowhere.png'], 'nowhere.png, given for'),
        ([], 'pictures is empty'),
        (7, r'shape \(\)'),
        (['a', UINT8[0]], 'a, given for picture-0001, does not exist'),
        ([None], 'holds object'),
        ([[[1], [2, 3]]], 'cannot be made an array'),
    ],
)
def test_what_is_wrong_is_one_sentence(given, says):
    with pytest.raises(InputError, match=says) as found:
        load(given, 8)
    assert '\n' not in str(found.value)


def test_transparent_pictures_are_told_or_refused():
    clear = {'a': np.zeros((8, 8, 4), np.uint8)}
    told = []
    images, _ = load(clear, 8, tell=told.append)
    assert (images == 128).all() and 'transparent in places' in told[0]
    with pytest.raises(InputError, match='pictures: picture a cannot be'):
        load(clear, 8, alpha='refuse')

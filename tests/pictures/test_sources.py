"""The same pictures from every kind of source."""

import contextlib
import os
import tarfile
import zipfile

import h5py
import numpy as np
import pytest
from PIL import Image

from brainjax.errors import InputError
from brainjax.pictures import load, loading, operations, sources

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8)
NAMES = ('b/one.png', 'b/two.PNG', 'c.x.bmp', 'd.tif')


def write_folder(path):
    for name, image in zip(NAMES, IMAGES):
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(file)
    return path


def quiet(source, **options):
    told = []
    images, names = load(source, 8, tell=told.append, **options)
    return images, names, told


def test_folders_and_archives(tmp_path):
    folder = write_folder(tmp_path / 'folder')
    with tarfile.open(tmp_path / 'x.tar', 'w') as archive:
        archive.add(folder, '.')
    with zipfile.ZipFile(tmp_path / 'x.zip', 'w') as archive:
        for name in NAMES:
            archive.write(folder / name, name)
    for source in (folder, tmp_path / 'x.tar', tmp_path / 'x.zip'):
        images, names, told = quiet(source)
        assert dict(zip(names, images.tolist())) == dict(
            zip(NAMES, IMAGES.tolist())
        )
        assert not told


def test_what_is_skipped_is_counted_and_said(tmp_path):
    folder = write_folder(tmp_path / 'folder')
    (folder / 'b' / '._one.png').write_bytes(b'\0\5\x16\7')
    (folder / '.DS_Store').write_bytes(b'')
    (folder / 'e.heic').write_bytes(b'')
    (folder / 'notes.txt').write_bytes(b'')
    with tarfile.open(tmp_path / 'x.tar', 'w') as archive:
        archive.add(folder, '.')
    for source in (folder, tmp_path / 'x.tar'):
        _, names, told = quiet(source)
        assert sorted(names) == sorted(NAMES)
        assert told == [
            f'{source}: 4 of 8 files are skipped as no pictures: .DS_Store, '
            'b/._one.png, e.heic and 1 more.'
        ]


def test_arrays(tmp_path):
    names = np.array(['p', 'q', 'r', 's'])
    floats = np.float32(IMAGES) / 255
    np.savez(tmp_path / 'a.npz', images=IMAGES, names=names, more=names == 'p')
    np.savez_compressed(tmp_path / 'b.npz', images=floats, names=names)
    np.savez(tmp_path / 'c.npz', shown=IMAGES)
    np.savez(tmp_path / 'grey.npz', images=IMAGES[..., 0])
    np.save(tmp_path / 'd.npy', IMAGES)
    with h5py.File(tmp_path / 'e.h5', 'w') as file:
        file['faces'] = IMAGES
    with h5py.File(tmp_path / 'f.h5', 'w') as file:
        file['faces'], file['names'] = IMAGES, names.tolist()
    for name, first in (
        ('a.npz', 'p'),
        ('b.npz', 'p'),
        ('c.npz', 'shown-0001'),
        ('d.npy', 'd-0001'),
        ('e.h5', 'faces-00001'),
        ('f.h5', 'p'),
    ):
        images, found, told = quiet(tmp_path / name)
        np.testing.assert_array_equal(images, IMAGES, err_msg=name)
        assert found[0] == first and len(found) == 4 and not told
    images, *_ = quiet(tmp_path / 'grey.npz')
    np.testing.assert_array_equal(images[..., 2], IMAGES[..., 0])


def test_transparent_arrays_lie_on_grey(tmp_path):
    alpha = np.zeros((4, 8, 8, 1), np.uint8)
    np.save(tmp_path / 'a.npy', np.concatenate([IMAGES, alpha], axis=-1))
    images, _, told = quiet(tmp_path / 'a.npy')
    assert (images == 128).all()
    assert '4 of 4 pictures are transparent' in told[0]
    images, *_ = quiet(tmp_path / 'a.npy', alpha='white')
    assert (images == 255).all()


@pytest.mark.parametrize(
    ('arrays', 'words'),
    [
        ({'images': IMAGES.transpose(0, 3, 1, 2)}, r'transpose\(0, 2, 3, 1\)'),
        ({'images': IMAGES[..., :2]}, r'images has shape \(4, 8, 8, 2\)'),
        ({'images': IMAGES.reshape(4, -1)}, 'pictures are .n, height, width'),
        ({'images': IMAGES[None]}, 'pictures are .n, height, width'),
        ({'images': IMAGES.astype(int)}, 'images is int64; give uint8'),
        ({'images': np.float32(IMAGES)}, 'values from 0 to 249 where floats'),
        ({'a': IMAGES, 'b': IMAGES}, 'holds 2 arrays of pictures.*a, b; give'),
        ({'x': np.zeros(3)}, 'holds 0 arrays of pictures'),
        ({'images': IMAGES, 'names': np.arange(4)}, 'one text a picture'),
    ],
)
def test_arrays_that_are_no_pictures(tmp_path, arrays, words):
    np.savez(tmp_path / 'x.npz', **arrays)
    with pytest.raises(InputError, match=words):
        quiet(tmp_path / 'x.npz')


def test_a_linked_array_is_never_opened(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    with h5py.File(tmp_path / 'x.h5', 'w') as file:
        file['x'] = h5py.ExternalLink('pipe', '/x')
    with pytest.raises(InputError, match='holds 0 arrays of uint8 pictures'):
        quiet(tmp_path / 'x.h5')


def test_one_picture_is_no_source(tmp_path):
    folder = write_folder(tmp_path / 'folder')
    with pytest.raises(InputError, match='is one picture; give the folder'):
        quiet(folder / 'd.tif')


def test_pictures_of_a_source_in_any_order(tmp_path):
    write_folder(tmp_path)
    with contextlib.ExitStack() as stack:
        found = sources.open_source(tmp_path, None, stack)
        images, _ = loading.decode_chosen(found, [2, 0], tmp_path)
    np.testing.assert_array_equal(images, IMAGES[[2, 0]])


@pytest.mark.parametrize('name', operations.FITS)
def test_ways_to_fit(tmp_path, name):
    wide = np.random.default_rng(1).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(wide).save(tmp_path / 'a.png')
    if name == 'unchanged':
        with pytest.raises(InputError, match='30 x 20 px where others have'):
            load(tmp_path, 10, fit=name)
        return
    [image], _ = load(tmp_path, 10, fit=name)
    expected = {
        'whole': Image.fromarray(wide).resize((10, 10), Image.BICUBIC),
        'lanczos': Image.fromarray(wide).resize((10, 10), Image.LANCZOS),
        'centre': Image.fromarray(wide)
        .resize((15, 10), Image.BILINEAR)
        .crop((2, 0, 12, 10)),
        'whole box': Image.fromarray(wide).resize((10, 10), Image.BOX),
        'box': Image.fromarray(wide)
        .crop((5, 0, 25, 20))
        .resize((10, 10), Image.BOX),
    }[name]
    np.testing.assert_array_equal(image, np.asarray(expected))
    with pytest.raises(InputError, match="way to fit pictures 'wohle'"):
        load(tmp_path, 10, fit='wohle')


def test_inner_squares(tmp_path):
    wide = np.random.default_rng(1).integers(0, 256, (20, 31, 3), np.uint8)
    Image.fromarray(wide).save(tmp_path / 'a.png')
    [image], _ = load(tmp_path, 10, fit='inner:0.5')
    np.testing.assert_array_equal(image, wide[5:15, 10:20])
    for wrong in ('inner:', 'inner:two', 'inner:0', 'inner:1.1', 'inner:nan'):
        with pytest.raises(InputError, match=f'{wrong} is no way .* above 0'):
            load(tmp_path, 10, fit=wrong)

"""Folders, archives and npz files of pictures, whole and damaged."""

import tarfile
import unicodedata

import numpy as np
import pytest
from PIL import Image

from brainjax.errors import InputError
from brainjax.evaluation import folders

GENERATOR = np.random.default_rng(0)


def picture(*shape):
    return GENERATOR.integers(256, size=shape, dtype=np.uint8)


def write(folder, **arrays):
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        Image.fromarray(array).save(folder / f'{name}.png')
    return folder


def test_folder_archive_and_npz_are_the_same(tmp_path):
    images = {name: picture(12, 14, 3) for name in 'cab'}
    folder = write(tmp_path / 'pictures', **images)
    with tarfile.open(tmp_path / 'pictures.tar', 'w') as archive:
        archive.add(folder, 'pictures')
    np.savez(
        tmp_path / 'pictures.npz',
        images=np.stack(list(images.values())),
        names=np.array([f'{name}.png' for name in images]),
    )
    for source in ('pictures', 'pictures.tar', 'pictures.npz'):
        found = folders.read(tmp_path / source)
        assert sorted(found.names) == ['a', 'b', 'c']
        for name, image in zip(found.names, found.images):
            np.testing.assert_array_equal(image, images[name])


def test_grey_sixteen_bit_and_opaque_pictures(tmp_path):
    grey, deep = picture(6, 7), picture(6, 7).astype(np.uint16) * 256 + 17
    opaque = picture(6, 7, 4)
    opaque[..., 3] = 255
    write(tmp_path, grey=grey, deep=deep, opaque=opaque)
    found = dict(zip(*folders.read(tmp_path)[1::-1]))
    for name, expected in (
        ('grey', grey[..., None].repeat(3, 2)),
        ('deep', (deep >> 8).astype(np.uint8)[..., None].repeat(3, 2)),
        ('opaque', opaque[..., :3]),
    ):
        np.testing.assert_array_equal(found[name], expected, err_msg=name)


def test_transparent_and_damaged_pictures_are_named(tmp_path):
    clear = picture(6, 7, 4)
    folder = write(tmp_path / 'clear', x=clear)
    found = folders.read(folder)
    alpha = clear[..., 3:] / 255
    for image, below in (
        (found.images[0], 128),
        (folders.read(folder, alpha='black').images[0], 0),
        (folders.read(folder, alpha='white').images[0], 255),
    ):
        expected = alpha * clear[..., :3] + (1 - alpha) * below
        np.testing.assert_allclose(image, expected, atol=1)
    assert '1 of 1 pictures are transparent' in found.notes[0]
    with pytest.raises(InputError, match=r'x\.png .*transparent in places'):
        folders.read(folder, alpha='refuse')
    with pytest.raises(InputError, match="pixels 'gray'"):
        folders.read(folder, alpha='gray')
    folder = write(tmp_path / 'cut', y=picture(60, 60, 3))
    data = (folder / 'y.png').read_bytes()
    (folder / 'y.png').write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r'y\.png cannot be decoded'):
        folders.read(folder)
    (folder / 'y.png').write_bytes(b'no picture')
    with pytest.raises(InputError, match='none of PNG, JPEG'):
        folders.read(folder)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(InputError, match='holds no pictures'):
        folders.read(tmp_path / 'empty')
    with pytest.raises(InputError, match='does not exist'):
        folders.read(tmp_path / 'absent')


def test_bad_npz_files_are_named(tmp_path):
    images = picture(2, 6, 6, 3)
    for arrays, message in (
        ({'images': images}, "no 'names'"),
        ({'images': images, 'names': np.arange(2)}, 'one text a picture'),
        ({'images': images, 'names': np.array(['a'])}, 'one text a picture'),
        (
            {'images': np.array([None]), 'names': np.array(['a'])},
            'never loaded',
        ),
    ):
        np.savez(tmp_path / 'x.npz', **arrays)
        with pytest.raises(InputError, match=message):
            folders.read(tmp_path / 'x.npz')
    (tmp_path / 'x.npz').write_bytes(b'PK')
    with pytest.raises(InputError, match='not a complete npz'):
        folders.read(tmp_path / 'x.npz')


def test_the_test_pictures_of_images_112_bear_the_names_of_a_run(tmp_path):
    shown = np.float32(picture(3, 6, 6, 3) / 255)
    shown[0, 0, 0, 0] = 1.02  # As bicubic resizing overshoots.
    trained = np.zeros((5, 6, 6, 3), np.float32)
    np.savez(tmp_path / 'i.npz', train_images=trained, test_images=shown)
    found = folders.read(tmp_path / 'i.npz')
    assert found.names == ['test-0001', 'test-0002', 'test-0003']
    np.testing.assert_array_equal(found.images, shown.clip(0, 1))
    names = np.array(['test-0003', 'test-0001', 'test-0002'])
    np.savez(tmp_path / 'r.npz', images=trained[:3], names=names)
    made = folders.read(tmp_path / 'r.npz')
    assert folders.match(made, found, 'r', 'i') == [1, 2, 0]


def test_arrays_without_names_match_nothing(tmp_path):
    np.save(tmp_path / 'x.npy', picture(2, 6, 6, 3))
    with pytest.raises(InputError, match="no 'names', by which pictures are"):
        folders.read(tmp_path / 'x.npy')


def test_names_with_and_without_folders(tmp_path):
    write(tmp_path / 'a', x=picture(4, 4, 3))
    write(tmp_path / 'b', y=picture(4, 4, 3))
    assert folders.read(tmp_path).names == ['x', 'y']
    write(tmp_path / 'b', x=picture(4, 4, 3))
    assert folders.read(tmp_path).names == ['a/x', 'b/x', 'b/y']
    Image.new('RGB', (4, 4)).save(tmp_path / 'a' / 'x.jpg')
    with pytest.raises(InputError, match="two pictures named 'a/x'"):
        folders.read(tmp_path)


def test_matching_by_name(tmp_path):
    image = picture(4, 4, 3)
    truth = folders.read(write(tmp_path / 't', a=image, b=image, c=image))
    made = folders.read(write(tmp_path / 'r', a=image, c=image))
    with pytest.raises(InputError, match=r"no reconstruction of 'b' in TRUTH"):
        folders.match(made, truth, 'RECON', 'TRUTH')
    made = folders.Pictures([image] * 4, ['c', 'b', 'a', 'b2'], [''] * 4)
    with pytest.raises(InputError, match=r"no picture for 'b2' in RECON"):
        folders.match(made, truth, 'RECON', 'TRUTH')
    made = made._replace(names=['c', 'b', 'a'])
    assert folders.match(made, truth, 'RECON', 'TRUTH') == [2, 1, 0]
    typo = made._replace(names=['c', 'bb', 'a'])
    with pytest.raises(InputError, match="Did you mean 'bb'"):
        folders.match(typo, truth, 'RECON', 'TRUTH')


def test_accents_of_macos_are_the_same_names(tmp_path):
    for form in ('NFC', 'NFD'):
        path = tmp_path / form / unicodedata.normalize(form, 'caf\u00e9.png')
        path.parent.mkdir()
        Image.new('RGB', (4, 4)).save(path)
    first, second = (folders.read(tmp_path / x) for x in ('NFC', 'NFD'))
    assert folders.match(first, second, 'ours', 'theirs') == [0]

"""Unpaired pictures from folders, archives, TFDS and digits69."""

import contextlib
import io
import os
import subprocess
import sys
import tarfile

import numpy as np
import pytest
import tensorflow_datasets as tfds
from conftest import REPOSITORY, shared_data
from PIL import Image
from recording_files import digits_variables, write_digits

from brainjax.errors import InputError
from brainjax.pictures import loading, operations, sources


def encoded(array, kind='PNG', **options):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, kind, **options)
    return stream.getvalue()


def photograph(seed, height=20, width=30):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (5, 5, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height)))


def write_folder(path, n=6):
    """PNGs at two depths, and files that are none of our business."""
    for i in range(n):
        file = path / f'class{i % 2}' / f'{i}.png'
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded(photograph(i)))
    (path / 'notes.txt').write_text('hello')
    (path / 'class0' / '._0.png').write_text('written by a Macintosh')
    return path


def write_tar(path, folder, mode='w'):
    with tarfile.open(path, mode) as archive:
        archive.add(folder, '.')
    return path


def bilinear(image, height, width):
    """Bilinear resizing as a triangle filter, written from its definition."""

    def matrix(n, m):
        scale = n / m
        reach = max(scale, 1)
        centre = (np.arange(m) + 0.5) * scale - 0.5
        distance = np.abs(np.arange(n) - centre[:, None]) / reach
        weight = np.maximum(1 - distance, 0)
        return weight / weight.sum(axis=1, keepdims=True)

    rows, columns = image.shape[:2]
    return np.einsum(
        'yi,xj,ijc->yxc', matrix(rows, height), matrix(columns, width), image
    )


@pytest.mark.parametrize(
    ('height', 'width', 'resized', 'crop'),
    [
        (20, 30, (10, 15), np.s_[:, 2:12]),
        (40, 30, (13, 10), np.s_[2:12]),
        (7, 5, (14, 10), np.s_[2:12]),
        (10, 10, (10, 10), np.s_[:]),
    ],
)
def test_short_side_is_resized_and_the_centre_cropped(
    tmp_path, height, width, resized, crop
):
    original = photograph(0, height, width)
    (tmp_path / 'a.png').write_bytes(encoded(original))
    images, names = loading.load(tmp_path, 10)
    expected = bilinear(original, *resized)[crop]
    assert names == ['a.png']
    assert images.dtype == np.uint8
    np.testing.assert_allclose(images[0], expected, atol=1.01)
    np.testing.assert_array_equal(operations.resize(original[None], 10), images)


def test_folder_is_searched_in_order(tmp_path):
    images, names = loading.load(write_folder(tmp_path), 20)
    assert names == [f'class{i % 2}/{i}.png' for i in (0, 2, 4, 1, 3, 5)]
    np.testing.assert_array_equal(images[3], photograph(1)[:, 5:25])


@pytest.mark.parametrize('mode', ['w', 'w:gz', 'w:xz'])
def test_archive_gives_what_the_folder_gives(tmp_path, mode):
    folder = write_folder(tmp_path / 'folder')
    archive = write_tar(tmp_path / 'pictures.tar', folder, mode)
    images, names = loading.load(archive, 10)
    expected, paths = loading.load(folder, 10)
    order = [names.index(path) for path in paths]
    assert sorted(order) == list(range(6))
    np.testing.assert_array_equal(images[order], expected)


def test_limit_draws_with_its_seed(tmp_path):
    write_folder(tmp_path, 20)
    everything, names = loading.load(tmp_path, 8)
    draws = []
    for seed in (0, 0, 1):
        images, chosen = loading.load(tmp_path, 8, limit=7, seed=seed)
        places = [names.index(name) for name in chosen]
        assert places == sorted(set(places)) and len(places) == 7
        np.testing.assert_array_equal(images, everything[places])
        draws.append(chosen)
    assert draws[0] == draws[1] != draws[2]
    assert loading.load(tmp_path, 8, limit=99)[1] == names


def test_every_kind_of_png_and_jpeg_becomes_rgb(tmp_path):
    picture = photograph(0, 16, 16)
    grey = picture[..., 0]
    deep = grey.astype(np.uint16) * 257
    for name, content in {
        'a_grey.png': encoded(grey),
        'b_deep.png': encoded(deep),
        'c_alpha.png': encoded(np.dstack([picture, grey])),
        'd_grey.JPEG': encoded(grey, 'JPEG', quality=95),
        'e_colour.jpg': encoded(picture, 'JPEG', quality=95, subsampling=0),
    }.items():
        (tmp_path / name).write_bytes(content)
    told = []
    images, names = loading.load(tmp_path, 16, tell=told.append)
    assert len(names) == 5
    assert '1 of 5 pictures are transparent' in told[0]
    repeated = np.repeat(grey[..., None], 3, axis=2)
    alpha = repeated / 255
    on_grey = alpha * picture + (1 - alpha) * 128
    for image, expected, tolerance in zip(
        images,
        (repeated, repeated, on_grey, repeated, picture),
        (0, 0, 1, 9, 30),
    ):
        np.testing.assert_allclose(
            image.astype(int), expected.astype(int), atol=tolerance
        )


def test_digits_that_were_not_shown(tmp_path):
    path = write_digits(tmp_path)
    images, names = loading.load(path, 28)
    assert names[:2] == ['prior-0000', 'prior-0001']
    np.testing.assert_array_equal(
        images[..., 1],
        digits_variables()['X_prior'].reshape(6, 28, 28).transpose(0, 2, 1),
    )
    assert loading.load(path, 14, limit=2)[0].shape == (2, 14, 14, 3)


def test_cached_pictures_are_mapped_and_made_anew(tmp_path, monkeypatch):
    monkeypatch.setenv('BRAINJAX_CACHE', str(tmp_path / 'cache'))
    folder = write_folder(tmp_path / 'folder')
    expected, names = loading.load(folder, 8)
    for _ in range(2):
        images, found = loading.load(folder, 8, cached=True)
        assert isinstance(images, np.memmap) and not images.flags.writeable
        np.testing.assert_array_equal(images, expected)
        assert found == names
    kept = tmp_path / 'cache' / 'pictures'
    assert len(list(kept.glob('*.npy'))) == 1
    loading.load(folder, 9, cached=True)
    loading.load(folder, 8, limit=2, cached=True)
    assert len(list(kept.glob('*.npy'))) == 3
    (folder / 'class0' / '0.png').write_bytes(encoded(photograph(77)))
    images, _ = loading.load(folder, 8, cached=True)
    np.testing.assert_array_equal(images, loading.load(folder, 8)[0])
    assert (images[0] != expected[0]).any()
    (folder / 'class0' / '0.png').write_bytes(b'broken')
    before = sorted(kept.iterdir())
    with pytest.raises(InputError, match='cannot be decoded'):
        loading.load(folder, 8, cached=True)
    assert sorted(kept.iterdir()) == before


def test_a_damaged_cache_is_noticed_and_made_again(tmp_path, monkeypatch):
    monkeypatch.setenv('BRAINJAX_CACHE', str(tmp_path / 'cache'))
    folder = write_folder(tmp_path / 'folder')
    (folder / 'x.png').write_bytes(encoded(np.zeros((9, 9, 4), np.uint8)))
    told = []

    def cached():
        return loading.load(folder, 8, cached=True, tell=told.append)[0]

    expected = cached().copy()
    [kept] = (tmp_path / 'cache' / 'pictures').glob('*.npy')
    whole = kept.read_bytes()
    flipped = bytearray(whole)
    flipped[-100] ^= 1
    about = kept.with_suffix('.json')
    for content in (flipped, whole[:-1], whole[:50], b'', whole + b'x'):
        kept.write_bytes(content)
        np.testing.assert_array_equal(cached(), expected)
        assert kept.read_bytes() == whole
    for text in ('', '{', '[]', '{}', '{"crc32": "a", "transparent": null}'):
        about.write_text(text)
        np.testing.assert_array_equal(cached(), expected)
        assert about.read_text().startswith('{\n')
    changed = kept.stat().st_mtime_ns
    cached()
    assert kept.stat().st_mtime_ns == changed
    assert sum('1 of 7 pictures are transparent' in text for text in told) == 12


def test_a_damaged_picture_is_named(tmp_path):
    folder = write_folder(tmp_path / 'folder')
    whole = (folder / 'class0' / '2.png').read_bytes()
    photo = encoded(photograph(0, 64, 64), 'JPEG')
    for name, content, reason in (
        ('2.png', b'hello', 'none of PNG, JPEG'),
        ('2.png', b'', 'none of PNG, JPEG'),
        ('2.png', whole[: len(whole) // 2], '.*'),
        ('2.png', whole[:60] + b'\0\0' + whole[62:], '.*'),
        ('x.jpg', photo[:-100], 'image file is truncated'),
    ):
        file = folder / 'class0' / name
        file.write_bytes(content)
        archive = write_tar(tmp_path / 'pictures.tar', folder)
        for source in (folder, archive):
            with pytest.raises(
                InputError,
                match=f'^{source}: picture class0/{name} cannot be '
                rf'decoded \({reason}',
            ):
                loading.load(source, 8)
        file.write_bytes(whole)


def test_a_damaged_archive_is_named(tmp_path):
    folder = write_folder(tmp_path / 'folder')
    for mode in ('w', 'w:gz', 'w:xz', 'w:bz2'):
        path = write_tar(tmp_path / 'pictures.tar', folder, mode)
        content = path.read_bytes()
        for length in (0, 100, len(content) // 3, len(content) // 2):
            path.write_bytes(content[:length])
            with pytest.raises(
                InputError, match=f'^{path} is n(ot a complete|either a) tar'
            ):
                loading.load(path, 8)


def test_a_source_that_is_none_is_one_sentence(tmp_path):
    empty = tmp_path / 'empty'
    empty.mkdir()
    text = tmp_path / 'notes.txt'
    text.write_text('hello')
    for source, words in (
        (tmp_path / 'no', 'no does not exist; give a folder, a tar'),
        (empty, 'empty holds no pictures; give one with .png, .jpg'),
        (text, 'notes.txt is neither a tar nor a zip archive; give one'),
        (write_tar(tmp_path / 'e.tar', empty), 'e.tar holds no pictures'),
        ('tfds:mnist', 'tfds:mnist lacks the name or the split'),
        ('tfds:/train', 'lacks the name or the split'),
    ):
        with pytest.raises(InputError, match=words):
            loading.load(source, 8)


class TinyScenes(tfds.core.GeneratorBasedBuilder):
    """Seven pictures for training and three for testing."""

    VERSION = tfds.core.Version('1.0.0')

    def _info(self):
        features = {
            'image': tfds.features.Image(shape=(None, None, 3)),
            'label': tfds.features.ClassLabel(num_classes=3),
        }
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(features)
        )

    def _split_generators(self, dl_manager):
        return {
            'train': self._generate_examples(range(7)),
            'test': self._generate_examples(range(7, 10)),
        }

    def _generate_examples(self, seeds):
        for seed in seeds:
            image = encoded(photograph(seed))
            yield seed, {'image': image, 'label': seed % 3}


class TinyWords(tfds.core.GeneratorBasedBuilder):
    """A data set without pictures."""

    VERSION = tfds.core.Version('1.0.0')

    def _info(self):
        features = tfds.features.FeaturesDict({'word': tfds.features.Text()})
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        return {'train': self._generate_examples()}

    def _generate_examples(self):
        yield 0, {'word': 'hello'}


@pytest.fixture(scope='module')
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp('tfds')
    for builder in (TinyScenes, TinyWords):
        builder(
            data_dir=folder, file_format='array_record'
        ).download_and_prepare()
    return folder


def test_tfds(prepared, monkeypatch):
    images, names = loading.load(
        'tfds:tiny_scenes/train', 20, data_dir=prepared
    )
    assert names[-1] == 'tiny_scenes/train/000006'
    expected = np.stack([photograph(i)[:, 5:25] for i in range(7)])
    # TFDS shuffles when it prepares.
    order = [
        int(np.flatnonzero((image == expected).all(axis=(1, 2, 3)))[0])
        for image in images
    ]
    assert sorted(order) == list(range(7))
    monkeypatch.setenv('TFDS_DATA_DIR', str(prepared))
    for spec, n in (
        ('tfds:tiny_scenes/test', 3),
        ('tfds:tiny_scenes/train[:4]', 4),
        ('tfds:tiny_scenes:1.0.0/train', 7),
    ):
        assert len(loading.load(spec, 8)[0]) == n
    some, chosen = loading.load('tfds:tiny_scenes/train', 20, limit=3)
    places = [names.index(name) for name in chosen]
    np.testing.assert_array_equal(some, images[places])


def test_tfds_needs_no_tensorflow(prepared):
    code = (
        'import sys\n'
        'from brainjax.pictures import loading\n'
        f'images, _ = loading.load("tfds:tiny_scenes/train", 8, '
        f'data_dir={str(prepared)!r})\n'
        'print(images.shape, "tensorflow" in sys.modules)'
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        env={**os.environ, 'PYTHONPATH': str(REPOSITORY)},
    )
    assert done.stdout.strip() == '(7, 8, 8, 3) False', done.stderr


def test_tfds_that_cannot_be_used_is_one_sentence(prepared, tmp_path):
    def problem(spec, folder):
        with pytest.raises(InputError) as caught:
            loading.load(spec, 8, data_dir=folder)
        assert '\n' not in str(caught.value)
        return str(caught.value)

    for name in ('imagenet2012', 'celeb_a', 'nonesuch'):
        assert problem(f'tfds:{name}/train', tmp_path) == (
            f'{name} is not prepared in {tmp_path}; prepare it once, where '
            f'TensorFlow is installed, with: tfds build {name} '
            f'--data_dir={tmp_path} --file_format=array_record'
        )
    assert "Unknown split 'val'" in problem('tfds:tiny_scenes/val', prepared)
    assert "no feature named 'image'" in problem(
        'tfds:tiny_words/train', prepared
    )


def test_tfds_in_another_format_or_damaged_is_one_sentence(tmp_path):
    TinyScenes(
        data_dir=tmp_path, file_format='array_record'
    ).download_and_prepare()
    folder = tmp_path / 'tiny_scenes' / '1.0.0'
    info = folder / 'dataset_info.json'
    text = info.read_text()
    info.write_text(text.replace('array_record', 'tfrecord'))
    with pytest.raises(InputError, match='tfds convert_format --dataset_dir='):
        loading.load('tfds:tiny_scenes/train', 8, data_dir=tmp_path)
    info.write_text(text)
    (shard,) = folder.glob('*train*')
    content = shard.read_bytes()
    shard.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match='tiny_scenes/train'):
        loading.load('tfds:tiny_scenes/train', 8, data_dir=tmp_path)
    shard.unlink()
    with pytest.raises(InputError, match='is damaged'):
        loading.load('tfds:tiny_scenes/train', 8, data_dir=tmp_path)


def test_a_real_archive():
    path = shared_data('tiny_imagenet_10k.tar')
    images, names = loading.load(path, 64, limit=200, seed=1)
    with (
        tarfile.open(path) as archive,
        Image.open(archive.extractfile(names[10])) as image,
    ):
        expected = np.asarray(image.convert('RGB'))
    np.testing.assert_array_equal(images[10], expected)
    assert len({name.split('/')[1] for name in names}) > 100


def test_whole_pictures_are_squeezed(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (20, 40, 3), np.uint8)
    Image.fromarray(image).save(tmp_path / 'a.png')
    expected = Image.fromarray(image).resize((16, 16))  # bicubic
    with contextlib.ExitStack() as stack:
        found = sources.open_source(tmp_path, None, stack)
        [[squeezed], _] = loading.decode_chosen(
            found, [0], tmp_path, 16, 'whole'
        )
        [[centre], _] = loading.decode_chosen(found, [0], tmp_path, 16)
    np.testing.assert_array_equal(squeezed, expected)
    assert np.any(centre != squeezed)


def test_tfds_is_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, 'tensorflow_datasets', None)
    with pytest.raises(InputError, match=r"pip install 'brainjax\[tfds\]'"):
        loading.load('tfds:mnist/test', 28)

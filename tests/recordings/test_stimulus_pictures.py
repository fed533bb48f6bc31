"""The pictures of stimuli, and how readers of recordings are told of them."""

import numpy as np
import pytest
import tiny
import tiny_inversion
from PIL import Image

from brainjax.errors import InputError
from brainjax.methods import METHODS
from brainjax.pictures import load
from brainjax.pictures.names import stem
from brainjax.recordings import conversion, open_recording, stimulus_pictures


@pytest.mark.parametrize('suffix', ['bmp', 'gif', 'tif', 'webp', 'jpg'])
def test_stimuli_of_any_kind_of_file(tmp_path, suffix):
    Image.new('RGB', (8, 8), (9, 9, 9)).save(tmp_path / f'u032.{suffix}')
    images, told = stimulus_pictures.join(['u032'], tmp_path)
    assert (images == 9).all() and not told


def test_what_was_filled_in_or_skipped_is_said(tmp_path):
    Image.new('RGBA', (8, 8)).save(tmp_path / 'a.png')
    (tmp_path / 'notes.txt').write_text('')
    images, told = stimulus_pictures.join(['a'], tmp_path)
    assert (images == 128).all()
    assert 'skipped as no pictures: notes.txt' in told[0]
    assert '1 of 1 pictures are transparent' in told[1]
    images, _ = stimulus_pictures.join(['a'], tmp_path, alpha='white')
    assert (images == 255).all()


def by_stem(images, names):
    return {stem(name): image for name, image in zip(names, images)}


@pytest.fixture
def wide(tmp_path):
    """BData and BIDS of a subject who saw wide pictures, half turned."""
    recording = tiny.subject()
    folder = tmp_path / 'wide'
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i, name in enumerate(recording.stimuli.names):
        exif = Image.Exif()
        exif[0x0112] = 1 if i % 2 else 3
        Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8)).save(
            folder / f'{name}.png', exif=exif
        )
    paths = {}
    for form, name in (('bdata', 'x.h5'), ('bids', 'bids'), ('nsd', 'nsd')):
        written, _ = conversion.convert(recording, tmp_path / name, form)
        paths[form] = written[0]
    return paths, folder


@pytest.mark.parametrize('form', ['bdata', 'bids'])
def test_readers_take_how_pictures_are_read(wide, form):
    paths, folder = wide
    options = {'pictures': folder, 'size': 12}
    for how in (
        {},
        {'fit': 'whole'},
        {'upright': False},
        {'alpha': 'white', 'fit': 'lanczos'},
    ):
        found = open_recording(paths[form], **options, **how).stimuli
        images, names = load(folder, 12, **how)
        expected = {
            name.removesuffix('.png'): x for name, x in zip(names, images)
        }
        for name, image in zip(found.names, found.images):
            np.testing.assert_array_equal(image, expected[name])
    for wrong, words in (
        ({'fit': 'hole'}, "way to fit pictures 'hole'. Did you mean 'whole'"),
        ({'alpha': 'gray'}, "pixels 'gray'. Did you mean 'grey'"),
        ({'upright': 'no'}, "upright is 'no'; give true"),
    ):
        with pytest.raises(InputError, match=words):
            open_recording(paths[form], **options, **wrong)


def test_inversion_sees_whole_pictures_as_features_do(wide):
    paths, folder = wide
    config = tiny_inversion.get_config(
        recording__path=str(paths['bdata']), recording__images=str(folder)
    )
    recording, *_ = METHODS['inversion'].load(config)
    expected = by_stem(*load(folder, config.size, fit='whole'))
    for name, image in zip(recording.stimuli.names, recording.stimuli.images):
        np.testing.assert_array_equal(image, expected[name])

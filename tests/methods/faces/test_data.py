import math

import numpy as np
import pytest
import tiny_faces
from PIL import Image

from brainjax.errors import InputError
from brainjax.methods.faces import data as faces_data
from brainjax.pictures import operations
from brainjax.recordings import conversion


@pytest.mark.parametrize(
    ('name', 'value', 'message'),
    [
        ('pictures.crop', 0.0, 'is 0; give a part above 0 and up to 1'),
        ('pictures.crop', 1.2, 'is 1.2; give a part above 0'),
        ('training.epochs', 0, 'is 0; give a whole number from 1'),
        ('training.epochs', -3, 'is -3; give a whole number from 1'),
        ('training.steps', 0, 'is 0; give a whole number from 1'),
        ('training.batch', 0, 'is 0, which does not divide'),
        ('training.learning_rate', -1.0, 'is -1; give a number above 0'),
        ('training.learning_rate', math.nan, 'is nan; give a number above 0'),
        ('training.learning_rate', math.inf, 'is inf; give a number above 0'),
        ('training.rates', (1.0, -1.0, 1.0), 'is 1, -1, 1; give a number from'),
        ('training.rates', (1.0, 1.0), 'encoder, generator, discriminator'),
        ('training.drops', ((1, 0.3), (2, 0.0)), 'is 0.3, 0; give a number'),
        ('training.warmup', -1, 'is -1; give a number from 0'),
        ('training.kl', -0.1, 'is -0.1; give a number from 0'),
        ('networks.latents', 0, 'is 0; give a whole number from 1'),
        ('networks.width', 0.0, 'is 0; give a number above 0'),
        ('networks.channels', (4, 0), 'is 4, 0; give a whole number from 1'),
        ('map.ridge', -1.0, 'is -1; give a number from 0'),
        ('map.voxels', math.nan, 'is nan; give a part above 0'),
        ('pca.components', -1, 'is -1; give a number from 0'),
        ('checkpoint_every', 0, 'is 0; give a whole number from 1'),
    ],
)
def test_values_without_sense_are_refused_first(name, value, message):
    config = tiny_faces.get_config()
    config.update_from_flattened_dict({name: value})
    config.recording.path = 'nowhere'  # It is not even looked for.
    with pytest.raises(InputError, match=message) as error:
        faces_data.load(config)
    assert name in str(error.value) and '\n' not in str(error.value)


def test_networks_without_layers():
    config = tiny_faces.get_config()
    config.networks.channels = ()
    with pytest.raises(InputError, match='cannot be halved by 0 layers'):
        faces_data.check_config(config)


def test_a_vaegan_that_is_loaded_wants_no_pictures(tmp_path):
    """Neither a path nor, for a simulated subject, what is left over."""
    config = tiny_faces.get_run_config()
    recording, *_ = faces_data.load(config)
    written, _ = conversion.convert(recording, tmp_path / 'faces.h5', 'bdata')
    config.networks.weights = 'vaegan_celeba.ckpt'
    _, pictures, *_ = faces_data.load(config)
    assert pictures.shape == (0, 16, 16, 3)
    config.recording.path, config.recording.images = map(str, written)
    opened, pictures, *_ = faces_data.load(config)
    assert len(opened.train) == 40 and pictures.shape == (0, 16, 16, 3)
    config.networks.weights = ''  # Trained: it says what it wants.
    with pytest.raises(InputError, match=r'config.pictures.path is empty: na'):
        faces_data.load(config)


def test_test_faces_are_for_nobody_else():
    config = tiny_faces.get_run_config()
    recording, pictures, *_ = faces_data.load(config)
    assert len(recording.train) == 40
    test = np.unique(recording.test.stimulus)
    kinds = [recording.stimuli.categories[i] for i in test]
    assert sorted(kinds) == ['female'] * 3 + ['male'] * 3
    assert len(pictures) == 60 - 6
    known = {image.tobytes() for image in pictures}
    images = recording.stimuli.images
    assert not known & {image.tobytes() for image in images[test]}
    assert known > {image.tobytes() for image in images[:40]}


def test_pictures_of_a_recording_are_cut_like_the_others(tmp_path):
    config = tiny_faces.get_run_config()
    recording, *_ = faces_data.simulate(config)
    written, _ = conversion.convert(recording, tmp_path / 'faces.h5', 'bdata')
    config.recording.path, config.recording.images = map(str, written)
    config.pictures.path = config.recording.images
    config.pictures.crop = 0.75
    opened, faces, *_ = faces_data.load(config)
    whole = recording.stimuli.images
    inner = operations.FITS['centre']
    expected = {
        np.asarray(inner(Image.fromarray(image[2:14, 2:14]), 16)).tobytes()
        for image in whole
    }
    assert {image.tobytes() for image in opened.stimuli.images} == expected
    assert {image.tobytes() for image in faces} == expected

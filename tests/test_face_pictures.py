import numpy as np
import pytest
import tiny_faces
from conftest import shared_data
from PIL import Image

from brainjax.errors import InputError
from brainjax.methods import face_pictures


def test_a_square_of_the_centre_is_cut(tmp_path):
    """White inside of what is cut, black outside."""
    image = np.zeros((60, 40, 3), np.uint8)
    image[14:46, 4:36] = 255  # 0.8 times the short side.
    Image.fromarray(image).save(tmp_path / 'one.png')
    config = tiny_faces.get_config()
    config.pictures.path = str(tmp_path)
    assert config.pictures.crop == 0.8
    images, names = face_pictures.load(config)
    assert names == ['one.png'] and images.shape == (1, 16, 16, 3)
    assert images.dtype == np.uint8 and images[0, 1:-1, 1:-1].min() == 255
    config.pictures.crop = 1.0
    images, _ = face_pictures.load(config)
    assert images[0, 0].max() == 0 and images[0, 8, 8].min() == 255


def test_what_is_wrong():
    config = tiny_faces.get_config()
    with pytest.raises(InputError, match=r'config.pictures.path is empty: na'):
        face_pictures.load(config)
    config.pictures.path = 'somewhere'
    for crop in (0.0, 1.2):
        config.pictures.crop = crop
        with pytest.raises(InputError, match=r'config.pictures.crop is'):
            face_pictures.load(config)


def test_real_faces():
    config = tiny_faces.get_config()
    config.pictures.path = str(shared_data('faces_6k.tar'))
    config.pictures.update(number=8, crop=1.0)
    images, names = face_pictures.load(config)
    assert images.shape == (8, 16, 16, 3) and len(set(names)) == 8
    assert 20 < images.std() < 120

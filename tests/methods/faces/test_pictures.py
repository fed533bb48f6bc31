import numpy as np
import pytest
import tiny_faces
from conftest import shared_data
from PIL import Image

from brainjax.errors import InputError
from brainjax.methods.faces import pictures
from brainjax.methods.faces.config import vanrullen2019


def test_a_square_of_the_centre_is_cut(tmp_path):
    """White inside of what is cut, black outside."""
    image = np.zeros((60, 40, 3), np.uint8)
    image[14:46, 4:36] = 255  # 0.8 times the short side.
    Image.fromarray(image).save(tmp_path / 'one.png')
    config = tiny_faces.get_config()
    config.pictures.path = str(tmp_path)
    config.pictures.crop = 0.8
    images, names, _ = pictures.load_faces(config)
    assert names == ['one.png'] and images.shape == (1, 16, 16, 3)
    assert images.dtype == np.uint8 and images[0].min() == 255
    config.pictures.crop = 1.0
    images, *_ = pictures.load_faces(config)
    assert images[0, 0].max() == 0 and images[0, 8, 8].min() == 255


def test_of_celeba_the_inner_144_of_178_px_are_taken(tmp_path):
    """As the authors cut: 37 px above, 17 px at the left."""
    image = np.zeros((218, 178, 3), np.uint8)
    image[..., 0] = np.arange(178)
    image[..., 1] = np.arange(218)[:, None]
    Image.fromarray(image).save(tmp_path / 'one.png')
    config = vanrullen2019()
    config.pictures.path = str(tmp_path)
    [found], *_ = pictures.load_faces(config)
    assert found.shape == (128, 128, 3)
    inner = Image.fromarray(image[37:181, 17:161])
    expected = inner.resize((128, 128), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(found, expected)


def test_no_path():
    config = tiny_faces.get_config()
    with pytest.raises(InputError, match=r'config.pictures.path is empty: na'):
        pictures.load_faces(config)


def test_real_faces():
    config = tiny_faces.get_config()
    config.pictures.path = str(shared_data('faces_6k.tar'))
    config.pictures.update(number=8, crop=1.0)
    images, names, _ = pictures.load_faces(config)
    assert images.shape == (8, 16, 16, 3) and len(set(names)) == 8
    assert 20 < images[:].std() < 120


@pytest.mark.parametrize(
    ('names', 'expected'),
    [
        (['faces/50_0_0_2017.jpg', '24_1_4_2017.jpg'], ('male', 'female')),
        (['sub/F12.jpg', 'train_M3.jpg'], ('female', 'male')),
        (['face-0-00000-male', 'x/female.png'], ('male', 'female')),
        (['F12.jpg', 'somebody.jpg'], None),
    ],
)
def test_names_tell_gender(names, expected):
    assert pictures.genders(names) == expected

import numpy as np
import pytest
import tiny_faces
from conftest import shared_data
from PIL import Image

from brainjax.errors import InputError
from brainjax.methods.faces import data as faces_data


def test_a_square_of_the_centre_is_cut(tmp_path):
    """White inside of what is cut, black outside."""
    image = np.zeros((60, 40, 3), np.uint8)
    image[14:46, 4:36] = 255  # 0.8 times the short side.
    Image.fromarray(image).save(tmp_path / 'one.png')
    config = tiny_faces.get_config()
    config.pictures.path = str(tmp_path)
    assert config.pictures.crop == 0.8
    images, names = faces_data.load_faces(config)
    assert names == ['one.png'] and images.shape == (1, 16, 16, 3)
    assert images.dtype == np.uint8 and images[0, 1:-1, 1:-1].min() == 255
    config.pictures.crop = 1.0
    images, _ = faces_data.load_faces(config)
    assert images[0, 0].max() == 0 and images[0, 8, 8].min() == 255


def test_what_is_wrong():
    config = tiny_faces.get_config()
    with pytest.raises(InputError, match=r'config.pictures.path is empty: na'):
        faces_data.load_faces(config)
    config.pictures.path = 'somewhere'
    for crop in (0.0, 1.2):
        config.pictures.crop = crop
        with pytest.raises(InputError, match=r'config.pictures.crop is'):
            faces_data.load_faces(config)


def test_real_faces():
    config = tiny_faces.get_config()
    config.pictures.path = str(shared_data('faces_6k.tar'))
    config.pictures.update(number=8, crop=1.0)
    images, names = faces_data.load_faces(config)
    assert images.shape == (8, 16, 16, 3) and len(set(names)) == 8
    assert 20 < images.std() < 120


def test_test_faces_are_for_nobody_else():
    config = tiny_faces.get_run_config()
    recording, pictures = faces_data.load(config)
    assert len(recording.train) == 40
    test = np.unique(recording.test.stimulus)
    kinds = [recording.stimuli.categories[i] for i in test]
    assert sorted(kinds) == ['female'] * 3 + ['male'] * 3
    assert len(pictures) == 60 - 6
    known = {image.tobytes() for image in pictures}
    images = recording.stimuli.images
    assert not known & {image.tobytes() for image in images[test]}
    assert known > {image.tobytes() for image in images[:40]}


def test_near_copies_of_test_faces_are_left_out():
    images = tiny_faces.pictures(30)
    copy = np.uint8(np.clip(0.9 * images[[4]] + 3, 0, 255))
    kept = faces_data.without(images, copy)
    np.testing.assert_array_equal(kept, np.delete(images, 4, axis=0))
    assert faces_data.without(images[:0], copy).shape == (0, 16, 16, 3)


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
    assert faces_data.genders(names) == expected


def test_pictures_of_a_recording_are_cut_like_the_others(tmp_path):
    config = tiny_faces.get_run_config()
    recording, _ = faces_data.simulate(config)
    assert faces_data.cut_stimuli(recording, config) is recording
    config.pictures.crop = 0.8
    config.size = round(0.8 * 16)
    small = faces_data.cut_stimuli(recording, config).stimuli.images
    assert small.shape[1:] == (13, 13, 3)
    np.testing.assert_array_equal(
        small, recording.stimuli.images[:, 1:14, 1:14]
    )

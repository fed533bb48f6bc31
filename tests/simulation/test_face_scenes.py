import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.simulation.face_scenes import KINDS, faces


def test_faces_follow_from_seed_and_index():
    images, names, kinds = faces(5, 32, 3)
    assert images.shape == (5, 32, 32, 3) and images.dtype == np.uint8
    assert names[1] == 'face-3-00001-female' and kinds[:2] == KINDS
    more, _, _ = faces(70, 32, 3)
    np.testing.assert_array_equal(more[:5], images)
    other, _, _ = faces(5, 32, 4)
    assert all((a != b).any() for a, b in zip(images, other))


def test_kinds_differ_on_average_and_overlap():
    images, _, kinds = faces(400, 32, 0)
    flat = images.reshape(400, -1) / 255 - 0.5
    male = np.array(kinds) == 'male'
    train = np.arange(400) < 300
    axis = flat[male & train].mean(0) - flat[~male & train].mean(0)
    projection = (flat - flat[train].mean(0)) @ axis
    right = ((projection > 0) == male)[~train].mean()
    assert 0.6 < right < 1


def test_the_same_face_at_any_size():
    small, large = faces(8, 32, 1)[0], faces(8, 64, 1)[0]
    shrunk = large.reshape(8, 32, 2, 32, 2, 3).mean((2, 4))
    for a, b in zip(small, shrunk):
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.97


@pytest.mark.parametrize(
    ('arguments', 'what'),
    [((-1, 32, 0), 'n is -1'), ((1, 8, 0), 'size is 8'), ((1, 16, -1), 'seed')],
)
def test_numbers_that_cannot_be(arguments, what):
    with pytest.raises(InputError, match=what):
        faces(*arguments)

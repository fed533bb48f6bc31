import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.simulation.scenes import scenes
from brainjax.simulation.silhouettes import CATEGORIES


@pytest.fixture(scope='module')
def many():
    return scenes(140, 64, 3)


def test_the_same_call_draws_the_same_pictures(many):
    images, names, categories = scenes(140, 64, 3)
    np.testing.assert_array_equal(images, many[0])
    assert (names, categories) == many[1:]


@pytest.mark.parametrize('size', [64, 33])
def test_a_picture_depends_on_seed_and_index_alone(size):
    images, names, categories = scenes(40, size, 3)
    for n in (1, 5, 33):
        fewer = scenes(n, size, 3)
        np.testing.assert_array_equal(fewer[0], images[:n])
        assert fewer[1:] == (names[:n], categories[:n])


def test_no_two_pictures_are_alike(many):
    images = np.concatenate([many[0], scenes(60, 64, 4)[0]])
    coarse = images.reshape(len(images), 8, 8, 8, 8, 3).mean((2, 4))
    coarse = coarse.reshape(len(images), -1)
    apart = np.abs(coarse[:, None] - coarse).mean(-1)
    assert apart[~np.eye(len(images), dtype=bool)].min() > 8  # of 255


def test_amplitude_falls_as_in_natural_pictures(many):
    grey = many[0].mean(-1) / 255
    grey = grey - grey.mean((1, 2), keepdims=True)
    amplitude = np.abs(np.fft.fft2(grey)).mean(0)
    cycles = np.fft.fftfreq(64, 1 / 64)
    radius = np.round(np.hypot(cycles, cycles[:, None])).astype(int)
    rings = np.arange(1, 30)
    profile = [amplitude[radius == ring].mean() for ring in rings]
    slope, _ = np.polyfit(np.log(rings), np.log(profile), 1)
    assert -1.6 < slope < -0.8


def test_categories_are_balanced_and_named(many):
    _, names, categories = many
    for start in range(0, 140, len(CATEGORIES)):
        block = categories[start : start + len(CATEGORIES)]
        assert sorted(block) == sorted(CATEGORIES)
    assert categories[: len(CATEGORIES)] != categories[len(CATEGORIES) :][:14]
    assert len(set(names)) == 140
    assert names[12] == f'scene-3-00012-{categories[12]}'


def test_any_size_shows_the_same(many):
    large = scenes(30, 128, 3)[0].reshape(30, 64, 2, 64, 2, 3).mean((2, 4))
    small = many[0][:30].astype(float)
    assert np.abs(large - small).mean() < 4
    same = [
        np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(large, small)
    ]
    assert min(same) > 0.97


def test_colours_are_used_fully_and_evenly(many):
    images = many[0].astype(float) / 255
    assert 0.3 < images.mean() < 0.6
    assert images.std(axis=(1, 2)).min() > 0.05
    colour = images.max(-1) - images.min(-1)
    vivid = (colour > 0.5).mean((1, 2))  # the object, seldom anything else
    assert 0.05 < np.median(vivid) < 0.35


def test_none():
    images, names, categories = scenes(0, 16, 0)
    assert images.shape == (0, 16, 16, 3) and names == categories == ()


@pytest.mark.parametrize(
    ('n', 'size', 'seed', 'what'),
    [(-1, 64, 0, 'n is -1'), (1, 8, 0, 'size is 8'), (1, 64, -2, 'seed is -2')],
)
def test_wrong_numbers_are_named(n, size, seed, what):
    with pytest.raises(InputError, match=what):
        scenes(n, size, seed)

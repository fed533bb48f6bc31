import numpy as np
import pytest

from brainjax.simulation.scenes import scenes
from brainjax.simulation.silhouettes import CATEGORIES
from brainjax.simulation.visual_features import FAMILIES, GRID, features

ENDS = np.cumsum([*FAMILIES.values()])
ENERGY = slice(ENDS[1], ENDS[2])
SHAPE = slice(ENDS[3], ENDS[4])


@pytest.fixture(scope='module')
def seen():
    images, _, categories = scenes(140, 64, 3)
    return images, categories, features(images)


def test_luminance_and_colours_are_block_means(seen):
    images, _, maps = seen
    assert maps.shape == (140, ENDS[-1], GRID, GRID)
    assert maps.dtype == np.float32
    red, green, blue = np.moveaxis(
        images.reshape(-1, 32, 2, 32, 2, 3).mean((2, 4)) / 255, -1, 0
    )
    expected = [
        0.3 * red + 0.59 * green + 0.11 * blue - 0.5,
        red - green,
        blue - 0.5 * (red + green),
    ]
    np.testing.assert_allclose(
        maps[:, :3], np.stack(expected, 1), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize('frequency', [4, 8, 16])
@pytest.mark.parametrize('orientation', range(4))
def test_a_grating_excites_its_own_channel(frequency, orientation):
    place = (np.arange(64) + 0.5) / 64
    angle = orientation * np.pi / 4
    along = np.cos(angle) * place + np.sin(angle) * place[:, None]
    for phase in (0.3, 2):
        grating = 0.5 + 0.4 * np.cos(2 * np.pi * frequency * along + phase)
        image = np.repeat(grating[None, ..., None], 3, axis=-1)
        energy = features(image)[0, ENERGY, 8:-8, 8:-8]
        mean = energy.mean((1, 2)).reshape(3, 4)
        best = [4, 8, 16].index(frequency), orientation
        assert np.unravel_index(mean.argmax(), (3, 4)) == best
        # Half of a cosine's amplitude, whatever its phase.
        np.testing.assert_allclose(mean[best], 0.2, rtol=0.05)
        assert np.partition(mean.ravel(), -2)[-2] < 0.5 * mean[best]


def test_size_and_number_type_do_not_matter(seen):
    images, _, maps = seen
    large = images[:4].repeat(3, axis=1).repeat(3, axis=2)
    np.testing.assert_allclose(features(large), maps[:4], atol=2e-5)
    as_float = images[:4].astype(np.float64) / 255
    np.testing.assert_allclose(features(as_float), maps[:4], atol=2e-5)
    coarse = images[:4].reshape(4, 32, 2, 32, 2, 3).mean((2, 4)) / 255
    same = np.corrcoef(features(coarse)[:, 0].ravel(), maps[:4, 0].ravel())
    assert same[0, 1] > 0.99


def test_shape_features_tell_categories(seen):
    _, categories, maps = seen
    truth = np.array([CATEGORIES.index(name) for name in categories])
    guess = maps[:, SHAPE].max((2, 3)).argmax(1)
    assert (guess == truth).mean() > 0.5


def test_pictures_are_seen_one_by_one(seen):
    images, _, maps = seen
    np.testing.assert_allclose(features(images[7:8])[0], maps[7], atol=1e-5)

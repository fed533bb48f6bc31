"""SSIM in three variants against golden values and scikit-image."""

import numpy as np
import pytest
from skimage import metrics

from brainjax.errors import InputError
from brainjax.evaluation import ssim

GENERATOR = np.random.default_rng(0)
PHOTOGRAPHS = GENERATOR.random((3, 24, 19, 3)) ** 2
NOISY = np.clip(PHOTOGRAPHS + GENERATOR.normal(0, 0.2, PHOTOGRAPHS.shape), 0, 1)
NAMES = [*ssim.VARIANTS]


def golden_pictures():
    i, j, c = np.indices((64, 64, 3))
    waves = 0.3 * i + 0.2 * j + c
    truth = 0.25 * np.sin(waves) + 0.2 * np.cos(0.011 * i * j / (c + 1))
    reconstruction = 0.25 * np.sin(waves + 0.5) + 0.2 * np.cos(
        0.009 * i * (j + 3) / (c + 1)
    )
    return 0.5 + truth[None], 0.5 + reconstruction[None]


@pytest.mark.parametrize(
    ('name', 'expected'), [('ssim_2d', 0.7612064384), ('ssim_1d', 0.7511266168)]
)
def test_golden_values(name, expected):
    truth, reconstruction = golden_pictures()
    found = ssim.table(name, truth, reconstruction)
    np.testing.assert_allclose(found, [[expected]], rtol=0, atol=6e-11)
    assert ssim.grey(truth)[0, 10, 20] == pytest.approx(0.7698801078, abs=6e-11)


def reference(name, x, y):
    """scikit-image; of grey pictures for ssim_1d, the columns as channels."""
    if name == 'ssim_rgb':
        return metrics.structural_similarity(
            x, y, channel_axis=-1, data_range=1
        )
    weights = [0.2125, 0.7154, 0.0721]
    return metrics.structural_similarity(
        x @ weights,
        y @ weights,
        data_range=1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=None if name == 'ssim_2d' else -1,
    )


@pytest.mark.parametrize('name', NAMES)
def test_ssim_of_all_pairs_is_scikit_images(name):
    grey = np.full_like(PHOTOGRAPHS, 0.4)
    for reconstruction in (NOISY, PHOTOGRAPHS[::-1], grey):
        expected = [
            [reference(name, x, y) for y in reconstruction] for x in PHOTOGRAPHS
        ]
        found = ssim.table(name, PHOTOGRAPHS, reconstruction)
        np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize('name', NAMES)
def test_identity_is_one(name):
    found = ssim.table(name, PHOTOGRAPHS, PHOTOGRAPHS)
    np.testing.assert_allclose(np.diagonal(found), 1, atol=1e-12)


@pytest.mark.parametrize('name', NAMES)
def test_uint8_is_0_to_1_times_255(name):
    bytes_ = np.round(PHOTOGRAPHS * 255).astype(np.uint8)
    np.testing.assert_allclose(
        ssim.table(name, bytes_, NOISY),
        ssim.table(name, bytes_ / 255, NOISY),
        atol=1e-12,
    )


def test_pictures_must_hold_a_window():
    small = np.zeros((2, 10, 30, 3))
    with pytest.raises(InputError, match=r'10 x 30 pixels.*at least 11 x 11'):
        ssim.table('ssim_2d', small, small)
    assert ssim.table('ssim_rgb', small, small).shape == (2, 2)

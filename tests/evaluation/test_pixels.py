"""PixCorr, SSIM and resizing against golden values and scikit-image."""

import numpy as np
import pytest
from skimage import metrics

from brainjax.errors import InputError
from brainjax.evaluation import pixels

GENERATOR = np.random.default_rng(0)
PHOTOGRAPHS = GENERATOR.random((3, 24, 19, 3)) ** 2
NOISY = np.clip(PHOTOGRAPHS + GENERATOR.normal(0, 0.2, PHOTOGRAPHS.shape), 0, 1)


def golden_pictures():
    i, j, c = np.indices((64, 64, 3))
    waves = 0.3 * i + 0.2 * j + c
    truth = 0.25 * np.sin(waves) + 0.2 * np.cos(0.011 * i * j / (c + 1))
    reconstruction = 0.25 * np.sin(waves + 0.5) + 0.2 * np.cos(
        0.009 * i * (j + 3) / (c + 1)
    )
    return 0.5 + truth[None], 0.5 + reconstruction[None]


def test_golden_values():
    truth, reconstruction = golden_pictures()
    for function, expected in (
        (pixels.pixel_correlation, 0.7912912999),
        (pixels.ssim_2d, 0.7612064384),
        (pixels.ssim_1d, 0.7511266168),
    ):
        np.testing.assert_allclose(
            function(truth, reconstruction), [expected], rtol=0, atol=6e-11
        )
    assert pixels.grey(truth)[0, 10, 20] == pytest.approx(
        0.7698801078, abs=6e-11
    )


@pytest.mark.parametrize(
    ('antialias', 'expected'),
    [
        (False, (0.54048835, 0.92048525, 0.51736883)),
        (True, (0.53926261, 0.92062375, 0.51735061)),
    ],
)
def test_golden_resize(antialias, expected):
    truth, _ = golden_pictures()
    small = pixels.resize(truth, (40, 40), antialias)
    assert small.shape == (1, 40, 40, 3) and small.dtype == np.float32
    found = small[0, 7, 11, 0], small[0, 39, 0, 2], small.mean()
    np.testing.assert_allclose(found, expected, rtol=0, atol=5e-7)


def test_correlation_is_numpys_and_ignores_affine_intensity():
    scores = pixels.pixel_correlation(PHOTOGRAPHS, NOISY)
    expected = [
        np.corrcoef(x.ravel(), y.ravel())[0, 1]
        for x, y in zip(PHOTOGRAPHS, NOISY)
    ]
    np.testing.assert_allclose(scores, expected, atol=1e-12)
    contrast = np.array([0.2, 0.5, 0.9])[:, None, None, None]
    np.testing.assert_allclose(
        pixels.pixel_correlation(PHOTOGRAPHS, contrast * NOISY + 0.1),
        expected,
        atol=1e-12,
    )


def reference_ssim(x, y, axes):
    """scikit-image on grey pictures; for ssim_1d, the columns as channels."""
    weights = [0.2125, 0.7154, 0.0721]
    return metrics.structural_similarity(
        x @ weights,
        y @ weights,
        data_range=1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=None if axes == 2 else -1,
    )


@pytest.mark.parametrize('axes', [1, 2])
def test_ssim_is_scikit_images(axes):
    function = pixels.ssim_2d if axes == 2 else pixels.ssim_1d
    grey = np.full_like(PHOTOGRAPHS, 0.4)
    for reconstruction in (NOISY, PHOTOGRAPHS[::-1], grey):
        expected = [
            reference_ssim(x, y, axes)
            for x, y in zip(PHOTOGRAPHS, reconstruction)
        ]
        np.testing.assert_allclose(
            function(PHOTOGRAPHS, reconstruction), expected, atol=1e-12
        )


def test_ssim_of_all_pairs():
    both = pixels.ssim_matrices(PHOTOGRAPHS, NOISY)
    for matrix, axes in zip(both, (2, 1)):
        expected = [
            [reference_ssim(x, y, axes) for y in NOISY] for x in PHOTOGRAPHS
        ]
        np.testing.assert_allclose(matrix, expected, atol=1e-12)


def test_identity_is_one():
    for function in (pixels.pixel_correlation, pixels.ssim_2d, pixels.ssim_1d):
        np.testing.assert_allclose(
            function(PHOTOGRAPHS, PHOTOGRAPHS), 1, atol=1e-12
        )


def test_constant_pictures_correlate_zero():
    # 0.1 is no binary fraction: its mean over pixels is off by rounding.
    constant = np.full_like(PHOTOGRAPHS, 0.1)
    assert (pixels.pixel_correlation(PHOTOGRAPHS, constant) == 0).all()
    assert (pixels.pixel_correlation(constant, PHOTOGRAPHS) == 0).all()
    mixed = np.stack([constant[0], NOISY[1], constant[2]])
    assert pixels.is_constant(mixed).tolist() == [True, False, True]


def test_uint8_is_0_to_1_times_255():
    bytes_ = np.round(PHOTOGRAPHS * 255).astype(np.uint8)
    floats = bytes_ / 255
    for function in (pixels.pixel_correlation, pixels.ssim_2d, pixels.ssim_1d):
        np.testing.assert_allclose(
            function(bytes_, NOISY), function(floats, NOISY), atol=1e-12
        )


def test_bad_pictures_are_named():
    small = np.zeros((2, 10, 30, 3))
    with pytest.raises(InputError, match=r'10 x 30 pixels.*at least 11 x 11'):
        pixels.ssim_2d(small, small)
    for function in (pixels.pixel_correlation, pixels.ssim_1d):
        with pytest.raises(InputError, match='of the same size'):
            function(PHOTOGRAPHS, NOISY[:2])
        with pytest.raises(InputError, match=r'number 0 .* rescale'):
            function(PHOTOGRAPHS, NOISY * 255)
        with pytest.raises(InputError, match='reconstructions have shape'):
            function(PHOTOGRAPHS, NOISY[..., :1])
        with pytest.raises(InputError, match='int64'):
            function(PHOTOGRAPHS, np.zeros(PHOTOGRAPHS.shape, np.int64))
        broken = NOISY.copy()
        broken[1, 2, 3, 0] = np.nan
        with pytest.raises(InputError, match='number 1 runs from nan'):
            function(PHOTOGRAPHS, broken)

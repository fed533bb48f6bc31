"""PixCorr and resizing against golden values and NumPy."""

import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.evaluation import pixels, ssim

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


def test_golden_value():
    np.testing.assert_allclose(
        pixels.pixel_correlation(*golden_pictures()), [0.7912912999],
        rtol=0, atol=6e-11,
    )  # fmt: skip


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


def test_identity_is_one():
    np.testing.assert_allclose(
        pixels.pixel_correlation(PHOTOGRAPHS, PHOTOGRAPHS), 1, atol=1e-12
    )


def test_all_pairs():
    both = PHOTOGRAPHS, NOISY
    table = pixels.correlations(*both)
    np.testing.assert_allclose(
        np.diagonal(table), pixels.pixel_correlation(*both), atol=1e-11
    )
    expected = np.corrcoef(*(x.reshape(3, -1) for x in both))[:3, 3:]
    np.testing.assert_allclose(table, expected, atol=1e-11)
    assert np.isnan(pixels.correlations(0 * NOISY, NOISY)).all()
    table = pixels.squared_errors(*both)
    expected = [[((x - y) ** 2).mean() for y in NOISY] for x in PHOTOGRAPHS]
    np.testing.assert_allclose(table, expected, atol=1e-11)


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
    for function in (
        pixels.pixel_correlation,
        pixels.correlations,
        pixels.squared_errors,
    ):
        np.testing.assert_allclose(
            function(bytes_, NOISY), function(floats, NOISY), atol=2e-12
        )


@pytest.mark.parametrize(
    'function',
    [
        pixels.pixel_correlation,
        lambda target, made: ssim.table('ssim_1d', target, made),
    ],
)
def test_bad_pictures_are_named(function):
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

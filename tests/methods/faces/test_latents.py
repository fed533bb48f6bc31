"""The choice of voxels against textbooks and known voxels."""

import numpy as np
import pytest

from brainjax.linear import glm, latents
from brainjax.methods.faces import latents as faces_latents


def simulate(seed, signal, trials=300, k=10):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(trials, k))
    weights = rng.normal(size=(k, len(signal))) * signal
    y = x @ weights + 3 * rng.normal(size=(trials, len(signal)))
    return x, (y - y.mean(axis=0)) / y.std(axis=0)


def gain(x, y):
    noise = latents.residual_variance(latents.fit(x, y), x, y)
    return faces_latents.explained(noise, len(x))


def test_gain_is_that_of_two_models():
    x, y = simulate(0, np.linspace(0, 1, 12))
    one = np.ones((len(x), 1))
    run = glm.Run(np.c_[x, one], np.empty((len(x), 0)), y)
    sums = glm.accumulate([run])
    constant = np.arange(11) == 10
    expected = glm.gain(glm.solve(sums), glm.solve(sums, constant))
    np.testing.assert_allclose(gain(x, y), expected, atol=1e-6)
    # The adjusted R^2 of textbooks.
    left = y - np.c_[x, one] @ np.linalg.lstsq(np.c_[x, one], y, rcond=None)[0]
    r2 = 1 - (left**2).sum(axis=0) / (y**2).sum(axis=0)
    adjusted = 1 - (1 - r2) * (len(x) - 1) / (len(x) - 10 - 1)
    np.testing.assert_allclose(gain(x, y), adjusted, atol=1e-6)


def test_latents_that_explain_nothing_gain_nothing():
    x, y = simulate(1, np.zeros(400), trials=60, k=30)
    found = gain(x, y)
    # Of R^2 = Beta(15, 14.5) the standard deviation is .09; adjusted it is .18.
    assert abs(found.mean()) < 4 * 0.18 / 20


def test_voxels_with_signal_are_chosen():
    signal = np.random.default_rng(2).permutation(np.repeat([0.0, 0.6], 40))
    found = gain(*simulate(3, signal))
    chosen = faces_latents.choose_voxels(found, 0.5)
    np.testing.assert_array_equal(chosen, np.flatnonzero(signal))


def test_shares():
    gained = np.array([0.3, 0.1, 0.3, 0.2, -0.1])
    for share, expected in (
        (1, [0, 1, 2, 3, 4]),
        (0.6, [0, 2, 3]),
        (0.41, [0, 2, 3]),
        (0.4, [0, 2]),
        (0.2, [0]),
        (1e-9, [0]),
    ):
        found = faces_latents.choose_voxels(gained, share)
        np.testing.assert_array_equal(found, expected)
    assert faces_latents.number_of_voxels(1000, 0.07) == 70


@pytest.mark.parametrize('more', [0, 9])
def test_the_sentence(more):
    gained = np.array([0.3, 0.1, 0.3, 0.2, -0.1])
    chosen = np.array([0, 2])
    assert faces_latents.describe_choice(np.arange(5), gained, {}) == (
        'all 5 voxels are used.'
    )
    rois = {
        'V1': np.array([True, False, False, True, False]),
        'FFA': np.array([True, False, True, False, False]),
    } | {f'other {i}': np.zeros(5, bool) for i in range(more)}
    found = faces_latents.describe_choice(chosen, gained, rois)
    assert found.startswith('2 of 5 voxels were chosen by training trials (')
    assert 'FFA 2 of 2, V1 1 of 2' in found
    assert ('and 3 more ROIs)' in found) == bool(more)
    assert 'latents explain 0.300 in them and 0.200 in all voxels' in found

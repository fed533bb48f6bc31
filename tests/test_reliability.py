"""Reliability on simulated trials whose signal and noise are known."""

import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.recordings import Trials, reliability

SIGNAL = np.array([0.0, 0.7, 1.0, 2.0])  # Standard deviation, by voxel.
NOISE = np.array([1.0, 1.5, 1.0, 0.5])


def simulated(repeats, seed=0):
    """Trials in random order; also the signal of each stimulus."""
    rng = np.random.default_rng(seed)
    stimulus = rng.permutation(np.repeat(np.arange(len(repeats)), repeats))
    signal = rng.normal(size=(len(repeats), 4)) * SIGNAL
    noise = rng.normal(size=(len(stimulus), 4)) * NOISE
    fmri = (5 + signal[stimulus] + noise).astype(np.float32)
    return Trials(fmri, stimulus.astype(np.int32)), signal


def correlation(a, b):
    return np.array([np.corrcoef(x, y)[0, 1] for x, y in zip(a.T, b.T)])


def test_snr_is_its_formula_term_by_term():
    trials, _ = simulated([3, 5, 1, 2, 7])
    groups = [
        trials.fmri[trials.stimulus == i].astype(float) for i in (0, 1, 3, 4)
    ]
    averages = np.array([group.mean(axis=0) for group in groups])
    within = np.array([group.var(axis=0) for group in groups])
    np.testing.assert_allclose(
        reliability.snr_from_repeats(trials),
        averages.var(axis=0) / within.mean(axis=0),
        rtol=1e-4,
    )


def test_snr_has_its_expected_value():
    trials, _ = simulated([35] * 1500)
    noise = NOISE**2
    expected = (SIGNAL**2 + noise / 35) / (noise * 34 / 35)
    np.testing.assert_allclose(
        reliability.snr_from_repeats(trials), expected, rtol=0.12
    )


def test_snr_of_a_voxel_without_noise_is_infinite():
    fmri = np.float32([[1], [1], [2], [2]])
    snr = reliability.snr_from_repeats(Trials(fmri, np.int32([0, 0, 1, 1])))
    assert np.isinf(snr).all()


@pytest.mark.parametrize('averaged', [1, 5, 35])
@pytest.mark.parametrize('repeats', [[8] * 6000, [2, 3, 9, 1] * 2000])
def test_noise_ceiling_is_what_the_true_signal_reaches(averaged, repeats):
    trials, _ = simulated(repeats)
    ceiling = reliability.noise_ceiling_from_repeats(trials, averaged)
    expected = np.sqrt(SIGNAL**2 / (SIGNAL**2 + NOISE**2 / averaged))
    np.testing.assert_allclose(ceiling[1:], expected[1:], atol=0.05)
    assert ceiling[0] < expected[1]
    # The same by trial: the true signal against the average of new repeats.
    again, signal = simulated([averaged] * 6000, seed=1)
    order = np.argsort(again.stimulus, kind='stable')
    average = again.fmri[order].reshape(6000, averaged, 4).mean(axis=1)
    reached = correlation(signal[:, 1:], average[:, 1:])
    np.testing.assert_allclose(ceiling[1:], reached, atol=0.06)


def test_noise_ceiling_without_signal_or_variance_is_zero():
    fmri = np.float32([[1, 0], [3, 0], [3, 0], [1, 0]])
    trials = Trials(fmri, np.int32([0, 0, 1, 1]))
    np.testing.assert_array_equal(
        reliability.noise_ceiling_from_repeats(trials, 2), [0, 0]
    )


@pytest.mark.parametrize('repeats', [2, 5, 10])
def test_split_half_is_the_reliability_of_the_average(repeats):
    trials, _ = simulated([repeats] * 1500)
    used = repeats // 2 * 2  # One of an odd number is left out.
    expected = SIGNAL**2 / (SIGNAL**2 + NOISE**2 / used)
    found = reliability.split_half(trials)
    np.testing.assert_allclose(found, expected, atol=0.06)


def test_split_half_of_two_repeats_is_spearman_brown_by_hand():
    trials, _ = simulated([2] * 30)
    order = np.argsort(trials.stimulus, kind='stable')
    pairs = trials.fmri[order].reshape(30, 2, 4)
    rng = np.random.default_rng(0)
    swapped = [
        np.take_along_axis(
            pairs, np.stack([s, 1 - s], 1)[:, :, None].astype(int), axis=1
        )
        for s in rng.integers(0, 2, (400, 30))
    ]
    r = np.mean([correlation(p[:, 0], p[:, 1]) for p in swapped], axis=0)
    np.testing.assert_allclose(
        reliability.split_half(trials, splits=400),
        2 * r / (1 + abs(r)),
        atol=0.02,
    )


def test_split_half_is_drawn_from_its_seed_and_bounded():
    trials, _ = simulated([3] * 5)
    first = reliability.split_half(trials, seed=3)
    np.testing.assert_array_equal(first, reliability.split_half(trials, seed=3))
    assert (first != reliability.split_half(trials, seed=4)).any()
    opposed = Trials(
        np.float32([[1, 0], [0, 0], [0, 0], [1, 0]]), np.int32([0, 0, 1, 1])
    )
    found = reliability.split_half(opposed)
    assert (np.abs(found) <= 1).all()
    assert found[1] == 0


@pytest.mark.parametrize(
    'function',
    [
        reliability.snr_from_repeats,
        reliability.split_half,
        lambda trials: reliability.noise_ceiling_from_repeats(trials, 1),
    ],
)
def test_no_repeats_is_one_sentence(function):
    trials = Trials(np.eye(3, dtype=np.float32), np.arange(3, dtype=np.int32))
    with pytest.raises(InputError, match='0 of 3 stimuli were shown more'):
        function(trials)

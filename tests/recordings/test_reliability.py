"""Reliability on simulated trials whose signal and noise are known."""

import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.recordings import Trials, reliability
from brainjax.simulation.subject import simulated_subject
from brainjax.simulation.voxels import responses, voxel_parameters

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


@pytest.mark.parametrize('repeats', [2, 3, 4, 5, 6, 7])
def test_split_half_is_the_reliability_of_the_average(repeats):
    trials, _ = simulated([repeats] * 6000)
    expected = SIGNAL**2 / (SIGNAL**2 + NOISE**2 / repeats)
    found = reliability.split_half(trials)
    np.testing.assert_allclose(found, expected, atol=0.06)


def test_split_half_of_stimuli_that_differ_in_repeats():
    counts = np.tile([2, 3, 5, 7], 500)
    trials, _ = simulated([*counts])
    noise = NOISE**2 * (1 / counts).mean()
    np.testing.assert_allclose(
        reliability.split_half(trials),
        SIGNAL**2 / (SIGNAL**2 + noise),
        atol=0.06,
    )


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
        reliability.ncsnr_from_repeats,
        reliability.split_half,
        lambda trials: reliability.noise_ceiling_from_repeats(trials, 1),
    ],
)
def test_no_repeats_is_one_sentence(function):
    trials = Trials(np.eye(3, dtype=np.float32), np.arange(3, dtype=np.int32))
    with pytest.raises(InputError, match='0 of 3 stimuli were shown more'):
        function(trials)


@pytest.mark.parametrize('repeats', [[3] * 6000, [2, 3, 9, 1] * 2000])
def test_ncsnr_is_the_ratio_of_the_deviations(repeats):
    trials, _ = simulated(repeats)
    found = reliability.ncsnr_from_repeats(trials)
    np.testing.assert_allclose(found[1:], (SIGNAL / NOISE)[1:], rtol=0.05)
    assert found[0] < 0.2


def test_ceiling_from_ncsnr_is_the_root_of_nsds_formula():
    ncsnr = np.array([0, 0.5, 1, 3, np.inf])
    explained = ncsnr[:4] ** 2 / (ncsnr[:4] ** 2 + 1 / 3)
    np.testing.assert_allclose(
        reliability.noise_ceiling_from_ncsnr(ncsnr, 3),
        [*np.sqrt(explained), 1],
        rtol=1e-6,
    )
    # Of 4 stimuli two were shown 3 times, one twice and one once.
    share = (2 / 3 + 1 / 2 + 1 / 1) / 4
    np.testing.assert_allclose(
        reliability.noise_ceiling_from_ncsnr(ncsnr[1:4], [3, 3, 2, 1]),
        np.sqrt(ncsnr[1:4] ** 2 / (ncsnr[1:4] ** 2 + share)),
        rtol=1e-6,
    )


def test_ceilings_of_a_simulated_subject_are_its_own():
    counts = {'V1': 40, 'V4': 30, 'HVC': 30}
    recording = simulated_subject(
        seed=5, size=32, n_train=10, n_test=400, test_repeats=6, voxels=counts
    )
    signal = responses(
        recording.stimuli.images[10:], voxel_parameters(seed=5, voxels=counts)
    ).var(axis=0)
    noise = 1 / recording.snr
    truth = np.sqrt(signal / (signal + noise / 6))
    found = reliability.noise_ceiling_from_repeats(recording.test, 6)
    # Explained variance is what is estimated without bias.
    np.testing.assert_allclose(found**2, truth**2, atol=0.25)
    np.testing.assert_allclose((found**2).mean(), (truth**2).mean(), atol=0.03)
    assert np.corrcoef(found, truth)[0, 1] > 0.95
    ncsnr = reliability.ncsnr_from_repeats(recording.test)
    summed = reliability.by_roi(ncsnr, recording.rois)
    assert list(summed) == ['all voxels', *recording.rois]
    expected = reliability.by_roi(np.sqrt(signal / noise), recording.rois)
    for name, values in summed.items():
        for key in ('median', 'p90'):
            np.testing.assert_allclose(
                values[key], expected[name][key], rtol=0.1, err_msg=name
            )


def test_summary_by_roi_counts_finite_values_only():
    values = np.array([1, 2, 3, np.nan, np.inf])
    rois = {
        'A': np.array([True, True, False, True, False]),
        'B': np.array([False, False, False, True, True]),
    }
    found = reliability.by_roi(values, rois)
    assert list(found) == ['all voxels', 'A']
    assert found['A'] == {'median': 1.5, 'p90': pytest.approx(1.9)}
    assert found['all voxels']['median'] == 2

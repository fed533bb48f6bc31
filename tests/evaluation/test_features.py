"""Scores of decoded features, against brute force."""

import numpy as np
import pytest

from brainjax.evaluation import features, identification


def data(pictures=9, units=50, seed=0):
    rng = np.random.default_rng(seed)
    true = rng.normal(3, 1 + np.arange(units) / 9, (pictures, units))
    decoded = 0.4 * true + rng.normal(size=true.shape) + 1
    return decoded.astype(np.float32), true.astype(np.float32)


def blocks(decoded, true, size):
    for i in range(0, true.shape[1], size):
        yield decoded[:, i : i + size], true[:, i : i + size]


def test_profiles():
    decoded, true = data()
    found = features.profile_correlation(decoded, true)
    for u in range(true.shape[1]):
        assert found[u] == pytest.approx(
            np.corrcoef(decoded[:, u], true[:, u])[0, 1], abs=1e-6
        )
    np.testing.assert_allclose(features.profile_correlation(true, true), 1)
    decoded[:, 4] = 2.5
    true[:, 7] = -1
    found = features.profile_correlation(decoded, true)
    assert np.isnan(found[[4, 7]]).all() and np.isnan(found).sum() == 2


@pytest.mark.parametrize('size', [1, 7, 50])
def test_patterns_do_not_depend_on_blocks(size):
    decoded, true = data()
    found = features.pattern_similarity(blocks(decoded, true, size))
    wanted = np.corrcoef(true, decoded)[: len(true), len(true) :]
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_patterns_of_z_scored_units():
    decoded, true = data()
    mean, deviation = true.mean(0), true.std(0, ddof=1)
    deviation[11] = 0
    found = features.pattern_similarity(
        blocks(decoded, true, 8), mean, deviation
    )
    keep = np.arange(true.shape[1]) != 11
    x, y = (
        ((v - mean) / np.where(deviation > 0, deviation, 1))[:, keep]
        for v in (true, decoded)
    )
    np.testing.assert_allclose(
        found, np.corrcoef(x, y)[: len(x), len(x) :], atol=1e-6
    )


def test_identification_of_patterns():
    decoded, true = data()
    similarity = features.pattern_similarity([(decoded, true)])
    found = identification.two_way(similarity)
    for j in range(len(true)):
        beaten = sum(similarity[i, j] < similarity[j, j] for i in range(9))
        assert found[j] == beaten / 8
    perfect = features.pattern_similarity([(true, true)])
    assert identification.two_way(perfect).tolist() == [1] * 9
    same = features.pattern_similarity([(np.tile(decoded[0], (9, 1)), true)])
    assert identification.two_way(same).mean() == 0.5


def test_a_constant_pattern_scores_what_a_guess_does():
    decoded, true = data()
    decoded[2] = 1.5
    similarity = features.pattern_similarity(blocks(decoded, true, 20))
    assert np.isnan(similarity[:, 2]).all()
    assert identification.two_way(similarity)[2] == 0.5


def test_random_patterns_are_at_chance():
    rng = np.random.default_rng(3)
    scores = []
    for _ in range(40):
        a, b = rng.normal(size=(2, 50, 100))
        similarity = features.pattern_similarity([(a, b)])
        scores.append(identification.two_way(similarity).mean())
    # Spec inversion 4.1: mean .50, deviation .042.
    assert np.mean(scores) == pytest.approx(0.5, abs=0.02)
    assert np.std(scores) == pytest.approx(0.042, abs=0.015)
    assert identification.chance(2) == 0.5

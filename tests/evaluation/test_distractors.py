"""Identification among galleries, and peers' forms of the same scores."""

import tracemalloc

import numpy as np
import pytest

from brainjax.evaluation import distractors, features, identification
from brainjax.linear import correlation

GENERATOR = np.random.default_rng(0)


def test_gallery_rank_is_that_of_one_matrix(monkeypatch):
    truth, reconstruction = GENERATOR.normal(size=(2, 6, 40))
    reconstruction += truth
    gallery = GENERATOR.normal(size=(50, 40))
    gallery[7] = truth[2]  # A tie, which counts against it.
    reconstruction[4] = 3  # Says nothing.
    matrix = identification.similarity(
        np.concatenate([truth, gallery]), reconstruction
    )
    expected = [
        1 + np.sum(matrix[6:, j] >= matrix[j, j]) if j != 4 else 51
        for j in range(6)
    ]
    for size in (1024, 7):
        monkeypatch.setattr(identification, 'PICTURES_AT_A_TIME', size)
        found = identification.gallery_rank(truth, reconstruction, gallery)
        np.testing.assert_array_equal(found, expected)


def test_memory_is_bounded_by_the_portion(tmp_path, monkeypatch):
    monkeypatch.setattr(identification, 'PICTURES_AT_A_TIME', 64)
    monkeypatch.setattr(correlation, 'TILE', (8, 256))
    path = tmp_path / 'gallery.npy'
    gallery = np.lib.format.open_memmap(path, 'w+', np.float32, (4000, 512))
    gallery[:] = GENERATOR.standard_normal(gallery.shape, np.float32)
    truth = np.array(gallery[:20]) + 0.1
    tracemalloc.start()
    identification.gallery_rank(truth, truth, gallery)
    features.profile_correlation(gallery[:2000], gallery[2000:])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < gallery.nbytes / 4


def test_expected_success_is_the_mean_over_draws():
    beaten = np.array([0, 3, 40, 200])
    found = identification.expected_success(beaten, 300, 10, 2)
    draws = GENERATOR.permuted(np.tile(np.arange(300), (4000, 1)), axis=1)
    drawn = draws[:, :9]
    sampled = [np.mean((drawn < b).sum(axis=1) < 2) for b in beaten]
    np.testing.assert_allclose(found, sampled, atol=0.03)
    # Large pools take another way to the same numbers.
    large = identification.expected_success(np.arange(3000), 5000, 50)
    ratio = np.cumprod(
        [(5000 - np.arange(3000) - k) / (5000 - k) for k in range(49)], axis=0
    )[-1]
    np.testing.assert_allclose(large, ratio, rtol=1e-9)


def test_outside_distractors_against_brute_force():
    truth = GENERATOR.random((5, 5))
    pool = np.round(GENERATOR.random((30, 5)), 1)
    truth[1, 1] = 0.3  # Ties with the pool.
    expected = [
        [sum(pool[k, j] <= truth[i, j] for k in range(30)) for j in range(5)]
        for i in range(5)
    ]
    np.testing.assert_array_equal(distractors.better(truth, pool), expected)


def test_outside_scores():
    def distances(candidates, reconstructions):
        x, y = (images.reshape(len(images), -1) for images in
                (candidates, reconstructions))  # fmt: skip
        return ((x[:, None] - y[None]) ** 2).sum(-1)

    truth, pool = (
        GENERATOR.random((6, 4, 4, 3)),
        GENERATOR.random((60, 4, 4, 3)),
    )
    found = distractors.score(truth, truth, pool, distances, 'x', draws=99)
    assert found['identification_50way_x']['value'] == 1
    assert found['identification_50way_x']['guess'] == 0.02
    # One of six permuted reconstructions is where it belongs.
    assert found['identification_50way_x']['chance'] > 1 / 6
    assert found['rank_outside_x']['value'] == 0
    assert 'identification_100way_x' not in found
    guess = distractors.score(
        truth, GENERATOR.random(truth.shape), pool, distances, 'x', draws=99
    )
    assert guess['identification_2way_x']['p'] > 0.02


@pytest.mark.parity
def test_bdpy_agrees():
    metrics = pytest.importorskip('bdpy.evals.metrics')
    true = GENERATOR.normal(size=(30, 50))
    decoded = true + 3 * GENERATOR.normal(size=true.shape)
    matrix = identification.similarity(decoded, true).T
    np.testing.assert_allclose(
        identification.two_way(matrix),
        metrics.pairwise_identification(decoded, true).ravel(),
        atol=1e-12,
    )
    np.testing.assert_allclose(
        features.profile_correlation(decoded, true),
        metrics.profile_correlation(decoded, true).ravel(),
        atol=1e-12,
    )
    np.testing.assert_allclose(
        np.diagonal(features.pattern_similarity([(decoded, true)])),
        metrics.pattern_correlation(decoded, true).ravel(),
        atol=1e-11,
    )

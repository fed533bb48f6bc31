"""Recognition of faces against brute force and known nulls."""

import math

import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.evaluation.faces import recognition


def faces(seed, n=20, k=30, noise=3.0):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(n, k))
    return truth, truth + noise * rng.normal(size=(n, k))


def test_recognition_is_what_counting_gives():
    truth, decoded = faces(0)
    n = len(truth)
    c = np.corrcoef(truth, decoded)[:n, n:]
    pairs = [c[j, j] > c[i, j] for j in range(n) for i in range(n) if i != j]
    found = recognition.recognise(truth, decoded)
    assert found['pairwise']['value'] == pytest.approx(np.mean(pairs))
    best = c.argmax(axis=0) == np.arange(n)
    assert found['full']['value'] == pytest.approx(best.mean())
    assert found['pairwise']['chance'] == 0.5
    assert found['full']['chance'] == pytest.approx(1 / n)
    assert found['pairwise']['p'] < 0.01


def test_the_null_is_wider_than_a_binomial():
    """For n = 20 the deviation is about .069, not .026 (spec section 7)."""
    values = [
        recognition.recognise(faces(seed)[0], faces(seed + 1000)[1], draws=10)[
            'pairwise'
        ]['value']
        for seed in range(150)
    ]
    assert abs(np.mean(values) - 0.5) < 4 * 0.069 / math.sqrt(150)
    assert 0.055 < np.std(values) < 0.085


def test_subjects_are_averaged():
    pairs = [faces(seed) for seed in range(4)]
    together = recognition.recognise(
        [t for t, _ in pairs], [d for _, d in pairs]
    )
    alone = [recognition.recognise(*pair) for pair in pairs]
    for name in ('pairwise', 'full'):
        mean = np.mean([each[name]['value'] for each in alone])
        assert together[name]['value'] == pytest.approx(mean)
        assert together[name]['low'] <= mean <= together[name]['high']
    assert together['pairwise']['n'] == 80
    assert together['pairwise']['p'] < 0.001


def test_standardised_latents_do_not_let_one_decide():
    truth, decoded = faces(1, noise=1.0)
    truth, decoded = truth.copy(), decoded.copy()
    rng = np.random.default_rng(2)
    # One latent of huge variance that carries nothing.
    truth[:, 0] = 100 * rng.normal(size=20)
    decoded[:, 0] = 100 * rng.normal(size=20)
    by = recognition.spread(truth)
    raw = recognition.recognise(truth, decoded)['pairwise']['value']
    fair = recognition.recognise(
        recognition.standardise(truth, by),
        recognition.standardise(decoded, by),
    )['pairwise']['value']
    assert fair > 0.9 > raw
    constant = recognition.spread(np.c_[truth, np.full(20, 3.0)])
    assert not recognition.standardise(
        np.c_[truth, np.full(20, 3.1)], constant
    )[:, -1].any()


def test_gender_axis_and_its_score():
    rng = np.random.default_rng(3)
    direction = rng.normal(size=30)
    male = np.arange(400) % 2 == 0
    train = rng.normal(size=(400, 30)) + np.outer(male - 0.5, direction)
    axis = recognition.gender_axis(train, male)
    np.testing.assert_allclose(
        axis, train[::2].mean(axis=0) - train[1::2].mean(axis=0)
    )
    labels = np.arange(20) < 10
    test = rng.normal(size=(20, 30)) + np.outer(labels - 0.5, direction)
    entry = recognition.gender(axis, test, labels)
    expected = np.mean((test @ axis > 0) == labels)
    assert entry['value'] == pytest.approx(expected) and expected > 0.8
    assert entry['p'] < 0.01 and entry['n'] == 20
    # Who answers the same to everything gains nothing.
    always = recognition.gender(axis, np.tile(axis, (20, 1)), labels)
    assert always['value'] == always['chance'] == 0.5 and always['p'] == 1
    with pytest.raises(InputError, match='faces of both'):
        recognition.gender_axis(train, np.ones(400))


def test_imagery_counts_places_exactly():
    truth, _ = faces(4)
    own = recognition.imagery(truth, truth[[7]], [7])
    assert own['value'] == 1 and own['p'] == pytest.approx(1 / 20)
    assert own['n'] == 1 and np.isnan([own['low'], own['high']]).all()
    four = recognition.imagery(truth, truth[[1, 2, 3, 4]], [1, 2, 3, 4])
    assert four['p'] == pytest.approx(20.0**-4)
    rng = np.random.default_rng(5)
    noise = rng.normal(size=(2, 30))
    found = recognition.imagery(truth, noise, [0, 1])
    c = np.corrcoef(truth, noise)[:20, 20:]
    beaten = [(c[:, j] < c[j, j]).sum() for j in range(2)]
    assert found['value'] == pytest.approx(np.mean(beaten) / 19)
    places = np.add.outer(np.arange(20), np.arange(20))
    assert found['p'] == pytest.approx((places >= sum(beaten)).mean())


def test_regions_get_equally_many_of_their_best_voxels():
    ranking = np.array([5.0, 1, 4, 2, 9, 8, 7, 0])
    regions = {
        'occipital': np.arange(8) < 5,
        'temporal': np.arange(8) >= 5,
    }
    found = recognition.equal_sets(ranking, regions)
    assert found['occipital'].tolist() == [0, 2, 4]
    assert found['temporal'].tolist() == [5, 6, 7]
    assert recognition.equal_sets(ranking, regions, 1)['occipital'] == [4]
    with pytest.raises(InputError, match="'temporal' holds 3 voxels, of 4"):
        recognition.equal_sets(ranking, regions, 4)


def test_faces_and_patterns_must_match():
    truth, decoded = faces(6)
    with pytest.raises(InputError, match='one pattern for each face'):
        recognition.recognise(truth, decoded[:9])


def test_imagery_that_decodes_to_nothing_is_a_guess():
    truth = np.random.default_rng(0).normal(size=(7, 20))
    found = recognition.imagery(truth, np.zeros((2, 20)), np.array([0, 3]))
    assert found['value'] == pytest.approx(0.5)
    assert found['p'] > 0.4


def test_walk_goes_in_standard_deviations_from_the_first_latents():
    rng = np.random.default_rng(0)
    latents = rng.standard_normal((400, 3)) @ np.diag([1, 2, 0.5])
    directions = np.float32([[3, 0, 0], [0, 0, 1]])
    walked, places = recognition.walk(latents, directions, reach=2, steps=5)
    assert walked.shape == (2, 5, 3) and walked.dtype == np.float32
    np.testing.assert_allclose(places, [-2, -1, 0, 1, 2])
    np.testing.assert_allclose(walked[:, 2], [latents[0]] * 2, atol=1e-6)
    step = np.array([1, 0, 0]) * latents[:, 0].std()
    np.testing.assert_allclose(walked[0, 4], latents[0] + 2 * step, atol=1e-6)
    np.testing.assert_allclose(
        walked[1, :, :2], [latents[0, :2]] * 5, rtol=1e-6
    )

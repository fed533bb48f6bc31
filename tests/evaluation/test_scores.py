"""Scores of scores.json: golden values, directions and the test ladder."""

import json

import numpy as np
import pytest
from scipy import stats

from brainjax.evaluation import (
    identification,
    score_files,
    scores,
    ssim,
    statistics,
)

GENERATOR = np.random.default_rng(0)


def golden_features():
    a, b = np.indices((40, 30))
    truth = np.sin(1.7 * a + 0.9 * b + 0.13 * a * b)
    other = np.cos(2.3 * a - 0.4 * b + 0.07 * a * b)
    return truth, 0.35 * truth + other


def test_golden_values():
    matrix = identification.similarity(*golden_features())
    two_way = scores.identification_scores('x', matrix, draws=100)['two_way_x']
    assert two_way['value'] == pytest.approx(0.9769230769, abs=6e-11)
    distance = scores.make_score([1 - matrix], lower=True, draws=100)
    assert distance['value'] == pytest.approx(0.6552937455, abs=6e-11)
    cosine = identification.similarity(*golden_features(), centre=False)
    found = scores.retrieval_scores('x', cosine, draws=100)
    assert found['top1_picture_x']['value'] == 0.325
    assert found['top1_reconstruction_x']['value'] == 0.4
    assert json.loads(json.dumps(found)) == found


def assignments(matrix, statistic):
    """Scores of every reconstruction for every stimulus, one by one."""
    n = len(matrix)
    table, rows = np.empty((n, n)), np.arange(n)
    for shift in range(n):
        columns = (rows + shift) % n
        table[rows, columns] = statistic(matrix[:, columns])
    return table


def test_tables_are_scores_of_permuted_matrices():
    matrix = np.round(GENERATOR.normal(size=(7, 7)), 1)  # With ties.
    matrix[:, 3] = np.nan
    matrix[2, 4] = np.nan
    for n, top in ((2, 1), (5, 1), (5, 3), (7, 1)):
        np.testing.assert_allclose(
            identification.n_way_table(matrix, n, top),
            assignments(
                matrix, lambda m, n=n, top=top: identification.n_way(m, n, top)
            ),
        )
    np.testing.assert_array_equal(
        np.diagonal(identification.ranks(matrix)), identification.rank(matrix)
    )


def test_distances_are_better_the_lower():
    near = 1 + GENERATOR.random((20, 20)) - 0.9 * np.eye(20)
    found = scores.make_score([near], lower=True, draws=499)
    assert found['p'] == 1 / 500
    assert found['better'] == 'lower'
    assert scores.make_score([near], draws=499)['p'] == 1


def test_values_of_each_picture_are_in_the_order_of_pictures(monkeypatch):
    monkeypatch.setattr(scores, 'SUBSET', 4)
    monkeypatch.setattr(scores, 'SMALLEST_SUBSET', 4)
    target, made = GENERATOR.random((2, 11, 12, 12, 3))
    picture = np.repeat(np.arange(10), [2, *[1] * 9])
    found, _ = scores.pixel_scores(target, made, picture=picture, draws=9)
    own = np.diagonal(ssim.table('ssim_2d', target, made))
    np.testing.assert_allclose(found['ssim_2d'].per_picture[1:], own[2:])
    found['pixcorr'].per_picture[3] = np.nan
    names = ['a,b', *'bcdefghijk']
    text = score_files.per_picture(names, picture, found).splitlines()
    assert text[0] == 'name,pixcorr,ssim_2d,ssim_1d' and len(text) == 11
    assert text[1].startswith('"a,b",') and text[2].startswith('c,')
    assert text[4].startswith('e,,')


def test_perfect_reconstructions_score_perfectly():
    truth, _ = golden_features()
    matrix = identification.similarity(truth, truth)
    found = scores.identification_scores('x', matrix, draws=50)
    found |= scores.retrieval_scores('x', matrix, draws=50)
    rank = found.pop('rank_x')
    assert rank['value'] == 1 and rank['chance'] == 20.5
    assert {entry['value'] for entry in found.values()} == {1.0}


def test_identical_reconstructions_score_chance():
    truth, reconstruction = golden_features()
    same = np.tile(reconstruction[:1], (40, 1))
    matrix = identification.similarity(truth, same)
    found = scores.identification_scores('x', matrix, draws=50)
    assert found['two_way_x']['value'] == pytest.approx(0.5, abs=1e-14)
    assert found['all_way_x']['value'] == pytest.approx(1 / 40, abs=1e-14)
    assert all(entry['p'] == 1 for entry in found.values())
    retrieval = scores.retrieval_scores('x', matrix, draws=50)
    assert retrieval['rank_x']['value'] == pytest.approx(20.5)
    # Ties are misses: the wrong direction would be 0, not chance.
    assert retrieval['top1_reconstruction_x']['value'] == 0


def test_permuted_reconstructions_score_within_the_null():
    truth, reconstruction = golden_features()
    order = GENERATOR.permutation(40)
    matrix = identification.similarity(truth, reconstruction[order])
    table = identification.n_way_table(matrix, 2)
    null = statistics.permutation_null([table], 2000)
    found = np.diagonal(table).mean()
    assert abs(found - 0.5) < 4 * null.std()
    assert null.mean() == pytest.approx(0.5, abs=4 * null.std() / 2000**0.5)


def randomised_p(tables, seed, lower=False, draws=199):
    """p with ties broken at random, as scores of few values have many."""
    sign = -1 if lower else 1
    null = sign * statistics.permutation_null(tables, draws, seed)
    value = sign * np.mean(np.concatenate([np.diagonal(t) for t in tables]))
    above = (null > value + 1e-9).sum()
    ties = 1 + (abs(null - value) <= 1e-9).sum()
    return (above + GENERATOR.random() * ties) / (draws + 1)


def test_p_of_every_kind_of_score_is_uniform_under_the_null():
    found, reported = {}, {}
    for experiment in range(150):
        truth = GENERATOR.random((8, 11, 11, 3))
        # Guesses that share a common part but know nothing.
        common = GENERATOR.random((11, 11, 3))
        guess = (GENERATOR.random(truth.shape) + common) / 2
        rows = truth.reshape(8, -1), guess.reshape(8, -1)
        matrix = identification.similarity(*rows)
        tables = {
            'pixcorr': matrix,
            'ssim_2d': ssim.table('ssim_2d', truth, guess),
            'ssim_1d': ssim.table('ssim_1d', truth, guess),
            'two_way': identification.n_way_table(matrix, 2),
            'all_way': identification.n_way_table(matrix, 8),
            'top5': identification.n_way_table(matrix, 8, 5),
            'back': identification.n_way_table(matrix.T, 8),
        }
        for name, table in tables.items():
            p = randomised_p([table], experiment)
            found.setdefault(name, []).append(p)
            entry = scores.make_score([table], seed=experiment, draws=99)
            reported.setdefault(name, []).append(entry['p'])
        p = randomised_p([1 - matrix], experiment, lower=True)
        found.setdefault('distance', []).append(p)
    for name, p_values in found.items():
        assert stats.kstest(p_values, 'uniform').pvalue > 0.001, name
    for name, p_values in reported.items():
        for level in (0.05, 0.2, 0.5):  # Ties make it conservative.
            share = np.mean(np.array(p_values) <= level)
            assert share < level + 4 * (level / 150) ** 0.5, (name, level)

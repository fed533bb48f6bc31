"""Scores of pictures that several fits reconstructed, each its own fold."""

import numpy as np
import pytest
from scipy import stats

from brainjax import evaluation
from brainjax.evaluation import scores
from brainjax.evaluation.pixels import distinct
from brainjax.evaluation.posterior import information

FOLD = np.array([0, 0, 1, 1, 1, 2, 2, 2, 2, 2])


def cases(seed, noise=1.0):
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 256, (len(FOLD), 4, 4, 3), np.uint8)
    mixed = target / 255 + noise * rng.random(target.shape)
    return target, np.float32(mixed / (1 + noise))


def test_scores_are_those_of_exchanges_within_folds():
    """Against loops over pairs, and all permutations within folds."""
    target, made = cases(0)
    found = evaluation.score(target, made, fold=FOLD, draws=4000)
    n = len(target)
    r = np.array(
        [
            [stats.pearsonr(t.ravel(), m.ravel())[0] for m in made]
            for t in target / 255
        ]
    )
    wins = np.array(
        [
            [np.mean([r[k, j] < r[i, j] for k in range(n) if k != i])
             for j in range(n)]
            for i in range(n)
        ]
    )  # fmt: skip
    rng = np.random.default_rng(5)
    orders = np.tile(np.arange(n), (4000, 1))
    for fold in np.unique(FOLD):
        rows = np.flatnonzero(fold == FOLD)
        orders[:, rows] = rng.permuted(orders[:, rows], axis=1)
    for name, table, guess in (
        ('pixcorr', r, None),
        ('two_way_pixels', wins, 0.5),
    ):
        value = np.diagonal(table).mean()
        null = table[np.arange(n), orders].mean(axis=1)
        p = np.mean(null >= value - 1e-9)
        assert found[name]['value'] == pytest.approx(value)
        assert found[name].get('guess') == guess
        assert found[name]['chance'] == pytest.approx(null.mean(), abs=0.01)
        assert found[name]['p'] == pytest.approx(p, abs=0.03)


def test_means_of_other_folds_are_no_information():
    """They lean away from their own fold's pictures, which p allows for."""
    fold = np.repeat(np.arange(4), 6)
    within, across = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        target = rng.integers(0, 256, (24, 3, 3, 3), np.uint8)
        made = np.array([target[fold != i].mean(axis=0) for i in fold])
        made = np.float32((made + rng.normal(0, 9, made.shape)) / 255)
        made = made.clip(0, 1)
        for options, kept in (({'fold': fold}, within), ({}, across)):
            found = evaluation.score(target, made, draws=200, **options)
            kept.append(found['two_way_pixels']['p'])
    assert stats.kstest(within, 'uniform').pvalue > 0.01
    assert np.mean(across) > 0.7  # Nothing decoded, and worse than chance.


def test_a_picture_of_several_folds_is_exchanged_with_its_like():
    picture = np.array([0, 1, 2, 0, 1, 3])
    fold = np.array([0, 0, 0, 1, 1, 1])
    groups = scores.exchangeable(picture, fold)
    assert sorted(map(tuple, groups)) == [(0, 1), (2,), (3,)]


def test_subsets_lie_within_folds():
    target = np.random.default_rng(1).integers(0, 256, (30, 400, 400, 3))
    fold = np.repeat([0, 1], [13, 17])
    parts = scores.subsets(target, distinct(target), 0, fold=fold)
    assert all(len(np.unique(fold[rows])) == 1 for rows in parts)
    assert sorted(np.concatenate(parts)) == list(range(30))
    assert len(parts) == 2 + 3


def test_information_is_a_mean_over_the_pictures_of_all_folds():
    rng = np.random.default_rng(2)
    folds = [
        (rng.normal(size=(n, n)), rng.normal(size=n), np.arange(n))
        for n in (3, 5)
    ]
    found = information.over_folds(folds, draws=100)
    bits = [
        (np.diagonal(posterior) - prior) / np.log(2)
        for posterior, prior, _ in folds
    ]
    assert found['information']['value'] == pytest.approx(
        np.concatenate(bits).mean()
    )
    wins = [
        np.mean([gain[i, i] > gain[i, j] for j in range(len(gain)) if j != i])
        for gain in (post - prior for post, prior, _ in folds)
        for i in range(len(gain))
    ]
    assert found['two_way_density']['value'] == pytest.approx(np.mean(wins))

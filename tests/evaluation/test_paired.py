"""Differences of methods, from the formulas."""

import numpy as np
import pytest
from scipy import stats

from brainjax.evaluation import paired
from brainjax.evaluation.scores import Score

GENERATOR = np.random.default_rng(0)
OURS, THEIRS = GENERATOR.normal((0.3, 0.0), 1, size=(12, 2)).T


def score(values, **more):
    found = Score(value=float(np.mean(values)), **more)
    found.per_picture = np.asarray(values)
    return found


def test_difference_from_the_formulas():
    found = paired.difference(OURS, THEIRS, draws=20_000)
    away = OURS - THEIRS
    exact = stats.permutation_test(  # All 2^12 flips.
        (away,), np.mean, permutation_type='samples', n_resamples=np.inf
    )
    assert found['p'] == pytest.approx(exact.pvalue, abs=0.01)
    assert found['value'] == pytest.approx(away.mean())
    t = stats.ttest_rel(OURS, THEIRS).statistic
    assert found['d_z'] == pytest.approx(t / np.sqrt(12))
    assert found['wins'] == np.mean(OURS > THEIRS)
    assert found['chance'] == 0 and found['n'] == 12
    np.testing.assert_allclose(found.per_picture, away)


def test_lower_is_better_turns_wins_and_not_the_difference():
    found = paired.difference(OURS, THEIRS, lower=True)
    assert found['wins'] == np.mean(OURS < THEIRS)
    assert found['value'] == pytest.approx(np.mean(OURS - THEIRS))
    assert found['better'] == 'lower'


def test_ties_count_half_and_alike_differences_have_no_size():
    same = paired.difference(OURS, OURS)
    assert same['wins'] == 0.5 and same['p'] == 1 and np.isnan(same['d_z'])


def test_pictures_without_a_score_are_left_out():
    holed = np.where(np.arange(12) == 3, np.nan, OURS)
    found = paired.difference(holed, THEIRS)
    assert found['n'] == 11
    assert found['value'] == pytest.approx(np.nanmean(holed - THEIRS))


def test_all_pairs_of_what_both_have():
    methods = {
        'a': {'x': score(OURS), 'y': score(OURS), 'z': Score(value=0.1)},
        'b': {'x': score(THEIRS), 'z': Score(value=0.2)},
        'c': {'x': score(THEIRS + 0.5, better='lower')},
    }
    methods['a']['x']['better'] = methods['b']['x']['better'] = 'lower'
    found = paired.all_pairs(methods, draws=500)
    assert list(found) == ['x_a_minus_b', 'x_a_minus_c', 'x_b_minus_c']
    for each in found.values():
        assert each['score'] == 'x' and each['better'] == 'lower'
        assert each['p'] <= each['p_corrected'] <= 1
    assert found['x_a_minus_c']['method'] == 'a'
    assert found['x_a_minus_c']['other'] == 'c'
    assert found['x_b_minus_c']['value'] == pytest.approx(-0.5)
    assert '-0.500' in paired.in_line(found['x_b_minus_c'])

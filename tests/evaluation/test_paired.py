"""Differences of methods, from the formulas."""

import itertools

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


def pairs_of(table, draws=10_000):
    """q of differences [n, tests] from nothing."""
    ours = {f't{i}': score(values) for i, values in enumerate(table.T)}
    nothing = {name: score(0 * table[:, 0]) for name in ours}
    found = paired.all_pairs({'a': ours, 'b': nothing}, draws=draws)
    return np.array([each['q'] for each in found.values()])


def test_q_against_all_flips():
    """The step-down maximum over all 2^8 flips, written out."""
    table = np.random.default_rng(1).normal((0.9, 0.5, 0.1), 1, (8, 3))
    table = np.column_stack([table, table[:, 0] + 0.01])
    signs = np.array(list(itertools.product((-1, 1), repeat=8)))
    null = abs(signs @ table / 8)
    scaled = (null - null.mean(axis=0)) / null.std(axis=0)
    observed, left, expected, last = scaled[-1], [0, 1, 2, 3], np.empty(4), 0
    while left:
        best = max(left, key=lambda i: observed[i])
        largest = scaled[:, left].max(axis=1)
        last = max(last, np.mean(largest >= observed[best] - 1e-9))
        expected[best] = last
        left.remove(best)
    np.testing.assert_allclose(pairs_of(table, 40_000), expected, atol=0.01)


def test_scores_that_say_the_same_count_as_one():
    away = (OURS - THEIRS)[:, None]
    once = pairs_of(away)
    np.testing.assert_allclose(pairs_of(np.tile(away, 9)), np.tile(once, 9))
    nothing = pairs_of(np.column_stack([away, 0 * away]))
    np.testing.assert_allclose(nothing, [once[0], 1])


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
        assert each['p'] <= each['q'] <= 1
    assert found['x_a_minus_c']['method'] == 'a'
    assert found['x_a_minus_c']['other'] == 'c'
    assert found['x_b_minus_c']['value'] == pytest.approx(-0.5)
    assert '-0.500' in paired.in_line(found['x_b_minus_c'])

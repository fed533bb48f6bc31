"""Scores over subjects, beside the textbook's formulas."""

import numpy as np
import pytest
from scipy import stats

from brainjax.evaluation.group import group_scores

VALUES = np.array([0.62, 0.71, 0.55, 0.80, 0.66])
CHANCE = np.array([0.50, 0.52, 0.49, 0.50, 0.51])
P = np.array([0.04, 0.001, 0.3, 0.001, 0.02])


def subjects(**more):
    return [
        {'x': {'value': v, 'chance': c, 'p': p, 'n': 20} | more}
        for v, c, p in zip(VALUES, CHANCE, P)
    ]


def test_mean_interval_and_p():
    found = group_scores.combine(subjects())['x']
    away, n = VALUES - CHANCE, 5
    error = VALUES.std(ddof=1) / np.sqrt(n)
    half = stats.t.ppf(0.975, n - 1) * error
    assert found['value'] == pytest.approx(VALUES.mean())
    assert found['low'] == pytest.approx(VALUES.mean() - half)
    assert found['high'] == pytest.approx(VALUES.mean() + half)
    assert found['chance'] == pytest.approx(CHANCE.mean())
    t = away.mean() / (away.std(ddof=1) / np.sqrt(n))
    assert found['p'] == pytest.approx(stats.t.sf(t, n - 1))
    assert found['d'] == pytest.approx(t / np.sqrt(n))
    assert found['q'] == found['p'] and found['n'] == 5
    assert found['significant'] == 4
    assert [each['p'] for each in found['subjects']] == list(P)
    assert '4 of 5 significant' in group_scores.in_line(found)


def test_interval_over_subjects_and_pictures_has_both_variances():
    """Zou and Donner 2008: squared half widths add up."""
    generator = np.random.default_rng(0)
    table = generator.normal(0, 1, (12, 1)) + generator.normal(0, 2, 80)
    group = [
        {'x': {'value': row.mean(), 'chance': 0, 'p': 0.1, 'n': 80}}
        for row in table
    ]
    found = group_scores.combine(group, {'x': table}, draws=4000)['x']
    halves = [
        stats.t.ppf(0.975, n - 1) * table.mean(axis=axis).std(ddof=1) / n**0.5
        for axis, n in ((1, 12), (0, 80))
    ]
    width = found['crossed_high'] - found['crossed_low']
    assert width == pytest.approx(2 * np.hypot(*halves), rel=0.1)
    assert width > found['high'] - found['low']
    assert found['crossed_low'] < table.mean() < found['crossed_high']


def test_differences_of_rates_may_be_below_0():
    table = np.random.default_rng(0).uniform(-0.5, 0.3, (6, 30))
    name = 'two_way_pixels_a_minus_b'
    told = {'score': 'two_way_pixels', 'method': 'a', 'other': 'b'}
    group = [
        {name: {'value': row.mean(), 'chance': 0, 'p': 0.1, 'n': 30} | told}
        for row in table
    ]
    found = group_scores.combine(group, {name: table}, draws=500)[name]
    assert found['crossed_low'] < table.mean() < found['crossed_high'] < 0


def test_direction_of_the_test_is_the_scores():
    t = (VALUES - CHANCE).mean() / stats.sem(VALUES - CHANCE)
    for more, expected in (
        ({'better': 'lower'}, stats.t.cdf(t, 4)),
        ({'paired': True}, 2 * stats.t.sf(t, 4)),
    ):
        found = group_scores.combine(subjects(**more))['x']
        assert found['p'] == pytest.approx(expected)
        assert found['significant'] == 4


def test_a_difference_is_prevalent_in_those_that_gain():
    """A p of .06, two-sided, is one of .03 for a gain and .97 for a loss."""
    for more, gains in (({}, [1, 1, 0]), ({'better': 'lower'}, [0, 0, 1])):
        group = [
            {'x': {'value': v, 'chance': 0, 'p': 0.06, 'n': 9, 'paired': True}}
            for v in (0.1, 0.2, -0.1)
        ]
        for each in group:
            each['x'] |= more
        found = group_scores.combine(group)['x']
        assert found['significant'] == sum(gains)


def test_nominal_scores_are_tested_against_that_and_have_no_prevalence():
    found = group_scores.combine(subjects(nominal=0.9, chance=None))['x']
    expected = stats.ttest_1samp(VALUES, 0.9).pvalue
    assert found['p'] == pytest.approx(expected)
    assert 'significant' not in found and found['nominal'] == 0.9


def test_subjects_that_are_all_alike_tell_no_interval():
    alike = [{'x': {'value': 1.0, 'chance': 0.5, 'p': 0.01, 'n': 9}}] * 3
    found = group_scores.combine(alike)['x']
    assert found['value'] == 1 and found['significant'] == 3
    assert all(np.isnan(found[key]) for key in ('low', 'high', 'p', 'q', 'd'))


def test_only_common_scores_and_q_over_them():
    first, *rest = subjects()
    more = [{'y': each['x'] | {'value': 0.5}} for each in rest]
    both = [
        {'x': a['x'], 'y': {**a['x'], 'value': a['x']['value'] - 0.1}}
        for a in (first, *rest)
    ]
    found = group_scores.combine(both)
    p = [each['p'] for each in found.values()]
    q = [each['q'] for each in found.values()]
    np.testing.assert_allclose(q, stats.false_discovery_control(p))
    assert not group_scores.combine([first, *more])

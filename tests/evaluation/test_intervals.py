"""Intervals against what is known of them, and how often they hold."""

import numpy as np
import pytest
from scipy import stats

from brainjax.evaluation import intervals
from brainjax.evaluation.intervals import CORRELATION, RATE, interval


def test_hits_and_misses_have_clopper_pearsons_interval():
    for hits, n in ((20, 20), (0, 5), (3, 7), (49, 50)):
        values = np.repeat([1.0, 0.0], [hits, n - hits])
        exact = stats.binomtest(hits, n).proportion_ci(method='exact')
        assert interval(values, RATE) == pytest.approx((exact.low, exact.high))
    ranks = interval(np.ones(20), (1, 9))
    assert ranks == pytest.approx((1, 1 + 8 * (1 - 0.025 ** (1 / 20))))


def test_many_scores_have_the_normal_interval():
    scores = np.random.default_rng(0).normal(0.3, 0.1, 500)
    low, high = interval(scores, CORRELATION, seed=1)
    half = 1.96 * scores.std() / np.sqrt(500)
    assert low == pytest.approx(scores.mean() - half, abs=0.06 * half)
    assert high == pytest.approx(scores.mean() + half, abs=0.06 * half)
    assert interval(scores, CORRELATION, seed=1) == (low, high)
    assert interval(scores, CORRELATION, seed=2) != (low, high)


def test_no_narrower_than_students_and_longer_where_scores_are_skewed():
    scores = 1 - 0.05 * np.random.default_rng(0).exponential(size=12)
    t = stats.ttest_1samp(scores, 0).confidence_interval()
    low, high = interval(scores)
    assert low < t.low - 0.1 * (t.high - t.low) and high >= t.high - 1e-12


def test_few_pictures_and_undefined_scores_have_none():
    for scores in ([0.1, 0.4, 0.3, 0.2], [0.1, np.nan, 0.3, 0.2, 0.4]):
        assert np.isnan(interval(np.array(scores), RATE)).all()
    same = np.full(9, 0.25)
    assert np.isnan(interval(same)).all()  # Nothing says how it may vary.
    low, high = interval(same, RATE)
    assert 0 < low < 0.2 and 0.3 < high < 1


def test_memory_does_not_change_it(monkeypatch):
    scores = np.random.default_rng(0).normal(size=20)
    whole = interval(scores, (-9, 9), draws=1000)
    monkeypatch.setattr(intervals, 'NUMBERS_AT_A_TIME', 130)
    assert interval(scores, (-9, 9), draws=1000) == pytest.approx(whole)


def test_of_subjects_and_pictures_it_has_both_variances():
    rng = np.random.default_rng(0)
    subjects, pictures = rng.normal(size=(40, 1)), rng.normal(size=60)
    table = subjects + pictures + rng.normal(0, 0.1, (40, 60))
    low, high = interval(table)
    spread = np.sqrt(subjects.var() / 40 + pictures.var() / 60)
    assert (high - low) / 4 == pytest.approx(spread, rel=0.05)
    # Values that are not there neither count nor matter.
    sparse = np.where(rng.random(table.shape) < 0.7, table, np.nan)
    low, high = interval(sparse)
    assert (high - low) / 4 == pytest.approx(spread, rel=0.12)
    # Pictures of their own: they average out over subjects.
    ragged = [row[: 60 - i % 2] for i, row in enumerate(table)]
    t = stats.ttest_1samp([row.mean() for row in ragged], 0)
    assert interval(ragged) == pytest.approx(t.confidence_interval(), rel=0.1)


def test_two_subjects_say_little_and_one_nothing_of_others():
    rng = np.random.default_rng(0)
    table = np.array([[0.7], [0.8]]) + rng.normal(0, 0.05, (2, 30))
    low, high = interval(table, RATE)
    # Student's t of one degree of freedom.
    assert high - low > 0.5 and 0 < low < high < 1
    one = interval(table[:1], RATE)
    assert one == interval(table[0], RATE) and one[1] - one[0] < 0.1
    perfect = interval(np.ones((3, 12)), RATE)
    assert perfect == pytest.approx((0.025 ** (1 / 12), 1))


def _holds(draw, expected, bounds, experiments=250):
    rng = np.random.default_rng(0)
    found = (
        interval(draw(rng), bounds, seed=i, draws=300)
        for i in range(experiments)
    )
    return np.mean([low <= expected <= high for low, high in found])


@pytest.mark.parametrize(
    ('draw', 'expected', 'bounds'),
    [
        (lambda rng: rng.normal(0.3, 0.1, 5), 0.3, CORRELATION),
        (lambda rng: rng.exponential(size=10), 1, (0, np.inf)),
        (lambda rng: (rng.random(20) < 0.95) * 1.0, 0.95, RATE),
        (lambda rng: rng.binomial(9, rng.beta(9, 1, 10)) / 9, 0.9, RATE),
        (
            lambda rng: rng.normal(size=(3, 1)) + rng.normal(size=(3, 20)),
            0,
            (-99, 99),
        ),
    ],
)
def test_intervals_hold(draw, expected, bounds):
    """The cells of benchmarks/coverage.py where they fail most easily."""
    assert _holds(draw, expected, bounds) > 0.91

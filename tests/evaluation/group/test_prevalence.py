"""Prevalence against enumeration, the binomial sum and simulated groups."""

import itertools
import math

import numpy as np
import pytest
from scipy import optimize

from brainjax.evaluation.group import prevalence


def tail(found, n, chance):
    """P(as many successes of n, or more), summed."""
    return sum(
        math.comb(n, k) * chance**k * (1 - chance) ** (n - k)
        for k in range(found, n + 1)
    )


@pytest.mark.parametrize(('found', 'n'), [(5, 5), (4, 5), (9, 10), (1, 8)])
def test_binomial_form(found, n):
    for share in (0.0, 0.3, 0.5):
        p = prevalence.p_value(found, n, 0.05, share)
        chance = share + (1 - share) * 0.05
        assert p == pytest.approx(tail(found, n, chance))
    low = prevalence.bound(found, n)
    # Where the bound is, the null hypothesis is rejected at just .05.
    if low:
        assert prevalence.p_value(found, n, 0.05, low) == pytest.approx(0.05)
        solved = optimize.brentq(
            lambda c: tail(found, n, c) - 0.05, 1e-6, 1 - 1e-6
        )
        assert low == pytest.approx((solved - 0.05) / 0.95)
    else:
        assert tail(found, n, 0.05) > 0.05
    assert low < found / n
    assert prevalence.bound(0, n) == 0


def test_minimum_form_against_all_ways_to_have_an_effect():
    """Who has an effect is enumerated; who has none beats u by its chance u."""
    n, worst, share = 5, 0.03, 0.4
    total = 0.0
    for affected in itertools.product((0, 1), repeat=n):
        k = sum(affected)
        total += share**k * (1 - share) ** (n - k) * worst ** (n - k)
    assert prevalence.minimum_p_value(worst, n, share) == pytest.approx(total)
    low = prevalence.minimum_bound(worst, n)
    assert prevalence.minimum_p_value(worst, n, low) == pytest.approx(0.05)
    # The global null: all n p values are as small as the largest.
    assert prevalence.minimum_p_value(worst, n, 0) == pytest.approx(worst**n)


def test_minimum_form_against_second_level_permutations():
    """Allefeld et al. 2016: all P1^N combinations of first-level draws."""
    generator = np.random.default_rng(0)
    accuracies = generator.normal(size=(4, 9))  # Column 0 is not permuted.
    accuracies[:, 0] += 2.0
    least = accuracies[:, 0].min()
    combinations = [
        min(accuracies[k, i] for k, i in enumerate(chosen))
        for chosen in itertools.product(range(9), repeat=4)
    ]
    p_global = np.mean(np.array(combinations) >= least)
    u = p_global ** (1 / 4)
    gamma = (0.05 ** (1 / 4) - u) / (1 - u)
    assert prevalence.minimum_bound(u, 4) == pytest.approx(gamma)
    majority = (0.5 * u + 0.5) ** 4
    assert prevalence.minimum_p_value(u, 4) == pytest.approx(majority)


def test_bounds_by_number_of_subjects():
    """The most that N subjects can show, alpha^(1/N)."""
    for n, most in ((5, 0.549), (10, 0.741), (12, 0.779), (20, 0.861)):
        assert prevalence.minimum_bound(0.0, n) == pytest.approx(most, abs=5e-4)
        clopper = (most - 0.05) / 0.95
        assert prevalence.bound(n, n) == pytest.approx(clopper, abs=1e-3)


def test_bounds_cover():
    """A true share of .6, with half the power in a quarter of the affected."""
    generator = np.random.default_rng(0)
    below, below_minimum = [], []
    for _ in range(2000):
        affected = generator.random(8) < 0.6
        weak = generator.random(8) < 0.25
        p = generator.random(8)
        p = np.where(affected & ~weak, p / 1000, p)
        p = np.where(affected & weak, p / 10, p)
        found = prevalence.prevalence(p)
        assert found.significant == (p <= 0.05).sum()
        below.append(found.prevalence_low <= 0.6)
        below_minimum.append(found.prevalence_low_minimum <= 0.6)
    assert np.mean(below) >= 0.945 and np.mean(below_minimum) >= 0.945


def test_p_that_is_not_known_is_not_significant():
    found = prevalence.prevalence([0.001, np.nan, 0.001])
    assert found.significant == 2 and found.prevalence_low_minimum == 0
    assert found.p_majority_minimum == 1

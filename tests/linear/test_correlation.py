"""Every form of the correlation against NumPy's, and what constants give."""

import numpy as np
import pytest

from brainjax.linear import correlation

RNG = np.random.default_rng(0)
X = RNG.normal(3, 2, (40, 7))
Y = X + RNG.normal(0, 2, X.shape)


def reference(x, y):
    """[len(x), len(y)] by `numpy.corrcoef`, of rows."""
    return np.corrcoef(x, y)[: len(x), len(x) :]


@pytest.mark.parametrize(
    'function', [correlation.columns, correlation.columns_in_tiles]
)
def test_columns(function):
    expected = np.diagonal(reference(X.T, Y.T))
    np.testing.assert_allclose(function(X, Y, constant=0.0), expected)
    still = X.copy()
    still[:, 2] = 1e6 / 3
    for pair in ((still, Y), (Y, still)):
        for constant in (0.0, np.nan, -1.0):
            found = function(*pair, constant=constant)
            np.testing.assert_equal(found[2], constant)
            known = np.arange(7) != 2
            np.testing.assert_allclose(found[known], expected[known])


def test_patterns():
    found = correlation.patterns(X[0], Y[0], constant=0.0)
    assert found == pytest.approx(np.corrcoef(X[0], Y[0])[0, 1])
    for constant in (0.0, np.nan):
        found = correlation.patterns(np.full(7, 0.1), Y[0], constant=constant)
        np.testing.assert_equal(found, constant)


def in_blocks(x, y, *, constant):
    blocks = ((x[:, i : i + 3], y[:, i : i + 3]) for i in range(0, 7, 3))
    return correlation.all_pairs_of_blocks(blocks, constant=constant)


@pytest.mark.parametrize('function', [correlation.all_pairs, in_blocks])
def test_all_pairs(function):
    found = function(X[:30], Y[30:], constant=0.0)
    np.testing.assert_allclose(found, reference(X[:30], Y[30:]), atol=1e-11)
    still = X.copy()
    still[4] = 0.3
    for constant in (0.0, np.nan):
        found = function(still, Y, constant=constant)
        np.testing.assert_equal(found[4], np.full(40, constant))
        found = function(Y, still, constant=constant)
        np.testing.assert_equal(found[:, 4], np.full(40, constant))
        assert np.isfinite(found[:, 5]).all()

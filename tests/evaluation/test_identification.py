"""Identification against golden values, brute force and NumPy."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainjax.errors import InputError
from brainjax.evaluation import identification
from brainjax.linear import correlation


def golden_features():
    a, b = np.indices((40, 30))
    truth = np.sin(1.7 * a + 0.9 * b + 0.13 * a * b)
    other = np.cos(2.3 * a - 0.4 * b + 0.07 * a * b)
    return truth, 0.35 * truth + other


def enumerated(matrix, n, top=1):
    """n-way identification of each reconstruction over all draws."""
    size = len(matrix)
    scores = []
    for j in range(size):
        others = [i for i in range(size) if i != j]
        right = [
            sum(matrix[i, j] >= matrix[j, j] for i in drawn) < top
            for drawn in itertools.combinations(others, n - 1)
        ]
        scores.append(np.mean(right))
    return np.array(scores)


def test_golden_values():
    truth, prediction = golden_features()
    matrix = identification.similarity(truth, prediction)
    assert identification.two_way(matrix).mean() == pytest.approx(
        0.9769230769, abs=6e-11
    )
    assert identification.two_way(matrix.T).mean() == pytest.approx(
        0.9756410256, abs=6e-11
    )
    assert 1 - np.diagonal(matrix).mean() == pytest.approx(
        0.6552937455, abs=6e-11
    )
    cosine = identification.similarity(truth, prediction, centre=False)
    assert identification.n_way(cosine, 40).mean() == 0.325
    assert identification.n_way(cosine.T, 40).mean() == 0.4


def test_similarity_is_numpys_corrcoef_over_blocks(monkeypatch):
    generator = np.random.default_rng(0)
    truth = generator.normal(5, 1, (6, 100)).astype(np.float32)
    prediction = generator.normal(-2, 3, (4, 100))
    expected = np.corrcoef(truth.astype(float), prediction)[:6, 6:]
    for size in (8192, 7):
        monkeypatch.setattr(correlation, 'FEATURES_AT_A_TIME', size)
        found = identification.similarity(truth, prediction)
        np.testing.assert_allclose(found, expected, atol=1e-11)
    cosine = identification.similarity(truth, prediction, centre=False)
    norms = np.outer(
        np.linalg.norm(truth.astype(float), axis=1),
        np.linalg.norm(prediction, axis=1),
    )
    np.testing.assert_allclose(
        cosine, truth.astype(float) @ prediction.T / norms, atol=1e-11
    )


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 6).flatmap(
        lambda size: st.lists(
            st.integers(0, 4), min_size=size * size, max_size=size * size
        )
    ),
    st.data(),
)
def test_n_way_is_the_mean_over_all_draws(values, data):
    size = round(len(values) ** 0.5)
    matrix = np.reshape(values, (size, size)).astype(float)
    n = data.draw(st.integers(2, size))
    top = data.draw(st.integers(1, n))
    np.testing.assert_allclose(
        identification.n_way(matrix, n, top),
        enumerated(matrix, n, top),
        atol=1e-12,
    )
    np.testing.assert_allclose(
        identification.two_way(matrix), enumerated(matrix, 2), atol=1e-12
    )


def test_n_way_stays_exact_for_many_pictures():
    # One better picture among 999 others: it is missed by a draw of 49 with
    # probability 1 - 49/999.
    matrix = np.eye(1000)
    matrix[1, 0] = 2
    scores = identification.n_way(matrix, 50)
    assert scores[0] == pytest.approx(1 - 49 / 999, abs=1e-15)
    assert (scores[1:] == 1).all()


def test_columns_are_reconstructions():
    # Both reconstructions look like picture 0: the first is right, the
    # second wrong. From the pictures' side it is the other way about.
    matrix = np.array([[0.5, 0.9], [0.1, 0.8]])
    assert identification.two_way(matrix).tolist() == [1, 0]
    assert identification.two_way(matrix.T).tolist() == [0, 1]
    assert identification.rank(matrix).tolist() == [1, 2]
    assert identification.n_way(matrix, 2, top=2).tolist() == [1, 1]


def test_identical_reconstructions_score_chance_but_zero_from_the_other_side():
    truth, prediction = golden_features()
    same = np.tile(prediction[:1], (40, 1))
    matrix = identification.similarity(truth, same)
    assert identification.two_way(matrix).mean() == pytest.approx(
        0.5, abs=1e-14
    )
    assert identification.n_way(matrix, 10).mean() == pytest.approx(
        0.1, abs=1e-14
    )
    # From the pictures' side all reconstructions tie: a score computed in
    # the wrong direction would be 0.
    assert (identification.two_way(matrix.T) == 0).all()


def test_constant_reconstructions_count_as_guesses():
    truth, prediction = golden_features()
    prediction = prediction.astype(np.float32)
    prediction[3] = 0.1
    matrix = identification.similarity(truth, prediction)
    assert np.isnan(matrix[:, 3]).all() and np.isfinite(matrix[:, 4]).all()
    assert identification.two_way(matrix)[3] == 0.5
    assert identification.n_way(matrix, 10, 2)[3] == 0.2
    # From the pictures' side the constant reconstruction is never chosen.
    assert identification.rank(matrix.T)[3] == 40
    defined = np.delete(np.delete(matrix, 3, 0), 3, 1)
    np.testing.assert_array_equal(
        np.delete(identification.rank(matrix.T), 3),
        identification.rank(defined.T),
    )
    truth[5] = 7
    matrix = identification.similarity(truth, prediction)
    assert np.isnan(matrix[5]).all()
    assert identification.two_way(matrix)[5] == 0


def test_pictures_that_are_equal_tie_and_ties_are_misses():
    truth, _ = golden_features()
    truth[1] = truth[0]
    matrix = identification.similarity(truth, truth)
    assert matrix[0, 0] == matrix[1, 0]
    assert identification.rank(matrix)[:3].tolist() == [2, 2, 1]
    assert identification.two_way(matrix)[0] == 38 / 39
    # Matrix products may sum the first and the last row in another order.
    generator = np.random.default_rng(0)
    truth, prediction = generator.random((2, 53, 1001))
    truth[-1] = truth[0]
    matrix = identification.similarity(truth, prediction)
    assert (matrix[0] == matrix[-1]).all()


def test_identity_and_random_reconstructions():
    truth, _ = golden_features()
    matrix = identification.similarity(truth, truth)
    np.testing.assert_allclose(np.diagonal(matrix), 1)
    assert (identification.two_way(matrix) == 1).all()
    generator = np.random.default_rng(0)
    means = [
        identification.n_way(generator.normal(size=(30, 30)), 10).mean()
        for _ in range(300)
    ]
    error = np.std(means) / np.sqrt(len(means))
    assert abs(np.mean(means) - identification.chance(10)) < 4 * error


def test_bad_input_is_named():
    truth, prediction = golden_features()
    with pytest.raises(InputError, match='same features in both'):
        identification.similarity(truth, prediction[:, :7])
    for value in (np.nan, np.inf):
        broken = prediction.copy()
        broken[2, 3] = value
        with pytest.raises(InputError, match='not finite'):
            identification.similarity(truth, broken)
    with pytest.raises(InputError, match='as many reconstructions'):
        identification.two_way(np.zeros((3, 4)))
    with pytest.raises(InputError, match='at least two'):
        identification.rank(np.zeros((1, 1)))
    with pytest.raises(InputError, match='50-way'):
        identification.n_way(np.eye(40), 50)

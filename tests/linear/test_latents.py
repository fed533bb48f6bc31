"""The linear map from latents to voxels against NumPy and known answers."""

import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.evaluation.faces import recognition
from brainjax.linear import latents
from brainjax.linear.estimator import LatentMap


def simulate(seed, trials=400, k=20, voxels=150, noise=0.5):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(trials, k)) * rng.uniform(0.2, 1, k)
    weights = rng.normal(size=(k + 1, voxels))
    y = np.c_[x, np.ones(trials)] @ weights
    return x, y + noise * rng.normal(size=y.shape), weights


def test_both_equations_agree_with_float64():
    x, y, _ = simulate(0)
    design = np.c_[x, np.ones(len(x))]
    expected = np.linalg.pinv(design) @ y
    weights = latents.fit(np.float32(x), np.float32(y), voxels_at_a_time=64)
    assert weights.dtype == np.float32
    np.testing.assert_allclose(
        weights, expected, atol=1e-5 * abs(expected).max()
    )
    back = y @ expected.T @ np.linalg.inv(expected @ expected.T)
    np.testing.assert_allclose(
        latents.invert(weights, y), back[:, :-1], atol=1e-5 * abs(back).max()
    )
    # Equation (2) is least squares over voxels.
    other = np.linalg.lstsq(np.float64(weights).T, y.T, rcond=None)[0].T
    np.testing.assert_allclose(
        latents.invert(weights, y), other[:, :-1], atol=1e-5 * abs(other).max()
    )


def test_without_noise_latents_come_back():
    x, y, weights = simulate(1, noise=0)
    np.testing.assert_allclose(latents.fit(x, y), weights, atol=2e-5)
    np.testing.assert_allclose(latents.invert(weights, y), x, atol=2e-5)
    np.testing.assert_allclose(
        latents.invert_map(weights, y, np.ones(y.shape[1])), x, atol=2e-5
    )


def test_rotated_voxels_give_the_same_latents():
    x, y, _ = simulate(2)
    rng = np.random.default_rng(3)
    turn = np.linalg.qr(rng.normal(size=(y.shape[1], y.shape[1])))[0]
    one = latents.invert(latents.fit(x, y), y)
    other = latents.invert(latents.fit(x, y @ turn), y @ turn)
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_the_bias_is_estimated_and_dropped():
    """A pattern plus any multiple of the bias row has the same latents."""
    x, y, _ = simulate(4)
    weights = latents.fit(x, y)
    moved = y + 3 * weights[-1]
    np.testing.assert_allclose(
        latents.invert(weights, moved), latents.invert(weights, y), atol=1e-4
    )
    assert abs(latents.predict(weights, x * 0) - weights[-1]).max() == 0


def test_ridge_and_prior_against_their_equations():
    x, y, _ = simulate(5)
    design = np.c_[x, np.ones(len(x))]
    penalty = np.diag([7.0] * x.shape[1] + [0.0])
    expected = np.linalg.solve(design.T @ design + penalty, design.T @ y)
    weights = latents.fit(x, y, ridge=7.0)
    np.testing.assert_allclose(weights, expected, atol=2e-5)
    rng = np.random.default_rng(6)
    noise = rng.uniform(0.5, 2, y.shape[1])
    precision = 1 / x.var(axis=0)
    rows, bias = expected[:-1], expected[-1]
    mean = x.mean(axis=0)
    left = np.linalg.inv(rows / noise @ rows.T + np.diag(precision))
    found = mean + ((y - bias - mean @ rows) / noise) @ rows.T @ left
    np.testing.assert_allclose(
        latents.invert_map(weights, y, noise, precision, mean),
        found,
        atol=1e-4,
    )


def test_knowing_the_noise_helps_when_it_differs():
    x, y, _ = simulate(7, noise=0)
    rng = np.random.default_rng(8)
    deviation = rng.choice([0.5, 10.0], y.shape[1])
    y = y + deviation * rng.normal(size=y.shape)
    weights = latents.fit(x, y)
    noise = latents.residual_variance(weights, x, y, voxels_at_a_time=40)
    np.testing.assert_allclose(noise, deviation**2, rtol=0.3)
    plain = np.square(latents.invert(weights, y) - x).mean()
    known = np.square(latents.invert_map(weights, y, noise) - x).mean()
    mean, precision = x.mean(axis=0), 1 / x.var(axis=0)
    better = latents.invert_map(weights, y, noise, precision, mean)
    prior = np.square(better - x).mean()
    assert known < 0.5 * plain and prior < known


def test_most_probable_against_its_closed_form():
    x, y, _ = simulate(10, trials=200, k=6, voxels=40, noise=4.0)
    x = x @ np.random.default_rng(11).normal(size=(6, 6)) + 2
    weights = np.float64(latents.fit(x, y))
    noise = np.random.default_rng(12).uniform(0.5, 2, y.shape[1])
    mean, covariance = x.mean(axis=0), np.cov(x.T, bias=True)
    for few in (40, 3):  # Voxels: more than latents, and fewer.
        rows, bias = weights[:-1, :few], weights[-1, :few]
        # The conditional mean of a joint normal distribution of x and y.
        spread = rows.T @ covariance @ rows + np.diag(noise[:few])
        left = y[:, :few] - (mean @ rows + bias)
        expected = mean + left @ np.linalg.solve(spread, rows.T @ covariance)
        found = latents.most_probable(
            np.float32(weights[:, :few]), y[:, :few], noise[:few], x
        )
        np.testing.assert_allclose(found, expected, atol=1e-3)


def test_most_probable_with_a_weaker_mean_picture():
    x, y, _ = simulate(13, k=6, voxels=80, noise=0.1)
    x += 2
    weights = np.float64(latents.fit(x, y))
    noise = np.full(80, 0.01)
    rng = np.random.default_rng(14)
    faint = 0.3 * y[:50] + 0.1 * rng.normal(size=(50, 80))
    found = latents.most_probable(weights, faint, noise, x, find_constant=True)
    # The conditional mean again, with c as one more normal variable.
    mean, covariance = x.mean(axis=0), np.cov(x.T, bias=True)
    rows, constant = weights[:-1], mean @ weights[:-1] + weights[-1]
    spread = rows.T @ covariance @ rows + np.diag(noise)
    spread += np.outer(constant, constant)
    solved = np.linalg.solve(spread, (faint - constant).T).T
    c = 1 + solved @ constant
    expected = c[:, None] * mean + solved @ rows.T @ covariance
    np.testing.assert_allclose(found, expected, atol=1e-3)
    np.testing.assert_allclose(found, 0.3 * x[:50], atol=0.1)
    # Where responses tell nothing of the mean picture, it counts once.
    alone = weights.copy()
    alone[-1] = -mean @ weights[:-1]
    np.testing.assert_allclose(
        latents.most_probable(alone, faint, noise, x, find_constant=True),
        latents.most_probable(alone, faint, noise, x),
        atol=1e-4,
    )


def test_most_probable_minds_no_latents_that_hardly_vary():
    x, y, _ = simulate(15, k=6)
    noise = np.ones(y.shape[1])
    still = np.float32(0.25 + 1e-7 * np.random.default_rng(16).normal(size=400))
    wide = np.c_[x, still, x[:, 0]]
    plain = latents.most_probable(latents.fit(x, y), y, noise, x)
    found = latents.most_probable(latents.fit(wide, y), y, noise, wide)
    np.testing.assert_allclose(found[:, :6], plain, atol=1e-3)
    np.testing.assert_allclose(found[:, 6], 0.25, atol=1e-5)
    np.testing.assert_allclose(found[:, 7], plain[:, 0], atol=1e-3)


def test_residual_variance_is_unbiased():
    found = []
    for seed in range(20):
        x, y, _ = simulate(seed, trials=40, k=20, voxels=30, noise=2.0)
        found.append(latents.residual_variance(latents.fit(x, y), x, y))
    # 20 x 30 estimates with 19 degrees of freedom: 4 +- 0.053.
    assert abs(np.mean(found) - 4) < 4 * 0.053


@pytest.mark.parametrize(
    ('noise', 'repeats', 'correlation', 'pairwise', 'full'),
    [
        (12.0, 1, 0.06, 0.745, 0.20),
        (12.0, 54, 0.38, 1.0, 1.0),
        (3.0, 1, 0.61, 1.0, 1.0),
    ],
)
def test_the_table_of_the_specification(
    noise, repeats, correlation, pairwise, full
):
    """K=256, V=4000, 2000 trials, 20 test items (faces spec section 9)."""
    rng = np.random.default_rng(0)
    k, voxels, trials, n = 256, 4000, 2000, 20
    weights = rng.normal(0, 0.2, (k + 1, voxels))
    x = rng.normal(0, 0.3, (trials + n, k))
    clean = np.c_[x, np.ones(len(x))] @ weights
    train = clean[:trials] + rng.normal(0, noise, (trials, voxels))
    test = clean[trials:] + rng.normal(0, noise, (n, voxels)) / repeats**0.5
    decoded = latents.invert(latents.fit(x[:trials], train), test)
    r = np.mean([np.corrcoef(*both)[0, 1] for both in zip(x[trials:], decoded)])
    scores = recognition.recognise(x[trials:], decoded, draws=100)
    # One draw stands in the table; 20 items give +- 0.0625 / sqrt(20) of r.
    assert abs(r - correlation) < 0.045
    assert abs(scores['pairwise']['value'] - pairwise) < 0.15
    assert abs(scores['full']['value'] - full) < 0.25


def test_latents_that_do_not_vary_get_no_weight():
    x, y, _ = simulate(9)
    x[:, 3] = 0.25
    weights = latents.fit(x, y)
    assert np.isfinite(weights).all()
    rest = np.delete(x, 3, axis=1)
    np.testing.assert_allclose(
        latents.predict(weights, x),
        latents.predict(latents.fit(rest, y), rest),
        atol=1e-3,
    )


def test_what_cannot_be_solved_is_one_sentence():
    x, y, _ = simulate(10, trials=30, k=20, voxels=20)
    weights = latents.fit(x, y)
    for call, words in (
        (lambda: latents.fit(x[:20], y[:20]), '20 trials cannot determine 20'),
        (lambda: latents.fit(x, y[:9]), 'of 30 trials'),
        (lambda: latents.fit(x * np.nan, y), 'latents have shape'),
        (lambda: latents.fit(x, y * np.inf), 'fMRI have shape'),
        (lambda: latents.invert(weights, y), '20 voxels cannot determine 20'),
        (lambda: latents.invert(weights, y[:, :9]), 'that were fitted'),
        (lambda: latents.invert_map(weights, y, np.zeros(20)), 'positive'),
        (lambda: LatentMap().predict(x), 'call fit first'),
        (lambda: LatentMap().fit(x, y).predict(x[:, :3]), 'give'),
        (
            lambda: LatentMap().set_params(alpha=1),
            "no parameter of LatentMap 'alpha'",
        ),
    ):
        with pytest.raises(InputError, match=words):
            call()
    assert np.isfinite(
        latents.invert_map(weights, y, np.ones(20), precision=1.0)
    ).all()
    assert np.isfinite(latents.fit(x[:10], y[:10], ridge=1.0)).all()


def test_the_estimator_is_the_functions():
    x, y, _ = simulate(11)
    model = LatentMap(ridge=2.0).fit(x, y)
    weights = latents.fit(x, y, ridge=2.0)
    np.testing.assert_array_equal(model.coef_, weights[:-1].T)
    np.testing.assert_array_equal(model.intercept_, weights[-1])
    np.testing.assert_array_equal(model.invert(y), latents.invert(weights, y))
    assert repr(model).startswith('LatentMap(ridge=2.0')


def test_latents_that_others_tell_get_no_weight_of_their_own():
    rng = np.random.default_rng(20)
    x = np.float32(rng.normal(size=(600, 5)))
    x = np.c_[x, np.float32(0.37) * x[:, 0] + np.float32(0.91) * x[:, 1]]
    y = x @ rng.normal(size=(6, 30)) + rng.normal(size=(600, 30))
    weights = latents.fit(x, y)
    design = np.c_[np.float64(x), np.ones(600)]
    design /= np.linalg.norm(design, axis=0)
    least = np.linalg.pinv(design, rcond=1e-5) @ y
    least /= np.linalg.norm(np.c_[np.float64(x), np.ones(600)], axis=0)[:, None]
    np.testing.assert_allclose(weights, least, atol=2e-3)


def test_units_of_latents_do_not_matter():
    x, y, _ = simulate(21, k=6)
    scale = np.float32([1e-4, 1, 1e3, 1, 1e-2, 10])
    plain = latents.fit(x, y)
    found = latents.fit(x * scale, y)
    np.testing.assert_allclose(
        found[:-1] * scale[:, None], plain[:-1], rtol=1e-2, atol=1e-3
    )

"""Scores of posteriors against posteriors that are known exactly."""

import itertools

import numpy as np
import pytest
from scipy import stats

from brainjax.errors import InputError
from brainjax.evaluation import identification
from brainjax.evaluation.posterior import (
    calibration,
    posterior_scores,
    sharpness,
)
from brainjax.evaluation.table.score_table import describe

SIDE = (4, 3, 3)
VALUES = 36
OPTIONS = {'draws': 500}


class Gaussian:
    """x ~ N(.5, C), y = A x + e: everything about p(x | y) is known."""

    def __init__(self, seed=0, responses=8, noise=0.02):
        rng = self.rng = np.random.default_rng(seed)
        root = rng.normal(size=(VALUES, VALUES)) / np.sqrt(VALUES)
        self.prior = 0.004 * (root @ root.T + 0.05 * np.eye(VALUES))
        self.a = rng.normal(size=(responses, VALUES))
        self.noise = noise
        self.signal = self.a @ self.prior @ self.a.T
        self.total = self.signal + noise * np.eye(responses)
        self.gain = self.prior @ self.a.T @ np.linalg.inv(self.total)
        self.posterior = self.prior - self.gain @ self.a @ self.prior

    def pairs(self, n):
        x = self.rng.multivariate_normal(np.zeros(VALUES), self.prior, n)
        y = x @ self.a.T
        return x, y + self.rng.normal(0, np.sqrt(self.noise), y.shape)

    def draws(self, n, k, spread=1.0, shift=0.0):
        """Targets and draws from the posterior, its deviation scaled."""
        x, y = self.pairs(n)
        noise = self.rng.multivariate_normal(
            np.zeros(VALUES), self.posterior, (n, k)
        )
        samples = (y @ self.gain.T)[:, None] + spread * noise + shift
        return (
            (0.5 + samples).reshape(n, k, *SIDE),
            (0.5 + x).reshape(n, *SIDE),
        )


def axes_of_the_prior(model, q=20):
    return np.linalg.eigh(model.prior)[1][:, ::-1][:, :q].T


@pytest.fixture(scope='module')
def exact():
    return Gaussian(1).draws(200, 39)


def test_an_exact_posterior_is_calibrated(exact):
    found = posterior_scores.score(*exact, **OPTIONS)
    assert list(found) == [
        *('coverage_50', 'coverage_80', 'coverage_90', 'coverage_95'),
        *('rank_dispersion', 'sharpness_draw', 'sharpness_mean'),
        *('crps', 'energy_score', 'deviation_error'),
        'deviation_error_pooled',
    ]
    for level in (50, 80, 90, 95):
        score = found[f'coverage_{level}']
        assert abs(score['value'] - level / 100) < 0.02
        assert score['nominal'] == level / 100 and score['p'] > 0.01
        assert score['chance'] < score['low'] - 0.01
    ranks = found['rank_dispersion']
    assert abs(ranks['value'] - 1) < 0.08 and ranks['p'] > 0.05
    assert ranks['axes'] == 20 and ranks['chance'] > ranks['high']
    assert abs(found['sharpness_draw']['value'] - 1) < 0.1
    assert found['sharpness_mean']['high'] < 0.9
    for name in ('crps', 'energy_score'):
        assert found[name]['high'] < found[name]['chance']
        assert found[name]['p'] < 0.01


def test_what_scores_hold_is_what_the_table_says(exact):
    for name, score in posterior_scores.score(*exact, **OPTIONS).items():
        item = describe(name)
        assert item.meaning and item.title != name, name
        assert '{' not in item.title + item.meaning
        assert ('nominal' in score) == item.calibrated, name
        assert (score.get('better') == 'lower') == item.lower, name
        assert score['low'] < score['value'] < score['high'], name
        assert score['n'] == 200
        low, high = sorted((item.worst, item.best))
        assert low <= score['value'] <= high, name
    assert describe('pixcorr_single_draw').title == (
        'Pixel correlation, single draw'
    )
    assert describe('two_way_density').title == 'Two-way, density'


@pytest.mark.parametrize(
    ('spread', 'shift', 'covered', 'dispersed'),
    [(0.7, 0, -1, 1), (1.4, 0, 1, -1), (1, 0.04, -1, 1)],
)
def test_a_wrong_posterior_is_found_out(spread, shift, covered, dispersed):
    samples, targets = Gaussian(2).draws(100, 39, spread, shift)
    found = posterior_scores.score(samples, targets, **OPTIONS)
    for level in (50, 80, 90, 95):
        score = found[f'coverage_{level}']
        off = score['value'] - level / 100
        assert covered * off > 0.02 and score['p'] < 0.01
    ranks = found['rank_dispersion']
    assert dispersed * (ranks['value'] - 1) > 0.03 and ranks['p'] < 0.01


def test_ranks_along_the_axes_of_the_prior():
    model = Gaussian(3)
    axes = axes_of_the_prior(model)
    samples, targets = model.draws(200, 15)
    ranks = calibration.ranks(samples, targets, axes)
    direct = np.stack(
        [
            (s.reshape(15, -1) @ axes.T < t.ravel() @ axes.T).sum(axis=0)
            for s, t in zip(samples, targets)
        ]
    )
    np.testing.assert_array_equal(ranks, direct)
    assert calibration.uniformity(ranks, 15).min() > 0.05
    narrow, targets = model.draws(200, 15, 0.6)
    ranks = calibration.ranks(narrow, targets, axes)
    assert calibration.uniformity(ranks, 15).min() < 1e-4


def test_p_of_uniform_ranks_keeps_its_level_with_few_pictures():
    """At 5 % at most one family in twenty, also with 4 draws of 8 pictures."""
    rng = np.random.default_rng(0)
    least = [
        calibration.uniformity(rng.integers(5, size=(8, 6)), 4, seed).min()
        for seed in range(400)
    ]
    assert 0.02 < np.mean(np.array(least) < 0.05) < 0.08


def test_ties_are_broken_at_random():
    """Pictures of few values: target and draws are often the same."""
    rng = np.random.default_rng(0)
    bits = rng.integers(2, size=(3000, 6, 1, 1, 3)).astype(np.float32)
    bits[..., 1:] = bits[..., :1]
    axes = np.ones((1, 3)) / np.sqrt(3)
    ranks = calibration.ranks(bits[:, 1:], bits[:, 0], axes)
    counts = np.bincount(ranks[:, 0], minlength=6)
    assert stats.chisquare(counts).pvalue > 0.01
    grey = np.full((3000, 6, 1, 1, 3), 77, np.uint8)
    ranks = calibration.ranks(grey[:, 1:] / np.float32(255), grey[:, 0], axes)
    counts = np.bincount(ranks[:, 0], minlength=6)
    assert stats.chisquare(counts).pvalue > 0.01


def test_axes_of_targets_alone_would_deceive():
    """Where targets and draws are alike, few pictures of many values."""
    rng = np.random.default_rng(0)
    fair, unfair = [], []
    for seed in range(300):
        both = rng.normal(0.5, 0.1, (6, 6, *SIDE))
        samples, targets = both[:, 1:], both[:, 0]
        axes = calibration.principal_axes(samples, targets, 5, seed)
        np.testing.assert_allclose(axes @ axes.T, np.eye(5), atol=1e-9)
        flat = targets.reshape(6, -1)
        own = np.linalg.svd(flat - flat.mean(axis=0))[2][:5]
        for found, used in ((fair, axes), (unfair, own)):
            ranks = calibration.ranks(samples, targets, used)
            found.append(calibration.rank_dispersion(ranks, 5).mean())
    assert abs(np.mean(fair) - 1) < 4 * np.std(fair) / np.sqrt(len(fair))
    assert np.mean(unfair) > 1.2


def test_axes_are_fewer_where_pictures_span_less():
    rng = np.random.default_rng(0)
    basis = rng.random((2, *SIDE)) / 4
    weights = rng.random((5, 4, 2))
    both = np.tensordot(weights, basis, 1)
    axes = calibration.principal_axes(both[:, 1:], both[:, 0])
    assert axes.shape == (2, VALUES)
    inside = basis.reshape(2, -1)
    np.testing.assert_allclose(inside @ axes.T @ axes, inside, atol=1e-9)


def test_rank_dispersion_is_one_for_any_number_of_draws():
    for k in (2, 7, 32):
        every = np.arange(k + 1)[:, None]
        assert np.isclose(calibration.rank_dispersion(every, k).mean(), 1)


@pytest.mark.parametrize('k', [3, 4, 9, 10, 32, 39, 40])
def test_coverage_is_exact_for_any_number_of_draws(k):
    """The truth in each of the k + 1 gaps between draws, once."""
    draws = np.arange(1, k + 1) / (k + 1)
    gaps = (np.arange(k + 1) + 0.5) / (k + 1)
    samples = np.broadcast_to(
        draws[None, :, None, None, None], (k + 1, k, 1, 1, 3)
    )
    targets = np.broadcast_to(gaps[:, None, None, None], (k + 1, 1, 1, 3))
    levels = (0.31, *calibration.LEVELS)
    found = calibration.coverage(samples, targets, levels)
    for j, level in enumerate(levels):
        if (k - 1) / (k + 1) < level - 1e-9:  # The widest interval of draws.
            assert np.isnan(found[:, j]).all()
        else:
            np.testing.assert_allclose(found[:, j].mean(), level)
    if k == 39:
        # 5 % leave two order statistics: the ends of all 39 draws.
        ends = [0, *[1] * 38, 0]
        np.testing.assert_allclose(found[:, 4], ends, atol=1e-12)


def test_levels_that_want_more_draws_are_named(exact):
    found = posterior_scores.score(exact[0][:, :32], exact[1], **OPTIONS)
    assert np.isnan(found['coverage_95']['value'])
    assert np.isnan(found['coverage_95']['p'])
    assert not np.isnan(found['coverage_90']['value'])
    [sentence] = posterior_scores.notes(32)
    assert '95 %' in sentence and 'at least 39' in sentence
    assert posterior_scores.notes(39) == []


def test_coverage_of_pictures_of_few_values():
    """Ties neither cover for free nor miss; what is constant is left out."""
    rng = np.random.default_rng(0)
    levels = (0.5, 0.8)
    both = (rng.random((2000, 10, 2, 2, 3)) < 0.3).astype(float)
    found = calibration.coverage(both[:, 1:], both[:, 0], levels)
    se = np.nanstd(found, axis=0) / np.sqrt(2000)
    assert (abs(np.nanmean(found, axis=0) - levels) < 4 * se).all()
    framed = np.pad(both, ((0, 0), (0, 0), (2, 2), (3, 3), (0, 0)))
    np.testing.assert_array_equal(
        calibration.coverage(framed[:, 1:], framed[:, 0], levels), found
    )
    nothing = np.zeros_like(both)
    assert np.isnan(
        calibration.coverage(nothing[:, 1:], nothing[:, 0], levels)
    ).all()


def test_coverage_knows_that_bytes_are_rounded():
    """Draws of .001 around a black truth, stored as bytes: within rounding."""
    rng = np.random.default_rng(0)
    both = rng.random((50, 20, 4, 4, 3)) * 0.1
    targets = np.uint8(np.round(both[:, 0] * 255))
    found = calibration.coverage(both[:, 1:], targets, (0.5, 0.8))
    np.testing.assert_allclose(found.mean(axis=0), (0.5, 0.8), atol=0.03)
    dark = rng.random((1, 19, 4, 4, 3)) * 1e-3
    black = np.zeros((1, 4, 4, 3), np.uint8)
    assert np.isnan(calibration.coverage(dark, black)).all()


def test_crps_of_a_gaussian():
    """Closed form of Gneiting and Raftery 2007, equation 21."""
    rng = np.random.default_rng(0)
    sigma, side = 0.08, (60, 60, 3)
    for z, k in ((0.0, 2), (1.5, 5), (-0.7, 30)):
        draws = rng.normal(0.5, sigma, (1, k, *side))
        truth = np.full((1, *side), 0.5 + sigma * z)
        expected = sigma * (
            z * (2 * stats.norm.cdf(z) - 1)
            + 2 * stats.norm.pdf(z)
            - 1 / np.sqrt(np.pi)
        )
        found = calibration.crps(draws, truth)
        # Fair: right on average with two draws, too. 10800 values.
        assert abs(found[0] - expected) < 4 * sigma / np.sqrt(10800)


def by_pairs(draws, target, distance):
    k = len(draws)
    error = np.mean([distance(x, target) for x in draws])
    spread = sum(distance(*pair) for pair in itertools.combinations(draws, 2))
    return error - spread / (k * (k - 1))


def test_scores_as_their_definitions_over_pairs(exact):
    samples, targets = exact[0][:3, :7], exact[1][:3]
    for function, table, distance in (
        (
            calibration.crps,
            calibration.picture_crps,
            lambda x, y: abs(x - y).mean(),
        ),
        (
            calibration.energy_score,
            calibration.picture_energy,
            lambda x, y: np.sqrt(((x - y) ** 2).mean()),
        ),
    ):
        expected = [
            [by_pairs(draws, target, distance) for draws in samples]
            for target in targets
        ]
        found = calibration.all_pairs(table, samples, targets)
        np.testing.assert_allclose(found, expected, atol=1e-12)
        own = function(samples, targets)
        np.testing.assert_allclose(own, np.diagonal(found), atol=1e-12)


def test_energy_score_of_one_value_is_its_crps():
    rng = np.random.default_rng(0)
    draws, targets = rng.random((9, 1)), rng.random((5, 1))
    np.testing.assert_allclose(
        calibration.picture_energy(draws, targets),
        calibration.picture_crps(draws, targets),
        atol=1e-12,
    )


def test_energy_score_notices_values_that_do_not_vary_together(exact):
    samples, targets = exact
    rng = np.random.default_rng(0)
    flat = samples.reshape(200, 39, VALUES)
    apart = rng.permuted(flat, axis=1).reshape(samples.shape)
    np.testing.assert_allclose(
        calibration.crps(apart, targets), calibration.crps(samples, targets)
    )
    worse = calibration.energy_score(apart, targets)
    assert worse.mean() > calibration.energy_score(samples, targets).mean()


@pytest.mark.parametrize('spread', [0.6, 1.6])
def test_proper_scores_prefer_the_exact_posterior(spread):
    right, targets = Gaussian(4).draws(150, 20)
    wrong, same = Gaussian(4).draws(150, 20, spread)
    np.testing.assert_array_equal(targets, same)
    for function in (calibration.crps, calibration.energy_score):
        loss = function(wrong, targets) - function(right, targets)
        assert loss.mean() > 3 * loss.std() / np.sqrt(150)


@pytest.mark.parametrize(('height', 'width'), [(16, 20), (15, 21), (7, 4)])
def test_power_of_gratings(height, width):
    """A grating of amplitude a has power a^2 / 2, all at its frequency."""
    y, x = np.mgrid[:height, :width]
    for u, v in ((1, 0), (0, 1), (height // 2 - 1, 1), (1, width // 2 - 1)):
        image = 0.5 + 0.2 * np.cos(2 * np.pi * (u * y / height + v * x / width))
        images = np.repeat(image[None, ..., None], 3, axis=-1)
        fine = np.hypot(u / height, v / width) > 0.25
        np.testing.assert_allclose(
            sharpness.fine_power(images), 0.02 * fine, atol=1e-12
        )


def test_sharpness_is_a_ratio_of_means():
    rng = np.random.default_rng(0)
    targets = rng.random((9, 15, 11, 3))
    samples = 0.5 + 0.5 * (rng.random((9, 4, 15, 11, 3)) - 0.5)
    power = sharpness.fine_powers(samples, targets, samples[:, 0])
    parts = sharpness.ratio_parts(power['draw'], power['target'])
    expected = np.mean(power['draw']) / np.mean(power['target'])
    np.testing.assert_allclose(parts.mean(), expected)
    assert abs(expected - 0.25) < 0.03
    # The jackknife's deviation of the ratio.
    each = np.arange(9)
    left = [
        power['draw'][each != i].mean() / power['target'][each != i].mean()
        for i in each
    ]
    np.testing.assert_allclose(
        parts.std(ddof=1) / 3, np.std(left) * np.sqrt(8), rtol=0.05
    )
    grey = np.full_like(targets, 0.5)
    power = sharpness.fine_powers(samples, grey, samples[:, 0])
    assert np.isnan(sharpness.ratio_parts(power['draw'], 0 * parts)).all()


def test_deviation_and_error():
    rng = np.random.default_rng(0)
    spread = rng.uniform(0.01, 0.1, (30, *SIDE))
    noise = rng.normal(size=(30, 12, *SIDE)) * spread[:, None]
    targets = 0.5 + rng.normal(size=spread.shape) * spread
    samples = 0.5 + noise
    found = posterior_scores.score(samples, targets, **OPTIONS)
    deviation = samples.std(axis=1, ddof=1)
    error = np.abs(samples.mean(axis=1) - targets)
    pooled = np.corrcoef(deviation.ravel(), error.ravel())[0, 1]
    each = [
        np.corrcoef(x.ravel(), y.ravel())[0, 1]
        for x, y in zip(deviation, error)
    ]
    pool, own = found['deviation_error_pooled'], found['deviation_error']
    np.testing.assert_allclose(pool['value'], pooled, atol=1e-5)
    np.testing.assert_allclose(own['value'], np.mean(each), atol=1e-5)
    for score in (pool, own):
        assert score['low'] > 0.3 and abs(score['chance']) < 0.1
        assert score['p'] < 0.01


def test_draws_around_a_point():
    """Residuals held out are errors alike: nothing is sure, nothing missed."""
    rng = np.random.default_rng(0)
    made = rng.uniform(0.4, 0.6, (60, *SIDE))
    mix = rng.normal(size=(VALUES, VALUES)) / 60
    errors = (rng.normal(size=(160, VALUES)) @ mix).reshape(160, *SIDE)
    targets, residuals = made + errors[:60], errors[60:]
    samples = calibration.residual_draws(made, residuals, 50)
    assert samples.shape == (60, 50, *SIDE) and samples.dtype == np.float32
    added = samples[7] - made[7]
    near = abs(added[:, None] - residuals).max(axis=(2, 3, 4)) < 1e-6
    assert near.sum() == 50 and near.any(axis=1).all()  # Each one once.
    found = calibration.coverage(samples, targets, (0.5, 0.9))
    np.testing.assert_allclose(found.mean(axis=0), (0.5, 0.9), atol=0.05)
    few = calibration.residual_draws(np.uint8(made * 255), residuals[:2], 9)
    assert few.shape == (60, 9, *SIDE)
    far = calibration.residual_draws(made, residuals + 9, 3)
    assert (far == 1).all()
    with pytest.raises(InputError, match='same size'):
        calibration.residual_draws(made, residuals[:, :2])


def log_densities(model, y, x, gain, covariance):
    """[responses, pictures] under N(gain y, covariance)."""
    means = y @ gain.T
    return np.stack(
        [
            stats.multivariate_normal(mean, covariance).logpdf(x)
            for mean in means
        ]
    )


def test_information_of_a_linear_gaussian_channel():
    """.5 log2 det(I + signal / noise); shuffled, minus the divergence."""
    model = Gaussian(5, responses=3)
    x, y = model.pairs(400)
    prior = stats.multivariate_normal(np.zeros(VALUES), model.prior)
    log_prior = prior.logpdf(x)
    density = log_densities(model, y, x, model.gain, model.posterior)
    ratio = model.signal / model.noise
    bits = 0.5 * np.linalg.slogdet(np.eye(3) + ratio)[1] / np.log(2)
    alone = posterior_scores.information(
        np.diagonal(density), log_prior, **OPTIONS
    )
    found = posterior_scores.information(density, log_prior, **OPTIONS)
    for score in (alone['information'], found['information']):
        assert score['low'] < bits < score['high'] and score['p'] < 0.01
        assert score['high'] - score['low'] < 0.52 and score['chance'] == 0
    # Of independent x and y: log p(y | x) - log p(y) on average.
    shuffled = (
        -0.5
        * (
            np.trace((model.total + model.signal) / model.noise)
            - 3
            + np.linalg.slogdet(model.noise * np.eye(3))[1]
            - np.linalg.slogdet(model.total)[1]
        )
        / np.log(2)
    )
    score = found['information_shuffled']
    assert score['high'] < 0 and score['p'] > 0.9
    assert abs(score['value'] / shuffled - 1) < 0.15
    # Who knows all decides by the likelihood of the response.
    likelihood = [-((y - x_j @ model.a.T) ** 2).sum(axis=1) for x_j in x]
    two_way = identification.two_way(np.array(likelihood)).mean()
    np.testing.assert_allclose(found['two_way_density']['value'], two_way)
    assert found['fifty_way_density']['chance'] == 1 / 50
    assert found['fifty_way_density']['low'] > 1 / 50


def test_a_model_fitted_to_shuffled_responses_has_no_information():
    model = Gaussian(6, responses=3)
    x, y = model.pairs(20_000)
    y = model.rng.permutation(y)
    gain = np.linalg.lstsq(y, x, rcond=None)[0].T
    covariance = np.cov((x - y @ gain.T).T)
    x, y = model.pairs(300)
    y = model.rng.permutation(y)
    prior = stats.multivariate_normal(np.zeros(VALUES), model.prior)
    density = log_densities(model, y, x, gain, covariance)
    found = posterior_scores.information(density, prior.logpdf(x), **OPTIONS)
    for name in ('information', 'information_shuffled'):
        score = found[name]
        assert abs(score['value']) < 0.1
        assert score['low'] - 0.06 < 0 < score['high'] + 0.06


def test_responses_to_one_picture_count_once():
    samples, targets = Gaussian(7).draws(12, 20)
    twice = np.concatenate([samples, samples])
    both = np.concatenate([targets, targets])
    once = posterior_scores.score(samples, targets, **OPTIONS)
    found = posterior_scores.score(twice, both, **OPTIONS)
    for name, score in found.items():
        assert score['n'] == (12 if score['n'] else 0), name
        np.testing.assert_allclose(
            score['value'], once[name]['value'], atol=1e-6, err_msg=name
        )
    density = np.random.default_rng(0).normal(size=(12, 12))
    prior = np.zeros(12)
    once = posterior_scores.information(density, prior, **OPTIONS)
    found = posterior_scores.information(
        np.tile(density, (2, 2)), np.tile(prior, 2),
        np.tile(np.arange(12), 2), **OPTIONS,
    )  # fmt: skip
    for name, score in found.items():
        assert score['n'] == 12
        np.testing.assert_allclose(score['value'], once[name]['value'])


def test_the_mean_that_a_method_gives_is_the_one_that_is_scored(exact):
    samples, targets = exact[0][:20], exact[1][:20]
    found = posterior_scores.score(samples, targets, targets, **OPTIONS)
    np.testing.assert_allclose(found['sharpness_mean']['value'], 1)
    assert found['deviation_error']['value'] == 0  # There is no error.


def test_bytes_and_floats_are_scored_alike(exact):
    samples, targets = (np.uint8(255 * x[:30] + 0.5) for x in exact)
    floats = samples / 255, targets / 255
    a = posterior_scores.score(samples, targets, **OPTIONS)
    b = posterior_scores.score(*floats, **OPTIONS)
    for name, score in a.items():
        np.testing.assert_allclose(
            score['value'], b[name]['value'], atol=1e-6, err_msg=name
        )


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda s, t: (s[:, :1], t), 'at least two draws'),
        (lambda s, t: (s[:, 0], t), 'at least two draws'),
        (lambda s, t: (s[:3], t), 'draws for 3 pictures and 4'),
        (lambda s, t: (s[:, :, :2], t), 'of the same size'),
        (lambda s, t: (s * 300, t), 'must lie in 0..1'),
        (lambda s, t: (np.where(s > 0, np.nan, s), t), 'must lie in 0..1'),
        (lambda s, t: (s[:1], t[:1]), 'at least two'),
    ],
)
def test_what_cannot_be_scored_is_told(exact, change, message):
    samples, targets = change(exact[0][:4], exact[1][:4])
    with pytest.raises(InputError, match=message):
        posterior_scores.score(samples, targets, **OPTIONS)


@pytest.mark.parametrize('shape', [(3,), (4, 3), (4, 4, 4), ()])
def test_log_densities_that_do_not_belong_together(shape):
    with pytest.raises(InputError, match='log densities have shape'):
        posterior_scores.information(np.zeros(shape), np.zeros(4))

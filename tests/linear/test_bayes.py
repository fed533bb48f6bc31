"""The linear-Gaussian posterior against its equations, written out densely."""

import numpy as np
import pytest
from scipy import linalg, stats

from brainjax.errors import InputError
from brainjax.linear.bayes import (
    choice,
    encoder,
    noise,
    posterior,
    prior,
    reference,
)
from brainjax.linear.estimator import PicturePosterior

RNG = np.random.default_rng(0)
STIMULI, VOXELS, PIXELS = 12, 30, 7
STIMULUS = np.sort(np.r_[np.arange(STIMULI), RNG.integers(STIMULI, size=9)])


@pytest.fixture(scope='module')
def world():
    """Pictures, responses, and what is fitted to them."""
    free = RNG.standard_normal((60, PIXELS)) * np.linspace(2, 0.3, PIXELS)
    seen = RNG.standard_normal((STIMULI, PIXELS)) + 0.3
    weights = RNG.standard_normal((PIXELS, VOXELS))
    fmri = seen[STIMULUS] @ weights
    fmri = fmri + RNG.standard_normal(fmri.shape) * 2
    fmri = (fmri - fmri.mean(axis=0)) / fmri.std(axis=0)
    of = prior.prior(prior.moments(free))
    enc = encoder.fit(seen, of, fmri, STIMULUS)
    return {
        'free': free,
        'seen': seen,
        'fmri': fmri,
        'prior': of,
        'encoder': enc,
        'noise': noise.fit(enc.residuals, STIMULUS),
    }


def features(world, pictures):
    """a(y) of the single trials' pictures, from the module's equations."""
    of, enc = world['prior'], world['encoder']
    z = (pictures - enc.centre) @ of.axes.T / of.std
    a = z * (of.std / of.std[0]) ** enc.power
    shown = (world['seen'][STIMULUS] - enc.centre) @ of.axes.T / of.std
    shown = shown * (of.std / of.std[0]) ** enc.power
    return a / np.sqrt((shown**2).sum(axis=1).mean())


def test_the_evidence_is_the_density_of_the_responses(world):
    enc = world['encoder']
    a = features(world, world['seen'][STIMULUS])
    # The trials' mean has been taken off: what is left lies in contrasts.
    mean = np.ones((len(a), 1)) / np.sqrt(len(a))
    contrasts = linalg.null_space(mean.T).T
    a, fmri = contrasts @ a, contrasts @ world['fmri']
    kernel = a @ a.T + enc.noise * np.eye(len(a))
    total = sum(
        stats.multivariate_normal(np.zeros(len(a)), t * kernel).logpdf(r)
        for t, r in zip(enc.variance, fmri.T)
    )
    np.testing.assert_allclose(enc.evidence, total, rtol=1e-8)
    # t is where the density of a voxel is the highest.
    for factor in (0.9, 1.1):
        other = stats.multivariate_normal(
            np.zeros(len(a)), factor * enc.variance[0] * kernel
        ).logpdf(fmri[:, 0])
        best = stats.multivariate_normal(
            np.zeros(len(a)), enc.variance[0] * kernel
        ).logpdf(fmri[:, 0])
        assert other < best


def test_weights_have_the_posterior_of_bayesian_regression(world):
    enc = world['encoder']
    a, new = (features(world, world[name]) for name in ('seen', 'free'))
    a = a[STIMULUS]
    inverse = np.linalg.inv(a.T @ a + enc.noise * np.eye(a.shape[1]))
    np.testing.assert_allclose(
        encoder.predict(enc, world['free']),
        new @ inverse @ a.T @ world['fmri'],
        atol=1e-9,
    )
    np.testing.assert_allclose(
        encoder.uncertainty(enc, world['free']),
        enc.noise * np.einsum('ij,jk,ik->i', new, inverse, new),
        atol=1e-9,
    )


def test_residuals_are_those_of_refits_without_the_stimulus(world):
    enc = world['encoder']
    # With a mean response of its own, which is not held small.
    a = features(world, world['seen'])
    a = np.column_stack([a, np.ones(len(a))])
    penalty = enc.noise * np.diag([*np.ones(PIXELS), 0])
    doubt = []
    for stimulus in range(STIMULI):
        train = stimulus != STIMULUS
        rows = a[STIMULUS[train]]
        inverse = np.linalg.inv(rows.T @ rows + penalty)
        predicted = a[stimulus] @ inverse @ rows.T @ world['fmri'][train]
        np.testing.assert_allclose(
            enc.residuals[~train], world['fmri'][~train] - predicted, atol=1e-9
        )
        doubt.append(enc.noise * a[stimulus] @ inverse @ a[stimulus])
    np.testing.assert_allclose(enc.doubt, np.mean(np.array(doubt)[STIMULUS]))


def test_evidence_finds_noise_where_each_stimulus_has_one_trial():
    """With the mean's direction counted, smaller lambdas always won."""
    rng = np.random.default_rng(3)
    free = rng.standard_normal((300, 60))
    of = prior.prior(prior.moments(free))
    fmri = rng.standard_normal((20, 50))
    found = encoder.fit(free[:20], of, fmri - fmri.mean(axis=0), np.arange(20))
    assert found.noise > 10
    assert (found.residuals**2).mean() > 0.9


def test_the_share_of_noise_has_the_highest_held_out_likelihood():
    truth = {'own': 1.0, 'common': 0.1}
    for kind, expected in truth.items():
        rng = np.random.default_rng(1)
        own = rng.standard_normal((200, 40))
        common = rng.standard_normal((200, 2)) @ rng.standard_normal((2, 40))
        rows = own if kind == 'own' else 3 * common + own
        found = noise.fit(rows, np.arange(200), shares=(0.1, 0.5, 1.0))
        assert found.share == expected
    # The likelihood is that of a Gaussian, up to a constant.
    rng = np.random.default_rng(2)
    train, test = rng.standard_normal((20, 9)), rng.standard_normal((5, 9))
    logs = noise._log_likelihood(train, test, (0.2, 0.7))
    dense = [
        stats.multivariate_normal(
            np.zeros(9),
            s * np.diag((train**2).mean(axis=0))
            + (1 - s) * train.T @ train / len(train),
        )
        .logpdf(test)
        .sum()
        for s in (0.2, 0.7)
    ]
    np.testing.assert_allclose(np.diff(logs), np.diff(dense))


@pytest.mark.parametrize('repeats', [1, 4])
def test_the_posterior_is_that_of_the_joint_gaussian(world, repeats):
    enc, noisy, of = (world[k] for k in ('encoder', 'noise', 'prior'))
    model = posterior.model(of, enc, noisy, widening=1.7)
    fmri = RNG.standard_normal((3, VOXELS))
    doubt = 0.4
    known = posterior.precision(enc, noisy, repeats, doubt)
    mean, told = posterior.estimate(model, known, fmri)
    # y ~ N(m, C), r = P (y - centre) + noise, all of it dense.
    read = np.stack(
        [
            encoder.predict(enc, row[None])[0]
            for row in np.eye(PIXELS) + enc.centre
        ],
        axis=1,
    )
    sigma = np.diag(noisy.independent) + noisy.shared.T @ noisy.shared
    sigma = 1.7 * (sigma / repeats + doubt * np.diag(enc.variance))
    covariance = (of.axes.T * of.std**2) @ of.axes
    gain = covariance @ read.T
    gain = gain @ np.linalg.inv(read @ covariance @ read.T + sigma)
    expected = of.mean + (fmri - read @ (of.mean - enc.centre)) @ gain.T
    np.testing.assert_allclose(
        prior.from_latents(of, mean), expected, atol=1e-8
    )
    left = covariance - gain @ read @ covariance
    one = posterior.Posterior(mean, np.zeros(3, int), [told], model.seen)
    readout = of.axes.T * of.std
    np.testing.assert_allclose(
        posterior.variance(one, readout)[0], np.diag(left), atol=1e-8
    )
    # All widenings at once, of which one is the model's own.
    pictures, variance = posterior.of_widenings(
        model, known, posterior.root(known), fmri, [0.3, 1.7], readout
    )
    np.testing.assert_allclose(pictures[1] + of.mean, expected, atol=1e-5)
    np.testing.assert_allclose(variance[1], np.diag(left), rtol=1e-4)
    assert (variance[0] < variance[1]).all()
    drawn = prior.from_latents(of, posterior.sample(one, 20_000, seed=1))
    np.testing.assert_allclose(np.cov(drawn[0].T), left, atol=0.12)
    candidates = world['free'][:5]
    logs = posterior.log_density(one, prior.latents(of, candidates))
    scale = np.log(of.std).sum()  # From latents to pictures.
    for row, centre in zip(logs, expected):
        np.testing.assert_allclose(
            row - scale,
            stats.multivariate_normal(centre, left).logpdf(candidates),
            rtol=1e-6,
        )


def test_averaged_repeats_leave_the_encoders_uncertainty(world):
    model = posterior.model(*(world[k] for k in ('prior', 'encoder', 'noise')))
    fmri = world['fmri'][:4]
    readout = world['prior'].axes.T * world['prior'].std
    spread = [
        posterior.variance(
            posterior.condition(model, fmri, np.full(4, count)), readout
        ).mean()
        for count in (1, 10, 10_000, 1_000_000)
    ]
    assert spread[0] > spread[1] > spread[2] > 0
    np.testing.assert_allclose(spread[2], spread[3], rtol=0.05)


def test_a_mixed_prior_has_the_moments_of_weighted_pictures(world):
    free, seen = world['free'], world['seen']
    found = prior.mixture(prior.moments(free), prior.moments(seen), 2.0)
    rows = np.concatenate([free, seen])
    weight = np.r_[np.full(60, 1 / 60), np.full(12, 2 / 12)]
    np.testing.assert_allclose(
        found.mean, np.average(rows, axis=0, weights=weight)
    )
    np.testing.assert_allclose(
        found.covariance, np.cov(rows.T, aweights=weight, ddof=0), atol=1e-12
    )


def test_pictures_are_exact_in_their_basis():
    rows = np.float32(RNG.random((20, 50)))
    found = prior.basis(rows)
    back = prior.pictures(found, prior.coordinates(found, rows))
    np.testing.assert_allclose(back, rows, atol=2e-2 * rows.std())
    np.testing.assert_allclose(
        found.axes @ found.axes.T, np.eye(len(found.axes)), atol=1e-5
    )


def linear_subject(seed, stimuli=60, test=40, repeats=2, gain=1.0):
    """Smooth pictures of 8 x 8 px and voxels that see them linearly."""
    rng = np.random.default_rng(seed)
    i = np.arange(8)
    near = np.exp(-((i[:, None] - i) ** 2) / 8)
    root = np.linalg.cholesky(np.kron(near, near) + 1e-6 * np.eye(64))

    def draw(n):
        return np.float32(0.5 + 0.15 * rng.standard_normal((n, 64)) @ root.T)

    weights = rng.standard_normal((64, 150)) @ np.diag(np.ones(150))
    weights = root @ weights[:64]
    seen, free, shown = draw(stimuli), draw(500), draw(test)

    def respond(pictures):
        clean = (pictures - 0.5) @ weights / 0.15
        return gain * clean + 4 * rng.standard_normal(clean.shape)

    stimulus = np.repeat(np.arange(stimuli), repeats)
    fmri, new = respond(seen[stimulus]), respond(shown)
    mean, std = fmri.mean(axis=0), fmri.std(axis=0)
    return seen, (fmri - mean) / std, stimulus, free, shown, (new - mean) / std


def test_a_linear_subject_is_reconstructed_with_the_right_certainty():
    inside, errors, ridges = [], [], []
    for seed in range(3):
        seen, fmri, stimulus, free, shown, new = linear_subject(seed)
        fitted = reference.fit(seen, fmri, stimulus, free)
        found = reference.condition(fitted, new, np.ones(len(new)))
        mean = reference.mean(fitted, found)
        spread = reference.deviation(fitted, found)
        inside.append((abs(mean - shown) < 1.645 * spread).mean())
        errors.append(((mean - shown) ** 2).mean())
        from brainjax.linear.ridge import tuned

        ridge = tuned.predict(fitted.ridge, new)
        ridges.append(((ridge - shown) ** 2).mean())
    assert 0.85 < np.mean(inside) < 0.95
    assert np.mean(errors) < np.mean(ridges)


def test_without_signal_the_prior_is_what_is_known():
    seen, fmri, stimulus, free, _, new = linear_subject(0, gain=0.0)
    fitted = reference.fit(seen, fmri, stimulus, free)
    found = reference.condition(fitted, new, np.ones(len(new)))
    spread = reference.deviation(fitted, found)
    assert spread.mean() > 0.9 * free.std(axis=0).mean()
    mean = reference.mean(fitted, found)
    assert fitted.choice.widening == reference.WIDENINGS[-1]
    assert mean.std(axis=0).mean() < 0.01 * free.std(axis=0).mean()


def test_what_averaging_does_not_reduce_is_measured_by_repeats():
    rng = np.random.default_rng(3)
    stimulus = np.repeat(np.arange(40), 5)
    own = rng.standard_normal((40, 60))[stimulus]  # The encoder's failures.
    rows = own + 2 * rng.standard_normal((200, 60))
    found = noise.fit(rows, stimulus)
    part = noise.lasting(rows, stimulus, assumed=1.0)
    np.testing.assert_allclose(part, 1 / 5, atol=0.03)
    averaged = noise.of_average(found._replace(lasting=part), 5)
    spread = averaged.independent + (averaged.shared**2).sum(axis=0)
    true = np.mean([rows[stimulus == s].mean(axis=0) ** 2 for s in range(40)])
    np.testing.assert_allclose(spread.mean(), true, rtol=0.05)
    # Without repeats it is assumed, the more the less noise there is.
    single = np.arange(200)
    assert noise.lasting(rows, single, 0.01) == 0.01
    assert noise.lasting(rows, single, 10.0) == 0.5


def test_variance_outside_of_the_axes_is_that_of_pictures_not_at_hand():
    rng = np.random.default_rng(0)
    # 30 pictures of white noise: 26 axes of 27 others leave 174 of 200 pixels.
    rows = np.float32(rng.standard_normal((30, 200)))
    found = prior.outside(rows)
    np.testing.assert_allclose(found.mean(), 174 / 200, rtol=0.05)
    # In the axes of all of them, nothing is left of each.
    basis = prior.basis(rows)
    there = prior.pictures(basis, prior.coordinates(basis, rows))
    np.testing.assert_allclose(there, rows, atol=1e-4)


def test_part_of_two_reconstructions_is_chosen_and_never_below():
    rng = np.random.default_rng(1)
    truth = np.float32(rng.random((12, 50)))
    good = truth + 0.1 * np.float32(rng.standard_normal(truth.shape))
    bad = np.float32(rng.random(truth.shape))
    assert choice.best_part(truth, good, bad) == 1
    assert choice.best_part(truth, bad, good) == 0
    # Independent errors average out.
    noise = np.float32(rng.standard_normal((2, *truth.shape)))
    assert 0 < choice.best_part(truth, *(truth + noise)) < 1


def test_a_stimulus_is_left_out_of_what_predicts_it():
    seen, fmri, stimulus, free, _, _ = linear_subject(0, stimuli=15)
    fitted = reference.fit(seen, fmri, stimulus, free)
    out, _ = reference.held_out(fitted, seen, fmri, stimulus, free)
    averages = np.stack([fmri[stimulus == s].mean(axis=0) for s in range(15)])
    inside = reference.mean(
        fitted, reference.condition(fitted, averages, np.full(15, 2))
    )
    errors = [((each - seen) ** 2).mean() for each in (out, inside)]
    assert errors[0] > 1.2 * errors[1]
    # What it says of a stimulus does not depend on that stimulus' picture.
    changed = seen.copy()
    changed[3] = 1 - changed[3]
    again, _ = reference.held_out(fitted, changed, fmri, stimulus, free)
    np.testing.assert_allclose(again[3], out[3], atol=1e-4)
    assert abs(again[4] - out[4]).max() > 1e-3


def test_the_estimator_is_the_functions():
    seen, fmri, stimulus, free, _, _ = linear_subject(0, stimuli=15)
    scaled = (fmri - fmri.mean(axis=0)) / fmri.std(axis=0)
    fitted = reference.fit(
        np.float32(seen), scaled, stimulus, np.float32(free), seed=3
    )
    model = PicturePosterior(seed=3).fit(fmri, seen, stimulus, free)
    found, deviation = model.predict(fmri[:4], repeats=2, return_std=True)
    known = reference.condition(fitted, scaled[:4], np.full(4, 2))
    ours = reference.reconstruct(fitted, scaled[:4], np.full(4, 2))
    np.testing.assert_allclose(found, ours, atol=1e-4)
    np.testing.assert_allclose(
        deviation, reference.deviation(fitted, known), atol=1e-4
    )
    # Draws have the mean and the deviation of the posterior.
    draws = model.sample(fmri[:4], 500, repeats=2)
    mean = reference.mean(fitted, known)
    assert abs(draws.mean(axis=1) - mean).max() < 0.2 * deviation.max()
    np.testing.assert_allclose(
        draws.std(axis=1).mean(), deviation.mean(), rtol=0.03
    )
    with pytest.raises(InputError, match='do not belong together'):
        PicturePosterior().fit(fmri, seen[:3], stimulus)
    with pytest.raises(InputError, match='the voxels that were fitted'):
        model.predict(fmri[:, 1:])

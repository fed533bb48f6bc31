"""Local weights against their equations, written out densely in pixels."""

import numpy as np
import pytest
from scipy import special, stats

from brainjax.errors import InputError
from brainjax.linear.bayes import (
    choice,
    encoder,
    likelihood,
    prior,
    receptive_fields,
    reference,
)
from brainjax.linear.estimator import PicturePosterior

SIDE, VOXELS, STIMULI = 8, 24, 14
SHAPE = (SIDE, SIDE, 1)


def smooth(rng, number):
    """Pictures [number, pixels] whose pixels vary with their neighbours."""
    places = np.arange(SIDE)
    near = np.exp(-(np.subtract.outer(places, places) ** 2) / 4)
    root = np.linalg.cholesky(np.kron(near, near) + 1e-3 * np.eye(SIDE**2))
    return 0.5 + 0.1 * rng.standard_normal((number, SIDE**2)) @ root.T


def local_voxels(rng, number):
    """Weights [pixels, number] of voxels that each see 3 x 3 pixels or so."""
    y, x = np.mgrid[:SIDE, :SIDE].reshape(2, -1, 1)
    v, u = rng.uniform(1, SIDE - 2, (2, number))
    return np.exp(-((y - v) ** 2 + (x - u) ** 2) / 2)


def respond(rng, weights, pictures, noise):
    fmri = (pictures - pictures.mean(axis=0)) @ weights
    fmri = fmri + noise * fmri.std() * rng.standard_normal(fmri.shape)
    return (fmri - fmri.mean(axis=0)) / fmri.std(axis=0)


@pytest.fixture(scope='module')
def world():
    rng = np.random.default_rng(0)
    free, seen = smooth(rng, 150), smooth(rng, STIMULI)
    stimulus = np.sort(np.r_[np.arange(STIMULI), rng.integers(STIMULI, size=9)])
    fmri = respond(rng, local_voxels(rng, VOXELS), seen[stimulus], 1.0)
    basis = prior.basis(np.float32(np.concatenate([free, seen])))
    of = prior.prior(prior.moments(prior.coordinates(basis, free)))
    seen = prior.coordinates(basis, np.float32(seen))
    return basis, of, seen, fmri, stimulus


def test_windows_lie_over_averaged_pixels():
    rng = np.random.default_rng(1)
    images = rng.uniform(size=(90, 50, 110, 3)).astype(np.float32)
    basis = prior.basis(images.reshape(90, -1))
    found = receptive_fields.windows(basis, images.shape[1:])
    # 110 px come to 28 in squares of 4; the last rows hang over the edge.
    padded = np.pad(images, ((0, 0), (0, 2), (0, 2), (0, 0)))
    averages = padded.reshape(90, 13, 4, 28, 4, 3).mean(axis=(2, 4))
    told = prior.coordinates(basis, images.reshape(90, -1)) @ found.axes
    averages = averages.reshape(90, -1)
    np.testing.assert_allclose(
        told - told.mean(axis=0), averages - averages.mean(axis=0), atol=1e-4
    )
    first, *others = found.windows.reshape(-1, 13, 28, 3)
    assert (first == 1).all() and len(others) == 4 * 8 + 2 * 5 + 3
    for window, width in zip(others, found.widths[1:]):
        # D is the root of a Gaussian, whose deviation is the width.
        y, x, _ = np.unravel_index(window.argmax(), window.shape)
        fallen = window[y, (x + 7) % 28, 0] ** 2 / window[y, x, 0] ** 2
        assert window.max() <= 1
        if x + 7 < 28:
            away = (np.arange(28) + 0.5) / 28
            centre = away[x] - 0.5 / 28, away[x] + 0.5 / 28
            bounds = [
                np.exp(
                    -((away[x + 7] - c) ** 2 - (away[x] - c) ** 2)
                    / (2 * width**2)
                )
                for c in centre
            ]
            assert min(bounds) * 0.999 <= fallen <= max(bounds) * 1.001


def test_a_mixture_is_that_of_bayesian_regressions_in_pixels(
    world, monkeypatch
):
    """Evidence, weights and predictions for stimuli left out, by refits."""
    monkeypatch.setattr(receptive_fields, 'HELD', 1.0)
    monkeypatch.setattr(receptive_fields, 'LEAST', (0.0, 0.0))
    basis, of, seen, fmri, stimulus = world
    looked = receptive_fields.windows(basis, SHAPE)
    some = [0, 20, 40, 70, 95]
    looked = looked._replace(
        windows=looked.windows[some], widths=looked.widths[some]
    )
    rng = np.random.default_rng(2)
    parts = rng.dirichlet(np.ones(5 * len(encoder.LAMBDAS)))
    parts = parts.reshape(5, -1)
    like = encoder.Mixture(1.5, parts, 0.0)
    found = receptive_fields.fit(looked, seen, of, fmri, stimulus, like)

    trials = seen[stimulus]
    trials = (trials - trials.mean(axis=0)) @ basis.axes
    pixels = of.axes @ basis.axes
    smoothness = pixels.T * ((of.std / of.std[0]) ** 3 / of.std**2) @ pixels
    shown = prior.coordinates(basis, np.float32(smooth(rng, 5)))
    new = (shown - seen[stimulus].mean(axis=0)) @ basis.axes
    left = np.zeros((5, len(encoder.LAMBDAS), *fmri.shape))
    logs, predicted = np.zeros((2, 5, len(encoder.LAMBDAS), VOXELS)), {}
    logs = logs[0]
    n = len(fmri)
    contrasts = np.linalg.svd(np.ones((1, n)))[2][1:]
    for i, window in enumerate(looked.windows):
        covariance = window[:, None] * smoothness * window
        kernel = trials @ covariance @ trials.T
        size = np.trace(kernel) / n
        for j, noise in enumerate(encoder.LAMBDAS):
            total = kernel / size + noise * np.eye(n)
            inside = contrasts @ total @ contrasts.T
            told = contrasts @ fmri
            scale = (told * np.linalg.solve(inside, told)).sum(axis=0) / (n - 1)
            for voxel in range(VOXELS):
                logs[i, j, voxel] = stats.multivariate_normal(
                    np.zeros(n - 1), scale[voxel] * inside
                ).logpdf(told[:, voxel])
            across = new @ covariance @ trials.T / size
            predicted[i, j] = across @ np.linalg.solve(total, fmri)
            # A mean of its own, which is not held small.
            wide = kernel / size + 1e7
            for each in range(STIMULI):
                kept = stimulus != each
                inverse = np.linalg.inv(
                    wide[np.ix_(kept, kept)] + noise * np.eye(kept.sum())
                )
                left[i, j, ~kept] = (
                    wide[np.ix_(~kept, kept)] @ inverse @ fmri[kept]
                )
    logs += np.log(parts)[..., None]
    share = np.exp(logs - special.logsumexp(logs, axis=(0, 1)))
    np.testing.assert_allclose(
        found.evidence,
        special.logsumexp(logs, axis=(0, 1)).sum()
        + 0.5 * VOXELS * (n - 1) * (1 + np.log(2 * np.pi)),
        rtol=1e-3,
    )
    expected = sum(
        share[place][None] * each for place, each in predicted.items()
    )
    np.testing.assert_allclose(
        encoder.predict(found, shown), expected, atol=5e-3
    )
    left = (share[:, :, None] * left).sum(axis=(0, 1))
    np.testing.assert_allclose(found.residuals, fmri - left, atol=5e-3)
    whole = encoder.fit(seen, of, fmri, stimulus, powers=[1.5])
    np.testing.assert_array_equal(found.certain, whole.certain)


def test_voxels_that_see_a_part_are_predicted_better_by_local_weights():
    rng = np.random.default_rng(3)
    free, seen = np.float32(smooth(rng, 300)), np.float32(smooth(rng, 40))
    basis = prior.basis(np.concatenate([free, seen]))
    looked = receptive_fields.windows(basis, SHAPE)
    data = (
        prior.moments(prior.coordinates(basis, free)),
        prior.coordinates(basis, seen),
    )
    new = smooth(rng, 200)
    y, x = np.mgrid[:SIDE, :SIDE].reshape(2, -1, 1)
    kinds = {
        'local': local_voxels(rng, 60),
        # Gratings, which cover the picture.
        'whole': np.cos(
            rng.uniform(-1.5, 1.5, 60) * y + rng.uniform(-1.5, 1.5, 60) * x
        ),
    }
    for kind, weights in kinds.items():
        fmri = respond(rng, weights, seen, 1.5)
        truth = (new - new.mean(axis=0)) @ weights
        r = {}
        for name, windows in (
            ('whole', receptive_fields.NOWHERE),
            ('local', looked),
        ):
            fitted, _ = likelihood.fit(
                *data, fmri, np.arange(40), windows=windows
            )
            told = encoder.predict(fitted, prior.coordinates(basis, new))
            r[name] = np.mean(
                [np.corrcoef(a, b)[0, 1] for a, b in zip(told.T, truth.T)]
            )
        if kind == 'local':
            assert fitted.mixture.local > 0.9
            assert r['local'] > r['whole'] + 0.05, r
        else:
            assert r['local'] > r['whole'] - 0.02, r


def test_held_out_pictures_choose_between_local_and_whole_weights():
    rng = np.random.default_rng(4)
    free, seen = np.float32(smooth(rng, 300)), np.float32(smooth(rng, 40))
    fmri = respond(rng, local_voxels(rng, 60), seen, 1.5)
    found = reference.fit(seen, fmri, np.arange(40), free, shape=SHAPE)
    assert found.choice.local == 1
    assert found.model.encoder.mixture.local > 0.9
    whole = reference.fit(seen, fmri, np.arange(40), free)
    assert whole.choice.local == 0 and whole.choice.crps > found.choice.crps
    # The same by way of the estimator, whose own scaling changes nothing.
    model = PicturePosterior(shape=SHAPE).fit(fmri, seen, unpaired=free)
    same = model.reference_.choice
    assert same.crps == pytest.approx(found.choice.crps, rel=1e-5)
    assert same._replace(crps=0) == found.choice._replace(crps=0)
    with pytest.raises(InputError, match=r'64 pixels.*has 192'):
        PicturePosterior(shape=(8, 8, 3)).fit(fmri, seen)


def test_the_best_of_many_is_so_by_more_than_chance():
    rng = np.random.default_rng(5)
    least = rng.normal(0.5, 0.1, (10, 2))
    scores = least + rng.normal(0, 0.1, (200, 10, 2))
    scores[0] = least
    scores[1] = least + 0.02  # Surely better, by little.
    scores[2] = least
    scores[2, 0] += 3.0  # Better by one picture.
    scores[2, 1] -= 1.0
    gains = scores.mean(axis=1).sum(axis=1) - least.mean(axis=0).sum()
    sure = choice._best(scores, least, 1.0)[0]
    assert choice._best(scores, least)[0] == 2
    gain = (scores[sure] - least).mean(axis=0)
    error = (scores[sure] - least).std(axis=0, ddof=1) / np.sqrt(10)
    assert (gain >= error).all() and np.argmax(gains) == 2 != sure
    # Of those that are surely above it is the one with the largest sum.
    passed = [
        each.mean(axis=0).sum()
        for each in scores
        if (
            (each - least).mean(axis=0)
            >= (each - least).std(axis=0, ddof=1) / np.sqrt(10) - 1e-9
        ).all()
    ]
    assert scores[sure].mean(axis=0).sum() == max(passed)

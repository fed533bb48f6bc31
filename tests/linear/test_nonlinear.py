"""The nonlinear encoder, against equations in the plain and truth."""

import numpy as np
import pytest

from brainjax.linear.bayes import encoder, likelihood, nonlinear, prior
from brainjax.linear.bayes import receptive_fields as fields

SIDE = 6


def pictures(n, seed):
    """Smooth random pictures [n, pixels] float32."""
    rng = np.random.default_rng(seed)
    white = rng.standard_normal((n, SIDE, SIDE))
    smooth = white + np.roll(white, 1, 1) + np.roll(white, 1, 2)
    return np.float32(smooth.reshape(n, -1) / 4 + 0.5)


def subject(respond, stimuli=120, repeats=1, noise=0.5):
    """Windows, and what `nonlinear.fit` takes: pictures, prior, trials."""
    unpaired, shown = pictures(300, 1), pictures(stimuli, 2)
    basis = prior.basis(np.concatenate([unpaired, shown]))
    seen = prior.coordinates(basis, shown)
    free = prior.moments(prior.coordinates(basis, unpaired))
    stimulus = np.tile(np.arange(stimuli), repeats)
    rng = np.random.default_rng(3)
    signal = respond(shown)[stimulus]
    scale = signal.mean(axis=0), signal.std(axis=0)
    fmri = (signal - scale[0]) / scale[1]
    fmri = fmri + noise * rng.standard_normal(fmri.shape)
    fmri -= fmri.mean(axis=0)
    windows = fields.windows(basis, (SIDE, SIDE, 1))
    like = likelihood.fit(free, seen, fmri, stimulus, windows=windows)
    trials = likelihood.features(free, seen), fmri, stimulus, like
    return basis, scale, (windows, seen, *trials)


def pixels(images):
    return np.float64(images[:, 3::4] - 0.5)


def energies(images):
    return pixels(images) ** 2


@pytest.fixture(scope='module')
def rectifying():
    basis, scale, given = subject(energies)
    return basis, scale, given, nonlinear.fit(*given)


def test_it_tells_new_responses_of_voxels_that_rectify(rectifying):
    """And knows how well; a linear encoder knows nothing of them."""
    basis, (mean, deviation), given, fitted = rectifying
    new = pictures(200, 4)
    truth = (energies(new) - mean) / deviation
    at = prior.coordinates(basis, new)
    found, variance = nonlinear.predict(fitted, at)
    error = ((found - truth) ** 2).mean()
    linear = encoder.predict(given[-1][0], at)
    assert error < 0.5 * ((linear - truth) ** 2).mean()
    np.testing.assert_allclose(variance.mean(), error, rtol=0.4)
    assert fitted.gain > 0.3 and fitted.radial > 0.8
    # What a linear encoder lacks is in its residuals, and not in these.
    left, before = fitted.noise, given[-1][1]
    assert left.lasting < before.lasting
    size, size_before = (
        each.independent.sum() + (each.shared**2).sum()
        for each in (left, before)
    )
    assert size < 0.8 * size_before


def test_of_voxels_that_are_linear_there_is_none():
    *_, given = subject(pixels)
    assert nonlinear.fit(*given) is None


def test_it_is_the_mean_and_variance_of_gaussian_processes(rectifying):
    """Of one kernel and lambda, with repeats, by matrices of all trials."""
    basis, _, given, _ = rectifying
    windows, seen, features, *_ = given
    rng = np.random.default_rng(5)
    n = 12
    stimulus = np.concatenate([np.arange(n), np.arange(5), np.arange(3)])
    fmri = rng.standard_normal((len(stimulus), 2))
    fmri -= fmri.mean(axis=0)
    told = encoder.seen(seen[:n], fmri, stimulus)
    spread = windows.axes.T @ np.float32(fields.leading(features, 1.0).T)
    centred = nonlinear._centred(told.pictures, told, windows.axes)
    _, kernel = nonlinear._kernels(windows.windows[3], centred, spread, told)
    share = np.zeros((len(encoder.LAMBDAS), 2), np.float32)
    at, noise = 4, encoder.LAMBDAS[4]
    share[at] = 1
    parts = [nonlinear._parts(kernel, share, told)]
    fitted = nonlinear.Nonlinear(
        *(windows.axes, spread, told, [kernel], parts, *[None] * 4)
    )
    new = prior.coordinates(basis, pictures(7, 6))
    mean, variance = nonlinear.predict(fitted, new)

    def rows(coordinates):
        away = (coordinates - told.centre) @ windows.axes
        return (away * windows.windows[3]) @ spread / kernel.size

    # All trials and the new pictures together, less the trials' mean.
    every = np.concatenate([rows(seen[:n])[stimulus], rows(new)])
    apart = ((every[:, None] - every) ** 2).sum(axis=-1)
    k = np.exp(-apart / 2)
    trials = len(stimulus)
    less = np.eye(len(every))
    less[:, :trials] -= 1 / trials
    k = less @ k @ less.T
    k /= np.diagonal(k)[:trials].mean()
    inverse = np.linalg.inv(k[:trials, :trials] + noise * np.eye(trials))
    across = k[trials:, :trials]
    np.testing.assert_allclose(mean, across @ inverse @ fmri, atol=2e-3)
    scale = np.einsum('nv,nm,mv->v', fmri, inverse, fmri) / (trials - 1)
    open_ = np.diagonal(k)[trials:] + noise / trials
    open_ = open_ - np.einsum('an,nm,am->a', across, inverse, across)
    np.testing.assert_allclose(
        variance, open_[:, None] * scale, rtol=0.02, atol=2e-3
    )
    # Left out: the same, fitted again without the stimulus but for its mean.
    wrong, _ = nonlinear._left_out([kernel], parts, told)
    assert (
        np.abs(wrong).mean()
        > np.abs(told.averages - nonlinear.predict(fitted, seen[:n])[0]).mean()
    )

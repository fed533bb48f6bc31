"""The run-wise regression against one large least-squares problem."""

import numpy as np
import pytest
from scipy import stats

from brainjax.errors import InputError
from brainjax.linear import glm


def make_runs(rng, noise=1.0, voxels=7, runs=4, regressors=5, mean=1000.0):
    """Runs of unequal length with drifts, and the betas behind them."""
    betas = rng.normal(size=(regressors, voxels))
    made = []
    for r in range(runs):
        volumes = 60 + 5 * r
        x = rng.normal(1, 1, (volumes, regressors))
        nuisance = np.stack(
            [np.ones(volumes), np.linspace(-1, 1, volumes)], axis=1
        )
        drift = nuisance @ np.stack(
            [rng.normal(mean, 50, voxels), rng.normal(0, 20, voxels)]
        )
        y = x @ betas + drift + noise * rng.normal(size=(volumes, voxels))
        made.append(glm.Run(x, nuisance, np.float32(y)))
    return made, betas


def joint(runs):
    """All runs as one model, each with its own nuisance columns."""
    width = sum(run.nuisance.shape[1] for run in runs)
    rows, start = [], 0
    for run in runs:
        own = np.zeros((len(run.fmri), width))
        own[:, start : start + run.nuisance.shape[1]] = run.nuisance
        start += run.nuisance.shape[1]
        rows.append(np.concatenate([run.regressors, own], axis=1))
    return np.concatenate(rows), np.concatenate([run.fmri for run in runs])


@pytest.mark.parametrize('at_a_time', [3, 100])
def test_same_as_one_model_of_all_volumes(at_a_time):
    runs, _ = make_runs(np.random.default_rng(0))
    sums = glm.accumulate(iter(runs), at_a_time)
    fit = glm.solve(sums)
    x, y = joint(runs)
    y = y.astype(float)
    coefficients, *_ = np.linalg.lstsq(x, y, rcond=None)
    left = y - x @ coefficients
    degrees = len(x) - x.shape[1]
    variance = (left**2).sum(axis=0) / degrees
    covariance = np.linalg.inv(x.T @ x)[:5, :5]
    assert fit.degrees == degrees
    assert fit.betas.dtype == np.float32
    np.testing.assert_allclose(fit.betas, coefficients[:5], atol=1e-5)
    np.testing.assert_allclose(fit.variance, variance, rtol=1e-5)
    np.testing.assert_allclose(fit.covariance, covariance, atol=1e-9)
    contrast = np.array([1, 0, -1, 0, 0.5])
    t = (contrast @ coefficients[:5]) / np.sqrt(
        variance * (contrast @ covariance @ contrast)
    )
    np.testing.assert_allclose(glm.t_statistic(fit, contrast), t, rtol=1e-4)


def test_smaller_model_from_the_same_sums():
    runs, _ = make_runs(np.random.default_rng(1))
    sums = glm.accumulate(runs)
    kept = np.array([True, False, True, True, False])
    fewer = [run._replace(regressors=run.regressors[:, kept]) for run in runs]
    ours = glm.solve(sums, kept)
    theirs = glm.solve(glm.accumulate(fewer))
    np.testing.assert_allclose(ours.betas, theirs.betas, atol=1e-6)
    np.testing.assert_allclose(ours.variance, theirs.variance, rtol=1e-6)
    assert ours.degrees == theirs.degrees


def test_unbiased_and_noise_as_theory_says():
    rng = np.random.default_rng(2)
    runs, betas = make_runs(rng, noise=3.0, voxels=4000)
    fit = glm.solve(glm.accumulate(runs))
    z = (fit.betas - betas) / 3 / np.sqrt(np.diagonal(fit.covariance))[:, None]
    # 4,000 voxels are so many independent draws for each regressor.
    assert (np.abs(z.mean(axis=1)) < 4 / np.sqrt(4000)).all()
    np.testing.assert_allclose(z.std(axis=1), 1, atol=4 / np.sqrt(8000))
    expected = fit.covariance / np.sqrt(
        np.outer(np.diagonal(fit.covariance), np.diagonal(fit.covariance))
    )
    np.testing.assert_allclose(np.corrcoef(z), expected, atol=4 / 4000**0.5)
    # Residual variances follow chi-squared.
    p = stats.kstest(
        fit.variance / 9 * fit.degrees, stats.chi2(fit.degrees).cdf
    ).pvalue
    assert p > 1e-3


def test_t_and_gain_of_nothing():
    rng = np.random.default_rng(3)
    runs, _ = make_runs(rng, voxels=4000)
    noise = [
        run._replace(fmri=rng.normal(100, 5, run.fmri.shape)) for run in runs
    ]
    sums = glm.accumulate(noise)
    full = glm.solve(sums)
    t = glm.t_statistic(full, np.eye(5)[0])
    assert stats.kstest(t, stats.t(full.degrees).cdf).pvalue > 1e-3
    alone = glm.solve(sums, np.arange(5) == 4)
    gain = glm.gain(full, alone)
    assert abs(gain.mean()) < 4 * gain.std() / np.sqrt(4000)
    # Without the correction it would be 4 of about 260 degrees.
    assert gain.std() / np.sqrt(4000) < 0.1 * 4 / full.degrees


def test_voxels_and_regressors_without_values_are_nan():
    runs, _ = make_runs(np.random.default_rng(4), noise=0.1)
    broken = []
    for run in runs:
        x = run.regressors.copy()
        x[:, 2] = 0
        fmri = run.fmri.copy()
        fmri[0, 3] = np.nan
        broken.append(run._replace(regressors=x, fmri=fmri))
    fit = glm.solve(glm.accumulate(broken))
    assert np.isnan(fit.betas[2]).all() and np.isnan(fit.betas[:, 3]).all()
    assert np.isnan(glm.t_statistic(fit, np.eye(5)[0])[3])
    rest = np.delete(np.delete(fit.betas, 2, 0), 3, 1)
    assert np.isfinite(rest).all()
    known = glm.t_statistic(fit, np.eye(5)[0])
    gain = glm.gain(fit, fit)
    chosen = glm.select(known, gain, -100, 0)
    assert chosen.tolist() == [True] * 3 + [False] + [True] * 3
    # A regressor that is a drift is not known either.
    same = [
        run._replace(
            regressors=np.concatenate(
                [run.regressors[:, :4], 3 + run.nuisance[:, 1:]], axis=1
            )
        )
        for run in runs
    ]
    assert np.isnan(glm.solve(glm.accumulate(same)).betas[4]).all()


def test_choice_of_voxels():
    t = np.array([5.0, 1.0, 5.0, np.nan, 9.0])
    gain = np.array([0.3, 0.9, 0.1, 0.8, 0.4])
    chosen = glm.select(t, gain, 3.0, 30)
    assert chosen.tolist() == [True, False, False, False, True]
    with pytest.raises(InputError, match='of 5 voxels none has t above 10'):
        glm.select(t, gain, 10.0, 0)


def test_what_cannot_be_fitted():
    runs, _ = make_runs(np.random.default_rng(5))
    with pytest.raises(InputError, match='no runs to fit'):
        glm.accumulate([])
    short = runs[1]._replace(fmri=runs[1].fmri[:-1])
    with pytest.raises(InputError, match='run 2 has 64 volumes, regressors'):
        glm.accumulate([runs[0], short])
    fewer = runs[1]._replace(fmri=runs[1].fmri[:, :-1])
    with pytest.raises(InputError, match='run 2 has 5 regressors and 6 vox'):
        glm.accumulate([runs[0], fewer])
    unknown = runs[0]._replace(regressors=runs[0].regressors * np.nan)
    with pytest.raises(InputError, match='run 1: a regressor holds'):
        glm.accumulate([unknown])
    twice = [
        run._replace(regressors=np.concatenate([run.regressors] * 2, axis=1))
        for run in runs
    ]
    with pytest.raises(InputError, match='10 regressors are collinear'):
        glm.solve(glm.accumulate(twice))

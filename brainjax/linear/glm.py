"""Regression of time series too long for memory, run by run.

All runs share the regressors X of a model, and each run r has nuisance
regressors N_r of its own (a constant, drifts, motion):

    Y_r = X_r B + N_r C_r + E_r

C_r is not asked for. Taking N_r out of both X_r and Y_r gives the same B
(Frisch & Waugh 1933, Lovell 1963), and then X'X, X'Y and the squares of Y are
all that is kept. For 1,047 regressors and 50,000 voxels that is 0.4 GB,
however many volumes there are. Ordinary least squares: with noise that is
correlated in time B stays unbiased, but t statistics are too large.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy import linalg

from brainjax.errors import InputError

VOXELS_AT_A_TIME = 2048
# Share of a regressor's squares below which the nuisance has explained it all.
_LOST = 1e-12
# Least eigenvalue of the regressors' correlations; below it they are collinear.
_DISTINCT = 1e-10


class Run(NamedTuple):
    """What one run contributes.

    Attributes:
      regressors: [volumes, regressors], the same in all runs.
      nuisance: [volumes, n], of this run alone.
      fmri: [volumes, voxels]; it may be mapped from a file.
    """

    regressors: np.ndarray
    nuisance: np.ndarray
    fmri: np.ndarray


class Sums(NamedTuple):
    """What is kept of all runs, without their nuisance.

    Attributes:
      gram: [regressors, regressors] X'X, float64.
      cross: [regressors, voxels] X'Y, float64.
      squares: [voxels] sums of Y^2, float64.
      degrees: volumes, less one for each independent nuisance regressor.
    """

    gram: np.ndarray
    cross: np.ndarray
    squares: np.ndarray
    degrees: int


class Fit(NamedTuple):
    """A fitted model.

    Attributes:
      betas: [regressors, voxels] float32; NaN for a regressor that is 0 in
        all runs, and for a voxel with a NaN or infinite value.
      variance: [voxels] float32 of the residuals, unbiased.
      covariance: [regressors, regressors] (X'X)^-1, float64; times a voxel's
        `variance` it is the covariance of its betas.
      degrees: of freedom of the residuals.
    """

    betas: np.ndarray
    variance: np.ndarray
    covariance: np.ndarray
    degrees: int


def accumulate(
    runs: Iterable[Run], voxels_at_a_time: int = VOXELS_AT_A_TIME
) -> Sums:
    """Sums over runs, which are read one at a time.

    Products are float32 within a run and voxel block, sums float64.

    Args:
      runs: any number, for example a generator that reads files.
      voxels_at_a_time: how many voxels of a run are copied at once.
    """
    gram = cross = squares = None
    degrees = 0
    for number, run in enumerate(runs, 1):
        x, basis = _without_nuisance(run, number)
        voxels = run.fmri.shape[1]
        if gram is None:
            gram = np.zeros((x.shape[1], x.shape[1]))
            cross = np.zeros((x.shape[1], voxels))
            squares = np.zeros(voxels)
        if cross.shape != (x.shape[1], voxels):
            raise InputError(
                f'run {number} has {x.shape[1]} regressors and {voxels} '
                f'voxels, but run 1 has {cross.shape[0]} and '
                f'{cross.shape[1]}; give the same in all runs.'
            )
        gram += x.T @ x
        narrow = np.float32(x.T)
        for start in range(0, voxels, voxels_at_a_time):
            part = slice(start, start + voxels_at_a_time)
            y = np.asarray(run.fmri[:, part], np.float64)
            y = y - basis @ (basis.T @ y)
            cross[:, part] += narrow @ np.float32(y)
            squares[part] += (y**2).sum(axis=0)
        degrees += len(x) - basis.shape[1]
    if gram is None:
        raise InputError('there are no runs to fit; check what they are of.')
    return Sums(gram, cross, squares, degrees)


def _without_nuisance(run: Run, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the regressors, and an orthonormal basis of the nuisance."""
    lengths = [len(each) for each in run]
    if len({*lengths}) > 1:
        raise InputError(
            f'run {number} has {lengths[2]} volumes, regressors of '
            f'{lengths[0]} and nuisance of {lengths[1]}; make them from the '
            'same run.'
        )
    x = np.asarray(run.regressors, np.float64)
    nuisance = np.asarray(run.nuisance, np.float64)
    if not (np.isfinite(x).all() and np.isfinite(nuisance).all()):
        raise InputError(
            f'run {number}: a regressor holds NaN or infinity; '
            'check its events, latents and confounds.'
        )
    size = np.linalg.norm(nuisance, axis=0)
    basis, strength, _ = np.linalg.svd(
        nuisance[:, size > 0] / size[size > 0], full_matrices=False
    )
    basis = basis[:, strength > 1e-10]
    left = x - basis @ (basis.T @ x)
    lost = (left**2).sum(axis=0) <= _LOST * (x**2).sum(axis=0)
    return np.where(lost, 0, left), basis


def solve(sums: Sums, kept: np.ndarray | None = None) -> Fit:
    """Solves for the betas of all regressors or of some.

    Args:
      sums: from `accumulate`.
      kept: [regressors] bool, of a smaller model; None for all.

    Returns:
      The fit, its regressors those that are kept, in order.
    """
    kept = np.ones(len(sums.gram), bool) if kept is None else kept
    index = np.flatnonzero(kept)
    present = np.diagonal(sums.gram)[index] > 0
    rows = index[present]
    gram = sums.gram[np.ix_(rows, rows)]
    scale = np.sqrt(np.diagonal(gram))
    correlations = gram / np.outer(scale, scale)
    degrees = sums.degrees - len(rows)
    if degrees < 1 or linalg.eigvalsh(correlations)[0] < _DISTINCT:
        raise InputError(
            f'{len(rows)} regressors are collinear in volumes with '
            f'{sums.degrees} degrees of freedom; use more runs or fewer '
            'latents.'
        )
    inverse = linalg.inv(correlations) / np.outer(scale, scale)
    voxels = sums.cross.shape[1]
    betas = np.full((len(index), voxels), np.nan, np.float32)
    variance = np.empty(voxels, np.float32)
    for start in range(0, voxels, VOXELS_AT_A_TIME):
        part = slice(start, start + VOXELS_AT_A_TIME)
        cross = sums.cross[rows, part]
        found = inverse @ cross
        betas[present, part] = found
        explained = (found * cross).sum(axis=0)
        left = np.maximum(sums.squares[part] - explained, 0)
        variance[part] = left / degrees
    covariance = np.full((len(index), len(index)), np.nan)
    covariance[np.ix_(present, present)] = inverse
    return Fit(betas, variance, covariance, degrees)


def t_statistic(fit: Fit, contrast: np.ndarray) -> np.ndarray:
    """Returns c'B / sqrt(variance c'(X'X)^-1 c), [voxels] float64.

    Args:
      fit: from `solve`.
      contrast: [regressors] c.
    """
    used = np.flatnonzero(contrast)
    c = np.asarray(contrast, np.float64)[used]
    spread = np.sqrt(c @ fit.covariance[np.ix_(used, used)] @ c)
    error = spread * np.sqrt(np.float64(fit.variance))  # The standard error.
    effect = c @ fit.betas[used]
    return np.divide(effect, error, out=np.zeros_like(effect), where=error != 0)


def gain(full: Fit, reduced: Fit) -> np.ndarray:
    """Share of the variance that only the full model explains, [voxels].

    1 - full / reduced variance, both divided by their degrees of freedom:
    regressors that explain nothing gain 0 on average and not their number
    over that of volumes.
    """
    full_variance = np.float64(full.variance)
    reduced_variance = np.float64(reduced.variance)
    ratio = np.divide(
        full_variance,
        reduced_variance,
        out=np.ones_like(full_variance),
        where=reduced_variance != 0,
    )
    return 1 - ratio


def select(
    t: np.ndarray,
    gained: np.ndarray,
    least_t: float,
    percentile: float,
) -> np.ndarray:
    """Chooses voxels that respond, and differently to different stimuli.

    Args:
      t: [voxels] of stimulus versus rest.
      gained: [voxels] from `gain`; both from training trials alone.
      least_t: t must be above it.
      percentile: of all voxels' gain, 0 to 100, that must be reached.

    Returns:
      [voxels] bool; False where t or gain is NaN.
    """
    known = np.isfinite(t) & np.isfinite(gained)
    chosen = np.zeros(len(t), bool)
    if known.any():
        least = np.percentile(gained[known], percentile)
        chosen[known] = (t[known] > least_t) & (gained[known] >= least)
    if not chosen.any():
        raise InputError(
            f'of {len(t)} voxels none has t above {least_t:g} and a gain in '
            f'the upper {100 - percentile:g} %; ask for less.'
        )
    return chosen

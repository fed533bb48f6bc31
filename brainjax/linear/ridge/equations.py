"""The equations that all units of a ridge regression share; see `ridge`."""

from typing import Any, Literal, NamedTuple

import numpy as np
import scipy.sparse

from brainjax.errors import InputError
from brainjax.linear.arrays import as_numbers, blocks, check_finite

TRIALS_AT_A_TIME = 32
SMALLEST_VARIANCE = 1e-8  # As FastL2LiR; below it a voxel is not selected.

Bias = Literal['penalised', 'free']


class Prepared(NamedTuple):
    """What the equations of all units share.

    Voxels are always centred. If they are not z-scored and b is penalised,
    eliminating b from the normal equations leaves those of centred voxels and
    one more trial, whose voxels are sqrt(c) m and whose unit is sqrt(c) times
    its mean over trials; m are the voxels' means, N the number of trials and
    c = N alpha / (N + alpha).

    Attributes:
      rows: [rows, voxels] the trials, centred, z-scored if asked.
      trials: how many of the rows are trials, the first ones.
      shown: sparse [rows, stimuli] E, 1 where a row showed a stimulus.
      sums: [voxels, stimuli] rows^T shown.
      selection: [voxels, stimuli]; |selection @ y| ranks the voxels of a unit
        as their correlation does.
      mean: [voxels] subtracted from fMRI.
      scale: [voxels] by which fMRI is then divided; infinity for a voxel that
        is the same in all trials, which thereby counts for nothing.
      origin: [voxels] where b is measured from, 0 if voxels are z-scored.
      weight: [stimuli] share of the trials that showed each stimulus.
      shrinkage: N / (N + alpha) if b is penalised, else 1.
      k: voxels of each unit; the number of voxels if all are used.
      alpha: the penalty.
      normalise: whether voxels and units are z-scored.
      dtype: of the results; the arrays above may be wider.
    """

    rows: np.ndarray
    trials: int
    shown: scipy.sparse.csr_array
    sums: np.ndarray
    selection: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    origin: np.ndarray
    weight: np.ndarray
    shrinkage: float
    k: int
    alpha: float
    normalise: bool
    dtype: np.dtype


class Units(NamedTuple):
    """A block of units as the equations want them.

    Attributes:
      values: [stimuli, units], z-scored over stimuli if asked; 0 for a unit
        that does not vary.
      mean, scale: [units], such that true = values * scale + mean.
    """

    values: np.ndarray
    mean: np.ndarray
    scale: np.ndarray


def prepare(
    fmri: np.ndarray,
    stimulus: np.ndarray | None = None,
    *,
    k: int = 500,
    alpha: float = 100.0,
    bias: Bias = 'penalised',
    normalise: bool = True,
    dtype: np.typing.DTypeLike = np.float32,
) -> Prepared:
    """Computes what the equations of all units share.

    Args:
      fmri: [trials, voxels], single trials as a rule.
      stimulus: [trials] int, the row of the features that each trial showed;
        None if each trial has its own row, in order.
      k: voxels of each unit; 0, or as many as there are, for all.
      alpha: the penalty, of the paper for z-scored voxels and units.
      bias: 'penalised' like the weights (FastL2LiR), or 'free'
        (scikit-learn). It matters where stimuli differ in repeats, or without
        `normalise`.
      normalise: z-scores voxels over trials and units over stimuli, with
        division by n - 1; False takes both as they are.
      dtype: float32 or float64, of the results.
    """
    fmri, stimulus = _checked(fmri, stimulus, k, alpha, bias)
    trials, voxels = fmri.shape
    k = k if 0 < k < voxels else voxels
    results, dtype = np.dtype(dtype), _solve_type(trials, k, dtype)
    mean = fmri.mean(axis=0, dtype=np.float64)
    # By a few trials at a time, in float64: differences stay in the cache.
    parts = list(blocks(trials, TRIALS_AT_A_TIME))
    variance = sum(((fmri[part] - mean) ** 2).sum(axis=0) for part in parts)
    variance /= trials - 1
    constant = np.ptp(fmri, axis=0) == 0
    std = np.where(constant, np.inf, np.sqrt(variance))
    std[std == 0] = np.inf  # Too small to be told from 0.
    scale = std if normalise else np.where(constant, np.inf, 1.0)
    rows = np.empty(fmri.shape, dtype)
    for part in parts:
        rows[part] = (fmri[part] - mean) / scale
    shown = scipy.sparse.csr_array(
        (np.ones(trials, dtype), (np.arange(trials), stimulus))
    )
    weight = np.bincount(stimulus) / trials
    sums = selection = _sums(rows, stimulus, shown)
    origin = np.zeros(voxels) if normalise else mean
    if not normalise:
        divisor = np.where(variance < SMALLEST_VARIANCE, np.inf, std)
        selection = (sums / divisor[:, None]).astype(dtype)
    if not normalise and bias == 'penalised':
        root = np.sqrt(trials * alpha / (trials + alpha))
        more = (root * np.where(constant, 0, mean)).astype(dtype)
        rows = np.vstack([rows, more])
        shown = scipy.sparse.vstack(
            [shown, (root * weight[None]).astype(dtype)], format='csr'
        )
        sums = (shown.T @ rows).T
    return Prepared(
        rows=rows,
        trials=trials,
        shown=shown,
        sums=sums,
        selection=selection,
        mean=mean,
        scale=scale,
        origin=np.where(constant, 0, origin).astype(dtype),
        weight=weight.astype(dtype),
        shrinkage=trials / (trials + alpha) if bias == 'penalised' else 1.0,
        k=k,
        alpha=float(alpha),
        normalise=normalise,
        dtype=results,
    )


def _sums(rows, stimulus, shown):
    """rows^T shown; where each trial has its stimulus, no copy of the rows."""
    if np.array_equal(stimulus, np.arange(len(rows))):
        return rows.T
    return (shown.T @ rows).T


def _solve_type(
    trials: int, k: int, dtype: np.typing.DTypeLike
) -> np.typing.DTypeLike:
    """Returns the type to solve in, float64 for few trials.

    As the numbers of trials and voxels near each other, the smallest eigenvalue
    of X_J^T X_J goes to 0, and where there are fewer trials alpha is all there
    is. With alpha 0.01 float32 then misses float64 by up to .04 standard
    deviations of a unit; with two trials a voxel by up to .001, with alpha 1 by
    1e-4. A system in float64 takes twice the time.
    """
    return np.float64 if trials < 2 * k else dtype


def scale_fmri(prepared: Prepared, fmri: np.ndarray) -> np.ndarray:
    """Normalises other trials [trials, voxels] as the training trials were."""
    fmri = as_numbers(fmri, 'the fMRI to decode')
    if fmri.ndim != 2 or fmri.shape[1:] != prepared.mean.shape:
        raise InputError(
            f'the fMRI to decode has shape {fmri.shape}; the ridge was fitted '
            f'to {len(prepared.mean)} voxels, so give [trials, '
            f'{len(prepared.mean)}].'
        )
    check_finite(fmri, 'the fMRI to decode', 'trial', 'voxel')
    dtype = prepared.rows.dtype
    return ((fmri - prepared.mean) / prepared.scale).astype(dtype)


def scale_units(prepared: Prepared, features: np.ndarray) -> Units:
    """Normalises features [stimuli, units] over the stimuli."""
    features = as_numbers(features, 'the features')
    stimuli = len(prepared.weight)
    if features.ndim != 2 or len(features) != stimuli:
        raise InputError(
            f'the features have shape {features.shape}; give [{stimuli}, '
            'units], one row for each stimulus of the training trials.'
        )
    check_finite(features, 'the features', 'stimulus', 'unit')
    dtype = prepared.rows.dtype
    units = features.shape[1]
    if not prepared.normalise:
        return Units(features.astype(dtype), np.zeros(units), np.ones(units))
    mean = features.mean(axis=0, dtype=np.float64)
    values = features - mean
    std = np.sqrt((values**2).sum(axis=0) / (stimuli - 1))
    dead = (std == 0) | (np.ptp(features, axis=0) == 0)
    values /= np.where(dead, np.inf, std)
    # Of a dead unit the mean may differ from its one value by rounding.
    mean = np.where(dead, features[0], mean)
    return Units(values.astype(dtype), mean, np.where(dead, 0, std))


def is_dual(prepared: Prepared) -> bool:
    """Whether there are fewer equations of rows than of voxels.

    With fewer rows than voxels X_J^T X_J is singular, and only alpha makes it
    solvable. The dual form w = X_J^T (X_J X_J^T + alpha)^-1 E y is smaller and
    has the same solution.
    """
    return len(prepared.rows) < prepared.k


def dual_targets(prepared: Prepared, values: np.ndarray) -> np.ndarray:
    """Returns values [stimuli, ...] for each row, centred over the trials.

    The voxels are centred, so that X_J X_J^T is 0 in the direction of the ones:
    what rounding leaves there of the targets would be divided by alpha alone.
    """
    targets = prepared.shown @ values
    targets[: prepared.trials] -= targets[: prepared.trials].mean(axis=0)
    return targets


def not_solvable(prepared: Prepared) -> InputError:
    """Returns the error of equations that rounding has spoilt."""
    return InputError(
        f'the ridge cannot be solved with alpha {prepared.alpha:g} in '
        f'{prepared.rows.dtype}; give a larger alpha or dtype float64.'
    )


def check_penalty(k: int, alpha: float) -> None:
    """Refuses a number of voxels or a penalty that cannot be used."""
    if k < 0 or not alpha > 0 or not np.isfinite(alpha):
        raise InputError(
            f'k is {k} and alpha {alpha}; give the number of voxels of a unit '
            '(0 for all) and a penalty above 0.'
        )


def _checked(
    fmri: Any, stimulus: Any, k: int, alpha: float, bias: str
) -> tuple[np.ndarray, np.ndarray]:
    """Returns fMRI and stimulus as arrays that can be used."""
    fmri = as_numbers(fmri, 'the fMRI')
    if fmri.ndim != 2 or len(fmri) < 2 or not fmri.shape[1]:
        raise InputError(
            f'the fMRI has shape {fmri.shape}; the ridge needs [trials, '
            'voxels] with at least two trials.'
        )
    check_finite(fmri, 'the fMRI', 'trial', 'voxel')
    if stimulus is None:
        stimulus = np.arange(len(fmri))
    stimulus = np.asarray(stimulus)
    if (
        stimulus.shape != fmri.shape[:1]
        or stimulus.dtype.kind not in 'iu'
        or stimulus.min() < 0
    ):
        raise InputError(
            f'the stimulus labels have shape {stimulus.shape} and type '
            f'{stimulus.dtype}; give one row of the features, counted from 0, '
            f'to each of {len(fmri)} trials.'
        )
    counts = np.bincount(stimulus)
    if len(counts) < 2 or not counts.all():
        raise InputError(
            'the ridge needs at least two stimuli, each shown in a trial; '
            f'stimulus {int(np.argmin(counts))} was shown '
            f'{int(counts.min()) if len(counts) > 1 else len(fmri)} times.'
        )
    check_penalty(k, alpha)
    if bias not in ('penalised', 'free'):
        raise InputError(f'there is no bias {bias!r}; it is penalised or free.')
    return fmri, stimulus

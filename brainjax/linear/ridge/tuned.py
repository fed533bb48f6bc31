"""Kernel ridge from voxels to whole pictures, its alpha chosen in training.

    minimise |X w - y|^2 + alpha |w|^2

for every pixel y, centred over the trials, from all voxels X. With fewer
trials than voxels the dual form is the small one, and one eigendecomposition
of X X' serves every alpha. `ridge.decoder` is for millions of units with
voxels of their own; this is the yardstick that each run carries.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError
from brainjax.linear.arrays import gram

ALPHAS = tuple(10.0 ** (k / 2) for k in range(0, 11))
FOLDS = 10
TINY = 1e-14  # Of squares: what rounding leaves of nothing.


class Tuned(NamedTuple):
    """A fitted ridge.

    Attributes:
      fmri: [trials, voxels] the training trials.
      dual: [trials, pixels]; predictions are mean + fmri_new @ fmri' @ dual.
      mean: [pixels] over the training trials.
      alpha: the penalty chosen.
      scores: [alphas] what each reached in cross-validation.
    """

    fmri: np.ndarray
    dual: np.ndarray
    mean: np.ndarray
    alpha: float
    scores: np.ndarray


def folds(stimuli: int, most: int = FOLDS, seed: int = 0) -> list[np.ndarray]:
    """Parts of the stimuli to hold out: each alone up to twice `most`."""
    order = np.random.default_rng(seed).permutation(stimuli)
    parts = stimuli if stimuli <= 2 * most else most
    return np.array_split(order, parts)


def fit(
    fmri: np.ndarray,
    stimulus: np.ndarray,
    pictures: np.ndarray,
    alphas: Sequence[float] = ALPHAS,
    seed: int = 0,
) -> Tuned:
    """Chooses alpha by held-out training stimuli, then fits all trials.

    The score is the pixel correlation of a held-out picture, decoded from the
    average of its trials, with what was seen; the mean over pictures.

    Args:
      fmri: [trials, voxels], z-scored over these trials.
      stimulus: [trials] int, rows of `pictures`.
      pictures: [stimuli, pixels], of two stimuli at least.
      alphas: to choose from.
      seed: of the division into folds.
    """
    if len(pictures) < 3:
        raise InputError(
            f'there are {len(pictures)} training pictures; alpha cannot be '
            'chosen on fewer than three.'
        )
    scores = np.zeros((len(pictures), len(alphas)))
    small = _same_products(pictures)
    for held_out in folds(len(pictures), seed=seed):
        decoded = held_out_pictures(fmri, stimulus, small, held_out, alphas)
        for j, found in enumerate(decoded):
            scores[held_out, j] = _cosines(found, small[held_out])
    scores = scores.mean(axis=0)
    alpha = alphas[int(np.argmax(scores))]
    values, vectors = _decompose(fmri)
    mean, targets = _centred(pictures, stimulus)
    dual = (vectors / (values + alpha)) @ vectors.T @ targets
    return Tuned(np.float32(fmri), np.float32(dual), mean, alpha, scores)


def predict(fitted: Tuned, fmri: np.ndarray) -> np.ndarray:
    """Returns pictures [n, pixels] float32, not clipped, of [n, voxels]."""
    kernel = np.float32(fmri) @ fitted.fmri.T
    return np.float32(fitted.mean + kernel @ fitted.dual)


def held_out_pictures(
    fmri: np.ndarray,
    stimulus: np.ndarray,
    pictures: np.ndarray,
    held_out: np.ndarray,
    alphas: Sequence[float],
) -> list[np.ndarray]:
    """Decodes some stimuli from a fit to all others, for each alpha.

    Args:
      fmri, stimulus, pictures: of `fit`.
      held_out: [m] stimuli.
      alphas: penalties.

    Returns:
      [m, pixels] of each alpha, from the average of a stimulus' trials.
    """
    rows, shown, test = hold_out(fmri, stimulus, held_out)
    values, vectors = _decompose(rows)
    mean, targets = _centred(pictures, shown)
    targets = vectors.T @ targets
    kernel = test @ rows.T @ vectors
    return [mean + kernel / (values + alpha) @ targets for alpha in alphas]


def hold_out(
    fmri: np.ndarray, stimulus: np.ndarray, held_out: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sets stimuli aside, as test stimuli are: z-scored by the others' trials.

    By all trials, the responses to the stimuli would sum to 0, and with few of
    them what is left tells what was set aside.

    Args:
      fmri: [trials, voxels].
      stimulus: [trials] int.
      held_out: [m] stimuli.

    Returns:
      [trials', voxels] of the others, what each showed, and [m, voxels]
      averages of the trials of each stimulus held out.
    """
    train = ~np.isin(stimulus, held_out)
    rows = fmri[train]
    mean, std = rows.mean(axis=0), rows.std(axis=0)
    std = np.where(std > 0, std, np.inf)
    test = np.stack([fmri[stimulus == s].mean(axis=0) for s in held_out])
    return (rows - mean) / std, stimulus[train], (test - mean) / std


def _decompose(fmri):
    """Eigenvalues and vectors of the kernel."""
    fmri = np.float64(fmri)
    values, vectors = np.linalg.eigh(fmri @ fmri.T)
    return values.clip(0), vectors


def _centred(pictures, stimulus):
    """The trials' mean picture, and each trial's difference from it."""
    shown = np.float64(pictures[stimulus])
    mean = shown.mean(axis=0)
    return mean, shown - mean


def _same_products(pictures):
    """Rows that have the inner products of pictures whose mean is taken off.

    All that is decoded is a sum of training pictures, so that its correlation
    with one follows from these: [stimuli, min(stimuli, pixels)].
    """
    rows = pictures - pictures.mean(axis=1, keepdims=True, dtype=np.float64)
    if rows.shape[1] <= len(rows):
        return rows
    values, vectors = np.linalg.eigh(gram(rows.T))
    keep = values > TINY * values[-1]
    return vectors[:, keep] * np.sqrt(values[keep])


def _cosines(x, y):
    """Cosine of each row of x and y; 0 where one of them is 0."""
    squares = np.stack([(x**2).sum(axis=1), (y**2).sum(axis=1)])
    return np.divide(
        (x * y).sum(axis=1),
        np.sqrt(squares.prod(axis=0)),
        out=np.zeros(len(x)),
        where=squares.min(axis=0) > TINY,
    )

"""Kernel ridge from features of pictures to voxels, its penalty chosen.

    responses = K(new, seen) (K(seen, seen) + alpha I)^-1 (averages - mean)

K is the mean over layers of the products of centred features, each layer
scaled to mean 1 on the diagonal over the training stimuli. One decomposition
of K serves every alpha, and the errors of stimuli left out follow from the
diagonal of the hat matrix (Allen 1974); that the features' mean and scale are
those of all stimuli is left out of account.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

ALPHAS = tuple(10.0 ** (k / 2) for k in range(-8, 9))


class Fit(NamedTuple):
    """A fitted kernel ridge.

    Attributes:
      dual: [stimuli, voxels].
      mean: [voxels].
      alpha: the penalty chosen.
    """

    dual: np.ndarray
    mean: np.ndarray
    alpha: float


def kernel(
    seen: Mapping[str, np.ndarray], new: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Returns K [n, stimuli] of features, layer -> [n or stimuli, ...]."""
    total = 0.0
    for layer, features in seen.items():
        known = features.reshape(len(features), -1)
        mean = known.mean(axis=0)
        known = known - mean
        rows = new[layer].reshape(len(new[layer]), -1) - mean
        size = np.einsum('nu,nu->', known, known, dtype=np.float64)
        total += np.float64(rows @ known.T) * len(known) / max(size, 1e-30)
    return total / len(seen)


def fit(
    features: Mapping[str, np.ndarray], fmri: np.ndarray, stimulus: np.ndarray
) -> Fit:
    """Fits averages over the trials of each stimulus.

    Args:
      features: layer -> [stimuli, ...].
      fmri: [trials, voxels].
      stimulus: [trials] int, rows of the features; each has a trial.
    """
    count = np.bincount(stimulus)
    averages = np.zeros((len(count), fmri.shape[1]))
    np.add.at(averages, stimulus, fmri)
    averages /= count[:, None]
    mean = averages.mean(axis=0)
    values, vectors = np.linalg.eigh(kernel(features, features))
    turned = vectors.T @ (averages - mean)

    def left_out(alpha: float) -> float:
        shrunk = values.clip(0) / (values.clip(0) + alpha)
        error = averages - mean - vectors @ (shrunk[:, None] * turned)
        leverage = vectors**2 @ shrunk + 1 / len(count)
        return float(((error / (1 - leverage)[:, None].clip(1e-6)) ** 2).sum())

    alpha = min(ALPHAS, key=left_out)
    dual = vectors @ (turned / (values.clip(0) + alpha)[:, None])
    return Fit(dual, mean, alpha)


def predict(
    fitted: Fit,
    features: Mapping[str, np.ndarray],
    new: Mapping[str, np.ndarray],
) -> np.ndarray:
    """Returns responses [n, voxels] float32.

    Args:
      fitted: of `fit`.
      features: as given to it.
      new: layer -> [n, ...] of the pictures.
    """
    return np.float32(kernel(features, new) @ fitted.dual + fitted.mean)

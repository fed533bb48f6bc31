"""Kernel ridge from features of pictures to voxels, its penalty chosen.

    responses = K(new, seen) (K(seen, seen) + alpha I)^-1 (averages - mean)

K is the mean over layers of the products of centred features, each layer
scaled to mean 1 on the diagonal over the training stimuli. One decomposition
of K serves every alpha, and the errors of stimuli left out follow from the
diagonal of the hat matrix (Allen 1974); that the features' mean and scale are
those of all stimuli is left out of account.
"""

from collections.abc import Iterable
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


# Of each layer, portions of its units: of stimuli that were seen, [stimuli,
# units], and the same units of others, [n, units].
Layers = Iterable[Iterable[tuple[np.ndarray, np.ndarray]]]


def kernel(layers: Layers) -> np.ndarray:
    """Returns K [n, stimuli]; memory is that of one portion of units."""
    total, number = 0.0, 0
    for blocks in layers:
        products, size = 0.0, 0.0
        for known, new in blocks:
            mean = known.mean(axis=0)
            known = known - mean
            size += np.einsum('nu,nu->', known, known, dtype=np.float64)
            products = products + np.float64((new - mean) @ known.T)
        total = total + products * products.shape[1] / max(size, 1e-30)
        number += 1
    return total / number


def fit(layers: Layers, fmri: np.ndarray, stimulus: np.ndarray) -> Fit:
    """Fits averages over the trials of each stimulus.

    Args:
      layers: of the stimuli, both of each pair.
      fmri: [trials, voxels].
      stimulus: [trials] int, rows of the features; each has a trial.
    """
    count = np.bincount(stimulus)
    averages = np.zeros((len(count), fmri.shape[1]))
    np.add.at(averages, stimulus, fmri)
    averages /= count[:, None]
    mean = averages.mean(axis=0)
    values, vectors = np.linalg.eigh(kernel(layers))
    turned = vectors.T @ (averages - mean)

    def left_out(alpha: float) -> float:
        shrunk = values.clip(0) / (values.clip(0) + alpha)
        error = averages - mean - vectors @ (shrunk[:, None] * turned)
        leverage = vectors**2 @ shrunk + 1 / len(count)
        return float(((error / (1 - leverage)[:, None].clip(1e-6)) ** 2).sum())

    alpha = min(ALPHAS, key=left_out)
    dual = vectors @ (turned / (values.clip(0) + alpha)[:, None])
    return Fit(dual, mean, alpha)


def predict(fitted: Fit, layers: Layers) -> np.ndarray:
    """Returns responses [n, voxels] float32.

    Args:
      fitted: of `fit`.
      layers: of the stimuli of the fit, and of new ones.
    """
    return np.float32(kernel(layers) @ fitted.dual + fitted.mean)

"""The noise of voxels, which is shared among them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from brainjax.linear.arrays import evenly

SHARES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0)
LEAST_REPEATS = 5  # Trials beyond the first of each stimulus.
MOST, MOST_ASSUMED = 0.95, 0.5  # That averaging does not reduce.
MOST_ROWS = 2000  # Residuals that the shared part is made of.


class Noise(NamedTuple):
    """Sigma = diag(independent) + shared' shared.

    Attributes:
      independent: [voxels], above 0.
      shared: [m, voxels].
      share: s, the part of each voxel's variance taken as its own.
      lasting: part of Sigma that averaging repeats does not reduce: what the
        encoder cannot say of pictures, however many trials it has seen.
    """

    independent: np.ndarray
    shared: np.ndarray
    share: float
    lasting: float = 0.0


def fit(
    residuals: np.ndarray,
    stimulus: np.ndarray,
    shares: Sequence[float] = SHARES,
    folds: int = 5,
    seed: int = 0,
) -> Noise:
    """Fits s diag(mean E^2) + (1 - s) E'E / n to residuals E.

    s maximises the likelihood of residuals of stimuli that were held out.

    Args:
      residuals: [trials, voxels] of predictions for stimuli that the encoder
        had not seen.
      stimulus: [trials] what each showed; held out together.
      shares: to choose from.
      folds, seed: of the choice.
    """
    share = shares[0]
    if len(shares) > 1:
        share = _choose(residuals, stimulus, shares, folds, seed)
    rows = residuals[evenly(len(residuals), MOST_ROWS)]
    return Noise(
        share * (residuals**2).mean(axis=0),
        np.sqrt((1 - share) / len(rows)) * rows,
        share,
    )


def _choose(residuals, stimulus, shares, folds, seed):
    groups = np.unique(stimulus)
    total = np.zeros(len(shares))
    order = np.random.default_rng(seed).permutation(groups)
    for held_out in np.array_split(order, min(folds, len(groups))):
        test = np.isin(stimulus, held_out)
        total += _log_likelihood(residuals[~test], residuals[test], shares)
    return shares[int(np.argmax(total))]


def lasting(
    residuals: np.ndarray, stimulus: np.ndarray, assumed: float
) -> float:
    """Returns the part of the residuals that averaging does not reduce.

    Where stimuli were repeated, what their trials have in common. Elsewhere it
    cannot be measured, and is what is assumed, but no more than half. (A linear
    encoder is taken to explain half of what pictures explain, so that as much
    again is in its residuals, 1 / lambda of them.)

    Args:
      residuals: [trials, voxels], see `fit`.
      stimulus: [trials] what each showed.
      assumed: part where it cannot be measured.
    """
    _, place, repeats = np.unique(
        stimulus, return_inverse=True, return_counts=True
    )
    freedom = len(stimulus) - len(repeats)
    if freedom < LEAST_REPEATS:
        return float(np.clip(assumed, 0, MOST_ASSUMED))
    sums = np.zeros((len(repeats), residuals.shape[1]))
    np.add.at(sums, place, residuals)
    within = (residuals**2).sum() - (sums**2 / repeats[:, None]).sum()
    apart = within / freedom * len(stimulus) / (residuals**2).sum()
    return float(np.clip(1 - apart, 0, MOST))


def of_average(noise: Noise, repeats: float) -> Noise:
    """Returns the noise of an average of trials of one stimulus."""
    left = noise.lasting + (1 - noise.lasting) / repeats
    return noise._replace(
        independent=left * noise.independent,
        shared=np.sqrt(left) * noise.shared,
    )


def _log_likelihood(train, test, shares):
    """Log likelihood of test residuals for each share, but for a constant."""
    train = train[-MOST_ROWS:]
    diagonal = (train**2).mean(axis=0)
    a, b = train / np.sqrt(diagonal * len(train)), test / np.sqrt(diagonal)
    values, vectors = np.linalg.eigh(a @ a.T)
    told = (vectors.T @ (a @ b.T)) ** 2  # [train, test]
    own = (b**2).sum()
    voxels, logs = len(diagonal), len(test) * np.log(diagonal).sum()
    out = []
    for s in shares:
        # (s I + (1 - s) a'a)^-1 by the matrix inversion lemma.
        shrink = (1 - s) / (s + (1 - s) * values) / s
        quadratic = own / s - (shrink[:, None] * told).sum()
        determinant = np.log1p((1 - s) / s * values.clip(0)).sum()
        determinant += voxels * np.log(s)
        out.append(-0.5 * (quadratic + len(test) * determinant + logs))
    return np.array(out)


def precision_product(noise: Noise, rows: np.ndarray) -> np.ndarray:
    """Returns rows Sigma^-1 [n, voxels] of rows [n, voxels]."""
    own = rows / noise.independent
    if not noise.shared.any():
        return own
    spread = noise.shared / noise.independent
    inner = np.eye(len(spread)) + spread @ noise.shared.T
    return own - np.linalg.solve(inner, spread @ rows.T).T @ spread

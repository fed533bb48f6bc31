"""What training stimuli that were held out choose of a posterior."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from brainjax.linear import correlation, threads
from brainjax.linear.bayes import encoder as encoders
from brainjax.linear.bayes import likelihood, receptive_fields
from brainjax.linear.bayes import noise as noises
from brainjax.linear.bayes import posterior as posteriors
from brainjax.linear.bayes import prior as priors
from brainjax.linear.ridge import tuned

RIDGE_PARTS = (0.0, 0.25, 0.5, 0.75, 1.0)
FOLDS = 5
COMPARED = 300  # Pictures that identification looks at.
PIXELS = 800  # That the choice looks at.
ROUNDING = 1e-6  # Of scores.
SURE = 2.0  # Standard errors by which the best of many must be above ridge.
LEAST = 0.01  # Of a pixel's standard deviation; a byte's rounding is .001.


class Choice(NamedTuple):
    """What held-out training stimuli chose.

    Attributes:
      local: which encoder, 1 that with local weights.
      weight: of the training pictures in the prior.
      widening: of the noise.
      crps: of that posterior, in 0..1, the mean over held-out pictures.
      mean_local, mean_weight, mean_widening: the same of the reconstruction,
        which is chosen by pixel correlation plus two-way identification among
        those that are below ridge in neither.
      mean_ridge: part of ridge in it.
    """

    local: int
    weight: float
    widening: float
    crps: float
    mean_local: int
    mean_weight: float
    mean_widening: float
    mean_ridge: float


def choose(
    basis: priors.Basis,
    data: tuple,
    fitted: Mapping[
        int, tuple[receptive_fields.Windows, encoders.Encoder, noises.Noise]
    ],
    ridge: tuple[float, np.ndarray],
    grid: tuple[Sequence[float], Sequence[float]],
    seed: int,
) -> Choice:
    """Chooses by how held-out training pictures are predicted.

    Args:
      basis: of the pictures.
      data: moments of the unpaired pictures or None, coordinates of the
        training stimuli, their trials and what each showed.
      fitted: 1 for local weights or 0 -> the windows of these, encoder and
        noise; to choose from.
      ridge: alpha and the pictures [stimuli, pixels].
      grid: weights and widenings to choose from.
      seed: of the folds.
    """
    free, seen, fmri, stimulus = data
    alpha, pictures = ridge
    weights, widenings = grid
    step = -(-pictures.shape[1] // PIXELS)
    cut = pictures[:, ::step]
    # The basis has seen these pictures: it lacks less of them than of others.
    lacking = (pictures - priors.pictures(basis, seen))[:, ::step].var(axis=0)
    basis = priors.Basis(basis.origin[::step], basis.axes[:, ::step])
    sides = len(fitted), len(weights), len(widenings)
    mean = np.zeros((*sides, *cut.shape), np.float32)
    variance = np.zeros_like(mean)
    other = np.zeros_like(cut)
    unpaired = priors.prior(free) if free else None

    def fill(held_out: np.ndarray) -> None:
        rows, shown, test = tuned.hold_out(fmri, stimulus, held_out)
        kept, shown = np.unique(shown, return_inverse=True)
        repeats = np.bincount(stimulus)[held_out]
        other[held_out] = tuned.held_out_pictures(
            fmri, stimulus, cut, held_out, [alpha]
        )[0]
        mixed = [
            unpaired
            if unpaired and not weight
            else priors.mixed(free, seen[kept], weight)
            for weight in weights
        ]
        for place, (windows, *like) in enumerate(fitted.values()):
            encoder, noise = likelihood.fit(
                free, seen[kept], rows, shown, like, windows
            )
            known = {}  # Whatever the prior.
            for count in np.unique(repeats):
                told = posteriors.precision(
                    encoder, noise, count, encoder.doubt
                )
                known[count] = told, posteriors.root(told)
            for i, prior in enumerate(mixed):
                model = posteriors.model(prior, encoder, noise)
                found = _estimates(
                    basis, model, known, (test, repeats), widenings
                )
                mean[place, i][:, held_out], variance[place, i][:, held_out] = (
                    found
                )

    threads.spread(fill, tuned.folds(len(pictures), FOLDS, seed))
    deviation = np.sqrt(variance + lacking + LEAST**2 * cut.var())
    crps = _crps(mean, deviation, cut).mean(axis=(-2, -1))
    local, i, j = np.unravel_index(np.argmin(crps), sides)
    scores = np.array(
        [
            [_scores((1 - a) * one + a * other, cut) for a in RIDGE_PARTS]
            for one in mean.reshape(-1, *cut.shape)
        ]
    ).reshape(*sides, len(RIDGE_PARTS), -1, 2)
    mean_local, m, n, a = _best(scores, _scores(other, cut), SURE)
    return Choice(
        list(fitted)[local],
        weights[i],
        widenings[j],
        float(crps[local, i, j]),
        list(fitted)[mean_local],
        weights[m],
        widenings[n],
        RIDGE_PARTS[a],
    )


def _estimates(basis, model, known, shown, widenings):
    """Means and variances [widenings, n, pixels] of held-out stimuli."""
    prior, (fmri, repeats) = model.prior, shown
    readout = priors.readout(basis, prior)
    shape = len(widenings), len(fmri), len(readout)
    mean, variance = (np.empty(shape, np.float32) for _ in range(2))
    for count, told in known.items():
        rows = repeats == count
        mean[:, rows], each = posteriors.of_widenings(
            model, *told, fmri[rows], widenings, readout
        )
        variance[:, rows] = each[:, None]
    return mean + priors.pictures(basis, prior.mean[None]), variance


def best_part(
    pictures: np.ndarray, ours: np.ndarray, theirs: np.ndarray
) -> float:
    """Chooses the part of our reconstructions in a mean with theirs.

    By pixel correlation plus two-way identification, among those that are
    below theirs in neither.

    Args:
      pictures, ours, theirs: [n, pixels] that nobody has learned from.
    """
    parts = np.linspace(0, 1, 5)
    scores = [_scores(a * ours + (1 - a) * theirs, pictures) for a in parts]
    return float(parts[_best(np.array(scores), scores[0])])


def _best(scores, least, sure=0.0):
    """Place of the largest sum of scores [..., n, 2] of which none is below.

    What one score gains is not to be paid for with the other; and of many
    candidates, the best of a few pictures is so by chance: only above `least`
    [n, 2] by `sure` standard errors of the difference over pictures it counts
    as not below.
    """
    gain = scores - least
    error = gain.std(axis=-2, ddof=1) / np.sqrt(len(least))
    below = (gain.mean(axis=-2) < sure * error - ROUNDING).any(axis=-1)
    total = np.where(below, -np.inf, scores.mean(axis=-2).sum(axis=-1))
    return np.unravel_index(np.argmax(total), total.shape)


def _scores(found, truth):
    """Pixel correlation and two-way identification of each picture, [n, 2]."""
    step = -(-len(truth) // COMPARED)
    r = correlation.all_pairs(truth[::step], found[::step], constant=0.0)
    own = np.diagonal(r)
    others = (own > r).sum(axis=0) + 0.5 * ((own == r).sum(axis=0) - 1)
    return np.stack([own, others / (len(r) - 1)], axis=-1)


def _crps(mean, deviation, truth):
    """Of a Gaussian, Gneiting & Raftery 2007, equation 21."""
    z = (truth - mean) / deviation
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    tails = 2 * special.ndtr(z) - 1
    return deviation * (z * tails + 2 * density - 1 / np.sqrt(np.pi))

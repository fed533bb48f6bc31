"""What training stimuli that were held out choose of a posterior."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from brainjax.linear import correlation
from brainjax.linear.bayes import encoder as encoders
from brainjax.linear.bayes import likelihood
from brainjax.linear.bayes import noise as noises
from brainjax.linear.bayes import posterior as posteriors
from brainjax.linear.bayes import prior as priors
from brainjax.linear.ridge import tuned

RIDGE_PARTS = (0.0, 0.25, 0.5, 0.75, 1.0)
FOLDS = 5
COMPARED = 300  # Pictures that identification looks at.
PIXELS = 800  # That the choice looks at.
ROUNDING = 1e-6  # Of scores.
LEAST = 0.01  # Of a pixel's standard deviation; a byte's rounding is .001.


class Choice(NamedTuple):
    """What held-out training stimuli chose.

    Attributes:
      weight: of the training pictures in the prior.
      widening: of the noise.
      crps: of that posterior, in 0..1, the mean over held-out pictures.
      mean_weight, mean_widening: the same of the reconstruction, which is
        chosen by pixel correlation plus two-way identification among those
        that are below ridge in neither.
      mean_ridge: part of ridge in it.
    """

    weight: float
    widening: float
    crps: float
    mean_weight: float
    mean_widening: float
    mean_ridge: float


def choose(
    basis: priors.Basis,
    data: tuple,
    fitted: tuple[encoders.Encoder, noises.Noise],
    ridge: tuple[float, np.ndarray],
    grid: tuple[Sequence[float], Sequence[float]],
    seed: int,
) -> Choice:
    """Chooses by how held-out training pictures are predicted.

    Args:
      basis: of the pictures.
      data: moments of the unpaired pictures or None, coordinates of the
        training stimuli, their trials and what each showed.
      fitted: to all training trials.
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
    mean = np.zeros((len(weights), len(widenings), *cut.shape), np.float32)
    variance = np.zeros_like(mean)
    other = np.zeros_like(cut)
    for held_out in tuned.folds(len(pictures), FOLDS, seed):
        rows, shown, test = tuned.hold_out(fmri, stimulus, held_out)
        kept, shown = np.unique(shown, return_inverse=True)
        encoder, noise = likelihood.fit(free, seen[kept], rows, shown, fitted)
        repeats = np.bincount(stimulus)[held_out]
        other[held_out] = tuned.held_out_pictures(
            fmri, stimulus, cut, held_out, [alpha]
        )[0]
        known = {
            count: posteriors.precision(encoder, noise, count, encoder.doubt)
            for count in np.unique(repeats)
        }
        for i, weight in enumerate(weights):
            prior = priors.mixed(free, seen[kept], weight)
            readout = priors.readout(basis, prior)
            origin = priors.pictures(basis, prior.mean[None])
            model = posteriors.model(prior, encoder, noise)
            for j, widening in enumerate(widenings):
                model = model._replace(widening=widening)
                for count, precision in known.items():
                    rows = repeats == count
                    z, told = posteriors.estimate(model, precision, test[rows])
                    one = posteriors.Posterior(
                        z, np.zeros(len(z), int), [told], model.seen
                    )
                    place = (i, j, held_out[rows])
                    mean[place] = z @ readout.T + origin
                    variance[place] = posteriors.variance(one, readout)
    deviation = np.sqrt(variance + lacking + LEAST**2 * cut.var())
    crps = _crps(mean, deviation, cut).mean(axis=(2, 3))
    i, j = np.unravel_index(np.argmin(crps), crps.shape)
    scores = np.array(
        [
            [
                [_scores((1 - a) * one + a * other, cut) for a in RIDGE_PARTS]
                for one in row
            ]
            for row in mean
        ]
    )
    m, n, a = _best(scores, _scores(other, cut))
    return Choice(
        weights[i],
        widenings[j],
        float(crps[i, j]),
        weights[m],
        widenings[n],
        RIDGE_PARTS[a],
    )


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


def _best(scores, least):
    """Place of the largest sum of scores [..., 2] of which none is below."""
    # What one score gains is not to be paid for with the other.
    below = (scores < least - ROUNDING).any(axis=-1)
    total = np.where(below, -np.inf, scores.sum(axis=-1))
    return np.unravel_index(np.argmax(total), total.shape)


def _scores(found, truth):
    """Pixel correlation and two-way identification, means over pictures."""
    step = -(-len(truth) // COMPARED)
    r = correlation.all_pairs(truth[::step], found[::step], constant=0.0)
    own = np.diagonal(r)
    others = ((own > r).sum() + 0.5 * ((own == r).sum() - len(r))) / (
        len(r) * (len(r) - 1)
    )
    return np.array([own.mean(), others])


def _crps(mean, deviation, truth):
    """Of a Gaussian, Gneiting & Raftery 2007, equation 21."""
    z = (truth - mean) / deviation
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    tails = 2 * special.ndtr(z) - 1
    return deviation * (z * tails + 2 * density - 1 / np.sqrt(np.pi))

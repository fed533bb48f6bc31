"""The linear-Gaussian posterior with everything in it chosen by itself.

Pictures without fMRI and pictures with it make the prior. How much the second
count, how far the noise is to be widened, and whether ridge has a part in the
mean, is chosen by predicting training stimuli that were held out.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from brainjax.errors import InputError
from brainjax.linear import correlation
from brainjax.linear.bayes import encoder as encoders
from brainjax.linear.bayes import noise as noises
from brainjax.linear.bayes import posterior as posteriors
from brainjax.linear.bayes import prior as priors
from brainjax.linear.ridge import tuned

# What the training pictures together count beside all unpaired ones.
WEIGHTS = (0.0, 0.5, 2.0, 8.0)
WIDENINGS = (0.25, 0.5, 1.0, 2.0, 4.0)
RIDGE_PARTS = (0.0, 0.25, 0.5, 0.75, 1.0)
FOLDS = 5
COMPARED = 300  # Pictures that identification looks at.
PIXELS = 800  # That the choice looks at.
LEAST_OWN = 0.3  # Part of residuals that is noise whatever the weights.
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


class Reference(NamedTuple):
    """The posterior over pictures, ready for responses.

    Attributes:
      basis: of the pictures.
      outside: [pixels] variance of new pictures outside of the basis.
      model: prior, encoder and noise of the posterior.
      point: those of the reconstruction.
      ridge: tuned on the same trials.
      choice: what was chosen.
    """

    basis: priors.Basis
    outside: np.ndarray
    model: posteriors.Model
    point: posteriors.Model
    ridge: tuned.Tuned
    choice: Choice


def fit(
    pictures: np.ndarray,
    fmri: np.ndarray,
    stimulus: np.ndarray,
    unpaired: np.ndarray,
    *,
    weights: Sequence[float] = WEIGHTS,
    widenings: Sequence[float] = WIDENINGS,
    seed: int = 0,
) -> Reference:
    """Fits prior, encoder and noise, and chooses between priors.

    Args:
      pictures: [stimuli, pixels] float32 in 0..1, at least three.
      fmri: [trials, voxels], z-scored over these trials.
      stimulus: [trials] int, rows of `pictures`; each row has a trial.
      unpaired: [n, pixels] float32 in 0..1; with none, the training
        pictures alone are the prior, which then knows nothing outside their
        span.
      weights, widenings: to choose from.
      seed: of the division of the stimuli into folds.
    """
    if len(pictures) < 3:
        raise InputError(
            f'there are {len(pictures)} training pictures; a posterior needs '
            'three.'
        )
    fmri = np.asarray(fmri, np.float64)
    at_hand = np.concatenate([unpaired, pictures])
    basis = priors.basis(at_hand)
    free = _free(basis, unpaired)
    seen = priors.coordinates(basis, pictures)
    encoder, noise = encoder_and_noise(free, seen, fmri, stimulus)
    ridge = tuned.fit(fmri, stimulus, pictures, seed=seed)
    choice = _choose(
        basis,
        (free, seen, fmri, stimulus),
        (encoder, noise),
        (ridge.alpha, pictures),
        (weights if free else (0.0,), widenings),
        seed,
    )
    model, point = (
        posteriors.model(_prior(free, seen, weight), encoder, noise, widening)
        for weight, widening in (
            (choice.weight, choice.widening),
            (choice.mean_weight, choice.mean_widening),
        )
    )
    outside = priors.outside(at_hand, seed)
    return Reference(basis, outside, model, point, ridge, choice)


def condition(
    fitted: Reference, fmri: np.ndarray, repeats: np.ndarray
) -> posteriors.Posterior:
    """Returns the posterior of each response, see `posterior.condition`."""
    return posteriors.condition(fitted.model, fmri, repeats)


def mean(fitted: Reference, posterior: posteriors.Posterior) -> np.ndarray:
    """Returns the posterior's mean pictures [n, pixels], without ridge."""
    found = priors.from_latents(fitted.model.prior, posterior.mean)
    return priors.pictures(fitted.basis, found)


def reconstruct(
    fitted: Reference, fmri: np.ndarray, repeats: np.ndarray
) -> np.ndarray:
    """Returns the pictures [n, pixels] float32 of responses, not clipped.

    They are means of a posterior that is chosen for it, perhaps with a part of
    ridge: noise that makes intervals right draws means toward the prior and
    toward each other.

    Args:
      fitted: of `fit`.
      fmri: [n, voxels], normalised as the training trials.
      repeats: [n] trials that each averages.
    """
    part = fitted.choice.mean_ridge
    point = fitted._replace(model=fitted.point)
    found = mean(point, condition(point, fmri, repeats))
    if part:
        found = (1 - part) * found + part * tuned.predict(fitted.ridge, fmri)
    return found


def deviation(fitted: Reference, posterior: posteriors.Posterior) -> np.ndarray:
    """Returns the standard deviations [n, pixels] of the pictures."""
    readout = _readout(fitted.basis, fitted.model.prior)
    variance = posteriors.variance(posterior, readout) + fitted.outside
    return np.float32(np.sqrt(variance))


def sample(
    fitted: Reference,
    posterior: posteriors.Posterior,
    draws: int,
    seed: int = 0,
) -> np.ndarray:
    """Draws pictures [n, draws, pixels] float32, not clipped.

    What the basis lacks is drawn as white noise of its variance.
    """
    z = posteriors.sample(posterior, draws, seed)
    found = priors.from_latents(fitted.model.prior, z)
    found = priors.pictures(fitted.basis, found)
    rng = np.random.default_rng([seed, 1])
    white = rng.standard_normal(found.shape, np.float32)
    return found + white * np.float32(np.sqrt(fitted.outside))


def held_out(
    fitted: Reference,
    pictures: np.ndarray,
    fmri: np.ndarray,
    stimulus: np.ndarray,
    unpaired: np.ndarray,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """What `mean` and `reconstruct` make of training stimuli left out of it.

    Of a stimulus that prior and encoder have seen the mean is nearer to the
    truth than of any other. Power, lambda, share and the choice stay.

    Args:
      fitted: of `fit`, which had the same arguments as this.
      pictures, fmri, stimulus, unpaired, seed: of `fit`.

    Returns:
      [stimuli, pixels] float32 each, of the average of each one's trials.
    """
    fmri = np.asarray(fmri, np.float64)
    free = _free(fitted.basis, unpaired)
    seen = priors.coordinates(fitted.basis, pictures)
    like, choice = (fitted.model.encoder, fitted.model.noise), fitted.choice
    counts = np.bincount(stimulus)
    means, points = (np.empty(pictures.shape, np.float32) for _ in range(2))
    for some in tuned.folds(len(pictures), seed=seed):
        rows, shown, test = tuned.hold_out(fmri, stimulus, some)
        kept, shown = np.unique(shown, return_inverse=True)
        encoder, noise = encoder_and_noise(free, seen[kept], rows, shown, like)
        for out, weight, widening in (
            (means, choice.weight, choice.widening),
            (points, choice.mean_weight, choice.mean_widening),
        ):
            prior = _prior(free, seen[kept], weight)
            model = posteriors.model(prior, encoder, noise, widening)
            out[some] = _estimates(fitted.basis, model, test, counts[some])
        if part := choice.mean_ridge:
            (ridge,) = tuned.held_out_pictures(
                fmri, stimulus, pictures, some, [fitted.ridge.alpha]
            )
            points[some] = (1 - part) * points[some] + part * ridge
    return means, points


def _free(basis: priors.Basis, unpaired: np.ndarray) -> priors.Moments | None:
    if not len(unpaired):
        return None
    return priors.moments(priors.coordinates(basis, unpaired))


def latents(fitted: Reference, pictures: np.ndarray) -> np.ndarray:
    """Returns the latents [n, q] of pictures [n, pixels]."""
    return priors.latents(
        fitted.model.prior, priors.coordinates(fitted.basis, pictures)
    )


def encoder_and_noise(
    free: priors.Moments | None,
    seen: np.ndarray,
    fmri: np.ndarray,
    stimulus: np.ndarray,
    like: tuple[encoders.Encoder, noises.Noise] | None = None,
) -> tuple[encoders.Encoder, noises.Noise]:
    """Fits an encoder, and the noise that its own uncertainty leaves over.

    Args:
      free: moments of the unpaired pictures, or None.
      seen: [stimuli, Q] coordinates of the training stimuli, or of features of
        theirs in which responses are linear.
      fmri, stimulus: see `encoder.fit`.
      like: gives power, lambda, share and the lasting part of the noise
        instead of a choice.
    """
    known = priors.moments(seen)
    # The features' axes are those of all pictures, one as good as another.
    weight = len(seen) / free.number if free else 1.0
    every = priors.prior(priors.mixture(free or known, known, weight))
    options, shares = {}, noises.SHARES
    if like is not None:
        encoder, noise = like
        options = {'powers': [encoder.power], 'lambdas': [encoder.noise]}
        shares = [noise.share]
    encoder = encoders.fit(seen, every, fmri, stimulus, **options)
    # Residuals for held-out stimuli hold what the weights left open, too,
    # which the posterior adds by itself.
    square = (encoder.residuals**2).mean(axis=0)
    own = 1 - encoder.doubt * encoder.variance / square
    residuals = encoder.residuals * np.sqrt(own.clip(LEAST_OWN))
    noise = noises.fit(residuals, stimulus, shares)
    if like is not None:
        return encoder, noise._replace(lasting=like[1].lasting)
    part = noises.lasting(residuals, stimulus, encoder.noise)
    return encoder, noise._replace(lasting=part)


def _readout(basis, prior):
    """[pixels, q] by which latents become pictures."""
    return basis.axes.T @ np.float32(prior.axes.T * prior.std)


def _choose(basis, data, fitted, ridge, grid, seed):
    """Chooses by how held-out training pictures are predicted."""
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
        encoder, noise = encoder_and_noise(
            free, seen[kept], rows, shown, fitted
        )
        repeats = np.bincount(stimulus)[held_out]
        other[held_out] = tuned.held_out_pictures(
            fmri, stimulus, cut, held_out, [alpha]
        )[0]
        known = {
            count: posteriors.precision(encoder, noise, count, encoder.doubt)
            for count in np.unique(repeats)
        }
        for i, weight in enumerate(weights):
            prior = _prior(free, seen[kept], weight)
            readout = _readout(basis, prior)
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


def _estimates(basis, model, fmri, repeats):
    """Posterior means as pictures [n, pixels], all at the encoder's doubt."""
    found = np.empty((len(fmri), basis.axes.shape[1]), np.float32)
    encoder = model.encoder
    for count in np.unique(repeats):
        known = posteriors.precision(encoder, model.noise, count, encoder.doubt)
        rows = repeats == count
        z, _ = posteriors.estimate(model, known, fmri[rows])
        latents = priors.from_latents(model.prior, z)
        found[rows] = priors.pictures(basis, latents)
    return found


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


def _prior(free, seen, weight):
    known = priors.moments(seen)
    return priors.prior(priors.mixture(free or known, known, weight))


def _crps(mean, deviation, truth):
    """Of a Gaussian, Gneiting & Raftery 2007, equation 21."""
    z = (truth - mean) / deviation
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    tails = 2 * special.ndtr(z) - 1
    return deviation * (z * tails + 2 * density - 1 / np.sqrt(np.pi))

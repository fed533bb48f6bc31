"""The linear-Gaussian posterior with everything in it chosen by itself.

Pictures without fMRI and pictures with it make the prior. How much the second
count, how far the noise is to be widened, and whether ridge has a part in the
mean, is chosen by predicting training stimuli that were held out.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError
from brainjax.linear import threads
from brainjax.linear.bayes import choice as choices
from brainjax.linear.bayes import likelihood, receptive_fields
from brainjax.linear.bayes import nonlinear as nonlinears
from brainjax.linear.bayes import posterior as posteriors
from brainjax.linear.bayes import prior as priors
from brainjax.linear.ridge import tuned

# What the training pictures together count beside all unpaired ones.
WEIGHTS = (0.0, 0.5, 2.0, 8.0)
MANY = 50  # Stimuli, of which evidence tells whether weights are local.
# With the last, responses say nothing at all, as may be the truth.
WIDENINGS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 1e6)


class Reference(NamedTuple):
    """The posterior over pictures, ready for responses.

    Attributes:
      basis: of the pictures.
      windows: that weights may be local to.
      outside: [pixels] variance of new pictures outside of the basis.
      model: prior, encoder and noise of the posterior.
      point: those of the reconstruction.
      ridge: tuned on the same trials.
      choice: what was chosen.
    """

    basis: priors.Basis
    windows: receptive_fields.Windows
    outside: np.ndarray
    model: posteriors.Model
    point: posteriors.Model
    ridge: tuned.Tuned
    choice: choices.Choice


def fit(
    pictures: np.ndarray,
    fmri: np.ndarray,
    stimulus: np.ndarray,
    unpaired: np.ndarray,
    *,
    shape: tuple[int, int, int] | None = None,
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
      shape: (height, width, channels) of a row of pixels, for weights that
        are local.
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
    windows, kinds = receptive_fields.NOWHERE, {}
    # One of the windows is the whole picture; of few stimuli alone evidence
    # can take another for right by chance.
    if shape is None or len(pictures) < MANY:
        kinds[0] = windows
    if shape is not None:
        kinds[1] = windows = receptive_fields.windows(basis, shape)
    fits = {
        local: (each, *likelihood.fit(free, seen, fmri, stimulus, windows=each))
        for local, each in kinds.items()
    }
    ridge = tuned.fit(fmri, stimulus, pictures, seed=seed)
    choice = choices.choose(
        basis,
        (free, seen, fmri, stimulus),
        fits,
        (ridge.alpha, pictures),
        (weights if free else (0.0,), widenings),
        seed,
    )
    model = posteriors.model(
        priors.mixed(free, seen, choice.weight),
        *fits[choice.local][1:],
        choice.widening,
    )
    point = posteriors.model(
        priors.mixed(free, seen, choice.mean_weight),
        *fits[choice.mean_local][1:],
        choice.mean_widening,
    )
    outside = priors.outside(at_hand, seed)
    return Reference(basis, windows, outside, model, point, ridge, choice)


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


def voxel_weights(fitted: Reference, repeats: float) -> np.ndarray:
    """Returns how much each voxel moves the pictures, [voxels].

    Root mean square over pixels of what one standard deviation of the voxel
    adds to the mean of the posterior that reconstructs, without ridge.

    Args:
      fitted: of `fit`.
      repeats: trials that a response averages.
    """
    model, prior = fitted.point, fitted.point.prior
    known = posteriors.precision(
        model.encoder, model.noise, repeats, model.encoder.doubt
    )
    z = posteriors.slopes(model, known)
    moved = (prior.axes.T * prior.std) @ z.T  # The basis is orthonormal.
    return np.linalg.norm(moved, axis=0) / np.sqrt(fitted.basis.axes.shape[1])


def deviation(fitted: Reference, posterior: posteriors.Posterior) -> np.ndarray:
    """Returns the standard deviations [n, pixels] of the pictures."""
    readout = priors.readout(fitted.basis, fitted.model.prior)
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
    counts = np.bincount(stimulus)
    means, points = (np.empty(pictures.shape, np.float32) for _ in range(2))
    choice = fitted.choice
    wanted = (
        (means, choice.local, choice.weight, choice.widening),
        (
            *(points, choice.mean_local),
            *(choice.mean_weight, choice.mean_widening),
        ),
    )
    likes = {choice.local: fitted.model, choice.mean_local: fitted.point}

    def fill(some: np.ndarray) -> None:
        rows, shown, test = tuned.hold_out(fmri, stimulus, some)
        kept, shown = np.unique(shown, return_inverse=True)
        fits = {
            local: likelihood.fit(
                *(free, seen[kept], rows, shown),
                (like.encoder, like.noise),
                fitted.windows if local else receptive_fields.NOWHERE,
            )
            for local, like in likes.items()
        }
        for out, local, weight, widening in wanted:
            prior = priors.mixed(free, seen[kept], weight)
            model = posteriors.model(prior, *fits[local], widening)
            out[some] = _estimates(fitted.basis, model, test, counts[some])
        if part := choice.mean_ridge:
            (ridge,) = tuned.held_out_pictures(
                fmri, stimulus, pictures, some, [fitted.ridge.alpha]
            )
            points[some] = (1 - part) * points[some] + part * ridge

    threads.spread(fill, tuned.folds(len(pictures), seed=seed))
    return means, points


def _free(basis: priors.Basis, unpaired: np.ndarray) -> priors.Moments | None:
    if not len(unpaired):
        return None
    return priors.moments(priors.coordinates(basis, unpaired))


def nonlinear(
    fitted: Reference,
    pictures: np.ndarray,
    fmri: np.ndarray,
    stimulus: np.ndarray,
    unpaired: np.ndarray,
) -> nonlinears.Nonlinear | None:
    """Fits an encoder that is not linear; None if it is no better.

    Args:
      fitted: of `fit`, which had the same arguments as this. Where its weights
        are not local, or stimuli few, there is None either.
    """
    model = fitted.model
    if not fitted.choice.local or len(pictures) < MANY:
        return None
    seen = priors.coordinates(fitted.basis, pictures)
    prior = likelihood.features(_free(fitted.basis, unpaired), seen)
    return nonlinears.fit(
        *(fitted.windows, seen, prior, np.asarray(fmri, np.float64), stimulus),
        (model.encoder, model.noise),
    )


def latents(fitted: Reference, pictures: np.ndarray) -> np.ndarray:
    """Returns the latents [n, q] of pictures [n, pixels]."""
    return priors.latents(
        fitted.model.prior, priors.coordinates(fitted.basis, pictures)
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

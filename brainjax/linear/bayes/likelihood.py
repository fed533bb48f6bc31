"""How likely responses are to a picture: an encoder and its noise."""

from collections.abc import Sequence

import numpy as np

from brainjax.linear.bayes import encoder as encoders
from brainjax.linear.bayes import noise as noises
from brainjax.linear.bayes import prior as priors
from brainjax.linear.bayes import receptive_fields

LEAST_OWN = 0.3  # Part of residuals that is noise whatever the weights.


def fit(
    free: priors.Moments | None,
    seen: np.ndarray,
    fmri: np.ndarray,
    stimulus: np.ndarray,
    like: tuple[encoders.Encoder, noises.Noise] | None = None,
    windows: receptive_fields.Windows = receptive_fields.NOWHERE,
) -> tuple[encoders.Encoder, noises.Noise]:
    """Fits an encoder, and the noise that its own uncertainty leaves over.

    Args:
      free: moments of the unpaired pictures, or None.
      seen: [stimuli, Q] coordinates of the training stimuli, or of features of
        theirs in which responses are linear.
      fmri, stimulus: see `encoder.fit`.
      like: gives power, lambda, share and the lasting part of the noise
        instead of a choice.
      windows: that weights may be local to, if these are pictures.
    """
    every = features(free, seen)
    shares = noises.SHARES if like is None else [like[1].share]
    if len(windows.windows):
        mixture = None if like is None else like[0].mixture
        encoder = receptive_fields.fit(
            windows, seen, every, fmri, stimulus, mixture
        )
    else:
        options = {}
        if like is not None:
            options = {'powers': [like[0].power], 'lambdas': [like[0].noise]}
        encoder = encoders.fit(seen, every, fmri, stimulus, **options)
    open_ = encoder.doubt * encoder.variance
    noise = left_over(
        encoder.residuals, open_, stimulus, shares, 1 / encoder.noise
    )
    if like is not None:
        noise = noise._replace(lasting=like[1].lasting)
    return encoder, noise


def features(free: priors.Moments | None, seen: np.ndarray) -> priors.Prior:
    """Returns whose axes the features are: all pictures', each as good.

    Args:
      free, seen: of `fit`.
    """
    known = priors.moments(seen)
    weight = len(seen) / free.number if free else 1.0
    return priors.prior(priors.mixture(free or known, known, weight))


def left_over(
    residuals: np.ndarray,
    open_: np.ndarray,
    stimulus: np.ndarray,
    shares: Sequence[float],
    assumed: float,
) -> noises.Noise:
    """Fits noise to what an encoder's own uncertainty leaves over.

    Residuals for held-out stimuli hold what the weights left open, too, which
    the posterior adds by itself.

    Args:
      residuals, stimulus, shares: see `noise.fit`.
      open_: [voxels] mean variance that the weights left open.
      assumed: see `noise.lasting`.
    """
    own = 1 - open_ / (residuals**2).mean(axis=0)
    residuals = residuals * np.sqrt(own.clip(LEAST_OWN))
    noise = noises.fit(residuals, stimulus, shares)
    return noise._replace(lasting=noises.lasting(residuals, stimulus, assumed))

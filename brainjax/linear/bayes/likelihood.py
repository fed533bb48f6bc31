"""How likely responses are to a picture: an encoder and its noise."""

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
    known = priors.moments(seen)
    # The features' axes are those of all pictures, one as good as another.
    weight = len(seen) / free.number if free else 1.0
    every = priors.prior(priors.mixture(free or known, known, weight))
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

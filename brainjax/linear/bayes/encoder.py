"""A linear encoder with the posterior of its weights.

The response of voxel v to a picture y, in the coordinates of a `Basis`, is

    r_v = w_v' a(y) + e_v,   a(y) = S z(y - y_bar),
    w_v ~ N(0, t_v I),   e_v ~ N(0, lambda t_v)

where z are latents that have variance 1 over all pictures at hand, S =
diag(l^(p / 2)) with l the variances of those latents' axes, and y_bar is the
mean of the training trials; S is scaled so that |a|^2 is 1 on average over
them. The power p and lambda maximise the marginal likelihood, summed over
voxels, with t_v profiled out.

Everything is told in the right singular vectors of the training design, where
the weights of a voxel are independent of each other: no matrix is inverted,
and n trials cost no more than their rank.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from brainjax.linear.bayes.prior import Prior

# Not below 1, the pictures' own spectrum: in many directions of equal variance
# a few training pictures are all equally far from each other, a rough function
# passes through every response, and evidence calls the noise signal.
POWERS = (1.0, 1.5, 2.0)
LAMBDAS = tuple(10.0 ** (k / 2) for k in range(-2, 9))


class Encoder(NamedTuple):
    """What is known of the weights of all voxels.

    Attributes:
      power, noise: p and lambda.
      features: [q, Q] such that a(y) = features @ (y - centre).
      centre: [Q] y_bar.
      variance: [voxels] t_v.
      directions: [k, q], orthonormal; b = directions @ a is what the training
        trials tell of.
      weights: [k, voxels] posterior mean of the weights of b.
      known: [k] from 0 to 1, part of the prior variance of the weights of b
        that the training trials took away.
      residuals: [trials, voxels] of each training trial, its stimulus left
        out.
      doubt: mean over the training trials of what `uncertainty` says of their
        stimuli when they are left out.
      evidence: log marginal likelihood of the training trials.
    """

    power: float
    noise: float
    features: np.ndarray
    centre: np.ndarray
    variance: np.ndarray
    directions: np.ndarray
    weights: np.ndarray
    known: np.ndarray
    residuals: np.ndarray
    doubt: float
    evidence: float


class _Design(NamedTuple):
    power: float
    features: np.ndarray
    centre: np.ndarray
    repeats: np.ndarray
    averages: np.ndarray
    left: np.ndarray
    singular: np.ndarray
    right: np.ndarray
    response: np.ndarray
    rest: np.ndarray


def fit(
    pictures: np.ndarray,
    prior: Prior,
    fmri: np.ndarray,
    stimulus: np.ndarray,
    powers: Sequence[float] = POWERS,
    lambdas: Sequence[float] = LAMBDAS,
) -> Encoder:
    """Finds p and lambda by evidence, and the posterior of the weights.

    Args:
      pictures: [stimuli, Q] coordinates of the training stimuli.
      prior: of all pictures at hand, whose axes the features are.
      fmri: [trials, voxels], z-scored over these trials.
      stimulus: [trials] int, rows of `pictures`; each row has a trial.
      powers, lambdas: to choose from.
    """
    designs = [
        _design(pictures, prior, fmri, stimulus, power) for power in powers
    ]
    evidence, noise, variance, design = max(
        (
            (*_evidence(design, len(fmri), noise), design)
            for design in designs
            for noise in lambdas
        ),
        key=lambda found: found[0],
    )
    singular, repeats = design.singular, design.repeats
    known = singular**2 / (singular**2 + noise)
    # Leaving a stimulus out, by what the hat matrix says of its average.
    # The mean, taken off the trials, has a part in it.
    leverage = design.left**2 @ known + repeats / len(fmri)
    root = np.sqrt(repeats)[:, None]
    fitted = design.left @ (known[:, None] * design.response)
    wrong = (root * design.averages - fitted) / (1 - leverage)[:, None] / root
    doubt = noise * leverage / (1 - leverage) / repeats
    return Encoder(
        power=design.power,
        noise=noise,
        features=design.features,
        centre=design.centre,
        variance=variance,
        directions=design.right,
        weights=(known / singular)[:, None] * design.response,
        known=known,
        residuals=fmri + (wrong - design.averages)[stimulus],
        doubt=float(doubt[stimulus].mean()),
        evidence=evidence,
    )


def _design(pictures, prior, fmri, stimulus, power):
    """The singular value decomposition of the features of one power."""
    repeats = np.bincount(stimulus, minlength=len(pictures)).astype(float)
    averages = np.zeros((len(pictures), fmri.shape[1]))
    np.add.at(averages, stimulus, fmri)
    averages /= repeats[:, None]
    centre = repeats @ pictures / len(fmri)
    scale = (prior.std / prior.std[0]) ** power / prior.std
    features = scale[:, None] * prior.axes
    rows = (pictures - centre) @ features.T
    size = np.sqrt(repeats @ (rows**2).sum(axis=1) / len(fmri))
    root = np.sqrt(repeats)[:, None]
    left, singular, right = np.linalg.svd(
        root * rows / size, full_matrices=False
    )
    keep = singular > 1e-6 * singular[0]  # Centred rows lack one direction.
    left, singular, right = left[:, keep], singular[keep], right[keep]
    response = left.T @ (root * averages)
    return _Design(
        power=power,
        features=features / size,
        centre=centre,
        repeats=repeats,
        averages=averages,
        left=left,
        singular=singular,
        right=right,
        response=response,
        rest=(fmri**2).sum(axis=0) - (response**2).sum(axis=0),
    )


def _evidence(design, trials, noise):
    """Log marginal likelihood of all voxels, lambda, and t [voxels]."""
    total = design.singular**2 + noise
    quadratic = (design.response**2 / total[:, None]).sum(axis=0)
    freedom = trials - 1  # The mean has been taken off.
    variance = (quadratic + design.rest / noise) / freedom
    logs = np.log(total).sum() + (freedom - len(total)) * np.log(noise)
    logs += freedom * (1 + np.log(2 * np.pi))
    evidence = -0.5 * (freedom * np.log(variance) + logs).sum()
    return float(evidence), noise, variance


def predict(encoder: Encoder, pictures: np.ndarray) -> np.ndarray:
    """Returns the expected responses [n, voxels] to pictures [n, Q]."""
    a = (pictures - encoder.centre) @ encoder.features.T
    return a @ encoder.directions.T @ encoder.weights


def uncertainty(encoder: Encoder, pictures: np.ndarray) -> np.ndarray:
    """Returns [n] what the weights leave open, in units of `variance`.

    The response of voxel v to a picture has the variance uncertainty * t_v
    beside its noise, which no averaging of repeats takes away.
    """
    a = (pictures - encoder.centre) @ encoder.features.T
    return (a**2).sum(axis=1) - (a @ encoder.directions.T) ** 2 @ encoder.known

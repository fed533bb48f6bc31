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
from typing import Any, NamedTuple

import numpy as np

from brainjax.linear.bayes.prior import Prior

# Not below 1, the pictures' own spectrum: in many directions of equal variance
# a few training pictures are all equally far from each other, a rough function
# passes through every response, and evidence calls the noise signal.
POWERS = (1.0, 1.5, 2.0)
LAMBDAS = tuple(10.0 ** (k / 2) for k in range(-2, 9))


class Mixture(NamedTuple):
    """How often a window and a lambda are right; see `receptive_fields`.

    Attributes:
      power: p.
      parts: [windows, lambdas], sums to 1.
      local: mean over voxels of what is not the window of the whole picture.
    """

    power: float
    parts: np.ndarray
    local: float


WHOLE = Mixture(0.0, np.zeros((0, 0)), 0.0)  # No windows.


class Encoder(NamedTuple):
    """What is known of the weights of all voxels.

    Attributes:
      power, noise: p and lambda.
      features: [q, Q] such that a(y) = features @ (y - centre).
      certain: [m, Q] such that |certain @ (y - centre)|^2 of |a|^2 is what the
        training trials took away from the uncertainty of a response.
      centre: [Q] y_bar.
      variance: [voxels] t_v.
      directions: [k, Q]; b = directions @ (y - centre) is all that responses
        depend on.
      weights: [k, voxels] posterior mean of the weights of b.
      residuals: [trials, voxels] of each training trial, its stimulus left
        out.
      doubt: mean over the training trials of what `uncertainty` says of their
        stimuli when they are left out.
      evidence: log marginal likelihood of the training trials.
      mixture: of windows, `WHOLE` where there are none.
    """

    power: float
    noise: float
    features: np.ndarray
    certain: np.ndarray
    centre: np.ndarray
    variance: np.ndarray
    directions: np.ndarray
    weights: np.ndarray
    residuals: np.ndarray
    doubt: float
    evidence: float
    mixture: Mixture = WHOLE


class Seen(NamedTuple):
    """Training stimuli and the averages of their trials.

    Attributes:
      pictures: [stimuli, Q].
      centre: [Q] mean of the trials' pictures.
      repeats: [stimuli] trials of each, as floats.
      root: [stimuli, 1] their square roots.
      averages: [stimuli, voxels].
      energy: [voxels] sum of the squares of all trials.
      trials: how many.
    """

    pictures: np.ndarray
    centre: np.ndarray
    repeats: np.ndarray
    root: np.ndarray
    averages: np.ndarray
    energy: np.ndarray
    trials: int

    @property
    def freedom(self) -> int:
        """Of the trials, whose mean has been taken off."""
        return self.trials - 1

    def over_trials(self, values: np.ndarray) -> np.ndarray:
        """Mean over trials of what is told of stimuli, [stimuli, ...]."""
        return self.repeats @ values / self.trials


class _Design(NamedTuple):
    power: float
    features: np.ndarray
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
    shown = seen(pictures, fmri, stimulus)
    designs = [_design(shown, prior, power) for power in powers]
    evidence, noise, variance, design = max(
        (
            (*_evidence(design, shown.freedom, noise), design)
            for design in designs
            for noise in lambdas
        ),
        key=lambda found: found[0],
    )
    singular, repeats = design.singular, shown.repeats
    known = singular**2 / (singular**2 + noise)
    # Leaving a stimulus out, by what the hat matrix says of its average.
    # The mean, taken off the trials, has a part in it.
    leverage = design.left**2 @ known + repeats / len(fmri)
    fitted = design.left @ (known[:, None] * design.response)
    wrong = shown.root * shown.averages - fitted
    wrong /= shown.root * (1 - leverage)[:, None]
    doubt = noise * leverage / (1 - leverage) / repeats
    directions = design.right @ design.features
    return Encoder(
        power=design.power,
        noise=noise,
        features=design.features,
        certain=np.sqrt(known)[:, None] * directions,
        centre=shown.centre,
        variance=variance,
        directions=directions,
        weights=(known / singular)[:, None] * design.response,
        residuals=fmri + (wrong - shown.averages)[stimulus],
        doubt=float(shown.over_trials(doubt)),
        evidence=evidence,
    )


def seen(pictures: np.ndarray, fmri: np.ndarray, stimulus: np.ndarray) -> Seen:
    """Averages the trials of each stimulus; arguments as of `fit`."""
    repeats = np.bincount(stimulus, minlength=len(pictures)).astype(float)
    averages = np.zeros((len(pictures), fmri.shape[1]))
    np.add.at(averages, stimulus, fmri)
    averages /= repeats[:, None]
    return Seen(
        pictures=pictures,
        centre=repeats @ pictures / len(fmri),
        repeats=repeats,
        root=np.sqrt(repeats)[:, None],
        averages=averages,
        energy=(fmri**2).sum(axis=0),
        trials=len(fmri),
    )


def features(prior: Prior, power: float) -> np.ndarray:
    """Returns S of latents of coordinates, [q, Q], but for its scale."""
    return ((prior.std / prior.std[0]) ** power / prior.std)[:, None] * (
        prior.axes
    )


def _design(shown, prior, power):
    """The singular value decomposition of the features of one power."""
    spread = features(prior, power)
    rows = (shown.pictures - shown.centre) @ spread.T
    size = np.sqrt(shown.over_trials((rows**2).sum(axis=1)))
    left, singular, right = np.linalg.svd(
        shown.root * rows / size, full_matrices=False
    )
    keep = singular > 1e-6 * singular[0]  # Centred rows lack one direction.
    left, singular, right = left[:, keep], singular[keep], right[keep]
    response = left.T @ (shown.root * shown.averages)
    return _Design(
        power=power,
        features=spread / size,
        left=left,
        singular=singular,
        right=right,
        response=response,
        rest=shown.energy - (response**2).sum(axis=0),
    )


def _evidence(design, freedom, noise):
    """Log marginal likelihood of all voxels, lambda, and t [voxels]."""
    total = design.singular**2 + noise
    quadratic = (design.response**2 / total[:, None]).sum(axis=0)
    variance = (quadratic + design.rest / noise) / freedom
    logs = np.log(total).sum() + (freedom - len(total)) * np.log(noise)
    logs += freedom * (1 + np.log(2 * np.pi))
    evidence = -0.5 * (freedom * np.log(variance) + logs).sum()
    return float(evidence), noise, variance


def predict(encoder: Encoder, pictures: np.ndarray) -> np.ndarray:
    """Returns the expected responses [n, voxels] to pictures [n, Q]."""
    return (pictures - encoder.centre) @ encoder.directions.T @ encoder.weights


def uncertainty(encoder: Encoder, pictures: np.ndarray) -> np.ndarray:
    """Returns [n] what the weights leave open, in units of `variance`.

    The response of voxel v to a picture has the variance uncertainty * t_v
    beside its noise, which no averaging of repeats takes away.
    """
    return left_open(
        encoder.features, encoder.certain, pictures - encoder.centre
    )


def left_open(features: Any, certain: Any, away: Any) -> Any:
    """`uncertainty` of pictures less the centre, of NumPy's or JAX's arrays.

    Args:
      features: [q, Q], certain: [m, Q]; of `Encoder`.
      away: [n, Q].
    """
    prior = ((away @ features.T) ** 2).sum(axis=-1)
    return prior - ((away @ certain.T) ** 2).sum(axis=-1)

"""The closed-form posterior as the flow takes it: conditions and noise.

All that a response r says of a picture is g = C r, in k dimensions (see
`linear.bayes.posterior`), and the posterior's mean is a linear function of g.
So a picture's response need never be simulated voxel by voxel: g has the mean
F b(x) and the covariance of noise and of what the encoder does not know.
Pictures are rows here, scaled as the network sees them: (x - centre) / scale.
"""

from typing import NamedTuple

import numpy as np

from brainjax.linear.bayes import nonlinear, posterior
from brainjax.linear.bayes import prior as priors
from brainjax.linear.bayes.noise import Noise, of_average
from brainjax.linear.bayes.nonlinear import Nonlinear
from brainjax.linear.bayes.reference import Reference

FLOOR = 1e-3  # Variance that every direction has, of 1 for a picture.
AT_ONCE = 500  # Pictures whose responses are told together.


class Level(NamedTuple):
    """N(mean, axes' diag(variance) axes + floor I) for one number of repeats.

    Rows are pictures, or latents of an autoencoder.

    Attributes:
      offset: [pixels]; mean = offset + gain @ g.
      gain: [pixels, k]; 0 of the prior, which no response changes.
      axes: [q, pixels], orthonormal.
      variance: [q].
      deviation: [pixels] standard deviations.
      information: [k, k] F.
      own: [k, k] root of the covariance of g that noise makes.
      open: [k, k] the same of the encoder's uncertainty, where that is 1.
      floor: [1] variance that every direction has.
    """

    offset: np.ndarray
    gain: np.ndarray
    axes: np.ndarray
    variance: np.ndarray
    deviation: np.ndarray
    information: np.ndarray
    own: np.ndarray
    open: np.ndarray
    floor: np.ndarray


class Eye(NamedTuple):
    """What the encoder sees of a picture.

    Attributes:
      axes: [Q, pixels]; y = axes @ x + offset is the picture as the encoder
        takes it, less its centre.
      offset: [Q].
      directions: [k, Q]; b = directions @ y.
      features: [q, Q], certain: [m, Q]; see `linear.bayes.encoder`.
    """

    axes: np.ndarray
    offset: np.ndarray
    directions: np.ndarray
    features: np.ndarray
    certain: np.ndarray


def eye(fitted: Reference, centre: float, scale: float) -> Eye:
    """Returns what the fitted encoder sees of pictures so scaled."""
    encoder, basis = fitted.model.encoder, fitted.basis
    # x = scale x' + centre; its coordinates are axes (x - origin).
    offset = basis.axes @ (centre - basis.origin) - encoder.centre
    return _float32(
        Eye(
            basis.axes * scale,
            offset,
            encoder.directions,
            encoder.features,
            encoder.certain,
        )
    )


class Nonlinearity(NamedTuple):
    """What a nonlinear encoder says of pictures, beside the linear one.

    Attributes:
      shift: [n, k] what it adds to the mean of g.
      doubt: [n] its uncertainty, in units of `Level.open`.
    """

    shift: np.ndarray
    doubt: np.ndarray


def nonlinearity(
    fitted: Reference,
    level: Level,
    encoder: Nonlinear,
    repeats: float,
    rows: np.ndarray,
) -> tuple[Level, Nonlinearity]:
    """Lets a nonlinear encoder simulate what responses to pictures say.

    What is made of a response, C and the posterior, stays the linear one's.

    Args:
      fitted: the closed form.
      level: of such an average.
      encoder: fitted to the same responses.
      repeats: trials that a response averages.
      rows: [n, pixels] pictures, uint8, or latents.

    Returns:
      The level with noise and uncertainty of that encoder, and what it says.
    """
    known, model = _known(fitted, repeats), fitted.model
    own, open_ = _spread(
        known.collect, of_average(encoder.noise, repeats), encoder.doubt
    )
    weight = (known.collect**2).sum(axis=0)
    shifts, doubts = [], []
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        if some.dtype == np.uint8:
            some = some / np.float32(255)
        seen = priors.coordinates(fitted.basis, some)
        mean, variance = nonlinear.predict(encoder, seen)
        linear = (seen - model.encoder.centre) @ model.encoder.directions.T
        shifts.append(mean @ known.collect.T - linear @ known.information)
        doubts.append(variance @ weight / (encoder.doubt @ weight))
    wide = model.widening
    level = level._replace(own=_root(wide * own), open=_root(wide * open_))
    return _float32(level), _float32(
        Nonlinearity(np.concatenate(shifts), np.concatenate(doubts))
    )


def _spread(collect, sigma: Noise, doubt):
    """Covariances [k, k] of g that noise and an encoder's doubt make."""
    shared = collect @ sigma.shared.T
    own = (collect * sigma.independent) @ collect.T + shared @ shared.T
    return own, (collect * doubt) @ collect.T


def collect(fitted: Reference, repeats: float) -> np.ndarray:
    """Returns C [k, voxels]; g = C r of averages of `repeats` trials."""
    return _known(fitted, repeats).collect


def lacking(fitted: Reference, scale: float) -> float:
    """Returns the `floor` of latents: what axes lack of them is nearly white.

    Of pictures it is little, and uneven, and the flow learns it.
    """
    return max(FLOOR, float(fitted.outside.mean()) / scale**2)


def level(
    fitted: Reference,
    repeats: float,
    centre: float,
    scale: float,
    floor: float = FLOOR,
) -> Level:
    """Returns the posterior of responses that average `repeats` trials."""
    model, known = fitted.model, _known(fitted, repeats)
    encoder, noise, wide = model.encoder, model.noise, model.widening
    information = known.information / wide
    inner = np.eye(len(information)) + information @ (model.seen @ model.seen.T)
    gain = model.seen.T @ np.linalg.inv(inner) / wide  # Of z by g.
    told = gain @ known.information
    covariance = np.eye(len(told)) - told @ model.seen
    own, open_ = _spread(
        known.collect, of_average(noise, repeats), encoder.variance
    )
    return _pictures(
        fitted,
        (centre, scale),
        -told @ model.offset,
        gain,
        covariance,
        (known.information, _root(wide * own), _root(wide * open_)),
        floor,
    )


def prior_level(
    fitted: Reference, centre: float, scale: float, floor: float = FLOOR
) -> Level:
    """Returns the prior in the same form; nothing is said by g."""
    k, q = fitted.model.seen.shape
    nothing = np.zeros((k, k))
    return _pictures(
        fitted,
        (centre, scale),
        np.zeros(q),
        np.zeros((q, k)),
        np.eye(q),
        (nothing, nothing, nothing),
        floor,
    )


def _known(fitted, repeats):
    encoder = fitted.model.encoder
    return posterior.precision(
        encoder, fitted.model.noise, repeats, encoder.doubt
    )


def _pictures(fitted, scaling, offset, gain, covariance, noise, floor):
    """Turns a Gaussian of z, mean offset + gain g, into one of pictures."""
    centre, scale = scaling
    prior, basis = fitted.model.prior, fitted.basis
    readout = prior.axes.T * prior.std  # [Q, q]
    values, vectors = np.linalg.eigh(readout @ covariance @ readout.T)
    keep = values > 1e-6 * values[-1]
    axes = vectors[:, keep].T @ basis.axes
    variance = values[keep] / scale**2
    mean = basis.axes.T @ (prior.mean + readout @ offset) + basis.origin
    return _float32(
        Level(
            (mean - centre) / scale,
            basis.axes.T @ (readout @ gain) / scale,
            axes,
            variance,
            np.sqrt((axes**2).T @ variance + floor),
            *noise,
            [floor],
        )
    )


def _root(covariance):
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    return vectors * np.sqrt(values.clip(0))


def _float32(values):
    return type(values)(*(np.float32(each) for each in values))

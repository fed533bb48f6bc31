"""What may have been seen: the posterior over pictures given responses.

A picture is y = mean + axes' diag(std) z with z ~ N(0, I), so that the encoder
sees a = a_0 + M z and b = b_0 + H z, and the responses are r = W' b + noise.
All they say of z is g = W Sigma^-1 r with F = W Sigma^-1 W', in the few
dimensions of b:

    z | r ~ N(m, I - H' T H),   T = (F^-1 + H H')^-1,
    m = H' (I + F H H')^-1 (g - F b_0).

Sigma of an average of c repeats is the noise of one trial over c, plus what
averaging does not reduce: the uncertainty of the encoder's weights, and what a
linear encoder cannot say (`noise.lasting`).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from brainjax.linear.bayes import prior as priors
from brainjax.linear.bayes.encoder import Encoder, uncertainty
from brainjax.linear.bayes.noise import (
    Noise,
    of_average,
    precision_product,
)
from brainjax.linear.bayes.prior import Prior

STEPS = 2  # From the prior's uncertainty to that at the estimate.
TINY = 1e-13  # Of the largest eigenvalue: rounding.
RATIO = 1.2  # Uncertainties closer than this share one factorisation.


class Model(NamedTuple):
    """Prior, encoder and noise, and how the latents reach the encoder.

    Attributes:
      prior, encoder, noise: fitted.
      features: [q_a, q] M.
      certain: [m, q], what `Encoder.certain` is in latents.
      seen: [k, q] H.
      offset: [k] b_0.
      widening: by which all of Sigma is multiplied.
    """

    prior: Prior
    encoder: Encoder
    noise: Noise
    features: np.ndarray
    certain: np.ndarray
    seen: np.ndarray
    offset: np.ndarray
    widening: float


class Precision(NamedTuple):
    """What responses with one Sigma say of b, whatever the prior.

    Attributes:
      collect: [k, voxels] W Sigma^-1; g = collect @ r.
      information: [k, k] F.
    """

    collect: np.ndarray
    information: np.ndarray


class Posterior(NamedTuple):
    """N(mean, I - H' T H) of the latents, for each response.

    Attributes:
      mean: [n, q].
      which: [n] int, which of `told` belongs to it.
      told: list of [k, k] T.
      seen: [k, q] H.
    """

    mean: np.ndarray
    which: np.ndarray
    told: list[np.ndarray]
    seen: np.ndarray


def model(
    prior: Prior, encoder: Encoder, noise: Noise, widening: float = 1.0
) -> Model:
    """Puts together a prior, an encoder and its noise.

    Args:
      prior, encoder, noise: fitted.
      widening: by which all of Sigma is multiplied; above 1 where responses
        tell less than the linear encoder makes of them.
    """
    readout = prior.axes.T * prior.std
    return Model(
        prior,
        encoder,
        noise,
        encoder.features @ readout,
        encoder.certain @ readout,
        encoder.directions @ readout,
        encoder.directions @ (prior.mean - encoder.centre),
        widening,
    )


def precision(
    encoder: Encoder, noise: Noise, repeats: float, doubt: float
) -> Precision:
    """Returns what responses that average `repeats` trials say of b.

    Args:
      encoder, noise: fitted.
      repeats: trials that were averaged, from 1.
      doubt: of `encoder.uncertainty`.
    """
    sigma = of_average(noise, repeats)
    sigma = sigma._replace(
        independent=sigma.independent + doubt * encoder.variance
    )
    collect = precision_product(sigma, encoder.weights)
    return Precision(collect, collect @ encoder.weights.T)


def estimate(
    model: Model, known: Precision, fmri: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the posterior means of z [n, q] and the T [k, k] they share.

    Args:
      model: of `model`.
      known: of `precision`.
      fmri: [n, voxels].
    """
    information = known.information / model.widening
    inner = np.eye(len(information)) + information @ (model.seen @ model.seen.T)
    g = fmri @ known.collect.T / model.widening - information @ model.offset
    solved = np.linalg.solve(inner, np.column_stack([g.T, information]))
    told = solved[:, len(fmri) :]
    return solved[:, : len(fmri)].T @ model.seen, (told + told.T) / 2


class Root(NamedTuple):
    """F = root @ root', and what undoes it in the range of F.

    Attributes:
      root: [k, m].
      inverse: [m, k].
    """

    root: np.ndarray
    inverse: np.ndarray


def root(known: Precision) -> Root:
    """Returns a root of what responses say of b, for `of_widenings`."""
    values, vectors = np.linalg.eigh(known.information)
    keep = values > TINY * values[-1]
    values, vectors = np.sqrt(values[keep]), vectors[:, keep]
    return Root(vectors * values, vectors.T / values[:, None])


def of_widenings(
    model: Model,
    known: Precision,
    root: Root,
    fmri: np.ndarray,
    widenings: Sequence[float],
    readout: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Means and variances of readout @ z for many widenings at once.

    One eigendecomposition serves all: with F = R R' and R' H H' R = U D U',
    T = R U (w + D)^-1 U' R' and m = H' R U (w + D)^-1 U' R^-1 (g - F b_0),
    F and g those of widening 1.

    Args:
      model: its own widening is not asked.
      known, root: of `precision`, `root`.
      fmri: [n, voxels].
      widenings: w.
      readout: [m, q].

    Returns:
      [widenings, n, m] and [widenings, m].
    """
    seen = root.root.T @ model.seen
    values, turn = np.linalg.eigh(seen @ seen.T)
    g = fmri @ known.collect.T - known.information @ model.offset
    g = g @ root.inverse.T @ turn
    told = np.float32(turn.T @ seen) @ readout.T
    rest = 1 / (np.array(widenings)[:, None] + values.clip(0))
    mean = np.float32(g * rest[:, None]) @ told
    prior = (readout**2).sum(axis=1)
    return mean, (prior - np.float32(rest) @ told**2).clip(0)


def slopes(model: Model, known: Precision) -> np.ndarray:
    """Returns what each voxel adds to the mean of z, [voxels, q].

    Args:
      model, known: as `estimate` takes them.
    """
    information = known.information / model.widening
    inner = np.eye(len(information)) + information @ (model.seen @ model.seen.T)
    collect = known.collect / model.widening
    return np.linalg.solve(inner, collect).T @ model.seen


def condition(model: Model, fmri: np.ndarray, repeats: np.ndarray) -> Posterior:
    """Returns the posterior of z for each response.

    Args:
      model: of `model`.
      fmri: [n, voxels], normalised as the training trials.
      repeats: [n] trials that each averages.
    """
    fmri = np.float64(fmri)
    mean = np.zeros((len(fmri), model.seen.shape[1]))
    doubt = uncertainty(model.encoder, model.prior.mean[None]) + _spread(model)
    doubt = np.repeat(doubt, len(fmri))
    for step in range(STEPS):
        level = np.round(np.log(doubt.clip(1e-6)) / np.log(RATIO))
        groups, which = np.unique([repeats, level], axis=1, return_inverse=True)
        told = []
        for i, (count, power) in enumerate(groups.T):
            rows = which == i
            known = precision(model.encoder, model.noise, count, RATIO**power)
            mean[rows], shared = estimate(model, known, fmri[rows])
            told.append(shared)
            if step < STEPS - 1:
                at = priors.from_latents(model.prior, mean[rows])
                doubt[rows] = uncertainty(model.encoder, at)
                doubt[rows] += _spread(model, shared)
    return Posterior(mean, which, told, model.seen)


def _spread(model: Model, told: np.ndarray | None = None) -> float:
    """What the covariance of z adds to the uncertainty; no T is the prior."""
    total = (model.features**2).sum() - (model.certain**2).sum()
    if told is None:
        return float(total)
    across, taken = (
        each @ model.seen.T for each in (model.features, model.certain)
    )
    lost = ((across @ told) * across).sum() - ((taken @ told) * taken).sum()
    return float(total - lost)


def variance(posterior: Posterior, readout: np.ndarray) -> np.ndarray:
    """Returns the variances [n, m] of readout @ z, readout [m, q]."""
    told = posterior.seen @ readout.T
    prior = (readout**2).sum(axis=1)
    each = [prior - ((t @ told) * told).sum(axis=0) for t in posterior.told]
    return np.stack(each)[posterior.which].clip(0)


def sample(posterior: Posterior, draws: int, seed: int = 0) -> np.ndarray:
    """Draws z [n, draws, q]."""
    rng = np.random.default_rng(seed)
    n, q = posterior.mean.shape
    roots = [_root(posterior.seen, told) for told in posterior.told]
    out = np.empty((n, draws, q))
    for i in range(n):
        white = rng.standard_normal((draws, q))
        basis, root = roots[posterior.which[i]]
        out[i] = posterior.mean[i] + white
        out[i] += (white @ basis * (root - 1)) @ basis.T
    return out


def log_density(posterior: Posterior, z: np.ndarray) -> np.ndarray:
    """Returns log p(z_j | r_i) [n, m] for candidates z [m, q]."""
    n, q = posterior.mean.shape
    out = np.empty((n, len(z)))
    for which, told in enumerate(posterior.told):
        basis, root = _root(posterior.seen, told)
        for i in np.flatnonzero(posterior.which == which):
            off = z - posterior.mean[i]
            square = (off**2).sum(axis=1) + (off @ basis) ** 2 @ (
                1 / root**2 - 1
            )
            out[i] = -0.5 * (square + q * np.log(2 * np.pi))
        out[posterior.which == which] -= np.log(root).sum()
    return out


def log_prior(z: np.ndarray) -> np.ndarray:
    """Returns log p(z_j) [m] of latents z [m, q]."""
    return -0.5 * ((z**2).sum(axis=1) + z.shape[1] * np.log(2 * np.pi))


def _root(seen, told):
    """Basis B [q, k] and root [k] of the covariance I + B (root^2 - 1) B'."""
    values, vectors = np.linalg.eigh(told)
    basis, lower = np.linalg.qr(seen.T @ (vectors * np.sqrt(values.clip(0))))
    values, turn = np.linalg.eigh(lower @ lower.T)
    return basis @ turn, np.sqrt((1 - values).clip(1e-12))

"""The encoder's read-out with the posterior of its weights.

What the trained encoder's convolutions make of a picture are fixed features,
in which the response is linear; beside them stand the pixels, for where few
stimuli have taught the convolutions little. In the principal axes of these phi
over all pictures at hand the last layer is fitted anew, with the algebra of
`linear.bayes.encoder`: evidence chooses its regularisation, the posterior of
its weights says how sure it is of each picture, and residuals of stimuli left
out give the noise. The response of voxel v to a picture is then

    r_v ~ N(mean_v(x), doubt(x) t_v) + noise,   noise ~ N(0, Sigma).

Weights drawn from their posterior once a picture have the same pairs (r, x) in
distribution as weights drawn once for all, and teach a decoder the same.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from brainjax.linear.arrays import evenly
from brainjax.linear.bayes import likelihood
from brainjax.linear.bayes import prior as priors
from brainjax.linear.bayes.encoder import left_open
from brainjax.methods import references
from brainjax.methods.selfsup.networks import (
    convolved,
    predict_convolved,
)
from brainjax.recordings import Trials
from brainjax.training import hosts

MOST_AXES = 200
MOST_PICTURES = 1000  # Unpaired, whose features the axes are made of.


class Readout(NamedTuple):
    """A linear read-out of phi [F], ready for a step; float32.

    With y = project @ phi - shift,

        mean = weights' directions y + offset,
        doubt = |features y|^2 - |certain y|^2.

    Attributes:
      project: [Q, F].
      shift: [Q].
      directions: [k, Q].
      weights: [k, voxels].
      features: [q, Q].
      certain: [m, Q], what the training trials took away from the doubt.
      offset: [voxels] mean response.
      variance: [voxels] t_v.
      independent: [voxels] variance of the noise that each has for itself.
      shared: [m, voxels]; Sigma = diag(independent) + shared' shared.
      misfit: part of Sigma, from 0 to 1, in which the repeats of a stimulus
        agree: what no such read-out explains and no averaging takes away.
    """

    project: Any
    shift: Any
    directions: Any
    weights: Any
    features: Any
    certain: Any
    offset: Any
    variance: Any
    independent: Any
    shared: Any
    misfit: Any


def fit(
    config: ConfigDict,
    encoder,
    frozen: dict[str, Any],
    trials: Trials,
    images: np.ndarray,
    pictures: np.ndarray,
) -> tuple[Readout, str]:
    """Fits the read-out to paired trials.

    Args:
      config: of the experiment.
      encoder: the module.
      frozen: of `networks.freeze`.
      trials: single ones; each voxel's variance over them is about 1.
      images: of all stimuli, [n, size, size, 3] uint8.
      pictures: unpaired, likewise.

    Returns:
      The read-out, and a sentence for the report.
    """
    trials, _ = references.evenly_chosen(trials)
    shown, stimulus = np.unique(trials.stimulus, return_inverse=True)
    pictures = pictures[evenly(len(pictures), MOST_PICTURES)]
    seen, free = (
        predict_convolved(config, encoder, frozen, each)
        for each in (images[shown], pictures)
    )
    scale = _scale(free, images[0].size)
    seen, free = seen * scale, free * scale
    basis = priors.basis(np.concatenate([free, seen]), MOST_AXES)
    fmri = np.float64(trials.fmri)
    offset = fmri.mean(axis=0)
    found, noise = likelihood.fit(
        priors.moments(priors.coordinates(basis, free)),
        priors.coordinates(basis, seen),
        fmri - offset,
        stimulus,
    )
    readout = Readout(
        project=basis.axes * scale,
        shift=basis.axes @ basis.origin + found.centre,
        directions=found.directions,
        weights=found.weights,
        features=found.features,
        certain=found.certain,
        offset=offset,
        variance=found.variance,
        independent=noise.independent,
        shared=noise.shared,
        misfit=_misfit(fmri, stimulus, noise),
    )
    note = (
        'ED learned from draws of the encoder: a read-out of '
        f'{len(basis.axes)} principal features with p = {found.power:g} and '
        f'lambda = {found.noise:.3g} by evidence, {100 * noise.share:.0f} % of '
        'the noise independent between voxels, and '
        f'{100 * readout.misfit:.0f} % of it alike in repeats.'
    )
    return hosts.broadcast(Readout(*map(np.float32, readout))), note


def _misfit(fmri, stimulus, noise):
    """Part of the noise in which repeats agree; 0 where there are none."""
    repeats = np.bincount(stimulus)
    freedom = len(stimulus) - len(repeats)
    if freedom == 0:
        return 0.0
    sums = np.zeros((len(repeats), fmri.shape[1]))
    np.add.at(sums, stimulus, fmri)
    apart = fmri - (sums / repeats[:, None])[stimulus]
    own = (apart**2).sum() / freedom
    total = noise.independent.sum() + (noise.shared**2).sum()
    return float(np.clip(1 - own / total, 0, 1))


def _scale(features, pixels):
    """[F] by which both kinds of features come to the same total variance."""
    variance = features.var(axis=0)
    first, second = variance[:-pixels], variance[-pixels:]
    parts = [np.full(len(v), 1 / np.sqrt(v.sum())) for v in (first, second)]
    return np.float32(np.concatenate(parts))


def expected(
    readout: Readout, features: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Returns means [n, voxels] and doubts [n] of features [n, F]."""
    y = features @ readout.project.T - readout.shift
    mean = y @ readout.directions.T @ readout.weights + readout.offset
    doubt = left_open(readout.features, readout.certain, y)
    # Rounding takes it below 0 where nothing is left open.
    return mean, jnp.maximum(doubt, 0)


def predict(
    config: ConfigDict, encoder, frozen: dict[str, Any], images: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """`expected` of pictures in 0..1; `frozen` has the 'readout'."""
    features = convolved(config, encoder, frozen, images)
    return expected(frozen['readout'], features)


def draw(
    keys: jax.Array,
    readout: Readout,
    mean: jax.Array,
    doubt: jax.Array,
    noise: float = 1.0,
) -> jax.Array:
    """Draws responses [n, voxels], each with weights and noise of its own.

    Args:
      keys: [n] typed keys.
      readout: of `fit`.
      mean, doubt: of `expected`.
      noise: factor of the noise of one trial; 1 / sqrt(c) for that of an
        average of c. The misfit stays.
    """
    variance = noise**2 * (1 - readout.misfit) + readout.misfit

    def one(key, mean, doubt):
        first, second = jax.random.split(key)
        alone = variance * readout.independent + doubt * readout.variance
        own = jax.random.normal(first, mean.shape) * jnp.sqrt(alone)
        z = jax.random.normal(second, (len(readout.shared),))
        return mean + own + jnp.sqrt(variance) * (z @ readout.shared)

    return jax.vmap(one)(keys, mean, doubt)

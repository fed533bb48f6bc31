"""The encoder's read-out with the posterior of its weights.

What the trained encoder's convolutions make of a picture are fixed features,
in which the response is linear; beside them stand the pixels. In the principal
axes of these phi over all pictures at hand the last layer is fitted anew, with
the algebra of `linear.bayes.encoder`: evidence chooses its regularisation, the
posterior of its weights says how sure it is of each picture, and residuals of
stimuli left out give the noise. Where few stimuli have taught the convolutions
little, pixels alone, of which each voxel sees a part
(`linear.bayes.receptive_fields`), tell more: that read-out is taken which
tells stimuli that were left out better. The response of voxel v to a picture is
then

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
from brainjax.linear.bayes import likelihood, receptive_fields
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
    local: bool | None = None,
) -> tuple[Readout, str]:
    """Fits the read-out to paired trials.

    Args:
      config: of the experiment.
      encoder: the module.
      frozen: of `networks.freeze`.
      trials: single ones; each voxel's variance over them is about 1.
      images: of all stimuli, [n, size, size, 3] uint8.
      pictures: unpaired, likewise.
      local: whether it is of pixels through windows; None takes what tells
        stimuli that were left out better.

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
    pixels = images[0].size
    scale = _scale(free, pixels)
    fmri = np.float64(trials.fmri)
    offset = fmri.mean(axis=0)
    paired = fmri - offset, stimulus
    fits = [
        _fit(seen * scale, free * scale, paired),
        _fit(seen[:, -pixels:], free[:, -pixels:], paired, images[0].shape),
    ]
    wrong = [(found.residuals**2).mean() for _, found, _ in fits]
    if local is None:
        local = bool(wrong[1] < wrong[0])
    basis, found, noise = fits[local]
    if local:
        others = seen.shape[1] - pixels
        project = np.pad(basis.axes, ((0, 0), (others, 0)))
    else:
        project = basis.axes * scale
    readout = Readout(
        project=project,
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
    note = _in_words(local, found, noise, readout.misfit, wrong)
    return hosts.broadcast(Readout(*map(np.float32, readout))), note


def _fit(seen, free, paired, shape=None):
    """Basis, encoder and noise; `shape` of pictures, for local weights."""
    basis = priors.basis(np.concatenate([free, seen]), MOST_AXES)
    windows = receptive_fields.NOWHERE
    if shape:
        windows = receptive_fields.windows(basis, shape)
    seen, free = (priors.coordinates(basis, each) for each in (seen, free))
    moments = priors.moments(free)
    return basis, *likelihood.fit(moments, seen, *paired, windows=windows)


def _in_words(local, found, noise, misfit, wrong):
    kind = ('features', 'pixels through windows')
    return (
        f'ED learned from draws of the encoder: a read-out of {kind[local]} '
        f'with p = {found.power:g} and lambda = {found.noise:.3g} by evidence '
        f'(square error of stimuli left out {wrong[local]:.3g}; of '
        f'{kind[not local]} {wrong[not local]:.3g}), '
        f'{100 * noise.share:.0f} % of the noise independent between voxels, '
        f'and {100 * misfit:.0f} % of it alike in repeats.'
    )


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

"""The ridge of a run: fitted to training trials, applied to others."""

import math

import numpy as np
from ml_collections import ConfigDict

from brainjax.linear import ridge, scaling
from brainjax.methods.inversion.data import SCALINGS
from brainjax.networks import frozen
from brainjax.recordings import Trials
from brainjax.training import hosts


def fit_ridge(train: Trials, config: ConfigDict) -> ridge.Prepared:
    """Prepares the ridge on normalised training trials.

    Its rows of targets are the stimuli in ascending order.
    """
    _, rows = np.unique(train.stimulus, return_inverse=True)
    return ridge.prepare(
        np.asarray(train.fmri),
        rows,
        k=config.decoding.k,
        alpha=config.decoding.alpha,
    )


def decode(
    prepared: ridge.Prepared,
    features: dict[str, np.ndarray],
    fmri: np.ndarray,
    config: ConfigDict,
) -> dict[str, np.ndarray]:
    """Decodes features and gives them the spread of true ones.

    Args:
      prepared: of `fit_ridge`.
      features: layer -> true ones of the training stimuli, [stimuli, ...].
      fmri: [trials, voxels], normalised as the training trials.
      config: of the experiment.

    Returns:
      Layer -> [trials, height, width, channels] or [trials, units].
    """
    how = SCALINGS[config.decoding.scaling]
    found = {}
    for layer, true in features.items():
        flat = true.reshape(len(true), -1)
        decoded = _by_ridge(prepared, fmri, flat, config)
        decoded = decoded.reshape(len(fmri), *true.shape[1:])
        # Scales are over the places of a channel: channels first.
        known = scaling.reference(
            frozen.channels_first(true), scaling.DDOF.get(how, 0)
        )
        if config.decoding.scaling == 'published':
            known = known._replace(std=scaling.CAFFE_VGG19[layer])
        found[layer] = frozen.channels_last(
            scaling.scale(frozen.channels_first(decoded), known, how)
        )
    return found


def _by_ridge(
    prepared: ridge.Prepared,
    fmri: np.ndarray,
    true: np.ndarray,
    config: ConfigDict,
) -> np.ndarray:
    """Decodes units, [trials, units]; every host does its share of them."""
    block = config.decoding.units_at_a_time
    decode_units = ridge.decoder(prepared, fmri, units_at_a_time=block)
    if hosts.count() == 1:
        return np.hstack([*decode_units(true)])
    units = true.shape[1]
    # Whole blocks, so that the numbers are those of one host.
    width = block * math.ceil(units / block / hosts.count())
    ours = true[:, hosts.index() * width :][:, :width]
    decoded = np.zeros((len(fmri), width), prepared.dtype)
    if ours.size:
        decoded[:, : ours.shape[1]] = np.hstack([*decode_units(ours)])
    return np.hstack([*hosts.all_gather(decoded)])[:, :units]

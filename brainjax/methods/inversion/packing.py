"""Deep image reconstruction as arrays; an encoder on the same features.

The ridge picks voxels for each of millions of units, so that its weights
would take many times the room of what they follow from: training responses,
and the training pictures at the network's size, which are kept instead. A
network with random weights is kept too; a published one is named by the hash
of its weights and stays in the cache.
"""

from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError
from brainjax.linear import kernel_ridge
from brainjax.methods.inversion.data import TrainingData, check_settings
from brainjax.methods.inversion.method import Fitted, learn
from brainjax.methods.inversion.networks import build_network, true_features
from brainjax.methods.packing import (
    Packed,
    check_shapes,
    check_sides,
    check_weights,
    of_weights,
)
from brainjax.recordings import Trials


def pack(fitted: Fitted, config: ConfigDict) -> Packed:
    """Returns what was learned from, and a random network."""
    trials = fitted.train.trials
    _, rows = np.unique(trials.stimulus, return_inverse=True)
    arrays = {
        'fmri': np.asarray(trials.fmri),
        'stimulus': np.int32(rows),
        'images': fitted.train.images,
    }
    about = {
        'fit': config.network.fit,
        'holds': 'the training responses and the training pictures',
    }
    if config.network.weights == 'random':
        arrays['network'] = jax.device_get(fitted.network.params)
    else:
        about['network'] = of_weights(config.network.weights)
    return Packed(arrays, about)


def unpack(
    packed: Packed, config: ConfigDict, voxels: int, folder: Any
) -> Fitted:
    """Checks the arrays against the config and makes of them what `fit` gave.

    Args:
      packed: of `pack`.
      config: of the experiment.
      voxels: how many there are.
      folder: of the features and pictures that `reconstruct` makes.
    """
    check_settings(config)
    arrays, c = packed.arrays, config.network
    sides = {'voxels': voxels, 'size': c.size, '3': 3}
    shapes = {
        'fmri': 'trials voxels',
        'stimulus': 'trials',
        'images': 'stimuli size size 3',
    }
    check_sides(arrays, shapes, sides)
    images, stimulus = arrays['images'], arrays['stimulus']
    if images.dtype != np.uint8 or arrays['fmri'].dtype != np.float32:
        raise InputError('images are not uint8, or fmri is not float32.')
    if not np.array_equal(np.unique(stimulus), np.arange(len(images))):
        raise InputError(f'stimulus does not count the {len(images)} images.')
    if c.weights != 'random':
        check_weights(packed.about.get('network', {}), c.weights)
    network = build_network(config)
    if c.weights == 'random':
        found = arrays.get('network', {})
        check_shapes({'network': found}, {'network': network.params})
        network = network._replace(params=found)
    train = TrainingData(Trials(arrays['fmri'], stimulus), images)
    return learn(network, train, config, folder)


def encode(
    fitted: Fitted, images: np.ndarray, config: ConfigDict
) -> np.ndarray:
    """Predicts normalised fMRI by kernel ridge on the network's features.

    Each layer has the same part in the kernel; the penalty is chosen by
    leaving each training stimulus out. The paper has no encoder.

    Args:
      fitted: from `fit` or `unpack`.
      images: [n, size, size, 3] uint8.
      config: as in `fit`.

    Returns:
      [n, voxels] float32.
    """
    trials = fitted.train.trials
    _, stimulus = np.unique(trials.stimulus, return_inverse=True)
    new = true_features(fitted.network, images, config)
    fit = kernel_ridge.fit(fitted.features, np.asarray(trials.fmri), stimulus)
    return kernel_ridge.predict(fit, fitted.features, new)

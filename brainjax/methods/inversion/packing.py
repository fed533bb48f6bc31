"""Deep image reconstruction as arrays; an encoder on the same features.

The ridge picks voxels for each of millions of units, so that its weights
would take many times the room of what they follow from: training responses,
and the training pictures at the network's size, which are kept instead. A
network with random weights is kept too; a published one is named by the hash
of its weights and stays in the cache.
"""

import tempfile
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError
from brainjax.io import feature_folders
from brainjax.linear import kernel_ridge
from brainjax.methods.inversion import true_features
from brainjax.methods.inversion.data import TrainingData, check_settings
from brainjax.methods.inversion.method import Fitted, learn
from brainjax.methods.inversion.networks import build_network
from brainjax.methods.packing import (
    Packed,
    check_shapes,
    check_sides,
    check_weights,
    of_weights,
)
from brainjax.recordings import Trials

UNITS_AT_A_TIME = 2**15  # Of all pictures, in memory.


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
    names = [f'picture-{i:05d}' for i in range(len(images))]
    train = TrainingData(Trials(arrays['fmri'], stimulus), images, names)
    # Removed with what is returned, or when Python ends.
    made = tempfile.TemporaryDirectory(dir=folder, prefix='brainjax-')
    config.network.features = ''  # They are computed from the pictures.
    return learn(network, train, config, made.name, made)


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
    names = [f'new-{i:05d}' for i in range(len(images))]

    def blocks(new, new_names):
        for name, layer in fitted.features.items():
            yield _blocks(layer, fitted.train.names, new[name], new_names)

    seen = blocks(fitted.features, fitted.train.names)
    fit = kernel_ridge.fit(seen, np.asarray(trials.fmri), stimulus)
    with tempfile.TemporaryDirectory(prefix='brainjax-') as folder:
        new = true_features.extract(
            fitted.network, images, names, config, folder
        )
        return kernel_ridge.predict(fit, blocks(new, names))


def _blocks(seen, seen_names, new, new_names):
    """Yields the same units of two sets of pictures, [pictures, units]."""
    for start, stop in feature_folders.portions(seen, UNITS_AT_A_TIME):
        yield tuple(
            feature_folders.read(layer, names, start, stop).reshape(
                len(names), -1
            )
            for layer, names in ((seen, seen_names), (new, new_names))
        )

"""How much the ridge of deep image reconstruction makes of each voxel."""

import numpy as np

from brainjax.io import feature_folders
from brainjax.linear import ridge
from brainjax.methods.inversion.method import Fitted

UNITS = 200  # Of each layer, evenly chosen: all of them would be fitted twice.


def of_ridge(fitted: Fitted) -> dict[str, np.ndarray]:
    """How often voxels are selected, and their weights, over units of layers.

    Weights are of z-scored voxels and units; layers count alike.
    """
    prepared = fitted.prepared
    fit = ridge.fitter(prepared)
    used, squares = [], []
    for layer in fitted.features.values():
        some = feature_folders.read_some(layer, fitted.train.names, UNITS)
        weights = fit(ridge.scale_units(prepared, some).values).voxels
        used.append((weights != 0).mean(axis=0))
        squares.append(np.square(weights, dtype=np.float64).mean(axis=0))
    found = {'decoder_weight': np.sqrt(np.mean(squares, axis=0))}
    if prepared.k < len(prepared.mean):
        found['selected'] = np.mean(used, axis=0)
    return found

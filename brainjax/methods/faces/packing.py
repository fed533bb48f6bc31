"""A VAE-GAN and the map between its latents and voxels as arrays.

Encoder and generator are kept; the discriminator, which only training wants,
and the principal components, which are a baseline, are not.
"""

from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict, FrozenConfigDict

from brainjax.errors import InputError
from brainjax.linear import latents
from brainjax.methods.faces.data import check_config
from brainjax.methods.faces.latents import Space
from brainjax.methods.faces.method import Fitted, coders
from brainjax.methods.faces.networks import check_sizes
from brainjax.methods.faces.pictures import fit_name
from brainjax.methods.packing import Packed, check_sides
from brainjax.networks import vaegan
from brainjax.networks.weights import vaegan as vaegan_weights

_PARTS = ('encoder', 'generator')
_MAP = {
    'latents': 'faces latents',
    'weights': 'rows voxels',
    'baseline': 'voxels',
    'noise': 'voxels',
    'gain': 'voxels',
    'voxels': 'chosen',
    'repeats': '',
}


def pack(fitted: Fitted, config: ConfigDict) -> Packed:
    """Returns both networks and the map."""
    variables, space = fitted.variables, fitted.vaegan
    networks = {
        kind: {part: variables[kind][part] for part in _PARTS}
        for kind in ('params', 'batch_stats')
    }
    parts = {
        name: getattr(space, name) for name in _MAP if name != 'repeats'
    } | {'repeats': np.float64(fitted.repeats)}
    about = {'fit': fit_name(config), 'holds': ''}
    return Packed(jax.device_get({'vaegan': networks, 'map': parts}), about)


def unpack(
    packed: Packed, config: ConfigDict, voxels: int, folder: Any
) -> Fitted:
    """Checks the arrays against the config and makes of them what `fit` gave.

    Args:
      packed: of `pack`.
      config: of the experiment.
      voxels: how many there are.
      folder: not used.
    """
    del folder
    config = FrozenConfigDict(config)
    check_config(config)
    variables = packed.arrays.get('vaegan', {})
    vaegan_weights.check(variables, 'It')
    check_sizes(variables, config, 'It')
    found, k = packed.arrays.get('map', {}), config.networks.latents
    sides = {'voxels': voxels, 'latents': k, 'rows': k + 1}
    check_sides(found, _MAP, sides)
    chosen = found['voxels']
    if chosen.dtype.kind not in 'iu' or not (
        len(chosen) and chosen.min() >= 0 and chosen.max() < voxels
    ):
        raise InputError(f'map.voxels are no indices of {voxels} voxels.')
    parts = {name: found[name] for name in _MAP if name != 'repeats'}
    return Fitted(
        Space(*coders(variables, config), **parts),
        None,
        np.zeros(0, int),
        float(found['repeats']),
        [],
        [],
        variables,
    )


def encode(
    fitted: Fitted, images: np.ndarray, config: ConfigDict
) -> np.ndarray:
    """Predicts normalised fMRI, linearly from the latents of pictures.

    Args:
      fitted: from `fit` or `unpack`.
      images: [n, size, size, 3] uint8.
      config: as in `fit`.

    Returns:
      [n, voxels] float32.
    """
    del config
    found = vaegan.encode(fitted.variables, images)
    space = fitted.vaegan
    return latents.predict(space.weights, found) - space.baseline

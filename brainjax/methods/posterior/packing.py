"""A fitted posterior as arrays; what its linear encoder predicts."""

import math
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict, FrozenConfigDict

from brainjax.errors import InputError
from brainjax.linear.bayes import encoder as encoders
from brainjax.linear.bayes import prior as priors
from brainjax.linear.bayes import receptive_fields
from brainjax.linear.bayes.reference import Reference
from brainjax.methods import references
from brainjax.methods.packing import (
    Packed,
    check_shapes,
    check_sides,
    from_arrays,
    to_arrays,
)
from brainjax.methods.posterior import latents, networks
from brainjax.methods.posterior.closed_form import FLOOR, Eye, Level
from brainjax.methods.posterior.data import TrainingData, check
from brainjax.methods.posterior.latents import Autoencoder
from brainjax.methods.posterior.method import Fitted
from brainjax.methods.references import References

KEPT = ('test', 'prior')  # Levels that draws are made at.
# Q axes of the pictures, q of a prior, a of features, k that trials tell of.
_MODEL = {
    'prior.mean': 'Q',
    'prior.axes': 'q Q',
    'prior.std': 'q',
    'encoder.features': 'a Q',
    'encoder.certain': 'c Q',
    'encoder.centre': 'Q',
    'encoder.variance': 'voxels',
    'encoder.directions': 'k Q',
    'encoder.weights': 'k voxels',
    'noise.independent': 'voxels',
    'noise.shared': 'm voxels',
    'features': 'a q',
    'certain': 'c q',
    'seen': 'k q',
    'offset': 'k',
}
_LEVEL = {
    'offset': 'pixels',
    'gain': 'pixels k',
    'axes': 'q pixels',
    'variance': 'q',
    'deviation': 'pixels',
    'information': 'k k',
    'own': 'k k',
    'open': 'k k',
    'floor': 'one',
}
_REFERENCE = {
    'basis.origin': 'pixels',
    'basis.axes': 'Q pixels',
    'outside': 'pixels',
    'ridge.fmri': 'trials voxels',
    'ridge.dual': 'trials pixels',
    'ridge.mean': 'pixels',
}
_EYE = {
    'axes': 'Q pixels',
    'offset': 'Q',
    'directions': 'k Q',
    'features': 'a Q',
    'certain': 'c Q',
}


def pack(fitted: Fitted, config: ConfigDict) -> Packed:
    """Returns the closed form, the flow and what joins them.

    Training responses are in it only where ridge has a part in the pictures.
    """
    del config
    known = _pruned(fitted.references.fitted)
    data = fitted.data
    arrays = {
        'reference': to_arrays(known),
        'levels': {name: to_arrays(data.levels[name]) for name in KEPT},
        'collect': data.collect,
        'eye': to_arrays(data.eye),
        'flow': fitted.params,
        'numbers': np.array(
            [data.repeats, data.centre, data.scale, fitted.part]
        ),
    }
    if data.autoencoder is not None:
        arrays['autoencoder'] = latents.numbers(data.autoencoder)
        arrays['latents'] = to_arrays(_pruned(data.known, ridge=False))
    holds = 'the training responses' if len(known.ridge.fmri) else ''
    about = {
        'fit': 'centre',
        'holds': holds,
        'channels': fitted.references.shape[-1],
    }
    return Packed(jax.device_get(arrays), about)


def _pruned(known: Reference, ridge: bool = True) -> Reference:
    """Without what only fitting wanted."""
    wanted, ridge = ridge and known.choice.mean_ridge, known.ridge
    if not wanted:
        ridge = ridge._replace(fmri=ridge.fmri[:0], dual=ridge.dual[:0])
    return known._replace(
        ridge=ridge,
        windows=receptive_fields.NOWHERE,
        model=_smaller(known.model),
        point=_smaller(known.point),
    )


def _smaller(model):
    encoder = model.encoder._replace(
        residuals=model.encoder.residuals[:0], mixture=encoders.WHOLE
    )
    return model._replace(encoder=encoder)


def unpack(
    packed: Packed, config: ConfigDict, voxels: int, folder: Any
) -> Fitted:
    """Checks the arrays against the config and makes of them what `fit` gave.

    Args:
      packed: of `pack`.
      config: of the experiment.
      voxels: how many there are.
      folder: keeps the draws.
    """
    config = FrozenConfigDict(config)
    check(config)
    arrays = packed.arrays
    channels = packed.about.get('channels')
    if channels not in (1, 3):
        raise InputError(f'its pictures have {channels!r} channels, not 1 or 3')
    side = min(config.size, references.LARGEST)
    shape = (side, side, channels)
    check_shapes({'numbers': arrays.get('numbers')}, {'numbers': (4,)})
    known = _reference(arrays.get('reference', {}), shape, voxels)
    drawn, flows, autoencoder = shape, known, None
    if networks.in_latents(config):
        autoencoder = _autoencoder(arrays.get('autoencoder', {}), config, shape)
        drawn = latents.shape(autoencoder)
        flows = _reference(arrays.get('latents', {}), drawn, voxels)
    sides = _sides(flows, drawn, voxels)
    levels = {}
    for name in KEPT:
        found = dict(arrays.get('levels', {}).get(name, {}))
        found.setdefault('floor', np.float32([FLOOR]))  # Of older models.
        levels[name] = from_arrays(Level, found, f'levels.{name}.')
        check_sides(found, _LEVEL, sides)
    check_shapes(
        {'collect': arrays.get('collect')}, {'collect': (sides['k'], voxels)}
    )
    eye = from_arrays(Eye, arrays.get('eye', {}))
    check_sides(arrays['eye'], _EYE, sides)
    expected = jax.eval_shape(
        networks.build(config, drawn[-1]).init,
        jax.random.key(0),
        jnp.zeros((1, *drawn[:2], 4 * drawn[-1])),
        jnp.zeros(1),
    )['params']
    check_shapes({'flow': arrays.get('flow', {})}, {'flow': dict(expected)})
    repeats, centre, scale, part = arrays['numbers'].tolist()
    none, rows = (np.empty((0, math.prod(each))) for each in (shape, drawn))
    training = references.Training(none, np.empty((0, voxels)), none[:0], none)
    size = (config.size, config.size)
    return Fitted(
        References(known, shape, size, np.array([repeats]), training, []),
        TrainingData(
            drawn,
            np.uint8(rows),
            np.uint8(rows),
            rows,
            levels,
            arrays['collect'],
            repeats,
            None,
            eye,
            centre,
            scale,
            flows,
            autoencoder,
        ),
        arrays['flow'],
        [],
        part,
        pathlib.Path(folder),
    )


def _sides(known, shape, voxels):
    return {
        'pixels': math.prod(shape),
        'voxels': voxels,
        'Q': len(known.basis.axes),
        'k': len(known.model.encoder.directions),
        'one': 1,
    }


def _reference(arrays, shape, voxels):
    """A closed form of rows of a shape, checked."""
    known = from_arrays(Reference, arrays)
    rows = {'pixels': math.prod(shape), 'voxels': voxels}
    check_sides(arrays, _REFERENCE, rows)
    for name in ('model', 'point'):
        check_sides(arrays[name], _MODEL, rows | {'Q': len(known.basis.axes)})
    return known


def _autoencoder(arrays, config, shape):
    """The autoencoder of pictures with as many channels as `shape`, checked."""
    shape = (config.size, config.size, shape[-1])
    halves = networks.build_autoencoder(config, shape)
    expected = jax.eval_shape(
        lambda: networks.init_autoencoder(config, shape, jax.random.key(0))
    )
    channels = (config.latents.number,)
    found = {name: arrays.get(name) for name in ('params', 'mean', 'std')}
    check_shapes(found, expected | {'mean': channels, 'std': channels})
    return Autoencoder(*halves, **found)


def encode(
    fitted: Fitted, images: np.ndarray, config: ConfigDict
) -> np.ndarray:
    """Predicts normalised fMRI by the closed form's linear encoder.

    Args:
      fitted: from `fit` or `unpack`.
      images: [n, size, size, 3] uint8.
      config: as in `fit`.

    Returns:
      [n, voxels] float32.
    """
    del config
    known = fitted.references.fitted
    rows = references.to_rows(fitted.references, images)
    seen = priors.coordinates(known.basis, rows)
    return np.float32(encoders.predict(known.model.encoder, seen))

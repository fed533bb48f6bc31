"""A fitted posterior as arrays; what its linear encoder predicts."""

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
from brainjax.methods.posterior import networks
from brainjax.methods.posterior.closed_form import Eye, Level
from brainjax.methods.posterior.data import TrainingData, check
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
    holds = 'the training responses' if len(known.ridge.fmri) else ''
    about = {
        'fit': 'centre',
        'holds': holds,
        'channels': fitted.references.shape[-1],
    }
    return Packed(jax.device_get(arrays), about)


def _pruned(known: Reference) -> Reference:
    """Without what only fitting wanted."""
    ridge = known.ridge
    if not known.choice.mean_ridge:
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
    shape = (config.size, config.size, channels)
    rows = {'pixels': config.size**2 * channels, 'voxels': voxels}
    check_shapes({'numbers': arrays.get('numbers')}, {'numbers': (4,)})
    known = from_arrays(Reference, arrays.get('reference', {}))
    check_sides(arrays['reference'], _REFERENCE, rows)
    sides = rows | {'Q': len(known.basis.axes)}
    for name in ('model', 'point'):
        check_sides(arrays['reference'][name], _MODEL, sides)
    sides |= {'k': len(known.model.encoder.directions)}
    levels = {}
    for name in KEPT:
        found = arrays.get('levels', {}).get(name, {})
        levels[name] = from_arrays(Level, found, f'levels.{name}.')
        check_sides(found, _LEVEL, sides)
    check_shapes(
        {'collect': arrays.get('collect')}, {'collect': (sides['k'], voxels)}
    )
    eye = from_arrays(Eye, arrays.get('eye', {}))
    check_sides(arrays['eye'], _EYE, sides)
    expected = jax.eval_shape(
        networks.build(config, channels).init,
        jax.random.key(0),
        jnp.zeros((1, *shape[:2], 4 * channels)),
        jnp.zeros(1),
    )['params']
    check_shapes({'flow': arrays.get('flow', {})}, {'flow': dict(expected)})
    repeats, centre, scale, part = arrays['numbers'].tolist()
    none = np.empty((0, rows['pixels']))
    training = references.Training(none, np.empty((0, voxels)), none[:0], none)
    return Fitted(
        References(known, shape, np.array([repeats]), training, []),
        TrainingData(
            shape,
            np.uint8(none),
            np.uint8(none),
            none,
            levels,
            arrays['collect'],
            repeats,
            None,
            eye,
            centre,
            scale,
        ),
        arrays['flow'],
        [],
        part,
        pathlib.Path(folder),
    )


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

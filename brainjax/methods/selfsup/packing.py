"""A fitted encoder and decoder as arrays; what the encoder predicts.

A random backbone is among the arrays. A published one is named by the hash of
its weights and stays in the cache; only what predicts fMRI needs it.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict, FrozenConfigDict

from brainjax.errors import InputError
from brainjax.methods.packing import (
    Packed,
    check_shapes,
    check_weights,
    from_arrays,
    of_weights,
    to_arrays,
)
from brainjax.methods.selfsup import channels
from brainjax.methods.selfsup.method import Fitted
from brainjax.methods.selfsup.networks import (
    build_decoder,
    build_encoder,
    feature_shapes,
    freeze,
    load_backbone,
    predict,
)
from brainjax.methods.selfsup.readout import Readout
from brainjax.networks import weights
from brainjax.training.state import cast


def pack(fitted: Fitted, config: ConfigDict) -> Packed:
    """Returns both networks, the voxels' weights and a random backbone."""
    config = fitted.config or config
    c = config.encoder
    arrays = {
        'encoder': fitted.encoder,
        'decoder': fitted.decoder,
        'snr': fitted.snr,
    }
    about = {'fit': 'centre', 'holds': ''}
    if c.weights == 'random':
        arrays['backbone'] = load_backbone(
            c,
            config.seed,
            size=config.size,
            channels=channels.number(config),
        )
    else:
        about['backbone'] = of_weights(c.weights)
    if 'readout' in fitted.frozen:
        arrays['readout'] = to_arrays(fitted.frozen['readout'])
    return Packed(jax.device_get(arrays), about)


def unpack(
    packed: Packed, config: ConfigDict, voxels: int, folder: Any
) -> Fitted:
    """Checks the arrays against the config and makes of them what `fit` gave.

    Args:
      packed: of `pack`.
      config: as it was settled there.
      voxels: how many there are.
      folder: not used.
    """
    del folder
    config = FrozenConfigDict(config)
    check_shapes({'snr': packed.arrays.get('snr')}, {'snr': (voxels,)})
    held = len(jax.tree.leaves(packed.arrays))
    if max(config.encoder.layers, config.decoder.blocks) > held:
        raise InputError('it has fewer arrays than config names layers.')
    decoder = _variables(packed.arrays, 'decoder')
    _check_decoder(config, decoder, voxels)
    encoder = _variables(packed.arrays, 'encoder')
    _check_encoder(config, encoder, voxels)
    return Fitted(
        encoder,
        decoder,
        _frozen(packed, config, encoder, voxels),
        packed.arrays['snr'],
        {},
        [],
    )


def _variables(arrays, name):
    """A network's; a file has no place for statistics that are none."""
    return {'batch_stats': {}, **arrays.get(name, {})}


def _check_decoder(config, decoder, voxels):
    module = build_decoder(config)
    fmri = jnp.zeros((1, voxels))
    expected = jax.eval_shape(module.init, jax.random.key(0), fmri)
    check_shapes({'decoder': decoder}, {'decoder': dict(expected)})


def _check_encoder(config, encoder, voxels):
    expected = jax.eval_shape(
        build_encoder(config, voxels).init,
        jax.random.key(0),
        feature_shapes(config, _backbone_shapes(config)),
    )
    check_shapes({'encoder': encoder}, {'encoder': dict(expected)})


def _backbone_shapes(config):
    c = config.encoder
    if c.weights == 'random':
        return jax.eval_shape(
            lambda: load_backbone(
                c, 0, size=config.size, channels=channels.number(config)
            )
        )
    return jax.tree.map(
        lambda shape: jax.ShapeDtypeStruct(shape, jnp.float32),
        weights.shapes(c.weights),
        is_leaf=lambda shape: isinstance(shape, tuple),
    )


def _frozen(packed, config, encoder, voxels):
    """What predicts fMRI; {} where the backbone has not been fetched."""
    c = config.encoder
    if c.weights == 'random':
        backbone = packed.arrays.get('backbone', {})
        expected = {'backbone': _backbone_shapes(config)}
        check_shapes({'backbone': backbone}, expected)
        backbone = cast(jax.device_put(backbone), config.compute_dtype)
    elif weights.path(c.weights).exists():
        check_weights(packed.about.get('backbone', {}), c.weights)
        backbone = load_backbone(c, config.seed, config.compute_dtype)
    else:
        return {}
    frozen = freeze(config, build_encoder(config, voxels), encoder, backbone)
    if 'readout' in packed.arrays:
        frozen['readout'] = from_arrays(Readout, packed.arrays['readout'])
    return frozen


def encode(
    fitted: Fitted, images: np.ndarray, config: ConfigDict
) -> np.ndarray:
    """Predicts normalised fMRI.

    Args:
      fitted: from `fit` or `unpack`.
      images: [n, size, size, channels] uint8; where depth alone is seen,
        grey pictures as well.
      config: as in `fit`.

    Returns:
      [n, voxels] float32.
    """
    config = FrozenConfigDict(fitted.config or config)
    if not fitted.frozen:
        weights.check_fetched(config.encoder.weights)
        raise InputError(
            f'The weights of {config.encoder.weights} were fetched after the '
            'model was loaded; load it again.'
        )
    encoder = build_encoder(config, len(fitted.snr))
    seen = channels.of_pictures(config, images)
    return predict(config, encoder, fitted.frozen, seen)

"""A training that begins where that of another run has ended.

From another subject's run come the adapters, which see pictures and no voxels;
the read-out is new. Of the same voxels all may be kept, and trained longer.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.traverse_util
import jax
import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError
from brainjax.io import model_files, provenance
from brainjax.methods.packing import check_shapes
from brainjax.methods.selfsup import channels
from brainjax.methods.selfsup.networks import load_backbone
from brainjax.networks import frozen, weights

KEEPS = ('adapters', 'all')
# Parameters of the encoders that belong to voxels.
_READOUT = ('space_', 'channels_', 'bias', 'branch_weights', 'dense')
_SAME = (  # Settings that adapters depend on.
    *('kind', 'backbone', 'weights', 'width', 'taps', 'pools', 'kernels'),
    *('strides', 'layers', 'channels', 'release'),
)


class Start(NamedTuple):
    """What a training begins with.

    Attributes:
      folder: of the model.
      encoder, decoder: variables of the other run.
      keep: of KEEPS.
      identity: for checkpoints.
    """

    folder: str
    encoder: dict[str, Any]
    decoder: dict[str, Any]
    keep: str
    identity: dict[str, Any]


def read(config: ConfigDict) -> Start | None:
    """Reads what `config.init` names; None if it names nothing."""
    path, keep = config.init.path, config.init.keep
    if keep not in KEEPS:
        raise InputError(
            f'config.init.keep is {keep!r}; give one of {", ".join(KEEPS)}.'
        )
    if not path:
        return None
    folder = model_files.find(path)
    arrays, about = model_files.read(folder)
    if about.get('method') != 'selfsup':
        raise InputError(
            f'{folder} is a model of the method {about.get("method")!r}; '
            "config.init.path takes those of 'selfsup'."
        )
    fitted = arrays['fitted']
    _check_settings(config, about['config'], folder)
    _check_backbone(config, fitted, about['fitted'], folder)
    flat = flax.traverse_util.flatten_dict(fitted, sep='.')
    identity = {
        'from': provenance.hash_tree(flat),
        'keep': keep,
        'fixed': config.init.fixed,
    }
    return Start(
        str(folder),
        {'batch_stats': {}, **fitted['encoder']},
        {'batch_stats': {}, **fitted['decoder']},
        keep,
        identity,
    )


def _check_settings(config, theirs, folder):
    ours = json.loads(config.to_json_best_effort())
    theirs = {'channels': 'rgb', **theirs}  # Older models do not say it.
    keys = [('encoder', key) for key in _SAME] + [('size',), ('channels',)]
    for key in keys:
        mine, other = ours, theirs
        for part in key:
            mine, other = mine[part], other.get(part)
        if mine != other:
            raise InputError(
                f'{folder} was fitted with config.{".".join(key)}={other!r} '
                f'and this run has {mine!r}; give it the same.'
            )


def _check_backbone(config, fitted, about, folder):
    """Adapters mean nothing on another backbone."""
    c = config.encoder
    if c.weights != 'random':
        sha256 = frozen.hash_weights(weights.load(c.weights))
        same = about.get('backbone', {}).get('sha256') == sha256
    else:
        ours = load_backbone(
            c,
            config.seed,
            size=config.size,
            channels=channels.number(config),
        )
        same = frozen.hash_weights(jax.device_get(ours)) == (
            frozen.hash_weights(fitted['backbone'])
        )
    if not same:
        raise InputError(
            f'{folder} was fitted on other weights of the backbone {c.backbone}'
            '; random ones follow from config.seed, which must be the same.'
        )


def is_readout(name: str) -> bool:
    """Whether a parameter of an encoder, by its first name, is of voxels."""
    return name.startswith(_READOUT)


def encoder(start: Start | None, variables: dict[str, Any]) -> dict[str, Any]:
    """Returns the encoder's first variables.

    Args:
      start: of `read`; None for `variables`.
      variables: as they were drawn.
    """
    if start is None:
        return variables
    kept = {
        kind: {
            name: start.encoder[kind].get(name, value)
            if start.keep == 'all' or not is_readout(name)
            else value
            for name, value in parts.items()
        }
        for kind, parts in variables.items()
    }
    return _checked(kept, variables, start)


def decoder(start: Start | None, variables: dict[str, Any]) -> dict[str, Any]:
    """Returns the decoder's; see `encoder`. It depends on voxels as a whole."""
    if start is None or start.keep != 'all':
        return variables
    kept = {kind: start.decoder[kind] for kind in variables}
    return _checked(kept, variables, start)


def _checked(kept, variables, start):
    try:
        check_shapes(kept, variables)
    except InputError as error:
        raise InputError(
            f'{start.folder}: {error} config.init.keep={start.keep!r} wants '
            'the networks of this config'
            + (' and the same voxels.' if start.keep == 'all' else '.')
        ) from error
    return jax.tree.map(np.asarray, kept)


def in_words(start: Start, config: ConfigDict) -> str:
    """Says what the training began with."""
    if start.keep == 'all':
        return f'Training went on from the networks of {start.folder}.'
    return (
        f'The encoder began with the adapters of {start.folder}'
        f'{", which stayed as they were" if config.init.fixed else ""}.'
    )


def fixed(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns an encoder's parameters, the adapters without a gradient."""
    return {
        name: value if is_readout(name) else jax.lax.stop_gradient(value)
        for name, value in params.items()
    }

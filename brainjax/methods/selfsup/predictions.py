"""What the frozen encoder predicts of the unpaired pictures, once a run.

All devices of all hosts share them. They stay in the work folder, so that a
training that resumes takes them from there.
"""

import functools
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from brainjax.io import kept_arrays, provenance
from brainjax.io.files import PathLike
from brainjax.methods.selfsup import readout
from brainjax.methods.selfsup.networks import encode, to_float
from brainjax.training import hosts, parallel
from brainjax.training.batches import BATCH

_KEYS = ('size', 'compute_dtype', 'encoder')


def of_pictures(
    config: ConfigDict,
    encoder,
    frozen: dict[str, Any],
    images: np.ndarray,
    folder: PathLike,
) -> dict[str, np.ndarray]:
    """Returns 'fmri' [n, voxels], of draws the mean, and their 'doubt' [n].

    Args:
      config: of the experiment.
      encoder: the module.
      frozen: of `networks.freeze`, with the 'readout' for `pictures_draws`.
      images: [n, size, size, 3] uint8.
      folder: keeps them.
    """
    draws = config.decoder.pictures_draws
    names = ['encoder', 'encoder_backbone']
    # Draws have a read-out of their own in the place of the encoder's.
    names += ['readout'] if draws else ['encoder_folded']
    frozen = {name: frozen[name] for name in names if name in frozen}
    predict = functools.partial(_predict, config, encoder)
    made_from = _made_from(config, frozen, images)
    found = None

    def look():
        nonlocal found
        found = kept_arrays.read(folder, made_from)
        return found is not None

    if hosts.run_on_first(look):
        if hosts.count() == 1:
            return found
        described = jax.ShapeDtypeStruct(images.shape, images.dtype)
        shapes = jax.eval_shape(predict, frozen, described)
        empty = jax.tree.map(lambda x: np.empty(x.shape, x.dtype), shapes)
        return hosts.broadcast(found or empty)
    with hosts.progress('pictures', len(images), unit='pictures') as show:
        found = parallel.map_rows(predict, frozen, images, BATCH, show)
    hosts.run_on_first(lambda: kept_arrays.write(folder, made_from, found))
    return found


def _predict(config, encoder, frozen, images):
    images = to_float(images)
    if 'readout' not in frozen:
        return {'fmri': encode(config, encoder, frozen, images)}
    fmri, doubt = readout.predict(config, encoder, frozen, images)
    return {'fmri': fmri, 'doubt': doubt}


def _made_from(config, frozen, images):
    weights = {
        jax.tree_util.keystr(path): np.asarray(x)
        for path, x in jax.tree_util.tree_leaves_with_path(frozen)
    }
    keys = ConfigDict({key: config[key] for key in _KEYS})
    return {
        'pictures': provenance.hash_arrays(images),
        'weights': provenance.hash_tree(weights),
        'config': keys.to_json_best_effort(),
    }

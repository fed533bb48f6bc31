"""True features of pictures, computed once and kept on disk.

All 19 layers of VGG19 are 59 MB a picture, 66 GiB for 1200: they are written as
they are computed, and read in portions.

    FOLDER/made_from.json      what they are of; other features are replaced
    FOLDER/LAYER.npy           [pictures, channels, height, width] or
                               [pictures, units] float32
    FOLDER/START-STOP.done     pictures that an interrupted run has finished
    FOLDER/features.json       names; written when all are there
"""

import hashlib
import math
import pathlib
from collections.abc import Sequence

import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError
from brainjax.io import arrays, feature_folders, files, memory, provenance
from brainjax.io.feature_folders import Layer
from brainjax.io.files import PathLike
from brainjax.methods.inversion.networks import feature_shapes, features
from brainjax.networks import frozen
from brainjax.pictures import operations
from brainjax.training import hosts
from brainjax.training.batches import BATCH

MADE_FROM = 'made_from.json'
# What a pass of a network takes, in bytes of the features that it gives.
_OF_A_PASS = 4


def extract(
    network: frozen.Network,
    images: np.ndarray,
    names: Sequence[str],
    config: ConfigDict,
    folder: PathLike,
) -> dict[str, Layer]:
    """Computes the config's layers of pictures, or takes what is there.

    They are those of the files, by `brainjax features`, where `config.size` is
    `config.network.size`; else the pictures came to the former before.

    Args:
      network: whose features they are.
      images: [n, height, width, 3] uint8, of any size.
      names: of the pictures.
      config: of the experiment.
      folder: for them; hosts share the pictures and see the folder.

    Returns:
      Layer -> its features on disk, channels first.
    """
    c, folder = config.network, pathlib.Path(folder)
    shapes = {
        layer: _channels_first(shape)
        for layer, shape in feature_shapes(network, c.layers, c.size).items()
    }
    size = 4 * sum(map(math.prod, shapes.values()))
    made_from = {
        **frozen.provenance(network),
        'weights': frozen.hash_weights(network.params),
        'pictures': provenance.hash_arrays(images),
        'names': hashlib.sha256('\n'.join(names).encode()).hexdigest(),
        'shapes': {layer: [*shape] for layer, shape in shapes.items()},
        'fit': c.fit,
    }
    hosts.run_on_first(
        lambda: _begin(folder, made_from, shapes, len(images), size)
    )
    hosts.wait_for_file(folder / MADE_FROM)
    if not hosts.run_on_first((folder / feature_folders.INDEX).exists):
        allowed = memory.budget(config.memory_gib) / 4
        batch = memory.how_many(allowed, size * _OF_A_PASS, BATCH)
        _compute(network, images, config, folder, batch)
        hosts.run_on_first(lambda: _end(folder, names))
    hosts.wait_for_file(folder / feature_folders.INDEX)
    return feature_folders.open_layers(folder, c.layers)


def find(
    folder: PathLike,
    network: frozen.Network,
    names: Sequence[str],
    config: ConfigDict,
) -> dict[str, Layer]:
    """Opens features that were extracted before, if they are of the network.

    Args:
      folder: of `config.network.features`.
      network: whose features they should be.
      names: of the pictures that are needed.
      config: of the experiment.
    """
    c = config.network
    frozen.check_provenance(folder, network, c.size)
    layers = feature_folders.open_layers(folder, c.layers)
    for name, shape in feature_shapes(network, c.layers, c.size).items():
        layer, wanted = layers[name], _channels_first(shape)
        feature_folders.check_names(layer, names)
        if layer.kept is None and layer.shape != wanted:
            raise InputError(
                f'{folder} has features of {name} of shape {layer.shape}, and '
                f'the network makes {wanted} of {c.size} px; extract them '
                'again.'
            )
    return layers


def _channels_first(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[2], *shape[:2]) if len(shape) == 3 else shape


def _begin(folder, made_from, shapes, n: int, size: int) -> None:
    """Makes the files, unless those of the same features are there."""
    path = folder / MADE_FROM
    try:
        if path.exists() and files.read_json(path) == made_from:
            return
    except InputError:  # Damaged: as if it were not there.
        pass
    for pattern in (MADE_FROM, feature_folders.INDEX, '*.done', '*.npy'):
        for old in folder.glob(pattern):
            old.unlink()
    files.writable_folder(folder)
    memory.check_disk(folder, n * size, f'features of {n} pictures')
    for layer, shape in shapes.items():
        name = feature_folders.file_name(layer)
        arrays.create_npy(folder / f'{name}.npy', (n, *shape))
    files.write_json(path, made_from)


def _compute(network, images, config, folder: pathlib.Path, batch: int):
    c, n = config.network, len(images)
    parts = [(i, min(i + batch, n)) for i in range(0, n, batch)]
    ours = hosts.my_items(parts)
    with hosts.progress('features', len(ours), unit='batches') as show:
        for done, (start, stop) in enumerate(ours, 1):
            mark = folder / f'{start}-{stop}.done'
            if not mark.exists():
                _write(network, images[start:stop], c, folder, start, batch, n)
                mark.touch()  # Last: pictures without it are computed again.
            show(done)
    hosts.barrier()


def _write(network, images, c, folder, start: int, batch: int, n: int):
    """Computes features of one batch, filled up so that one is compiled."""
    resized = operations.resize(images, c.size, c.fit)
    missing = batch - len(images) if n > batch else 0
    full = np.concatenate([resized, np.repeat(resized[-1:], missing, axis=0)])
    found = features(network, np.float32(full) / 255, c.layers)
    for layer, values in found.items():
        path = folder / f'{feature_folders.file_name(layer)}.npy'
        some = frozen.channels_first(values[: len(images)])
        arrays.write_rows(path, start, some)


def _end(folder: pathlib.Path, names: Sequence[str]) -> None:
    files.write_json(folder / feature_folders.INDEX, {'names': list(names)})
    for mark in folder.glob('*.done'):
        mark.unlink()

"""The ridge of a run: fitted to training trials, applied to others."""

import math
import pathlib
import shutil
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError
from brainjax.io import arrays, feature_folders, files, memory, provenance
from brainjax.io.feature_folders import Layer
from brainjax.io.metrics import Log
from brainjax.linear import ridge
from brainjax.methods.inversion import decoding_blocks
from brainjax.recordings import Trials
from brainjax.training import hosts

MEASURED = 1000  # Units of a layer, for its metrics.
_WHOLE = 'whole.json'


def fit_ridge(train: Trials, config: ConfigDict) -> ridge.Prepared:
    """Prepares the ridge on normalised training trials.

    Its rows of targets are the stimuli in ascending order.
    """
    _, rows = np.unique(train.stimulus, return_inverse=True)
    return ridge.prepare(
        np.asarray(train.fmri),
        rows,
        k=config.decoding.k,
        alpha=config.decoding.alpha,
    )


class Wanted(NamedTuple):
    """Trials of one test set, whose features are decoded.

    Attributes:
      names: of the trials.
      fmri: [trials, voxels], normalised as the training trials.
      folder: gets the features, in the compact layout.
    """

    names: Sequence[str]
    fmri: np.ndarray
    folder: pathlib.Path


def decode(
    prepared: ridge.Prepared,
    layers: Mapping[str, Layer],
    names: Sequence[str],
    sets: Sequence[Wanted],
    config: ConfigDict,
    log: Log | None = None,
) -> None:
    """Decodes features, as the ridge gives them: their spread is too small.

    Each unit is fitted once for all test sets. A layer that a folder holds of
    the same trials and true features is left as it is, and so are finished
    blocks of the others.

    Args:
      prepared: of `fit_ridge`.
      layers: layer -> true features on disk.
      names: of the training stimuli there, in ascending order.
      sets: what is decoded; hosts share the blocks, which lie in the folder
        of the first.
      config: of the experiment.
      log: given, layer by layer, how many units were decoded and the
        standard deviation of the first set's decoded over that of true
        features: what ridge has shrunk, on the first host.
    """
    history, before = [], 0
    of_sets = [_made_from(prepared, each.fmri) for each in sets]
    for each in sets:
        hosts.run_on_first(lambda x=each: _begin(x.folder, x.names))
        hosts.wait_for_file(each.folder / feature_folders.INDEX)
    fmri = np.concatenate([each.fmri for each in sets])
    step = _units_at_a_time(len(names), len(fmri), config)
    decoder = ridge.decoder(
        prepared, fmri, units_at_a_time=config.decoding.units_at_a_time
    )
    made_from, first = _made_from(prepared, fmri), sets[0].folder
    total = sum(layer.units for layer in layers.values())
    with hosts.progress('decode', total, unit='units') as show:
        for number, (name, layer) in enumerate(layers.items(), 1):
            some = _hash_some(layer, names)
            keys = [f'{each}{some}' for each in of_sets]
            if not hosts.run_on_first(
                lambda n=name, keys=keys: all(
                    _there(each.folder, n, key) for each, key in zip(sets, keys)
                )
            ):
                blocks = decoding_blocks.decode(
                    decoder,
                    layer,
                    names,
                    _unfinished(first, name, f'{made_from}{some}'),
                    step,
                    lambda done, name=name, at=before: show(at + done, name),
                )
                hosts.run_on_first(
                    lambda x=layer, b=blocks, keys=keys: _join(x, b, sets, keys)
                )
            before += layer.units
            show(before, name)
            history.append({'step': number} | _shrunk(first, layer, names))
            if log and hosts.is_first():
                log(history)


def _made_from(prepared: ridge.Prepared, fmri: np.ndarray) -> str:
    return provenance.hash_arrays(
        *(prepared.rows, prepared.sums, np.asarray(fmri)),
        np.array([prepared.k, prepared.alpha]),
    )


def _units_at_a_time(stimuli: int, trials: int, config: ConfigDict) -> int:
    """How many units are read at once, of all training stimuli."""
    # As they are read and as they are decoded, each twice for a moment.
    each = 2 * 4 * (stimuli + trials)
    allowed = memory.budget(config.memory_gib) / 16
    return max(memory.how_many(allowed, each, 2**20), 1024)


def _hash_some(layer: Layer, names: Sequence[str]) -> str:
    """What tells true features from others: three pictures of them."""
    some = sorted({0, len(names) // 2, len(names) - 1})
    return provenance.hash_arrays(
        feature_folders.read(layer, [names[i] for i in some])
    )


def _begin(folder: pathlib.Path, trials: Sequence[str]) -> None:
    """Notes whose features these are; what was of other trials goes."""
    path = folder / feature_folders.INDEX
    try:
        if files.read_json(path)['names'] == list(trials):
            return
    except (InputError, KeyError, TypeError, OSError):
        pass
    if folder.exists():
        shutil.rmtree(folder)
    files.writable_folder(folder)
    files.write_json(path, {'names': list(trials)})


def _there(folder: pathlib.Path, name: str, key: str) -> bool:
    """Whether a layer was decoded before, from the same."""
    try:
        said = files.read_json(folder / f'{name}.{_WHOLE}')
        path = folder / f'{feature_folders.file_name(name)}.npy'
        return said == {'made_from': key, **provenance.hash_file(path)}
    except (InputError, OSError):
        return False


def _unfinished(folder: pathlib.Path, name: str, key: str) -> pathlib.Path:
    """Returns the folder for the blocks of a layer; others' are removed."""
    digest = provenance.hash_arrays(np.frombuffer(key.encode(), np.uint8))
    wanted = folder / f'{name}.unfinished-{digest[:16]}'

    def make() -> None:
        for found in folder.glob(f'{name}.unfinished-*'):
            if found != wanted:
                shutil.rmtree(found)
        files.writable_folder(wanted)

    hosts.run_on_first(make)
    return wanted


def _join(
    layer: Layer,
    blocks: Sequence[pathlib.Path],
    sets: Sequence[Wanted],
    keys: Sequence[str],
) -> None:
    """Makes one file of a layer's blocks for each set, and they go."""
    name, start = layer.name, 0
    for each, key in zip(sets, keys):
        path = each.folder / f'{feature_folders.file_name(name)}.npy'
        stop = start + len(each.fmri)
        with files.atomic(path) as part:
            arrays.create_npy(part, (stop - start, *layer.shape))
            for at, values in decoding_blocks.rows(blocks, layer, start, stop):
                arrays.write_rows(part, at - start, values)
        said = {'made_from': key, **provenance.hash_file(path)}
        files.write_json(each.folder / f'{name}.{_WHOLE}', said)
        start = stop
    shutil.rmtree(blocks[0].parent)


def _shrunk(
    folder: pathlib.Path, layer: Layer, names: Sequence[str]
) -> dict[str, float]:
    """What `decode` tells of a layer, by some of its units if they are many."""
    decoded = feature_folders.open_layers(folder, [layer.name])[layer.name]
    spread, of_true = (
        feature_folders.read_some(x, of, MEASURED).std(0).mean()
        for x, of in ((decoded, decoded.names), (layer, names))
    )
    return {
        f'{layer.name}/units': math.prod(layer.shape),
        f'{layer.name}/spread': spread / of_true if of_true else 0.0,
    }

"""From a recording and true features to decoded features in folders.

Every unit of every layer is decoded by the ridge of `linear.ridge`, blocks of
units after each other, and written in the field's layout,
OUT/LAYER/SUBJECT/ROI/PICTURE.mat. What a block gave lies in an unfinished
table until its layer is whole; OUT/SUBJECT-ROI.json, the manifest, tells which
layers are whole and what they were made from, so that a run that was cut off
goes on and nothing half-written is taken for whole.
"""

import hashlib
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from brainjax import features, files
from brainjax.errors import InputError
from brainjax.files import PathLike
from brainjax.linear import ridge
from brainjax.networks import frozen
from brainjax.recordings import Recording, Trials, average_repeats

UNITS_AT_A_TIME = 4096  # Read and decoded between two marks of progress.


class Setting(NamedTuple):
    """How features are decoded; the published values.

    Attributes:
      k: voxels of each unit, 0 for all.
      alpha: the penalty.
      single_trials: decode each test trial, not the average of a stimulus.
    """

    k: int = 500
    alpha: float = 100.0
    single_trials: bool = False


PUBLISHED = Setting()


def decode(
    recording: Recording,
    true: PathLike,
    out: PathLike,
    *,
    layers: Sequence[str] | None = None,
    roi: str = 'all',
    setting: Setting = PUBLISHED,
    units_at_a_time: int = UNITS_AT_A_TIME,
    threads: int | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> list[pathlib.Path]:
    """Decodes the features of the test stimuli from their fMRI.

    The ridge is fitted to single training trials. A layer that the manifest
    calls whole is left as it is. The files hold what the ridge gave; whoever
    reads them corrects their spread with `linear.scaling`.

    Args:
      recording: already restricted to the voxels of `roi`.
      true: folder with the true features of the training stimuli, by their
        names; see `features.open_layers`.
      out: folder for the decoded features.
      layers: which; None for all that `true` holds.
      roi: name for the folders.
      setting: of the ridge.
      units_at_a_time: bounds the memory: so many units of all training
        stimuli, and as many weights of all voxels.
      threads: of the CPU; None for all.
      progress: called with units done, units in all and the layer.

    Returns:
      The folders OUT/LAYER/SUBJECT/ROI.

    Raises:
      InputError: a training stimulus has no features, the fMRI cannot be used,
        or `out` holds features that were decoded otherwise.
    """
    found = features.open_layers(true, layers)
    shown, rows = np.unique(recording.train.stimulus, return_inverse=True)
    names = [recording.stimuli.names[i] for i in shown]
    for layer in found.values():
        features.check_names(layer, names)
    labels, test = _test_trials(recording, setting.single_trials)
    out = files.writable_folder(out)
    frozen.carry_origin(true, out)
    manifest = _Manifest(
        out / f'{features.file_name(recording.subject)}-'
        f'{features.file_name(roi)}.json',
        _origin(recording, setting, found, names),
    )
    prepared = None
    total = sum(layer.units for layer in found.values())
    folders, before = [], 0
    for name, layer in found.items():
        folder = out / name / recording.subject / roi
        folders.append(folder)
        if not manifest.whole(name, folder):
            prepared = prepared or ridge.prepare(
                np.asarray(recording.train.fmri),
                rows,
                k=setting.k,
                alpha=setting.alpha,
            )
            decoder = ridge.decoder(prepared, test.fmri, threads=threads)
            _decode_layer(
                decoder,
                layer,
                names,
                labels,
                manifest,
                folder,
                units_at_a_time,
                lambda done, at=before, name=name: (
                    progress and progress(at + done, total, name)
                ),
            )
        before += layer.units
        if progress:
            progress(before, total, name)
    return folders


def _test_trials(
    recording: Recording, single: bool
) -> tuple[list[str], Trials]:
    """Returns the names of what is decoded, and its trials."""
    test = recording.test if single else average_repeats(recording.test)
    names = [recording.stimuli.names[i] for i in test.stimulus]
    if single:
        names = [f'sample{i:06d}-{name}' for i, name in enumerate(names, 1)]
    return names, test


def _decode_layer(
    decoder, layer, names, labels, manifest, folder, units_at_a_time, progress
) -> None:
    """Decodes one layer block by block, then writes a file a picture."""
    blocks = _blocks(layer.shape, units_at_a_time)
    unfinished = manifest.path.with_suffix(f'.{layer.name}.unfinished')
    table = _Unfinished(unfinished, (len(blocks), manifest.digest))
    parts = []
    done = 0
    for i, (start, stop) in enumerate(blocks):
        values = table.read(i)
        if values is None:
            true = features.read(layer, names, start, stop)
            flat = true.reshape(len(names), -1)
            values = np.hstack([*decoder(flat)]).astype(np.float32)
            table.write(i, values)
        parts.append(values)
        done += values.shape[1]
        progress(done)
    decoded = np.hstack(parts).reshape(len(labels), *layer.shape)
    features.write_features(folder, '', labels, decoded)
    manifest.add(layer.name, folder, labels)
    table.remove()


def _blocks(shape: tuple[int, ...], units: int) -> list[tuple[int, int]]:
    """Divides the first axis so that a part holds at most so many units."""
    each = int(np.prod(shape[1:], dtype=np.int64))
    step = max(1, units // each)
    return [(i, min(i + step, shape[0])) for i in range(0, shape[0], step)]


class _Unfinished:
    """The blocks of a layer that were decoded so far, a file each."""

    def __init__(self, folder: pathlib.Path, origin: tuple[int, str]):
        self._folder = folder
        self._key = hashlib.sha256(repr(origin).encode()).hexdigest()[:16]

    def _path(self, block: int) -> pathlib.Path:
        return self._folder / f'{self._key}-{block:06d}.npy'

    def read(self, block: int) -> np.ndarray | None:
        path = self._path(block)
        if not path.exists():
            return None
        return np.load(path, allow_pickle=False)

    def write(self, block: int, values: np.ndarray) -> None:
        path = self._path(block)
        with files.atomic(path) as temporary, open(temporary, 'wb') as stream:
            np.save(stream, values)

    def remove(self) -> None:
        for path in self._folder.glob('*.npy'):
            path.unlink()
        self._folder.rmdir()


class _Manifest:
    """Which layers are whole, and what they were made from."""

    def __init__(self, path: pathlib.Path, origin: Mapping[str, Any]):
        self.path = path
        self.digest = hashlib.sha256(
            json.dumps(origin, sort_keys=True).encode()
        ).hexdigest()
        self._content = {'made_from': dict(origin), 'layers': {}}
        if path.exists():
            try:
                there = json.loads(path.read_text(encoding='utf-8'))
                same = there['made_from'] == self._content['made_from']
                self._content['layers'] = dict(there['layers'])
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise InputError(
                    f'{path} is damaged ({error}); remove it and the features '
                    'beside it, or name another folder.'
                ) from error
            if not same:
                raise InputError(
                    f'{path} tells of features that were decoded otherwise '
                    f'({_difference(there["made_from"], origin)}); name '
                    'another folder.'
                )
        else:
            files.write_json(path, self._content)

    def whole(self, layer: str, folder: pathlib.Path) -> bool:
        """True if every file of a layer is there, as long as it was."""
        sizes = self._content['layers'].get(layer)
        return sizes is not None and all(
            (folder / name).is_file()
            and (folder / name).stat().st_size == entry['bytes']
            for name, entry in sizes.items()
        )

    def add(
        self, layer: str, folder: pathlib.Path, labels: Sequence[str]
    ) -> None:
        self._content['layers'][layer] = {
            f'{label}.mat': {
                'bytes': (folder / f'{label}.mat').stat().st_size,
                'sha256': files.sha256(folder / f'{label}.mat'),
            }
            for label in labels
        }
        files.write_json(self.path, self._content)


def _origin(
    recording: Recording,
    setting: Setting,
    layers: Mapping[str, features.Layer],
    names: Sequence[str],
) -> dict[str, Any]:
    """What the result depends on, ready for JSON."""
    digest = hashlib.sha256()
    for trials in (recording.train, recording.test):
        digest.update(np.ascontiguousarray(trials.stimulus))
        for start in range(0, len(trials), 1024):
            block = trials.fmri[start : start + 1024]
            digest.update(np.ascontiguousarray(block))
    digest.update('\n'.join(names).encode())
    return {
        'recording': recording.source,
        'fmri': digest.hexdigest(),
        'voxels': recording.voxels,
        'k': setting.k,
        'alpha': setting.alpha,
        'single_trials': setting.single_trials,
        'simulated': recording.simulated,
    }


def _difference(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    for name, value in ours.items():
        if theirs.get(name) != value:
            return f'{name} is {theirs.get(name)!r} there and {value!r} here'
    return 'more is written there'

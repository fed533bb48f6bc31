"""What says that a run is done, and that nothing has changed since.

    W/finished.json    what the run was made from, and what it wrote

Such a run is not done again. Anything that its results may depend on, if it
changes, makes it go on from its checkpoints as one that was interrupted.
"""

import dataclasses
import hashlib
import itertools
import json
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from brainjax.io import files, progress, provenance
from brainjax.training import hosts

FILE = 'finished.json'
SCORES = 'scores.json'
_FOLDERS = ('images', 'maps', 'model')  # That hold results.
# Files that hold none.
_NO_RESULTS = (FILE, provenance.CONFIG, provenance.DATA, 'metrics.csv')
# Of trials, whose responses may lie on disk; `fingerprints` has them.
_RESPONSES = ('fmri', 'unpaired_fmri')


def once(
    folder: pathlib.Path,
    config: ConfigDict,
    fingerprints: Mapping[str, str],
    data: Sequence[Any],
    make: Callable[[], dict[str, Any]],
    runs: Sequence[str] = (),
) -> dict[str, Any]:
    """Makes a run's results, or takes those of the same run that is done.

    Args:
      folder: of the run.
      config, fingerprints, data: see `made_from`.
      make: all that a run writes; returns what scores.json holds.
      runs: names of folders in it, of runs whose results are its own too.

    Returns:
      The same; {} on all hosts but the first.
    """
    depends = {}

    def look():
        depends.update(made_from(config, fingerprints, *data))
        return read(folder, depends)

    found = _done(folder, look)
    if found is not None:
        return found
    if hosts.is_first():  # Until all is there again.
        (folder / FILE).unlink(missing_ok=True)
    found = make()
    if hosts.is_first():
        write(folder, depends, runs)
    return found


def early(folder: files.PathLike, config: ConfigDict) -> dict[str, Any] | None:
    """What `once` takes, before anything is opened, where the data are files.

    Files of the same size and time are taken to be the same, and what is
    simulated to follow from config and code.

    Args:
      folder: of the run.
      config: whose recording and pictures may be simulated.

    Returns:
      What `once` returns, or None where the data have to be looked at.
    """

    def look():
        paths = config.recording.path, config.pictures.path
        # Of another kind of place no time is known.
        known = all(not path or os.path.exists(path) for path in paths)
        # Most runs are not done: nothing is hashed for them.
        if known and (pathlib.Path(folder) / FILE).exists():
            return read(folder, _around(config))
        return None

    return _done(folder, look)


def _done(folder, look):
    """What the first host finds done: {} on the others, None if nothing."""
    found = hosts.run_on_first(look)
    if found is None:
        return None
    progress.note(f'{folder} is done; nothing has changed.', level=2)
    return found if hosts.is_first() else {}


def made_from(
    config: ConfigDict, fingerprints: Mapping[str, str], *data: Any
) -> dict[str, Any]:
    """Returns all that a run's results depend on, ready for JSON.

    Args:
      config: of the experiment.
      fingerprints: hashes of what may be learned from, see
        `methods.data.fingerprints`.
      *data: what else is told of recordings and pictures: values, arrays,
        tuples, mappings and dataclasses of these.
    """
    digest = hashlib.sha256()
    _add(digest, data)
    return files.json_ready(
        {
            **_around(config),
            'data': fingerprints,
            'described': digest.hexdigest(),
        }
    )


def _around(config):
    """What is known before the data are opened."""
    settings = json.loads(config.to_json_best_effort())
    settings.pop('log', None)  # Changes nothing that is found.
    return files.json_ready(
        {
            'config': settings,
            # A path may stand for other contents than it did.
            'files': {
                path: _stat(path)
                for path in _words(settings)
                if path and os.path.exists(path)
            },
            # Scores are by networks that are at hand.
            'weights': {
                path.name: _stat(path)
                for path in sorted(files.cache_folder('weights').glob('*'))
            },
            'code': provenance.hash_code(),
            'versions': provenance.versions(),
        }
    )


def write(
    folder: files.PathLike,
    depends: Mapping[str, Any],
    runs: Sequence[str] = (),
) -> None:
    """Notes that a run is done; the last thing that it does.

    Args:
      folder: of the run.
      depends: of `made_from`.
      runs: see `once`.
    """
    folder = pathlib.Path(folder)
    every = [folder, *(folder / name for name in runs)]
    written = itertools.chain.from_iterable(map(_results, every))
    provenance.write_manifest(folder / FILE, depends, written)


def read(
    folder: files.PathLike, depends: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Returns what scores.json holds of a run that is done, else None.

    Its files have to be there as it wrote them.

    Args:
      folder: of the run.
      depends: of `made_from`, or a part of it.
    """
    folder = pathlib.Path(folder)
    if SCORES not in (provenance.unchanged(folder / FILE, depends) or ()):
        return None
    return files.read_json(folder / SCORES)


def _results(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    for path in sorted(folder.glob('[!.]*')):
        if path.is_dir() and path.name in _FOLDERS:
            yield from (each for each in path.rglob('*') if each.is_file())
        elif path.is_file() and path.name not in _NO_RESULTS:
            yield path


def _add(digest: Any, value: Any) -> None:
    """Adds a value to a hash, unless it is responses."""
    if dataclasses.is_dataclass(value):
        value = {
            field.name: getattr(value, field.name)
            for field in dataclasses.fields(value)
            if field.name not in _RESPONSES
        }
    if isinstance(value, np.ndarray):
        digest.update(provenance.hash_arrays(value).encode())
    elif isinstance(value, Mapping):
        for name in sorted(value):
            digest.update(f'{name}:'.encode())
            _add(digest, value[name])
    elif isinstance(value, Sequence) and not isinstance(value, str):
        digest.update(f'{len(value)} of'.encode())
        for each in value:
            _add(digest, each)
    else:
        digest.update(f'{value!r};'.encode())


def _words(settings: Any) -> Iterator[str]:
    """All strings in settings."""
    if isinstance(settings, str):
        yield settings
    elif isinstance(settings, Mapping):
        for each in settings.values():
            yield from _words(each)
    elif isinstance(settings, Sequence):
        for each in settings:
            yield from _words(each)


def _stat(path: files.PathLike) -> list[list[Any]]:
    """Sizes and times of a file, or of all in a folder."""
    path = pathlib.Path(path)
    every = sorted(path.rglob('*')) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for each in every:
        found = each.stat()
        digest.update(
            f'{each.name} {found.st_size} {found.st_mtime_ns};'.encode()
        )
    return [len(every), digest.hexdigest()]

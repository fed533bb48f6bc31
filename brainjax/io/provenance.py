"""What was made from what: run folders, manifests, hashes, versions.

A manifest is a JSON file that says what the files beside it were made from.
Whoever would go on from those files compares it with what he has.
"""

import contextlib
import datetime
import hashlib
import importlib.metadata
import json
import pathlib
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

import brainjax
from brainjax.errors import InputError
from brainjax.io import files

CONFIG = 'config.json'
DATA = 'data.json'
# What a run writes beside those two: files, and folders without a suffix.
WRITTEN = (
    *('scores.json', 'report.html', 'reconstructions.npz'),
    *('per_picture.csv', 'targets.npz', 'repeats.csv'),
    *('outcome.npz', 'outcome.json', 'metrics.csv', 'finished.json'),
    *('checkpoints', 'images', 'audit', 'tensorboard', 'model'),
)
_ROWS = 1024  # Hashed at a time: rows may lie on disk.
_short = reprlib.Repr()  # Lists of names can be long; a hash is 64 letters.
_short.maxstring = 72


def versions() -> dict[str, str]:
    """Versions of what a result depends on, and the kind of device."""
    packages = ('jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'numpy')
    return {
        'brainjax': brainjax.__version__,
        **{name: importlib.metadata.version(name) for name in packages},
        'devices': f'{jax.device_count()} x {jax.devices()[0].device_kind}',
    }


def hash_code() -> str:
    """Returns the SHA-256 of this package's own modules."""
    digest = hashlib.sha256()
    for path in sorted(pathlib.Path(brainjax.__file__).parent.rglob('*.py')):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def hash_arrays(*arrays: Any) -> str:
    """Returns the SHA-256 of arrays, types and shapes; None is passed over.

    An array may be anything that is sliced by rows, such as fMRI on disk.
    """
    digest = hashlib.sha256()
    for array in arrays:
        if array is not None:
            digest.update(f'{array.dtype} {array.shape}'.encode())
            add_rows(digest, array)
    return digest.hexdigest()


def hash_tree(arrays: Mapping[str, Any]) -> str:
    """Returns the SHA-256 of named arrays, such as a network's weights."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f'{name} {array.dtype} {array.shape}'.encode())
        digest.update(array)
    return digest.hexdigest()


def hash_file(path: files.PathLike) -> dict[str, Any]:
    """Returns the size of a file in bytes, and its SHA-256."""
    size = pathlib.Path(path).stat().st_size
    return {'bytes': size, 'sha256': files.sha256(path)}


def add_rows(digest: Any, rows: Any) -> None:
    """Adds the bytes of rows to a `hashlib` digest, some at a time."""
    for start in range(0, len(rows), _ROWS):
        digest.update(np.ascontiguousarray(rows[start : start + _ROWS]))


def difference(
    theirs: Mapping[str, Any], ours: Mapping[str, Any]
) -> tuple[str, Any, Any] | None:
    """Returns the first of `differences`, or None."""
    return next(differences(theirs, ours), None)


def differences(
    theirs: Mapping[str, Any], ours: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    """Yields each name, in order, whose value differs, and both values.

    Nested mappings are compared by their leaves, named 'decoder.epochs'.
    """
    old, new = _flat(theirs), _flat(ours)
    for name in sorted({*new, *old}):
        if new.get(name) != old.get(name):
            yield name, old.get(name), new.get(name)


def check_same(
    path: files.PathLike,
    theirs: Mapping[str, Any],
    ours: Mapping[str, Any],
    what: str,
    remedy: str = 'name another folder',
) -> None:
    """Refuses files that were made from something else than is at hand.

    Args:
      path: of the manifest.
      theirs: what it says.
      ours: what is at hand, what tells most coming first; what the manifest
        says besides makes no difference.
      what: the files are, for the message.
      remedy: what to do, likewise.
    """
    for name, value in files.json_ready(ours).items():
        found = difference({name: theirs.get(name)}, {name: value})
        if found:
            name, *both = found
            old, new = map(_short.repr, both)
            raise InputError(
                f'{path} tells of {what} with {name} {old}, and here it is '
                f'{new}; {remedy}.'
            )


def claim(
    path: pathlib.Path,
    ours: Mapping[str, Any],
    what: str,
    remedy: str = 'name another folder',
) -> None:
    """Writes a manifest, or checks that the one that is there says the same.

    Args:
      path, ours, what, remedy: see `check_same`.
    """
    if path.exists() and not stands_alone(path):
        theirs = files.read_json(path, remedy)
        check_same(path, theirs, ours, what, remedy)
    else:
        files.write_json(path, ours)


def stands_alone(path: pathlib.Path) -> bool:
    """Whether nothing lies beside a manifest: what it tells of was refused."""
    return not any(
        each.name != path.name and not each.name.startswith('.')
        for each in path.parent.iterdir()
    )


def write_manifest(
    path: files.PathLike,
    made_from: Mapping[str, Any],
    written: Iterable[pathlib.Path],
) -> None:
    """Notes what files were made from and what they hold, for `unchanged`.

    Args:
      path: of the manifest.
      made_from: all that the files depend on.
      written: the files, in its folder or below.
    """
    folder = pathlib.Path(path).parent
    found = {str(each.relative_to(folder)): hash_file(each) for each in written}
    about = {'made_from': files.json_ready(dict(made_from)), 'files': found}
    files.write_json(path, about)


def unchanged(
    path: files.PathLike, made_from: Mapping[str, Any]
) -> list[str] | None:
    """Names of a manifest's files if all are as they were written, else None.

    Args:
      path: of `write_manifest`; there may be none.
      made_from: what they have to be made from, or a part of it.
    """
    ours = files.json_ready(dict(made_from))
    try:
        about = files.read_json(path)
        if {name: about['made_from'][name] for name in ours} != ours:
            return None
        for name, was in about['files'].items():
            if hash_file(pathlib.Path(path).parent / name) != was:
                return None
        return [*about['files']]
    except (InputError, OSError, KeyError, TypeError, AttributeError):
        return None


@contextlib.contextmanager
def open_run_folder(
    workdir: files.PathLike, config: ConfigDict, writes: bool = True
) -> Iterator[pathlib.Path]:
    """Yields the folder, made if need be, which is for this config only.

    If the body is stopped before it has written anything, the folder is left
    as it was, but for what killed runs left half written.

    Args:
      workdir: of the run.
      config: of the experiment.
      writes: whether this process is the one that writes; the others of a run
        on many hosts leave the folder alone.

    Raises:
      InputError: another process is at work there, or has been with another
        config, or the folder holds files of that name that are no run's.
    """
    if not writes:
        yield pathlib.Path(workdir)
        return
    existed = pathlib.Path(workdir).exists()
    workdir = files.writable_folder(workdir)
    with files.exclusive_lock(workdir):
        for folder in {path.parent for path in workdir.rglob('*')}:
            files.sweep(folder)
        before = set(workdir.rglob('*'))
        _check_writable(workdir)
        _claim(workdir, config, before)
        try:
            yield workdir
        except BaseException:
            made = sorted({*workdir.rglob('*')} - before, reverse=True)
            ours = {workdir / CONFIG, workdir / DATA}
            if all(path.is_dir() for path in {*made} - ours):
                for path in made:  # What lies in a folder comes before it.
                    path.rmdir() if path.is_dir() else path.unlink()
                if not existed:
                    workdir.rmdir()
            raise


def check_run_folder(workdir: files.PathLike, config: ConfigDict) -> None:
    """Refuses a folder of another run; it is neither made nor changed."""
    workdir = pathlib.Path(workdir)
    if workdir.exists() and not workdir.is_dir():
        raise InputError(f'{workdir} is no folder; use another --workdir.')
    _claim(workdir, config, {*workdir.rglob('*')}, writes=False)


def _check_writable(workdir: pathlib.Path) -> None:
    """Refuses before a long run what would stop it from writing its end."""
    for path in map(workdir.joinpath, (CONFIG, DATA, *WRITTEN)):
        if path.suffix:
            files.check_replaceable(path)
        elif path.exists():
            files.writable_folder(path)
    for path in (workdir / 'images').glob('*'):
        files.check_replaceable(path)


def began(workdir: pathlib.Path) -> datetime.datetime:
    """When the data of a folder's run were first opened."""
    written = (workdir / DATA).stat().st_mtime
    return datetime.datetime.fromtimestamp(written, datetime.UTC)


def check_data(workdir: pathlib.Path, fingerprints: Mapping[str, str]) -> None:
    """Notes what the run learns from, or checks that it is what it was.

    Args:
      workdir: from `open_run_folder`.
      fingerprints: hashes of the 'recording' and the 'pictures'.

    Raises:
      InputError: the files of one of them hold something else now.
    """
    path = workdir / DATA
    if not path.exists():
        files.write_json(path, dict(fingerprints))
        return
    found = difference(
        files.read_json(path, 'use another --workdir'), fingerprints
    )
    if found:
        raise InputError(
            f'{workdir} holds a run on another {found[0]} than '
            f'is given now (config.{found[0]}.path); bring back what it was '
            'started with, or use another --workdir.'
        )


def _claim(
    workdir: pathlib.Path,
    config: ConfigDict,
    there: set[pathlib.Path],
    writes: bool = True,
) -> None:
    """Writes the config, or checks that it is what the folder's run had.

    Args:
      workdir: the folder.
      config: of the experiment.
      there: all that the folder holds.
      writes: False checks alone.
    """
    path = workdir / CONFIG
    ours = json.loads(config.to_json_best_effort())
    results = [name for name in WRITTEN if workdir / name in there]
    if path not in there:
        taken = [*results, *([DATA] if workdir / DATA in there else [])]
        if taken:
            raise InputError(
                f'{workdir} holds {taken[0]} and no {CONFIG} of a run that '
                'wrote it; use another --workdir.'
            )
        if writes:
            files.write_json(path, ours)
        return
    theirs = files.read_json(path, 'use another --workdir')
    # Any other program may write a config.json.
    if not {'method', 'seed', 'recording'} <= theirs.keys():
        raise InputError(
            f'{path} was not written by brainjax; use another --workdir.'
        )
    if not any(
        found.is_file() and found.name not in (CONFIG, DATA) for found in there
    ):
        # An earlier start wrote nothing else: the folder is free.
        if writes:
            (workdir / DATA).unlink(missing_ok=True)
            files.write_json(path, ours)
        return
    # What is told of a run changes nothing that it finds.
    found = difference(theirs | {'log': None}, ours | {'log': None})
    if found:
        name, old, new = found
        raise InputError(
            f'{workdir} holds a run with config.{name}={old!r}, and this one '
            f'has {new!r}; use another --workdir.'
        )


def _flat(tree: Mapping[str, Any], prefix: str = '') -> dict[str, Any]:
    result = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            result |= _flat(value, f'{prefix}{name}.')
        else:
            result[f'{prefix}{name}'] = value
    return result

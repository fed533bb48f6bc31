"""The folder of a run: for one config, one recording and one process."""

import contextlib
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError
from brainjax.io import files, fingerprint
from brainjax.recordings import Recording
from brainjax.training import hosts

CONFIG = 'config.json'
DATA = 'data.json'


@contextlib.contextmanager
def claimed(
    workdir: files.PathLike, config: ConfigDict
) -> Iterator[pathlib.Path]:
    """Yields the folder, made if need be, which is for this config only.

    If the body is stopped before it has written anything, the folder is left
    as it was. Of many hosts only the first one touches it.

    Raises:
      InputError: another process is at work there, or has been with another
        config.
    """
    if not hosts.is_first():
        yield pathlib.Path(workdir)
        return
    existed = pathlib.Path(workdir).exists()
    workdir = files.writable_folder(workdir)
    with files.exclusive_lock(workdir):
        before = set(workdir.rglob('*'))
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


def check_data(
    workdir: pathlib.Path, recording: Recording, pictures: np.ndarray
) -> None:
    """Notes what the run learns from, or checks that it is what it was.

    Of many hosts only the first one does it.

    Args:
      workdir: from `claimed`.
      recording: as loaded.
      pictures: the unpaired ones.

    Raises:
      InputError: the files of one of them hold something else now.
    """
    if not hosts.is_first():
        return
    ours = {
        'recording': fingerprint.of_recording(recording),
        'pictures': fingerprint.of_arrays(pictures),
    }
    if not (workdir / DATA).exists():
        files.write_json(workdir / DATA, ours)
        return
    theirs = _read(workdir / DATA)
    for name, value in ours.items():
        if theirs.get(name) != value:
            raise InputError(
                f'{workdir} holds a run on another {name} than '
                f'config.{name}.path has now; bring back the files it was '
                'started with, or use another --workdir.'
            )


def _claim(
    workdir: pathlib.Path, config: ConfigDict, there: set[pathlib.Path]
) -> None:
    """Writes the config, or checks that it is what the folder's run had.

    Args:
      workdir: the folder.
      config: of the experiment.
      there: all that the folder holds.
    """
    path = workdir / CONFIG
    ours = json.loads(config.to_json_best_effort())
    used = any(
        found.is_file() and found.name not in (CONFIG, DATA) for found in there
    )
    if not (path in there and used):
        (workdir / DATA).unlink(missing_ok=True)
        files.write_json(path, ours)
        return
    new, old = _flat(ours), _flat(_read(path))
    for name in sorted({*new, *old}):
        if new.get(name) != old.get(name):
            raise InputError(
                f'{workdir} holds a run with '
                f'config.{name}={old.get(name)!r}, and this one has '
                f'{new.get(name)!r}; use another --workdir.'
            )


def _read(path: pathlib.Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding='utf-8')))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f'{path} is damaged; use another --workdir.'
        ) from error


def _flat(tree: dict[str, Any], prefix: str = '') -> dict[str, Any]:
    result = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            result |= _flat(value, f'{prefix}{name}.')
        else:
            result[f'{prefix}{name}'] = value
    return result

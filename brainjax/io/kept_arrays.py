"""Arrays that a run keeps in a folder, and takes again while they hold.

    FOLDER/NAME.npy          an array
    FOLDER/made_from.json    what they were made from, and their SHA-256

They are a cache: what was made from something else, or is damaged, is made
anew.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from brainjax.errors import InputError
from brainjax.io import arrays, files, provenance

MANIFEST = 'made_from.json'


def write(
    folder: files.PathLike,
    made_from: Mapping[str, Any],
    kept: Mapping[str, np.ndarray],
) -> None:
    """Writes arrays, and last what says that they are whole.

    Args:
      folder: for them alone; made if need be.
      made_from: all that they depend on, ready for JSON.
      kept: by name.
    """
    folder = files.writable_folder(folder)
    (folder / MANIFEST).unlink(missing_ok=True)
    found = {}
    for name, array in kept.items():
        path = folder / f'{name}.npy'
        with files.atomic(path) as temporary, open(temporary, 'wb') as stream:
            np.lib.format.write_array(stream, array, allow_pickle=False)
        found[name] = provenance.hash_file(path)
    about = {'made_from': dict(made_from), 'files': found}
    files.write_json(folder / MANIFEST, about)


def read(
    folder: files.PathLike, made_from: Mapping[str, Any]
) -> dict[str, np.ndarray] | None:
    """Maps arrays into memory, read-only; None if there are none such."""
    folder = pathlib.Path(folder)
    try:
        about = files.read_json(folder / MANIFEST)
        if about['made_from'] != files.json_ready(dict(made_from)):
            return None
        found = {}
        for name, was in about['files'].items():
            path = folder / f'{name}.npy'
            if provenance.hash_file(path) != was:
                return None
            found[name] = arrays.open_npy(path)
    except (InputError, OSError, KeyError, TypeError, AttributeError):
        return None
    return found

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
      made_from: all that they depend on.
      kept: by name.
    """
    folder = files.writable_folder(folder)
    (folder / MANIFEST).unlink(missing_ok=True)
    paths = [folder / f'{name}.npy' for name in kept]
    for path, array in zip(paths, kept.values()):
        with files.atomic(path) as temporary, open(temporary, 'wb') as stream:
            np.lib.format.write_array(stream, array, allow_pickle=False)
    provenance.write_manifest(folder / MANIFEST, made_from, paths)


def read(
    folder: files.PathLike, made_from: Mapping[str, Any]
) -> dict[str, np.ndarray] | None:
    """Maps arrays into memory, read-only; None if there are none such."""
    folder = pathlib.Path(folder)
    names = provenance.unchanged(folder / MANIFEST, made_from)
    if names is None:
        return None
    paths = [folder / name for name in names]
    return {path.stem: arrays.open_npy(path) for path in paths}

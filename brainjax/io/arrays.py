"""npz files, looked at before they are loaded."""

import contextlib
import math
import os
import tokenize
import zipfile
import zlib
from collections.abc import Sequence

import numpy as np

from brainjax.errors import InputError
from brainjax.io import untrusted
from brainjax.io.files import PathLike, atomic

LARGEST = 32 * 2**30  # Bytes that all arrays of one file may hold.

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def names(path: PathLike) -> frozenset[str]:
    """Returns the names of the arrays; none if it is no whole npz file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return frozenset(
                name.removesuffix('.npy') for name in archive.namelist()
            )
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return frozenset()


def shapes(
    path: PathLike, text: Sequence[str] | None = ()
) -> dict[str, tuple[int, ...]]:
    """Returns the declared shape of each array, loading none of them.

    Args:
      path: the file.
      text: names of arrays that may hold text; None for all.
    """
    found = {}
    total = 0
    there = os.path.getsize(path) if os.path.exists(path) else 0
    with _damage(path), zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.filename.endswith('.npy'):
                continue
            name = member.filename.removesuffix('.npy')
            with archive.open(member) as stream:
                version = np.lib.format.read_magic(stream)
                if version not in _HEADERS:
                    raise ValueError(f'{name} has npy version {version}')
                shape, _, dtype = _HEADERS[version](stream)
                held = member.file_size - stream.tell()
            textual = text is None or name in text
            if dtype.kind not in ('biufU' if textual else 'biuf'):
                raise InputError(
                    f'{path}: {name} has dtype {dtype}, which is never '
                    'loaded; save it again as a plain numeric array.'
                )
            size = math.prod(shape) * dtype.itemsize
            total += size
            if total > min(LARGEST, untrusted.most_bytes(there)):
                raise InputError(
                    f'{path}: {name} declares {size / 2**30:.1f} GiB in a '
                    f'file of {there / 2**20:.1f} MiB; so much is not read, '
                    'check that it is the right one.'
                )
            if size != held:
                raise ValueError(f'{name} holds {held} of {size} bytes')
            found[name] = shape
    return found


def load(path: PathLike, wanted: Sequence[str]) -> dict[str, np.ndarray]:
    """Loads some of the arrays that `shapes` has found fit to load."""
    with _damage(path), np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in wanted}


def read(path: PathLike) -> dict[str, np.ndarray]:
    """Reads all arrays, of numbers and of text."""
    return load(path, [*shapes(path, text=None)])


def write(path: PathLike, **arrays: np.ndarray) -> None:
    """Writes arrays to a compressed npz file."""
    with atomic(path) as temporary, open(temporary, 'wb') as stream:
        np.savez_compressed(stream, **arrays)


def _damage(path: PathLike) -> contextlib.AbstractContextManager[None]:
    return untrusted.as_input_error(
        path,
        'npz file',
        SyntaxError,
        tokenize.TokenError,
        zipfile.BadZipFile,
        zlib.error,
    )

"""npz and npy files, looked at before they are loaded."""

import contextlib
import math
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from brainjax.errors import InputError
from brainjax.io import untrusted
from brainjax.io.files import PathLike, atomic

_NPY = b'\x93NUMPY'
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
    path: PathLike,
    text: Sequence[str] | None = (),
    wanted: Sequence[str] | None = None,
) -> dict[str, tuple[int, ...]]:
    """Returns the declared shape of each array, loading none of them.

    Args:
      path: the file.
      text: names of arrays that may hold text; None for all.
      wanted: names of arrays; what others hold does not matter. None for all.
    """
    found = {}
    total = 0
    with _damage(path), zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.filename.endswith('.npy'):
                continue
            name = member.filename.removesuffix('.npy')
            if wanted is not None and name not in wanted:
                continue
            # The header as well may say that it is 4 GiB long.
            untrusted.check_size(path, member.file_size, name)
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
                    'loaded; save it again as a plain array of numbers'
                    f'{" or text (astype(str))" if textual else ""}.'
                )
            size = math.prod(shape) * dtype.itemsize
            total += size
            untrusted.check_size(path, total, name)
            if size != held:
                raise ValueError(f'{name} holds {held} of {size} bytes')
            found[name] = shape
    return found


def load(path: PathLike, wanted: Sequence[str]) -> dict[str, np.ndarray]:
    """Loads some of the arrays that `shapes` has found fit to load."""
    with _damage(path), np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in wanted}


def read(
    path: PathLike, wanted: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """Reads all arrays, of numbers and of text, or those wanted."""
    return load(path, [*shapes(path, None, wanted)])


def write(path: PathLike, **arrays: np.ndarray) -> None:
    """Writes arrays to a compressed npz file."""
    with atomic(path) as temporary, open(temporary, 'wb') as stream:
        np.savez_compressed(stream, **arrays)


def as_array(value: Any, what: str) -> np.ndarray:
    """Returns a caller's value as an array; what is masked in it is NaN.

    Args:
      value: anything.
      what: it is, for messages.
    """
    try:
        if np.ma.is_masked(value) and value.dtype.kind in 'biuf':
            return value.astype(np.float64).filled(np.nan)
        return np.asarray(value)
    except Exception as error:  # A library's array may be on a device.
        raise InputError(
            f'{what} cannot be made an array ({untrusted.first_line(error)}); '
            'give NumPy arrays.'
        ) from error


def is_npy(path: PathLike) -> bool:
    """True for an npy file, judged by its first bytes."""
    with open(path, 'rb') as stream:
        return stream.read(len(_NPY)) == _NPY


def open_npy(path: PathLike) -> np.ndarray:
    """Maps the numbers of an npy file into memory, read-only."""
    with untrusted.as_input_error(
        path, 'npy file of numbers', SyntaxError, tokenize.TokenError
    ):
        with open(path, 'rb') as stream:
            version = np.lib.format.read_magic(stream)
            header = _HEADERS.get(version)
            if header and header(stream)[2].hasobject:
                raise InputError(
                    f'{path} holds Python objects, such as a dictionary of '
                    'arrays (as GLMsingle saves), which are never loaded; save '
                    'the array that is wanted by itself.'
                )
        return np.lib.format.open_memmap(path, mode='r')


def create_npy(path: PathLike, shape: tuple[int, ...]) -> None:
    """Makes a file of zeros, float32, that `write_rows` fills."""
    with untrusted.as_input_error(path, 'npy file of numbers'):
        np.lib.format.open_memmap(path, 'w+', np.float32, shape)


def write_rows(path: PathLike, start: int, values: np.ndarray) -> None:
    """Writes rows of an npy file that is there, float32, from `start` on.

    Not through a map: its pages would count as memory of this process.
    """
    array = open_npy(path)
    values = np.ascontiguousarray(values, np.float32)
    if values.shape[1:] != array.shape[1:] or array.dtype != np.float32:
        raise ValueError(f'{path} has rows of {array.shape[1:]}')
    with open(path, 'r+b') as stream:
        stream.seek(array.offset + start * array.strides[0])
        stream.write(memoryview(values).cast('B'))


def read_part(
    path: PathLike, rows: Sequence[int], start: int, stop: int
) -> np.ndarray:
    """Reads [rows, start:stop] of an npy file, and nothing else of it.

    Not through a map: its pages would count as memory of this process.

    Args:
      path: of an array of at least two axes.
      rows: which, in the order wanted.
      start, stop: of the second axis.
    """
    array = open_npy(path)
    if not array.flags.c_contiguous:
        return np.array(array[list(rows), start:stop])
    part = np.empty((len(rows), stop - start, *array.shape[2:]), array.dtype)
    with open(path, 'rb', buffering=0) as stream:
        for row, into in zip(rows, part):
            place = row * array.strides[0] + start * array.strides[1]
            stream.seek(array.offset + place)
            _fill(stream, into, path)
    return part


def _fill(stream: Any, into: np.ndarray, path: PathLike) -> None:
    left = memoryview(into.reshape(-1)).cast('B')
    while left:
        read = stream.readinto(left)
        if not read:
            raise InputError(f'{path} is cut short; write it again.')
        left = left[read:]


def _damage(path: PathLike) -> contextlib.AbstractContextManager[None]:
    return untrusted.as_input_error(
        path,
        'npz file',
        SyntaxError,
        tokenize.TokenError,
        zipfile.BadZipFile,
        zlib.error,
    )

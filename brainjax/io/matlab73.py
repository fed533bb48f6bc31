"""MATLAB 7.3 files, which are HDF5: numbers, text, cells and structures.

MATLAB writes dimensions in reverse, the content of cells by reference, and
the class of a variable as an attribute. Only variables that have this
attribute are read, as the shape of others is not known.
"""

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import h5py
import numpy as np

from brainjax.errors import InputError
from brainjax.io import hdf5, untrusted
from brainjax.io.files import PathLike, atomic

_SIGNATURE = b'MATLAB 7.3 MAT-file'
_USERBLOCK = 512  # Bytes before the HDF5 part, which begin with the header.
_FLOATS = {np.dtype(np.float32): b'single', np.dtype(np.float64): b'double'}
_DEEPEST = 8  # Cells in cells, structures in structures.
_NUMBERS = (
    *('double', 'single', 'logical'),
    *(f'{sign}int{bits}' for sign in ('', 'u') for bits in (8, 16, 32, 64)),
)


def looks_like(path: PathLike) -> bool:
    """True for a MATLAB 7.3 file, judged by its first bytes."""
    with open(path, 'rb') as stream:
        return stream.read(len(_SIGNATURE)) == _SIGNATURE


def read(path: PathLike, wanted: Sequence[str]) -> dict[str, Any]:
    """Reads some variables; nothing in the file is executed.

    Returns:
      The wanted variables that the file holds: numbers as arrays, text as
      str, cells as object arrays of these, a structure as dict from field to
      content. The fields of several structures are object arrays.
    """
    with hdf5.opened(path) as file:
        most = untrusted.most_bytes(os.path.getsize(path))
        reading = _Reading(file, most, {})
        there = {*map(str, file)}  # Listing follows no link, asking would.
        return {
            name: _value(reading, name, _DEEPEST)
            for name in wanted
            if name in there
        }


def write(
    path: PathLike,
    variables: Mapping[str, np.ndarray],
    compress: bool = False,
) -> None:
    """Writes float32 and float64 arrays; whole or not at all.

    The same arrays always make the same bytes.

    Args:
      path: ending in .mat.
      variables: name -> array, in MATLAB's order of dimensions.
      compress: by gzip, for arrays that are mostly 0.
    """
    with atomic(path) as temporary:
        with h5py.File(
            temporary,
            'w',
            userblock_size=_USERBLOCK,
            libver='earliest',
            locking=False,
        ) as file:
            for name, values in variables.items():
                data = file.create_dataset(
                    name,
                    data=values.T,
                    compression='gzip' if compress else None,
                )
                data.attrs['MATLAB_class'] = np.bytes_(_FLOATS[values.dtype])
        with open(temporary, 'r+b') as stream:
            stream.write(_SIGNATURE.ljust(116) + bytes(8) + b'\x00\x02IM')


@dataclasses.dataclass
class _Reading:
    """How far the reading of one file has come.

    Attributes:
      file: opened.
      left: bytes that arrays not read yet may hold.
      known: what was read, by full name; each thing is read once, however
        many cells refer to it.
    """

    file: h5py.File
    left: int
    known: dict[str, Any]


def _value(reading: _Reading, name: str, deepest: int) -> Any:
    """Reads a variable, a cell or a field, with all that lies in it."""
    if name not in reading.known:
        if not deepest:
            raise InputError(
                f'{reading.file.filename}: {name} lies in more than '
                f'{_DEEPEST} cells or structures, which are not read; save it '
                'by itself.'
            )
        reading.known[name] = _read(reading, name, deepest - 1)
    return reading.known[name]


def _read(reading: _Reading, name: str, deepest: int) -> Any:
    file = reading.file
    node = file[name] if hdf5.inside(file, name) else None
    kind = _class(node)
    if isinstance(node, h5py.Group) and kind == 'struct':
        return {
            field: _value(reading, f'{name}/{field}', deepest) for field in node
        }
    if kind not in (*_NUMBERS, 'char', 'cell', 'several'):
        raise InputError(
            f'{file.filename}: {name} is '
            f'{f"of class {kind!r}" if kind else "no variable of MATLAB 7.3"}, '
            'which cannot be read; save it as numbers, text, cells or a '
            'structure.'
        )
    stored = hdf5.dataset(file, name, 'biufR')
    reading.left -= stored.size * stored.dtype.itemsize
    if reading.left < 0:
        raise InputError(
            f'{file.filename}: its variables declare far more than the file '
            'can hold; it is damaged or not what it seems.'
        )
    values = stored[()]
    if hdf5.attribute(node, 'MATLAB_empty'):
        shape = values.ravel().tolist()
        if math.prod(shape):
            raise ValueError(f'{name} is said to be empty and is not')
        return '' if kind == 'char' else np.zeros(shape)
    if kind == 'char':
        if values.dtype != np.uint16:
            raise ValueError(f'{name} is text of {values.dtype}')
        return values.astype('<u2').tobytes().decode('utf-16-le', 'replace')
    if kind in _NUMBERS:
        return values.T
    if values.dtype != object:
        raise ValueError(f'{name} is a cell array without references')
    cells = np.empty(values.shape, object)
    for i in np.ndindex(values.shape):
        target = file[values[i]].name
        if not target:
            raise ValueError(f'{name} refers to something without a name')
        cells[i] = _value(reading, target, deepest)
    return cells.T


def _class(node: h5py.HLObject | None) -> str | None:
    """Returns the MATLAB class; 'several' for a field of many structures."""
    if node is None:
        return None
    found = hdf5.attribute(node, 'MATLAB_class')
    if isinstance(found, bytes):
        return found.decode('ascii', 'replace')
    reference = isinstance(node, h5py.Dataset) and h5py.check_ref_dtype(
        node.dtype
    )
    return 'several' if reference is h5py.Reference else None

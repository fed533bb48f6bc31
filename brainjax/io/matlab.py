"""MATLAB v5 files: numbers, text, cells, structures, all lengths checked.

SciPy's reader is not used because a damaged file can crash it, and Python
with it, instead of raising an error.
"""

import math
import mmap
import os
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from brainjax.errors import InputError
from brainjax.io.files import PathLike

LARGEST = 8 * 2**30  # Bytes that one variable may hold; v5 itself ends at 4.

_SIGNATURE = b'MATLAB 5.0 MAT-file'
_HEADER = 128
_DEEPEST = 8  # Cells in cells, structures in structures.
_STORED = {
    1: np.int8,
    2: np.uint8,
    3: np.int16,
    4: np.uint16,
    5: np.int32,
    6: np.uint32,
    7: np.float32,
    9: np.float64,
    12: np.int64,
    13: np.uint64,
}
_ENCODINGS = {16: 'utf-8', 17: 'utf-16', 18: 'utf-32'}
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCTURE, _TEXT, _NUMBERS = 1, 2, 4, range(6, 16)

_ByteOrder = Literal['little', 'big']


class _Matrix(NamedTuple):
    """A variable or the content of a cell, before its values are read."""

    kind: int
    shape: tuple[int, ...]
    name: str
    values: memoryview


def looks_like(path: PathLike) -> bool:
    """True for a MATLAB v5 file, judged by its first bytes."""
    if not os.path.isfile(path):
        return False
    with open(path, 'rb') as stream:
        return stream.read(len(_SIGNATURE)) == _SIGNATURE


def names(path: PathLike) -> frozenset[str]:
    """Returns the names of the variables; none if it is no whole v5 file."""
    try:
        with open(path, 'rb') as stream:
            mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            content = memoryview(mapped)
        return frozenset(name for name, *_ in _variables(content))
    except (OSError, ValueError, zlib.error):
        return frozenset()


def read(path: PathLike, wanted: Sequence[str]) -> dict[str, Any]:
    """Reads some variables of a MATLAB v5 file; nothing in it is executed.

    Returns:
      The wanted variables that the file holds: numbers as arrays of the type
      they are stored in (MATLAB stores whole doubles as integers), text as
      str, cells as object arrays of these, a structure as dict from field
      to content, several of one variable as an object array of dicts.

    Raises:
      InputError: the file is missing, damaged, too large, or a wanted
        variable is neither numbers nor text nor cells nor a structure.
    """
    try:
        with open(path, 'rb') as stream:
            content = memoryview(stream.read())
        return _read(content, wanted)
    except FileNotFoundError as error:
        raise InputError(f'{path} does not exist; check the path.') from error
    except (OSError, ValueError, zlib.error) as error:
        raise InputError(
            f'{path} is not a complete MATLAB v5 file ({error}); copy or '
            'download it again.'
        ) from error


def _read(content: memoryview, wanted: Sequence[str]) -> dict[str, Any]:
    found = {}
    for name, kind, body, order in _variables(content):
        if name in wanted:
            if kind == _COMPRESSED:
                kind, body, _ = _element(_decompress(body), 0, order)
            if kind != _MATRIX:
                raise ValueError(f'an element has type {kind}')
            found[name] = _values(_matrix(body, order), order, _DEEPEST)
    return found


def _variables(
    content: memoryview,
) -> Iterator[tuple[str, int, memoryview, _ByteOrder]]:
    """Yields name, type, content and byte order of each variable, unread."""
    order = {b'IM': 'little', b'MI': 'big'}.get(bytes(content[126:128]))
    if content[: len(_SIGNATURE)] != _SIGNATURE or order is None:
        raise ValueError('its header is another')
    at = _HEADER
    while at < len(content):
        kind, body, at = _element(content, at, order)
        start = body
        if kind == _COMPRESSED:
            start = memoryview(zlib.decompressobj().decompress(body, 1024))[8:]
        elif kind != _MATRIX:
            raise ValueError(f'an element has type {kind}')
        yield _matrix(start, order).name, kind, body, order


def _decompress(body: memoryview) -> memoryview:
    decompressor = zlib.decompressobj()
    whole = decompressor.decompress(body, LARGEST)
    if not decompressor.eof:
        raise ValueError('a variable is cut off or too large')
    return memoryview(whole)


def _element(
    data: memoryview, at: int, order: _ByteOrder
) -> tuple[int, memoryview, int]:
    """Returns type and content of the element at a place, and the next place.

    Contents of up to four bytes share a word with type and size; others are
    padded to eight bytes, compressed ones excepted.
    """
    if at + 8 > len(data):
        raise ValueError('it is cut off')
    kind = int.from_bytes(data[at : at + 4], order)
    if kind >> 16:
        kind, size = kind & 0xFFFF, kind >> 16
        start, end = at + 4, at + 8
        if size > 4:
            raise ValueError('a size is wrong')
    else:
        size = int.from_bytes(data[at + 4 : at + 8], order)
        start = at + 8
        end = start + size + (-size % 8 if kind != _COMPRESSED else 0)
        if start + size > len(data):
            raise ValueError('it is cut off')
    return kind, data[start : start + size], end


def _matrix(data: memoryview, order: _ByteOrder) -> _Matrix:
    """Reads the flags, dimensions and name that precede the values."""
    if not len(data):
        return _Matrix(_NUMBERS[0], (0, 0), '', data)
    _, flags, at = _element(data, 0, order)
    _, shape, at = _element(data, at, order)
    _, name, at = _element(data, at, order)
    flags = int.from_bytes(flags[:4], order)
    dimensions = _array(shape, np.int32, order)
    if (dimensions < 0).any() or not 2 <= len(dimensions) <= 32:
        raise ValueError('the shape of a variable is wrong')
    return _Matrix(
        flags & 0xFF,
        tuple(dimensions.tolist()),
        bytes(name).decode('ascii'),
        data[at:],
    )


def _values(matrix: _Matrix, order: _ByteOrder, deepest: int) -> Any:
    count = math.prod(matrix.shape)
    if matrix.kind == _CELL and deepest:
        cells, _ = _contents(matrix.values, 0, count, order, deepest)
        return cells.reshape(matrix.shape, order='F')
    if matrix.kind == _STRUCTURE and deepest:
        return _structures(matrix, order, deepest)
    if matrix.kind != _TEXT and matrix.kind not in _NUMBERS:
        raise ValueError(
            f'{matrix.name or "a cell"} is neither numbers nor text nor cells '
            'nor a structure, or lies too deep'
        )
    if not count:
        return '' if matrix.kind == _TEXT else np.zeros(matrix.shape)
    kind, body, _ = _element(matrix.values, 0, order)
    if matrix.kind == _TEXT and kind in _ENCODINGS:
        return bytes(body).decode(_ENCODINGS[kind])
    if kind not in _STORED:
        raise ValueError(f'numbers have type {kind}')
    array = _array(body, _STORED[kind], order)
    if array.size != count:
        raise ValueError(f'a variable holds {array.size} of {count} numbers')
    if matrix.kind == _TEXT:
        return ''.join(map(chr, array))
    return array.reshape(matrix.shape, order='F')


def _contents(
    data: memoryview, at: int, count: int, order: _ByteOrder, deepest: int
) -> tuple[np.ndarray, int]:
    """Reads what cells or fields hold, one after another."""
    if count > len(data):
        raise ValueError('it is cut off')
    found = np.empty(count, object)
    for i in range(count):
        _, body, at = _element(data, at, order)
        found[i] = _values(_matrix(body, order), order, deepest - 1)
    return found, at


def _structures(
    matrix: _Matrix, order: _ByteOrder, deepest: int
) -> dict[str, Any] | np.ndarray:
    """Reads field names of one length, then the fields of each structure."""
    _, width, at = _element(matrix.values, 0, order)
    _, text, at = _element(matrix.values, at, order)
    width = int.from_bytes(width, order)
    if not width or len(text) % width:
        raise ValueError('the names of fields are cut off')
    fields = [
        bytes(text[i : i + width]).split(b'\0')[0].decode('ascii')
        for i in range(0, len(text), width)
    ]
    count = math.prod(matrix.shape)
    if not fields and count > 1:
        raise ValueError('structures have no fields')
    found = np.empty(count, object)
    for i in range(count):
        values, at = _contents(matrix.values, at, len(fields), order, deepest)
        found[i] = dict(zip(fields, values))
    return found[0] if count == 1 else found.reshape(matrix.shape, order='F')


def _array(
    data: memoryview, dtype: type[np.generic], order: _ByteOrder
) -> np.ndarray:
    stored = np.dtype(dtype).newbyteorder(order)
    return np.frombuffer(data, stored).astype(dtype)

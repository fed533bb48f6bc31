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
from brainjax.io import untrusted
from brainjax.io.files import PathLike

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
_PACKED = 1 << 16  # Bytes that are unpacked at once.
_CELL, _STRUCTURE, _TEXT, _NUMBERS = 1, 2, 4, range(6, 16)
_OBJECT = 17  # Also text in double quotes, which is an object of class string.
_COMPLEX = 0x800  # A flag.

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

    Objects, function handles and complex numbers are refused if wanted, and
    passed by if not.

    Returns:
      The wanted variables that the file holds: numbers as arrays of the type
      they are stored in (MATLAB stores whole doubles as integers), text as
      str, cells as object arrays of these, a structure as dict from field
      to content, several of one variable as an object array of dicts.
    """
    with untrusted.as_input_error(path, 'MATLAB v5 file', zlib.error):
        with open(path, 'rb') as stream:
            content = memoryview(stream.read())
        try:
            return _read(content, wanted)
        except _OtherKindError as error:
            raise InputError(f'{path}: {error}.') from error


class _OtherKindError(Exception):
    """A variable is of a kind that is never read."""


def _read(content: memoryview, wanted: Sequence[str]) -> dict[str, Any]:
    found = {}
    left = untrusted.most_bytes(len(content))  # For all that is unpacked.
    for name, kind, body, order in _variables(content):
        if name in wanted:
            if kind == _COMPRESSED:
                whole = _decompress(body, left, order)
                left -= len(whole)
                kind, body, _ = _element(whole, 0, order)
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


def _decompress(body: memoryview, most: int, order: _ByteOrder) -> memoryview:
    """Unpacks a variable, which says first how long it is."""
    unpacker = zlib.decompressobj()
    start = unpacker.decompress(body[:_PACKED], 8)
    size = 8 + int.from_bytes(start[4:], order)
    if size > most:
        raise ValueError('a variable is far larger than the file')
    whole = bytearray(size)
    whole[: len(start)] = start
    filled, at = len(start), _PACKED
    while not unpacker.eof:  # Not before the sum at its end was checked.
        packed = unpacker.unconsumed_tail
        if not packed:
            packed, at = body[at : at + _PACKED], at + _PACKED
        part = unpacker.decompress(packed, max(size - filled, 1))
        if not (packed or part) or filled + len(part) > size:
            raise ValueError('a variable is longer or shorter than it says')
        whole[filled : filled + len(part)] = part
        filled += len(part)
    return memoryview(whole)[:filled]


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
    flags = int.from_bytes(flags[:4], order)
    if flags & 0xFF == _OBJECT:  # Without a shape.
        _, name, at = _element(data, at, order)
        return _Matrix(_OBJECT, (), bytes(name).decode('ascii'), data[at:])
    _, shape, at = _element(data, at, order)
    _, name, at = _element(data, at, order)
    dimensions = _array(shape, np.int32, order)
    if (dimensions < 0).any() or not 2 <= len(dimensions) <= 32:
        raise ValueError('the shape of a variable is wrong')
    return _Matrix(
        _COMPLEX if flags & _COMPLEX else flags & 0xFF,
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
    what = matrix.name or 'a cell'
    if matrix.kind == _COMPLEX:
        raise _OtherKindError(
            f'{what} holds complex numbers; save their parts as real ones'
        )
    if matrix.kind != _TEXT and matrix.kind not in _NUMBERS:
        raise _OtherKindError(
            f'{what} is neither numbers nor text nor cells nor a structure '
            '(but an object, a function or a sparse array, say), or lies too '
            'deep; save it otherwise'
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
        return array.astype('<u2').tobytes().decode('utf-16-le', 'replace')
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

"""Tensors out of TensorFlow's checkpoints, without TensorFlow.

Both layouts are sorted string tables as LevelDB has them, of Protocol Buffers
messages:

  V2  PREFIX.index: '' -> BundleHeaderProto, NAME -> BundleEntryProto, which
      says where in PREFIX.data-00000-of-00001 the tensor's bytes are;
  V1  one file: '' -> SavedTensorSlices with the names and shapes of all,
      other keys -> SavedTensorSlices with the numbers of one.

Nothing in a file is executed, checksums are verified, and every length is
checked against the bytes that are there before it is used.
"""

import contextlib
import math
import mmap
import pathlib
from collections.abc import Callable, Iterator

import numpy as np

from brainjax.errors import InputError
from brainjax.io.files import PathLike
from brainjax.networks.weights.crc32c import crc32c, masked
from brainjax.networks.weights.sstable import Damaged, entries, varint

_TYPES = {1: np.dtype('<f4'), 2: np.dtype('<f8')}  # Of DataType.
_DIMENSIONS = 8

Field = tuple[int, int | memoryview]


def read(
    source: PathLike, wanted: Callable[[str], bool]
) -> dict[str, np.ndarray]:
    """Reads tensors of floats.

    Args:
      source: a V1 file; or of V2 the `.index` file or the prefix of its name.
      wanted: whether to read the tensor of a name.

    Returns:
      Name -> array. Tensors of other types are left out.

    Raises:
      InputError: a file is missing, damaged, or not a checkpoint.
    """
    path = pathlib.Path(source)
    index = path.with_name(path.name.removesuffix('.index') + '.index')
    bundle = index if index.exists() else path
    try:
        with _mapped(bundle) as data:
            table = entries(data)
            key, first = next(table, (b'', memoryview(b'')))
            if key:
                raise Damaged('its first entry says nothing of the others')
            if bundle is index:
                return _read_bundle(index, first, table, wanted)
            return _read_slices(first, table, wanted)
    except Damaged as error:
        raise InputError(
            f'{bundle} is damaged or not a TensorFlow checkpoint ({error}); '
            'copy or download it again.'
        ) from error


@contextlib.contextmanager
def _mapped(path: pathlib.Path) -> Iterator[memoryview]:
    """Yields a file's bytes, which nothing may hold on to."""
    try:
        with open(path, 'rb') as stream:
            if path.stat().st_size == 0:
                raise Damaged(f'{path.name} is empty')
            mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise InputError(
            f'{path} cannot be read ({error.strerror}); check the path, and '
            'that all files of the checkpoint are beside each other.'
        ) from error
    # Views of it may outlive this block in a traceback, so it is not closed
    # but left to be freed with the last of them.
    yield memoryview(mapped)


def _read_bundle(index, first, table, wanted):
    header = dict(_fields(first))
    shards = _number(header.get(1, 0))
    if _number(header.get(2, 0)):
        raise Damaged('its numbers are big-endian')
    result = {}
    with contextlib.ExitStack() as stack:
        opened = {}
        for key, value in table:
            name = _text(key)
            if not wanted(name):
                continue
            entry = dict(_fields(value))
            dtype, shape = _TYPES.get(entry.get(1)), _shape(entry.get(2, b''))
            if dtype is None:
                continue
            if 7 in entry:
                raise Damaged(f'{name} is kept in pieces')
            shard, offset, size = (_number(entry.get(i, 0)) for i in (3, 4, 5))
            if shard not in opened:
                data = index.with_name(
                    f'{index.stem}.data-{shard:05d}-of-{shards:05d}'
                )
                opened[shard] = stack.enter_context(_mapped(data))
            content = _part(opened[shard], offset, size, name)
            if masked(crc32c(content)) != entry.get(6, 0):
                raise Damaged(f'the checksum of {name} is wrong')
            result[name] = _array(content, dtype, shape, name)
    return result


def _read_slices(first, table, wanted):
    known = {}
    for number, meta in _fields(dict(_fields(first)).get(1, b'')):
        if number == 1:
            tensor = dict(_fields(meta))
            name = _text(tensor.get(1, b''))
            known[name] = (
                _TYPES.get(tensor.get(3)),
                _shape(tensor.get(2, b'')),
            )
    result = {}
    for _, value in table:
        saved = dict(_fields(dict(_fields(value)).get(2, b'')))
        name = _text(saved.get(1, b''))
        if name not in known:
            raise Damaged(f'{name!r} is not among its tensors')
        dtype, shape = known[name]
        if dtype is None or not wanted(name):
            continue
        if name in result:
            raise Damaged(f'{name} is kept in pieces')
        tensor = dict(_fields(saved.get(3, b'')))
        # Raw, or as a packed list of floats or of doubles.
        listed = {4: 5, 8: 6}[dtype.itemsize]
        content = tensor.get(4) or tensor.get(listed, b'')
        result[name] = _array(content, dtype, shape, name)
    for name, (dtype, _) in known.items():
        if dtype is not None and wanted(name) and name not in result:
            raise Damaged(f'the numbers of {name} are missing')
    return result


def _part(data: memoryview, offset: int, size: int, name: str) -> memoryview:
    if offset + size > len(data):
        raise Damaged(f'{name} lies beyond the end of its file')
    return data[offset : offset + size]


def _array(content, dtype, shape, name) -> np.ndarray:
    """Copies bytes into an array, if there are as many as it takes."""
    if not isinstance(content, (bytes, memoryview)):
        raise Damaged(f'{name} holds no numbers')
    if len(content) != math.prod(shape) * dtype.itemsize:
        raise Damaged(
            f'{name} has {len(content)} bytes, not those of the shape '
            f'{list(shape)}'
        )
    return np.frombuffer(content, dtype).reshape(shape).copy()


# Protocol Buffers.


def _fields(message: bytes | memoryview) -> Iterator[Field]:
    """Yields (number, value) of a message: an integer, or bytes."""
    if not isinstance(message, (bytes, memoryview)):
        raise Damaged('a number stands where a message should')
    message, place = memoryview(message), 0
    while place < len(message):
        tag, place = varint(message, place)
        kind = tag & 7
        if kind == 0:
            value, place = varint(message, place)
        elif kind in (1, 2, 5):
            size = {1: 8, 5: 4}.get(kind)
            if size is None:
                size, place = varint(message, place)
            if place + size > len(message):
                raise Damaged('a message ends early')
            value = message[place : place + size]
            place += size
            if kind != 2:
                value = int.from_bytes(value, 'little')
        else:
            raise Damaged(f'a message has a field of kind {kind}')
        yield tag >> 3, value


def _number(value: int | memoryview) -> int:
    if not isinstance(value, int) or value >= 2**62:
        raise Damaged('a length is not a number')
    return value


def _text(value: int | bytes | memoryview) -> str:
    try:
        return bytes(memoryview(value)).decode()
    except (TypeError, UnicodeDecodeError) as error:
        raise Damaged('the name of a tensor is not text') from error


def _shape(message: int | bytes | memoryview) -> tuple[int, ...]:
    """Reads a TensorShapeProto."""
    dimensions = []
    for number, value in _fields(message):
        if number == 2:
            dimensions.append(_number(dict(_fields(value)).get(1, 0)))
        elif number == 3:
            raise Damaged('a tensor has no shape')
    if len(dimensions) > _DIMENSIONS:
        raise Damaged(f'a tensor has {len(dimensions)} dimensions')
    return tuple(dimensions)

"""Tensors out of TensorFlow's checkpoints, without TensorFlow.

Both layouts are sorted string tables as LevelDB has them, of Protocol Buffers
messages:

  V2  PREFIX.index: '' -> BundleHeaderProto, NAME -> BundleEntryProto, which
      says where in PREFIX.data-00000-of-00001 the tensor's bytes are;
  V1  one file: '' -> SavedTensorSlices with the names and shapes of all,
      other keys -> SavedTensorSlices with the numbers of one.

A table is a run of blocks, then an index block, then a footer. A block holds
entries whose keys say how much they share with the one before, and ends with
a byte for its compression, which checkpoints do not use, and a checksum.

Nothing in a file is executed, checksums are verified, and every length is
checked against the bytes that are there before it is used.
"""

import math
import pathlib
from collections.abc import Callable, Iterator

import numpy as np

from brainjax.errors import InputError
from brainjax.io import protobuf, untrusted
from brainjax.io.files import PathLike
from brainjax.io.protobuf import BYTES, VARINT, Damaged, varint

_TYPES = {1: np.dtype('<f4'), 2: np.dtype('<f8')}  # Of DataType.
_DIMENSIONS = 8

_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48
_LONGEST_KEY = 2**12

_POLYNOMIAL = 0x82F63B78  # Of CRC-32C, RFC 3720, lowest bit first.
_LANES = 2**14
_CHUNK = 2**26  # Bytes at once.


def read(
    source: PathLike, wanted: Callable[[str], bool]
) -> dict[str, np.ndarray]:
    """Reads tensors of floats.

    Args:
      source: a V1 file; or of V2 the `.index` file or the prefix of its name.
      wanted: whether to read the tensor of a name.

    Returns:
      Name -> array. Tensors of other types are left out.
    """
    path = pathlib.Path(source)
    index = path.with_name(path.name.removesuffix('.index') + '.index')
    bundle = index if index.exists() else path
    try:
        table = _table(_mapped(bundle))
        key, first = next(table, (b'', memoryview(b'')))
        if key:
            raise Damaged('its first entry says nothing of the others')
        if bundle is index:
            return _read_bundle(index, first, table, wanted)
        return _read_slices(first, table, wanted)
    except InputError:
        raise
    except (ArithmeticError, TypeError, ValueError) as error:
        reason = untrusted.first_line(error)
        raise InputError(
            f'{bundle} is damaged or not a TensorFlow checkpoint ({reason}); '
            'copy or download it again.'
        ) from error


def _mapped(path: pathlib.Path) -> memoryview:
    try:
        return protobuf.mapped(path)
    except OSError as error:
        raise InputError(
            f'{path} cannot be read ({error.strerror}); check the path, and '
            'that all files of the checkpoint are beside each other.'
        ) from error


def _read_bundle(index, first, table, wanted):
    header = dict(_fields(first))
    shards = _number(header.get(1, 0))
    if _number(header.get(2, 0)):
        raise Damaged('its numbers are big-endian')
    result, opened, asked = {}, {}, 0
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
            opened[shard] = _mapped(
                index.with_name(
                    f'{index.stem}.data-{shard:05d}-of-{shards:05d}'
                )
            )
        content = _part(opened[shard], offset, size, name)
        asked += size  # Entries may name the same bytes over and over.
        if asked > sum(map(len, opened.values())):
            raise Damaged('its tensors share their bytes')
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


# Messages.


def _fields(
    message: bytes | memoryview,
) -> Iterator[tuple[int, int | memoryview]]:
    """Yields (number, value) of a message: a number, or bytes."""
    for number, kind, value in protobuf.fields(message):
        if kind in (BYTES, VARINT):
            yield number, value
        else:
            yield number, int.from_bytes(value, 'little')


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


# Sorted string tables.


def _table(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Yields a table's keys and values in their order."""
    footer = data[-_FOOTER:]
    if len(footer) < _FOOTER or (
        int.from_bytes(footer[-8:], 'little') != _MAGIC
    ):
        raise Damaged('it does not end as a table does')
    place = 0
    for _ in range(2):  # Of the meta index, which is not used.
        place = varint(footer, place)[1]
    handle, _ = _handle(footer, place)
    end = 0
    for _, value in _entries(_block(data, *handle)):
        (offset, size), _ = _handle(value, 0)
        if offset < end:
            raise Damaged('its blocks overlap')
        end = offset + size
        yield from _entries(_block(data, offset, size))


def _handle(data: memoryview, place: int) -> tuple[tuple[int, int], int]:
    offset, place = varint(data, place)
    size, place = varint(data, place)
    return (offset, size), place


def _block(data: memoryview, offset: int, size: int) -> memoryview:
    """Returns a block's content, verified."""
    if offset + size + 5 > len(data):
        raise Damaged('a block lies beyond its end')
    stored = data[offset : offset + size + 1]
    checksum = data[offset + size + 1 : offset + size + 5]
    if masked(crc32c(stored)) != int.from_bytes(checksum, 'little'):
        raise Damaged('the checksum of a block is wrong')
    if stored[-1]:
        raise Damaged(f'a block has compression {stored[-1]}')
    return stored[:-1]


def _entries(block: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    restarts = int.from_bytes(block[-4:], 'little')
    end = len(block) - 4 - 4 * restarts
    if len(block) < 4 or end < 0:
        raise Damaged('a block is too short')
    place, key = 0, b''
    while place < end:
        shared, place = varint(block, place)
        own, place = varint(block, place)
        size, place = varint(block, place)
        if (
            shared > len(key)
            or shared + own > _LONGEST_KEY
            or place + own + size > end
        ):
            raise Damaged('an entry lies beyond its block')
        key = key[:shared] + bytes(block[place : place + own])
        place += own
        yield key, block[place : place + size]
        place += size


# Checksums.


def _make_table() -> np.ndarray:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        odd = (table & 1).astype(bool)
        table = np.where(odd, (table >> 1) ^ np.uint32(_POLYNOMIAL), table >> 1)
    return table


_TABLE = _make_table()


def crc32c(data: bytes | memoryview) -> int:
    """Returns the CRC-32C (Castagnoli) of bytes.

    A CRC is linear over bits, so a long text is cut into lanes whose CRCs are
    computed side by side with NumPy and then joined.
    """
    data = np.frombuffer(data, np.uint8)
    crc = 0xFFFFFFFF
    for start in range(0, len(data), _CHUNK):
        part = data[start : start + _CHUNK]
        crc = int(_advance(np.array([crc], np.uint32), len(part))[0])
        crc ^= _linear(part)
    return crc ^ 0xFFFFFFFF


def masked(crc: int) -> int:
    """Returns a CRC as LevelDB and TensorFlow store it."""
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _linear(data: np.ndarray) -> int:
    """The CRC that begins with 0 and is not inverted; [n] uint8."""
    lanes = _LANES
    while lanes > 1 and lanes * 8 > len(data):
        lanes //= 2
    length = -(-len(data) // lanes)
    # Zeros in front change nothing.
    padded = np.zeros(lanes * length, np.uint8)
    padded[len(padded) - len(data) :] = data
    columns = np.ascontiguousarray(padded.reshape(lanes, length).T)
    crcs = np.zeros(lanes, np.uint32)
    for column in columns:
        crcs = _TABLE[(crcs ^ column) & 0xFF] ^ (crcs >> 8)
    while len(crcs) > 1:
        crcs = _advance(crcs[0::2], length) ^ crcs[1::2]
        length *= 2
    return int(crcs[0])


def _advance(crcs: np.ndarray, zeros: int) -> np.ndarray:
    """Returns the linear CRCs after as many bytes of zeros."""
    # What one byte does to each bit.
    operator = np.uint32(1) << np.arange(32, dtype=np.uint32)
    operator = _TABLE[operator & 0xFF] ^ (operator >> 8)
    while zeros:
        if zeros & 1:
            crcs = _apply(operator, crcs)
        operator = _apply(operator, operator)
        zeros >>= 1
    return crcs


def _apply(operator: np.ndarray, crcs: np.ndarray) -> np.ndarray:
    result = np.zeros_like(crcs)
    for bit in range(32):
        result ^= operator[bit] * ((crcs >> np.uint32(bit)) & np.uint32(1))
    return result

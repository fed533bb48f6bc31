"""Sorted string tables, LevelDB's files of keys and values.

A table is a run of blocks, then an index block, then a footer. A block holds
entries whose keys say how much they share with the one before, and ends with
a byte for its compression and a checksum.
"""

from collections.abc import Iterator

from brainjax.networks.weights.crc32c import crc32c, masked

_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48
_LONGEST_KEY = 2**12
_SNAPPY_RATIO = 32  # More than it can reach (64 bytes for 3).


class Damaged(ValueError):
    """What is wrong with a file, for the caller to name it."""


def varint(data: memoryview, place: int) -> tuple[int, int]:
    """Reads a variable-length integer; returns it and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(data):
            raise Damaged('a number ends early')
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise Damaged('a number has no end')


def entries(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Yields a table's keys and values in their order.

    Raises:
      Damaged: it is not a whole table.
    """
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
    """Returns a block's content, verified and without its compression."""
    if offset + size + 5 > len(data):
        raise Damaged('a block lies beyond its end')
    stored = data[offset : offset + size + 1]
    checksum = data[offset + size + 1 : offset + size + 5]
    if masked(crc32c(stored)) != int.from_bytes(checksum, 'little'):
        raise Damaged('the checksum of a block is wrong')
    kind, content = stored[-1], stored[:-1]
    if kind == 0:
        return content
    if kind == 1:
        return memoryview(snappy(content))
    raise Damaged(f'a block has compression {kind}')


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


def snappy(data: memoryview) -> bytes:
    """Decompresses Snappy's block format.

    Raises:
      Damaged: it is not whole.
    """
    size, place = varint(data, 0)
    if size > _SNAPPY_RATIO * len(data):
        raise Damaged('a block is said to be longer than it can be')
    out = bytearray()
    while place < len(data):
        tag = data[place]
        place += 1
        if tag & 3 == 0:  # A literal.
            length = (tag >> 2) + 1
            if length > 60:
                more = length - 60
                length = int.from_bytes(data[place : place + more], 'little')
                length, place = length + 1, place + more
            out += data[place : place + length]
            place += length
        else:  # A copy of what came before.
            more = (1, 2, 4)[(tag & 3) - 1]
            offset = int.from_bytes(data[place : place + more], 'little')
            length = (tag >> 2) + 1
            if more == 1:
                length, offset = ((tag >> 2) & 7) + 4, (tag >> 5 << 8) | offset
            place += more
            if not 0 < offset <= len(out):
                raise Damaged('a block copies what is not there')
            start = len(out) - offset
            run = out[start : start + length]
            out += (run * (length // len(run) + 1))[:length]
        if place > len(data) or len(out) > size:
            raise Damaged('a block ends early')
    if len(out) != size:
        raise Damaged('a block ends early')
    return bytes(out)

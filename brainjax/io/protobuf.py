"""Protocol Buffers on the wire, read without their library.

A message is a row of fields: a varint with the field's number and wire type,
then a varint, 4 or 8 bytes, or a length and so many bytes. Nothing is copied:
views of the message are handed out, after their lengths have been checked.
"""

import mmap
import pathlib
from collections.abc import Iterator

from brainjax.io.files import PathLike

# Wire types.
VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES = 0, 1, 2, 5
_SIZES = {EIGHT_BYTES: 8, FOUR_BYTES: 4}

Field = tuple[int, int, int | memoryview]


class Damaged(ValueError):
    """What is wrong with a file, for the caller to name it."""


def mapped(path: PathLike) -> memoryview:
    """Returns a file's bytes, which are read as they are looked at.

    The mapping lives as long as the last view of it, which may be in a
    traceback, so it is not closed.
    """
    with open(path, 'rb') as stream:
        if pathlib.Path(path).stat().st_size == 0:
            raise Damaged(f'{pathlib.Path(path).name} is empty')
        return memoryview(
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        )


def varint(data: memoryview, place: int) -> tuple[int, int]:
    """Returns a whole number, seven bits a byte, and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):  # 64 bits take ten bytes.
        if place >= len(data):
            raise Damaged('a number ends early')
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise Damaged('a number has no end')


def fields(message: bytes | memoryview) -> Iterator[Field]:
    """Yields (number, wire type, content) of each field of a message.

    The content of a varint is the number; of the others it is their bytes.
    """
    if not isinstance(message, (bytes, memoryview)):
        raise Damaged('a number stands where a message should')
    message, place = memoryview(message), 0
    while place < len(message):
        tag, place = varint(message, place)
        number, kind = tag >> 3, tag & 7
        if not number:
            raise Damaged('a field has no number')
        if kind == VARINT:
            value, place = varint(message, place)
        elif kind in (BYTES, *_SIZES):
            size = _SIZES.get(kind)
            if size is None:
                size, place = varint(message, place)
            if place + size > len(message):
                raise Damaged('a message ends early')
            value = message[place : place + size]
            place += size
        else:
            raise Damaged(f'a message has a field of kind {kind}')
        yield number, kind, value

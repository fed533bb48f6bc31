"""Caffe models read without Caffe: the blobs of each layer.

A `.caffemodel` is a protocol buffer, NetParameter. Of it are read

  2    layers, old style (V1LayerParameter): 4 name, 6 blobs
  100  layers, new style (LayerParameter): 1 name, 7 blobs

and of a blob 1 to 4, the old shape (number, channels, height, width), 5 the
data as floats, 7 the new shape (1 dimensions), 8 the data as doubles. Every
length is checked; all else is skipped.
"""

import math
import os
from collections.abc import Iterator

import numpy as np

from brainjax.errors import InputError
from brainjax.files import PathLike

LARGEST = 4 * 2**30  # Bytes of a file.

_VARINT, _EIGHT, _LENGTH, _FOUR = 0, 1, 2, 5
# Field of the layers in the net -> fields of name and blobs in a layer.
_LAYERS = {2: (4, 6), 100: (1, 7)}

# Data packed, and number by number.
_DATA = {
    (5, _LENGTH): '<f4',
    (5, _FOUR): '<f4',
    (8, _LENGTH): '<f8',
    (8, _EIGHT): '<f8',
}

Field = tuple[int, int, int | memoryview]


def read(path: PathLike) -> dict[str, list[np.ndarray]]:
    """Reads layer -> its blobs, float32 in the shape that is stated.

    A layer without blobs is left out.

    Raises:
      InputError: the file is missing, damaged or no Caffe model.
    """
    try:
        with open(path, 'rb') as stream:
            if os.fstat(stream.fileno()).st_size > LARGEST:
                raise ValueError('it is too large')
            found = _net(memoryview(stream.read()))
    except FileNotFoundError as error:
        raise InputError(f'{path} does not exist; check the path.') from error
    except (OSError, ValueError, OverflowError) as error:
        raise InputError(
            f'{path} is not a complete Caffe model ({error}); copy or '
            'download it again.'
        ) from error
    if not found:
        raise InputError(
            f'{path} holds no layer with weights; give a .caffemodel.'
        )
    return found


def _net(content: memoryview) -> dict[str, list[np.ndarray]]:
    found = {}
    for number, kind, value in _fields(content):
        if number in _LAYERS and kind == _LENGTH:
            name, blobs = _layer(value, *_LAYERS[number])
            if blobs:
                found[name] = blobs
    return found


def _layer(
    content: memoryview, name_field: int, blob_field: int
) -> tuple[str, list[np.ndarray]]:
    name, blobs = '', []
    for number, kind, value in _fields(content):
        if kind == _LENGTH and number == name_field:
            name = bytes(value).decode('utf-8')
        elif kind == _LENGTH and number == blob_field:
            blobs.append(_blob(value))
    return name, blobs


def _blob(content: memoryview) -> np.ndarray:
    old, new = [1, 1, 1, 1], None
    parts = []
    for number, kind, value in _fields(content):
        if 1 <= number <= 4 and kind == _VARINT:
            old[number - 1] = value
        elif number == 7 and kind == _LENGTH:
            new = _dimensions(value)
        elif (number, kind) in _DATA:
            parts.append(np.frombuffer(value, _DATA[number, kind]))
    data = np.concatenate(parts or [np.empty(0)]).astype(np.float32)
    shape = old if new is None else new
    if math.prod(shape) != len(data):
        raise ValueError(f'a blob of shape {tuple(shape)} holds {len(data)}')
    return data.reshape(shape)


def _dimensions(content: memoryview) -> list[int]:
    found = []
    for number, kind, value in _fields(content):
        if number != 1:
            continue
        if kind == _VARINT:
            found.append(value)
        elif kind == _LENGTH:
            at = 0
            while at < len(value):
                dimension, at = _varint(value, at)
                found.append(dimension)
    if len(found) > 32:
        raise ValueError('a blob has too many dimensions')
    return found


def _fields(content: memoryview) -> Iterator[Field]:
    """Yields number, wire type and value of each field of a message."""
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(content, at)
            yield number, kind, value
            continue
        if kind == _LENGTH:
            length, at = _varint(content, at)
        elif kind in (_EIGHT, _FOUR):
            length = 8 if kind == _EIGHT else 4
        else:
            raise ValueError(f'a field has wire type {kind}')
        if length > len(content) - at:
            raise ValueError('it is cut off')
        yield number, kind, content[at : at + length]
        at += length


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        if at >= len(content):
            raise ValueError('it is cut off')
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError('a number is too long')

"""Caffe's files of weights, read without Caffe and without protobuf.

A `.caffemodel` is one protocol buffer message, NetParameter: a row of fields,
each a number and a type, then a whole number, four or eight bytes, or a length
and so many bytes. Layers are under 100 (LayerParameter) or, in older files,
under 2 (V1LayerParameter); everything but their names and blobs is passed
over. Nothing is copied before its length has been checked against the file.
"""

import math
import mmap
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError
from brainjax.io.files import PathLike


class _Message(NamedTuple):
    """Where in a layer's message its name and its blobs are."""

    name: int
    blobs: int


# Field of NetParameter -> the layer's fields.
_LAYERS = {100: _Message(1, 7), 2: _Message(4, 6)}
# Fields of BlobProto.
_SIZES = (1, 2, 3, 4)  # num, channels, height, width: before there were shapes
_DATA, _SHAPE, _DOUBLE_DATA = 5, 7, 8
_MOST_AXES = 32  # as in Caffe
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5


def read(path: PathLike) -> dict[str, list[np.ndarray]]:
    """Reads the blobs of every layer that has some.

    Args:
      path: a `.caffemodel`.

    Returns:
      {layer: arrays, float32}: a kernel, [out, in, height, width] or for a
      dense layer [(1, 1,) out, in], and mostly a bias.

    Raises:
      InputError: the file is missing or damaged, or holds no layer.
    """
    try:
        with (
            open(path, 'rb') as stream,
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data,
            memoryview(data) as view,
        ):
            layers = _net(view)
    except OSError as error:
        raise InputError(
            f'{path} cannot be read ({error.strerror}); check the path.'
        ) from error
    except (LookupError, UnicodeDecodeError, ValueError) as error:
        raise InputError(
            f'{path} is damaged or not a .caffemodel ({error}); get it again.'
        ) from error
    if not layers:
        raise InputError(
            f'{path} holds no layer with weights; give a .caffemodel.'
        )
    return layers


def _net(view: memoryview) -> dict[str, list[np.ndarray]]:
    layers = {}
    for number, kind, start, end in _fields(view, 0, len(view)):
        if number not in _LAYERS or kind != _BYTES:
            continue
        name, blobs = '', []
        for field, kind, a, b in _fields(view, start, end):
            if field == _LAYERS[number].name and kind == _BYTES:
                name = bytes(view[a:b]).decode()
            elif field == _LAYERS[number].blobs and kind == _BYTES:
                blobs.append(_blob(view, a, b))
        if blobs:
            layers[name] = blobs
    return layers


def _blob(view: memoryview, start: int, end: int) -> np.ndarray:
    sizes, shape, parts = [1] * len(_SIZES), None, []
    for number, kind, a, b in _fields(view, start, end):
        if number in _SIZES and kind == _VARINT:
            sizes[_SIZES.index(number)] = _varint(view, a, b)[0]
        elif number == _SHAPE and kind == _BYTES:
            shape = _shape(view, a, b)
        elif number in (_DATA, _DOUBLE_DATA):
            dtype = '<f4' if number == _DATA else '<f8'
            # Packed, or one field a number.
            parts.append(np.frombuffer(view[a:b], dtype).astype(np.float32))
    values = np.concatenate(parts) if parts else np.empty(0, np.float32)
    shape = tuple(sizes if shape is None else shape)
    if len(shape) > _MOST_AXES or math.prod(shape) != values.size:
        raise ValueError(f'a blob of shape {shape} has {values.size} numbers')
    return values.reshape(shape)


def _shape(view: memoryview, start: int, end: int) -> list[int]:
    shape = []
    for number, kind, a, b in _fields(view, start, end):
        if number != 1:
            continue
        place = a
        while place < b:
            size, place = _varint(view, place, b)
            shape.append(size)
            if kind == _VARINT or len(shape) > _MOST_AXES:
                break
    return shape


def _fields(
    view: memoryview, start: int, end: int
) -> Iterator[tuple[int, int, int, int]]:
    """Yields (number, type, start, end) of each field's content."""
    place = start
    while place < end:
        tag, place = _varint(view, place, end)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            _, stop = _varint(view, place, end)
        elif kind == _BYTES:
            length, place = _varint(view, place, end)
            stop = place + length
        elif kind in (_EIGHT, _FOUR):
            stop = place + (8 if kind == _EIGHT else 4)
        else:
            raise ValueError(f'a field has the unknown type {kind}')
        if not number or stop > end:
            raise ValueError(f'a field of {stop - place} bytes is cut off')
        yield number, kind, place, stop
        place = stop


def _varint(view: memoryview, place: int, end: int) -> tuple[int, int]:
    """Returns a whole number, seven bits a byte, and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= end:
            raise ValueError('a number is cut off')
        byte = view[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise ValueError('a number is too long')

"""Caffe's files of weights, read without Caffe.

A `.caffemodel` is one protocol buffer message, NetParameter. Layers are under
100 (LayerParameter) or, in older files, under 2 (V1LayerParameter); everything
but their names and blobs is passed over.
"""

import math
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError
from brainjax.io import protobuf
from brainjax.io.files import PathLike
from brainjax.io.protobuf import BYTES, VARINT, fields


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


def read(path: PathLike) -> dict[str, list[np.ndarray]]:
    """Reads the blobs of every layer that has some.

    Args:
      path: a `.caffemodel`.

    Returns:
      {layer: arrays, float32}: a kernel, [out, in, height, width] or for a
      dense layer [(1, 1,) out, in], and mostly a bias.
    """
    try:
        layers = _net(protobuf.mapped(path))
    except OSError as error:
        raise InputError(
            f'{path} cannot be read ({error.strerror}); check the path.'
        ) from error
    except ValueError as error:  # Of decoding a name, too.
        raise InputError(
            f'{path} is damaged or not a .caffemodel ({error}); get it again.'
        ) from error
    if not layers:
        raise InputError(
            f'{path} holds no layer with weights; give a .caffemodel.'
        )
    return layers


def _net(message: memoryview) -> dict[str, list[np.ndarray]]:
    layers = {}
    for number, kind, layer in fields(message):
        if number not in _LAYERS or kind != BYTES:
            continue
        name, blobs = '', []
        for field, kind, content in fields(layer):
            if field == _LAYERS[number].name and kind == BYTES:
                name = bytes(content).decode()
            elif field == _LAYERS[number].blobs and kind == BYTES:
                blobs.append(_blob(content))
        if blobs:
            layers[name] = blobs
    return layers


def _blob(message: memoryview) -> np.ndarray:
    sizes, shape, parts = [1] * len(_SIZES), None, []
    for number, kind, content in fields(message):
        if number in _SIZES and kind == VARINT:
            sizes[_SIZES.index(number)] = content
        elif number == _SHAPE and kind == BYTES:
            shape = _shape(content)
        elif number in (_DATA, _DOUBLE_DATA) and kind != VARINT:
            dtype = '<f4' if number == _DATA else '<f8'
            # Packed, or one field a number.
            parts.append(np.frombuffer(content, dtype).astype(np.float32))
    values = np.concatenate(parts) if parts else np.empty(0, np.float32)
    shape = tuple(sizes if shape is None else shape)
    if len(shape) > _MOST_AXES or math.prod(shape) != values.size:
        raise ValueError(f'a blob of shape {shape} has {values.size} numbers')
    return values.reshape(shape)


def _shape(message: memoryview) -> list[int]:
    shape = []
    for number, kind, content in fields(message):
        if number == 1 and kind == VARINT:
            shape.append(content)
        elif number == 1 and kind == BYTES:  # Packed.
            place = 0
            while place < len(content) and len(shape) <= _MOST_AXES:
                size, place = protobuf.varint(content, place)
                shape.append(size)
    return shape

"""Writes .caffemodel files, field by field and without protobuf."""

import struct

import numpy as np


def varint(value):
    out = bytearray()
    while True:
        value, byte = value >> 7, value & 127
        out.append(byte | (128 if value else 0))
        if not value:
            return bytes(out)


def field(number, content):
    """A field of bytes, or of a whole number."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def blob(array, old=False, double=False, packed=True):
    array = np.asarray(array)
    if old:  # num, channels, height, width
        sizes = (1,) * (4 - array.ndim) + array.shape
        shape = b''.join(field(i, n) for i, n in enumerate(sizes, start=1))
    else:
        shape = field(7, field(1, b''.join(map(varint, array.shape))))
    if double:
        return shape + field(8, array.astype('<f8').tobytes())
    data = array.astype('<f4').tobytes()
    if packed:
        return shape + field(5, data)
    single = varint(5 << 3 | 5)
    return shape + b''.join(
        single + data[i : i + 4] for i in range(0, len(data), 4)
    )


def model(layers, old=False, **options):
    """Returns the bytes of a model.

    Args:
      layers: name -> arrays.
      old: as V1LayerParameter, with num, channels, height and width.
    """
    number, name_field, blobs_field = (2, 4, 6) if old else (100, 1, 7)
    out = field(1, b'a network') + field(5, 1)  # name; force_backward
    for name, arrays in layers.items():
        content = field(name_field, name.encode())
        # The type: a number in old files, else a name; and a loss weight.
        content += field(5, 4) if old else field(2, b'Convolution')
        if not old:
            content += varint(5 << 3 | 5) + struct.pack('<f', 1.0)
        for array in arrays:
            content += field(blobs_field, blob(array, old, **options))
        out += field(number, content)
    return out

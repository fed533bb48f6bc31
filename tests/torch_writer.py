"""Writes files as torch.save does, opcode by opcode and without PyTorch."""

import os
import pickle
import struct
import zipfile

import numpy as np

STORAGES = {
    'float32': 'FloatStorage',
    'float64': 'DoubleStorage',
    'float16': 'HalfStorage',
    'int64': 'LongStorage',
}


def text(value):
    data = value.encode()
    return b'X' + struct.pack('<I', len(data)) + data


def number(value):
    return b'J' + struct.pack('<i', value)


def name(module, attribute):
    return f'c{module}\n{attribute}\n'.encode()


def tuple_of(values):
    return b'(' + b''.join(map(number, values)) + b't'


ORDERED_DICT = name('collections', 'OrderedDict') + b')R'


def tensor(
    key, dtype, size, shape, strides, offset=0, rebuild='_rebuild_tensor_v2'
):
    storage = (
        b'('
        + text('storage')
        + name('torch', STORAGES[dtype])
        + text(key)
        + text('cpu')
        + number(size)
        + (b'N' if rebuild == '_rebuild_tensor' else b'')
        + b'tQ'
    )
    return (
        name('torch._utils', rebuild)
        + b'('
        + storage
        + number(offset)
        + tuple_of(shape)
        + tuple_of(strides)
        + (b'' if rebuild == '_rebuild_tensor' else b'\x89' + ORDERED_DICT)
        + b'tR'
    )


def checkpoint(arrays):
    """The table of {'epoch': 90, 'state_dict': arrays}, as trainings save."""
    inner = table(arrays)[2:-1]
    return (
        b'\x80\x02}('
        + text('epoch')
        + number(90)
        + text('state_dict')
        + inner
        + b'u.'
    )


def table(arrays, rebuild='_rebuild_tensor_v2'):
    entries = b''.join(
        text(key)
        + tensor(
            str(i),
            array.dtype.name,
            array.size,
            array.shape,
            [s // array.itemsize for s in array.strides],
            rebuild=rebuild,
        )
        for i, (key, array) in enumerate(arrays.items())
    )
    # torch.save notes the versions of modules as an attribute of the dict.
    attributes = b'}' + text('_metadata') + ORDERED_DICT + b'sb'
    return (
        b'\x80\x02' + ORDERED_DICT + b'(' + entries + b'u' + attributes + b'.'
    )


def memory(array):
    """Returns the numbers in the order in which they lie in memory."""
    return array.tobytes(order='A')


def write_zip(path, arrays, pickled=None, byteorder='little', lose=None):
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr(
            'archive/data.pkl', table(arrays) if pickled is None else pickled
        )
        archive.writestr('archive/byteorder', byteorder)
        for i, array in enumerate(arrays.values()):
            if lose != i:
                archive.writestr(f'archive/data/{i}', memory(array))
        archive.writestr('archive/version', '3\n')
    return path


def write_legacy(path, arrays, pickled=None, rebuild='_rebuild_tensor'):
    with open(path, 'wb') as stream:
        for value in (
            0x1950A86A20F9469CFC6C,
            1001,
            {'protocol_version': 1001, 'little_endian': True},
        ):
            pickle.dump(value, stream, protocol=2)
        stream.write(table(arrays, rebuild) if pickled is None else pickled)
        keys = [str(i) for i in range(len(arrays))]
        pickle.dump(keys, stream, protocol=2)
        for array in arrays.values():
            stream.write(struct.pack('<q', array.size) + memory(array))
    return path


def state_dict(kernels, indices, seed=0):
    """Returns torchvision's names with random OIHW kernels, and a classifier.

    Args:
      kernels: layer -> HWIO shape.
      indices: layer -> place among `features`.
    """
    generator = np.random.default_rng(seed)

    def draw(*shape):
        return generator.standard_normal(shape, np.float32)

    arrays = {}
    for layer, (h, w, i, o) in kernels.items():
        arrays[f'features.{indices[layer]}.weight'] = draw(o, i, h, w)
        arrays[f'features.{indices[layer]}.bias'] = draw(o)
    arrays['classifier.0.weight'] = draw(8, 5)
    return arrays


class Runs:
    """Unpickles by running a shell command that leaves a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f'touch {self.path}',)

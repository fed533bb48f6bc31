"""PyTorch's files of weights, read without PyTorch and without executing them.

`torch.save` writes a zip file: a pickle that names tensors, and one entry of
raw numbers for each storage. Before version 1.6, and so in many of
torchvision's files, it wrote a row of pickles and then the storages. A
TorchScript archive is the zip file with a tree of modules in place of the
state dict, and with code, which is not looked at.
"""

import io
import math
import os
import struct
import zipfile
import zlib
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from brainjax.errors import InputError
from brainjax.io import untrusted
from brainjax.io.files import PathLike
from brainjax.networks.weights import pickles

# Far above the table of names of any network.
_LONGEST_TABLE = 64 << 20
_DEEPEST = 32  # Modules within modules.
_LONGEST_NAME = 4096
_MOST_AXES = 32
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


class _Type(NamedTuple):
    """The type of a storage's numbers."""

    dtype: np.dtype


class _Storage(NamedTuple):
    """Where numbers are: `size` of them, filed under `key`."""

    key: str
    dtype: np.dtype
    size: int

    @property
    def bytes(self) -> int:
        return self.size * self.dtype.itemsize


class _Tensor(NamedTuple):
    """A view of a storage; offset and strides count numbers, not bytes."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_) -> _Tensor:
    # A truth value counts as an int otherwise.
    if not isinstance(storage, _Storage) or any(
        type(number) is not int for number in (offset, *shape, *strides)
    ):
        raise InputError('it holds a tensor without data')
    if max(len(shape), len(strides)) > _MOST_AXES:
        raise InputError('it holds a tensor of too many axes')
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


class _Module:
    """A TorchScript module: what its state holds, its code left aside."""

    __slots__ = ('state',)

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise InputError('it holds a module without parameters')
        self.state = state


class _Meanings(dict):
    """Names, among which all classes of a TorchScript archive are modules."""

    def __contains__(self, name: object) -> bool:
        return str(name).startswith('__torch__.') or super().__contains__(name)

    def __missing__(self, name: str) -> Any:
        return _Module


_MEANINGS = _Meanings(
    {
        'collections.OrderedDict': pickles.Function(pickles.Dict),
        'torch._utils._rebuild_tensor': pickles.Function(_tensor),
        'torch._utils._rebuild_tensor_v2': pickles.Function(_tensor),
        'torch._utils._rebuild_parameter': pickles.Function(
            lambda tensor, *_: tensor
        ),
        'torch.FloatStorage': _Type(np.dtype('<f4')),
        'torch.DoubleStorage': _Type(np.dtype('<f8')),
        'torch.HalfStorage': _Type(np.dtype('<f2')),
        'torch.LongStorage': _Type(np.dtype('<i8')),
        'torch.IntStorage': _Type(np.dtype('<i4')),
        'torch.ShortStorage': _Type(np.dtype('<i2')),
        'torch.CharStorage': _Type(np.dtype('i1')),
        'torch.ByteStorage': _Type(np.dtype('u1')),
        'torch.BoolStorage': _Type(np.dtype('?')),
        **{
            f'torch.jit._pickle.{name}': pickles.Function(
                lambda value, *_: value
            )
            for name in (
                'build_boollist',
                'build_doublelist',
                'build_intlist',
                'build_tensorlist',
                'restore_type_tag',
            )
        },
    }
)


def read(path: PathLike, prefix: str = '') -> dict[str, np.ndarray]:
    """Reads the tensors of a state dict.

    Args:
      path: the file, usually `.pth` or `.pt`.
      prefix: only tensors whose name starts so are read, wherever
        `DataParallel` was.

    Returns:
      {name: array}, in the file's order. Of a training's checkpoint it is the
      network's 'state_dict'.
    """
    try:
        with open(path, 'rb') as stream:
            if stream.read(4) == b'PK\x03\x04':
                return _read_zip(stream, prefix, str(path))
            stream.seek(0)
            return _read_legacy(stream, prefix, str(path))
    except InputError:
        raise
    except OSError as error:
        raise InputError(
            f'{path} cannot be read ({error.strerror}); check the path.'
        ) from error
    except (
        ArithmeticError,
        EOFError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
        struct.error,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise InputError(
            f'{path} is damaged ({untrusted.first_line(error)}); get it again.'
        ) from error


def of_one_device(name: str) -> str:
    """Returns a tensor's name without what DataParallel puts before or in it.

    >>> of_one_device('features.module.0.weight')
    'features.0.weight'
    """
    return '.'.join(part for part in name.split('.') if part != 'module')


def is_one(path: PathLike) -> bool:
    """Tells a file of `torch.save` by how it begins."""
    try:
        with open(path, 'rb') as stream:
            start = stream.read(16)
    except OSError as error:
        raise InputError(
            f'{path} cannot be read ({error.strerror}); check the path.'
        ) from error
    magic = _LEGACY_MAGIC.to_bytes(10, 'little')
    return start.startswith(b'PK\x03\x04') or magic in start


def _read_zip(stream: BinaryIO, prefix: str, where: str) -> dict:
    with zipfile.ZipFile(stream) as archive:
        names = set(archive.namelist())
        tables = [name for name in names if name.endswith('/data.pkl')]
        if len(tables) != 1:
            raise InputError(
                f'{where} is a zip file but not one of torch.save; give the '
                'file of weights itself.'
            )
        folder = tables[0].removesuffix('data.pkl')
        order = f'{folder}byteorder'
        if order in names and _entry(archive, order, 99) != b'little':
            raise InputError(
                f'{where} was saved on a big-endian machine; load it there '
                'and save it on a little-endian one.'
            )
        table = io.BytesIO(_entry(archive, tables[0], _LONGEST_TABLE))
        state, _ = _read_table(table, where)
        tensors = _tensors(state, prefix, where)
        storages = {x.storage.key: x.storage for x in tensors.values()}
        # Deflated ones may ask for more than the file holds.
        asked = sum(storage.bytes for storage in storages.values())
        _check_size(where, asked, tensors)
        views = {key: [] for key in storages}
        for name, tensor in tensors.items():
            views[tensor.storage.key].append(name)
        arrays = dict.fromkeys(tensors)
        # Each storage is read once, however many tensors are views of it.
        for key, names in views.items():
            size = storages[key].bytes
            data = _entry(archive, f'{folder}data/{key}', size)
            arrays |= {name: _array(tensors[name], data) for name in names}
        return arrays


def _entry(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """Returns what is in an archive, if it isn't more than it should be."""
    entry = archive.getinfo(name)
    # Python unpacks bz2 and LZMA as a whole, however much that is.
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f'{name!r} is compressed by a method unknown here')
    if entry.file_size > most:
        raise ValueError(f'{name!r} is longer than it should be')
    with archive.open(entry) as stream:
        return stream.read(most + 1)


def _check_size(where: str, asked: int, tensors: dict[str, _Tensor]) -> None:
    """Bounds storages, and tensors, of which many may be of one storage."""
    untrusted.check_size(where, asked, 'its storages')
    held = sum(
        math.prod(map(abs, tensor.shape)) * tensor.storage.dtype.itemsize
        for tensor in tensors.values()
    )
    untrusted.check_size(where, held, 'all tensors in it')


def _read_legacy(stream: BinaryIO, prefix: str, where: str) -> dict:
    """Reads magic number, version, system, table, keys and storages."""
    if pickles.load(stream, where, {}) != _LEGACY_MAGIC:
        raise InputError(
            f'{where} is not a file of torch.save; give the file of weights '
            'itself.'
        )
    # The version, and what system wrote it.
    pickles.load(stream, where, {})
    pickles.load(stream, where, {})
    state, storages = _read_table(stream, where)
    tensors = _tensors(state, prefix, where)
    _check_size(where, 0, tensors)
    wanted = {tensor.storage.key for tensor in tensors.values()}
    length = os.fstat(stream.fileno()).st_size
    data = {}
    keys = pickles.load(stream, where, {})
    if not isinstance(keys, list) or any(type(key) is not str for key in keys):
        raise ValueError('it has no list of storages')
    for key in keys:
        size = int.from_bytes(stream.read(8), 'little')
        if size != storages[key].size:
            raise ValueError(f'storage {key} has another size')
        if stream.tell() + storages[key].bytes > length:
            raise ValueError('it ends early')
        if key in wanted:
            data[key] = stream.read(storages[key].bytes)
        else:
            stream.seek(storages[key].bytes, os.SEEK_CUR)
    return {
        name: _array(tensor, data[tensor.storage.key])
        for name, tensor in tensors.items()
    }


def _read_table(stream: BinaryIO, where: str) -> tuple[Any, dict]:
    """Returns what was saved and the storages it refers to, by key."""
    storages = {}

    def storage(pid):
        kind, of, key, _, size, *view = pid
        if kind != 'storage' or not isinstance(of, _Type) or any(view):
            # It may be nested without end.
            known = repr(kind[:40]) if isinstance(kind, str) else 'object'
            raise InputError(f'it refers to an unknown {known}')
        if not isinstance(key, str) or type(size) is not int or size < 0:
            raise InputError('it refers to a storage without key or size')
        return storages.setdefault(key, _Storage(key, of.dtype, size))

    return pickles.load(stream, where, _MEANINGS, storage), storages


def _flat(module: _Module) -> dict[str, Any]:
    """Returns what a tree of modules holds, by its dotted name."""
    found, left, seen = {}, [('', module)], 0
    while left:
        prefix, module = left.pop()
        state = getattr(module, 'state', {})
        # A shared module counts as often as it is named.
        seen += 1 + len(state)
        if (
            seen > pickles.MOST_NAMES
            or prefix.count('.') > _DEEPEST
            or len(prefix) > _LONGEST_NAME
        ):
            raise InputError('its modules hold one another')
        inner = []
        for name, value in state.items():
            if isinstance(value, _Module):
                inner.append((f'{prefix}{name}.', value))
            else:
                found[f'{prefix}{name}'] = value
        left += inner[::-1]  # In the file's order.
    return found


def _tensors(state: Any, prefix: str, where: str) -> dict[str, _Tensor]:
    if isinstance(state, _Module):
        try:
            state = _flat(state)
        except InputError as error:
            raise InputError(
                f'{where} is not a plain file of weights ({error}); get the '
                'weights from their publisher.'
            ) from None
    if not isinstance(state, dict):
        raise InputError(
            f'{where} holds no state dict; save one with '
            'torch.save(model.state_dict(), FILE).'
        )
    # As in PyTorch's ImageNet example, and MiDaS.
    inner = state.get('state_dict', state.get('model'))
    state = inner if isinstance(inner, dict) else state
    return {
        name: value
        for name, value in state.items()
        if isinstance(name, str)
        and of_one_device(name).startswith(prefix)
        and isinstance(value, _Tensor)
    }


def _array(tensor: _Tensor, data: bytes) -> np.ndarray:
    """Returns the tensor's numbers, copied, after checking that it has them."""
    storage, offset, shape, strides = tensor
    if len(data) != storage.bytes:
        raise ValueError(f'storage {storage.key[:40]!r} has lost data')
    if len(shape) != len(strides) or min((offset, *shape, *strides)) < 0:
        raise ValueError(f'a tensor has shape {shape} and strides {strides}')
    count = math.prod(shape)
    if not count:
        return np.empty(shape, storage.dtype)
    axes = list(zip(shape, strides, strict=True))
    last = offset + sum((n - 1) * step for n, step in axes)
    # Strides of 0 repeat numbers, so both are checked.
    if count > storage.size or last >= storage.size:
        raise ValueError(f'a tensor of shape {shape} exceeds its data')
    return np.lib.stride_tricks.as_strided(
        np.frombuffer(data, storage.dtype)[offset:],
        shape,
        # Of an axis of length 1 it may be any number, however large.
        [step * storage.dtype.itemsize * (n > 1) for n, step in axes],
    ).copy()

"""Files of features: MATLAB v7.3, v5, plain HDF5 and bdpy's sparse arrays.

A file holds the features of one picture in one layer, under the key `feat`:
(1, channels, height, width) of a convolution, (1, units) of a fully connected
layer; old files lack the leading 1. MATLAB stores arrays with their axes
reversed, and marks them with an attribute.
"""

import math
import pathlib
from typing import Any

import h5py
import numpy as np

from brainjax.errors import InputError
from brainjax.io import hdf5, matlab, matlab73, untrusted
from brainjax.io.files import PathLike

KEY = 'feat'
INDEX = 'feature_index.mat'  # Beside the layers, if only some units are kept.
_SPARSE = '__bdpy_sparse_arrray'  # As bdpy spells it.


def write(path: PathLike, features: np.ndarray) -> None:
    """Writes the features of one picture as MATLAB v7.3; whole or not at all.

    The same features always make the same bytes.

    Args:
      path: ending in .mat.
      features: float32 or float64, for example [channels, height, width] or
        [units]; a leading axis of length 1 is added.
    """
    matlab73.write(path, {KEY: np.asarray(features)[None]})


def shape(path: PathLike) -> tuple[int, ...]:
    """Returns the shape of a file's features, without the leading 1."""
    if _is_version_5(path):
        return read(path).shape
    with hdf5.opened(path) as file:
        if _is_sparse(file):
            return _sparse(path).shape
        data = hdf5.dataset(file, KEY, kinds='f')
        return _stripped(data.shape[:: _order(data)])


def read(path: PathLike, start: int = 0, stop: int | None = None) -> np.ndarray:
    """Reads features, all of them or some channels.

    Args:
      path: of the file.
      start, stop: of the first axis: channels of a convolution, units of a
        fully connected layer.

    Returns:
      [stop - start, ...] of the type that they are stored in.
    """
    if _is_version_5(path):
        features = matlab.read(path, [KEY]).get(KEY)
        numeric = getattr(features, 'dtype', np.dtype(object)).kind in 'iuf'
        if not numeric or not features.size:
            raise InputError(
                f'{path} holds no numbers named {KEY!r}; give files of '
                'features, one a picture.'
            )
        return features.reshape(_stripped(features.shape))[start:stop]
    with hdf5.opened(path) as file:
        if _is_sparse(file):
            return _sparse(path)[start:stop]
        data = hdf5.dataset(file, KEY, kinds='f')
        order = _order(data)
        whole = data.shape[::order]
        wanted = [slice(None)] * len(whole)
        wanted[_first_axis(whole)] = slice(start, stop)
        part = data[tuple(wanted[::order])]
        part = part.T if order < 0 else part
        return part.reshape(-1, *_stripped(whole)[1:])


def read_array(path: PathLike, name: str) -> np.ndarray:
    """Reads an array of a model: MATLAB v7.3, or bdpy's sparse ones."""
    if not pathlib.Path(path).is_file():
        raise InputError(f'{path} does not exist; check the path.')
    with hdf5.opened(path) as file:
        sparse = hdf5.inside(file, f'{name}/{_SPARSE}')
        data = None if sparse else hdf5.dataset(file, name, kinds='fiu')
        if data is not None:
            return data[()].T if _order(data) < 0 else data[()]
    return _dense(path, name)


def _is_version_5(path: PathLike) -> bool:
    if not pathlib.Path(path).is_file():
        raise InputError(f'{path} does not exist; check the path.')
    return matlab.looks_like(path)


def _is_sparse(file: h5py.File) -> bool:
    return hdf5.inside(file, f'{KEY}/{_SPARSE}')


def read_index(path: PathLike) -> dict[str, np.ndarray]:
    """Reads which units of each layer are kept, counted from 0.

    Units are counted as they lie in a file of all: channels, height, width.
    """
    if matlab.looks_like(path):
        held = matlab.read(path, ['index']).get('index')
    else:
        held = _group(path, 'index')
    if not isinstance(held, dict) or not held:
        raise InputError(
            f'{path} holds no structure named index, with an array for each '
            'layer; copy it again, or remove it where all units are kept.'
        )
    result = {}
    for layer, units in held.items():
        units = np.ravel(units)
        kept = units.astype(np.int64) if units.dtype.kind in 'iuf' else units
        if (
            not len(units)
            or not np.array_equal(kept, units)
            or kept.dtype.kind != 'i'
            or kept.min() < 0
            or len(np.unique(kept)) < len(kept)
        ):
            raise InputError(
                f'{path}: the units of {layer} are not different whole '
                'numbers from 0 on; copy it again.'
            )
        result[layer] = kept
    return result


def _group(path: PathLike, name: str) -> Any:
    """Reads a structure of arrays, MATLAB's or, as newer bdpy writes, none."""
    with hdf5.opened(path) as file:
        if not hdf5.inside(file, name) or 'MATLAB_class' in file[name].attrs:
            return matlab73.read(path, [name]).get(name)
        return {
            part: hdf5.read(file, f'{name}/{part}')
            for part in hdf5.names(file[name])
        }


def _sparse(path: PathLike) -> np.ndarray:
    dense = _dense(path, KEY)
    return dense.reshape(_stripped(dense.shape))


def _dense(path: PathLike, name: str) -> np.ndarray:
    """Reads what bdpy's `save_array(..., sparse=True)` wrote."""
    held = _group(path, name)
    with untrusted.as_input_error(path, 'file of sparse features'):
        whole = tuple(int(np.ravel(n)[0]) for n in np.ravel(held['shape']))
        values = held['value'].ravel()
        untrusted.check_size(path, math.prod(whole) * values.itemsize, name)
        index = held['index']
        if index.dtype.kind == 'O':  # A cell of one array an axis.
            index = [np.ravel(axis) for axis in np.ravel(index)]
        flat = np.ravel_multi_index(index, whole)  # Refuses what lies outside.
        dense = np.full(math.prod(whole), held['background'], values.dtype)
        dense[flat] = values
    return dense.reshape(whole)


def _order(data: h5py.Dataset) -> int:
    """Returns -1 for an array whose axes MATLAB has reversed, else 1."""
    return -1 if 'MATLAB_class' in data.attrs else 1


def _stripped(whole: tuple[int, ...]) -> tuple[int, ...]:
    """Returns a shape without the leading axis of the one picture."""
    if not math.prod(whole):
        raise InputError(f'features of shape {whole} hold nothing.')
    axis = _first_axis(whole)
    # Older files of a fully connected layer hold a column.
    return whole[:1] if whole[1:] == (1,) and not axis else whole[axis:]


def _first_axis(whole: tuple[int, ...]) -> int:
    """Returns which axis is that of channels or units."""
    return int(len(whole) in (2, 4) and whole[0] == 1)

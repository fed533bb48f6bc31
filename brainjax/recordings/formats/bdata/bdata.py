"""BData files: responses and design side by side, each column described.

The layout of the Kamitani laboratory's HDF5 files:

  dataset               samples in rows; voxels and design columns  [n, m]
  metadata/key          names of what is said about columns         [k]
  metadata/description  one sentence a key, by habit '1 = <key>'    [k]
  metadata/value        what each key says of each column, NaN for
                        nothing                                     [k, m]
  vmap/<key>/<number>   the text that a number in that key's column
                        stands for
  header                when and by what it was written

The row of VoxelData, Run or stimulus_name is 1 on the columns of that kind,
the row of ROI_V1 is 1 or 0 on voxels, that of voxel_x a coordinate. Columns
may come in any order. Older files spell dataSet and metaData; MATLAB files of
version 5 and 7.3 hold variables of these names.
"""

import dataclasses
import math
import os
import time
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

import brainjax
from brainjax.errors import InputError, suggestion
from brainjax.io import hdf5, matlab, matlab73
from brainjax.io.files import PathLike, atomic
from brainjax.recordings.formats.bdata import selection

NO_LABEL = 'n/a'

_MATLAB = ('dataSet', 'metaData')
_FIELDS = ('key', 'description', 'value')


@dataclasses.dataclass(frozen=True, eq=False)
class BData:
    """Samples with metadata on their columns; an immutable, checked value.

    Attributes:
      dataset: [samples, columns] float64.
      keys: names of what is said about columns.
      descriptions: one a key.
      values: [keys, columns] float64, NaN where a key says nothing.
      vmap: key -> number in that key's column -> what it stands for.
      source: where it came from, for messages.
      precision: type of the dataset in the file; float32 has seven digits.
    """

    dataset: np.ndarray
    keys: tuple[str, ...]
    descriptions: tuple[str, ...]
    values: np.ndarray
    vmap: Mapping[str, Mapping[float, str]]
    source: str
    precision: str = 'float64'

    def __post_init__(self):
        _check(self)

    def row(self, key: str) -> np.ndarray:
        """Returns what a key says of each column, [columns]."""
        if key not in self.keys:
            raise InputError(
                f'{self.source} has no key {key!r}, only '
                f'{", ".join(self.keys)}.{suggestion(key, self.keys)}'
            )
        return self.values[self.keys.index(key)]

    def columns(self, expression: str) -> np.ndarray:
        """Returns the [columns] bool mask of a selection; see `selection`."""
        rows = dict(zip(self.keys, self.values))
        return selection.select(expression, rows, self.source)

    def select(self, expression: str) -> np.ndarray:
        """Returns the selected columns, [samples, selected] float64."""
        return self.dataset[:, self.columns(expression)]

    def numbers(self, key: str) -> np.ndarray:
        """Returns the one column of a key, [samples] float64."""
        mine = self.row(key) == 1
        if mine.sum() != 1:
            raise InputError(
                f'{self.source}: key {key!r} has {mine.sum()} columns where '
                'one is needed; its row in the metadata must be 1 on one '
                'column.'
            )
        return self.dataset[:, mine][:, 0]

    def labels(self, key: str) -> list[str] | np.ndarray:
        """Returns what the column of a key stands for in each sample.

        Returns:
          Text by the key's vmap, 'n/a' for NaN; the numbers if it has none.
        """
        numbers = self.numbers(key)
        if key not in self.vmap:
            return numbers
        texts = self.vmap[key]
        for number in np.unique(numbers[~np.isnan(numbers)]):
            if number not in texts:
                raise InputError(
                    f'{self.source}: the vmap of {key} does not say what '
                    f'{number} stands for; add it.'
                )
        return [
            NO_LABEL if math.isnan(number) else texts[number]
            for number in numbers.tolist()
        ]


def looks_like(path: PathLike) -> bool:
    """True for a file of this layout, HDF5 or MATLAB."""
    if not os.path.isfile(path):
        return False
    if matlab.looks_like(path):
        return matlab.names(path).issuperset(_MATLAB)
    if not hdf5.looks_like(path):
        return False
    try:
        with hdf5.opened(path) as file:
            return any(
                hdf5.inside(file, samples)
                and hdf5.inside(file, f'{metadata}/key')
                and hdf5.inside(file, f'{metadata}/value')
                for samples, metadata in (('dataset', 'metadata'), _MATLAB)
            )
    except InputError:
        return False


def read(path: PathLike) -> BData:
    """Reads a file, HDF5 or MATLAB."""
    try:
        version5, version73 = matlab.looks_like(path), matlab73.looks_like(path)
    except OSError as error:
        raise InputError(
            f'{path} cannot be read ({error.strerror}); check the path.'
        ) from error
    if version5:
        return _from_matlab(matlab.read(path, _MATLAB), path)
    if version73:
        return _from_matlab(matlab73.read(path, _MATLAB), path)
    with hdf5.opened(path) as file:
        samples, metadata = (
            old if hdf5.inside(file, old) else new
            for new, old in zip(('dataset', 'metadata'), _MATLAB)
        )
        dataset = hdf5.read(file, samples)
        return BData(
            dataset.astype(np.float64, copy=False),
            _texts(hdf5.read(file, f'{metadata}/key', 'S'), 'key', path),
            _texts(
                hdf5.read(file, f'{metadata}/description', 'S'),
                'description',
                path,
            ),
            hdf5.read(file, f'{metadata}/value').astype(np.float64, copy=False),
            _read_vmap(file, path),
            os.fspath(path),
            dataset.dtype.name,
        )


def write(data: BData, path: PathLike) -> None:
    """Writes an HDF5 file; of its making it states only time and version."""
    text = h5py.string_dtype()
    with (
        atomic(path) as temporary,
        h5py.File(temporary, 'w', locking=False) as file,
    ):
        file['dataset'] = data.dataset
        metadata = file.create_group('metadata')
        metadata.create_dataset('key', data=list(data.keys), dtype=text)
        metadata.create_dataset(
            'description', data=list(data.descriptions), dtype=text
        )
        metadata['value'] = data.values
        vmap = file.create_group('vmap')
        for key, texts in data.vmap.items():
            group = vmap.create_group(key)
            for number, label in texts.items():
                group.create_dataset(str(float(number)), data=label, dtype=text)
        header = file.create_group('header')
        header['ctime'] = time.ctime()
        header['creator'] = f'brainjax {brainjax.__version__}'


def _read_vmap(file: h5py.File, path: PathLike) -> dict[str, dict[float, str]]:
    """Reads what numbers stand for, from the group vmap where there is one."""
    vmap: dict[str, dict[float, str]] = {}
    if not hdf5.inside(file, 'vmap') or not isinstance(
        file['vmap'], h5py.Group
    ):
        return vmap
    for key in file['vmap']:
        inside = hdf5.inside(file, f'vmap/{key}')
        group = file[f'vmap/{key}'] if inside else None
        if not isinstance(group, h5py.Group):
            raise InputError(
                f'{path}: vmap/{key} must be a group with one text a number.'
            )
        vmap[key] = {}
        for number in group:
            found = hdf5.read(group, number, 'S')
            if not isinstance(found, bytes):
                raise InputError(
                    f'{path}: vmap/{key}/{number} must be one text.'
                )
            try:
                code = float(number)
            except ValueError as error:
                raise InputError(
                    f'{path}: vmap/{key} holds {number!r}, which is no '
                    'number; name its entries by the numbers in the column.'
                ) from error
            vmap[key][code] = found.decode('utf-8', 'replace')
    return vmap


def _texts(found: Any, what: str, path: PathLike) -> tuple[str, ...]:
    """Turns an array of bytes or str, or a cell array, into texts."""
    texts = np.ravel(found).tolist()
    if not all(isinstance(text, bytes | str) for text in texts):
        raise InputError(f'{path}: {what} in the metadata must be texts.')
    return tuple(
        text.decode('utf-8', 'replace') if isinstance(text, bytes) else text
        for text in texts
    )


def _from_matlab(found: dict[str, Any], path: PathLike) -> BData:
    """Makes a BData of the variables dataSet and metaData."""
    missing = [name for name in _MATLAB if name not in found]
    if missing:
        raise InputError(
            f'{path} has no {" and no ".join(missing)}; give a BData file, '
            'which has both.'
        )
    dataset, metadata = (found[name] for name in _MATLAB)
    if not isinstance(metadata, dict) or not metadata.keys() >= {*_FIELDS}:
        raise InputError(
            f'{path}: metaData must be a structure with {", ".join(_FIELDS)}.'
        )
    for what, values in (
        ('dataSet', dataset),
        ('metaData.value', metadata['value']),
    ):
        if (
            not isinstance(values, np.ndarray)
            or values.dtype.kind not in 'biuf'
        ):
            raise InputError(f'{path}: {what} must be numbers.')
    return BData(
        dataset.astype(np.float64, copy=False),
        _texts(metadata['key'], 'key', path),
        _texts(metadata['description'], 'description', path),
        metadata['value'].astype(np.float64, copy=False),
        {},
        os.fspath(path),
        dataset.dtype.name,
    )


def _check(data: BData) -> None:
    """Checks that dataset and metadata belong together."""
    where, shape = data.source, data.dataset.shape
    if len(shape) != 2 or 0 in shape:
        raise InputError(
            f'{where}: the dataset has shape {shape}; it must be [samples, '
            'columns] with at least one of each.'
        )
    expected = (len(data.keys), shape[1])
    if data.values.shape != expected:
        raise InputError(
            f'{where}: the metadata have shape {data.values.shape}, but '
            f'{expected[0]} keys and {expected[1]} columns make it '
            f'{expected}; the file does not fit together.'
        )
    if len(data.descriptions) != len(data.keys):
        raise InputError(
            f'{where}: {len(data.descriptions)} descriptions for '
            f'{len(data.keys)} keys; give one to each.'
        )
    if len({*data.keys}) < len(data.keys):
        twice = next(k for k in data.keys if data.keys.count(k) > 1)
        raise InputError(f'{where}: two keys are named {twice!r}; rename one.')

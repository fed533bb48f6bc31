"""fMRI that stays on disk: read some trials at a time, scaled on the way.

A recording of many sessions does not fit in memory. `StoredFmri` takes the
place of its array: trials and voxels are chosen, and values scaled, without
reading anything; `fmri[rows]` reads. The functions here do for both kinds, in
bounded memory, what the `Recording` needs.
"""

import dataclasses
import functools
import math
import os
from collections.abc import Iterator

import numpy as np

from brainjax.errors import InputError
from brainjax.io import files, provenance
from brainjax.io.files import PathLike

BLOCK = 64 * 2**20  # Bytes that a block of trials takes as float64.


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """A table of finite numbers in a .npy file, unread.

    Attributes:
      shape: [rows, columns].
      dtype: of a number.
      start: bytes before the first row.
      largest: no number's magnitude is above it.
    """

    path: PathLike
    shape: tuple[int, int]
    dtype: np.dtype
    start: int
    largest: float

    @property
    def row_bytes(self) -> int:
        """Size of one trial on disk."""
        return self.shape[1] * self.dtype.itemsize


def open_table(path: PathLike) -> Table:
    """Looks at a .npy file without reading its numbers."""
    try:
        with open(path, 'rb') as stream:
            version = np.lib.format.read_magic(stream)
            if version != (1, 0):  # What `np.save` writes for plain arrays.
                raise ValueError(f'its version is {version}')
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
            start = stream.tell()
            size = os.fstat(stream.fileno()).st_size
    except FileNotFoundError as error:
        raise InputError(f'{path} does not exist; check the path.') from error
    except (OSError, ValueError) as error:
        raise InputError(
            f'{path} is no .npy file ({error}); remove it, so that it is made '
            'again.'
        ) from error
    if len(shape) != 2 or fortran or dtype.kind not in 'iu':
        raise InputError(
            f'{path} holds {dtype} of shape {shape}; a table of whole numbers '
            'in row order is needed.'
        )
    if size != start + math.prod(shape) * dtype.itemsize:
        raise InputError(
            f'{path} is cut off; remove it, so that it is made again.'
        )
    kind = np.iinfo(dtype)
    return Table(path, shape, dtype, start, max(-kind.min, kind.max))


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class StoredFmri:
    """Responses in files, [trials, voxels] float32 once they are read.

    The value of a trial and voxel is `scale * number + offset`, computed in
    float32. Finite numbers and finite scales make every value finite.

    Attributes:
      tables: the files, for example one a session.
      table: [trials] the table that a trial is in.
      row: [trials] its row there.
      column: [voxels] the column of a voxel, the same in every table.
      scale: [tables, voxels] float64.
      offset: [tables, voxels] float64.
    """

    tables: tuple[Table, ...]
    table: np.ndarray
    row: np.ndarray
    column: np.ndarray
    scale: np.ndarray
    offset: np.ndarray

    ndim = 2
    dtype = np.dtype(np.float32)

    def __post_init__(self):
        largest = max((table.largest for table in self.tables), default=0)
        # A scale is 1 / std: infinite, or nearly, for a constant voxel.
        size = abs(self.scale) * largest + abs(self.offset)
        if not (size < np.finfo(np.float32).max).all():
            raise InputError(
                f'{self.tables[0].path}: a voxel cannot be scaled, for its '
                'values are all the same; leave such voxels out.'
            )

    @functools.cached_property
    def _scaling(self) -> tuple[np.ndarray, np.ndarray]:
        """Scale and offset as they are used: half as wide, twice as fast."""
        return (
            self.scale.astype(self.dtype, order='C'),
            self.offset.astype(self.dtype, order='C'),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Trials and voxels."""
        return len(self.row), len(self.column)

    def __len__(self) -> int:
        return len(self.row)

    def __repr__(self) -> str:
        trials, voxels = self.shape
        return f'<StoredFmri: {trials} trials, {voxels} voxels on disk>'

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        if copy is False:
            raise ValueError('fMRI on disk cannot be an array without a copy.')
        return self[:].astype(dtype or self.dtype, copy=False)

    def __getitem__(self, rows) -> np.ndarray:
        """Reads trials: a slice, indices or [trials] bool; float32."""
        chosen = np.arange(len(self))[rows]
        out = np.empty((*chosen.shape, len(self.column)), np.float32)
        flat = chosen.ravel()
        places = list(zip(self.table[flat].tolist(), self.row[flat].tolist()))
        handles = {}
        try:
            for t in {table for table, _ in places}:
                handles[t] = os.open(self.tables[t].path, os.O_RDONLY)
            self._announce(handles, places)
            self._read(handles, places, out.reshape(-1, len(self.column)))
        except OSError as error:
            raise InputError(
                f'{error.filename or self.tables[0].path} cannot be read any '
                f'more ({error.strerror}); open the recording again.'
            ) from error
        finally:
            for handle in handles.values():
                os.close(handle)
        return out

    def take(self, index: np.ndarray, axis: int) -> 'StoredFmri':
        """Chooses trials (axis 0) or voxels (axis 1 or -1); reads nothing."""
        if axis == 0:
            return dataclasses.replace(
                self, table=self.table[index], row=self.row[index]
            )
        return dataclasses.replace(
            self,
            column=self.column[index],
            scale=self.scale.take(index, axis=1),
            offset=self.offset.take(index, axis=1),
        )

    def _announce(self, handles, places) -> None:
        """Lets the system fetch all rows at once, in the disk's order."""
        if not hasattr(os, 'posix_fadvise'):  # As on macOS.
            return
        for t, row in places:
            table = self.tables[t]
            os.posix_fadvise(
                handles[t],
                table.start + row * table.row_bytes,
                table.row_bytes,
                os.POSIX_FADV_WILLNEED,
            )

    def _read(self, handles, places, out) -> None:
        width = self.tables[0].shape[1]
        whole = np.array_equal(self.column, np.arange(width))
        scale, offset = self._scaling
        for i, (t, row) in enumerate(places):
            table = self.tables[t]
            content = os.pread(
                handles[t],
                table.row_bytes,
                table.start + row * table.row_bytes,
            )
            if len(content) < table.row_bytes:
                raise InputError(
                    f'{table.path} is cut off; remove it, so that it is made '
                    'again.'
                )
            numbers = np.frombuffer(content, table.dtype)
            if not whole:  # Indexing by all columns would copy the row.
                numbers = numbers[self.column]
            np.multiply(numbers, scale[t], out=out[i], casting='same_kind')
            out[i] += offset[t]


Fmri = np.ndarray | StoredFmri


def to_disk(fmri: np.ndarray) -> StoredFmri:
    """Writes responses into the cache folder, for a recording to read.

    Args:
      fmri: [trials, voxels] float32, finite.
    """
    fmri = np.ascontiguousarray(fmri, np.float32)
    path = files.cache_folder('fmri', f'{provenance.hash_arrays(fmri)}.npy')
    with files.atomic(path) as temporary, open(temporary, 'wb') as stream:
        np.lib.format.write_array(stream, fmri, allow_pickle=False)
    start = path.stat().st_size - fmri.nbytes
    largest = float(max(fmri.max(), -fmri.min()))
    table = Table(path, fmri.shape, fmri.dtype, start, largest)
    one = np.ones((1, fmri.shape[1]))
    return whole_tables((table,), one, 0 * one)


def whole_tables(
    tables: tuple[Table, ...], scale: np.ndarray, offset: np.ndarray
) -> StoredFmri:
    """All rows of some tables, one after the other; see `StoredFmri`."""
    rows = [table.shape[0] for table in tables]
    return StoredFmri(
        tables,
        np.repeat(np.arange(len(tables)), rows),
        np.concatenate([np.arange(n) for n in rows]),
        np.arange(tables[0].shape[1]),
        scale,
        offset,
    )


def rows_at_once(fmri: Fmri) -> int:
    """How many trials to hold in memory at once."""
    return max(1, BLOCK // (8 * fmri.shape[1]))


def blocks(fmri: Fmri) -> Iterator[np.ndarray]:
    """Yields [trials, voxels] in order: arrays whole, stored fMRI in blocks."""
    if isinstance(fmri, np.ndarray):
        yield fmri
        return
    step = rows_at_once(fmri)
    for start in range(0, len(fmri), step):
        yield fmri[start : start + step]


def stimulus_blocks(
    stimulus: np.ndarray, rows: int
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Divides trials into blocks, all trials of a stimulus in one.

    Args:
      stimulus: [trials] the stimulus of each.
      rows: trials in a block, about.

    Yields:
      The block's place among the stimuli in ascending order, its trials
      sorted by stimulus, and where among these each stimulus starts.
    """
    # Stable, so that sums do not depend on how the sort breaks ties.
    order = np.argsort(stimulus, kind='stable')
    _, start = np.unique(stimulus[order], return_index=True)
    ends = np.append(start, len(order))
    first = 0
    while first < len(start):  # A stimulus of more than `rows` stays whole.
        after = np.searchsorted(ends, ends[first] + rows, side='right') - 1
        last = max(first + 1, int(after))
        yield (
            slice(first, last),
            order[ends[first] : ends[last]],
            start[first:last] - start[first],
        )
        first = last


def constant_voxels(fmri: Fmri) -> np.ndarray:
    """Returns [voxels] bool: the same value in every trial.

    Reads no further than needed to see every voxel change.
    """
    constant = np.ones(fmri.shape[1], bool)
    first = fmri[:1]
    for block in blocks(fmri):
        constant &= (block == first).all(axis=0)
        if not constant.any():
            break
    return constant


def mean_and_std(fmri: Fmri) -> tuple[np.ndarray, np.ndarray]:
    """Returns means and standard deviations (/ n), [voxels] float64 each."""
    if isinstance(fmri, np.ndarray):
        # Some voxels at a time, for `std` makes a float64 copy.
        step = max(1, BLOCK // (8 * len(fmri)))
        parts = [
            (part.mean(axis=0, dtype=float), part.std(axis=0, dtype=float))
            for i in range(0, fmri.shape[1], step)
            for part in [fmri[:, i : i + step]]
        ]
        mean, std = map(np.concatenate, zip(*parts))
        return mean, std
    shift = total = squares = None
    for block in blocks(fmri):
        block = block.astype(np.float64)
        if shift is None:  # Near the mean, so that no digits cancel.
            shift = block[0].copy()
            total, squares = np.zeros_like(shift), np.zeros_like(shift)
        block -= shift
        total += block.sum(axis=0)
        squares += np.einsum('tv,tv->v', block, block)
    mean = total / len(fmri)
    # Rounding may leave a little below 0 for a constant voxel.
    variance = np.maximum(squares / len(fmri) - mean**2, 0)
    return shift + mean, np.sqrt(variance)


def standardise(fmri: Fmri, mean: np.ndarray, std: np.ndarray) -> Fmri:
    """Returns (fmri - mean) / std; fMRI on disk stays on disk."""
    if isinstance(fmri, np.ndarray):
        out = np.empty(fmri.shape, np.float32)
        step = rows_at_once(fmri)
        for start in range(0, len(fmri), step):  # Not all of it as float64.
            rows = slice(start, start + step)
            out[rows] = (fmri[rows] - mean) / std
        return out
    return dataclasses.replace(
        fmri,
        scale=fmri.scale / std,
        offset=(fmri.offset - mean) / std,
    )


def standardise_groups(
    fmri: Fmri, group: np.ndarray, mean: np.ndarray, std: np.ndarray
) -> Fmri:
    """Returns (fmri - mean) / std with values of each trial's group.

    Args:
      fmri: [trials, voxels].
      group: [trials] row of the group in `mean` and `std`.
      mean: [groups, voxels].
      std: [groups, voxels].
    """
    if isinstance(fmri, np.ndarray):
        out = np.empty(fmri.shape, np.float32)
        for g in np.unique(group):
            out[group == g] = (fmri[group == g] - mean[g]) / std[g]
        return out
    (old, new), table = np.unique(
        np.stack([fmri.table, group]), axis=1, return_inverse=True
    )
    return dataclasses.replace(
        fmri,
        tables=tuple(fmri.tables[t] for t in old),
        table=table.ravel(),
        scale=fmri.scale[old] / std[new],
        offset=(fmri.offset[old] - mean[new]) / std[new],
    )

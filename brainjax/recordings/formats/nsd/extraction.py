"""Voxels of an ROI, taken out of NSD's session files once.

A session file holds whole volumes, about a gigabyte of them; an ROI is a
fiftieth of that. What was taken out is kept in the cache folder, one .npy file
a session, so that work that was cut off goes on where it stopped.
"""

import contextlib
import hashlib
import json
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from brainjax.errors import InputError
from brainjax.io import hdf5
from brainjax.io.files import atomic, cache_folder
from brainjax.io.progress import progress
from brainjax.recordings.on_disk import (
    Table,
    mean_and_std,
    open_table,
    whole_tables,
)

_AT_ONCE = 128 * 2**20  # Bytes of volumes held in memory.


def extract(files: Sequence[pathlib.Path], mask: np.ndarray) -> list[Table]:
    """Takes the voxels of a mask out of session files, or finds them taken.

    Args:
      files: betas_session01.hdf5 and so on.
      mask: [x, y, z] bool.

    Returns:
      For each file its voxels [trials, voxels] int16, in the order of
      `volume[mask]`. They are made anew when a file's name, size or time or
      the mask has changed.
    """
    digest = hashlib.sha256(np.packbits(mask)).hexdigest()
    paths = [_cached([*_stamp(f), *mask.shape, digest]) for f in files]
    missing = [i for i, path in enumerate(paths) if not path.exists()]
    if missing:
        with progress('voxels', len(missing), unit='sessions') as update:
            for done, i in enumerate(missing, start=1):
                _extract(files[i], mask, paths[i])
                update(done, files[i].name)
    return [open_table(path) for path in paths]


def moments(table: Table, rows: np.ndarray) -> np.ndarray:
    """Returns mean and standard deviation of each column, kept in the cache.

    Args:
      table: of `extract`.
      rows: [rows] bool.

    Returns:
      [2, columns] float64; the standard deviation divides by n.
    """
    digest = hashlib.sha256(np.packbits(rows)).hexdigest()
    path = _cached([os.fspath(table.path), len(rows), digest])
    shape = 2, table.shape[1]
    # What was cut off is computed anew.
    with contextlib.suppress(OSError, ValueError, EOFError):
        kept = np.load(path, allow_pickle=False)
        if kept.shape == shape and kept.dtype == np.float64:
            return kept
    one = np.ones((1, shape[1]))
    whole = whole_tables((table,), one, 0 * one)
    found = np.stack(mean_and_std(whole.take(np.flatnonzero(rows), 0)))
    with atomic(path) as temporary:
        np.save(temporary, found)
    return found


def _extract(
    file: pathlib.Path, mask: np.ndarray, target: pathlib.Path
) -> None:
    x, y, z = np.nonzero(mask)
    with hdf5.opened(file) as opened:
        betas = hdf5.dataset(opened, 'betas', 'i')
        # HDF5 holds [trials, z, y, x], the masks are [x, y, z].
        if betas.ndim != 4 or betas.shape[:0:-1] != mask.shape:
            raise InputError(
                f'{file}: betas have shape {betas.shape}; [trials, z, y, x] '
                f'with x, y, z of {mask.shape} are needed, as the ROIs have.'
            )
        if betas.dtype.itemsize != 2 or not len(betas):
            raise InputError(
                f'{file}: betas are {len(betas)} trials of {betas.dtype}; '
                'one at least of int16 is needed.'
            )
        trial_step, slice_step = _steps(betas)
        with atomic(target) as temporary:
            out = np.lib.format.open_memmap(
                temporary, 'w+', np.int16, (len(betas), len(x))
            )
            for first in range(0, mask.shape[2], slice_step):
                here = np.flatnonzero((z >= first) & (z < first + slice_step))
                if not len(here):
                    continue
                place = (z[here] - first, y[here], x[here])
                for start in range(0, len(betas), trial_step):
                    trials = slice(start, start + trial_step)
                    part = betas[trials, first : first + slice_step]
                    out[trials, here] = part[:, *place]
            out.flush()


def _steps(betas) -> tuple[int, int]:
    """Trials and slices to read at once: whole chunks, in bounded memory."""
    trials, slices, *plane = betas.shape
    chunk = betas.chunks or (1, slices)
    plane_bytes = 2 * plane[0] * plane[1]

    def step(chunk: int, bytes_each: int, most: int) -> int:
        whole = _AT_ONCE // bytes_each // chunk * chunk
        return min(max(whole, chunk), most)

    slice_step = step(chunk[1], chunk[0] * plane_bytes, slices)
    return step(chunk[0], slice_step * plane_bytes, trials), slice_step


def _stamp(file: pathlib.Path) -> tuple[str, int, int]:
    stat = file.stat()  # Not a hash: a session is a gigabyte.
    return os.fspath(file.absolute()), stat.st_size, stat.st_mtime_ns


def _cached(key: list) -> pathlib.Path:
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()
    return cache_folder('nsd', f'{digest[:32]}.npy')

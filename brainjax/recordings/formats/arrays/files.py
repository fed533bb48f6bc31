"""The files of a folder of arrays, found by their stems and read."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from brainjax.errors import InputError
from brainjax.io import arrays, files, tables
from brainjax.io.files import PathLike
from brainjax.recordings.array_fmri import NIFTI, Responses
from brainjax.recordings.array_labels import COLUMNS, NO_VOXELS

NPY = ('.npy',)
# What may stand beside one another, by stem.
SUFFIXES = {
    'fmri': (*NPY, *tables.SUFFIXES, *NIFTI),
    'labels': (*tables.SUFFIXES, *NPY),
    'pictures': ('', *NPY, '.npz', '.zip', '.tar', '.h5'),
    'rois': (*tables.SUFFIXES, '.json', '.npz', ''),
    'mask': NIFTI,
    'unpaired_fmri': (*NPY, *tables.SUFFIXES, *NIFTI),
    'snr': (*NPY, *tables.SUFFIXES),
    'noise_ceiling': (*NPY, *tables.SUFFIXES),
    'about': ('.json',),
}
OF_TRIALS = tuple(name for names in COLUMNS.values() for name in names)


def beside(folder: pathlib.Path, stem: str) -> pathlib.Path | None:
    """Returns the file or folder of a stem, or None; two would be a guess."""
    there = [
        path
        for suffix in SUFFIXES[stem]
        if (path := folder / f'{stem}{suffix}').exists()
    ]
    if len(there) > 1:
        raise InputError(
            f'{folder} holds {" and ".join(path.name for path in there)}; '
            'leave one of them.'
        )
    return there[0] if there else None


def has(path: PathLike, suffixes: Sequence[str]) -> bool:
    """Whether a file ends in one of some suffixes."""
    return os.fspath(path).lower().endswith(tuple(s for s in suffixes if s))


def responses(path: PathLike) -> tuple[Any, dict[str, list[str]], list[str]]:
    """Reads [trials, voxels], or leaves an image to whoever has the mask.

    Returns:
      What `from_arrays` takes as fmri, columns of a table that tell of trials,
      and sentences.
    """
    if has(path, NIFTI):
        return os.fspath(path), {}, []
    if has(path, tables.SUFFIXES):
        found = tables.read_numbers(path, (*OF_TRIALS, *NO_VOXELS))
        values = Responses(found.values, found.columns)
        notes = [*found.notes]
        if unused := sorted({*found.texts} & {*NO_VOXELS}):
            notes.append(
                f'{path}: {", ".join(unused)} tell of trials and are not used.'
            )
        texts = {k: v for k, v in found.texts.items() if k in OF_TRIALS}
        return values, texts, notes
    return numbers(path), {}, []


def numbers(path: PathLike) -> np.ndarray:
    """Reads an array of an npy file, or a table's values without a heading."""
    if has(path, tables.SUFFIXES):
        return tables.read_numbers(path).values
    found = arrays.open_npy(path)
    if found.dtype.kind not in 'biufU':
        raise InputError(
            f'{path} holds {found.dtype}; save it as a plain array of numbers '
            'or text.'
        )
    return np.asarray(found)


def labels(path: PathLike) -> Any:
    """Reads what was shown in each trial: a column, or a table of several."""
    if not has(path, tables.SUFFIXES):
        return numbers(path)
    rows = tables.read_texts(path)
    headed = any(cell.lower() in OF_TRIALS for cell in rows[0])
    while rows[-1] == ['']:  # Lines at the end of a file.
        rows.pop()
    if len(rows[0]) == 1 and not headed:
        return [row[0] for row in rows]
    return _columns(rows, path)


def rois(path: PathLike) -> Any:
    """Reads regions from a table, JSON, npz or a folder of NIfTI masks.

    A table has a line a voxel: a column of 0 and 1 for each region, or one
    with the name of the voxel's region.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        found = [x for x in files.visible(path, '*.nii*') if has(x, NIFTI)]
        return {x.name.partition('.nii')[0]: x for x in found}
    if path.suffix == '.json':
        found = files.read_json(path)
        if not all(isinstance(x, list) for x in found.values()):
            raise InputError(
                f'{path} must hold a list of voxels for each region.'
            )
        return found
    if path.suffix == '.npz':
        return arrays.load(path, [*arrays.shapes(path)])
    rows = tables.read_texts(path)
    if len(rows[0]) == 1 and rows[0][0].lower() not in ('roi', 'region'):
        flags = {cell for (cell,) in rows[1:]} <= {'0', '1'}
        if not flags or rows[0][0] in ('0', '1', ''):
            return [row[0] for row in rows]
    columns = _columns(rows, path)
    for name in columns:
        if name.lower() in ('roi', 'region'):
            return columns[name]
    columns.pop('', None)  # pandas' count of the rows.
    return {name: _flags(cells, name, path) for name, cells in columns.items()}


def _columns(rows: list[list[str]], path: PathLike) -> dict[str, list[str]]:
    header, *rest = rows
    if len({*header}) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise InputError(f'{path} has two columns {twice!r}; rename one.')
    return {name: [row[i] for row in rest] for i, name in enumerate(header)}


def _flags(cells: Sequence[str], name: str, path: PathLike) -> np.ndarray:
    known = {'0': False, '1': True, 'false': False, 'true': True}
    try:
        return np.array([known[cell.lower()] for cell in cells], bool)
    except KeyError as error:
        raise InputError(
            f'{path}: region {name!r} holds {error.args[0][:40]!r}; give 0 or '
            '1 for each voxel.'
        ) from None

"""Reads arrays from files: a folder, an npz file, a table, an image.

A folder holds `fmri` and `labels`, and whatever else is known:

  fmri           [trials, voxels]: .npy, .csv, .tsv, .txt; or .nii, .nii.gz of
                 one volume a trial, with a mask
  labels         .csv, .tsv, .txt, .npy: what was shown in each trial, or a
                 table with columns stimulus, run, session, part, category
  pictures       a folder, .npz, .npy, .zip, .tar, .h5
  rois           .csv, .tsv, .txt, .json, .npz, or a folder of NIfTI masks
  mask           .nii, .nii.gz: where the voxels lie
  unpaired_fmri  as fmri
  snr, noise_ceiling  .npy, .csv: a number a voxel
  about.json     subject, simulated

An npz file holds arrays of these names, columns of labels (run, session,
part, category), roi_V1 and so on, [x, y, z] mask with affine, and the names of
pictures. A table of responses may hold the labels' columns itself.
"""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from brainjax.errors import InputError, listed
from brainjax.io import arrays, tables
from brainjax.io import files as io_files
from brainjax.io.files import PathLike
from brainjax.recordings.array_fmri import NIFTI
from brainjax.recordings.arrays import from_arrays
from brainjax.recordings.formats.arrays import files
from brainjax.recordings.recording import Recording
from brainjax.recordings.transforms import UNUSABLE

ROI = 'roi_'  # Before the name of a region, in an npz file.
_COLUMNS = ('run', 'session', 'part', 'category')
_ARRAYS = (
    *('fmri', 'pictures', 'unpaired_fmri', 'snr', 'noise_ceiling'),
    *('mask', 'affine'),
)
_KNOWN = (*_ARRAYS, *_COLUMNS, 'labels', 'names', 'subject', 'simulated')


def looks_like(path: PathLike) -> bool:
    """True for a folder or npz with `fmri`, and for a table, npy or image."""
    if os.path.isdir(path):
        return any(
            os.path.isfile(os.path.join(path, f'fmri{suffix}'))
            for suffix in files.SUFFIXES['fmri']
        )
    if not os.path.isfile(path):
        return False
    if files.has(path, NIFTI) or tables.looks_like(path):
        return True
    return arrays.is_npy(path) or _is_npz(path)


def read(
    path: PathLike,
    pictures: PathLike | None = None,
    labels: PathLike | None = None,
    rois: PathLike | None = None,
    mask: PathLike | None = None,
    test: Any = None,
    size: int | None = None,
    drop: Sequence[str] = UNUSABLE,
    fit: str = 'centre',
    alpha: str = 'grey',
    upright: bool = True,
    seed: int = 0,
) -> Recording:
    """Reads one subject by `recordings.from_arrays`.

    Args:
      path: a folder or npz file, see above; or the responses alone, whose
        folder may hold the rest.
      pictures: a folder, an archive or an array of pictures; None for what
        stands beside the responses, and without any there are none.
      labels, rois, mask: their files, likewise.
      test: names or numbers of stimuli, a list or joined by ','; or what part
        of the stimuli; None for what the labels say.
      size: of the pictures; None keeps their own.
      drop: which voxels to leave out: 'nan', 'infinite' or 'constant' in some
        trial; others are refused.
      fit, alpha, upright: how pictures are read, see `pictures.load`.
      seed: of the draw of a part of the stimuli.
    """
    path = pathlib.Path(path)
    named = {'pictures': pictures, 'labels': labels, 'rois': rois, 'mask': mask}
    for name, value in named.items():
        if value is not None and not isinstance(value, str | os.PathLike):
            raise InputError(f'{name} is {value!r}; name a file.')
    if _is_npz(path):
        found, notes = _of_npz(path)
        paths = {k: v for k, v in named.items() if v}
    else:
        found, notes = {}, []
        folder = path if path.is_dir() else path.parent
        paths = {
            stem: named.get(stem) or files.beside(folder, stem)
            for stem in files.SUFFIXES
            if stem != 'fmri' or path.is_dir()
        }
        paths = {'fmri': path, **{k: v for k, v in paths.items() if v}}
    opened, more = _open(paths)
    found |= opened
    if found.get('labels') is None:
        raise InputError(
            f'{path} says of no trial what was shown; put labels.csv or '
            'labels.npy beside the responses, or name the file with the option '
            'labels=FILE.'
        )
    found.setdefault('subject', path.name.partition('.')[0])
    recording = from_arrays(
        **found,
        test=_test(test),
        size=size,
        drop=drop,
        fit=fit,
        alpha=alpha,
        upright=upright,
        seed=seed,
        source=os.fspath(path),
    )
    problems = (*notes, *more, *recording.problems)
    return dataclasses.replace(recording, problems=problems)


def _is_npz(path: PathLike) -> bool:
    return os.path.isfile(path) and arrays.names(path) >= {'fmri', 'labels'}


def _open(
    paths: dict[str, PathLike],
) -> tuple[dict[str, Any], list[str]]:
    """Reads files by what they hold; returns arguments and sentences."""
    found: dict[str, Any] = {}
    notes, columns = [], {}
    for name, path in paths.items():
        if name in ('fmri', 'unpaired_fmri'):
            found[name], told, said = files.responses(path)
            columns, notes = columns or told, [*notes, *said]
        elif name in ('snr', 'noise_ceiling'):
            found[name] = files.numbers(path).ravel()
        elif name == 'pictures' and arrays.names(path) >= {'images', 'names'}:
            held = arrays.read(path)
            found[name] = _named(held['images'], held['names'], path)
        elif name in ('pictures', 'mask'):  # Opened by who reads them.
            found[name] = os.fspath(path)
        elif name == 'about':
            found |= _about(io_files.read_json(path), path)
        else:
            found[name] = getattr(files, name)(path)
    if columns and 'labels' in found:
        notes.append(
            f'{paths["fmri"]}: the columns {", ".join(columns)} are not used, '
            f'as {paths["labels"]} is there.'
        )
    return ({'labels': columns} if columns else {}) | found, notes


def _about(found: dict[str, Any], where: PathLike) -> dict[str, Any]:
    """Returns the subject and whether it was simulated."""
    kinds = {'subject': str, 'simulated': bool}
    for name, kind in kinds.items():
        if not isinstance(found.get(name, kind()), kind):
            raise InputError(
                f'{where}: {name} is {found[name]!r}; give a '
                f'{"text" if kind is str else "true or false"}.'
            )
    return {name: found[name] for name in kinds if name in found}


def _of_npz(path: pathlib.Path) -> tuple[dict[str, Any], list[str]]:
    """Returns arguments of `from_arrays`, and sentences."""
    there = arrays.names(path)
    known = [x for x in there if x in _KNOWN or x.startswith(ROI)]
    held = arrays.read(path, known)
    found = {name: held.pop(name) for name in _ARRAYS if name in held}
    labels = {'stimulus': held.pop('labels')}
    labels |= {name: held.pop(name) for name in _COLUMNS if name in held}
    regions = {
        name.removeprefix(ROI): held.pop(name)
        for name in [*held]
        if name.startswith(ROI)
    }
    about = {
        name: held.pop(name).tolist()
        for name in ('subject', 'simulated')
        if name in held
    }
    if 'names' in held and 'pictures' in found:
        found['pictures'] = _named(found['pictures'], held.pop('names'), path)
    notes = []
    if unused := sorted({*held} | there - {*known}):
        notes.append(
            f'{path}: {listed(unused)} is no array that is known and not used.'
        )
    found |= {'labels': labels, 'rois': regions or None}
    return found | _about(about, path), notes


def _named(
    images: np.ndarray, names: np.ndarray, path: pathlib.Path
) -> dict[str, np.ndarray]:
    if names.shape != images.shape[:1] or names.dtype.kind != 'U':
        raise InputError(
            f'{path}: names are {names.dtype} of shape {names.shape} and the '
            f'pictures have shape {images.shape}; give one text a picture.'
        )
    named = dict(zip(names.tolist(), images))
    if len(named) < len(names):
        raise InputError(f'{path}: two pictures have one name; rename them.')
    return named


def _test(test: Any) -> Any:
    """Returns an option, which may be a text, as `from_arrays` takes it."""
    if isinstance(test, int) and not isinstance(test, bool):
        return [test]
    if not isinstance(test, str):
        return test
    try:
        part = float(test)
    except ValueError:
        part = 1.0
    if 0 < part < 1:
        return part
    return [x.strip() for x in test.split(',') if x.strip()] or None

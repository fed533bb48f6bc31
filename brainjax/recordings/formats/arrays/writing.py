"""Writes a recording as a folder of arrays and tables, or one npz file."""

import csv
import io
import pathlib
from collections.abc import Iterator

import numpy as np

from brainjax.errors import InputError
from brainjax.io import arrays, nifti
from brainjax.io.files import PathLike, atomic, write_json, write_text
from brainjax.recordings.formats.arrays import files
from brainjax.recordings.formats.arrays.reading import ROI
from brainjax.recordings.on_disk import Fmri, blocks
from brainjax.recordings.recording import Recording, Trials
from brainjax.recordings.transforms import take_voxels


def write(recording: Recording, path: PathLike) -> None:
    """Writes what `read` reads; voxels come in the order of their places.

    Args:
      path: ends in .npz for one file; else a folder, made if need be.
    """
    if recording.volume is not None:
        places = recording.volume.indices
        order = np.lexsort(places.T[::-1])
        if (order != np.arange(len(order))).any():
            recording = take_voxels(recording, order)
    path = pathlib.Path(path)
    if path.suffix == '.npz':
        _write_npz(recording, path)
    else:
        _write_folder(recording, path)


def _write_npz(recording: Recording, path: pathlib.Path) -> None:
    columns = _columns(recording)
    content = {
        'fmri': np.concatenate([x.fmri[:] for _, x in _parts(recording)]),
        'labels': np.array(columns.pop('stimulus')),
        **{name: np.array(values) for name, values in columns.items()},
        **{f'{ROI}{name}': mask for name, mask in recording.rois.items()},
        'subject': np.array(recording.subject),
        'simulated': np.array(recording.simulated),
    }
    if recording.stimuli.images is not None:
        content['pictures'] = recording.stimuli.images
        content['names'] = np.array(recording.stimuli.names)
    if recording.volume is not None:
        content['mask'] = _mask(recording)
        content['affine'] = recording.volume.affine
    for name in ('snr', 'noise_ceiling', 'unpaired_fmri'):
        if getattr(recording, name) is not None:
            content[name] = getattr(recording, name)[:]
    arrays.write(path, **content)


def _write_folder(recording: Recording, folder: pathlib.Path) -> None:
    for stem in files.SUFFIXES:
        if folder.is_dir() and files.beside(folder, stem):
            raise InputError(
                f'{folder} holds {files.beside(folder, stem).name} already; '
                'name another folder.'
            )
    _write_rows(folder / 'fmri.npy', *(x.fmri for _, x in _parts(recording)))
    columns = _columns(recording)
    _write_table(folder / 'labels.csv', columns)
    about = {'subject': recording.subject, 'simulated': recording.simulated}
    write_json(folder / 'about.json', about)
    if recording.rois:
        flags = {name: mask * 1 for name, mask in recording.rois.items()}
        _write_table(folder / 'rois.csv', flags)
    if recording.stimuli.images is not None:
        arrays.write(
            folder / 'pictures.npz',
            images=recording.stimuli.images,
            names=np.array(recording.stimuli.names),
        )
    if recording.volume is not None:
        mask = _mask(recording).astype(np.uint8)
        nifti.write(folder / 'mask.nii.gz', mask, recording.volume.affine)
    for name in ('snr', 'noise_ceiling'):
        values = getattr(recording, name)
        if values is not None:
            _write_rows(folder / f'{name}.npy', values[:, None])
    if recording.unpaired_fmri is not None:
        _write_rows(folder / 'unpaired_fmri.npy', recording.unpaired_fmri)


def _parts(recording: Recording) -> Iterator[tuple[str, Trials]]:
    for part in ('train', 'test', 'imagery'):
        if getattr(recording, part) is not None:
            yield part, getattr(recording, part)


def _columns(recording: Recording) -> dict[str, list]:
    """Returns what is known of the trials of all parts, one after the other."""
    parts = [*_parts(recording)]
    stimulus = np.concatenate([trials.stimulus for _, trials in parts])
    stimuli = recording.stimuli
    columns = {
        'stimulus': [stimuli.names[i] for i in stimulus],
        'part': [part for part, trials in parts for _ in range(len(trials))],
    }
    for name in ('run', 'session'):
        values = [getattr(trials, name) for _, trials in parts]
        if all(x is not None for x in values):
            columns[name] = np.concatenate(values).tolist()
    if stimuli.categories is not None:
        columns['category'] = [stimuli.categories[i] for i in stimulus]
    return columns


def _mask(recording: Recording) -> np.ndarray:
    inside = np.zeros(recording.volume.shape, bool)
    inside[tuple(recording.volume.indices.T)] = True
    return inside


def _write_rows(path: pathlib.Path, *parts: Fmri) -> None:
    """Writes [rows, columns] float32, of fMRI on disk some rows at a time."""
    shape = sum(map(len, parts)), parts[0].shape[1]
    with atomic(path) as temporary:
        out = np.lib.format.open_memmap(temporary, 'w+', np.float32, shape)
        row = 0
        for block in (block for part in parts for block in blocks(part)):
            out[row : row + len(block)] = block
            row += len(block)
        out.flush()


def _write_table(path: pathlib.Path, columns: dict[str, list]) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator='\n')
    table.writerow(columns)
    table.writerows(zip(*columns.values()))
    write_text(path, text.getvalue())

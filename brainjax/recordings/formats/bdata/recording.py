"""Recordings in BData files: Kamitani's experiments, and any other.

Files differ in how they say what a trial is for:

  GOD (Horikawa and Kamitani 2017): one file a subject, column DataType 1 for
    training, 2 for test, 3 for imagery
  deep image reconstruction (Shen et al. 2019): a file for each of training,
    test, shapes, letters and imagery, known by its stimuli or its name
  any other: nothing is said, and stimuli are held out of training

and in how they name stimuli: stimulus_name with the texts in a vmap, or the
numbers of stimulus_id, Label or image_index (see `stimulus_names`).

`write` gives DataType (4 for responses to pictures that are not known),
stimulus_name and category_index with vmaps, Run, Session, the ROI_* masks,
snr, noise_ceiling, and where voxels lie: voxel_x, voxel_y and voxel_z in
millimetres, voxel_i, voxel_j and voxel_k in the volume.
"""

import os
import pathlib
import re
from collections.abc import Sequence

import numpy as np

from brainjax.errors import InputError, check_known
from brainjax.io.files import PathLike
from brainjax.pictures import operations
from brainjax.recordings import (
    options,
    splits,
    stimulus_names,
    stimulus_pictures,
)
from brainjax.recordings.formats.bdata import bdata, trials, voxels
from brainjax.recordings.formats.bdata.trials import Rows
from brainjax.recordings.recording import Recording, Stimuli, Trials
from brainjax.recordings.transforms import (
    UNUSABLE,
    keep_voxels,
    kept_voxels,
    need_pictures,
    unusable_voxels,
)
from brainjax.recordings.volume import coordinates, take

TESTS = ('test', 'shape', 'letter', 'imagery')
# The description of VoxelData where no brain was measured.
SIMULATED = '1 = VoxelData, simulated'

_SYNONYMS = {'natural': 'test'}

_SUFFIXES = ('.h5', '.hdf5', '.mat')


def read(
    path: PathLike,
    pictures: PathLike | None = None,
    size: int | None = None,
    roi: str | None = None,
    test: str = 'test',
    fit: str = 'centre',
    alpha: str = 'grey',
    upright: bool = True,
    drop: Sequence[str] = UNUSABLE,
) -> Recording:
    """Reads one subject.

    Stimuli are ordered as the files' numbers for them, those of the first
    file first; only stimuli of trials that are used are kept. Runs are
    counted on from file to file and never shared between sessions. One-back
    repeats and rest are left out where a column event_type marks them.
    Where no file says which trials are for testing, the last tenth of each
    category's stimuli, by first appearance and at least one, is held out.

    Args:
      path: a file, a folder of one subject's files, or files joined by ','.
      pictures: a folder, a tar archive or an HDF5 file of pictures that bear
        the stimulus names; without it the recording has none.
      size: of the pictures; None keeps their own, which must be one size.
      roi: voxels to keep, in the words of `selection`: 'VC', 'V1 | V2',
        'VC - FFA'; None or '' for all.
      test: the set to test on: 'test' (or 'natural'), 'shape', 'letter' or
        'imagery'.
      fit, alpha, upright: how pictures are read, see `pictures.load`.
      drop: which voxels to leave out: 'nan', 'infinite' or 'constant' in some
        trial; others are refused.
    """
    drop = options.kinds('drop', drop, UNUSABLE)
    check_known('test set', test, (*TESTS, *_SYNONYMS))
    test = _SYNONYMS.get(test, test)
    files = _files(path)
    where = ', '.join(map(str, files))
    parts, kept, simulated, problems = [], None, False, []
    there: set[str] = set()
    for file in files:
        data = bdata.read(file)
        kept = voxels.same(
            kept, voxels.read(data, roi), f'{files[0]} and {file}'
        )
        kinds = trials.kinds(data)
        there.update(kinds)
        wanted = np.isin(kinds, ('training', test, 'unpaired'))
        if wanted.any():
            rows, found = trials.read(data, kinds, wanted, kept.column)
            parts.append(rows)
            problems += found
        simulated |= SIMULATED in data.descriptions
    _check_sets(there, test, where)
    rows = trials.join(parts)
    rows.names[:] = stimulus_names.one_spelling(rows.names)
    train, tested = rows.kinds == 'training', rows.kinds == test
    names, categories, found = _stimuli(rows, train | tested, where)
    problems += found
    if test not in there:
        tested, sentence = splits.default_split(
            rows.names,
            train,
            dict(zip(names, categories or [''] * len(names))),
            where,
        )
        train &= ~tested
        problems.append(sentence)
    images = None
    if pictures:
        images, found = stimulus_pictures.join(
            names, pictures, size, fit=fit, alpha=alpha, upright=upright
        )
        problems += found
    unpaired = rows.kinds == 'unpaired'
    why = unusable_voxels(rows.fmri[train], rows.fmri[tested | unpaired])
    usable, found = kept_voxels(why, drop, where)
    problems += found
    rows = rows._replace(fmri=keep_voxels(rows.fmri, usable))
    return Recording(
        subject=_subject(files),
        train=_trials(rows, train, names),
        test=_trials(rows, tested, names),
        stimuli=Stimuli(images, names, categories),
        rois={name: mask[usable] for name, mask in kept.rois.items()},
        source=where,
        simulated=simulated,
        unpaired_fmri=rows.fmri[unpaired] if unpaired.any() else None,
        **{
            key: kept.values[key][usable]
            for key in voxels.MEASURED
            if key in kept.values
        },
        format='bdata',
        problems=tuple(problems),
        volume=take(voxels.places(kept.values), usable),
    )


def looks_like(path: PathLike) -> bool:
    """True for a BData file, a folder of them, or several joined by ','."""
    if os.path.isdir(path):
        return any(bdata.looks_like(file) for file in _inside(path))
    if os.path.exists(path):
        return bdata.looks_like(path)
    files = os.fspath(path).split(',')
    return len(files) > 1 and all(map(bdata.looks_like, files))


def write(
    recording: Recording, path: PathLike, pictures: PathLike | None = None
) -> None:
    """Writes an HDF5 file, and the pictures as PNG files.

    Stimuli that no trial shows are lost, and without `pictures` all pictures.

    Args:
      pictures: a folder for NAME.png, one a stimulus; None writes none.
    """
    bdata.write(from_recording(recording, os.fspath(path)), path)
    if pictures is None:
        return
    images = need_pictures(recording)
    shown = [recording.train.stimulus, recording.test.stimulus]
    for i in np.unique(np.concatenate(shown)):
        name = pathlib.PurePath(f'{recording.stimuli.names[i]}.png')
        if name.is_absolute() or '..' in name.parts:
            raise InputError(
                f'{recording.source}: stimulus {recording.stimuli.names[i]!r} '
                'is no file name; rename it.'
            )
        operations.save_png(pathlib.Path(pictures) / name, images[i])


def from_recording(recording: Recording, source: str) -> bdata.BData:
    """Returns a recording as BData: training, test, then unpaired trials.

    Voxels come first, then one column for each key of the design.
    """
    fmri = [recording.train.fmri, recording.test.fmri]
    if recording.unpaired_fmri is not None:
        fmri.append(recording.unpaired_fmri)
    design, vmap = _design(recording, [len(part) for part in fmri])
    about = {
        f'{voxels.ROI}{name}': mask for name, mask in recording.rois.items()
    }
    for key in voxels.MEASURED:
        if getattr(recording, key) is not None:
            about[key] = getattr(recording, key)
    if recording.volume is not None:
        about |= zip(voxels.MILLIMETRES, coordinates(recording.volume).T)
        about |= zip(voxels.INDICES, recording.volume.indices.T)
    keys = ('VoxelData', *design, *about)
    count = recording.voxels
    values = np.full((len(keys), count + len(design)), np.nan)
    values[0, :count] = 1
    for i in range(len(design)):
        values[1 + i, count + i] = 1
    for i, row in enumerate(about.values(), 1 + len(design)):
        values[i, :count] = row
    descriptions = {'VoxelData': SIMULATED} if recording.simulated else {}
    dataset = np.empty((sum(map(len, fmri)), values.shape[1]))
    np.concatenate(fmri, out=dataset[:, :count])
    np.stack([*design.values()], axis=1, out=dataset[:, count:])
    return bdata.BData(
        dataset,
        keys,
        tuple(descriptions.get(key, f'1 = {key}') for key in keys),
        values,
        vmap,
        source,
    )


def _design(
    recording: Recording, lengths: list[int]
) -> tuple[dict[str, np.ndarray], dict[str, dict[float, str]]]:
    """Returns key -> [trials] numbers, NaN for none, and what they mean.

    Args:
      lengths: numbers of training, test and perhaps unpaired trials.
    """
    parts = (recording.train, recording.test)
    stimuli = recording.stimuli

    def column(*numbers: np.ndarray | None) -> np.ndarray:
        filled = [
            np.full(length, np.nan) if values is None else values
            for values, length in zip((*numbers, None), lengths)
        ]
        return np.concatenate(filled, dtype=np.float64)

    design = {
        'DataType': np.repeat([1.0, 2.0, 4.0][: len(lengths)], lengths),
        'stimulus_name': column(*(part.stimulus + 1 for part in parts)),
    }
    shown = np.union1d(*(part.stimulus for part in parts)).tolist()
    vmap = {'stimulus_name': {i + 1.0: stimuli.names[i] for i in shown}}
    if stimuli.categories is not None:
        known, number = np.unique(stimuli.categories, return_inverse=True)
        design['category_index'] = column(
            *(number[part.stimulus] + 1 for part in parts)
        )
        vmap['category_index'] = dict(enumerate(known.tolist(), 1))
    for key in ('run', 'session'):
        numbers = [getattr(part, key) for part in parts]
        if any(values is not None for values in numbers):
            design[key.capitalize()] = column(*numbers)
    return design, vmap


def _files(path: PathLike) -> list[PathLike]:
    """Returns the files that a path stands for, those of a folder sorted."""
    if os.path.isdir(path):
        files = [file for file in _inside(path) if bdata.looks_like(file)]
        if not files:
            raise InputError(
                f'{path} holds no BData file; give the folder of one '
                "subject's files."
            )
    elif os.path.exists(path):
        return [path]
    else:
        files = [pathlib.Path(part) for part in os.fspath(path).split(',')]
    subjects = sorted({_subject([file]) for file in files if _of(file)})
    if len(subjects) > 1:
        raise InputError(
            f'{path} holds files of {" and ".join(subjects)}; give those of '
            "one subject, joined by ','."
        )
    # The first file's order of stimuli comes first.
    return sorted(files, key=lambda file: 'training' not in file.name.lower())


def _inside(folder: PathLike) -> list[pathlib.Path]:
    return sorted(
        file
        for file in pathlib.Path(folder).iterdir()
        if file.suffix in _SUFFIXES
    )


def _of(file: PathLike) -> re.Match | None:
    return re.match(r'(sub-?[a-z]*\d+)', os.path.basename(file), re.IGNORECASE)


def _subject(files: Sequence[PathLike]) -> str:
    """Returns 'sub-01' of 'sub-01_...', else the first file's name."""
    found = _of(files[0])
    return found[1] if found else pathlib.Path(files[0]).stem


def _check_sets(there: set[str], test: str, where: str) -> None:
    """Checks that there are trials for training, and the test set wanted."""
    tests = [kind for kind in TESTS if kind in there]
    if 'training' not in there:
        raise InputError(
            f'{where} holds no training trials, only '
            f'{", ".join(tests) or "unpaired"} trials; give the file with the '
            'training trials as well.'
        )
    if test not in there and (tests or test != 'test'):
        raise InputError(
            f'{where} holds no trials of the test set {test!r}, only '
            f'{", ".join(tests) or "training trials"}; choose with `test`, or '
            'give the file as well.'
        )


def _stimuli(
    rows: Rows, used: np.ndarray, where: str
) -> tuple[tuple[str, ...], tuple[str, ...] | None, list[str]]:
    """Returns names and categories of the stimuli used, and what is odd."""
    # By the files' numbers, so that the order is that of their lists.
    order = np.flatnonzero(used)[np.argsort(rows.numbers[used], kind='stable')]
    categories: dict[str, str] = {}
    for name, category in zip(rows.names[order], rows.categories[order]):
        if categories.setdefault(name, category) != category:
            sentence = (
                f'{where}: stimulus {name} is in categories '
                f'{categories[name]} and {category}; categories are not used.'
            )
            return tuple(dict.fromkeys(rows.names[order])), None, [sentence]
    known = all(categories.values())
    return tuple(categories), tuple(categories.values()) if known else None, []


def _trials(rows: Rows, which: np.ndarray, names: Sequence[str]) -> Trials:
    place = {name: i for i, name in enumerate(names)}
    numbers = (
        # Some trials without a run leave all without: int32 has no NaN.
        None if np.isnan(values).any() else values.astype(np.int32)
        for values in (rows.run[which], rows.session[which])
    )
    return Trials(
        rows.fmri[which],
        np.array([place[name] for name in rows.names[which]], np.int32),
        *numbers,
    )

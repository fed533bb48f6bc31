"""vim-1, natural grey pictures: `EstimatedResponses.mat` and `Stimuli.mat`.

1750 training and 120 test pictures, one response each over the voxels of
occipital cortex, averaged over repeats (Kay et al. 2008, crcns.org). Both
files are MATLAB v7.3. For subject S, in MATLAB's order of dimensions,

  dataTrnS1  training responses                         [voxels, 1750] single
  dataValS1  test responses                             [voxels, 120] single
  roiS1      1 to 7: V1 V2 V3 V3A V3B V4 LatOcc; 0 other           [voxels]
  voxIdxS1   place of each voxel in the volume, counted from 1     [voxels]
  stimTrn    training pictures, grey around 0           [1750, 128, 128] single
  stimVal    test pictures                              [120, 128, 128] single

HDF5 holds them with the dimensions reversed.
"""

import os
import pathlib
import re
from collections.abc import Sequence

import h5py
import numpy as np

from brainjax.errors import InputError, check_known
from brainjax.io import hdf5, matlab73
from brainjax.io.files import PathLike
from brainjax.pictures import operations
from brainjax.recordings import options
from brainjax.recordings.recording import Recording, Stimuli, Trials
from brainjax.recordings.transforms import (
    UNUSABLE,
    average_repeats,
    kept_voxels,
    need_pictures,
    select_roi,
    unusable_voxels,
)

ROIS = ('V1', 'V2', 'V3', 'V3A', 'V3B', 'V4', 'LatOcc')  # Codes 1 to 7.

_BRIGHTEST = 0.5  # Grey values are stated to lie within plus and minus this.


def read(
    path: PathLike,
    subject: int = 1,
    pictures: PathLike | None = None,
    roi: str | None = None,
    size: int | None = None,
    drop: Sequence[str] = UNUSABLE,
    fit: str = 'centre',
) -> Recording:
    """Reads one subject.

    Grey value g becomes the pixel 255 (g + m) / 2m, rounded, with one m for
    all pictures: 0.5, or the largest absolute value where that is more. So 0,
    the mean grey, is mid-grey in every picture and nothing is clipped.
    Pictures are named 'train-0001', 'test-0001' and so on, in their order.
    Responses are averages already, so SNR and noise ceiling are not known.

    Args:
      path: `EstimatedResponses.mat`.
      subject: 1 or 2; some releases hold others.
      pictures: `Stimuli.mat`; None for the one beside `path`, and where there
        is none the recording has no pictures.
      roi: one of the 7 regions or several joined by '|'; None or '' for all
        voxels.
      size: of the pictures, in pixels; None keeps their 128.
      drop: which voxels to leave out: 'nan', 'infinite' or 'constant' in some
        trial; others are refused.
      fit: how pictures come to the size, see `pictures.load`.
    """
    check_known('way to fit pictures', fit, operations.FITS)
    drop = options.kinds('drop', drop, UNUSABLE)
    beside = pathlib.Path(path).with_name('Stimuli.mat')
    if not pictures and beside.exists():
        pictures = beside
    with hdf5.opened(path) as file:
        _check_subject(file, subject)
        train = _responses(file, f'dataTrnS{subject}')
        test = _responses(file, f'dataValS{subject}')
        codes = hdf5.read(file, f'roiS{subject}').ravel()
    if test.shape[1] != train.shape[1] or codes.shape != train.shape[1:]:
        raise InputError(
            f'{path}: dataTrnS{subject} has {train.shape[1]} voxels, '
            f'dataValS{subject} {test.shape[1]} and roiS{subject} '
            f'{len(codes)}; the file does not fit together.'
        )
    if not np.isin(codes, range(len(ROIS) + 1)).all():
        raise InputError(
            f'{path}: roiS{subject} holds codes other than 0 to {len(ROIS)}; '
            'give the EstimatedResponses.mat of crcns.org.'
        )
    images, problems = None, []
    if pictures:
        images, problems = _pictures(pictures, len(train), len(test))
        if size:
            images = operations.resize(images, size, fit)
    # The authors set voxels without a signal to NaN.
    usable, found = kept_voxels(
        unusable_voxels(train, test), drop, os.fspath(path)
    )
    problems += found
    codes = codes[usable]
    recording = Recording(
        subject=f'S{subject}',
        train=Trials(train[:, usable], np.arange(len(train), dtype=np.int32)),
        test=Trials(
            test[:, usable],
            np.arange(len(train), len(train) + len(test), dtype=np.int32),
        ),
        stimuli=Stimuli(
            images,
            (
                *(f'train-{i:04d}' for i in range(1, len(train) + 1)),
                *(f'test-{i:04d}' for i in range(1, len(test) + 1)),
            ),
        ),
        rois={name: codes == code for code, name in enumerate(ROIS, 1)},
        source=os.fspath(path),
        simulated=False,
        format='vim1',
        problems=tuple(problems),
    )
    return select_roi(recording, roi) if roi else recording


def write(
    recording: Recording,
    path: PathLike,
    pictures: PathLike,
    subject: int = 1,
) -> None:
    """Writes a recording in this layout.

    Repeats are averaged, colours become grey, and a voxel in several regions
    keeps the first of the seven; other regions, names, runs, pictures without
    a trial and what else the layout has no place for are lost.
    """
    images = need_pictures(recording)
    train = average_repeats(recording.train)
    test = average_repeats(recording.test)
    codes = np.zeros(recording.voxels)
    for code, name in reversed([*enumerate(ROIS, 1)]):
        if name in recording.rois:
            codes[recording.rois[name]] = code
    matlab73.write(
        path,
        {
            f'dataTrnS{subject}': train.fmri.T,
            f'dataValS{subject}': test.fmri.T,
            f'roiS{subject}': codes[:, None],
            f'voxIdxS{subject}': np.arange(1.0, len(codes) + 1)[:, None],
        },
    )
    grey = {
        name: _grey(images[trials.stimulus])
        for name, trials in (('stimTrn', train), ('stimVal', test))
    }
    matlab73.write(pictures, grey)


def looks_like(path: PathLike) -> bool:
    """True for an HDF5 file with this data set's arrays."""
    return any(re.fullmatch(r'dataTrnS\d+|stimTrn', n) for n in _names(path))


def holds_pictures(path: PathLike) -> bool:
    """True for `Stimuli.mat`."""
    return 'stimTrn' in _names(path)


def _names(path: PathLike) -> list[str]:
    if not hdf5.looks_like(path):
        return []
    try:
        with hdf5.opened(path) as file:
            return [str(name) for name in file]
    except InputError:
        return []


def _check_subject(file: h5py.File, subject: int) -> None:
    found = [
        match[1]
        for name in file
        if (match := re.fullmatch(r'dataTrnS(\d+)', str(name)))
    ]
    if found and str(subject) not in found:
        raise InputError(
            f'{file.filename} holds no subject {subject}, only '
            f'{", ".join(found)}; choose among them with `subject`.'
        )
    if not found and hdf5.inside(file, 'stimTrn'):
        raise InputError(
            f'{file.filename} holds the pictures; give EstimatedResponses.mat '
            'for the recording, and this file as `pictures`.'
        )


def _responses(file: h5py.File, name: str) -> np.ndarray:
    """Reads [pictures, voxels] float32."""
    values = hdf5.read(file, name, 'f')
    if values.ndim != 2 or 0 in values.shape:
        raise InputError(
            f'{file.filename}: {name} has shape {values.shape[::-1]}; it must '
            'be [voxels, pictures].'
        )
    return values.astype(np.float32, copy=False)


def _pictures(
    path: PathLike, train: int, test: int
) -> tuple[np.ndarray, list[str]]:
    """Reads both parts as [n, size, size, 3] uint8; sentences on their range.

    Args:
      path: `Stimuli.mat`.
      train: how many pictures there must be for training.
      test: the same for testing.
    """
    parts = []
    with hdf5.opened(path) as file:
        for name, n in (('stimTrn', train), ('stimVal', test)):
            grey = hdf5.read(file, name, 'f').transpose()
            if grey.ndim != 3 or grey.shape[1] != grey.shape[2]:
                raise InputError(
                    f'{path}: {name} has shape {grey.shape}; it must be '
                    '[pictures, size, size].'
                )
            if len(grey) != n:
                raise InputError(
                    f'{path}: {name} holds {len(grey)} pictures for {n} '
                    'responses; give the Stimuli.mat that belongs to them.'
                )
            parts.append(grey)
    if parts[0].shape[1] != parts[1].shape[1]:
        raise InputError(
            f'{path}: stimTrn and stimVal differ in size; they must be alike.'
        )
    highest = max(float(np.abs(part).max()) for part in parts)
    if not highest <= 2 * _BRIGHTEST:
        raise InputError(
            f'{path}: grey values reach {highest:g}; they must be numbers '
            f'around 0, about -{_BRIGHTEST} to {_BRIGHTEST}.'
        )
    problems = []
    if highest > _BRIGHTEST:
        problems.append(
            f'{path}: grey values reach {highest:g}, beyond {_BRIGHTEST}; all '
            'pictures are scaled by it and have less contrast.'
        )
    most = max(highest, _BRIGHTEST)
    images = np.empty((train + test, *parts[0].shape[1:], 3), np.uint8)
    for i, grey in enumerate(grey for part in parts for grey in part):
        images[i] = np.rint((grey + most) * (255 / (2 * most)))[..., None]
    return images, problems


def _grey(images: np.ndarray) -> np.ndarray:
    """Turns uint8 RGB into grey values in -0.5..0.5; the inverse of `read`."""
    weights = np.float64([0.299, 0.587, 0.114])  # ITU-R BT.601
    grey = np.stack([image @ weights for image in images])
    return (grey / 255 - _BRIGHTEST).astype(np.float32)

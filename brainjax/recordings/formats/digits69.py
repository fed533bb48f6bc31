"""Handwritten sixes and nines: `digits69.mat`, real fMRI of V1 to V3.

One subject, 100 digits shown (50 sixes, then 50 nines) with one response
each over 3092 voxels, and 2000 digits of the same kind that were never shown
(van Gerven et al. 2010). A MATLAB v5 file with

  X                         pictures shown, column-major 28x28   [100, 784]
  X_prior                   pictures never shown                 [2000, 784]
  Y                         responses                            [100, voxels]
  stimulus_label            1 a six, 2 a nine                    [100, 1]
  region_of_interest_label  names of 13 masks, 'primary.nii' ...
  region_of_interest_mask   volumes of 0 and 1, flattened column-major; the
                            voxels of 'primary' are the columns of Y
"""

import os
from collections.abc import Sequence

import numpy as np

from brainjax.errors import InputError
from brainjax.io import matlab
from brainjax.io.files import PathLike
from brainjax.pictures import sources
from brainjax.recordings import options
from brainjax.recordings.recording import Recording, Stimuli, Trials
from brainjax.recordings.transforms import (
    UNUSABLE,
    keep_voxels,
    kept_voxels,
    select_roi,
    unusable_voxels,
)

TEST_ROWS = (*range(45, 50), *range(95, 100))  # The usual test set.

_CATEGORIES = {1: 'six', 2: 'nine'}
_ROI_NAMES = 'region_of_interest_label'
_ROI_MASKS = 'region_of_interest_mask'
_VARIABLES = ('X', 'X_prior', 'Y', 'stimulus_label', _ROI_NAMES, _ROI_MASKS)


def looks_like(path: PathLike) -> bool:
    """True for a MATLAB v5 file, whole or damaged, unless it lacks all."""
    if not matlab.looks_like(path):
        return False
    names = matlab.names(path)
    return not names or not names.isdisjoint(_VARIABLES)


def read(
    path: PathLike,
    test_rows: Sequence[int] = TEST_ROWS,
    roi: str | None = None,
    drop: Sequence[str] = (),
) -> Recording:
    """Reads the 100 trials.

    The pictures are named 'six-00' to 'six-49' and 'nine-00' to 'nine-49',
    upright, their grey value repeated in three channels. No picture was
    shown twice, so SNR and noise ceiling are not known.

    Args:
      path: `digits69.mat`.
      test_rows: the rows to test on; all others are for training.
      roi: one of the 13 masks ('lh.V1d', ...) or several joined by '|'; None
        or '' for all voxels.
      drop: which voxels to leave out: 'nan', 'infinite' or 'constant' in some
        trial; others are refused.
    """
    drop = options.kinds('drop', drop, UNUSABLE)
    content = _load(path, 'X', 'Y', 'stimulus_label', _ROI_NAMES, _ROI_MASKS)
    images = sources.upright_digits(content['X'], f'{path}: X')
    fmri = content['Y']
    if fmri.ndim != 2 or len(fmri) != len(images):
        raise InputError(
            f'{path}: Y has shape {fmri.shape}; it must hold one row for '
            f'each of the {len(images)} pictures in X.'
        )
    fmri = fmri.astype(np.float32)
    label = content['stimulus_label'].ravel()
    if len(label) != len(images) or not np.isin(label, [*_CATEGORIES]).all():
        raise InputError(
            f'{path}: stimulus_label must hold 1 (six) or 2 (nine) for each '
            f'of the {len(images)} pictures in X.'
        )
    categories = tuple(_CATEGORIES[int(value)] for value in label)
    rank = [categories[:i].count(name) for i, name in enumerate(categories)]
    rows = np.arange(len(images), dtype=np.int32)
    held_out = np.isin(rows, _check_rows(test_rows, len(images), path))
    rois = _rois(content, fmri.shape[1], path)
    usable, problems = kept_voxels(
        unusable_voxels(fmri[~held_out], fmri[held_out]), drop, os.fspath(path)
    )
    fmri = keep_voxels(fmri, usable)
    recording = Recording(
        subject='digits69',
        train=Trials(fmri[~held_out], rows[~held_out]),
        test=Trials(fmri[held_out], rows[held_out]),
        stimuli=Stimuli(
            images,
            tuple(f'{c}-{i:02d}' for c, i in zip(categories, rank)),
            categories,
        ),
        rois={name: mask[usable] for name, mask in rois.items()},
        source=os.fspath(path),
        simulated=False,
        format='digits69',
        problems=tuple(problems),
    )
    return select_roi(recording, roi) if roi else recording


def folds(n: int = 10) -> list[tuple[int, ...]]:
    """Returns n sets of test rows, each with 50 / n sixes and as many nines."""
    if n < 2 or 50 % n:
        raise InputError(
            f'50 sixes and 50 nines cannot be divided into {n} folds; use 2, '
            '5, 10, 25 or 50.'
        )
    width = 50 // n
    return [
        (*range(first, first + width), *range(50 + first, 50 + first + width))
        for first in range(0, 50, width)
    ]


def _check_rows(rows: Sequence[int], trials: int, path: PathLike) -> np.ndarray:
    rows = np.asarray(rows)
    whole = rows.ndim == 1 and rows.dtype.kind in 'iu'
    if not whole or rows.min() < 0 or rows.max() >= trials:
        raise InputError(
            f'{path}: test_rows must be integers from 0 to {trials - 1}, '
            'the rows of X.'
        )
    if len(np.unique(rows)) > trials - 2:
        raise InputError(
            f'{path}: test_rows leaves no trials to train on; name fewer.'
        )
    return rows


def _rois(
    content: dict[str, np.ndarray], voxels: int, path: PathLike
) -> dict[str, np.ndarray]:
    """Restricts the 13 volumes to the voxels of Y, in the order of Y."""
    names, masks = content[_ROI_NAMES].ravel(), content[_ROI_MASKS].ravel()
    if len(names) != len(masks) or not all(isinstance(n, str) for n in names):
        raise InputError(
            f'{path}: {_ROI_NAMES} must hold one name for each volume in '
            f'{_ROI_MASKS}.'
        )
    if not all(
        isinstance(mask, np.ndarray)
        and mask.dtype.kind in 'biuf'
        and mask.shape == masks[0].shape
        and np.isin(mask, (0, 1)).all()
        for mask in masks
    ):
        raise InputError(
            f'{path}: {_ROI_MASKS} must hold volumes of one size, of 0 and 1.'
        )
    volumes = {
        # Y's columns follow MATLAB's order of the voxels.
        name.removesuffix('.nii'): mask.ravel(order='F') > 0
        for name, mask in zip(names, masks)
    }
    primary = volumes.get('primary', np.zeros(0, bool))
    if primary.sum() != voxels:
        raise InputError(
            f"{path}: the mask 'primary' holds {primary.sum()} voxels and Y "
            f'{voxels} columns; both must come from one mask.'
        )
    return {name: mask[primary] for name, mask in volumes.items()}


def _load(path: PathLike, *names: str) -> dict[str, np.ndarray]:
    """Loads variables, all of them there and of the type they should have."""
    content = matlab.read(path, names)
    missing = [name for name in names if name not in content]
    if missing:
        raise InputError(
            f'{path} has no {", ".join(missing)}; give the digits69.mat of '
            'van Gerven et al. 2010.'
        )
    for name, values in content.items():
        kinds, what = 'biuf', 'numbers'
        if name in (_ROI_NAMES, _ROI_MASKS):
            kinds, what = 'O', 'a cell array'
        if isinstance(values, str) or values.dtype.kind not in kinds:
            raise InputError(f'{path}: {name} must be {what}.')
    return content

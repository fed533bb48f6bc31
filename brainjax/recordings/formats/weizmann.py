"""The npz files of Gaziv et al. 2022: `sbj_N.npz` and `images_112.npz`.

`sbj_N.npz` holds, for one subject of Generic Object Decoding (Horikawa and
Kamitani 2017):

  arr_0  training fMRI            [1200, V]
  arr_1  test fMRI, single trials [1750, V]
  arr_2  test fMRI, averaged      [50, V]
  arr_3  picture of each training trial, a row of `train_images` [1200]
  arr_4  picture of each test trial, a row of `test_images`      [1750]
  arr_5  noise ceiling            [V]
  arr_6  signal-to-noise ratio    [V]
  V1, V2, V3, V4, FFA, PPA, LOC, LVC, HVC, VC  masks over the V voxels

and `images_112.npz` the pictures as floats in 0..1, `train_images`
[1200, 112, 112, 3] and `test_images` [50, 112, 112, 3].

arr_2, arr_5 and arr_6 may be absent; any other vector of 0 and 1 over the
voxels is taken for an ROI.
"""

import os
import pathlib
from collections.abc import Sequence

import numpy as np

from brainjax.errors import InputError, suggestion
from brainjax.io import arrays
from brainjax.io.files import PathLike
from brainjax.recordings import options
from brainjax.recordings.recording import Recording, Stimuli, Trials
from brainjax.recordings.stimulus_names import listed
from brainjax.recordings.transforms import (
    UNUSABLE,
    average_repeats,
    keep_voxels,
    kept_voxels,
    need_pictures,
    roi_mask,
    unusable_voxels,
)

_NUMBERED = tuple(f'arr_{i}' for i in range(7))
_REQUIRED = ('arr_0', 'arr_1', 'arr_3', 'arr_4')


def read(
    path: PathLike,
    pictures: PathLike | None = None,
    roi: str | None = 'VC',
    select_voxels: PathLike | None = None,
    drop: Sequence[str] = (),
    names: PathLike | None = None,
) -> Recording:
    """Reads one subject.

    Test trials are the single trials of arr_1. The recording's SNR and noise
    ceiling are arr_6 and arr_5, which come from the repeats of the test
    pictures: to fit with them is to use test data. Pictures become uint8 by
    truncation of value x 255, as the published training code does. They are
    named 'train-0001', 'test-0001' and so on, in the order of their rows, or
    as the tables of `names` have it, and so by their ImageNet class.

    Args:
      path: `sbj_N.npz`.
      pictures: `images_112.npz`.
      roi: one ROI or several joined by '|'; None or '' for all voxels.
      select_voxels: npz whose array `select_voxels` chooses among the
        voxels of the ROI, as a mask over them or as their indices.
      drop: which of these to leave out: 'nan', 'infinite' or 'constant' in
        some trial; others are refused.
      names: folder of two tables, see `stimulus_names.listed`.
    """
    drop = options.kinds('drop', drop, UNUSABLE)
    pictures = options.path('pictures', pictures)
    content, ignored = _load(path)
    if not pictures:
        raise InputError(
            f'{path} holds no pictures; name the file that does, such as '
            'images_112.npz, as `pictures` (--pictures, or '
            'config.recording.images).'
        )
    rois = _rois(content, path)
    keep = np.arange(content['arr_0'].shape[1])
    if roi == 'VC' and roi not in rois:
        raise InputError(
            f"{path} has no ROI 'VC', which is taken if none is named, only "
            f'{", ".join(rois) or "none at all"}; name one with the option '
            'roi, such as roi=V1, or take all voxels with an empty one, roi=.'
        )
    if roi:
        keep = keep[roi_mask(rois, roi, str(path))]
    if select_voxels:
        keep = keep[_read_selection(select_voxels, len(keep))]

    def selected(name: str) -> np.ndarray | None:
        if name not in content:
            return None
        # Popped, so that float64 and its selection are not held for long.
        values = np.take(content.pop(name), keep, axis=-1)
        return values.astype(np.float32, copy=False)

    train, test = selected('arr_0'), selected('arr_1')
    usable, dropped = kept_voxels(
        unusable_voxels(train, test), drop, os.fspath(path), keep
    )
    train, test = (keep_voxels(fmri, usable) for fmri in (train, test))
    keep = keep[usable]
    stated = selected('arr_2')
    train_images, test_images = _read_pictures(pictures)
    train_label = _labels(content['arr_3'], len(train_images), 'arr_3', path)
    test_label = _labels(content['arr_4'], len(test_images), 'arr_4', path)
    problems = [
        *ignored,
        *dropped,
        *_unseen(train_label, len(train_images), 'train_images', pictures),
        *_unseen(test_label, len(test_images), 'test_images', pictures),
        *_compare_averages(Trials(test, test_label), stated, path),
    ]
    return Recording(
        subject=pathlib.Path(path).stem,
        train=Trials(train, train_label),
        test=Trials(test, test_label + np.int32(len(train_images))),
        stimuli=Stimuli(
            np.concatenate([train_images, test_images]),
            (
                *_names('train', len(train_images), names),
                *_names('test', len(test_images), names),
            ),
        ),
        rois={name: mask[keep] for name, mask in rois.items()},
        source=os.fspath(path),
        simulated=False,
        snr=selected('arr_6'),
        noise_ceiling=selected('arr_5'),
        format='weizmann',
        problems=tuple(problems),
    )


def write(recording: Recording, path: PathLike, pictures: PathLike) -> None:
    """Writes a recording in this layout; names, runs and categories are lost.

    Pictures that no test trial shows count as training pictures. Without an
    ROI named 'VC', which readers take by default, one of all voxels is added.
    """
    images = need_pictures(recording)
    if images.shape[1] != images.shape[2]:
        raise InputError(
            f'{recording.source} holds pictures of {images.shape[1]} x '
            f'{images.shape[2]} pixels; this format holds square ones only, '
            'so read them with a size.'
        )
    shown_in_test = np.zeros(len(recording.stimuli), bool)
    shown_in_test[recording.test.stimulus] = True
    row = np.where(
        shown_in_test, shown_in_test.cumsum(), (~shown_in_test).cumsum()
    )
    row -= 1
    content = {
        'arr_0': recording.train.fmri,
        'arr_1': recording.test.fmri,
        'arr_2': average_repeats(recording.test).fmri,
        'arr_3': row[recording.train.stimulus],
        'arr_4': row[recording.test.stimulus],
        'arr_5': recording.noise_ceiling,
        'arr_6': recording.snr,
        'VC': np.ones(recording.voxels, bool),
        **recording.rois,
    }
    arrays.write(path, **{k: v for k, v in content.items() if v is not None})
    images = images / np.float32(255)
    arrays.write(
        pictures,
        train_images=images[~shown_in_test],
        test_images=images[shown_in_test],
    )


def looks_like(path: PathLike) -> bool:
    """True for an npz file, whole or damaged, unless its arrays are others'."""
    if not os.path.isfile(path):
        return False
    with open(path, 'rb') as stream:
        if stream.read(4) != b'PK\3\4':
            return False
    found = arrays.names(path)
    return not found or not found.isdisjoint(
        (*_REQUIRED, 'train_images', 'test_images')
    )


def holds_pictures(path: PathLike) -> bool:
    """True for an npz file with the pictures, such as `images_112.npz`."""
    return not arrays.names(path).isdisjoint(('train_images', 'test_images'))


def _load(path: PathLike) -> tuple[dict[str, np.ndarray], list[str]]:
    """Loads what belongs to the layout; returns sentences on the rest."""
    shapes = arrays.shapes(path)
    voxels = _check_layout(shapes, path)
    wanted = [
        name
        for name, shape in shapes.items()
        if name in _NUMBERED or shape == (voxels,)
    ]
    ignored = [
        f'{path}: {name} has shape {shape} and is ignored; an ROI must be 0 '
        f'or 1 for each of the {voxels} voxels.'
        for name, shape in shapes.items()
        if name not in wanted
    ]
    return arrays.load(path, wanted), ignored


def _rois(
    content: dict[str, np.ndarray], path: PathLike
) -> dict[str, np.ndarray]:
    rois = {}
    for name, values in content.items():
        if name in _NUMBERED:
            continue
        if not np.isin(values, (0, 1)).all():
            raise InputError(
                f'{path}: ROI {name!r} holds values other than 0 and 1; '
                'save it as a mask over the voxels.'
            )
        rois[name] = values.astype(bool)
    return rois


def _check_layout(shapes: dict[str, tuple[int, ...]], path: PathLike) -> int:
    """Checks the declared shapes and returns the number of voxels."""
    missing = [name for name in _REQUIRED if name not in shapes]
    if missing:
        raise InputError(
            f'{path} has no {", ".join(missing)} (it holds '
            f'{", ".join(shapes) or "nothing"}); give the sbj_N.npz file of '
            'one subject.'
        )
    if len(shapes['arr_0']) != 2 or 0 in shapes['arr_0']:
        raise InputError(
            f'{path}: arr_0 has shape {shapes["arr_0"]}; it must be '
            '[training trials, voxels].'
        )
    trials, voxels = shapes['arr_0']
    test_trials = shapes['arr_1'][0] if shapes['arr_1'] else 0
    expected = {
        'arr_1': (test_trials, voxels),
        'arr_2': (*shapes.get('arr_2', ())[:1], voxels),
        'arr_3': (trials,),
        'arr_4': (test_trials,),
        'arr_5': (voxels,),
        'arr_6': (voxels,),
    }
    for name, shape in expected.items():
        if name in shapes and shapes[name] != shape:
            raise InputError(
                f'{path}: {name} has shape {shapes[name]}, but the other '
                f'arrays make it {shape}; the file does not fit together.'
            )
    return voxels


def _labels(
    values: np.ndarray, pictures: int, name: str, path: PathLike
) -> np.ndarray:
    """Checks that labels are rows of the pictures; returns them as int32."""
    wrong = np.flatnonzero(
        ~((values >= 0) & (values < pictures) & (values % 1 == 0))
    )
    if len(wrong):
        raise InputError(
            f'{path}: {name} labels trial {wrong[0]} with '
            f'{values[wrong[0]]}, which is no row of the {pictures} pictures '
            f'({len(wrong)} such trials); give the pictures that belong to it.'
        )
    return values.astype(np.int32)


def _names(part: str, n: int, tables: PathLike | None) -> Sequence[str]:
    if tables:
        return listed(tables, part, n)
    return [f'{part}-{i:04d}' for i in range(1, n + 1)]


def _unseen(
    label: np.ndarray, n: int, name: str, pictures: PathLike
) -> list[str]:
    """Returns a sentence if there are pictures without a trial."""
    unseen = n - len(np.unique(label))
    if not unseen:
        return []
    return [f'{pictures}: {unseen} of the {n} {name} have no trial.']


def _compare_averages(
    trials: Trials, stated: np.ndarray | None, path: PathLike
) -> list[str]:
    """Returns a sentence if arr_2 is not the average of the single trials."""
    if stated is None:
        return []
    mean = average_repeats(trials)
    if len(stated) <= mean.stimulus.max():
        return [
            f'{path}: arr_2 has {len(stated)} rows, fewer than there are test '
            'pictures; the average of arr_1 is used instead.'
        ]
    stated = stated[mean.stimulus]
    std = mean.fmri.std()
    if np.allclose(stated, mean.fmri, rtol=1e-3, atol=1e-3 * std):
        return []
    difference = np.abs(stated - mean.fmri).max() / std
    return [
        f'{path}: arr_2 differs from the average of the single trials in '
        f'arr_1 by up to {difference:.2g} standard deviations; the average '
        'of arr_1 is used.'
    ]


def _read_selection(path: PathLike, voxels: int) -> np.ndarray:
    """Reads the array `select_voxels`, a mask or indices."""
    if 'select_voxels' not in arrays.shapes(path):
        raise InputError(
            f'{path} has no array select_voxels; save the voxels to keep '
            'under that name.'
        )
    chosen = arrays.load(path, ['select_voxels'])['select_voxels']
    if chosen.dtype == bool and chosen.shape == (voxels,) and chosen.any():
        return np.flatnonzero(chosen)
    whole = chosen.ndim == 1 and chosen.dtype.kind in 'iu' and chosen.size > 0
    if whole and chosen.min() >= 0 and chosen.max() < voxels:
        return chosen
    raise InputError(
        f'{path}: select_voxels ({chosen.dtype}, shape {chosen.shape}) does '
        f'not choose among {voxels} voxels; save a mask over the voxels of '
        'the ROI, or indices below their number.'
    )


def _read_pictures(path: PathLike) -> tuple[np.ndarray, np.ndarray]:
    """Reads train_images and test_images as uint8."""
    shapes = arrays.shapes(path)
    for name in ('train_images', 'test_images'):
        if name not in shapes:
            near = suggestion(name, shapes)
            raise InputError(
                f'{path} has no {name}; give images_112.npz, which holds '
                f'train_images and test_images.{near}'
            )
        shape = shapes[name]
        if len(shape) != 4 or shape[3] != 3 or shape[1] != shape[2]:
            raise InputError(
                f'{path}: {name} has shape {shape}; pictures must be square '
                'and coloured, [n, size, size, 3].'
            )
    sizes = [shapes[name][1] for name in ('train_images', 'test_images')]
    if sizes[0] != sizes[1]:
        raise InputError(
            f'{path}: train_images are {sizes[0]} and test_images '
            f'{sizes[1]} pixels wide; resize them to one size.'
        )
    return _eight_bit('train_images', path), _eight_bit('test_images', path)


def _eight_bit(name: str, path: PathLike) -> np.ndarray:
    """Loads pictures; floats in 0..1 are multiplied by 255 and truncated."""
    values = arrays.load(path, [name])[name]
    if values.dtype == np.uint8:  # As others write the same layout.
        return values
    # A little overshoot, as bicubic resizing leaves it, is clipped.
    if values.size and not (values.min() > -0.05 and values.max() < 1.05):
        raise InputError(
            f'{path}: {name} holds values from {values.min():g} to '
            f'{values.max():g}; pictures must be finite floats in 0..1.'
        )
    images = np.empty(values.shape, np.uint8)
    for i, image in enumerate(values):
        images[i] = np.clip(image * 255, 0, 255)
    return images

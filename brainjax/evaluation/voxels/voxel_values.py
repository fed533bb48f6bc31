"""What a run tells of each voxel: a table, arrays, and maps of the brain.

Values are [voxels] float32, NaN where they are not known. In the maps these
voxels are 0, like all places outside of the recording's voxels: viewers leave
0 transparent, and NaN spreads when a map is resampled. `maps/voxels.nii.gz`
marks the voxels; which 0 is a value, the table tells.
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError
from brainjax.evaluation.score_files import as_csv
from brainjax.io import arrays, files, nifti
from brainjax.recordings import Recording, Volume, reliability
from brainjax.recordings import volume as volumes
from brainjax.recordings.description import repeated_trials
from brainjax.recordings.volume import coordinates, fill

ARRAYS, TABLE, MAPS = 'voxels.npz', 'voxels.csv', 'maps'
# What each value is, in 79 letters at the most: NIfTI files hold no more.
TITLES = {
    'noise_ceiling': 'highest correlation with the averaged test responses',
    'snr': 'signal to noise, as the recording states it',
    'encoder_correlation': 'correlation of predicted and measured responses',
    'field_x': 'receptive field: centre from the left edge, picture widths',
    'field_y': 'receptive field: centre from the upper edge, picture widths',
    'field_size': 'receptive field: standard deviation, picture widths',
    'field_fit': 'receptive field: correlation with training responses',
    'eccentricity': 'receptive field: from the middle of the picture, widths',
    'angle': 'receptive field: degrees, 0 to the right, 90 upwards',
    'layer_preference': 'layers of the network, 0 the earliest, 1 the latest',
    'decoder_weight': 'weights of the voxel in the decoder, root mean square',
    'influence': 'change of the pictures by one standard deviation, rms',
    'selected': 'share of decoders that use the voxel',
    'encoder_weight': 'deviation of the response that the latents explain',
    'latent_variance': 'share of training variance that the latents explain',
    'explained_variance': 'of single trials, linear encoder, held out',
    'posterior_weight': 'change of the closed form by one deviation, rms',
}
_ANGLES = ('angle',)
_PLACES = ('indices', 'shape', 'affine', 'millimetres')
_ROIS = ('roi_names', 'roi_masks')


class VoxelValues(NamedTuple):
    """Values of voxels, with what says where the voxels are.

    Attributes:
      values: name, one of TITLES -> [voxels] float32.
      rois: region -> [voxels] bool.
      volume: of the recording, or None.
    """

    values: Mapping[str, np.ndarray]
    rois: Mapping[str, np.ndarray]
    volume: Volume | None


def collect(
    recording: Recording, *found: Mapping[str, np.ndarray]
) -> VoxelValues:
    """Puts together what is known of a recording's voxels.

    Args:
      recording: its noise ceiling, where it states none, comes from repeats.
      *found: name -> [voxels]; later ones go first.
    """
    values = _of_recording(recording)
    for each in found:
        values |= each
    values = {
        name: np.asarray(values[name], np.float32)
        for name in TITLES
        if name in values
    }
    return VoxelValues(values, recording.rois, recording.volume)


def _of_recording(recording: Recording) -> dict[str, np.ndarray]:
    found = {}
    if recording.snr is not None:
        found['snr'] = recording.snr
    ceiling, repeated = recording.noise_ceiling, repeated_trials(recording)
    if ceiling is None and repeated is not None:
        counts = np.unique(recording.test.stimulus, return_counts=True)[1]
        ceiling = reliability.noise_ceiling_from_repeats(repeated[1], counts)
    if ceiling is not None:
        found['noise_ceiling'] = ceiling
    return found


def average(folds: Sequence[VoxelValues | None]) -> VoxelValues | None:
    """Means over folds of what all of them know; of angles, on the circle."""
    if any(each is None for each in folds):
        return None
    names = [n for n in folds[0].values if all(n in f.values for f in folds)]
    values = {
        name: _mean(name, np.stack([each.values[name] for each in folds]))
        for name in names
    }
    return folds[0]._replace(values=values)


def _mean(name: str, values: np.ndarray) -> np.ndarray:
    """Mean over rows [folds, voxels]; NaN only where all are."""
    known = np.isfinite(values)
    count = known.sum(axis=0)

    def mean(values: np.ndarray) -> np.ndarray:
        total = np.where(known, values, 0).sum(axis=0, dtype=np.float64)
        return np.where(count, total / np.maximum(count, 1), np.nan)

    if name in _ANGLES:
        turn = np.radians(np.float64(values))
        return np.float32(np.degrees(np.arctan2(*map(mean, _sides(turn)))))
    return np.float32(mean(values))


def _sides(turn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.sin(turn), np.cos(turn)


def write(folder: pathlib.Path, found: VoxelValues) -> list[pathlib.Path]:
    """Writes voxels.npz, voxels.csv and maps/NAME.nii.gz; returns the maps."""
    held = {
        'roi_names': np.array([*found.rois], dtype=np.str_),
        'roi_masks': np.array([*found.rois.values()], bool),
    }
    volume = found.volume
    if volume is not None:
        held |= {
            'indices': volume.indices,
            'shape': np.array(volume.shape),
            'affine': volume.affine,
            'millimetres': coordinates(volume),
        }
    arrays.write(folder / ARRAYS, **found.values, **held)
    files.write_text(folder / TABLE, _table(found))
    if volume is None:
        return []
    written = []
    count = len(volume.indices)
    for name, values in (
        ('voxels', np.ones(count, np.uint8)),
        *found.values.items(),
    ):
        written.append(folder / MAPS / f'{name}.nii.gz')
        nifti.write(
            written[-1],
            fill(volume, np.nan_to_num(values)),
            volume.affine,
            about=TITLES.get(name, '1 where the recording has a voxel'),
            intent=name if name in TITLES else '',
        )
    return written


def _table(found: VoxelValues) -> str:
    """A line a voxel; nothing where a place or a value is not known."""
    count = len(next(iter(found.values.values()), ()))
    places = np.full((6, count), '', object)
    if found.volume is not None:
        count = len(found.volume.indices)
        indices = [[*map(str, x)] for x in found.volume.indices.T.tolist()]
        places = [*indices, *map(_texts, coordinates(found.volume).T)]
    names = [
        '|'.join(name for name, mask in found.rois.items() if mask[i])
        for i in range(count)
    ]
    header = ['voxel', *'ijkxyz', 'rois', *found.values]
    columns = [
        range(count),
        *places,
        names,
        *map(_texts, found.values.values()),
    ]
    return as_csv(header, zip(*columns))


def _texts(values: np.ndarray) -> list[str]:
    return [f'{x:.7g}' if np.isfinite(x) else '' for x in values.tolist()]


def listed(found: VoxelValues, names: Sequence[str]) -> str:
    """Lines of a table: name, how many are known, quartiles, what it is."""
    lines = [f'{"":20}{"voxels":>8}{"25 %":>10}{"median":>10}{"75 %":>10}']
    for name in names:
        known = found.values[name][np.isfinite(found.values[name])]
        quartiles = np.full(3, np.nan)
        if len(known):
            quartiles = np.quantile(known, (0.25, 0.5, 0.75))
        lines.append(
            f'{name:20}{len(known):8}'
            + ''.join(f'{x:10.3g}' for x in quartiles)
            + f'  {TITLES.get(name, "")}'
        )
    return '\n'.join(lines)


def read(folder: files.PathLike) -> VoxelValues:
    """Reads what `write` has written; InputError where there is nothing."""
    path = pathlib.Path(folder) / ARRAYS
    if not path.exists():
        raise InputError(
            f'{folder} holds no {ARRAYS}; give the folder of a run, which '
            'writes it.'
        )
    held = arrays.read(path)
    try:
        names, masks = (held.pop(name) for name in _ROIS)
        places = [held.pop(name, None) for name in _PLACES]
        volume = None
        if places[0] is not None:
            indices, shape, affine, _ = places
            volume = Volume(indices, tuple(shape.tolist()), affine)
        rois = dict(zip(names.tolist(), masks))
    except (AttributeError, KeyError, TypeError) as error:
        raise InputError(
            f'{path} is not what a run writes ({error!r}); run it again.'
        ) from error
    _check(path, held, rois, volume)
    return VoxelValues(held, rois, volume)


def _check(path, values, rois, volume) -> None:
    shapes = {x.shape for x in (*values.values(), *rois.values())}
    if len(shapes) > 1 or any(len(shape) != 1 for shape in shapes):
        raise InputError(
            f'{path} is not what a run writes: its arrays have shapes '
            f'{sorted(shapes)}; run it again.'
        )
    if volume is not None:
        count = shapes.pop()[0] if shapes else len(volume.indices)
        volumes.check(volume, count, str(path))

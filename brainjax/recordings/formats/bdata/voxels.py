"""The voxels of a BData file: columns, ROIs, places, what was measured."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError
from brainjax.recordings.formats.bdata import selection
from brainjax.recordings.formats.bdata.bdata import BData
from brainjax.recordings.volume import Volume, of_coordinates

# Volumes have voxels, surfaces vertices; here both are voxels.
MAIN = ('VoxelData', 'VertexData')
ROI = 'ROI_'
MEASURED = ('snr', 'noise_ceiling')
MILLIMETRES = ('voxel_x', 'voxel_y', 'voxel_z')
INDICES = ('voxel_i', 'voxel_j', 'voxel_k')
_PLACES = (*MILLIMETRES, *INDICES)


class Voxels(NamedTuple):
    """What a file says of its voxels.

    Attributes:
      column: [voxels] their columns in the dataset.
      rois: region of interest -> [voxels] bool.
      values: key -> [voxels], for coordinates, snr and noise ceiling.
    """

    column: np.ndarray
    rois: dict[str, np.ndarray]
    values: dict[str, np.ndarray]


def read(data: BData, roi: str | None) -> Voxels:
    """Reads what the metadata say of the voxels of an ROI."""
    main = next((key for key in MAIN if key in data.keys), MAIN[0])
    column = np.flatnonzero(data.row(main) == 1)
    if not len(column):
        raise InputError(
            f'{data.source}: {main} holds no column; its row in the metadata '
            'must be 1 on the voxels.'
        )
    rois = {
        key.removeprefix(ROI): data.row(key)[column] == 1
        for key in data.keys
        if key.startswith(ROI)
    }
    # Shen et al. 2019 call V4 what their files call hV4.
    renamed = 'hV4' in rois and 'V4' not in rois
    if renamed:
        rois = {'V4' if k == 'hV4' else k: mask for k, mask in rois.items()}
    values = {
        key: data.row(key)[column]
        for key in (*_PLACES, *MEASURED)
        if key in data.keys
    }
    keep = np.ones(len(column), bool)
    if roi:
        known = {**rois, 'hV4': rois['V4']} if renamed else rois
        if ROI in roi:
            known = {f'{ROI}{name}': mask for name, mask in known.items()}
        keep = selection.select(roi, known, data.source)
        if not keep.any():
            raise InputError(
                f'{data.source}: ROI {roi!r} holds no voxel; choose another '
                f'of {", ".join(rois)}.'
            )
    return Voxels(
        column[keep],
        {name: mask[keep] for name, mask in rois.items()},
        {
            key: row[keep].astype(np.float32 if key in MEASURED else float)
            for key, row in values.items()
        },
    )


def places(values: Mapping[str, np.ndarray]) -> Volume | None:
    """Returns where voxels lie, or None where no regular grid is stated.

    Args:
      values: of `Voxels`: millimetres, and perhaps places in the volume.
    """
    if not values.keys() >= {*MILLIMETRES}:
        return None
    xyz = np.stack([values[key] for key in MILLIMETRES], axis=1)
    if values.keys() >= {*INDICES}:
        ijk = np.stack([values[key] for key in INDICES], axis=1)
        return of_coordinates(xyz, ijk)
    return of_coordinates(xyz)


def same(first: Voxels | None, other: Voxels, both: str) -> Voxels:
    """Returns the voxels of two files of a subject, which must be the same."""
    if first is None:
        return other
    if len(first.column) != len(other.column):
        raise InputError(
            f'{both} have {len(first.column)} and {len(other.column)} voxels; '
            'give files of one subject and one mask.'
        )
    for what, one, two in (
        *((k, first.values.get(k), other.values.get(k)) for k in _PLACES),
        *(
            (f'ROI {k}', mask, other.rois.get(k))
            for k, mask in first.rois.items()
        ),
    ):
        if one is not None and two is not None and not np.array_equal(one, two):
            raise InputError(
                f'{both} differ in {what} of their voxels; give files of one '
                'subject and one mask.'
            )
    rois = {k: mask for k, mask in first.rois.items() if k in other.rois}
    return Voxels(other.column, rois, {**other.values, **first.values})

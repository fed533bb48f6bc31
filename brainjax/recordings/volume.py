"""Where a recording's voxels lie: places in a volume, and millimetres."""

import dataclasses
import math

import numpy as np

from brainjax.errors import InputError

# In the header of a NIfTI file whose voxels have no place in any brain.
NOWHERE = 'brainjax: of no brain, places are invented'

_MOST = 2**28  # Voxels of a volume: 640 x 640 x 640, to refuse damaged files.
_LEAST = 0.1  # Millimetres; coordinates nearer than that are rounded.
_NEAR = 0.05  # Of a voxel's width, by which coordinates may miss the grid.


@dataclasses.dataclass(frozen=True, eq=False)
class Volume:
    """The places of voxels, in the voxels' order, whatever that is.

    Attributes:
      indices: [voxels, 3] int32, from 0; no two voxels share one.
      shape: of the volume, (x, y, z).
      affine: [4, 4] float64, from indices to millimetres, as in NIfTI.
    """

    indices: np.ndarray
    shape: tuple[int, int, int]
    affine: np.ndarray


def of_mask(mask: np.ndarray, affine: np.ndarray) -> Volume:
    """Returns the places of a mask's voxels, in the order of `volume[mask]`.

    Args:
      mask: [x, y, z] bool.
      affine: [4, 4].
    """
    indices = np.argwhere(mask).astype(np.int32)
    return Volume(indices, mask.shape, np.asarray(affine, np.float64))


def cube(voxels: int, millimetres: float) -> Volume:
    """Returns invented places for voxels without any: they fill a cube."""
    side = math.ceil(voxels ** (1 / 3))
    indices = np.unravel_index(np.arange(voxels), (side,) * 3)
    return Volume(
        np.stack(indices, axis=1).astype(np.int32),
        (side,) * 3,
        np.diag([*[float(millimetres)] * 3, 1.0]),
    )


def of_coordinates(
    coordinates: np.ndarray, indices: np.ndarray | None = None
) -> Volume | None:
    """Finds the grid that voxels lie on.

    Without indices, the grid's axes are those of the coordinates, ascending,
    and the volume is the smallest that holds all voxels.

    Args:
      coordinates: [voxels, 3] millimetres.
      indices: [voxels, 3] places in the volume where the source states them,
        counted from 0 or 1; the affine may then be any.

    Returns:
      None where the coordinates lie on no regular grid.
    """
    xyz = np.asarray(coordinates, np.float64)
    if not np.isfinite(xyz).all():
        return None
    if indices is None:
        indices = _steps(xyz)
    if indices is None or not np.isfinite(indices).all():
        return None
    indices = np.rint(indices)
    if indices.min() < 0 or indices.max() >= _MOST:
        return None
    ones = np.ones((len(xyz), 1))
    terms = np.concatenate([indices, ones], axis=1)
    if np.linalg.matrix_rank(terms) < terms.shape[1]:
        return None  # All in a plane, which leaves one direction open.
    affine = np.eye(4)
    affine[:3] = np.linalg.lstsq(terms, xyz)[0].T
    off = np.abs(terms @ affine[:3].T - xyz).max()
    if off > _NEAR * min(voxel_size(affine)):
        return None
    places = indices.astype(np.int32)
    found = Volume(places, tuple((places.max(axis=0) + 1).tolist()), affine)
    try:
        check(found, len(xyz), '')
    except InputError:
        return None
    return found


def _steps(xyz: np.ndarray) -> np.ndarray | None:
    """Returns how many steps from the lowest each coordinate lies."""
    from_lowest = xyz - xyz.min(axis=0)
    widths = []
    for column in from_lowest.T:
        gaps = np.diff(np.unique(column))
        gaps = gaps[gaps > _LEAST]
        if not len(gaps):
            return None
        widths.append(gaps.min())
    return from_lowest / widths


def coordinates(volume: Volume) -> np.ndarray:
    """Returns [voxels, 3] float64 millimetres."""
    affine = volume.affine
    return volume.indices @ affine[:3, :3].T + affine[:3, 3]


def voxel_size(affine: np.ndarray) -> tuple[float, float, float]:
    """Returns a voxel's extent along the volume's three axes, in mm."""
    return tuple(np.linalg.norm(affine[:3, :3], axis=0).tolist())


def take(volume: Volume | None, which: np.ndarray) -> Volume | None:
    """Returns the volume with some voxels: [voxels] bool, or indices."""
    if volume is None:
        return None
    return dataclasses.replace(volume, indices=volume.indices[which])


def fill(
    volume: Volume, values: np.ndarray, outside: float = 0.0
) -> np.ndarray:
    """Puts values at their places.

    Args:
      values: [voxels], or [n, voxels].
      outside: the value of all other places.

    Returns:
      [x, y, z], or [x, y, z, n], of the type of the values.
    """
    shape = *volume.shape, *values.shape[:-1]
    filled = np.full(shape, outside, values.dtype)
    filled[tuple(volume.indices.T)] = values.T
    return filled


def check(volume: Volume, voxels: int, where: str) -> None:
    """Checks that each voxel has a place of its own inside of the volume."""
    indices, shape, affine = volume.indices, volume.shape, volume.affine
    if indices.shape != (voxels, 3) or indices.dtype != np.int32:
        raise InputError(
            f'{where}: the places are {indices.dtype} of shape '
            f'{indices.shape}; they must be int32 of shape ({voxels}, 3), one '
            'place a voxel.'
        )
    if len(shape) != 3 or min(shape) < 1 or math.prod(shape) > _MOST:
        raise InputError(
            f'{where}: the volume has shape {tuple(shape)}; three numbers of '
            f'1 or more are needed, of {_MOST} places together at the most.'
        )
    outside = ((indices < 0) | (indices >= shape)).any(axis=1)
    if outside.any():
        i = outside.argmax()
        raise InputError(
            f'{where}: voxel {i} is at {tuple(indices[i].tolist())}, outside '
            f'of the volume of shape {tuple(shape)} ({outside.sum()} such '
            'voxels); give places from 0 on, and their own volume.'
        )
    flat = np.ravel_multi_index(tuple(indices.T), shape)
    _, first, count = np.unique(flat, return_index=True, return_counts=True)
    if (count > 1).any():
        i = first[(count > 1).argmax()]
        raise InputError(
            f'{where}: voxel {i} is not alone at '
            f'{tuple(indices[i].tolist())} ({voxels - len(count)} voxels too '
            'many); give each its own place.'
        )
    if affine.shape != (4, 4) or not _invertible(affine):
        raise InputError(
            f'{where}: the affine must be [4, 4], finite and invertible, its '
            'last row 0 0 0 1, from places to millimetres.'
        )


def _invertible(affine: np.ndarray) -> bool:
    return bool(
        np.isfinite(affine).all()
        and np.array_equal(affine[3], [0, 0, 0, 1])
        and np.linalg.matrix_rank(affine[:3, :3]) == 3
    )

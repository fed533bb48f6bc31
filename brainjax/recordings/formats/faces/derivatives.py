"""The derivatives of ds001761: MATLAB 7.3 files of VanRullen and Reddy 2019.

Read as they are. MATLAB counts from 1, and goes through a volume with the
first dimension fastest; here places are counted from 0, in MATLAB's order,
and `flat` turns them into places of a NumPy or NIfTI volume. Sources: faces
spec section 1; the layout of PCA_coeffs.mat and of single maps is not
published, so that these are found by their shapes.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import h5py
import numpy as np

from brainjax.errors import InputError, listed, suggestion
from brainjax.io import hdf5, matlab73
from brainjax.io.files import PathLike


class FaceMap(NamedTuple):
    """ROI_VAEGAN.mat and its like.

    Attributes:
      weights: [K + 1, voxels] float32, the bias last, as `latents.fit`.
      inverse: [K + 1, K + 1] float64 (W W')^-1, the file's `invcovW`;
        `latents.invert` makes it anew.
      places: [voxels] int, of a volume in MATLAB's order, from 0.
    """

    weights: np.ndarray
    inverse: np.ndarray
    places: np.ndarray


def read_map(path: PathLike) -> FaceMap:
    """Reads the weights of a region or of all that were selected."""
    names = ('W', 'invcovW', 'validindices')
    found = _read(path, names)
    weights = _single(_numbers(path, 'W', found['W'], 2))
    inverse = np.float64(_numbers(path, 'invcovW', found['invcovW'], 2))
    indices = _numbers(path, 'validindices', found['validindices'], 2).ravel()
    rows, voxels = weights.shape
    if inverse.shape != (rows, rows) or len(indices) != voxels:
        raise InputError(
            f'{path}: W has shape {weights.shape}, invcovW {inverse.shape} and '
            f'validindices {len(indices)} places; they must be of the same '
            'latents and voxels. Download it again.'
        )
    whole = np.isfinite(indices) & (indices % 1 == 0) & (indices >= 1)
    if not whole.all() or len(np.unique(indices)) < voxels:
        raise InputError(
            f'{path}: validindices must be different whole numbers from 1 on; '
            'download it again.'
        )
    if not (np.isfinite(weights).all() and np.isfinite(inverse).all()):
        raise InputError(
            f'{path}: W or invcovW hold NaN or infinite values; download '
            'it again.'
        )
    return FaceMap(weights, inverse, indices.astype(np.int64) - 1)


def read_patterns(
    path: PathLike, places: np.ndarray, name: str | None = None
) -> np.ndarray:
    """Reads volumes, such as test_patterns.mat, at some voxels.

    Args:
      places: [voxels] of a `FaceMap`.
      name: of the variable; None for 'vol', or the only one there is.

    Returns:
      [volumes, voxels] float32; NaN and infinite values are 0, as in the
      authors' analysis. The fourth dimension counts volumes; one of three
      dimensions is one volume, and so is a map of voxels.
    """
    values = read_array(path, name or _only(path, 'vol'))
    count = values.shape[3] if values.ndim == 4 else 1
    if values.ndim > 4 or not values.size:
        raise InputError(
            f'{path}: the patterns have shape {values.shape}; volumes of three '
            'dimensions are needed, or several along a fourth.'
        )
    flattened = values.reshape(-1, count, order='F')  # As MATLAB counts.
    if places.min(initial=0) < 0 or places.max(initial=0) >= len(flattened):
        raise InputError(
            f'{path}: volumes of {len(flattened)} voxels have no place '
            f'{places.max(initial=0) + 1}; take patterns and weights of one '
            'subject.'
        )
    return np.nan_to_num(_single(flattened[places].T), posinf=0.0, neginf=0.0)


def read_latents(path: PathLike, faces: int | None = None) -> np.ndarray:
    """Reads the latents of the test faces from test_images.mat.

    Args:
      faces: how many there must be; None for any number.

    Returns:
      [faces, K] float32.
    """
    name = 'testimage_vaeganlatentvars'
    found = _single(_numbers(path, name, _read(path, (name,))[name], 2))
    if not np.isfinite(found).all() or faces not in (None, len(found)):
        raise InputError(
            f'{path}: {name} has shape {found.shape}; finite latents of '
            f'{faces or "all"} faces are needed.'
        )
    return found


def read_array(path: PathLike, name: str | None = None) -> np.ndarray:
    """Reads one variable: a mask, a statistic's map, an imagery pattern.

    Args:
      name: of the variable; None if the file holds only one.

    Returns:
      The array in MATLAB's order of dimensions.
    """
    name = name or _only(path)
    return _numbers(path, name, _read(path, (name,))[name])


def read_pca(path: PathLike, size: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """Reads PCA_coeffs.mat: mean and components of pictures.

    The components are the variable with as many rows or columns as a picture
    has values, the mean the one with one row or column; pictures are taken as
    MATLAB flattens them, the first dimension fastest.

    Args:
      size: of the pictures, which have size^2 x 3 values.

    Returns:
      [size, size, 3] and [k, size, size, 3] float32, as in `linear.pca.Pca`.
    """
    values = size * size * 3
    shapes = variables(path)
    components = [
        name
        for name, shape in shapes.items()
        if len(shape) == 2 and values in shape and min(shape) > 1
    ]
    means = [n for n, shape in shapes.items() if math.prod(shape) == values]
    if len(components) != 1 or len(means) != 1:
        raise InputError(
            f'{path} holds {_listed(shapes)}; components [{values}, k] and a '
            f'mean of {values} values are needed, once each.'
        )
    found = _read(path, (*components, *means))
    basis = _single(_numbers(path, components[0], found[components[0]], 2))
    # Which way round is not published.
    basis = basis.T if basis.shape[0] == values else basis
    mean = _single(_numbers(path, means[0], found[means[0]]))
    if not (np.isfinite(basis).all() and np.isfinite(mean).all()):
        raise InputError(
            f'{path}: components or mean hold NaN or infinite values; '
            'download it again.'
        )
    shape = (size, size, 3)
    pictures = [row.reshape(shape, order='F') for row in basis]
    flattened = mean.ravel(order='F')
    return flattened.reshape(shape, order='F'), np.stack(pictures)


def flat(places: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Turns places in MATLAB's order into those of a flattened NumPy volume.

    Args:
      places: [voxels] from 0.
      shape: of the volume, (x, y, z).
    """
    if places.min(initial=0) < 0 or places.max(initial=0) >= math.prod(shape):
        raise InputError(
            f'a volume of {" x ".join(map(str, shape))} voxels has no place '
            f'{places.max(initial=0) + 1}; take one of the same subject.'
        )
    where = np.unravel_index(places, shape, order='F')
    return np.ravel_multi_index(where, shape)


def variables(path: PathLike) -> dict[str, tuple[int, ...]]:
    """Returns names and shapes of a file's arrays, in MATLAB's order."""
    with hdf5.opened(path) as file:
        found = {name: file[name] for name in file if hdf5.inside(file, name)}
        return {
            name: node.shape[::-1]
            for name, node in found.items()
            if isinstance(node, h5py.Dataset) and node.shape is not None
        }


def _only(path: PathLike, usual: str | None = None) -> str:
    shapes = variables(path)
    if usual in shapes:
        return usual
    if len(shapes) != 1:
        raise InputError(
            f'{path} holds {_listed(shapes)}; name the one to read.'
        )
    return next(iter(shapes))


def _listed(shapes: dict[str, tuple[int, ...]]) -> str:
    found = [f'{name} {shape}' for name, shape in shapes.items()]
    return listed(found) or 'no arrays'


def _read(path: PathLike, names: Sequence[str]) -> dict[str, Any]:
    """Reads variables that must all be there."""
    found = matlab73.read(path, names)
    for name in names:
        if name not in found:
            there = variables(path)
            raise InputError(
                f'{path} has no variable {name!r}, only {_listed(there)}.'
                f'{suggestion(name, there)}'
            )
    return found


def _numbers(
    path: PathLike, name: str, values: Any, dimensions: int | None = None
) -> np.ndarray:
    if (
        not isinstance(values, np.ndarray)
        or values.dtype.kind not in 'biuf'
        or dimensions not in (None, values.ndim)
    ):
        raise InputError(
            f'{path}: {name} must hold numbers'
            f'{f" in {dimensions} dimensions" if dimensions else ""}; '
            'download the file again.'
        )
    return values


def _single(values: np.ndarray) -> np.ndarray:
    """Returns float32; what is too large for it becomes infinite."""
    with np.errstate(over='ignore'):
        return values.astype(np.float32)

"""fMRI that a caller holds: an array, a DataFrame, an image; its regions."""

import contextlib
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from brainjax.errors import InputError
from brainjax.io import nifti
from brainjax.io.arrays import as_array
from brainjax.recordings.volume import Volume, of_mask

NIFTI = ('.nii', '.nii.gz')
# 'V1_001' is a voxel of V1; 'voxel_001' is of no region.
_NUMBERED = re.compile(r'(.*?)[_.\- ]+\d+')
_NO_REGION = ('', 'voxel', 'voxels', 'vox', 'v', 'x', 'feature', 'column')


class Responses(NamedTuple):
    """Responses as they are, not checked for NaN.

    Attributes:
      values: [trials, voxels] float32.
      columns: the names of the voxels; None where they have none.
      volume: where they lie; None where that is not known.
    """

    values: np.ndarray
    columns: tuple[Any, ...] | None = None
    volume: Volume | None = None


class Mask(NamedTuple):
    """Voxels of a volume, in the order of `inside` flattened, last axis first.

    Attributes:
      inside: [x, y, z] bool.
      affine: [4, 4].
    """

    inside: np.ndarray
    affine: np.ndarray


def find_mask(
    mask: Any, affine: Any, where: str, masker: Any = None
) -> Mask | None:
    """Returns the mask that some arguments mean, or None without any.

    Args:
      mask: [x, y, z] of bool or 0 and 1, an image, its path, or a masker.
      affine: [4, 4], where the mask is an array.
      where: what to name in messages.
      masker: of nilearn, fitted.
    """
    if mask is not None and hasattr(mask, 'transform'):
        mask, masker = None, mask
    if masker is not None:
        mask = getattr(masker, 'mask_img_', None)
        if mask is None or not hasattr(mask, 'affine'):
            raise InputError(
                f'{where}: the masker has no mask_img_ in a volume; fit it '
                'first (masker.fit()), and take one of voxels.'
            )
    if mask is None:
        if affine is not None:
            raise InputError(
                f'{where}: affine is given without mask; give the mask of the '
                'voxels too.'
            )
        return None
    if is_image(mask):
        return _mask_of_image(mask, where)
    inside = as_array(mask, f'{where}: mask')
    if inside.ndim != 3 or not np.isin(inside, (0, 1)).all():
        raise InputError(
            f'{where}: mask is {inside.dtype} of shape {inside.shape}; give '
            '[x, y, z] of True and False, or an image.'
        )
    affine = as_array(affine, f'{where}: affine')
    if affine.shape != (4, 4) or affine.dtype.kind not in 'iuf':
        raise InputError(
            f'{where}: mask is an array, so affine must be given beside it, '
            '[4, 4] from indices to millimetres.'
        )
    return Mask(inside.astype(bool), affine.astype(np.float64))


def _mask_of_image(mask: Any, where: str) -> Mask:
    if isinstance(mask, str | os.PathLike):
        inside, header, _ = nifti.mask(mask)
        return Mask(inside, header.affine)
    values = np.asarray(mask.dataobj)
    marked = values > 0
    if values.ndim != 3 or len(np.unique(values[marked])) > 1:
        raise InputError(
            f'{where}: mask is an image of shape {values.shape} with '
            f'{len(np.unique(values[marked]))} values above 0; a mask has '
            'three axes and one.'
        )
    return Mask(marked, np.asarray(mask.affine, np.float64))


def is_image(value: Any) -> bool:
    """Whether something is a NIfTI file, or an image of nibabel."""
    if isinstance(value, str | os.PathLike):
        return os.fspath(value).endswith(NIFTI)
    return hasattr(value, 'dataobj') and hasattr(value, 'affine')


def read(
    fmri: Any, where: str, mask: Mask | None = None, masker: Any = None
) -> Responses:
    """Reads responses.

    Args:
      fmri: [trials, voxels] of anything that NumPy takes, a DataFrame,
        `Responses`, or an image or its path with one volume a trial.
      where: what to name in messages.
      mask: the voxels of an image, or the places of an array's voxels.
      masker: what takes them from an image; by default they are read as they
        are stored.
    """
    columns = None
    if isinstance(fmri, Responses):
        columns, fmri = fmri.columns, fmri.values
    if is_image(fmri):
        values = _of_image(fmri, where, mask, masker)
    elif isinstance(fmri, str | os.PathLike):
        raise InputError(
            f'{where}: fmri is {fmri}; give an array, or a NIfTI file. '
            'open_recording reads folders and tables.'
        )
    else:
        if hasattr(fmri, 'columns') and hasattr(fmri, 'to_numpy'):
            columns, fmri = tuple(fmri.columns), fmri.to_numpy()
        values = _of_array(fmri, where, mask)
    if mask is None:
        return Responses(values, columns)
    count = int(mask.inside.sum())
    if count != values.shape[1]:
        raise InputError(
            f'{where}: mask holds {count} voxels and fmri {values.shape[1]}; '
            'give the mask that the fMRI was taken with.'
        )
    return Responses(values, columns, of_mask(*mask))


def _of_array(fmri: Any, where: str, mask: Mask | None) -> np.ndarray:
    values = as_array(fmri, f'{where}: fmri')
    if values.dtype == object:  # As of a DataFrame of mixed columns.
        with contextlib.suppress(ArithmeticError, TypeError, ValueError):
            values = values.astype(np.float64)
    if values.dtype.kind not in 'iuf':
        raise InputError(
            f'{where}: fmri holds {values.dtype}; give real numbers, [trials, '
            'voxels].'
        )
    if mask is not None and values.ndim == 4:
        if values.shape[:3] != mask.inside.shape:
            raise InputError(
                f'{where}: fmri has shape {values.shape} and mask '
                f'{mask.inside.shape}; give [x, y, z, trials] of one volume.'
            )
        values = values[mask.inside].T
    if values.ndim != 2 or 0 in values.shape:
        raise InputError(
            f'{where}: fmri has shape {values.shape}; give [trials, voxels].'
        )
    with np.errstate(over='ignore'):  # Infinite voxels are told later.
        return np.ascontiguousarray(values, np.float32)


def _of_image(
    fmri: Any, where: str, mask: Mask | None, masker: Any
) -> np.ndarray:
    """Reads the voxels of a mask in each volume."""
    if masker is not None:
        return _of_array(masker.transform(fmri), where, None)
    if isinstance(fmri, str | os.PathLike):
        nifti.header(fmri)  # What is none of a volume, no mask helps.
    if mask is None:
        raise InputError(
            f'{where}: fmri is an image; say which of its voxels with mask, '
            'an image too, or with a fitted masker.'
        )
    if isinstance(fmri, str | os.PathLike):
        header = nifti.header(fmri)
        _check_grid(header.shape, header.affine, mask, where)
        return nifti.series(header, np.flatnonzero(mask.inside))
    values = np.asarray(fmri.dataobj)
    if values.ndim == 3:
        values = values[..., None]
    _check_grid(values.shape[:3], fmri.affine, mask, where)
    return _of_array(values, where, mask)


def _check_grid(
    shape: tuple[int, ...], affine: np.ndarray, mask: Mask, where: str
) -> None:
    if shape != mask.inside.shape or not np.allclose(
        affine, mask.affine, atol=1e-3
    ):
        raise InputError(
            f'{where}: fmri is an image of shape {tuple(shape)} and mask one '
            f'of {mask.inside.shape}, or they lie elsewhere; resample the '
            'mask to the grid of the fMRI.'
        )


def find_rois(rois: Any, found: Responses, where: str) -> dict[str, np.ndarray]:
    """Returns [voxels] bool of each region.

    Args:
      rois: region -> [voxels] of True and False, indices from 0, or, where
        the voxels' places are known, an image or its path; a DataFrame of
        such columns; or the region of each voxel, '' for none. None takes
        regions from voxels' names, such as 'V1_001', if all have such.
      found: the responses, all voxels.
    """
    voxels = found.values.shape[1]
    if rois is None:
        rois = _regions(found.columns)
    elif not isinstance(rois, Mapping) and not hasattr(rois, 'columns'):
        rois = as_array(rois, f'{where}: rois').ravel()
        rois = [_region(x) for x in rois.tolist()]
        if len(rois) != voxels:
            raise InputError(
                f'{where}: rois names {len(rois)} regions for {voxels} voxels; '
                'give the region of each, or a dictionary of masks.'
            )
    if isinstance(rois, list):
        names = np.array(rois, str)
        return {
            str(name): names == name for name in dict.fromkeys(rois) if name
        }
    return {
        str(name): _roi(rois[name], f'{where}: ROI {name!r}', voxels, found)
        for name in rois
    }


def _roi(values: Any, what: str, voxels: int, found: Responses) -> np.ndarray:
    if is_image(values):
        return _roi_of_image(values, what, found.volume)
    values = as_array(values, what)
    if values.ndim == 1 and np.isin(values, (0, 1)).all():
        if len(values) == voxels:
            return values.astype(bool)
        if values.dtype == bool:
            raise InputError(
                f'{what} is a mask over {len(values)} voxels and there are '
                f'{voxels}; give one True or False to each.'
            )
    if values.ndim != 1 or (values.dtype.kind not in 'iu' and values.size):
        raise InputError(
            f'{what} is {values.dtype} of shape {values.shape}; give True or '
            f'False for each of {voxels} voxels, or their indices.'
        )
    mask = np.zeros(voxels, bool)
    if values.size and not (values.min() >= 0 and values.max() < voxels):
        once = values.min() == 1 and values.max() == voxels
        raise InputError(
            f'{what} holds indices from {values.min()} to {values.max()} and '
            f'there are {voxels} voxels, from 0 to {voxels - 1}'
            f'{"; subtract 1" if once else "; give those of this fMRI"}.'
        )
    mask[values.astype(int)] = True
    return mask


def _roi_of_image(values: Any, what: str, volume: Volume | None) -> np.ndarray:
    if volume is None:
        raise InputError(
            f'{what} is an image and the places of voxels are not known; give '
            'mask or masker too.'
        )
    inside, affine = _mask_of_image(values, what)
    if inside.shape != volume.shape or not np.allclose(
        affine, volume.affine, atol=1e-3
    ):
        raise InputError(
            f'{what} is an image of shape {inside.shape} and the mask one of '
            f'{volume.shape}, or they lie elsewhere; resample it.'
        )
    return inside[tuple(volume.indices.T)]


def _region(name: Any) -> str:
    """Returns the region that a value names, '' for none."""
    text = '' if name is None else str(name).strip()
    return '' if text.lower() in ('nan', '0', 'n/a', 'none') else text


def _regions(columns: Sequence[Any] | None) -> list[str] | dict[str, Any]:
    """Finds the region in the name of each voxel, if all have one."""
    if columns is None:
        return {}
    if all(isinstance(x, tuple) and x for x in columns):
        return [_region(x[0]) for x in columns]  # The upper level of two.
    if all(isinstance(x, str) for x in columns) and 2 * len({*columns}) <= len(
        columns
    ):
        return [_region(x) for x in columns]  # Named by their regions.
    parts = [_NUMBERED.fullmatch(str(x).strip()) for x in columns]
    if not all(parts):
        return {}
    names = [part[1] for part in parts]
    return {} if {x.lower() for x in names} & {*_NO_REGION} else names

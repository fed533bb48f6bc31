"""ROI masks of a BIDS subject, one NIfTI file a region."""

import pathlib
import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError
from brainjax.io import nifti
from brainjax.io.files import PathLike
from brainjax.recordings.transforms import roi_mask

# Where masks are looked for, below the data set.
FOLDERS = (
    'masks/{subject}',
    'derivatives/masks/{subject}',
    'sourcedata/masks/{subject}',
    'sourcedata/{subject}/masks',
    'sourcedata/{subject}/anat',
)
_HALF = re.compile(r'[LR]H_(V[123])[dv]|[LR]H_(hV4|LOC|FFA|PPA|HVC)')
_HEMISPHERE = re.compile(r'hemi-[^_]+')
_ENTITY = re.compile(r'(?:sub|ses|space|res|desc|hemi|label|mask)-[^_]+_?')


class Masks(NamedTuple):
    """The voxels that a recording keeps.

    Attributes:
      voxels: [voxels] places in a volume's flattened array, ascending.
      rois: region -> [voxels] bool.
      grid: header of one of the files, for shape and affine.
    """

    voxels: np.ndarray
    rois: dict[str, np.ndarray]
    grid: nifti.Header


def read(
    folder: pathlib.Path, files: list[pathlib.Path], roi: str | None
) -> Masks:
    """Reads masks and chooses voxels.

    Regions given by hemisphere and half field, LH_V1d and so on (ds001506),
    are joined to V1, V2, V3, V4, LOC, FFA, PPA, HVC, LVC and VC as well.
    Files that differ in `hemi` alone are joined to one region.

    Args:
      folder: what to name in messages.
      files: of the masks.
      roi: one region or several joined by '|'; None or '' for all.
    """
    if not files:
        raise InputError(
            f'{folder} holds no ROI masks; name a folder of .nii or .nii.gz '
            'masks, one a region, with `masks`.'
        )
    grid, volumes = None, {}
    sources: dict[str, list[pathlib.Path]] = {}
    for path in files:
        volume, header = nifti.mask(path)
        if grid is not None:
            nifti.check_grid(header, grid, 'all masks must share one grid')
        grid = grid or header
        name = _region(path)
        for other in sources.setdefault(name, []):
            if not _hemispheres(other, path):
                raise InputError(
                    f'{other} and {path} are both masks of {name}; keep one '
                    'of them, or give each its own label.'
                )
        sources[name].append(path)
        volumes[name] = volume.ravel() | volumes.get(name, False)
    volumes |= _joined(volumes)
    chosen = (
        roi_mask(volumes, roi, str(folder))
        if roi
        else np.any([*volumes.values()], axis=0)
    )
    if not chosen.any():
        raise InputError(f'{folder}: the masks hold no voxel; check them.')
    return Masks(
        np.flatnonzero(chosen),
        {
            name: mask[chosen]
            for name, mask in volumes.items()
            if mask[chosen].any() or not roi
        },
        grid,
    )


def of_subject(
    root: pathlib.Path,
    subject: str,
    bold: pathlib.Path,
    folder: PathLike | None,
    roi: str | None,
) -> Masks:
    """Reads a subject's masks from where they are.

    Args:
      root: the data set.
      subject: its folder.
      bold: images of one run.
      folder: of the masks; None looks where FOLDERS says, and then takes
        fMRIPrep's brain mask.
      roi: as for `read`.
    """
    if folder is not None:
        folder = pathlib.Path(folder)
        return read(folder, inside(folder), roi)
    files = find(root, subject)
    if not files:
        brain = bold.name.replace('desc-preproc_bold', 'desc-brain_mask')
        if brain != bold.name and bold.with_name(brain).is_file():
            files = [bold.with_name(brain)]
    return read(root, files, roi)


def find(root: pathlib.Path, subject: str) -> list[pathlib.Path]:
    """Returns the mask files in the first of FOLDERS that holds some."""
    for pattern in FOLDERS:
        folder = root / pattern.format(subject=subject)
        if found := inside(folder):
            return found
    return []


def inside(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the NIfTI files of a folder that can be masks."""
    return sorted(
        path
        for path in folder.glob('*.nii*')
        if not re.search(r'_(bold|T1w|T2w|boldref)\.nii', path.name)
    )


def _region(path: pathlib.Path) -> str:
    stem = path.name.partition('.nii')[0]
    label = re.search(r'label-([^_]+)', stem)
    name = label[1] if label else _ENTITY.sub('', stem)
    # OpenNeuro's sub-01_mask_LH_V1d as well as BIDS's label-V1_mask.
    return re.sub(r'^mask_|_?mask$', '', name).strip('_') or stem


def _hemispheres(one: pathlib.Path, other: pathlib.Path) -> bool:
    """True for masks of two hemispheres that share all other entities."""
    mine, others = (
        (_HEMISPHERE.search(stem), _HEMISPHERE.sub('', stem))
        for stem in (path.name.partition('.nii')[0] for path in (one, other))
    )
    return bool(
        mine[0]
        and others[0]
        and mine[0][0] != others[0][0]
        and mine[1] == others[1]
    )


def _joined(volumes: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Joins hemispheres and half fields to regions."""
    parts: dict[str, list[np.ndarray]] = {}
    for name, volume in volumes.items():
        half = _HALF.fullmatch(name)
        if half:
            region = (half[1] or half[2]).replace('hV4', 'V4')
            parts.setdefault(region, []).append(volume)
    joined = {name: np.any(found, axis=0) for name, found in parts.items()}
    low = [joined[name] for name in ('V1', 'V2', 'V3', 'V4') if name in joined]
    if low:
        joined['LVC'] = np.any(low, axis=0)
    if low and 'HVC' in joined:
        joined['VC'] = joined['LVC'] | joined['HVC']
    return {k: v for k, v in joined.items() if k not in volumes}

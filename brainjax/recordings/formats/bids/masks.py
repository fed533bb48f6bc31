"""ROI masks of a BIDS subject, one NIfTI file a region."""

import pathlib
import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError
from brainjax.io import nifti
from brainjax.io.files import PathLike, visible
from brainjax.recordings.formats.bids.files import OF_A_RUN, parse, tops
from brainjax.recordings.transforms import roi_mask
from brainjax.recordings.volume import NOWHERE, Volume, of_mask

# Where masks are looked for, below the data set.
FOLDERS = (
    'masks/{subject}',
    'derivatives/masks/{subject}',
    'sourcedata/masks/{subject}',
    'sourcedata/{subject}/masks',
    'sourcedata/{subject}/anat',
)
_ENTITIES = ('space', 'res', 'desc', 'hemi', *OF_A_RUN)
_HALF = re.compile(r'[LR]H_(V[123])[dv]|[LR]H_(hV4|LOC|FFA|PPA|HVC)')


class Masks(NamedTuple):
    """The voxels that a recording keeps.

    Attributes:
      voxels: [voxels] places in a volume's flattened array, ascending.
      rois: region -> [voxels] bool.
      grid: header of one of the files, for shape and affine.
      volume: the places of the voxels; None where they were invented.
      problems: sentences on what is odd.
    """

    voxels: np.ndarray
    rois: dict[str, np.ndarray]
    grid: nifti.Header
    volume: Volume | None
    problems: tuple[str, ...] = ()


def read_masks(
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
    grid, volumes, negative = None, {}, []
    sources: dict[str, list[pathlib.Path]] = {}
    for path in files:
        volume, header, below = nifti.mask(path)
        if below:
            negative.append(path.name)
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
    # Without a choice, every voxel that some region holds.
    chosen = (
        roi_mask(volumes, roi, str(folder))
        if roi
        else np.any([*volumes.values()], axis=0)
    )
    if not chosen.any():
        raise InputError(
            f'{folder}: the masks hold no voxel; a region is where they are '
            'above 0.'
        )
    return Masks(
        np.flatnonzero(chosen),
        {
            name: mask[chosen]
            for name, mask in volumes.items()
            if mask[chosen].any() or not roi
        },
        grid,
        None
        if grid.about == NOWHERE
        else of_mask(chosen.reshape(grid.shape), grid.affine),
        (
            f'{folder}: {", ".join(negative[:3])}'
            f'{" and others" if len(negative) > 3 else ""} hold values below '
            '0, which count as outside of the region.',
        )
        if negative
        else (),
    )


def subject_masks(
    root: pathlib.Path,
    subject: str,
    bold: pathlib.Path,
    folder: PathLike | None,
    roi: str | None,
) -> Masks:
    """Reads a subject's masks from where they are.

    Args:
      bold: images of one run.
      folder: of the masks; None looks where FOLDERS says, in the raw data
        set around a derivative too, and then takes fMRIPrep's brain mask.
      roi: as for `read_masks`.
    """
    if folder is not None:
        folder = pathlib.Path(folder)
        return read_masks(folder, _of_space(inside(folder), bold), roi)
    for top in tops(root, subject):
        for pattern in FOLDERS:
            if found := inside(top / pattern.format(subject=subject)):
                return read_masks(root, _of_space(found, bold), roi)
    brain = bold.name.replace('desc-preproc_bold', 'desc-brain_mask')
    brain = brain.replace('_preproc.', '_brainmask.')  # Before fMRIPrep 1.2.
    there = brain != bold.name and bold.with_name(brain).is_file()
    return read_masks(root, [bold.with_name(brain)] if there else [], roi)


def inside(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the NIfTI files of a folder that can be masks."""
    return [
        path
        for path in visible(folder, '*.nii*')
        if not re.search(r'_(bold|T1w|T2w|boldref)\.nii', path.name)
    ]


def _of_space(
    files: list[pathlib.Path], bold: pathlib.Path
) -> list[pathlib.Path]:
    """Leaves out masks whose names state another space than the images'."""
    images = parse(bold.name).entities

    def fits(path: pathlib.Path) -> bool:
        mask = parse(path.name).entities
        return all(
            mask.get(key, images.get(key)) == images.get(key)
            for key in ('space', 'res')
        )

    return [path for path in files if fits(path)] or files


def _region(path: pathlib.Path) -> str:
    """Names a region: label-V1 in BIDS, sub-01_mask_LH_V1d on OpenNeuro."""
    stem = path.name.partition('.nii')[0]  # A region may be named 'lh.V1d'.
    parts = stem.split('_')
    label = [part for part in parts if part.startswith('label-')]
    if label:
        return label[0].removeprefix('label-')
    # A region may be named 'FFA-1', so that not all that has a hyphen goes.
    own = (part for part in parts if part.partition('-')[0] not in _ENTITIES)
    name = re.sub(r'^mask_|_?mask$', '', '_'.join(own)).strip('_')
    return name or parse(stem).entities.get('desc') or stem


def _hemispheres(one: pathlib.Path, other: pathlib.Path) -> bool:
    """True for masks of two hemispheres that share all else in their names."""
    first, second = parse(one.name), parse(other.name)
    sides = [name.entities.pop('hemi', None) for name in (first, second)]
    return None not in sides and sides[0] != sides[1] and first == second


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

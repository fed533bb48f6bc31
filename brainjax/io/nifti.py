"""NIfTI files from elsewhere: masks, and the time series of some voxels.

A series is read volume by volume, so that of a run no more than one volume
and the voxels asked for are in memory. Voxels are counted as NumPy counts
them, the last axis fastest; nilearn's maskers order them so too.
"""

import contextlib
import gzip
import math
import os
import pathlib
import zlib
from typing import NamedTuple

import nibabel
import numpy as np

from brainjax.errors import InputError
from brainjax.io import untrusted
from brainjax.io.files import PathLike, atomic

LARGEST = 2 * 2**30  # Bytes that one volume may hold.
# gzip packs no more than 1032 to 1.
MOST_PACKED = 1032
_MOST_NIFTI1 = 32767  # Volumes that a NIfTI-1 file can count.


class Header(NamedTuple):
    """What a file says of itself.

    Attributes:
      path: of the file.
      shape: of a volume.
      volumes: how many there are.
      affine: [4, 4] place of a voxel in millimetres.
      dtype: of the stored values.
      offset: bytes before the first of them.
      slope: what stored values are multiplied with.
      inter: what is then added.
      seconds: from one volume to the next, or 0 where it is not stated.
    """

    path: pathlib.Path
    shape: tuple[int, int, int]
    volumes: int
    affine: np.ndarray
    dtype: np.dtype
    offset: int
    slope: float
    inter: float
    seconds: float


def header(path: PathLike) -> Header:
    """Reads the header of a .nii or .nii.gz file and checks its sizes.

    Raises:
      InputError: the file is missing, damaged, of another kind, or declares
        more than it can hold.
    """
    path = pathlib.Path(path)
    if path.is_symlink() and not path.exists():
        raise InputError(
            f'{path} is a link to content that is not here; fetch it first, '
            "for example with 'datalad get'."
        )
    with damage(path):
        image = nibabel.load(path)
        if not isinstance(image, nibabel.Nifti1Image):
            raise InputError(f'{path} is no NIfTI file; convert it to one.')
        proxy = image.dataobj
        shape, dtype = tuple(map(int, proxy.shape)), proxy.dtype
        slope, inter = float(proxy.slope), float(proxy.inter)
        affine = np.asarray(image.affine, np.float64)
        zooms = image.header.get_zooms()
        _, unit = image.header.get_xyzt_units()
    if len(shape) not in (3, 4) or min(shape) < 1:
        raise InputError(
            f'{path} has shape {shape}; it must be a volume or a series of '
            'them.'
        )
    if dtype.kind not in 'iuf':
        raise InputError(
            f'{path} holds {dtype}; whole or floating-point numbers are needed.'
        )
    if not (np.isfinite(affine).all() and np.isfinite([slope, inter]).all()):
        raise InputError(
            f'{path} states an affine or a scale that is no number; write its '
            'header anew.'
        )
    found = Header(
        path,
        shape[:3],
        shape[3] if len(shape) == 4 else 1,
        affine,
        dtype,
        int(proxy.offset),
        slope,
        inter,
        float(zooms[3]) * {'msec': 1e-3, 'usec': 1e-6}.get(unit, 1)
        if len(zooms) == 4
        else 0.0,
    )
    _check_size(found)
    return found


def series(file: Header, voxels: np.ndarray) -> np.ndarray:
    """Reads the values of some voxels in every volume.

    Args:
      file: from `header`.
      voxels: [voxels] places in a volume's flattened array, last axis fastest.

    Returns:
      [volumes, voxels] float32, scaled.

    Raises:
      InputError: the file is damaged or ends early.
    """
    # NIfTI stores the first axis fastest.
    place = np.ravel_multi_index(
        np.unravel_index(voxels, file.shape), file.shape, order='F'
    )
    values = np.empty((file.volumes, len(place)), np.float32)
    size = math.prod(file.shape) * file.dtype.itemsize
    with damage(file.path), _opened(file.path) as stream:
        stream.seek(file.offset)
        for i in range(file.volumes):
            content = stream.read(size)
            if len(content) < size:
                raise EOFError(f'it ends in volume {i + 1} of {file.volumes}')
            stored = np.frombuffer(content, file.dtype)[place]
            with np.errstate(over='ignore', invalid='ignore'):
                if (file.slope, file.inter) != (1, 0):
                    stored = stored * np.float64(file.slope) + file.inter
                values[i] = stored
        stream.read(1)  # Lets gzip check its sum.
    return values


def mask(path: PathLike) -> tuple[np.ndarray, Header]:
    """Reads a mask: one volume of 0 and one other value.

    Returns:
      [x, y, z] bool, and its header.

    Raises:
      InputError: the file is damaged or holds something else.
    """
    file = header(path)
    if file.volumes != 1:
        raise InputError(f'{path} holds {file.volumes} volumes; a mask is one.')
    every = np.arange(math.prod(file.shape))
    values = np.nan_to_num(series(file, every)[0])
    if len(np.unique(values[values != 0])) > 1:
        raise InputError(
            f'{path} holds several values besides 0; a mask has one, so '
            'threshold it or split it into a file a region.'
        )
    return (values != 0).reshape(file.shape), file


def check_grid(file: Header, like: Header, what: str) -> None:
    """Checks that two files share shape and affine.

    Args:
      file: what is checked.
      like: what it must be like.
      what: what to do where it is not, for the message.

    Raises:
      InputError: naming both.
    """
    if file.shape != like.shape:
        raise InputError(
            f'{file.path} has {_times(file.shape)} voxels and {like.path} '
            f'{_times(like.shape)}; {what}.'
        )
    if not np.allclose(file.affine, like.affine, atol=1e-3):
        farthest = np.abs(file.affine - like.affine).max()
        raise InputError(
            f'{file.path} lies elsewhere than {like.path} (their affines '
            f'differ by up to {farthest:.3g}); {what}.'
        )


def write(
    path: PathLike,
    values: np.ndarray,
    affine: np.ndarray,
    seconds: float | None = None,
) -> None:
    """Writes a volume or a series as .nii.gz, the same bytes every time.

    Args:
      path: ends in .nii.gz.
      values: [x, y, z] or [x, y, z, volumes], stored as they are.
      affine: [4, 4].
      seconds: from one volume to the next.

    Raises:
      InputError: the folder cannot be written to.
    """
    large = values.ndim == 4 and values.shape[3] > _MOST_NIFTI1
    kind = nibabel.Nifti2Image if large else nibabel.Nifti1Image
    image = kind(values, affine)
    image.header.set_xyzt_units('mm', 'sec')
    if seconds is not None:
        image.header.set_zooms((*image.header.get_zooms()[:3], seconds))
    with atomic(path) as temporary:
        temporary.write_bytes(
            gzip.compress(image.to_bytes(), compresslevel=1, mtime=0)
        )


def _opened(path: pathlib.Path):
    return gzip.open(path) if path.suffix == '.gz' else open(path, 'rb')


def _check_size(file: Header) -> None:
    volume = math.prod(file.shape) * file.dtype.itemsize
    total = file.offset + volume * file.volumes
    there = os.path.getsize(file.path)
    packed = MOST_PACKED if file.path.suffix == '.gz' else 1
    if volume > LARGEST or total > packed * there:
        raise InputError(
            f'{file.path} declares {total / 2**20:.1f} MiB and has '
            f'{there / 2**20:.1f} MiB on disk; it is cut off or damaged, so '
            'copy or download it again.'
        )


def _times(shape: tuple[int, ...]) -> str:
    return ' x '.join(map(str, shape))


def damage(
    path: PathLike, what: str = 'NIfTI file'
) -> contextlib.AbstractContextManager[None]:
    """Turns what reading a damaged file raises into one sentence."""
    return untrusted.as_input_error(
        path,
        what,
        nibabel.filebasedimages.ImageFileError,
        nibabel.spatialimages.HeaderDataError,
        zlib.error,
    )

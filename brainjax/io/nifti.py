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
from collections.abc import Iterator
from typing import NamedTuple

import nibabel
import numpy as np

from brainjax.errors import InputError
from brainjax.io import untrusted
from brainjax.io.files import PathLike, atomic

_MOST_PACKED = 1032  # No gzip file unpacks to more times its size.
_INTENT = 15  # Bytes of its name, and one that ends it.
_CIFTI = range(3000, 3100)  # Intent codes.
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
      about: what the file says of its content, its `descrip`.
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
    about: str


def header(path: PathLike) -> Header:
    """Reads the header of a .nii or .nii.gz file and checks its sizes."""
    path = pathlib.Path(path)
    if path.is_symlink() and not path.exists():
        raise InputError(
            f'{path} is a link to content that is not here; fetch it first, '
            "for example with 'datalad get'."
        )
    with damage(path):
        stated = _stated(path)
        shape = tuple(map(int, stated.get_data_shape()))
        dtype = stated.get_data_dtype()
        slope, inter = stated.get_slope_inter()
        affine = np.asarray(stated.get_best_affine(), np.float64)
        zooms = stated.get_zooms()
        _, unit = stated.get_xyzt_units()
        offset = int(stated.get_data_offset())
        about = stated['descrip'].item().decode('latin-1')
        kind = int(stated['intent_code'])
    if kind in _CIFTI:
        raise InputError(
            f'{path} is CIFTI, of a surface, whose points lie in no volume; '
            'save what nibabel.load(FILE).get_fdata() gives as .npy.'
        )
    if len(shape) not in (3, 4) or min(shape) < 1:
        raise InputError(
            f'{path} has shape {shape}; it must be a volume or a series of '
            'them.'
        )
    if dtype.kind not in 'iuf':
        raise InputError(
            f'{path} holds {dtype}; whole or floating-point numbers are needed.'
        )
    if offset < stated.sizeof_hdr:
        raise InputError(
            f'{path} states that its voxels begin at byte {offset}, within '
            'its own header; write it anew.'
        )
    slope = 1.0 if slope is None else float(slope)
    inter = 0.0 if inter is None else float(inter)
    if not (np.isfinite(affine).all() and np.isfinite([slope, inter]).all()):
        raise InputError(
            f'{path} states an affine or a scale that is NaN or infinite; '
            'write its header anew.'
        )
    seconds = float(zooms[3]) if len(zooms) == 4 else 0.0
    found = Header(
        path,
        shape[:3],
        shape[3] if len(shape) == 4 else 1,
        affine,
        dtype,
        offset,
        slope,
        inter,
        seconds * {'msec': 1e-3, 'usec': 1e-6}.get(unit, 1)
        if math.isfinite(seconds)
        else 0.0,
        about,
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
    """
    # NIfTI stores the first axis fastest.
    place = np.ravel_multi_index(
        np.unravel_index(voxels, file.shape), file.shape, order='F'
    )
    needed = 4 * file.volumes * len(place)
    untrusted.check_size(file.path, needed, 'its series')
    values = np.empty((file.volumes, len(place)), np.float32)
    with damage(file.path):
        for stored, row in zip(_volumes(file), values):  # To their end.
            with np.errstate(over='ignore', invalid='ignore'):
                row[...] = _scaled(stored[place], file)
    return values


def volume(path: PathLike) -> tuple[np.ndarray, Header]:
    """Reads the one volume of a file.

    Returns:
      [x, y, z] of the type stored, or float64 where it is scaled; its header.
    """
    file = header(path)
    if file.volumes != 1:
        raise InputError(f'{path} holds {file.volumes} volumes; one is needed.')
    with damage(path):
        [stored] = _volumes(file)
    return _scaled(stored, file).reshape(file.shape, order='F'), file


def mask(path: PathLike) -> tuple[np.ndarray, Header, int]:
    """Reads a mask: one volume of 0 and one positive value.

    Negative values are no part of it: masks of surfaces mark with -1 what
    lies outside of the cortex.

    Returns:
      [x, y, z] bool, its header, and how many values are negative.
    """
    values, file = volume(path)
    marked = values > 0  # NaN is not.
    chosen = values[marked]
    if chosen.size and chosen.min() != chosen.max():
        raise InputError(
            f'{path} holds several values above 0; a mask has one, so '
            'threshold it or split it into a file a region.'
        )
    if not chosen.size and (values < 0).any():
        raise InputError(
            f'{path} holds values below 0 and none above; a mask has 0 '
            'outside and one positive value within.'
        )
    return marked, file, int((values < 0).sum())


def check_grid(file: Header, like: Header, what: str) -> None:
    """Checks that two files share shape and affine.

    Args:
      file: what is checked.
      like: what it must be like.
      what: what to do where it is not, for the message.
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
    about: str = '',
    intent: str = '',
) -> None:
    """Writes a volume or a series as .nii.gz, the same bytes every time.

    Args:
      path: ends in .nii.gz.
      values: [x, y, z] or [x, y, z, volumes], stored as they are.
      affine: [4, 4].
      seconds: from one volume to the next.
      about: what it holds, in 79 bytes.
      intent: name of a quantity that was estimated, of which the file keeps
        16 bytes; '' for none.
    """
    large = values.ndim == 4 and values.shape[3] > _MOST_NIFTI1
    kind = nibabel.Nifti2Image if large else nibabel.Nifti1Image
    image = kind(values, affine)
    image.header.set_xyzt_units('mm', 'sec')
    image.header['descrip'] = about.encode()
    if intent:
        image.header.set_intent('estimate', name=intent[:_INTENT])
    if seconds is not None:
        image.header.set_zooms((*image.header.get_zooms()[:3], seconds))
    with atomic(path) as temporary:
        temporary.write_bytes(
            gzip.compress(image.to_bytes(), compresslevel=1, mtime=0)
        )


def _opened(path: pathlib.Path):
    return gzip.open(path) if path.suffix == '.gz' else open(path, 'rb')


def _stated(path: pathlib.Path) -> nibabel.Nifti1Header:
    """Reads the header alone: what follows may be of any length."""
    with _opened(path) as stream:
        block = stream.read(nibabel.Nifti2Header.sizeof_hdr)
    for kind in (nibabel.Nifti1Header, nibabel.Nifti2Header):
        orders = ('little', 'big')
        sizes = [int.from_bytes(block[:4], order) for order in orders]
        if kind.sizeof_hdr in sizes:
            break
    else:
        raise InputError(f'{path} is no NIfTI file; convert it to one.')
    if len(block) < kind.sizeof_hdr:
        raise EOFError('it ends in its header')
    with (
        nibabel.imageglobals.LoggingOutputSuppressor()
    ):  # What it mends, it logs.
        found = kind(block[: kind.sizeof_hdr])
    if not found['magic'].item().startswith(b'n+'):
        raise InputError(
            f'{path} is no NIfTI file of one piece; convert it to .nii.gz.'
        )
    return found


def _volumes(file: Header) -> Iterator[np.ndarray]:
    """Yields [voxels] of each volume as stored, first axis fastest."""
    size = math.prod(file.shape) * file.dtype.itemsize
    with _opened(file.path) as stream:
        stream.seek(file.offset)
        for i in range(file.volumes):
            content = stream.read(size)
            if len(content) < size:
                raise EOFError(f'it ends in volume {i + 1} of {file.volumes}')
            yield np.frombuffer(content, file.dtype)
        stream.read(1)  # Lets gzip check its sum.


def _scaled(stored: np.ndarray, file: Header) -> np.ndarray:
    if (file.slope, file.inter) == (1, 0):
        return stored
    return stored * np.float64(file.slope) + file.inter


def _check_size(file: Header) -> None:
    volume = math.prod(file.shape) * file.dtype.itemsize
    total = file.offset + volume * file.volumes
    there = os.path.getsize(file.path)
    packed = _MOST_PACKED if file.path.suffix == '.gz' else 1
    if total > packed * there:
        raise InputError(
            f'{file.path} declares {total / 2**20:.1f} MiB and has '
            f'{there / 2**20:.1f} MiB on disk; it is truncated or damaged, so '
            'copy or download it again.'
        )
    untrusted.check_size(file.path, file.offset + volume, 'one volume')


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

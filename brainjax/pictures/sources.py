"""Where pictures come from: folder, archive, HDF5, TFDS, digits69."""

import contextlib
import io
import lzma
import os
import pathlib
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import h5py
import numpy as np
from PIL import Image, UnidentifiedImageError

from brainjax.errors import InputError
from brainjax.io import hdf5, matlab
from brainjax.io.files import PathLike

SUFFIXES = ('.png', '.jpg', '.jpeg')
_DIGIT = 28  # Pixels a side.

Encoded = PathLike | bytes | np.ndarray


class Source(NamedTuple):
    """Pictures that are fetched by index, encoded.

    Attributes:
      names: one a picture.
      fetch: indices in ascending order -> for each of them the path of a
        file, its bytes, or an array.
      version: changes when the pictures do.
      labels: indices in ascending order -> the class of each; None where the
        source has no classes but those in its names.
    """

    names: list[str]
    fetch: Callable[[Sequence[int]], Iterable[Encoded]]
    version: str
    labels: Callable[[Sequence[int]], list[str]] | None = None


def open_source(
    source: PathLike,
    data_dir: PathLike | None,
    stack: contextlib.ExitStack,
) -> Source:
    """Opens a folder, archive, HDF5 file, digits69 or 'tfds:NAME/SPLIT'.

    Args:
      source: as for `pictures.load`.
      data_dir: where TFDS data sets are, or None for the usual place.
      stack: closes the files that stay open while pictures are fetched.

    Raises:
      InputError: no such source, or it is damaged.
    """
    text = os.fspath(source)
    if text.startswith('tfds:'):
        return _tfds(text, data_dir)
    path = pathlib.Path(source)
    if path.is_dir():
        return _folder(path)
    if not path.exists():
        raise InputError(
            f'{source} does not exist; give a folder, tar archive or '
            'HDF5 file of pictures, digits69.mat or tfds:NAME/SPLIT.'
        )
    if h5py.is_hdf5(path):
        return _brick(path)
    if path.suffix == '.mat':
        return _digits(path)
    return _tar(path, stack)


def open_picture(picture: Encoded) -> Image.Image:
    """Opens an array, an encoded picture or a file of one, decoded.

    Returns:
      A picture of any mode, but with no more than 8 bits a channel; 16-bit
      grey ones keep their upper 8 bits.
    """
    if isinstance(picture, np.ndarray):
        return Image.fromarray(picture)
    if isinstance(picture, bytes):
        picture = io.BytesIO(picture)
    with Image.open(picture, formats=('PNG', 'JPEG')) as image:
        image.load()
    if image.mode.startswith('I'):  # 16-bit grey; convert() would clip.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image


@contextlib.contextmanager
def telling(name: str, source: PathLike) -> Iterator[None]:
    """Names the picture that cannot be decoded, and why.

    Raises:
      InputError: the body raised anything.
    """
    try:
        yield
    except Exception as error:  # A damaged file makes Pillow raise many.
        if isinstance(error, UnidentifiedImageError):
            reason = 'neither PNG nor JPEG'
        else:
            reason = _first_line(error)
        raise InputError(
            f'{source}: picture {name} cannot be decoded ({reason}); replace '
            'or remove it.'
        ) from error


def _first_line(error: Exception) -> str:
    """Returns what an error says, in one line."""
    return str(error).partition('\n')[0].rstrip(':') or type(error).__name__


def stem(name: str) -> str:
    """Returns a picture's file name, or path, without a picture's suffix.

    What else looks like a suffix is part of the name: 'n01443537_22563.5'.
    """
    for suffix in SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def _is_picture(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not os.path.basename(
        name
    ).startswith('.')


def _stamp(path: pathlib.Path) -> str:
    stat = path.stat()
    return f'{path.absolute()} {stat.st_size} {stat.st_mtime_ns}'


def _folder(path: pathlib.Path) -> Source:
    files = sorted(
        file
        for file in path.rglob('*')
        if _is_picture(file.name) and file.is_file()
    )
    return Source(
        [file.relative_to(path).as_posix() for file in files],
        lambda indices: [files[i] for i in indices],
        '\n'.join(map(_stamp, files)),
    )


def _tar(path: pathlib.Path, stack: contextlib.ExitStack) -> Source:
    damage = (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError)

    def broken(error: Exception) -> InputError:
        return InputError(
            f'{path} is not a complete tar archive ({_first_line(error)}); '
            'copy or download it again.'
        )

    try:
        opened = tarfile.open(path)  # noqa: SIM115 - closed by the stack.
        archive = stack.enter_context(opened)
        members = [
            member
            for member in archive.getmembers()
            if member.isfile() and _is_picture(member.name)
        ]
    except damage as error:
        raise broken(error) from error

    def fetch(indices: Sequence[int]) -> list[bytes]:
        try:
            return [archive.extractfile(members[i]).read() for i in indices]
        except damage as error:
            raise broken(error) from error

    return Source(
        [member.name.removeprefix('./') for member in members],
        fetch,
        _stamp(path),
    )


def _digits(path: pathlib.Path) -> Source:
    images = unpaired_digits(path)
    return Source(
        [f'prior-{i:04d}' for i in range(len(images))],
        lambda indices: list(images[indices]),
        _stamp(path),
    )


def unpaired_digits(path: PathLike) -> np.ndarray:
    """Reads the digits of `digits69.mat` that were never shown.

    Returns:
      [2000, 28, 28, 3] uint8, sixes before nines.
    """
    flat = matlab.read(path, ['X_prior']).get('X_prior')
    if flat is None:
        raise InputError(
            f'{path} has no X_prior; give the digits69.mat of van Gerven et '
            'al. 2010.'
        )
    if not isinstance(flat, np.ndarray) or flat.dtype.kind not in 'biuf':
        raise InputError(f'{path}: X_prior must be numbers.')
    return upright_digits(flat, f'{path}: X_prior')


def upright_digits(flat: np.ndarray, where: str) -> np.ndarray:
    """Turns digits as MATLAB stores them, column-major, into RGB pictures.

    Args:
      flat: [n, 784], 0..255.
      where: what to name in messages.

    Returns:
      [n, 28, 28, 3] uint8.
    """
    if flat.ndim != 2 or flat.shape[1] != _DIGIT**2 or flat.shape[0] == 0:
        raise InputError(
            f'{where} has shape {flat.shape}; it must hold pictures of '
            f'{_DIGIT} x {_DIGIT} pixels, one row of {_DIGIT**2} each.'
        )
    if not ((flat >= 0) & (flat <= 255)).all():
        raise InputError(
            f'{where} holds values that are not in 0..255; save the grey '
            'values as uint8.'
        )
    upright = flat.reshape(-1, _DIGIT, _DIGIT).swapaxes(1, 2).astype(np.uint8)
    return np.repeat(upright[..., None], 3, axis=-1)


def _brick(path: pathlib.Path) -> Source:
    """Opens 'imgBrick' of NSD's stimuli, or a file's one array of pictures.

    A picture is named by its place, counted from 1: 'nsd-00001' in the brick
    of the Natural Scenes Dataset, elsewhere after the array ('name-00001').
    """
    with hdf5.opened(path) as file:
        names = [name for name, item in file.items() if _holds_pictures(item)]
        if 'imgBrick' in names:
            names = ['imgBrick']
        if len(names) != 1:
            raise InputError(
                f'{path} holds {len(names)} arrays of uint8 pictures [n, '
                f'height, width, 3]{": " if names else ""}{", ".join(names)}; '
                'give a file with one.'
            )
        [name] = names
        count = len(hdf5.dataset(file, name, 'u'))
    prefix = 'nsd' if name == 'imgBrick' else name

    def fetch(indices: Sequence[int]) -> list[np.ndarray]:
        with hdf5.opened(path) as file:
            images = hdf5.dataset(file, name, 'u')
            return [images[i] for i in indices]

    return Source(
        [f'{prefix}-{i:05d}' for i in range(1, count + 1)],
        fetch,
        _stamp(path),
    )


def _holds_pictures(item: h5py.Group | h5py.Dataset) -> bool:
    return (
        isinstance(item, h5py.Dataset)
        and item.dtype == np.uint8
        and item.ndim == 4
        and item.shape[3] == 3
    )


def _tfds(spec: str, data_dir: PathLike | None) -> Source:
    name, _, split = spec.removeprefix('tfds:').rpartition('/')
    if not name or not split:
        raise InputError(
            f'{spec} lacks the name or the split of a data set; write '
            'tfds:NAME/SPLIT, for example tfds:imagenet2012/validation.'
        )
    import tensorflow_datasets as tfds  # Takes 0.6 s; few runs need it.

    folder = os.path.expanduser(
        data_dir or os.environ.get('TFDS_DATA_DIR', '~/tensorflow_datasets')
    )
    try:
        examples = tfds.data_source(
            name,
            split=split,
            data_dir=folder,
            download=False,
            decoders={'image': tfds.decode.SkipDecoding()},
            builder_kwargs={'file_format': 'array_record'},
        )
    except Exception as error:  # TFDS raises many kinds, some misleading.
        raise _tfds_error(name, spec, folder, error) from error
    if 'image' not in examples.dataset_info.features:
        raise InputError(
            f"{spec} in {folder} has no feature named 'image'; name a data "
            'set of pictures.'
        )

    def part(indices: Sequence[int], feature: str) -> list:
        try:
            found = examples.__getitems__(indices)
        except Exception as error:
            raise InputError(
                f'{spec} in {folder} is damaged ({_first_line(error)}); '
                'prepare it again.'
            ) from error
        return [example[feature] for example in found]

    def labels(indices: Sequence[int]) -> list[str]:
        names = examples.dataset_info.features['label']
        return [names.int2str(int(label)) for label in part(indices, 'label')]

    return Source(
        [f'{name}/{split}/{i:06d}' for i in range(len(examples))],
        lambda indices: part(indices, 'image'),
        f'{folder} {spec} {len(examples)}',
        labels if 'label' in examples.dataset_info.features else None,
    )


def _tfds_error(
    name: str, spec: str, folder: str, error: Exception
) -> InputError:
    reason = _first_line(error)
    if 'Unknown split' in reason:
        return InputError(f'{spec} in {folder} cannot be used: {reason}')
    if 'file format' in reason.lower():
        return InputError(
            f'{name} in {folder} is in a file format that only TensorFlow '
            'reads; convert it once, where TensorFlow is installed, with: '
            f'tfds convert_format --dataset_dir={folder}/{name} '
            '--out_file_format=array_record'
        )
    absent = 'splits` is empty' in reason or 'not found' in reason
    return InputError(
        f'{name} is not prepared in {folder}'
        f'{"" if absent else f" ({reason})"}; prepare it once, where '
        f'TensorFlow is installed, with: tfds build {name} '
        f'--data_dir={folder} --file_format=array_record'
    )

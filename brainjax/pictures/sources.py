"""Where pictures come from: a folder, an archive, arrays, TFDS, digits69."""

import contextlib
import os
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from brainjax.errors import InputError, optional
from brainjax.io import archives, arrays, hdf5, matlab, untrusted
from brainjax.io.files import PathLike
from brainjax.pictures import in_memory
from brainjax.pictures.decoding import Encoded
from brainjax.pictures.names import is_picture

_DIGIT = 28  # Pixels a side.
_SHOWN = 3  # Names in a message.


class Source(NamedTuple):
    """Pictures that are fetched by index, encoded.

    Attributes:
      names: one a picture.
      fetch: indices in ascending order -> for each of them the path of a
        file, its bytes, or an array.
      version: changes when the pictures do.
      labels: indices in ascending order -> the class of each; None where the
        source has no classes but those in its names.
      notes: sentences on what was skipped.
      named: False where the names only count.
    """

    names: list[str]
    fetch: Callable[[Sequence[int]], Iterable[Encoded]]
    version: str
    labels: Callable[[Sequence[int]], list[str]] | None = None
    notes: tuple[str, ...] = ()
    named: bool = True


def is_path(source: Any) -> bool:
    """Whether pictures are named, and not held already."""
    return isinstance(source, str | os.PathLike)


def title(source: Any) -> PathLike:
    """What messages call a source."""
    return source if is_path(source) else in_memory.TITLE


def open_source(
    source: Any,
    data_dir: PathLike | None,
    stack: contextlib.ExitStack,
    wanted: Sequence[str] = ('images',),
) -> Source:
    """Opens whatever holds pictures, told by its content.

    Args:
      source: as for `pictures.load`.
      data_dir: where TFDS data sets are, or None for the usual place.
      stack: closes the files that stay open while pictures are fetched.
      wanted: of several arrays of an npz file, the first of these is taken.
    """
    if not is_path(source):
        names, pictures, named = in_memory.collect(source)
        return Source(
            names, lambda rows: [pictures[i] for i in rows], '', named=named
        )
    text = os.fspath(source)
    if text.startswith('tfds:'):
        return _tfds(text, data_dir)
    path = pathlib.Path(source)
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise InputError(
            f'{source} does not exist; give a folder, a tar, zip, npz, npy or '
            'HDF5 file of pictures, digits69.mat or tfds:NAME/SPLIT.'
        )
    if hdf5.looks_like(path):
        return _brick(path)
    if matlab.looks_like(path) or path.suffix == '.mat':
        return _digits(path)
    if arrays.is_npy(path):
        return _array(path, path.stem, arrays.open_npy(path), None)
    if path.suffix == '.npz':
        return _npz(path, wanted)
    if is_picture(path.name):
        raise InputError(
            f'{source} is one picture; give the folder that it lies in.'
        )
    archive = archives.open_archive(path, stack)
    kept = [i for i, name in enumerate(archive.names) if is_picture(name)]
    names = [archive.names[i] for i in kept]
    return Source(
        names,
        lambda indices: [archive.read(kept[i]) for i in indices],
        _stamp(path),
        notes=_skipped(path, archive.names, names),
    )


def _skipped(
    source: PathLike, there: Sequence[str], taken: Sequence[str]
) -> tuple[str, ...]:
    """Says which files are no pictures."""
    others = sorted({*there} - {*taken})
    if not others:
        return ()
    more = len(others) - _SHOWN
    return (
        f'{source}: {len(others)} of {len(there)} files are skipped as no '
        f'pictures: {", ".join(others[:_SHOWN])}'
        f'{f" and {more} more" if more > 0 else ""}.',
    )


def _stamp(path: pathlib.Path) -> str:
    stat = path.stat()
    return f'{path.absolute()} {stat.st_size} {stat.st_mtime_ns}'


def _folder(path: pathlib.Path) -> Source:
    there = sorted(file for file in path.rglob('*') if file.is_file())
    files = [file for file in there if is_picture(file.name)]
    all_names, names = (
        [file.relative_to(path).as_posix() for file in some]
        for some in (there, files)
    )
    return Source(
        names,
        lambda indices: [files[i] for i in indices],
        '\n'.join(map(_stamp, files)),
        notes=_skipped(path, all_names, names),
    )


def _npz(path: pathlib.Path, wanted: Sequence[str]) -> Source:
    """Opens `images` [n, height, width, ...] and, if there, `names` [n].

    Without names a picture is named by its place, counted from 1, as those
    of `images_112.npz` (Gaziv et al. 2022), 'test-0001'.
    """
    shapes = arrays.shapes(path, text=('names',))
    found = [name for name in wanted if name in shapes] or [
        name for name, shape in shapes.items() if _are_pictures(shape)
    ]
    if not found or (len(found) > 1 and found[0] not in wanted):
        raise InputError(
            f'{path} holds {len(found)} arrays of pictures [n, height, width, '
            f'3] among {", ".join(sorted(shapes)) or "none"}; give one, named '
            "'images'."
        )
    key = found[0]
    held = arrays.load(path, [key, *(x for x in ('names',) if x in shapes)])
    images = held[key]
    if key == 'images':
        return _array(path, key, images, held.get('names'))
    if images.dtype.kind == 'f' and np.abs(images - 0.5).max() < 0.55:
        images = images.clip(0, 1)  # Bicubic resizing overshoots a little.
    # A run on that recording names its pictures so.
    found = _array(path, key.removesuffix('_images'), images, None)
    return found._replace(named=key.endswith('_images'))


def _array(
    path: pathlib.Path,
    key: str,
    images: np.ndarray,
    names: np.ndarray | None,
) -> Source:
    if not _are_pictures(images.shape):
        raise InputError(
            f'{path}: {key} has shape {images.shape}; pictures are [n, '
            'height, width, 3], with 1 or 4 channels in place of 3, or [n, '
            f'height, width].{_transposed(images.shape)}'
        )
    if images.dtype != np.uint8 and images.dtype.kind != 'f':
        raise InputError(
            f'{path}: {key} is {images.dtype}; give uint8 from 0 to 255, or '
            'floats from 0 to 1.'
        )
    named = names is not None
    if names is None:
        numbers = range(1, len(images) + 1)
        names = np.array([f'{key}-{i:04d}' for i in numbers], str)
    if names.shape != images.shape[:1] or names.dtype.kind != 'U':
        raise InputError(
            f'{path}: names are {names.dtype} of shape {names.shape} and the '
            f'images have shape {images.shape}; give one text a picture.'
        )
    return Source(
        names.tolist(),
        lambda indices: [np.asarray(images[i]) for i in indices],
        _stamp(path),
        named=named,
    )


def _are_pictures(shape: tuple[int, ...]) -> bool:
    grey = len(shape) == 3
    return 0 not in shape[1:] and (
        grey or (len(shape) == 4 and shape[-1] in (1, 3, 4))
    )


def _transposed(shape: tuple[int, ...]) -> str:
    """Advice for channels first, as PyTorch has them."""
    if len(shape) != 4 or shape[1] not in (1, 3, 4):
        return ''
    return ' These have their channels first: transpose(0, 2, 3, 1) them.'


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
            'al. 2010, and save other pictures as npz, not as MATLAB does.'
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

    They bear the texts of an array `names`, if there is one. Else a picture
    is named by its place, counted from 1: 'nsd-00001' in the brick of the
    Natural Scenes Dataset, elsewhere after the array ('name-00001').
    """
    with hdf5.opened(path) as file:
        names = [
            name for name in hdf5.names(file) if _holds_pictures(file[name])
        ]
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
        held = hdf5.inside(file, 'names') and hdf5.read(file, 'names', 'S')
    prefix = 'nsd' if name == 'imgBrick' else name
    called = [f'{prefix}-{i:05d}' for i in range(1, count + 1)]
    if held is not False:
        called = [x.decode('utf-8', 'replace') for x in np.ravel(held).tolist()]
        if len(called) != count:
            raise InputError(
                f'{path} holds {len(called)} names for {count} pictures; give '
                'one text a picture.'
            )

    def fetch(indices: Sequence[int]) -> list[np.ndarray]:
        with hdf5.opened(path) as file:
            images = hdf5.dataset(file, name, 'u')
            return [images[i] for i in indices]

    named = name == 'imgBrick' or held is not False
    return Source(called, fetch, _stamp(path), named=named)


def _holds_pictures(item: hdf5.Node) -> bool:
    shape = getattr(item, 'shape', None) or ()  # Groups have none.
    return len(shape) == 4 and shape[3] == 3 and item.dtype == np.uint8


def _tfds(spec: str, data_dir: PathLike | None) -> Source:
    name, _, split = spec.removeprefix('tfds:').rpartition('/')
    if not name or not split:
        raise InputError(
            f'{spec} lacks the name or the split of a data set; write '
            'tfds:NAME/SPLIT, for example tfds:imagenet2012/validation.'
        )
    tfds = optional('tensorflow_datasets', 'tfds', spec)

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
                f'{spec} in {folder} is damaged '
                f'({untrusted.first_line(error)}); prepare it again.'
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
    # The line as a whole: what is told of it is shortened.
    whole = str(error).partition('\n')[0]
    reason = untrusted.first_line(error)
    if 'Unknown split' in whole:
        return InputError(f'{spec} in {folder} cannot be used: {reason}')
    if 'file format' in whole.lower():
        return InputError(
            f'{name} in {folder} is in a file format that only TensorFlow '
            'reads; convert it once, where TensorFlow is installed, with: '
            f'tfds convert_format --dataset_dir={folder}/{name} '
            '--out_file_format=array_record'
        )
    absent = 'splits` is empty' in whole or 'not found' in whole
    return InputError(
        f'{name} is not prepared in {folder}'
        f'{"" if absent else f" ({reason})"}; prepare it once, where '
        f'TensorFlow is installed, with: tfds build {name} '
        f'--data_dir={folder} --file_format=array_record'
    )

"""Unpaired pictures: a folder, an archive or a TFDS data set to one array."""

import concurrent.futures
import contextlib
import hashlib
import json
import pathlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

from brainjax.errors import InputError
from brainjax.io.files import PathLike, atomic, cache_folder
from brainjax.pictures import operations
from brainjax.pictures.sources import (
    SUFFIXES,
    Encoded,
    Source,
    open_picture,
    open_source,
    telling,
)

_CHUNK = 512  # Encoded pictures held in memory at once.


def load(
    source: PathLike,
    size: int,
    limit: int | None = None,
    seed: int = 0,
    data_dir: PathLike | None = None,
    cached: bool = False,
    squash: bool = False,
) -> tuple[np.ndarray, list[str]]:
    """Loads pictures: the short side resized to `size`, the centre cropped.

    Resizing is Pillow's bilinear filter (Gaziv et al. 2022). Grey pictures
    get three equal channels.

    Args:
      source: a folder, searched with its subfolders for PNG and JPEG files;
        a tar archive, read in place; `digits69.mat`, for its digits that
        were not shown; an HDF5 file with one array of pictures; or
        'tfds:NAME/SPLIT', for example 'tfds:imagenet2012/validation', a TFDS
        data set that was prepared before with file format array_record.
        Nothing is downloaded, and TensorFlow is not needed.
      size: of the pictures returned, in pixels.
      limit: how many pictures at most, drawn without replacement; None for
        all of them. Their order stays that of the source.
      seed: of the draw.
      data_dir: where TFDS data sets are; by default TFDS_DATA_DIR or
        ~/tensorflow_datasets.
      cached: keep the array in the cache folder and return it mapped into
        memory, read-only; it is made anew when file names, sizes or times
        have changed.
      squash: resize both sides by Pillow's Lanczos filter and crop nothing,
        as the distractors of Gaziv et al. 2022.

    Returns:
      [n, size, size, 3] uint8, and n names.

    Raises:
      InputError: no such source, no picture in it, or one that is damaged.
    """
    with contextlib.ExitStack() as stack:
        found = open_source(source, data_dir, stack)
        chosen = _choose(len(found.names), limit, seed, source)
        names = [found.names[i] for i in chosen]
        fit = operations.whole_lanczos if squash else operations.centre_bilinear
        return _decoded(found, chosen, source, size, fit, cached), names


def decode(
    found: Source,
    chosen: Sequence[int],
    source: PathLike,
    size: int | None = None,
    cached: bool = False,
    whole: bool = False,
) -> np.ndarray:
    """Decodes pictures of a source in any order.

    Args:
      found: from `open_source`.
      chosen: indices of the pictures, each at most once.
      source: what to name in messages.
      size: as for `load`; None keeps the pictures' own, which must then be
        square and the same for all.
      cached: as for `load`, where `chosen` is in ascending order.
      whole: bring all of a picture to the size, whatever its proportions,
        with Pillow's bicubic filter (Shen et al. 2019), not its centre.

    Returns:
      [n, size, size, 3] uint8 in the order of `chosen`.

    Raises:
      InputError: a picture is damaged, or has another size.
    """
    order = np.argsort(chosen)
    ascending = np.asarray(chosen)[order]
    if size is None:
        size = _own_size(found, int(ascending[0]), source)
        fit = _same_size
    else:
        fit = operations.whole_bicubic if whole else operations.centre_bilinear
    images = _decoded(found, ascending, source, size, fit, cached)
    if np.array_equal(ascending, chosen):
        return images
    return images[np.argsort(order)]


def _decoded(
    found: Source,
    chosen: np.ndarray,
    source: PathLike,
    size: int,
    fit: operations.Fit,
    cached: bool,
) -> np.ndarray:
    """Decodes into memory, or into the cache unless they are there."""
    shape = (len(chosen), size, size, 3)
    if not cached:
        images = np.empty(shape, np.uint8)
        _fill(images, found, chosen, source, fit)
        return images
    names = [found.names[i] for i in chosen]
    version = found.version + _VARIANTS.get(fit, '')
    path = _cache_path(version, names, size)
    if not path.exists():
        with atomic(path) as temporary:
            images = np.lib.format.open_memmap(temporary, 'w+', np.uint8, shape)
            _fill(images, found, chosen, source, fit)
            images.flush()
    return np.load(path, mmap_mode='r')


def _own_size(found: Source, index: int, source: PathLike) -> int:
    """Returns the width of one picture."""
    [picture] = found.fetch([index])
    with telling(found.names[index], source):
        return open_picture(picture).width


def _same_size(image: Image.Image, size: int) -> Image.Image:
    if image.size != (size, size):
        raise ValueError(
            f'{image.width} x {image.height} px where others have {size} x '
            f'{size}; name a size to bring all to'
        )
    return image


def _choose(
    n: int, limit: int | None, seed: int, source: PathLike
) -> np.ndarray:
    """Returns the indices to load, ascending."""
    if n == 0:
        raise InputError(
            f'{source} holds no pictures; give one with '
            f'{", ".join(SUFFIXES)} files.'
        )
    if limit is None or limit >= n:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, limit, replace=False))


def _cache_path(version: str, names: list[str], size: int) -> pathlib.Path:
    key = json.dumps([version, names, size]).encode()
    return cache_folder(
        'pictures', f'{hashlib.sha256(key).hexdigest()[:32]}.npy'
    )


_VARIANTS = {
    operations.whole_bicubic: 'whole',
    operations.whole_lanczos: ' squashed',
}


def _fill(
    images: np.ndarray,
    found: Source,
    chosen: np.ndarray,
    source: PathLike,
    fit: operations.Fit,
) -> None:
    """Decodes the chosen pictures into `images`, in threads."""
    size = images.shape[1]

    def make(place: int, picture: Encoded) -> None:
        with telling(found.names[chosen[place]], source):
            images[place] = fit(open_picture(picture).convert('RGB'), size)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        for start in range(0, len(chosen), _CHUNK):
            part = chosen[start : start + _CHUNK].tolist()
            fetched = list(found.fetch(part))
            for _ in pool.map(make, range(start, start + len(part)), fetched):
                pass

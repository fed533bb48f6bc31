"""Pictures of any source to one array, kept in the cache if wanted."""

import concurrent.futures
import contextlib
import hashlib
import json
import pathlib
import warnings
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from brainjax.errors import InputError
from brainjax.io import files
from brainjax.io.files import PathLike, atomic, cache_folder
from brainjax.pictures import operations
from brainjax.pictures.decoding import (
    DEFAULT,
    Encoded,
    Rules,
    composited,
    decode,
)
from brainjax.pictures.names import SUFFIXES
from brainjax.pictures.sources import Source, is_path, open_source, title

_CHUNK = 512  # Encoded pictures held in memory at once.
_BLOCK = 1 << 24  # Bytes of a cached file checked at once.
# Raised when the same file would be decoded to other pixels.
_DECODER = 2


def _warn(sentence: str) -> None:
    warnings.warn(sentence, stacklevel=3)  # Of whoever called `load`.


def load(
    source: Any,
    size: int,
    limit: int | None = None,
    seed: int = 0,
    data_dir: PathLike | None = None,
    cached: bool = False,
    fit: str = 'centre',
    alpha: str = 'grey',
    upright: bool = True,
    tell: Callable[[str], None] = _warn,
) -> tuple[np.ndarray, list[str]]:
    """Loads pictures, by default the short side resized, the centre cropped.

    Args:
      source: a folder, searched with its subfolders for picture files
        (PNG, JPEG, TIFF, BMP, GIF, WebP); a tar or zip archive of them, read
        in place; an npz file with `images` [n, height, width, 3], uint8 or
        floats in 0..1, and perhaps `names` [n]; an npy or HDF5 file of one
        such array; `digits69.mat`, for its digits that were not shown; or
        'tfds:NAME/SPLIT', for example 'tfds:imagenet2012/validation', a TFDS
        data set that was prepared before with file format array_record.
        Nothing is downloaded, and TensorFlow is not needed. Or pictures that
        are held already, see `in_memory.collect`; these are never cached.
      size: of the pictures returned, in pixels.
      limit: how many pictures at most, drawn without replacement; None for
        all of them. Their order stays that of the source.
      seed: of the draw.
      data_dir: where TFDS data sets are; by default TFDS_DATA_DIR or
        ~/tensorflow_datasets.
      cached: keep the array in the cache folder and return it mapped into
        memory, read-only; it is made anew when file names, sizes or times
        have changed, or when it was damaged.
      fit: 'centre' (Gaziv et al. 2022), or all of a picture, whatever its
        proportions: 'whole' by Pillow's bicubic filter (Shen et al. 2019),
        'lanczos' by that one, 'whole box' by the mean of what a pixel covers,
        and 'box' likewise of the centre's square; or 'inner:PART', the
        centre's square of that part of the short side (VanRullen & Reddy
        2019).
      alpha, upright: see `decoding.Rules`.
      tell: takes a sentence on what was skipped or filled in.

    Returns:
      [n, size, size, 3] uint8, and n names.
    """
    rules = Rules(alpha, upright)
    with contextlib.ExitStack() as stack:
        found = open_source(source, data_dir, stack)
        cached = cached and is_path(source)
        source = title(source)
        chosen = _choose(len(found.names), limit, seed, source)
        images, transparent = _decoded(
            found, chosen, source, size, fit, rules, cached
        )
    for note in (
        *found.notes,
        *composited(transparent, len(chosen), source, rules),
    ):
        tell(note)
    return images, [found.names[i] for i in chosen]


def decode_chosen(
    found: Source,
    chosen: Sequence[int],
    source: PathLike,
    size: int | None = None,
    fit: str = 'centre',
    rules: Rules = DEFAULT,
    cached: bool = False,
) -> tuple[np.ndarray, int]:
    """Decodes pictures of a source in any order.

    Args:
      found: from `open_source`.
      chosen: indices of the pictures, each at most once.
      source: what to name in messages.
      size: as for `load`; None keeps the pictures' own, which must then be
        square and the same for all.
      fit, rules, cached: as for `load`; cached where `chosen` ascends.

    Returns:
      [n, size, size, 3] uint8 in the order of `chosen`, and how many of them
      were transparent in places.
    """
    order = np.argsort(chosen)
    ascending = np.asarray(chosen)[order]
    if size is None:
        first = int(ascending[0])
        [picture] = found.fetch([first])
        name = found.names[first]
        size = decode(picture, name, source, rules).image.width
        fit = 'unchanged'
    images, transparent = _decoded(
        found, ascending, source, size, fit, rules, cached
    )
    if not np.array_equal(ascending, chosen):
        images = images[np.argsort(order)]
    return images, transparent


def _decoded(
    found: Source,
    chosen: np.ndarray,
    source: PathLike,
    size: int,
    fit: str,
    rules: Rules,
    cached: bool,
) -> tuple[np.ndarray, int]:
    """Decodes into memory, or into the cache unless they are there."""
    rules.check()
    way = operations.find_fit(fit)
    shape = (len(chosen), size, size, 3)
    if not cached:
        images = np.empty(shape, np.uint8)

        def keep(start, part):
            images[start : start + len(part)] = part

        return images, _fill(keep, size, found, chosen, source, way, rules)
    names = [found.names[i] for i in chosen]
    key = [_DECODER, found.version, names, size, fit, rules]
    path = _cache_path(key)
    kept = _kept(path, shape)
    if kept is not None:
        return kept
    with atomic(path) as temporary:
        # Written and not mapped: mapped pages would count as memory.
        with open(temporary, 'wb') as stream:
            header = np.lib.format.header_data_from_array_1_0(
                np.empty((0, *shape[1:]), np.uint8)
            )
            np.lib.format.write_array_header_1_0(
                stream, header | {'shape': shape}
            )
            transparent = _fill(
                lambda start, part: stream.write(part),
                *(size, found, chosen, source, way, rules),
            )
        checksum = _checksum(temporary)
    files.write_json(
        path.with_suffix('.json'),
        {'crc32': checksum, 'transparent': transparent},
    )
    return np.load(path, mmap_mode='r'), transparent


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


def _cache_path(key: list) -> pathlib.Path:
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
    return cache_folder('pictures', f'{digest}.npy')


def _kept(
    path: pathlib.Path, shape: tuple[int, ...]
) -> tuple[np.ndarray, int] | None:
    """Returns what the cache holds, or None if it is absent or damaged."""
    try:
        about = files.read_json(path.with_suffix('.json'))
        if about['crc32'] != _checksum(path):
            return None
        images = np.load(path, mmap_mode='r')
        transparent = int(about['transparent'])
    except (InputError, OSError, ValueError, KeyError, TypeError):
        return None
    return (images, transparent) if images.shape == shape else None


def _checksum(path: pathlib.Path) -> int:
    """Returns the CRC-32 of a file: 3 GB/s, against 1 of SHA-256."""
    total = 0
    with open(path, 'rb') as stream:
        while block := stream.read(_BLOCK):
            total = zlib.crc32(block, total)
    return total


def _fill(
    keep: Callable[[int, np.ndarray], Any],
    size: int,
    found: Source,
    chosen: np.ndarray,
    source: PathLike,
    fit: operations.Fit,
    rules: Rules,
) -> int:
    """Decodes pictures in threads; counts transparent ones.

    Args:
      keep: takes the place of the first and some pictures, in order.
      size: of the pictures; the others as in `_decoded`.
    """

    def make(number: int, picture: Encoded) -> tuple[np.ndarray, bool]:
        name = found.names[number]
        decoded = decode(picture, name, source, rules)
        try:
            return np.asarray(fit(decoded.image, size)), decoded.transparent
        except ValueError as error:
            raise InputError(f'{source}: picture {name}: {error}.') from error

    transparent = 0
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for start in range(0, len(chosen), _CHUNK):
            part = chosen[start : start + _CHUNK].tolist()
            fetched = list(found.fetch(part))
            images, clear = zip(*pool.map(make, part, fetched))
            keep(start, np.stack(images))
            transparent += sum(clear)
    return transparent

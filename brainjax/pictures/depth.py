"""Depth maps of pictures, from files: how near each place is.

Gaziv and Irani (2021) estimated them with MiDaS and kept them as grey 8-bit
PNG, near is bright. Theirs were paired with pictures by the sorted order of
two folders; here by name.
"""

import contextlib
import os
import pathlib
import zipfile
from collections.abc import Sequence

import numpy as np

from brainjax.errors import InputError
from brainjax.io import arrays
from brainjax.io.files import PathLike
from brainjax.pictures import loading, operations, sources
from brainjax.pictures.names import stem

_PARTS = ('train_images', 'test_images')


def load(
    source: PathLike, names: Sequence[str], size: int, fit: str = 'centre'
) -> np.ndarray:
    """Reads the depth map of each picture.

    Args:
      source: whatever holds pictures, as for `pictures.load`, where each map
        is named as its picture but for folders and suffix; of colours the
        first channel is taken, of 16 bits the upper 8. Or the authors'
        `rgbd_112_from_224_large_png_uint8.npz`, `train_images` and
        `test_images` with depth as fourth channel, in the stimuli's order.
      names: of the pictures.
      size: of the maps returned, in pixels.
      fit: how they come to it, which is how the pictures did.

    Returns:
      [n, size, size] uint8, 255 the nearest.
    """
    if _is_rgbd(source):
        return _of_stimuli(source, len(names), size, fit)
    with contextlib.ExitStack() as stack:
        found = sources.open_source(source, None, stack)
        chosen = _chosen(found.names, names, source)
        images, _ = loading.decode_chosen(found, chosen, source, size, fit)
    return np.ascontiguousarray(images[..., 0])


def _is_rgbd(source: PathLike) -> bool:
    return (
        os.path.isfile(source)
        and zipfile.is_zipfile(source)
        and {*_PARTS} <= {*arrays.names(source)}
    )


def _of_stimuli(source: PathLike, n: int, size: int, fit: str) -> np.ndarray:
    shapes = arrays.shapes(source)
    for part in _PARTS:
        if len(shapes[part]) != 4 or shapes[part][3] != 4:
            raise InputError(
                f'{source}: {part} has shape {shapes[part]}; with depth '
                'pictures are [n, size, size, 4].'
            )
    count = sum(shapes[part][0] for part in _PARTS)
    if count != n:
        raise InputError(
            f'{source} holds {count} depth maps and there are {n} stimuli; '
            'give the file of these stimuli.'
        )
    held = arrays.load(source, _PARTS)
    depth = [held.pop(part)[..., 3] for part in _PARTS]
    depth = np.concatenate([operations.to_uint8(part) for part in depth])
    return operations.resize(depth, size, fit)


def _chosen(
    held: Sequence[str], names: Sequence[str], source: PathLike
) -> list[int]:
    """Returns the place of each picture's map, by the name alone."""
    places: dict[str, list[int]] = {}
    for place, name in enumerate(held):
        places.setdefault(_stem(name), []).append(place)
    chosen = []
    for name in names:
        found = places.get(_stem(name), [])
        if len(found) != 1:
            said = 'no depth map' if not found else f'{len(found)} depth maps'
            raise InputError(
                f'{source} holds {said} named as the picture {name}; give '
                'each picture one of its name, with any suffix.'
            )
        chosen += found
    if len({*chosen}) < len(chosen):
        raise InputError(
            f'{source}: several pictures are named alike but for their '
            'folders, so that their depth maps cannot be told apart; rename '
            'them.'
        )
    return chosen


def _stem(name: str) -> str:
    return stem(pathlib.PurePosixPath(name).name)

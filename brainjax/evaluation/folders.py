"""Two sets of pictures, seen and reconstructed, matched by name.

A set is a folder of PNG and JPEG files, searched with its subfolders, a tar
archive of them, or an npz file with `images` [n, height, width, 3] (float in
0..1 or uint8) and `names` [n]. A picture's name is its path without suffix,
or without its folders where that is enough to tell all of them apart.

Grey pictures get three equal channels, 16-bit ones keep their upper 8 bits,
and an alpha channel must be opaque, as nobody knows what lies behind it.
"""

import contextlib
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError, suggestion
from brainjax.io import arrays as npz
from brainjax.io.files import PathLike
from brainjax.pictures.sources import (
    SUFFIXES,
    Encoded,
    open_picture,
    open_source,
    telling,
)


class Pictures(NamedTuple):
    """A set of pictures.

    Attributes:
      images: [height, width, 3] each, uint8 or float32 in 0..1; sizes may
        differ.
      names: one a picture, all different.
      paths: one a picture, with the folders that it lies in.
    """

    images: list[np.ndarray]
    names: list[str]
    paths: list[str]


def read(source: PathLike) -> Pictures:
    """Reads a set of pictures.

    Raises:
      InputError: there is none, two have the same name, or one is damaged,
        transparent or not RGB.
    """
    path = pathlib.Path(source)
    if path.suffix == '.npz':
        images, paths = _npz(path)
    else:
        with contextlib.ExitStack() as stack:
            found = open_source(source, None, stack)
            images = [
                _decode(picture, name, source)
                for i, name in enumerate(found.names)
                for picture in found.fetch([i])
            ]
            paths = found.names
    if not images:
        raise InputError(
            f'{source} holds no pictures; give a folder or tar archive with '
            f'{", ".join(SUFFIXES)} files, or an npz file.'
        )
    return Pictures(images, _names(paths, source), list(paths))


def _npz(path: pathlib.Path) -> tuple[list[np.ndarray], list[str]]:
    shapes = npz.shapes(path, text=('names',))
    for name in ('images', 'names'):
        if name not in shapes:
            raise InputError(
                f'{path} holds no {name!r} but {", ".join(sorted(shapes))}; '
                'give images [n, height, width, 3] and names [n].'
            )
    held = npz.load(path, ('images', 'names'))
    images, names = held['images'], held['names']
    if names.shape != images.shape[:1] or names.dtype.kind != 'U':
        raise InputError(
            f'{path}: names are {names.dtype} of shape {names.shape} and the '
            f'images have shape {images.shape}; give one text a picture.'
        )
    if images.ndim == 3:
        images = np.repeat(images[..., None], 3, axis=-1)
    return list(images), names.tolist()


def _names(paths: Sequence[str], source: PathLike) -> list[str]:
    whole = [_without_suffix(path) for path in paths]
    short = [name.rpartition('/')[-1] for name in whole]
    names = short if len(set(short)) == len(short) else whole
    seen = set()
    for name in names:
        if name in seen:
            raise InputError(
                f'{source} holds two pictures named {name!r}; keep one of them.'
            )
        seen.add(name)
    return names


def _without_suffix(path: str) -> str:
    for suffix in SUFFIXES:
        if path.lower().endswith(suffix):
            return path[: -len(suffix)]
    return path


def _decode(picture: Encoded, name: str, source: PathLike) -> np.ndarray:
    with telling(name, source):
        image = open_picture(picture)
    if image.has_transparency_data:
        alpha = np.asarray(image.convert('RGBA'))[..., 3]
        if alpha.min() < 255:
            raise InputError(
                f'{source}: picture {name} is transparent in places; put it '
                'on the background that it is to be compared on.'
            )
    return np.asarray(image.convert('RGB'))


def match(
    reconstructions: Pictures,
    target: Pictures,
    ours: PathLike,
    theirs: PathLike,
) -> list[int]:
    """Finds for each picture that was seen its reconstruction.

    Args:
      reconstructions, target: from `read`.
      ours, theirs: what to call them in messages.

    Returns:
      [n] indices of reconstructions, in the order of `target`.

    Raises:
      InputError: a name is in one of them only.
    """
    places = {name: i for i, name in enumerate(reconstructions.names)}
    missing = [name for name in target.names if name not in places]
    surplus = sorted(places.keys() - set(target.names))
    if missing:
        raise InputError(
            f'{ours} has no reconstruction of {_some(missing)} in {theirs}.'
            f'{suggestion(missing[0], surplus)} Give as many reconstructions '
            'as pictures, of the same names.'
        )
    if surplus:
        raise InputError(
            f'{theirs} has no picture for {_some(surplus)} in {ours}; remove '
            'the reconstruction or add the picture.'
        )
    return [places[name] for name in target.names]


def _some(names: Sequence[str], most: int = 3) -> str:
    listed = ', '.join(repr(name) for name in names[:most])
    more = len(names) - most
    return f'{listed} and {more} others' if more > 0 else listed

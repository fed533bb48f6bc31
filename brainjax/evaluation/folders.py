"""Two sets of pictures, seen and reconstructed, matched by name.

A set is whatever `pictures.load` reads. A picture's name is its path without
suffix, or without its folders where that is enough to tell all of them apart.
"""

import contextlib
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError, suggestion
from brainjax.evaluation.posterior.posterior_scores import mean_images
from brainjax.io import arrays
from brainjax.io.files import PathLike
from brainjax.pictures.decoding import Encoded, Rules, composited, decode
from brainjax.pictures.names import SUFFIXES, stem
from brainjax.pictures.sources import open_source


class Pictures(NamedTuple):
    """A set of pictures.

    Attributes:
      images: [height, width, 3] each, uint8 or float32 in 0..1; sizes may
        differ.
      names: one a picture, all different.
      paths: one a picture, with the folders that it lies in.
      notes: sentences on what was skipped or filled in.
    """

    images: list[np.ndarray]
    names: list[str]
    paths: list[str]
    notes: tuple[str, ...] = ()


def read(
    source: PathLike, alpha: str = 'grey', upright: bool = True
) -> Pictures:
    """Reads a set of pictures.

    Args:
      source: see `pictures.load`; of images_112.npz the test pictures.
      alpha, upright: see `decoding.Rules`.
    """
    rules = Rules(alpha, upright)
    rules.check()
    images, transparent = [], 0
    with contextlib.ExitStack() as stack:
        wanted = ('images', 'test_images')
        found = open_source(source, None, stack, wanted)
        if not found.named:
            raise InputError(
                f"{source} holds no 'names', by which pictures are matched; "
                'give an npz file of images [n, height, width, 3] and names '
                '[n].'
            )
        for i, name in enumerate(found.names):
            [picture] = found.fetch([i])
            if _is_kept(picture):
                images.append(_as_rgb(picture))
                continue
            decoded = decode(picture, name, source, rules)
            transparent += decoded.transparent
            images.append(np.asarray(decoded.image))
    if not images:
        raise InputError(
            f'{source} holds no pictures; give a folder or an archive with '
            f'{", ".join(SUFFIXES)} files, or an npz file.'
        )
    return Pictures(
        images,
        _names(found.names, source),
        found.names,
        (
            *found.notes,
            *composited(transparent, len(images), source, rules),
        ),
    )


class Draws(NamedTuple):
    """Draws from a posterior over pictures.

    Attributes:
      pictures: the reconstruction of each, by default the mean of its draws.
      samples: [n, k, height, width, 3], floats in 0..1 or uint8.
    """

    pictures: Pictures
    samples: np.ndarray


def read_draws(source: PathLike) -> Draws | None:
    """Reads draws; None of whatever holds pictures alone.

    Args:
      source: an npz file of `samples` and `names` [n], and perhaps `images`
        [n, height, width, 3].
    """
    if 'samples' not in arrays.names(source):
        return None
    shapes = arrays.shapes(source, text=('names',))
    shape = shapes['samples']
    if len(shape) != 5 or shape[1] < 2 or shape[-1] != 3 or 0 in shape:
        raise InputError(
            f'{source}: samples has shape {shape}; give at least two draws a '
            'picture as [n, draws, height, width, 3].'
        )
    if shapes.get('names') != shape[:1]:
        raise InputError(
            f"{source} holds no 'names' [{shape[0]}], by which pictures are "
            'matched; give one text a picture.'
        )
    held = arrays.load(source, ['samples', 'names'])
    names = [str(name) for name in held['names']]
    if 'images' in shapes:
        pictures = read(source)
        if len(pictures.images) != shape[0]:
            raise InputError(
                f'{source} holds {len(pictures.images)} images and draws of '
                f'{shape[0]}; give as many.'
            )
    else:
        means = list(mean_images(held['samples']))
        pictures = Pictures(means, _names(names, source), names)
    return Draws(pictures, held['samples'])


def _is_kept(picture: Encoded) -> bool:
    """True for floats, which are scored as they are, not rounded to bytes."""
    if not isinstance(picture, np.ndarray) or picture.dtype == np.uint8:
        return False
    return picture.ndim == 2 or picture.shape[-1] != 4


def _as_rgb(image: np.ndarray) -> np.ndarray:
    image = image[..., None] if image.ndim == 2 else image
    return np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image


def _names(paths: Sequence[str], source: PathLike) -> list[str]:
    # macOS writes an accent as a character of its own.
    whole = [stem(unicodedata.normalize('NFC', path)) for path in paths]
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

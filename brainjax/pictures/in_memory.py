"""Pictures that a caller holds: arrays, lists, dictionaries."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from brainjax.errors import InputError
from brainjax.io.arrays import as_array
from brainjax.pictures.decoding import Encoded

TITLE = 'pictures'  # What messages call them.
_OVERSHOOT = 0.05  # Of floats beyond 0..1, as bicubic resizing leaves it.


class Held(NamedTuple):
    """Pictures, not decoded yet.

    Attributes:
      names: one a picture.
      pictures: files, arrays or Pillow's pictures.
      named: False where the names only count, from 1.
    """

    names: list[str]
    pictures: Sequence[Encoded]
    named: bool


def collect(source: Any) -> Held:
    """Returns the pictures of an array, a list or a dictionary.

    Args:
      source: [n, height, width, 3], or 1 or 4 channels, or [n, height,
        width], uint8 or floats in 0..1; a list of such pictures, of Pillow's
        or of paths, whose file names are the pictures' names; or a
        dictionary from name to any of these.
    """
    if isinstance(source, Mapping):
        names = [str(name) for name in source]
        _check_differ(names)
        return Held(names, _each(list(source.values()), names), True)
    if isinstance(source, list | tuple):
        if source and all(isinstance(x, str | os.PathLike) for x in source):
            names = [os.fspath(path) for path in source]
            _check_differ(names)
            return Held(names, _each(names, names), True)
        names = _counted(len(source))
        return Held(names, _each(list(source), names), False)
    images = _as_array(source, TITLE)
    if images.ndim not in (3, 4) or 0 in images.shape:
        raise InputError(
            f'{TITLE} is an array of shape {images.shape}; give [n, height, '
            'width, 3], grey ones [n, height, width], a list, a dictionary '
            'from name to picture, or a folder.'
        )
    _check_channels(images[0], images.shape, TITLE)
    _check_values(images, TITLE)
    return Held(_counted(len(images)), images, False)


def _each(items: list[Any], names: Sequence[str]) -> list[Encoded]:
    """Checks pictures one by one."""
    if not items:
        raise InputError(f'{TITLE} is empty; give a picture at least.')
    return [_one(item, name) for item, name in zip(items, names)]


def _one(item: Any, name: str) -> Encoded:
    what = f'{TITLE}: {name}'
    if isinstance(item, str | os.PathLike):
        if not os.path.isfile(item):
            raise InputError(
                f'{TITLE}: {item}, given for {name}, does not exist; check '
                'the path.'
            )
        return item
    if isinstance(item, Image.Image):
        return item
    image = _as_array(item, what)
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise InputError(
            f'{what} has shape {image.shape}; a picture is [height, width, 3] '
            'or, if it is grey, [height, width].'
        )
    _check_channels(image, image.shape, what)
    _check_values(image, what)
    return image


def _as_array(value: Any, what: str) -> np.ndarray:
    found = as_array(value, what)
    if found.dtype.kind not in 'biuf':
        raise InputError(
            f'{what} holds {found.dtype}; give uint8 from 0 to 255, or floats '
            'from 0 to 1.'
        )
    return found


def _check_channels(
    image: np.ndarray, shape: tuple[int, ...], what: str
) -> None:
    """Refuses channels that come first, and numbers of them that mean none."""
    if image.ndim == 2 or image.shape[-1] in (1, 3, 4):
        return
    order = '(0, 2, 3, 1)' if len(shape) == 4 else '(1, 2, 0)'
    first = image.shape[0] in (1, 3, 4)
    raise InputError(
        f'{what} has shape {shape}, with {image.shape[-1]} channels in the '
        'place of 3; '
        + (
            f'its channels come first, so transpose{order} it.'
            if first
            else 'give red, green and blue last.'
        )
    )


def _check_values(images: np.ndarray, what: str) -> None:
    """Refuses ranges that are not what the type says."""
    if images.dtype == np.uint8:
        return
    if images.dtype.kind != 'f':
        whole = images.dtype.kind in 'iu' and images.max() > 1
        fits = whole and images.min() >= 0 and images.max() <= 255
        raise InputError(
            f'{what} holds {images.dtype} from {images.min()} to '
            f'{images.max()}; '
            + (
                'give them as uint8: .astype(np.uint8).'
                if fits
                else 'give uint8 from 0 to 255, or floats from 0 to 1.'
            )
        )
    low, high = float(images.min()), float(images.max())
    if low >= -_OVERSHOOT and high <= 1 + _OVERSHOOT:
        return
    if not np.isfinite([low, high]).all():
        advice = 'replace what is NaN or infinite'
    elif low >= 0 and high <= 255:
        advice = 'divide by 255, or give uint8'
    elif low >= -1 - _OVERSHOOT and high <= 1 + _OVERSHOOT:
        advice = 'bring them to 0..1: (x + 1) / 2'
    else:
        advice = 'undo their normalisation'
    raise InputError(
        f'{what} holds floats from {low:g} to {high:g} where floats lie in '
        f'0..1; {advice}.'
    )


def _check_differ(names: Sequence[str]) -> None:
    if len({*names}) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(
            f'{TITLE} has two of the name {twice!r}; names must differ.'
        )


def _counted(number: int) -> list[str]:
    return [f'picture-{i:04d}' for i in range(1, number + 1)]

"""Pictures as arrays: range and type, resizing, saving.

Published features and scores depend on how pictures were brought to a size,
so that each paper's way has a function of its own. All use Pillow, whose
filters smooth before they shrink.
"""

import functools
import io
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from brainjax.errors import InputError, check_known
from brainjax.io.files import PathLike, atomic

_FILTERS = {
    'box': Image.Resampling.BOX,
    'bilinear': Image.Resampling.BILINEAR,
    'bicubic': Image.Resampling.BICUBIC,
    'lanczos': Image.Resampling.LANCZOS,
}


def check_kind(images: np.ndarray) -> None:
    """Raises InputError unless pictures are uint8 or floating point.

    Other whole numbers could be meant as 0..255 or as 0..1.
    """
    if images.dtype != np.uint8 and images.dtype.kind != 'f':
        raise InputError(
            f'The pictures are {images.dtype}; give uint8 from 0 to 255, or '
            'floats from 0 to 1.'
        )


def unit_range(images: np.ndarray) -> np.ndarray:
    """Returns pictures, uint8 or floats in 0..1, as float64 in 0..1."""
    scale = 255.0 if images.dtype == np.uint8 else 1.0
    return np.asarray(images, np.float64) / scale


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Returns pictures as they would be read from PNG files.

    Args:
      images: uint8, or floats in 0..1, which are clipped and rounded.
    """
    if images.dtype == np.uint8:
        return images
    return np.uint8(np.round(np.clip(images, 0, 1) * 255))


def save_png(path: PathLike, image: np.ndarray) -> None:
    """Writes [height, width, 3], uint8 or floats in 0..1."""
    with atomic(path) as temporary:
        Image.fromarray(to_uint8(image)).save(temporary, 'PNG')


def png_bytes(image: np.ndarray) -> bytes:
    """Returns what `save_png` would write."""
    stream = io.BytesIO()
    Image.fromarray(to_uint8(image)).save(stream, 'PNG')
    return stream.getvalue()


def centre_bilinear(image: Image.Image, size: int) -> Image.Image:
    """Short side to `size`, centre cropped (Gaziv et al. 2022)."""
    width, height = image.size
    if width < height:
        width, height = size, size * height // width
    else:
        width, height = size * width // height, size
    if (width, height) != image.size:
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = round((width - size) / 2), round((height - size) / 2)
    return image.crop((left, top, left + size, top + size))


def whole_bicubic(image: Image.Image, size: int) -> Image.Image:
    """Both sides to `size`, nothing cropped (Shen et al. 2019)."""
    return image.resize((size, size), Image.Resampling.BICUBIC)


def whole_lanczos(image: Image.Image, size: int) -> Image.Image:
    """The same for the distractors of Gaziv et al. 2022."""
    return image.resize((size, size), Image.Resampling.LANCZOS)


def centre_box(image: Image.Image, size: int) -> Image.Image:
    """The centre's largest square, each pixel the mean of those it covers."""
    side = min(image.size)
    left, top = ((whole - side) // 2 for whole in image.size)
    square = image.crop((left, top, left + side, top + side))
    return square.resize((size, size), Image.Resampling.BOX)


def whole_box(image: Image.Image, size: int) -> Image.Image:
    """The same of the whole picture, whatever its proportions."""
    return image.resize((size, size), Image.Resampling.BOX)


def inner_bilinear(image: Image.Image, size: int, part: float) -> Image.Image:
    """The centre's square of `part` of the short side (VanRullen & Reddy 2019).

    It is cut before it is resized, so that no pixel beside it is mixed in.
    """
    side = round(part * min(image.size))
    left, top = ((whole - side) // 2 for whole in image.size)
    square = image.crop((left, top, left + side, top + side))
    return square.resize((size, size), Image.Resampling.BILINEAR)


def unchanged(image: Image.Image, size: int) -> Image.Image:
    """The picture itself, which must have that size."""
    if image.size != (size, size):
        raise InputError(
            f'it has {image.width} x {image.height} px where others have '
            f'{size} x {size}; name a size to bring all to'
        )
    return image


Fit = Callable[[Image.Image, int], Image.Image]

# How pictures are brought to a size, by name.
FITS: dict[str, Fit] = {
    'centre': centre_bilinear,
    'whole': whole_bicubic,
    'lanczos': whole_lanczos,
    'box': centre_box,
    'whole box': whole_box,
    'unchanged': unchanged,
}


def find_fit(name: str) -> Fit:
    """Returns one of FITS, or for 'inner:PART' `inner_bilinear` of a part."""
    if name.startswith('inner:'):
        try:
            part = float(name.removeprefix('inner:'))
        except ValueError:
            part = 0.0
        if not 0 < part <= 1:
            raise InputError(
                f'{name} is no way to fit pictures; give a part of the short '
                "side, above 0 and up to 1, as in 'inner:0.8'."
            )
        return functools.partial(inner_bilinear, part=part)
    check_known('way to fit pictures', name, (*FITS, 'inner:PART'))
    return FITS[name]


def resize(images: np.ndarray, size: int, fit: str = 'centre') -> np.ndarray:
    """Resizes [n, height, width] or [..., 3] uint8; see `find_fit`."""
    if images.shape[1:3] == (size, size):
        return images
    way = find_fit(fit)
    out = np.empty((len(images), size, size, *images.shape[3:]), np.uint8)
    for i, image in enumerate(images):
        out[i] = way(Image.fromarray(image), size)
    return out


def shrink(images: np.ndarray, longest: int) -> np.ndarray:
    """Shrinks uint8 pictures so that no side is above `longest` pixels.

    Each pixel is the mean of those it covers; smaller pictures stay.

    Args:
      images: [n, height, width, 3].
      longest: of the sides.
    """
    height, width = images.shape[1:3]
    scale = longest / max(height, width)
    if scale >= 1:
        return images
    sides = [max(1, round(scale * side)) for side in (height, width)]
    out = np.empty((len(images), *sides, *images.shape[3:]), np.uint8)
    for i, image in enumerate(images):
        whole = Image.fromarray(image)
        out[i] = whole.resize(sides[::-1], Image.Resampling.BOX)
    return out


def to_one_size(
    images: Sequence[np.ndarray],
    size: tuple[int, int],
    resample: str = 'bicubic',
) -> np.ndarray:
    """Brings pictures of any sizes to one, without cropping.

    Pictures of that size already are left alone, floats as floats if all of
    them are; others are resized as uint8.

    Args:
      images: [height, width, 3] each, uint8 or floats in 0..1.
      size: new height and width.
      resample: 'box', 'bilinear', 'bicubic' or 'lanczos'.

    Returns:
      [n, *size, 3] uint8 or float32.
    """
    if all(image.shape[:2] == size for image in images) and all(
        image.dtype != np.uint8 for image in images
    ):
        return np.stack(images).astype(np.float32)
    out = np.empty((len(images), *size, 3), np.uint8)
    for i, image in enumerate(images):
        image = to_uint8(image)
        if image.shape[:2] != size:
            # Pillow counts width first.
            image = Image.fromarray(image).resize(
                size[::-1], _FILTERS[resample]
            )
        out[i] = image
    return out


def alike(
    images: np.ndarray, shown: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """Gives pictures what all of some others share: grey, a background.

    Natural pictures can be told from grey ones in a disc by that alone.

    Args:
      images: [n, height, width, 3] uint8; they are not changed.
      shown: [m, height, width, 3] uint8 of the same size. If all are grey,
        pictures become grey (ITU-R BT.601); pixels that have one value in all
        of them get it, if m is 10 or more.

    Returns:
      The pictures, themselves if there is nothing to do, and sentences.
    """
    grey = bool((shown == shown[..., :1]).all())
    fixed = (shown == shown[:1]).all(axis=(0, 3)) & (len(shown) >= 10)
    if not (grey or fixed.any()):
        return images, []
    found = np.empty_like(images)
    for i, image in enumerate(images):
        if grey:
            values = image @ np.float32([0.299, 0.587, 0.114])
            image = np.rint(values).astype(np.uint8)[..., None]
        found[i] = np.where(fixed[..., None], shown[0], image)
    told = ['turned grey'] * grey
    if fixed.any():
        told.append(
            f'given the background that all share ({fixed.mean():.0%} of it)'
        )
    return found, told


def phase_scrambled(
    images: np.ndarray, number: int, seed: int = 0
) -> np.ndarray:
    """Draws pictures that have the spectra of others, and nothing else.

    Each has the mean and the spatial frequencies of one picture and random
    phases, the same for all its channels: a sample of the stationary process
    with those frequencies.

    Args:
      images: [n, height, width, channels] floats.
      number: how many.
      seed: of the phases.

    Returns:
      [number, height, width, channels] float32, not clipped.
    """
    rng = np.random.default_rng(seed)
    _, height, width, _ = images.shape
    out = np.empty((number, *images.shape[1:]), np.float32)
    for i in range(number):
        # The spectrum of real noise has the symmetry that phases need.
        noise = np.fft.rfft2(rng.standard_normal((height, width)))
        phase = noise / np.abs(noise)
        phase[0, 0] = 1
        spectrum = np.fft.rfft2(images[i % len(images)], axes=(0, 1))
        out[i] = np.fft.irfft2(
            spectrum * phase[..., None], (height, width), axes=(0, 1)
        )
    return out

"""Pictures as arrays: range and type, resizing, saving.

Published features and scores depend on how pictures were brought to a size,
so that each paper's way has a function of its own. All use Pillow, whose
filters smooth before they shrink.
"""

import io
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from brainjax.errors import InputError
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


def unchanged(image: Image.Image, size: int) -> Image.Image:
    """The picture itself, which must have that size."""
    if image.size != (size, size):
        raise InputError(
            f'it has {image.width} x {image.height} px where others have '
            f'{size} x {size}; name a size to bring all to'
        )
    return image


# How pictures are brought to a size, by name.
FITS: dict[str, Callable[[Image.Image, int], Image.Image]] = {
    'centre': centre_bilinear,
    'whole': whole_bicubic,
    'lanczos': whole_lanczos,
    'unchanged': unchanged,
}


def resize(images: np.ndarray, size: int, fit: str = 'centre') -> np.ndarray:
    """Resizes [n, height, width, 3] uint8 by one of FITS."""
    if images.shape[1:3] == (size, size):
        return images
    out = np.empty((len(images), size, size, 3), np.uint8)
    for i, image in enumerate(images):
        out[i] = FITS[fit](Image.fromarray(image), size)
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

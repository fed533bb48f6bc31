"""The one decoder of picture files, for all that read pictures.

A picture becomes 8-bit RGB: grey ones get three equal channels, 16-bit ones
keep their upper 8 bits, palettes and CMYK are converted. Of several frames the
first is taken.
"""

import io
import math
import os
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from brainjax.errors import InputError, brief, check_known
from brainjax.io import untrusted
from brainjax.io.files import PathLike
from brainjax.pictures import operations

Encoded = PathLike | bytes | np.ndarray | Image.Image

FORMATS = ('PNG', 'JPEG', 'TIFF', 'BMP', 'GIF', 'WEBP')
# What may lie behind transparent pixels. Mid grey is what experiments show
# between pictures; a file does not tell.
BACKGROUNDS = {'grey': 128, 'white': 255, 'black': 0}
REFUSE = 'refuse'

_ORIENTATION = 0x0112  # Tag of EXIF.
_BYTES_A_PIXEL = 4  # Pillow keeps three channels in four bytes.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_BACK = {**_TURNS, 6: _TURNS[8], 8: _TURNS[6]}


class Rules(NamedTuple):
    """How files become pictures where several ways are defensible.

    Attributes:
      alpha: what transparent pixels lie on, 'grey', 'white' or 'black';
        'refuse' for no pictures with any.
      upright: whether to turn pictures as their EXIF data say, which viewers
        do and some stimulus software does not.
    """

    alpha: str = 'grey'
    upright: bool = True

    def check(self) -> None:
        """Refuses what is not known."""
        if not isinstance(self.upright, bool):
            raise InputError(
                f'upright is {brief(self.upright)}; give true, to turn '
                'pictures as their EXIF data say, or false.'
            )
        known = (*BACKGROUNDS, REFUSE)
        check_known('way with transparent pixels', self.alpha, known)


DEFAULT = Rules()


class Decoded(NamedTuple):
    """A picture, 8-bit RGB, and whether some pixels were transparent."""

    image: Image.Image
    transparent: bool


def decode(
    picture: Encoded, name: str, source: PathLike, rules: Rules = DEFAULT
) -> Decoded:
    """Decodes a picture.

    Args:
      picture: a file, its bytes, an opened one, or an array [height, width]
        or [height, width, 1, 3 or 4], uint8 or floats in 0..1.
      name: of the picture, for messages.
      source: where it comes from, likewise.
      rules: how.
    """
    try:
        if isinstance(picture, np.ndarray):
            image = _from_array(picture)
        elif isinstance(picture, Image.Image):
            image = _upright(picture, rules.upright)
        else:
            image = _from_file(picture, rules.upright)
        image, alpha = _to_8_bit(image)
        if alpha is None or alpha.getextrema()[0] == 255:
            return Decoded(image.convert('RGB'), False)
        if rules.alpha == REFUSE:
            raise ValueError('it is transparent in places')
        grey = BACKGROUNDS[rules.alpha]
        below = Image.new('RGB', image.size, (grey,) * 3)
        return Decoded(
            Image.composite(image.convert('RGB'), below, alpha), True
        )
    except Exception as error:  # A damaged file makes Pillow raise many.
        raise InputError(
            f'{source}: picture {name} cannot be decoded ({_reason(error)}); '
            'replace or remove it.'
        ) from error


def composited(
    transparent: int, count: int, source: PathLike, rules: Rules
) -> tuple[str, ...]:
    """Says of how many pictures the background was chosen."""
    if not transparent:
        return ()
    return (
        f'{source}: {transparent} of {count} pictures are transparent in '
        f'places and were put on {rules.alpha}; what was seen there, the '
        'files do not tell (alpha=white, black or refuse chooses otherwise).',
    )


def _from_array(array: np.ndarray) -> Image.Image:
    operations.check_kind(array)
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != 2 and not (array.ndim == 3 and array.shape[-1] in (3, 4)):
        raise ValueError(f'its shape is {array.shape}')
    # A little overshoot, as bicubic resizing leaves it, is clipped.
    if array.dtype.kind == 'f' and not (
        array.min() >= -0.05 and array.max() <= 1.05
    ):
        raise ValueError(
            f'it holds values from {array.min():g} to {array.max():g} where '
            'floats lie in 0..1'
        )
    return Image.fromarray(operations.to_uint8(array))


def _from_file(picture: PathLike | bytes, upright: bool) -> Image.Image:
    encoded = isinstance(picture, bytes)
    size = len(picture) if encoded else os.path.getsize(picture)
    stream = io.BytesIO(picture) if encoded else picture
    with Image.open(stream, formats=FORMATS) as image:
        needed = math.prod(image.size) * _BYTES_A_PIXEL
        if needed > untrusted.most_bytes(size):
            raise ValueError(
                f'it declares {image.width} x {image.height} px in a file of '
                f'{size} bytes'
            )
        # Pillow itself turns TIFF files, when it loads them. (Of PNG files
        # the tag may follow the pixels: asking for it would load them here.)
        turned = _orientation(image) if image.format == 'TIFF' else None
        image.load()
    if turned:
        return image if upright else _transpose(image, _BACK.get(turned))
    return _upright(image, upright)


def _upright(image: Image.Image, wanted: bool) -> Image.Image:
    return _transpose(image, _TURNS.get(_orientation(image) if wanted else 1))


def _transpose(image: Image.Image, how: Image.Transpose | None) -> Image.Image:
    return image if how is None else image.transpose(how)


def _orientation(image: Image.Image) -> int | None:
    try:
        return image.getexif().get(_ORIENTATION)
    except Exception:  # Damaged EXIF data do not harm the picture.
        return None


def _to_8_bit(
    image: Image.Image,
) -> tuple[Image.Image, Image.Image | None]:
    """Returns a picture of 8 bits a channel, and its alpha channel if any."""
    key = image.info.get('transparency')
    if image.mode.startswith('I'):
        values = np.asarray(image)  # convert() would clip them.
        if values.min() < 0 or values.max() > 0xFFFF:
            raise ValueError('its pixels have 32 bits; save it with 8 or 16')
        grey = Image.fromarray((values >> 8).astype(np.uint8))
        if not isinstance(key, int):
            return grey, None
        return grey, Image.fromarray(np.uint8(255 * (values != key)))
    if image.mode == 'F':
        raise ValueError('its pixels are floats; save it with 8 or 16 bits')
    if image.mode == 'RGB' and isinstance(key, tuple) and max(key) > 255:
        # Of 16-bit colours Pillow keeps the upper bytes, of the key all.
        image.info['transparency'] = tuple(value >> 8 for value in key)
    if not image.has_transparency_data:
        return image, None
    image = image.convert('RGBA')
    return image, image.getchannel('A')


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return f'none of {", ".join(FORMATS)}'
    return untrusted.first_line(error)

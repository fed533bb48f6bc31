"""Pictures of faces for the VAE-GAN."""

import numpy as np
from ml_collections import ConfigDict

from brainjax import pictures
from brainjax.errors import InputError


def load(config: ConfigDict) -> tuple[np.ndarray, list[str]]:
    """Loads `config.pictures`, cut from the centre and brought to size.

    A square of `crop` times the short side is cut from the centre. Pillow's
    bilinear filter resizes; the authors' code cuts first and interpolates
    without a filter, so that its pictures differ slightly.

    Args:
      config: with `size`, `seed` and `pictures`.

    Returns:
      [n, size, size, 3] uint8, and n names.

    Raises:
      InputError: no path is given, or the pictures cannot be used.
    """
    c = config.pictures
    if not c.path:
        raise InputError(
            'config.pictures.path is empty: name a folder or .tar of faces, '
            "or 'tfds:celeb_a/train'."
        )
    if not 0 < c.crop <= 1:
        raise InputError(
            f'config.pictures.crop is {c.crop}; choose a part of the short '
            'side, above 0 and not above 1.'
        )
    whole = round(config.size / c.crop)
    images, names = pictures.load(
        c.path, whole, limit=c.number, seed=config.seed
    )
    start = (whole - config.size) // 2
    part = slice(start, start + config.size)
    return np.ascontiguousarray(images[:, part, part]), names

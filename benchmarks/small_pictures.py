"""Unpaired pictures of a few pixels a side, where an experiment has none."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDE = 10
FONT = 11  # Pixels; letters then fill most of the picture.
INK = 110  # Grey above which an antialiased pixel is white.
# All but those of the recording's own pictures, n e u r o.
CHARACTERS = (
    'abcdfghijklmpqstvwxyz' + 'ABCDFGHIJKLMPQSTVWXYZ' + '0123456789'
)  # fmt: skip


def shapes(number: int, seed: int, without: np.ndarray) -> np.ndarray:
    """Draws bars and rectangles, frames, lines, letters and digits.

    Args:
      number: how many.
      seed: of the draws.
      without: [n, side, side] bool, pictures that must not be among them.

    Returns:
      [number, side, side] bool.
    """
    rng = np.random.default_rng(seed)
    font = ImageFont.load_default(size=FONT)
    kept = []
    while len(kept) < number:
        image = Image.new('L', (SIDE, SIDE))
        pen = ImageDraw.Draw(image)
        kind = rng.choice([_bar, _frame, _line, _character])
        for _ in range(1 if kind is _character else rng.integers(1, 3)):
            kind(pen, rng, font)
        picture = np.array(image) > INK
        if picture.mean() > 0.05 and not _among(picture, without):
            kept.append(picture)
    return np.array(kept)


def random_grids(number: int, seed: int, without: np.ndarray) -> np.ndarray:
    """Draws each pixel by itself, black or white; see `shapes`."""
    rng = np.random.default_rng(seed)
    grids = rng.random((number, SIDE, SIDE)) < 0.5
    return grids[[not _among(grid, without) for grid in grids]]


def _among(picture, others):
    return (others == picture).all(axis=(1, 2)).any()


def _bar(pen, rng, font):
    x, y = rng.integers(0, 8, 2)
    width, height = rng.integers(1, 6, 2)
    pen.rectangle([x, y, x + width, y + height], fill=255)


def _frame(pen, rng, font):
    x, y = rng.integers(0, 7, 2)
    width, height = rng.integers(3, 8, 2)
    pen.rectangle(
        [x, y, x + width, y + height],
        outline=255,
        width=int(rng.integers(1, 3)),
    )


def _line(pen, rng, font):
    pen.line(rng.integers(0, SIDE, 4).tolist(), fill=255, width=2)


def _character(pen, rng, font):
    place = int(rng.integers(1, 4)), int(rng.integers(-2, 1))
    pen.text(place, CHARACTERS[rng.integers(len(CHARACTERS))], 255, font)

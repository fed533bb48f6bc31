"""Small worlds of pictures and voxels, for simulated methods to decode.

Half of a world's voxels see blurred light, half know the category too.
"""

import functools
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from brainjax.evaluation.audit import SIDE
from brainjax.simulation.scenes import CATEGORIES, scenes

VOXELS = 600
LETTERS = 'neuroABCDK'
_LARGE = 4  # Times as large letters are drawn as they are shown.


class World(NamedTuple):
    """What a method can learn from and is tested on.

    Attributes:
      target, train, others: [n, side, side, 3] float32 in 0..1 of the test,
        the training, and of neither, as a generator or a web page has them.
      test_kinds, train_kinds, other_kinds: [n] int, their categories.
      names: of the categories.
      test_fmri, train_fmri: [n, VOXELS] float32.
      signal: [train, light and categories], what voxels are weighted sums of.
      rng: for what a method draws.
    """

    target: np.ndarray
    train: np.ndarray
    others: np.ndarray
    test_kinds: np.ndarray
    train_kinds: np.ndarray
    other_kinds: np.ndarray
    names: tuple[str, ...]
    test_fmri: np.ndarray
    train_fmri: np.ndarray
    signal: np.ndarray
    rng: np.random.Generator


def of_scenes(
    seed: int, n: int, train: int, noise: float, others: int | None = None
) -> World:
    """Scenes; as aeroplanes have sky around them, each category its own."""
    rng = np.random.default_rng([seed, 5])
    others = train if others is None else others
    number = n + train + others
    images, kinds = (x[:number] for x in _drawn(-(-number // 430), seed))
    typical = blur(rng.random((len(CATEGORIES), *images.shape[1:])), 5)
    typical = (typical - typical.mean()) / typical.std() * 0.25 + 0.5
    images = (0.65 * images + 0.35 * np.float32(typical)[kinds]).clip(0, 1)
    return _seen(images, kinds, tuple(CATEGORIES), n, train, noise, rng)


def of_letters(seed: int, n: int, train: int, noise: float) -> World:
    """White letters on black, of any place, size and tilt."""
    rng = np.random.default_rng([seed, 6])
    kinds = np.arange(n + 2 * train) % len(LETTERS)
    images = np.stack([_letter(LETTERS[k], rng) for k in kinds])
    return _seen(images, kinds, tuple(LETTERS), n, train, noise, rng)


@functools.lru_cache(maxsize=1)
def _drawn(portions: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scenes and their categories, kept for the next method that sees them."""
    images, _, categories = scenes(430 * portions, SIDE, seed)
    kinds = np.array([CATEGORIES.index(c) for c in categories])
    return np.float32(images) / 255, kinds


def blur(images: np.ndarray, size: float) -> np.ndarray:
    """Blurs pictures [n, ...] by Gaussians of `size` px."""
    return ndimage.gaussian_filter(images, (0, size, size, 0), mode='nearest')


def _letter(letter, rng):
    side = SIDE * _LARGE
    page = Image.new('L', (side, side))
    font = ImageFont.load_default(rng.uniform(0.7, 0.85) * side)
    middle = tuple(side * (0.5 + rng.uniform(-0.08, 0.08, 2)))
    ImageDraw.Draw(page).text(middle, letter, 255, font, anchor='mm')
    page = page.rotate(rng.uniform(-8, 8), Image.Resampling.BILINEAR)
    small = page.resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.repeat(np.float32(small)[..., None] / 255, 3, axis=-1)


def _seen(images, kinds, names, n, train, noise, rng):
    light = blur(images, 1.5)[:, ::2, ::2].reshape(len(images), -1)
    light = (light - light.mean(axis=0)) / light.std()
    known = np.eye(len(names))[kinds] * 4
    signal = np.concatenate([light, known - known.mean(axis=0)], axis=1)
    weights = rng.normal(size=(signal.shape[1], VOXELS)) * (
        rng.random((signal.shape[1], VOXELS)) < 0.05
    )
    fmri = signal @ weights
    fmri /= fmri.std(axis=0)
    fmri = np.float32(fmri + noise * rng.normal(size=fmri.shape))
    test, shown = slice(0, n), slice(n, n + train)
    rest = slice(n + train, None)
    return World(
        *(images[part] for part in (test, shown, rest)),
        *(kinds[part] for part in (test, shown, rest)),
        names,
        fmri[test],
        fmri[shown],
        signal[shown],
        rng,
    )

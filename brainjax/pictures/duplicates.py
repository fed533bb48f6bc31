"""Pictures that are the same, or nearly: encoded again, cut, turned.

Two pictures nearly equal one another if their blurred copies correlate and
their fingerprints (the signs of horizontal brightness differences on a grid
of 8 x 8; Krawetz 2013) agree, as they are, mirrored, or turned by 90, 180 or
270 degrees. Copies that were encoded again, resized, brightened, turned grey
or cropped by a pixel or two are found; other views of one object are not.

Simple pictures, such as letters and aligned faces, are alike without being
one another's copies. So the bound follows from the pictures: a copy has to
be RATIO times nearer than the most similar of the other pictures looked for.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

# Two pictures are near duplicates if they agree by both measures.
CORRELATION = 0.9  # At the least, grey and blurred to SIZE x SIZE pixels.
BITS = 12  # At the most, of the 64 of their fingerprints, that differ.
RATIO = 5  # Nearer than another picture, by 1 - correlation.
SIZE = 16
NEARER = 4  # Than the nearest of many others would be, likewise.
_NEIGHBOURS = (10, 100)
_TWINS = 0.99  # What is so alike may be a copy itself, and sets no bound.
_AT_A_TIME = 1024


class Prints(NamedTuple):
    """What pictures are compared by.

    Attributes:
      blurred: [n, SIZE * SIZE], whose products are correlations.
      signs: [n, 64] 1 or -1.
    """

    blurred: np.ndarray
    signs: np.ndarray


def near(
    stream: Iterable[np.ndarray],
    wanted: Sequence[np.ndarray],
    correlation: float = CORRELATION,
    bits: int = BITS,
    together: int | None = None,
) -> list[tuple[int, int]]:
    """Finds pictures that are nearly the same as one of a few.

    Those wanted are turned and mirrored, not the stream, of which each
    picture is looked at once: 50 among 10,000 of 64 px take a second.

    Args:
      stream, wanted: pictures [height, width, 3] uint8, of any sizes.
      correlation: the least of near duplicates.
      bits: the most by which their fingerprints differ.
      together: how many of those wanted set one another's bounds, portion by
        portion; None for all.

    Returns:
      (place in stream, place in wanted) of each pair, by the second.
    """
    if not len(wanted):
        return []
    views = [_prints(turned) for turned in _turned(wanted)]
    alike = _most_alike(views, together or len(wanted))
    bound = np.maximum(correlation, 1 - (1 - alike) / RATIO)
    most = np.full((len(wanted), _NEIGHBOURS[1]), -1, np.float32)
    pairs, number = [], 0
    for number, part in _portions(stream):
        ours = _prints(part)
        alike = np.full((len(wanted), len(part)), -1, np.float32)
        agree = np.zeros(alike.shape, bool)
        for view in views:
            products = view.blurred @ ours.blurred.T
            np.maximum(alike, products, out=alike)
            # Signs agree in (64 + product) / 2 places.
            agree |= (products >= bound[:, None]) & (
                view.signs @ ours.signs.T >= 64 - 2 * bits
            )
        pairs += [
            (number + i, j, alike[j, i]) for j, i in np.argwhere(agree).tolist()
        ]
        number += len(part)
        most = _highest(most, np.where(alike < _TWINS, alike, -1))
    bound = np.maximum(bound, _expected(most))
    return sorted(
        ((i, j) for i, j, r in pairs if r >= bound[j]),
        key=lambda pair: pair[::-1],
    )


def _highest(known: np.ndarray, more: np.ndarray) -> np.ndarray:
    """The highest of both, of each row as many as are known."""
    both = np.concatenate([known, more], axis=1)
    return -np.partition(-both, known.shape[1] - 1)[:, : known.shape[1]]


def _expected(most: np.ndarray) -> np.ndarray:
    """The correlation that a copy has to have among many pictures, [n].

    How the distance grows from the 10th to the 100th neighbour tells how many
    dimensions the pictures differ in, and so how near the nearest would be
    that is no copy.

    Args:
      most: [n, 100] highest correlations with other pictures, -1 where there
        are fewer.
    """
    few, many = (
        1 - np.sort(most)[:, -number].astype(float) for number in _NEIGHBOURS
    )
    nearest = few * few / np.maximum(many, 1e-9)
    return np.where(most.min(axis=1) > -1, 1 - nearest / NEARER, -1)


def same(
    stream: Iterable[np.ndarray], wanted: Sequence[np.ndarray]
) -> list[tuple[int, int]]:
    """Finds pictures that are the same, pixel by pixel.

    Returns:
      (place in stream, place in wanted) of each pair, by the second.
    """
    known: dict[int, list[int]] = {}
    for j, image in enumerate(wanted):
        # Hashes of 8 bytes; equality is checked below.
        known.setdefault(hash(image.tobytes()), []).append(j)
    return sorted(
        (
            (i, j)
            for i, image in enumerate(stream)
            for j in known.get(hash(image.tobytes()), ())
            if np.array_equal(image, wanted[j])
        ),
        key=lambda pair: pair[::-1],
    )


def correlations(
    pictures: Sequence[np.ndarray], others: Sequence[np.ndarray]
) -> np.ndarray:
    """Correlates pairs of blurred grey pictures, the others in any turn.

    Returns:
      [n], of each pair the highest.
    """
    if not len(pictures):
        return np.empty(0)
    ours = _prints(pictures).blurred
    return np.max(
        [(_prints(x).blurred * ours).sum(axis=1) for x in _turned(others)],
        axis=0,
    )


def _most_alike(views: Sequence[Prints], together: int) -> np.ndarray:
    """Of each picture the highest correlation with another of them, [n]."""
    plain = views[0].blurred
    # Mirrored and turned relations go both ways.
    table = np.max([view.blurred @ plain.T for view in views], axis=0)
    table = np.maximum(table, table.T)
    np.fill_diagonal(table, -1)
    table[table >= _TWINS] = -1
    portion = np.arange(len(table)) // together
    table[portion[:, None] != portion] = -1
    return table.max(axis=1)


def _turned(images: Sequence[np.ndarray]) -> Iterator[list[np.ndarray]]:
    """Yields pictures as they are, and in the seven other ways."""
    for quarter in range(4):
        for step in (1, -1):
            yield [
                np.ascontiguousarray(np.rot90(image[:, ::step], quarter))
                for image in images
            ]


def _portions(
    stream: Iterable[np.ndarray],
) -> Iterator[tuple[int, list[np.ndarray]]]:
    """Yields (place of the first, some pictures); a stream may be on disk."""
    part, start = [], 0
    for image in stream:
        part.append(image)
        if len(part) == _AT_A_TIME:
            yield start, part
            start, part = start + len(part), []
    if part:
        yield start, part


def _prints(images: Iterable[np.ndarray]) -> Prints:
    grey = [Image.fromarray(image).convert('L') for image in images]
    small = np.stack([_shrunk(x, SIZE, SIZE) for x in grey])
    small = small.reshape(len(small), -1).astype(np.float32)
    small -= small.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(small, axis=1, keepdims=True)
    wide = np.stack([_shrunk(x, 9, 8) for x in grey])
    brighter = wide[:, :, 1:] > wide[:, :, :-1]
    signs = np.where(brighter, np.float32(1), -1).reshape(len(grey), 64)
    return Prints(small / np.maximum(norm, 1e-6), signs)


def _shrunk(image: Image.Image, width: int, height: int) -> np.ndarray:
    box = image.resize((width, height), Image.Resampling.BOX)
    return np.asarray(box, np.int16)

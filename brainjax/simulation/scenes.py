"""Generated pictures: one large object on a cluttered, natural background.

They stand in for photographs wherever none may be shipped or downloaded: the
simulated subjects look at them, and tests and examples train on them. The
background is a landscape or a coloured 1/f texture under 'dead leaves'
(occluding, textured ellipses with power-law radii; Lee, Mumford and Huang
2001), so that the pictures have the amplitude spectrum of natural scenes.
"""

import numpy as np
import scipy.fft

from brainjax.errors import InputError
from brainjax.simulation.silhouettes import CATEGORIES, distances

_BATCH = 32  # pictures drawn at once
_LEAVES = 44
_DRAWS = 9 * _LEAVES + 64  # random numbers for one picture
_BAND = 64  # the textures hold up to half as many cycles a picture
# Hues that look equally far apart: red, orange, yellow, ..., pink.
_HUES = np.float32(
    [0, 0.05, 0.09, 0.14, 0.22, 0.36, 0.47, 0.55, 0.61, 0.67, 0.76, 0.86, 0.94]
)


def scenes(
    n: int, size: int, seed: int, depth: bool = False
) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """Draws pictures.

    Each picture depends on `seed` and its index alone, so that a longer call
    begins with the pictures of a shorter one, and shows the same thing at any
    size. Of any `len(CATEGORIES)` successive pictures that begin at a
    multiple of it, each shows another category.

    Args:
      n: number of pictures.
      size: height and width in pixels, 16 or more.
      seed: 0 or more; other seeds give other pictures.
      depth: whether a fourth channel tells how near each place is, 0 for the
        sky and 255 for the middle of the object; the colours are the same.

    Returns:
      images [n, size, size, 3 or 4] uint8, their names
      ('scene-SEED-INDEX-CATEGORY') and their categories.
    """
    check('scenes', n, size, seed)
    kinds = _kinds(n, seed)
    channels = 4 if depth else 3
    images = np.empty((n, size, size, channels), np.uint8)
    for start in range(0, n, _BATCH):
        part = slice(start, min(start + _BATCH, n))
        images[part] = _draw(
            range(part.start, part.stop), kinds[part], size, seed, channels
        )
    return images, *_named('scene', seed, kinds)


def silhouettes(
    n: int, size: int, seed: int
) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """Draws the objects of `scenes` alone, white on black.

    As simple as handwritten digits are: a small network learns in minutes what
    such pictures look like. Place, size and tilt vary.

    Args:
      n, size, seed: as for `scenes`.

    Returns:
      As `scenes`; names are 'silhouette-SEED-INDEX-CATEGORY'.
    """
    check('silhouettes', n, size, seed)
    kinds = _kinds(n, seed)
    images = np.empty((n, size, size), np.uint8)
    line = np.float32((np.arange(size) + 0.5) / size * 2 - 1)
    for i, kind in enumerate(kinds):
        rng = np.random.default_rng([seed, 1, i])
        x, y, tilt = rng.uniform(-1, 1, 3) * (0.25, 0.25, 0.5)
        half = rng.uniform(0.4, 0.7)
        across, up = line - x, -line[:, None] - y
        turned = (
            np.cos(tilt) * across + np.sin(tilt) * up,
            np.cos(tilt) * up - np.sin(tilt) * across,
        )
        inside, _ = distances(kind, *(each / half for each in turned), False)
        # One pixel wide, the edge is as soft as that of a small photograph.
        light = np.clip(inside * half * size / 2 + 0.5, 0, 1)
        images[i] = np.uint8(light * 255 + 0.5)
    images = np.repeat(images[..., None], 3, axis=-1)
    return images, *_named('silhouette', seed, kinds)


# What a simulated subject can be shown.
PICTURES = {'scenes': scenes, 'silhouettes': silhouettes}


def check(which: str, n: int, size: int, seed: int) -> None:
    """Refuses numbers of which no pictures can be drawn.

    Args:
      which: what they are called in messages.
      n, size, seed: as for `scenes`.
    """
    for what, value, least in (
        ('n', n, 0),
        ('size', size, 16),
        ('seed', seed, 0),
    ):
        if value < least:
            raise InputError(
                f'{which}: {what} is {value}; it must be {least} or more.'
            )


def _named(
    what: str, seed: int, kinds: np.ndarray
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns the pictures' names and categories."""
    categories = tuple(CATEGORIES[kind] for kind in kinds)
    names = tuple(
        f'{what}-{seed}-{i:05d}-{category}'
        for i, category in enumerate(categories)
    )
    return names, categories


def _kinds(n: int, seed: int) -> np.ndarray:
    """Returns [n] rows of CATEGORIES, balanced in blocks."""
    blocks = [
        np.random.default_rng([seed, 0, block]).permutation(len(CATEGORIES))
        for block in range(-(-n // len(CATEGORIES)))
    ]
    return np.concatenate([np.zeros(0, int), *blocks])[:n]


def _draw(
    indices: range, kinds: np.ndarray, size: int, seed: int, channels: int
) -> np.ndarray:
    """Draws the pictures of `indices`: [m, size, size, channels] uint8.

    Inside, everything is [m, channels, height, width] float32, with 1 where
    a value is the same for a whole picture. Depth is painted as a colour is,
    where it is wanted: nearness, 0 to 1.
    """
    generators = [np.random.default_rng([seed, 1, i]) for i in indices]
    numbers = np.stack([g.random(_DRAWS, np.float32) for g in generators])
    used = 0

    def uniform(low, high, count=1):
        nonlocal used
        block = numbers[:, used : used + count, None, None]
        used += count
        return low + (high - low) * block

    textures = _textures(generators, size)
    canvas, horizon = _background(uniform, textures)
    canvas = canvas[:, :channels]
    canvas = _leaves(uniform, textures, canvas, horizon)
    canvas = _object(uniform, textures, canvas, kinds[:, None, None, None])
    pixels = (np.clip(canvas, 0, 1) * 255 + 0.5).astype(np.uint8)
    return np.moveaxis(pixels, 1, -1)


def _textures(generators: list, size: int) -> np.ndarray:
    """Returns [m, 4, size, size] periodic 1/f noise of variance 1."""
    half = _BAND // 2
    noise = np.stack(
        [g.standard_normal((2, 4, _BAND, half), np.float32) for g in generators]
    )
    frequency = np.hypot(
        np.fft.fftfreq(_BAND, 1 / _BAND)[:, None], np.arange(half)
    )
    frequency[0, 0] = np.inf
    amplitude = (frequency**-1.3).astype(np.float32)
    amplitude /= 2 * np.sqrt((amplitude**2).sum())
    keep = min(size // 2, half)
    rows = np.r_[:keep, 1 - keep : 0]
    spectrum = np.zeros((len(generators), 4, size, size // 2 + 1), np.complex64)
    spectrum[:, :, rows, :keep] = (
        (noise[:, 0] + 1j * noise[:, 1]) * amplitude
    )[:, :, rows, :keep]
    return scipy.fft.irfft2(spectrum, s=(size, size), norm='forward')


def _background(uniform, textures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns hills under a sky, or a ground alone, with depth; the horizon."""
    size = textures.shape[-1]
    down = _places(size)[:, None]
    outdoors = uniform(0, 1) < 0.6
    horizon = np.where(outdoors, uniform(0.3, 0.7), -1)
    hills = horizon + uniform(0.01, 0.07) * textures[:, 1:2, :1]
    sky = _between(
        _rgb(uniform(0.5, 0.68), uniform(0.2, 0.6), uniform(0.5, 0.9)),
        _rgb(uniform(-0.05, 0.15), uniform(0.05, 0.3), uniform(0.75, 1)),
        down / np.maximum(horizon, 0.1),
    )
    sky = sky + 0.06 * np.maximum(textures[:, :1], -0.5)
    hue = uniform(0.02, 0.5)
    ground = _between(
        _rgb(hue, uniform(0.1, 0.45), uniform(0.4, 0.8)),
        _rgb(hue + 0.08, uniform(0.2, 0.5), uniform(0.15, 0.6)),
        (down - horizon) / (1 - horizon),
    )
    ground = ground + np.einsum(
        'ct,mthw->mchw',
        np.float32([[9, 3, 1], [9, -2, 1], [9, 0, -3]]) / 100,
        textures[:, [0, 2, 3]],
    )
    above = np.clip((hills - down) * size + 0.5, 0, 1)
    near = np.broadcast_to(_nearness(down, horizon), above.shape)
    return (
        np.concatenate(
            [_between(ground, sky, above), _between(near, 0, above)], axis=1
        ),
        horizon,
    )


def _nearness(down: np.ndarray, horizon: np.ndarray) -> np.ndarray:
    """How near a flat ground is, so far down a picture."""
    part = np.maximum(down - horizon, 0) / (1 - horizon)
    return np.float32(0.1 + 0.6 * part)


def _leaves(
    uniform, textures: np.ndarray, canvas: np.ndarray, horizon: np.ndarray
) -> np.ndarray:
    """Covers the ground with occluding textured ellipses."""
    size = textures.shape[-1]
    quantile = np.float32(np.arange(_LEAVES) * 17 % _LEAVES)[:, None, None]
    quantile = (quantile + uniform(0, 1, _LEAVES)) / _LEAVES
    least, most = 0.035, 0.26  # radii, with a density falling as radius**-3
    radius = (least**-2 + quantile * (most**-2 - least**-2)) ** -0.5
    top = np.maximum(horizon - 0.03, 0)
    x = uniform(-0.05, 1.05, _LEAVES)
    y = top + (1.05 - top) * uniform(-0.05, 1, _LEAVES)
    turn = uniform(0, np.pi, _LEAVES)
    aspect = uniform(0.45, 1, _LEAVES)
    hue = uniform(0, 1) + uniform(-0.14, 0.14, _LEAVES)
    saturation = uniform(0.08, 0.5, _LEAVES)
    value = uniform(0.15, 0.85, _LEAVES)
    light = uniform(-0.16, 0.16, _LEAVES)
    near = _nearness(y + radius, horizon)  # A leaf stands up from its foot.

    border = int((most + 0.1) * size) + 4
    edges = ((0, 0), (0, 0), (border, border), (border, border))
    canvas = np.pad(canvas, edges)
    grain = 0.08 * np.pad(textures[:, 1:2], edges, 'wrap')
    places = (np.arange(-border, size + border, dtype=np.float32) + 0.5) / size
    width, flat = len(places), canvas.reshape(-1)
    picture = np.arange(len(canvas))[:, None, None, None]
    channels = canvas.shape[1]
    channel = np.arange(channels)[:, None, None]
    for k in range(_LEAVES):
        one = np.s_[:, k : k + 1]
        reach = int(radius[one].max() * size) + 2
        window = np.arange(-reach, reach + 1)
        rows = np.int32(y[one] * size) + border + window[:, None]
        columns = np.int32(x[one] * size) + border + window
        dx = (places[columns] - x[one]) / radius[one]
        dy = (places[rows] - y[one]) / radius[one]
        cos, sin = np.cos(turn[one]), np.sin(turn[one])
        along = cos * dx + sin * dy
        across = (cos * dy - sin * dx) / aspect[one]
        edge = 1 - np.sqrt(along * along + across * across)
        edge = edge * (radius[one] * aspect[one] * size) + 0.5
        leaf = _rgb(hue[one], saturation[one], value[one])
        at = rows * width + columns
        speckle = grain.take(picture * width**2 + at)
        leaf = leaf + (speckle + light[one] * along)
        if channels > 3:
            flat_near = np.broadcast_to(
                near[one], (len(leaf), 1, *at.shape[2:])
            )
            leaf = np.concatenate([leaf, flat_near], axis=1)
        at = (picture * channels + channel) * width**2 + at
        flat[at] = _between(flat.take(at), leaf, edge)
    return canvas[:, :, border:-border, border:-border]


def _object(
    uniform, textures: np.ndarray, canvas: np.ndarray, kinds: np.ndarray
) -> np.ndarray:
    """Puts one coloured, shaded object and its shadow on each picture."""
    canvas, depth = canvas[:, :3], canvas[:, 3:]
    size = textures.shape[-1]
    half = uniform(0.28, 0.42)
    room = 0.5 - half - 0.02
    dx = (_places(size) - 0.5 - room * uniform(-1, 1)) / half
    dy = (0.5 + room * uniform(-1, 1) - _places(size)[:, None]) / half
    turn = uniform(-0.3, 0.3)
    right = np.cos(turn) * dx + np.sin(turn) * dy
    up = np.cos(turn) * dy - np.sin(turn) * dx
    scale = half * size  # pixels in half the object's width
    inside, marks = distances(kinds, right, up)
    cover = np.clip(inside * scale + 0.5, 0, 1)
    shadow, _ = distances(kinds, right - 0.09, up + 0.12, marks=False)
    canvas = canvas * (1 - 0.5 * np.clip(0.4 + shadow / 0.3, 0, 1))

    behind = (canvas * cover).sum((2, 3)) / cover.sum((2, 3))
    hues = _HUES[np.int32(uniform(0, len(_HUES), 3))] + uniform(-0.02, 0.02, 3)
    colours = np.stack(
        [
            _rgb(hues[:, i : i + 1], uniform(0.7, 1), uniform(0.6, 1))
            for i in range(3)
        ]
    )
    contrast = ((colours[..., 0, 0] - behind) ** 2).sum(-1)
    first = colours[contrast.argmax(0), np.arange(len(canvas))]
    dark = first.mean(1, keepdims=True) < 0.47
    second = np.where(dark, 0.35 * first + 0.62, 0.4 * first)
    third = np.where(
        dark, _column([0.98, 0.93, 0.8]), _column([0.16, 0.11, 0.14])
    )

    waves = uniform(4.5, 7.5)
    phase = uniform(0, np.pi)
    stripes = np.sin(waves * up + phase)
    checks = np.sin(0.8 * waves * up + phase) * np.sin(0.8 * waves * right)
    speckles = textures[:, 3:, ::-1] - 0.6
    plain = np.full_like(up, -9)
    pattern = np.choose(
        np.int32(uniform(0, 5)), [plain, plain, stripes, checks, speckles]
    )
    paint = _between(
        first, 0.25 * first + 0.75 * second, pattern * scale / waves + 0.5
    )
    paint = _between(paint, third, marks * scale + 0.5)
    light = 1 + 0.16 * (up - right) + 0.05 * textures[:, 1:2]
    light = light - 0.4 * np.exp(-np.maximum(inside, 0) / 0.07)
    gleam = np.exp(-((right + 0.35) ** 2 + (up - 0.4) ** 2) / 0.12)
    gleam = 0.35 * gleam * np.clip(inside / 0.2, 0, 1)
    return np.concatenate(
        [
            _between(canvas, paint * light + gleam, cover),
            # Rounded: nearest in its middle.
            _between(depth, 0.8 + 0.2 * np.clip(inside / 0.4, 0, 1), cover),
        ],
        axis=1,
    )


def _places(size: int) -> np.ndarray:
    """Returns the centres of the pixels in picture fractions."""
    return (np.arange(size, dtype=np.float32) + 0.5) / size


def _rgb(hue, saturation, value) -> np.ndarray:
    """Converts HSV in 0..1 (hue in turns), one channel each, to RGB."""
    sector = (_column([5, 3, 1]) + 6 * hue) % 6
    grey = np.clip(np.minimum(sector, 4 - sector), 0, 1)
    return value * (1 - saturation * grey)


def _column(channels: list) -> np.ndarray:
    return np.float32(channels)[:, None, None]


def _between(first, second, share) -> np.ndarray:
    return first + np.clip(share, 0, 1) * (second - first)

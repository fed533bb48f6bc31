"""Generated faces: ellipses for head, hair, eyes, nose and mouth.

They stand in for photographs of faces wherever none may be shipped. Some
thirty numbers make a face; the numbers of the two kinds, 'female' and 'male',
are drawn around different means, with so much overlap that no single one
separates them.
"""

import numpy as np

from brainjax.simulation.scenes import check

KINDS = ('male', 'female')

_BATCH = 64  # Faces drawn at once.
# Mean, standard deviation, and what is added for 'female' and taken away for
# 'male'. Lengths are in picture widths.
_TRAITS = {
    'x': (0.5, 0.02, 0.0),
    'y': (0.53, 0.02, 0.0),
    'turn': (0.0, 0.02, 0.0),  # Of the features, to the side.
    'width': (0.25, 0.018, -0.01),
    'height': (0.34, 0.018, -0.004),
    'jaw': (0.82, 0.08, -0.06),  # Its width, as a part of the head's.
    'tone': (0.68, 0.13, 0.01),
    'warmth': (0.16, 0.03, 0.0),
    'hair': (0.32, 0.18, 0.03),  # Lightness.
    'red': (0.08, 0.06, 0.0),  # Of the hair.
    'volume': (0.045, 0.015, 0.008),
    'length': (0.08, 0.09, 0.09),
    'fringe': (0.42, 0.08, -0.02),
    'eyes': (0.115, 0.01, 0.0),  # Between the nose and either eye.
    'eye_height': (0.07, 0.015, 0.0),
    'eye_size': (0.034, 0.004, 0.002),
    'open': (0.55, 0.1, 0.03),
    'iris': (0.35, 0.15, 0.0),
    'blue': (0.0, 0.12, 0.0),
    'brow': (0.011, 0.003, -0.002),
    'brow_height': (0.058, 0.008, 0.003),
    'brow_slope': (0.0, 0.12, 0.0),
    'nose': (0.06, 0.012, -0.003),
    'nose_width': (0.024, 0.004, -0.002),
    'mouth': (0.072, 0.012, 0.0),
    'mouth_height': (0.165, 0.015, 0.0),
    'lips': (0.017, 0.005, 0.003),
    'lip_red': (0.22, 0.08, 0.05),
    'smile': (0.012, 0.02, 0.0),
    'beard': (0.05, 0.12, -0.12),
    'light': (0.0, 0.25, 0.0),  # From the left or the right.
    'grey': (0.55, 0.2, 0.0),  # Background.
    'sky': (0.0, 0.08, 0.0),  # Its colour.
    'shirt': (0.45, 0.22, 0.0),
    'shirt_red': (0.0, 0.12, 0.0),
}


def faces(
    n: int, size: int, seed: int
) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """Draws faces.

    Each depends on `seed` and its index alone, so that a longer call begins
    with the faces of a shorter one. Even indices are male, odd ones female.

    Args:
      n: number of faces.
      size: height and width in pixels, 16 or more.
      seed: 0 or more; other seeds give other faces.

    Returns:
      images [n, size, size, 3] uint8, their names ('face-SEED-INDEX-KIND')
      and their kinds.
    """
    check('faces', n, size, seed)
    images = np.empty((n, size, size, 3), np.uint8)
    for start in range(0, n, _BATCH):
        indices = range(start, min(start + _BATCH, n))
        images[start : start + _BATCH] = _draw(_traits(indices, seed), size)
    kinds = tuple(KINDS[i % 2] for i in range(n))
    names = tuple(f'face-{seed}-{i:05d}-{kind}' for i, kind in enumerate(kinds))
    return images, names, kinds


def _traits(indices: range, seed: int) -> dict[str, np.ndarray]:
    """Draws the numbers that make faces, [m, 1, 1] each."""
    mean, std, shift = np.float32([*_TRAITS.values()]).T
    drawn = np.stack(
        [
            np.random.default_rng([seed, 2, i]).standard_normal(
                len(mean), np.float32
            )
            for i in indices
        ]
    )
    female = np.float32([2 * (i % 2) - 1 for i in indices])[:, None]
    # Cut off, as the tails hold no faces.
    values = mean + std * drawn.clip(-2.5, 2.5) + shift * female
    return dict(zip(_TRAITS, values.T[..., None, None]))


def _draw(t: dict[str, np.ndarray], size: int) -> np.ndarray:
    """Draws [m, size, size, 3] uint8, the hindmost part first."""
    place = (np.arange(size, dtype=np.float32) + 0.5) / size
    x, y = place - t['x'], place[:, None] - t['y']
    edge = 0.7 / size

    def ellipse(cx, cy, rx, ry):
        inside = 1 - np.hypot((x - cx) / rx, (y - cy) / ry)
        return _step(inside * np.minimum(rx, ry), edge)

    def paint(canvas, cover, *colour):
        colour = np.stack(np.broadcast_arrays(*colour), axis=-1)
        return canvas + cover[..., None] * (colour - canvas)

    grey = t['grey'] + 0.1 * (0.5 - place[:, None]) + 0 * x
    canvas = np.stack([grey - t['sky'], grey, grey + t['sky']], axis=-1)

    width, height = t['width'], t['height']
    hair = [t['hair'] + 1.2 * t['red'], t['hair'], t['hair'] - t['red']]
    crown = ellipse(0, -0.04, width + t['volume'], height + t['volume'])
    sides = _step(width + t['volume'] - np.abs(x), edge)
    sides = sides * _step(y + 0.04, edge) * _step(t['length'] - y, edge)
    canvas = paint(canvas, np.maximum(crown * (y < 0), sides), *hair)

    skin = [
        t['tone'] + t['warmth'],
        t['tone'] * 0.95,
        t['tone'] * 0.9 - t['warmth'] * 0.6,
    ]
    neck = ellipse(0, height, 0.55 * width, 0.25)
    canvas = paint(canvas, neck, *(0.8 * c for c in skin))
    shirt = t['shirt'] + 0 * x
    canvas = paint(
        canvas,
        ellipse(0, height + 0.24, 0.42, 0.2),
        shirt + t['shirt_red'],
        shirt,
        shirt - t['shirt_red'],
    )

    # The head narrows towards the chin.
    narrow = 1 - (1 - t['jaw']) * np.clip(y / height, 0, 1)
    inside = 1 - np.hypot(x / (width * narrow), y / height)
    head = _step(inside * width, edge)
    shade = 1 + t['light'] * x / width - 0.25 * np.exp(-inside.clip(0) / 0.12)
    canvas = paint(canvas, head, *(c * shade for c in skin))
    fringe = head * _step(-y - t['fringe'] * 2 * height * 0.72, edge)
    canvas = paint(canvas, fringe, *hair)

    across = 1 - ((x - t['turn']) / t['mouth']) ** 2
    mouth_y = t['mouth_height'] + t['smile'] * across
    chin = np.exp(-(((y - 0.2) / 0.09) ** 2) - (x / (0.8 * width)) ** 4)
    beard = head * chin * t['beard'].clip(0, 0.7) * 1.5
    canvas = paint(canvas, beard.clip(0, 1), *(0.7 * c for c in hair))

    turn = t['turn']
    for side in (-1, 1):
        cx, cy = turn + side * t['eyes'], -t['eye_height']
        r = t['eye_size']
        white = ellipse(cx, cy, r, r * t['open'])
        canvas = paint(canvas, white, 0.93, 0.92, 0.9)
        iris = ellipse(cx + 0.3 * turn, cy, 0.55 * r, 0.55 * r) * white
        canvas = paint(
            canvas,
            iris,
            t['iris'] - t['blue'],
            t['iris'] * 0.9,
            t['iris'] * 0.8 + t['blue'],
        )
        pupil = ellipse(cx + 0.3 * turn, cy, 0.25 * r, 0.25 * r) * white
        canvas = paint(canvas, pupil, 0.05, 0.05, 0.05)
        along = side * (x - cx)
        brow = np.abs(y - cy + t['brow_height'] + t['brow_slope'] * along)
        brow = _step(t['brow'] - brow, edge) * _step(1.5 * r - abs(along), edge)
        canvas = paint(canvas, brow, *(0.7 * c for c in hair))

    nose = ellipse(1.3 * turn, t['nose'] - 0.01, t['nose_width'], t['nose'])
    canvas = paint(canvas, 0.3 * nose, *(1.12 * c for c in skin))
    tip = ellipse(1.3 * turn, 2 * t['nose'] - 0.014, t['nose_width'], 0.01)
    canvas = paint(canvas, 0.7 * tip, *(0.6 * c for c in skin))

    lips = t['lips'].clip(0.006) * np.sqrt(across.clip(0))
    lips = _step(lips - np.abs(y - mouth_y), edge) * (across > 0)
    canvas = paint(
        canvas,
        lips,
        t['tone'] * 0.75 + t['lip_red'],
        t['tone'] * 0.5,
        t['tone'] * 0.5,
    )
    return (np.clip(canvas, 0, 1) * 255 + 0.5).astype(np.uint8)


def _step(distance: np.ndarray, edge: float) -> np.ndarray:
    """Rises from 0 to 1 where a distance inside an outline crosses 0."""
    return np.clip(distance / (2 * edge) + 0.5, 0, 1)

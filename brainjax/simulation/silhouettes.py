"""The silhouettes of the generated pictures' objects."""

import functools

import numpy as np
import scipy.ndimage

CATEGORIES = (
    'disc',
    'ring',
    'square',
    'triangle',
    'star',
    'cross',
    'crescent',
    'heart',
    'arrow',
    'house',
    'fish',
    'tree',
    'mushroom',
    'cup',
)
_SIDE = 256  # pixels along a stored silhouette, which spans +-_REACH
_REACH = 1.3


def distances(
    kinds: np.ndarray, right: np.ndarray, up: np.ndarray, marks: bool = True
) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns how far inside an object and its markings each place lies.

    Args:
      kinds: rows of CATEGORIES; integers that broadcast with the places.
      right: places along the object, whose silhouette spans -1 to 1.
      up: places up the object.
      marks: whether the markings (a roof, an eye, a stem) are wanted.

    Returns:
      Signed distances to the outlines of the body and of the markings
      (or None), positive inside, in halves of the object's width; float32.
    """
    scale = np.float32((_SIDE - 1) / (2 * _REACH))
    column = np.clip((right + _REACH) * scale, 0, _SIDE - 1.01)
    row = np.clip((up + _REACH) * scale, 0, _SIDE - 1.01)
    j, i = np.int32(column), np.int32(row)
    s, t = column - np.float32(j), row - np.float32(i)
    corner = (np.int32(kinds) * _SIDE + i) * _SIDE + j

    def interpolate(stored):
        here, above = stored.take(corner), stored.take(corner + _SIDE)
        here = here + s * (stored.take(corner + 1) - here)
        above = above + s * (stored.take(corner + _SIDE + 1) - above)
        return here + t * (above - here)

    body, markings = _stored()
    return interpolate(body), interpolate(markings) if marks else None


@functools.cache
def _stored() -> tuple[np.ndarray, np.ndarray]:
    """Returns signed distances into each body and into its markings.

    Returns:
      Two [categories * _SIDE * _SIDE] float32, in half widths of the object.
    """
    line = np.linspace(-_REACH, _REACH, _SIDE)
    x, y = line, line[:, None]
    step = line[1] - line[0]

    def distance(mask):
        if not mask.any():
            return np.full(mask.shape, -1, np.float32)
        signed = scipy.ndimage.distance_transform_edt(
            mask
        ) - scipy.ndimage.distance_transform_edt(~mask)
        return (scipy.ndimage.gaussian_filter(signed, 1) * step).astype(
            np.float32
        )

    bodies, marks = zip(*(_silhouette(name, x, y) for name in CATEGORIES))
    return (
        np.concatenate([distance(mask).ravel() for mask in bodies]),
        np.concatenate([distance(mask).ravel() for mask in marks]),
    )


def _silhouette(name: str, x, y) -> tuple[np.ndarray, np.ndarray]:
    """Returns a body inside +-1 (y upward) and its markings, as masks."""

    def disc(cx, cy, rx, ry=None):
        return ((x - cx) / rx) ** 2 + ((y - cy) / (ry or rx)) ** 2 < 1

    def box(left, right, bottom, top):
        return (x > left) & (x < right) & (y > bottom) & (y < top)

    def polygon(*corners):
        inside = np.zeros(np.broadcast_shapes(x.shape, y.shape), bool)
        for (x1, y1), (x2, y2) in zip(corners, (*corners[1:], corners[0])):
            if y1 != y2:
                inside ^= ((y1 > y) != (y2 > y)) & (
                    x < x1 + (x2 - x1) * (y - y1) / (y2 - y1)
                )
        return inside

    plain = np.zeros(np.broadcast_shapes(x.shape, y.shape), bool)
    if name == 'disc':
        return disc(0, 0, 1), plain
    if name == 'ring':
        return disc(0, 0, 1) & ~disc(0, 0, 0.52), plain
    if name == 'square':
        return box(-0.86, 0.86, -0.86, 0.86), plain
    if name == 'triangle':
        return polygon((0, 0.92), (-1, -0.8), (1, -0.8)), plain
    if name == 'star':
        angles = np.pi / 2 + np.arange(10) * np.pi / 5
        radii = np.where(np.arange(10) % 2, 0.45, 1.05)
        return polygon(
            *zip(radii * np.cos(angles), radii * np.sin(angles) - 0.06)
        ), plain
    if name == 'cross':
        return box(-0.32, 0.32, -1, 1) | box(-1, 1, -0.32, 0.32), plain
    if name == 'crescent':
        return disc(0.15, 0, 1) & ~disc(0.62, 0.12, 0.82), plain
    if name == 'heart':
        u, v = 1.14 * x, 1.14 * y + 0.1
        return (u**2 + v**2 - 1) ** 3 < u**2 * v**3, plain
    if name == 'arrow':
        head = polygon((1, 0), (0.1, 0.85), (0.1, -0.85))
        return head | box(-1, 0.2, -0.34, 0.34), plain
    if name == 'house':
        roof = polygon((0, 1), (-1, 0.15), (1, 0.15))
        openings = box(-0.5, -0.08, -0.95, -0.2) | box(0.2, 0.58, -0.5, -0.12)
        return roof | box(-0.78, 0.78, -0.95, 0.2), roof | openings
    if name == 'fish':
        tail = polygon((0.4, 0), (1, 0.6), (0.85, 0), (1, -0.6))
        fin = polygon((-0.35, 0.4), (0.15, 0.78), (0.3, 0.3))
        body = disc(-0.22, 0, 0.78, 0.5)
        return body | tail | fin, disc(-0.62, 0.12, 0.11) | (
            (tail | fin) & ~body
        )
    if name == 'tree':
        trunk = box(-0.17, 0.17, -1, 0)
        crown = (
            disc(0, 0.5, 0.5) | disc(-0.42, 0.12, 0.45) | disc(0.42, 0.12, 0.45)
        )
        return crown | trunk, trunk & ~crown
    if name == 'mushroom':
        cap = disc(0, 0, 1, 0.95) & (y > -0.05)
        stem = polygon((-0.3, 0), (0.3, 0), (0.38, -0.95), (-0.38, -0.95))
        spots = (
            disc(-0.5, 0.3, 0.17)
            | disc(0.08, 0.55, 0.2)
            | disc(0.55, 0.25, 0.15)
        )
        return cap | stem, spots | (stem & ~cap)
    if name == 'cup':
        body = polygon((-0.85, 0.75), (0.5, 0.75), (0.3, -0.8), (-0.65, -0.8))
        handle = disc(0.5, 0.08, 0.48) & ~disc(0.5, 0.08, 0.26)
        return body | handle, box(-0.9, 0.6, 0.05, 0.4) & body
    raise ValueError(name)

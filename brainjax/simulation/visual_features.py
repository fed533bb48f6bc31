"""What a picture holds for the voxels of a simulated subject: feature maps.

Luminance and colour opponency, the energy of quadrature pairs of Gabor
filters (Adelson and Bergen 1985; Kay et al. 2008 for voxels), products and
contrasts of these energies, and the likeness of vivid colour to silhouettes.
"""

import functools

import numpy as np
import scipy.fft
import scipy.ndimage

from brainjax.simulation.silhouettes import CATEGORIES, distances

FAMILIES = {
    'luminance': 1,
    'colour': 2,  # red-green, blue-yellow
    'energy': 12,  # 3 spatial frequencies x 4 orientations
    'second-order': 6,  # 4 of crossing orientations, 2 of texture borders
    'shape': len(CATEGORIES),  # likeness to each silhouette
}
GRID = 32  # pixels along a feature map

_ROOM = 3 * GRID // 2  # in which templates may stick out of the field
_FIELD = 2 * GRID  # pixels along the pictures that they are computed from
_MARGIN = 8
_FREQUENCIES = (4, 8, 16)  # cycles a picture
_SHAPE_SIZES = (0.23, 0.28, 0.33)  # halves of their widths, in pictures


def features(images: np.ndarray) -> np.ndarray:
    """Computes the feature maps that receptive fields pool.

    Args:
      images: [n, height, width, 3] uint8, or float in 0..1.

    Returns:
      [n, features, 32, 32] float32 in the order of FAMILIES. Luminance and
      colours are signed; the others are 0 or more.
    """
    pixels = np.moveaxis(np.asarray(images, np.float32), -1, 1)
    if images.dtype == np.uint8:
        pixels = pixels / 255
    pixels = box(_FIELD, pixels.shape[2]) @ pixels
    pixels = pixels @ box(_FIELD, pixels.shape[3]).T
    red, green, blue = np.moveaxis(pixels, 1, 0)
    luminance = 0.3 * red + 0.59 * green + 0.11 * blue
    signed = np.stack(
        [luminance - 0.5, red - green, blue - (red + green) / 2], axis=1
    )
    coarse = _coarse(signed)
    energy = _energy(luminance)
    maps = [
        coarse,
        energy.reshape(len(images), -1, GRID, GRID),
        _second_order(energy),
        _shapes(np.hypot(coarse[:, 1], coarse[:, 2])),
    ]
    return np.concatenate(maps, axis=1)


def _energy(luminance: np.ndarray) -> np.ndarray:
    """Quadrature-pair amplitude [n, frequencies, 4 orientations, 32, 32]."""
    n = len(luminance)
    edge = (_MARGIN, _MARGIN)
    padded = np.pad(luminance, ((0, 0), edge, edge), 'reflect')
    spectrum = scipy.fft.fft2(padded)[:, None]
    frequency = np.fft.fftfreq(padded.shape[-1], 1 / _FIELD)
    inner = slice(_MARGIN, -_MARGIN)
    energy = np.empty((n, len(_FREQUENCIES), 4, GRID, GRID), np.float32)
    angle = (np.arange(4) * np.pi / 4)[:, None, None]
    for k, peak in enumerate(_FREQUENCIES):
        distance = (frequency - peak * np.cos(angle)) ** 2
        distance = distance + (frequency[:, None] - peak * np.sin(angle)) ** 2
        gabor = np.exp(-distance / (2 * (0.35 * peak) ** 2))
        gabor[:, 0, 0] = 0
        filtered = scipy.fft.ifft2(spectrum * np.float32(gabor))
        energy[:, k] = _coarse(np.abs(filtered[..., inner, inner]))
    return energy


def _second_order(energy: np.ndarray) -> np.ndarray:
    """Corners and curves [n, 4, ...], and borders of textures [n, 2, ...]."""
    crossing = np.sqrt(energy[:, :2, :2] * energy[:, :2, 2:])
    texture = energy[:, 1:].sum(axis=2)
    near, far = (
        scipy.ndimage.gaussian_filter(texture, sigma, axes=(2, 3))
        for sigma in (1, 3)
    )
    crossing = crossing.reshape(len(energy), 4, GRID, GRID)
    return np.concatenate([crossing, np.abs(near - far)], axis=1)


def _shapes(chroma: np.ndarray) -> np.ndarray:
    """Likeness [n, categories, ...] of what is vivid to each silhouette.

    The correlation of the colour's strength around each place with a
    silhouette there, the best of a few sizes, sharpened.
    """

    def correlate(spectrum, template):
        maps = scipy.fft.irfft2(spectrum * template, (_ROOM, _ROOM))
        return maps[..., :GRID, :GRID]

    first, second = (
        scipy.fft.rfft2(power, (_ROOM, _ROOM))[:, None]
        for power in (chroma, chroma**2)
    )
    best = 0
    for silhouettes, window, pixels in _templates():
        mean = correlate(first, window)
        spread = pixels * (correlate(second, window) - mean**2)
        spread = np.sqrt(np.maximum(spread, 0) + 1)
        best = np.maximum(best, correlate(first, silhouettes) / spread)
    return best**4


@functools.cache
def _templates() -> list[tuple[np.ndarray, np.ndarray, int]]:
    """Returns by size the silhouettes and the window that they are seen in.

    The silhouettes [categories, ...] have mean 0 in the window and norm 1;
    the window has sum 1. They come as spectra to multiply with; the third is
    the number of pixels in the window.
    """
    place = (np.arange(_FIELD, dtype=np.float32) + 0.5) / _FIELD - 0.5
    kinds = np.arange(len(CATEGORIES))[:, None, None]

    def spectrum(maps):
        room = np.zeros((*maps.shape[:-2], _ROOM, _ROOM), np.float32)
        room[..., :GRID, :GRID] = maps
        room = np.roll(room, (-GRID // 2, -GRID // 2), axis=(-2, -1))
        return np.conj(scipy.fft.rfft2(room))

    sizes = []
    for half in _SHAPE_SIZES:
        x, y = place / half, -place[:, None] / half
        inside, _ = distances(kinds, x, y, marks=False)
        shapes = _coarse(np.clip(inside * half * _FIELD + 0.5, 0, 1))
        window = _coarse(np.float32(np.hypot(x, y) < 1.35))
        pixels = int((window > 0).sum())
        window = window / window.sum()
        shapes = shapes - (shapes * window).sum((1, 2), keepdims=True)
        shapes = shapes * (window > 0)
        norm = np.sqrt((shapes**2).sum((1, 2), keepdims=True))
        sizes.append((spectrum(shapes / norm), spectrum(window), pixels))
    return sizes


def _coarse(maps: np.ndarray) -> np.ndarray:
    """Averages [..., _FIELD, _FIELD] over squares to [..., GRID, GRID]."""
    rows = maps[..., ::2, :] + maps[..., 1::2, :]
    return (rows[..., ::2] + rows[..., 1::2]) / 4


def box(new: int, old: int) -> np.ndarray:
    """Returns the matrix [new, old] that resamples by averaging areas."""
    starts, sources = np.arange(new)[:, None] / new, np.arange(old) / old
    overlap = np.minimum(starts + 1 / new, sources + 1 / old) - np.maximum(
        starts, sources
    )
    return np.float32(np.maximum(overlap, 0) * new)

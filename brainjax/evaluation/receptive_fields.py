"""Where in the picture a voxel looks, and in which layer, by its encoder.

An encoder that is linear in the features of a network gives the contribution
of each place of the picture to each voxel. How much that contribution varies
over pictures is a map of the voxel's receptive field; a Gaussian on a
background is fitted to it, as in population receptive field mapping. What the
branches contribute shows which layer the voxel resembles. Gaziv et al. 2022
leave the procedure open.

Fields finer than the grid of features cannot be resolved; sizes are those of
the feature grid's units and the voxel's field together.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

VOXELS_AT_A_TIME = 512
SIZES = np.geomspace(0.02, 0.7, 32)  # In picture widths.


class Fields(NamedTuple):
    """Receptive fields, in widths of the picture.

    Attributes:
      centre: [voxels, 2] x and y from the picture's left and upper edge.
      size: [voxels] standard deviation of the Gaussian.
      fit: [voxels] correlation of the Gaussian with the map, over places;
        NaN where the map is flat.
    """

    centre: np.ndarray
    size: np.ndarray
    fit: np.ndarray


class Preference(NamedTuple):
    """Which layers a voxel is like.

    Attributes:
      share: [branches, voxels] of the standard deviation of each branch's
        contribution over pictures; they sum to 1.
      depth: [voxels] mean of the branches' places, 0 the first and 1 the
        last.
    """

    share: np.ndarray
    depth: np.ndarray


def maps(
    activations: Sequence[np.ndarray], weights: Sequence[np.ndarray]
) -> np.ndarray:
    """How much the contribution of each place varies over pictures.

    Args:
      activations: of each branch, [n, height, width, channels] features of n
        pictures.
      weights: of each branch, [height, width, channels, voxels].

    Returns:
      [side, side, voxels] float32 standard deviations, on the finest grid of
      the branches, whose variances add up.
    """
    side = max(x.shape[1] for x in activations)
    voxels = weights[0].shape[-1]
    total = np.zeros((side, side, voxels), np.float32)
    for x, w in zip(activations, weights):
        centred = np.asarray(x, np.float32)
        centred = centred - centred.mean(axis=0)
        covariance = np.einsum('nhwc,nhwd->hwcd', centred, centred) / len(x)
        variance = np.einsum(
            'hwcv,hwcd,hwdv->hwv', w, covariance, w, optimize=True
        )
        times = side / len(variance)
        if times != 1:
            variance = ndimage.zoom(
                variance, (times, times, 1), order=1, grid_mode=True,
                mode='nearest',
            ) / times**2  # fmt: skip
        total += variance
    return np.sqrt(total.clip(0))


def fit(field_maps: np.ndarray) -> Fields:
    """Fits a Gaussian on a background to each map, by least squares.

    The best of a grid: centres half a place apart and 32 sizes from .02 to .7
    picture widths, amplitude and background free.

    Args:
      field_maps: [side, side, voxels], from `maps`.
    """
    side, _, voxels = field_maps.shape
    places = (np.arange(side) + 0.5) / side
    centres = (np.arange(2 * side) + 0.5) / (2 * side)
    found = Fields(
        np.full((voxels, 2), 0.5), np.full(voxels, np.nan), np.zeros(voxels)
    )
    best = np.full(voxels, -np.inf)
    flat = field_maps.reshape(-1, voxels)
    for size in SIZES:
        one = np.exp(-((places - centres[:, None]) ** 2) / (2 * size**2))
        gaussians = np.einsum('ai,bj->abij', one, one)
        gaussians = _unit(gaussians.reshape(-1, side * side).T).T
        for start in range(0, voxels, VOXELS_AT_A_TIME):
            part = slice(start, start + VOXELS_AT_A_TIME)
            correlation = np.float32(gaussians) @ np.float32(
                _unit(flat[:, part])
            )
            chosen = correlation.argmax(axis=0)
            value = correlation[chosen, np.arange(correlation.shape[1])]
            better = np.flatnonzero(value > best[part]) + start
            rows, columns = np.divmod(chosen[better - start], len(centres))
            best[better] = value[better - start]
            found.centre[better] = np.stack(
                [centres[columns], centres[rows]], axis=1
            )
            found.size[better] = size
    varies = np.ptp(flat, axis=0) > 0
    return Fields(
        np.where(varies[:, None], found.centre, np.nan),
        np.where(varies, found.size, np.nan),
        np.where(varies, best, np.nan),
    )


def _unit(columns: np.ndarray) -> np.ndarray:
    centred = columns - columns.mean(axis=0)
    norm = np.linalg.norm(centred, axis=0)
    return centred / np.where(norm > 0, norm, 1)


def polar(centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns eccentricity and polar angle of fields, each [voxels].

    Args:
      centre: [voxels, 2] as in `Fields`; fixation is the picture's middle.

    Returns:
      Eccentricity in picture widths; angle in degrees, 0 to the right and 90
      upwards, in (-180, 180].
    """
    x, y = centre[:, 0] - 0.5, 0.5 - centre[:, 1]
    return np.hypot(x, y), np.degrees(np.arctan2(y, x))


def preference(
    activations: Sequence[np.ndarray], weights: Sequence[np.ndarray]
) -> Preference:
    """Which branches, from early to late layers, a voxel depends on.

    Args:
      activations, weights: as for `maps`.
    """
    deviations = np.stack(
        [
            np.std(np.asarray(x).reshape(len(x), -1) @ _rows(w), axis=0)
            for x, w in zip(activations, weights)
        ]
    )
    total = deviations.sum(axis=0)
    share = np.divide(
        deviations,
        total,
        out=np.full_like(deviations, np.nan),
        where=total > 0,
    )
    place = np.linspace(0, 1, len(share))
    return Preference(share, place @ share)


def _rows(weights):
    return np.asarray(weights).reshape(-1, weights.shape[-1])

"""Where in the picture a voxel looks, and in which layer, by its encoder.

An encoder that is linear in the features of a network gives the contribution
of each place of the picture to each voxel. How much that contribution varies
over pictures is a map of the voxel's receptive field; a Gaussian on a
background is fitted to it, as in population receptive field mapping. What the
branches contribute shows which layer the voxel resembles. Gaziv et al. 2022
leave the procedure open.

Where a unit looks follows from the strides, paddings and kernels in front of
it (`networks.layers.unit_centres`). Fields finer than the grid of features
cannot be resolved; sizes are those of the feature grid's units and the voxel's
field together.

Centres are drawn toward the middle of all units, which strides put left of and
above the picture's: on the simulated subject of configs/demo.py by .15 of their
distance, so that their mean is .012 picture widths (half a pixel of 48) too
far left and up, at a standard error of .004.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

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
    activations: Sequence[np.ndarray],
    weights: Sequence[np.ndarray],
    places: Sequence[np.ndarray] | None = None,
) -> np.ndarray:
    """How much the contribution of each place varies over pictures.

    Args:
      activations: of each branch, [n, height, width, channels] features of n
        pictures.
      weights: of each branch, [height, width, channels, voxels].
      places: of each branch, [side] where its units look along an axis, in
        picture widths; None where they are spread evenly.

    Returns:
      [side, side, voxels] float32 standard deviations, at the places of the
      first of the finest branches; the branches' variances add up.
    """
    if places is None:
        places = [evenly(x.shape[1]) for x in activations]
    finest = max(places, key=len)
    total = 0.0
    for x, w, own in zip(activations, weights, places):
        move = _interpolation(own, finest)
        # A place of a coarse branch is spread over several of the finest.
        total += (
            np.einsum(
                'ih,hwv,jw->ijv', move, _variance(x, w), move, optimize=True
            )
            * (len(own) / len(finest)) ** 2
        )
    return np.sqrt(np.float32(total).clip(0))


def evenly(n: int) -> np.ndarray:
    """Middles of n equal parts of the picture, [n] in picture widths."""
    return (np.arange(n) + 0.5) / n


def _variance(activations, weights):
    """Of each place's contribution over pictures, [height, width, voxels]."""
    centred = np.asarray(activations, np.float32)
    centred = centred - centred.mean(axis=0)
    covariance = np.einsum('nhwc,nhwd->hwcd', centred, centred) / len(centred)
    return np.einsum(
        'hwcv,hwcd,hwdv->hwv', weights, covariance, weights, optimize=True
    )


def _interpolation(own, wanted):
    """[wanted, own] of linear interpolation; the nearest at the edges."""
    return np.float32(
        np.stack([np.interp(wanted, own, one) for one in np.eye(len(own))], 1)
    )


def fit(field_maps: np.ndarray, places: np.ndarray | None = None) -> Fields:
    """Fits a Gaussian on a background to each map, by least squares.

    The best of a grid: centres half a place apart and 32 sizes from .02 to .7
    picture widths, amplitude and background free.

    Args:
      field_maps: [side, side, voxels], from `maps`.
      places: [side] of its rows and columns in picture widths; None where
        they are spread evenly.
    """
    side, _, voxels = field_maps.shape
    places = evenly(side) if places is None else places
    centres = evenly(2 * side)
    found = Fields(
        np.full((voxels, 2), 0.5), np.full(voxels, np.nan), np.zeros(voxels)
    )
    best = np.full(voxels, -np.inf)
    flat = field_maps.reshape(-1, voxels)
    for size in SIZES:
        gaussians = np.float32(_gaussians(places, centres, size))
        for start in range(0, voxels, VOXELS_AT_A_TIME):
            part = slice(start, start + VOXELS_AT_A_TIME)
            correlation = gaussians @ np.float32(_unit(flat[:, part]))
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


def _gaussians(places, centres, size):
    """[centres^2, places^2], rows before columns, each of mean 0 and norm 1."""
    one = np.exp(-((places - centres[:, None]) ** 2) / (2 * size**2))
    both = np.einsum('ai,bj->abij', one, one)
    return _unit(both.reshape(-1, len(places) ** 2).T).T


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

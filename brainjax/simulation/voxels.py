"""The voxels of a simulated subject: receptive fields, tuning, responses.

The model follows what population-receptive-field studies agree on, loosely:
voxel centres crowd around fixation (the middle of the picture) as cortical
magnification has it; field sizes grow linearly with eccentricity, the more
steeply the higher the area (Dumoulin and Wandell 2008); the pooling of a
field is compressive in later areas (Kay et al. 2013); and each voxel is tuned
to a sparse mixture of image features, from oriented energy, luminance and
colour in V1 to second-order structure in V4 and object shape in the higher
visual cortex (HVC).
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError, check_known
from brainjax.simulation.scenes import scenes
from brainjax.simulation.visual_features import (
    FAMILIES,
    GRID,
    box,
    features,
)


class Area(NamedTuple):
    """One region: its receptive fields and what its voxels are tuned to.

    Attributes:
      size: receptive field size at fixation (standard deviation of a Gaussian
        in picture widths; a picture is thought of as 12 degrees wide).
      slope: growth of the size with eccentricity.
      exponent: of the compressive nonlinearity after pooling.
      gains: strength of the tuning to each of FAMILIES.
    """

    size: float
    slope: float
    exponent: float
    gains: tuple[float, float, float, float, float]


AREAS = {
    'V1': Area(0.025, 0.08, 1.0, (1.0, 0.7, 1.2, 0.0, 0.0)),
    'V2': Area(0.035, 0.13, 0.9, (0.9, 0.7, 1.1, 0.4, 0.0)),
    'V3': Area(0.045, 0.20, 0.8, (0.7, 0.6, 1.0, 0.7, 0.0)),
    'V4': Area(0.060, 0.30, 0.65, (0.5, 1.2, 0.7, 1.0, 0.2)),
    'HVC': Area(0.120, 0.45, 0.5, (0.3, 0.5, 0.4, 0.6, 1.5)),
}
VOXELS = {'V1': 300, 'V2': 300, 'V3': 250, 'V4': 250, 'HVC': 400}

_SPARSITY = 0.4  # share of the features a voxel is tuned to
_HALF_MAGNIFICATION = 0.08  # eccentricity at which magnification has halved
_REFERENCE = 256  # scenes of seed 0, which no simulated subject sees


@dataclasses.dataclass(frozen=True, eq=False)
class Voxels:
    """The truth about the voxels of a simulated subject.

    Attributes:
      area: [voxels] the name of each voxel's area.
      centre: [voxels, 2] receptive field centres (x, y) in picture widths
        from the picture's left and upper edge; float32.
      size: [voxels] standard deviations of the fields in picture widths.
      weights: [voxels, features] of the pooled, compressed features, in the
        order of FAMILIES; float32.
      offset: [voxels] added, so that responses to scenes have mean 0 and
        (by the weights) variance 1.
    """

    area: np.ndarray
    centre: np.ndarray
    size: np.ndarray
    weights: np.ndarray
    offset: np.ndarray


def voxel_parameters(
    *, seed: int, voxels: Mapping[str, int] = VOXELS
) -> Voxels:
    """Draws the voxels of a subject.

    Args:
      seed: of the subject.
      voxels: area -> number of voxels; areas of AREAS.
    """
    for name in voxels:
        check_known('area of a simulated subject', name, AREAS)
    if min(voxels.values(), default=0) < 1:
        raise InputError(
            f'simulated subject: voxels is {dict(voxels)}; give each area '
            'one voxel or more.'
        )
    random = np.random.default_rng([seed, 0])
    area = np.repeat([*voxels], [*voxels.values()])
    centre = _centres(random, len(area))
    eccentricity = np.hypot(*(centre.T - 0.5))
    base, slope = np.array([AREAS[name][:2] for name in area]).T
    size = (base + slope * eccentricity) * random.lognormal(0, 0.1, len(area))
    weights = np.zeros((len(area), sum(FAMILIES.values())))
    stop = 0
    for family, count in enumerate(FAMILIES.values()):
        start, stop = stop, stop + count
        tuned = random.random((len(area), count)) < _SPARSITY
        tuned[np.arange(len(area)), random.integers(count, size=len(area))] = 1
        gain = np.array([AREAS[name].gains[family] for name in area])
        weights[:, start:stop] = (
            random.standard_normal((len(area), count))
            * tuned
            * (gain / np.sqrt(tuned.sum(axis=1)))[:, None]
        )
    untuned = Voxels(
        area,
        centre.astype(np.float32),
        size.astype(np.float32),
        weights.astype(np.float32),
        np.zeros(len(area), np.float32),
    )
    return _standardised(untuned)


def responses(images: np.ndarray, voxels: Voxels) -> np.ndarray:
    """Computes the noiseless responses.

    Args:
      images: [n, height, width, 3] uint8, or float in 0..1.
      voxels: from `voxel_parameters`.

    Returns:
      [n, voxels] float32; over scenes each voxel has mean 0 and variance 1.
    """
    fmri = np.empty((len(images), len(voxels.area)), np.float32)
    for start in range(0, len(images), 64):
        part = slice(start, start + 64)
        maps = features(images[part])
        for mask, used, pooled in _pooled(maps, voxels):
            fmri[part, mask] = np.einsum(
                'ncv,vc->nv', pooled, voxels.weights[np.ix_(mask, used)]
            )
    return fmri + voxels.offset


def depth_responses(
    images: np.ndarray, voxels: Voxels, part: float
) -> np.ndarray:
    """`responses` of voxels that see depth, too.

    Args:
      images: [n, height, width, 4] uint8 of `scenes`, the last channel depth.
      voxels: from `voxel_parameters`.
      part: of each voxel's variance over scenes that follows the mean depth
        in its receptive field; the rest follows the picture.

    Returns:
      [n, voxels] float32.
    """
    mean, deviation = _usual_depth(voxels)
    near = (_in_fields(images[..., 3], voxels) - mean) / deviation
    seen = responses(images[..., :3], voxels)
    return np.float32(np.sqrt(1 - part) * seen + np.sqrt(part) * near)


def _usual_depth(voxels: Voxels) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over scenes in each voxel's field."""
    images, *_ = scenes(_REFERENCE, 64, seed=0, depth=True)
    near = _in_fields(images[..., 3], voxels)
    return near.mean(axis=0), near.std(axis=0)


def _in_fields(maps: np.ndarray, voxels: Voxels) -> np.ndarray:
    """Means of maps [n, height, width] uint8 in fields, [n, voxels]."""
    small = box(GRID, maps.shape[1]) @ np.float32(maps) / 255
    small = small @ box(GRID, maps.shape[2]).T
    fields = receptive_fields(voxels.centre, voxels.size, GRID)
    return small.reshape(len(maps), -1) @ fields.reshape(len(fields), -1).T


def receptive_fields(
    centre: np.ndarray, size: np.ndarray, side: int
) -> np.ndarray:
    """Draws Gaussian fields, each of sum 1.

    Args:
      centre: [voxels, 2] (x, y) in picture widths, as in `Voxels`.
      size: [voxels] standard deviations in picture widths.
      side: pixels along the field of view, which is the picture.

    Returns:
      [voxels, side, side] float32.
    """
    places = (np.arange(side, dtype=np.float32) + 0.5) / side
    width = 2 * size[:, None] ** 2
    x = np.exp(-((places - centre[:, :1]) ** 2) / width)
    y = np.exp(-((places - centre[:, 1:]) ** 2) / width)
    fields = y[:, :, None] * x[:, None, :]
    # Subnormal numbers are slow to multiply.
    fields[fields < 1e-6 * fields.max(axis=(1, 2), keepdims=True)] = 0
    return fields / fields.sum(axis=(1, 2), keepdims=True)


def _pooled(
    maps: np.ndarray, voxels: Voxels
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Pools and compresses [n, features, GRID, GRID], area by area.

    Yields:
      Masks of the area's voxels and of the features that they use, and
      [n, features used, voxels].
    """
    n, count = maps.shape[:2]
    flat = maps.reshape(n, count, -1)
    for name in np.unique(voxels.area):
        mask = voxels.area == name
        area = AREAS[name]
        used = np.repeat(np.array(area.gains) > 0, [*FAMILIES.values()])
        fields = receptive_fields(voxels.centre[mask], voxels.size[mask], GRID)
        pooled = (
            flat[:, used].reshape(-1, GRID**2) @ fields.reshape(-1, GRID**2).T
        )
        pooled = np.sign(pooled) * np.abs(pooled) ** area.exponent
        yield mask, used, pooled.reshape(n, used.sum(), -1)


def _standardised(voxels: Voxels) -> Voxels:
    """Scales weights to features of variance 1, then to responses of 1."""
    weights = np.zeros(voxels.weights.shape)
    offset = np.zeros(len(voxels.area))
    for mask, used, pooled in _pooled(_reference_features(), voxels):
        these = np.ix_(mask, used)
        scaled = voxels.weights[these] / pooled.std(axis=0).T
        response = np.einsum('ncv,vc->nv', pooled, scaled)
        std = response.std(axis=0)
        weights[these] = scaled / std[:, None]
        offset[mask] = -response.mean(axis=0) / std
    return dataclasses.replace(
        voxels,
        weights=weights.astype(np.float32),
        offset=offset.astype(np.float32),
    )


@functools.cache
def _reference_features() -> np.ndarray:
    """Returns [_REFERENCE, features, GRID, GRID]."""
    return features(scenes(_REFERENCE, 64, seed=0)[0])


def _centres(random: np.random.Generator, n: int) -> np.ndarray:
    """Draws [n, 2] places in the picture as cortical magnification has it."""
    eccentricity = np.linspace(0, np.sqrt(0.5), 2000)
    density = eccentricity / (eccentricity + _HALF_MAGNIFICATION) ** 2
    cumulative = np.cumsum(density) / density.sum()
    centres = np.empty((0, 2))
    while len(centres) < n:
        radius = np.interp(random.random(n), cumulative, eccentricity)
        angle = random.uniform(0, 2 * np.pi, n)
        drawn = np.stack([np.cos(angle), np.sin(angle)], 1) * radius[:, None]
        drawn = drawn[np.abs(drawn).max(axis=1) < 0.5]
        centres = np.concatenate([centres, 0.5 + drawn])
    return centres[:n]

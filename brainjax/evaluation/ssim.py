"""Structural similarity (Wang et al. 2004), in the variants that are published.

Three quantities go by the name of SSIM and differ by up to 0.1; say which was
used. All take C1 = 0.01^2 and C2 = 0.03^2 of a data range of 1, and the mean
over the places where the window fits. A constant grey picture scores about 0.5
on photographs, more than most published reconstructions: SSIM alone proves
nothing.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from brainjax.errors import InputError
from brainjax.evaluation import pixels
from brainjax.pictures.operations import unit_range

C1, C2 = 0.01**2, 0.03**2
GREY = np.array([0.2125, 0.7154, 0.0721])
RADIUS = 5
# Sigma 1.5, cut off at 3.5 sigma, as scikit-image does.
TAPS = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / 1.5) ** 2)
TAPS /= TAPS.sum()
UNIFORM = 7


class Variant(NamedTuple):
    """How local means, variances and covariances are taken.

    Attributes:
      prepare: pictures [..., height, width, 3] -> what is compared.
      average: of a window, only where it fits.
      window: height and width that pictures need at the least.
      sample: factor from the population's covariance.
    """

    prepare: Callable[[np.ndarray], np.ndarray]
    average: Callable[[np.ndarray], np.ndarray]
    window: int
    sample: float


def grey(images: np.ndarray) -> np.ndarray:
    """Returns [..., height, width] float64: 0.2125 R + 0.7154 G + 0.0721 B."""
    return unit_range(images) @ GREY


def _gaussian(image: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    for axis in axes:
        image = ndimage.correlate1d(image, TAPS, axis=axis)
        image = np.moveaxis(image, axis, 0)[RADIUS:-RADIUS]
        image = np.moveaxis(image, 0, axis)
    return image


def _uniform(image: np.ndarray) -> np.ndarray:
    # Over height and width, not over colours.
    image = ndimage.uniform_filter(image, (UNIFORM, UNIFORM, 1))
    inner = slice(UNIFORM // 2, -(UNIFORM // 2))
    return image[inner, inner]


VARIANTS = {
    # Of the original paper: grey, 11 x 11 Gaussian of sigma 1.5.
    'ssim_2d': Variant(
        grey, functools.partial(_gaussian, axes=(-2, -1)), len(TAPS), 1.0
    ),
    # Every picture column a separate signal: what scikit-image up to 0.19
    # computed when asked for a multichannel score of a grey picture, as the
    # script of Ozcelik and VanRullen 2023 asks.
    'ssim_1d': Variant(
        grey, functools.partial(_gaussian, axes=(-2,)), len(TAPS), 1.0
    ),
    # Of Chen et al. 2023: the three colours, uniform window.
    'ssim_rgb': Variant(
        unit_range, _uniform, UNIFORM, UNIFORM**2 / (UNIFORM**2 - 1)
    ),
}


def table(
    name: str, target: np.ndarray, reconstruction: np.ndarray
) -> np.ndarray:
    """SSIM of every picture with every reconstruction.

    The time grows with the number of pairs: about a millisecond for one of
    112 x 112 pixels.

    Args:
      name: of the variant.
      target, reconstruction: [n, height, width, 3], floats in 0..1 or uint8.

    Returns:
      [n, n] float64 in -1..1, rows targets and columns reconstructions.
    """
    pixels.check_pictures(target, reconstruction)
    variant = VARIANTS[name]
    height, width = target.shape[1:3]
    if min(height, width) < variant.window:
        raise InputError(
            f'the pictures are {height} x {width} pixels; SSIM needs at least '
            f'{variant.window} x {variant.window}, so enlarge them.'
        )
    columns = [
        (y, *_moments(y, variant)) for y in variant.prepare(reconstruction)
    ]
    rows = []
    for x in variant.prepare(target):
        moments = _moments(x, variant)
        # Pair by pair, because one pair fits the processor's cache.
        rows.append([_ssim((x, *moments), y, variant) for y in columns])
    return np.array(rows)


def _moments(image: np.ndarray, variant: Variant) -> tuple[np.ndarray, ...]:
    mean = variant.average(image)
    # One pass; cancellation does not matter at a data range of 1.
    return mean, variant.average(image * image) - mean**2


def _ssim(one: tuple, other: tuple, variant: Variant) -> np.floating:
    (x, mx, vx), (y, my, vy) = one, other
    product = mx * my
    covariance = variant.sample * (variant.average(x * y) - product)
    similarity = (2 * product + C1) * (2 * covariance + C2)
    similarity /= (mx**2 + my**2 + C1) * (variant.sample * (vx + vy) + C2)
    return similarity.mean()

"""How alike two pictures are, pixel by pixel: PixCorr and two SSIMs.

All functions compare picture i of `target` with picture i of `reconstruction`,
both [n, height, width, 3], floating point in 0..1 or uint8, and compute in
float64 on the host. Two different quantities are published as 'SSIM':
`ssim_2d` (Wang et al. 2004) and `ssim_1d` (what scikit-image up to 0.19
computed when asked for a multichannel score of a grey picture, as the script
of Ozcelik and VanRullen 2023 asks). They differ by up to 0.1; report both.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from scipy import ndimage

from brainjax.errors import InputError
from brainjax.linear import correlation
from brainjax.pictures.operations import unit_range

GREY = np.array([0.2125, 0.7154, 0.0721])
RADIUS = 5
WINDOW = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / 1.5) ** 2)
WINDOW /= WINDOW.sum()
C1, C2 = 0.01**2, 0.03**2


def check_pictures(target: np.ndarray, reconstruction: np.ndarray) -> None:
    """Checks that two sets of pictures can be compared pair by pair.

    Raises:
      InputError: they differ in shape, or one of them is not
        [n, height, width, 3], not numeric, not finite or not in 0..1.
    """
    for what, images in (
        ('the pictures that were seen', target),
        ('the reconstructions', reconstruction),
    ):
        if images.ndim != 4 or images.shape[-1] != 3 or 0 in images.shape:
            raise InputError(
                f'{what} have shape {images.shape}; give at least one picture '
                'as [n, height, width, 3].'
            )
        if images.dtype == np.uint8:
            continue
        if not np.issubdtype(images.dtype, np.floating):
            raise InputError(
                f'{what} are {images.dtype}; give floating point in 0..1 or '
                'uint8.'
            )
        low = images.min(axis=(1, 2, 3))
        high = images.max(axis=(1, 2, 3))
        # Written so that NaN, which compares false, counts as out of range.
        wrong = np.flatnonzero(~((low >= -1e-3) & (high <= 1 + 1e-3)))
        if len(wrong):
            raise InputError(
                f'{what} must lie in 0..1, but number {wrong[0]} runs from '
                f'{low[wrong[0]]:g} to {high[wrong[0]]:g}; rescale or clip '
                'them.'
            )
    if target.shape != reconstruction.shape:
        raise InputError(
            f'the pictures that were seen have shape {target.shape} and the '
            f'reconstructions {reconstruction.shape}; give one reconstruction '
            'a picture, of the same size.'
        )


def is_constant(images: np.ndarray) -> np.ndarray:
    """Returns [n] bool: whether all values of a picture are the same."""
    axes = tuple(range(1, images.ndim))
    return images.max(axis=axes) == images.min(axis=axes)


def pixel_correlation(
    target: np.ndarray, reconstruction: np.ndarray
) -> np.ndarray:
    """PixCorr: Pearson correlation over all pixels and colour channels.

    It ignores each picture's brightness and contrast. Where a picture is
    constant the correlation is undefined; the score is then 0, what a picture
    that says nothing is worth (published scripts give NaN).

    Returns:
      [n] float64, -1 to 1.

    Raises:
      InputError: the pictures cannot be compared, see `check_pictures`.
    """
    check_pictures(target, reconstruction)
    # Picture by picture, as float64 of all would need eight times the memory.
    pairs = zip(target, reconstruction)
    return np.array(
        [
            correlation.patterns(
                *(unit_range(image).ravel() for image in pair), constant=0.0
            )
            for pair in pairs
        ]
    )


def grey(images: np.ndarray) -> np.ndarray:
    """Returns [n, height, width] float64: 0.2125 R + 0.7154 G + 0.0721 B."""
    return unit_range(images) @ GREY


def ssim_2d(target: np.ndarray, reconstruction: np.ndarray) -> np.ndarray:
    """Structural similarity of the grey pictures (Wang et al. 2004).

    Gaussian window of sigma 1.5 and 11 x 11 taps, population covariance,
    C1 = 0.01^2, C2 = 0.03^2, data range 1, mean over the places where the
    window fits. A constant grey picture scores about 0.5 on photographs, more
    than most published reconstructions: SSIM alone proves nothing.

    Returns:
      [n] float64, -1 to 1.

    Raises:
      InputError: the pictures cannot be compared (see `check_pictures`), or
        are smaller than the window.
    """
    return _ssim_of_pairs(target, reconstruction, (-2, -1))


def ssim_1d(target: np.ndarray, reconstruction: np.ndarray) -> np.ndarray:
    """Structural similarity with every picture column a separate signal.

    As `ssim_2d`, but the window runs down the columns only (11 x 1 taps).

    Returns:
      [n] float64, -1 to 1.

    Raises:
      InputError: as `ssim_2d`.
    """
    return _ssim_of_pairs(target, reconstruction, (-2,))


def ssim_matrices(
    target: np.ndarray,
    reconstruction: np.ndarray,
    names: Sequence[str] = ('ssim_2d', 'ssim_1d'),
) -> tuple[np.ndarray, ...]:
    """SSIMs of every picture with every reconstruction.

    The diagonals are `ssim_2d` and `ssim_1d`. The time grows with the number
    of pairs: about a millisecond for one of 112 x 112 pixels.

    Returns:
      [n, n] float64 for each of `names`; rows are the pictures that were
      seen, columns the reconstructions.

    Raises:
      InputError: as `ssim_2d`.
    """
    _check_window(target, reconstruction)
    target, reconstruction = grey(target), grey(reconstruction)
    matrices = []
    for name in names:
        axes = {'ssim_2d': (-2, -1), 'ssim_1d': (-2,)}[name]
        columns = [(y, _moments(y, axes)) for y in reconstruction]
        rows = []
        for x in target:
            moments = _moments(x, axes)
            # Pair by pair, because one pair fits the processor's cache.
            rows.append(
                [_ssim(x, moments, *column, axes) for column in columns]
            )
        matrices.append(np.array(rows))
    return tuple(matrices)


def _check_window(target, reconstruction):
    check_pictures(target, reconstruction)
    height, width = target.shape[1:3]
    if min(height, width) < len(WINDOW):
        raise InputError(
            f'the pictures are {height} x {width} pixels; SSIM needs at least '
            f'{len(WINDOW)} x {len(WINDOW)}, so enlarge them.'
        )


def _ssim_of_pairs(target, reconstruction, axes):
    _check_window(target, reconstruction)
    # One pair at a time keeps the memory that of one picture.
    scores = []
    for pair in zip(target, reconstruction):
        x, y = (grey(picture) for picture in pair)
        scores.append(_ssim(x, _moments(x, axes), y, _moments(y, axes), axes))
    return np.array(scores)


def _blur(images, axes):
    """Gaussian window along `axes`, only where it fits."""
    for axis in axes:
        images = ndimage.correlate1d(images, WINDOW, axis=axis)
        images = np.moveaxis(images, axis, 0)[RADIUS:-RADIUS]
        images = np.moveaxis(images, 0, axis)
    return images


def _moments(images, axes):
    mean = _blur(images, axes)
    return mean, _blur(images**2, axes) - mean**2


def _ssim(x, x_moments, y, y_moments, axes):
    (mx, vx), (my, vy) = x_moments, y_moments
    product = mx * my
    covariance = _blur(x * y, axes) - product
    similarity = (2 * product + C1) * (2 * covariance + C2)
    similarity /= (mx**2 + my**2 + C1) * (vx + vy + C2)
    return similarity.mean()


def resize(
    images: np.ndarray, size: tuple[int, int], antialias: bool
) -> np.ndarray:
    """Resizes pictures bilinearly, with half-pixel centres.

    Published scores depend on `antialias` when pictures shrink: Pillow always
    smooths first, torchvision's resize of tensors did not before 0.17.

    Args:
      images: [n, height, width, 3] floating point.
      size: new height and width.
      antialias: whether to smooth before shrinking.

    Returns:
      [n, *size, 3] float32.
    """
    shape = (len(images), *size, images.shape[-1])
    small = jax.image.resize(
        jnp.asarray(images, jnp.float32), shape, 'bilinear', antialias
    )
    return np.asarray(small)

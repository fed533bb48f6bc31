"""Are draws as sharp as pictures are, and do they vary where they are wrong?

`samples` [n, k, height, width, 3] and `targets` [n, height, width, 3] as in
`calibration`.
"""

import numpy as np

from brainjax.pictures.operations import unit_range


def fine_power(images: np.ndarray) -> float:
    """Power above half the Nyquist frequency, per value.

    Of the 2-D discrete Fourier transform of each colour, without a window;
    what lies farther than 1/4 cycle a pixel from 0 counts, in any direction.
    Height and width may be any, and odd.

    Args:
      images: [n, height, width, 3], floats in 0..1 or uint8.

    Returns:
      Mean over pictures and colours, such that the power of all frequencies
      would be the mean square.
    """
    _, height, width, _ = images.shape
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    spectrum = np.fft.fft2(unit_range(images), axes=(1, 2), norm='forward')
    power = spectrum.real**2 + spectrum.imag**2
    return float(power[:, frequency > 0.25].sum(axis=1).mean())


def fine_powers(
    samples: np.ndarray, targets: np.ndarray, images: np.ndarray
) -> dict[str, np.ndarray]:
    """`fine_power` of draws, of the reconstructions and of the targets.

    Args:
      samples, targets: see the module.
      images: [n, height, width, 3] the means of the draws.

    Returns:
      {'draw', 'mean', 'target'}: [n] float64 each.
    """
    return {
        'draw': np.array([fine_power(draws) for draws in samples]),
        'mean': np.array([fine_power(image[None]) for image in images]),
        'target': np.array([fine_power(target[None]) for target in targets]),
    }


def ratio_parts(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Values a picture whose mean is mean(above) / mean(below).

    r + (above - r below) / mean(below), by which the ratio r changes with
    each picture to first order: an interval of their mean is one of r.

    Args:
      above, below: [n].

    Returns:
      [n] float64; NaN if all of `below` is 0.
    """
    if not below.mean() > 0:
        return np.full(len(below), np.nan)
    ratio = above.mean() / below.mean()
    return ratio + (above - ratio * below) / below.mean()


def deviations_and_errors(
    samples: np.ndarray, targets: np.ndarray, images: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviations of draws and absolute errors of their means.

    Args:
      samples, targets: see the module.
      images: [n, height, width, 3] the means of the draws.

    Returns:
      Two arrays [n, values] float32.
    """
    deviations = [
        unit_range(draws).std(axis=0, ddof=1).ravel() for draws in samples
    ]
    errors = [
        np.abs(unit_range(target) - unit_range(image)).ravel()
        for target, image in zip(targets, images)
    ]
    return np.array(deviations, np.float32), np.array(errors, np.float32)


def deviation_maps(samples: np.ndarray) -> np.ndarray:
    """Standard deviations of draws [n, height, width], mean over colours."""
    return np.array(
        [unit_range(x).std(axis=0, ddof=1).mean(axis=-1) for x in samples]
    )


def pooled_correlation(
    deviations: np.ndarray, errors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Correlation of deviations and errors over all values of all pictures.

    Args:
      deviations, errors: [n, values], see `deviations_and_errors`.

    Returns:
      [n, n] whose diagonal has the correlation as its mean: [i, j] is what
      picture i would add with the deviations of picture j. And [n] with the
      same mean, by which the correlation changes with each picture to first
      order, for its interval. 0 where there is nothing to correlate.
    """
    x, y = (_standardised(each) for each in (errors, deviations))
    values = x.shape[1]
    table = x @ y.T / values
    squares = ((x**2).mean(axis=1) + (y**2).mean(axis=1)) / 2
    each = np.diagonal(table)
    return table, each.mean() + each - each.mean() * squares


def _standardised(rows):
    rows = rows - np.float32(rows.mean(dtype=np.float64))
    deviation = np.float32(np.sqrt(np.mean(rows**2, dtype=np.float64)))
    return rows / deviation if deviation > 1e-9 else np.zeros_like(rows)

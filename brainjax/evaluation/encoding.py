"""How well predicted fMRI follows measured fMRI."""

import numpy as np

from brainjax.evaluation.statistics import p_value


def voxel_correlation(
    predicted: np.ndarray, measured: np.ndarray
) -> np.ndarray:
    """Pearson correlation over trials of each voxel; 0 where one is constant.

    Args:
      predicted, measured: [trials, voxels].

    Returns:
      [voxels] float64.
    """
    a, b = (_standardised(x) for x in (predicted, measured))
    return np.sum(a * b, axis=0)


def score(
    predicted: np.ndarray, measured: np.ndarray, seed: int = 0, draws: int = 500
) -> dict[str, float | int]:
    """Median over voxels of the correlation, with interval and p.

    Args:
      predicted, measured: [stimuli, voxels].
      seed: of the draws.
      draws: of the bootstrap and of the permutations, both over stimuli.

    Returns:
      'value', 'chance' (mean of the permutations), 'low' and 'high' (95 %
      percentile interval), 'p' and 'n' (stimuli).
    """
    rng = np.random.default_rng(seed)
    n = len(measured)
    value = np.median(voxel_correlation(predicted, measured))
    samples = rng.integers(n, size=(draws, n))
    bootstrap = [
        np.median(voxel_correlation(predicted[i], measured[i])) for i in samples
    ]
    a, b = (_standardised(x) for x in (predicted, measured))
    null = np.array(
        [np.median(np.sum(a[rng.permutation(n)] * b, 0)) for _ in range(draws)]
    )
    low, high = np.percentile(bootstrap, [2.5, 97.5])
    return {
        'value': float(value),
        'chance': float(null.mean()),
        'low': float(low),
        'high': float(high),
        'p': float(p_value(value, null)),
        'n': n,
    }


def _standardised(x: np.ndarray) -> np.ndarray:
    largest = np.abs(x).max(axis=0)
    x = x - x.mean(axis=0, dtype=np.float64)
    norm = np.sqrt(np.sum(x**2, axis=0))
    # What rounding leaves of a constant is no variation.
    varies = norm > 1e-12 * np.sqrt(len(x)) * largest
    return np.divide(x, norm, out=np.zeros_like(x), where=varies)

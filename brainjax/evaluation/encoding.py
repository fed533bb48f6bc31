"""How well predicted fMRI follows measured fMRI."""

from collections.abc import Mapping

import numpy as np

from brainjax.evaluation.statistics import (
    expanded_tail,
    false_discovery,
    normalised,
    p_value,
)
from brainjax.linear import correlation


def voxel_correlation(
    predicted: np.ndarray, measured: np.ndarray
) -> np.ndarray:
    """Pearson correlation over trials of each voxel; 0 where one is constant.

    Args:
      predicted, measured: [trials, voxels].

    Returns:
      [voxels] float64.
    """
    return correlation.columns(predicted, measured, constant=0.0)


def score(
    predicted: np.ndarray, measured: np.ndarray, seed: int = 0, draws: int = 500
) -> dict[str, float | int]:
    """Median over voxels of the correlation, with interval and p.

    Args:
      predicted, measured: [stimuli, voxels].
      seed: of the draws.
      draws: of the bootstrap and of the permutations, both over stimuli.

    Returns:
      'value', 'chance' (mean of the permutations), 'low' and 'high' (95 %,
      expanded percentiles, see `statistics.bootstrap_interval`), 'p' and 'n'
      (stimuli); NaN of fewer than three stimuli.
    """
    rng = np.random.default_rng(seed)
    n = len(measured)
    if n < 3:
        # Of two stimuli every correlation is 1 or -1.
        return dict.fromkeys(
            ('value', 'chance', 'low', 'high', 'p'), np.nan
        ) | {'n': n}
    value = np.median(voxel_correlation(predicted, measured))
    samples = rng.integers(n, size=(draws, n))
    bootstrap = [
        np.median(voxel_correlation(predicted[i], measured[i])) for i in samples
    ]
    a, b = (correlation.unit_columns(x) for x in (predicted, measured))
    null = np.array(
        [np.median(np.sum(a[rng.permutation(n)] * b, 0)) for _ in range(draws)]
    )
    tail = expanded_tail(n)
    low, high = np.quantile(bootstrap, [tail, 1 - tail])
    return {
        'value': float(value),
        'chance': float(null.mean()),
        'low': float(low),
        'high': float(high),
        'p': float(p_value(value, null)),
        'n': n,
    }


def by_region(
    predicted: np.ndarray,
    measured: np.ndarray,
    regions: Mapping[str, np.ndarray],
    noise_ceiling: np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, dict[str, float | int]]:
    """Scores each region's voxels, also as a share of their noise ceiling.

    Args:
      predicted, measured: [stimuli, voxels].
      regions: name -> [voxels] bool.
      noise_ceiling: [voxels] highest correlation that a perfect model could
        reach, or None.
      seed: of the draws.

    Returns:
      Region that holds voxels -> as `score`, with 'voxels', 'quantile_75' and
      'quantile_90' over voxels, 'q' (p corrected for the number of regions)
      and, where ceilings are known, 'normalised': the median of correlation
      over ceiling among voxels whose ceiling is above .1.
    """
    found = {}
    for name, mask in regions.items():
        if not mask.any():
            continue
        region = score(predicted[:, mask], measured[:, mask], seed)
        r = voxel_correlation(predicted[:, mask], measured[:, mask])
        if np.isnan(region['value']):
            r = np.full_like(r, np.nan)
        region['voxels'] = int(mask.sum())
        region['quantile_75'] = float(np.quantile(r, 0.75))
        region['quantile_90'] = float(np.quantile(r, 0.9))
        if noise_ceiling is not None:
            share = normalised(r, np.asarray(noise_ceiling)[mask], 0)
            region['normalised'] = float(np.nanmedian(share))
        found[name] = region
    q = false_discovery(np.array([region['p'] for region in found.values()]))
    for region, value in zip(found.values(), q):
        region['q'] = float(value)
    return found

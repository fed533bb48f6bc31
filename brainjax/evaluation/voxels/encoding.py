"""How well predicted fMRI follows measured fMRI."""

from collections.abc import Mapping

import numpy as np

from brainjax.evaluation.intervals import interval
from brainjax.evaluation.statistics import (
    Score,
    normalised,
    p_value,
    standardised,
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
) -> Score:
    """Median over voxels of the correlation, with interval and p.

    Args:
      predicted, measured: [stimuli, voxels].
      seed: of the draws.
      draws: of the permutations over stimuli.

    Returns:
      'value', 'chance' (mean of the permutations), 'low' and 'high' (the
      `interval` of what each stimulus adds), 'p' and 'n' (stimuli); NaN of
      fewer than three stimuli.
    """
    every = np.ones(measured.shape[1], bool)
    (found,) = _scores(predicted, measured, [every], seed, draws)
    return found


def _scores(predicted, measured, masks, seed=0, draws=500) -> list[Score]:
    """`score` of the voxels of each mask, all from the same permutations."""
    rng = np.random.default_rng(seed)
    n = len(measured)
    if n < 3:
        # Of two stimuli every correlation is 1 or -1.
        names = ('value', 'chance', 'low', 'high', 'p')
        return [Score.fromkeys(names, np.nan) | {'n': n} for _ in masks]
    r = voxel_correlation(predicted, measured)
    a, b = (correlation.unit_columns(x) for x in (predicted, measured))
    product = np.empty_like(a)
    null = np.empty((draws, len(masks)))
    for draw in null:
        np.multiply(a[rng.permutation(n)], b, out=product)
        permuted = np.sum(product, axis=0)
        draw[:] = [np.median(permuted[mask]) for mask in masks]
    without = _without_each(predicted, measured)
    found = []
    for mask, chance in zip(masks, null.T):
        value = np.median(r[mask])
        others = np.median(without[:, mask], axis=1)
        # Fisher's z, of which the spread does not depend on the correlation.
        low, high = np.tanh(interval(_pseudo_values(value, others)))
        one = Score(
            value=float(value),
            chance=float(chance.mean()),
            low=float(low),
            high=float(high),
            p=float(p_value(value, chance)),
            n=n,
        )
        one.null = standardised(value, chance, f'voxels of {n}')
        found.append(one)
    return found


def _pseudo_values(median, without):
    """What each stimulus adds to z of the median (Tukey 1958), [stimuli]."""
    n = len(without)
    z, others = (
        np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12)) for r in (median, without)
    )
    return z + (n - 1) * (others.mean() - others)


def _without_each(predicted, measured):
    """The voxels' correlations without each stimulus, [stimuli, voxels]."""
    n = len(measured)
    x, y = (
        np.asarray(each, np.float64) - each.mean(axis=0, dtype=np.float64)
        for each in (predicted, measured)
    )
    xx, yy, xy = (
        np.einsum('nv,nv->v', *pair) for pair in ((x, x), (y, y), (x, y))
    )
    without = []
    for a, b in zip(x, y):
        # Of sums about the mean of all, that of the others being -a, -b.
        left = (
            total - n / (n - 1) * c * d
            for total, c, d in ((xx, a, a), (yy, b, b), (xy, a, b))
        )
        xx_i, yy_i, xy_i = left
        spread = np.sqrt(np.maximum(xx_i, 0) * np.maximum(yy_i, 0))
        r = np.divide(xy_i, spread, out=np.zeros_like(spread), where=spread > 0)
        without.append(r)
    return np.array(without)


def by_region(
    predicted: np.ndarray,
    measured: np.ndarray,
    regions: Mapping[str, np.ndarray],
    noise_ceiling: np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, Score]:
    """Scores each region's voxels, also as a share of their noise ceiling.

    Args:
      predicted, measured: [stimuli, voxels].
      regions: name -> [voxels] bool.
      noise_ceiling: [voxels] highest correlation that a perfect model could
        reach, or None.
      seed: of the draws.

    Returns:
      Region that holds voxels -> as `score`, with 'voxels', 'quantile_75' and
      'quantile_90' over voxels and, where ceilings are known, 'normalised':
      the median of correlation over ceiling among voxels whose ceiling is
      above .1. For the number of regions p is corrected by a report, with
      that of its other rows (`statistics.corrected`).
    """
    regions = {name: mask for name, mask in regions.items() if mask.any()}
    scores = _scores(predicted, measured, [*regions.values()], seed)
    found, correlations = {}, voxel_correlation(predicted, measured)
    for (name, mask), region in zip(regions.items(), scores):
        r = correlations[mask]
        if np.isnan(region['value']):
            r = np.full_like(r, np.nan)
        region['voxels'] = int(mask.sum())
        region['quantile_75'] = float(np.quantile(r, 0.75))
        region['quantile_90'] = float(np.quantile(r, 0.9))
        if noise_ceiling is not None:
            share = normalised(r, np.asarray(noise_ceiling)[mask], 0)
            region['normalised'] = float(np.nanmedian(share))
        found[name] = region
    return found

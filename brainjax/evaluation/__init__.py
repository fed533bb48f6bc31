"""Scores of reconstructed pictures, whatever method made them."""

from collections.abc import Callable, Mapping

import numpy as np

from brainjax.errors import InputError
from brainjax.evaluation import identification, pixels, statistics

# Exchanging reconstructions within groups of pictures keeps the permutation
# test valid while the SSIMs to compute grow with n, not with its square.
SSIM_GROUP = 64


def score(
    truth: np.ndarray,
    reconstruction: np.ndarray,
    *,
    features: Mapping[str, Callable] | None = None,
    seed: int = 0,
    draws: int = 10_000,
) -> dict[str, dict[str, float | int]]:
    """Scores reconstructions against the pictures that were seen.

    Names: 'pixcorr', 'ssim_2d', 'ssim_1d', 'two_way_pixels',
    'fifty_way_pixels', and 'two_way_NAME' and 'fifty_way_NAME' for each entry
    of `features`. With fewer than 50 pictures the fifty-way scores are called
    'all_way_...' and tell each picture from all the others ('n' says how
    many). Higher is better in all of them.

    For every score:
      value: mean over pictures.
      chance: 0.5 for two-way and 1/n for n-way identification; for PixCorr
        and SSIM the mean over all pairs of a picture with the reconstruction
        of another one.
      low, high: 95 % bootstrap interval over pictures (percentile).
      p: one-sided permutation test, which deals the reconstructions to the
        pictures at random.
      n: number of pictures.
    'pixcorr' also has 'constant', the number of pairs with a picture of one
    colour, for which the correlation is undefined and taken as 0.

    Args:
      truth: [n, height, width, 3] the pictures, floats in 0..1 or uint8.
      reconstruction: the same of the reconstructions, in the same order.
      features: name -> function from images [n, height, width, 3] float32 in
        0..1 to [n, ...] features.
      seed: seed of the bootstrap and the permutations.
      draws: how many of each.

    Returns:
      {name: {'value', 'chance', 'low', 'high', 'p', 'n'}}, plain numbers that
      JSON can hold.

    Raises:
      InputError: the pictures cannot be compared, are fewer than two or
        smaller than the window of SSIM, or their features are not finite.
    """
    truth, reconstruction = np.asarray(truth), np.asarray(reconstruction)
    pixels.check_pictures(truth, reconstruction)
    n = len(truth)
    if n < 2:
        raise InputError(
            'there is 1 test picture; scores need at least two, to tell the '
            'one from the other.'
        )

    def entry(tables, chance=None):
        per_picture = np.concatenate([np.diagonal(t) for t in tables])
        value = per_picture.mean()
        null = statistics.permutation_null(tables, draws, seed)
        if chance is None:
            chance = _mean_of_mismatched(tables)
        low, high = statistics.bootstrap_interval(per_picture, seed, draws)
        return {
            'value': float(value),
            'chance': float(chance),
            'low': low,
            'high': high,
            'p': statistics.p_value(value, null),
            'n': n,
        }

    matrix = identification.similarity(
        truth.reshape(n, -1), reconstruction.reshape(n, -1)
    )
    constant = pixels.is_constant(truth) | pixels.is_constant(reconstruction)
    scores = {'pixcorr': entry([np.nan_to_num(matrix)])}
    scores['pixcorr']['constant'] = int(constant.sum())
    for name, tables in _ssim_tables(truth, reconstruction, seed).items():
        scores[name] = entry(tables)

    ways = min(50, n)
    prefix = 'fifty_way' if ways == 50 else 'all_way'

    def identify(name, matrix):
        for kind, statistic, chance in (
            ('two_way', identification.two_way, 0.5),
            (
                prefix,
                lambda matrix: identification.n_way(matrix, ways),
                identification.chance(ways),
            ),
        ):
            table = statistics.assignments(matrix, statistic)
            scores[f'{kind}_{name}'] = entry([table], chance)

    identify('pixels', matrix)
    for name, function in (features or {}).items():
        rows = (
            np.asarray(function(pixels.unit_range(images).astype(np.float32)))
            for images in (truth, reconstruction)
        )
        identify(
            name,
            identification.similarity(*(row.reshape(n, -1) for row in rows)),
        )
    return scores


def _ssim_tables(truth, reconstruction, seed):
    n = len(truth)
    order = np.random.default_rng(seed).permutation(n)
    groups = np.array_split(order, -(-n // SSIM_GROUP))
    pairs = [
        pixels.ssim_matrices(truth[group], reconstruction[group])
        for group in groups
    ]
    two_dimensional, one_dimensional = zip(*pairs)
    return {'ssim_2d': two_dimensional, 'ssim_1d': one_dimensional}


def _mean_of_mismatched(tables):
    total = sum(table.sum() - np.trace(table) for table in tables)
    return total / sum(len(table) * (len(table) - 1) for table in tables)

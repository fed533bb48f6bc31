"""Scores as scores.json holds them: a value beside its chance, interval and p.

A score is made from tables: [n, n] scores of every reconstruction, a column,
for every picture, a row, that it might be of; the diagonals are what was
reconstructed. More than one table means that reconstructions are exchanged
only within groups of pictures.
"""

from collections.abc import Sequence

import numpy as np

from brainjax.evaluation import identification, pixels, statistics

Score = dict[str, float | int | str]

# Exchanging reconstructions within groups of pictures keeps the permutation
# test valid while the SSIMs to compute grow with n, not with its square.
SSIM_GROUP = 64
SMALLEST_GROUP = 8
USUAL_PIXELS = 112 * 112


def make_score(
    tables: Sequence[np.ndarray],
    chance: float | None = None,
    *,
    seed: int = 0,
    draws: int = 10_000,
    lower: bool = False,
) -> Score:
    """Makes a score from tables.

    Args:
      tables: see the module.
      chance: None for the mean over all pairs of a picture with the
        reconstruction of another one.
      seed: of the bootstrap and the permutations.
      draws: how many of each.
      lower: whether lower values are better, as of distances; the score then
        says 'better': 'lower'.

    Returns:
      'value', 'chance', 'low', 'high' (95 % bootstrap over pictures), 'p'
      (one-sided permutation test) and 'n' (pictures): plain numbers.
    """
    per_picture = np.concatenate([np.diagonal(table) for table in tables])
    value = per_picture.mean()
    sign = -1 if lower else 1
    null = statistics.permutation_null(tables, draws, seed)
    if chance is None:
        chance = _mean_of_mismatched(tables)
    low, high = statistics.bootstrap_interval(per_picture, seed, draws)
    return {
        'value': float(value),
        'chance': float(chance),
        'low': low,
        'high': high,
        'p': statistics.p_value(sign * value, sign * null),
        'n': len(per_picture),
    } | ({'better': 'lower'} if lower else {})


def _mean_of_mismatched(tables):
    total = sum(table.sum() - np.trace(table) for table in tables)
    return total / sum(len(table) * (len(table) - 1) for table in tables)


def pixel_scores(
    target: np.ndarray,
    reconstruction: np.ndarray,
    *,
    seed: int = 0,
    draws: int = 10_000,
    ssim: Sequence[str] = ('ssim_2d', 'ssim_1d'),
) -> tuple[dict[str, Score], np.ndarray]:
    """PixCorr and SSIM.

    Args:
      target, reconstruction: [n, height, width, 3], see `pixels`.
      seed, draws: of `make_score`.
      ssim: which of the two.

    Returns:
      {'pixcorr': ..., 'ssim_2d': ...}, and the correlations [n, n] of all
      pairs, NaN where a picture is constant. 'pixcorr' also has 'constant',
      the number of such pairs, which count as 0.

    Raises:
      InputError: see `pixels.ssim_2d`.
    """
    pixels.check_pictures(target, reconstruction)
    n = len(target)
    matrix = identification.similarity(
        target.reshape(n, -1), reconstruction.reshape(n, -1)
    )
    constant = pixels.is_constant(target) | pixels.is_constant(reconstruction)
    options = {'seed': seed, 'draws': draws}
    scores = {'pixcorr': make_score([np.nan_to_num(matrix)], **options)}
    scores['pixcorr']['constant'] = int(constant.sum())
    for name, tables in _ssim_tables(target, reconstruction, seed, ssim):
        scores[name] = make_score(tables, **options)
    return scores, matrix


def _ssim_tables(target, reconstruction, seed, names):
    n = len(target)
    size = SSIM_GROUP * USUAL_PIXELS // (target.shape[1] * target.shape[2])
    size = min(max(size, SMALLEST_GROUP), SSIM_GROUP)
    order = np.random.default_rng(seed).permutation(n)
    groups = np.array_split(order, -(-n // size))
    tables = [
        pixels.ssim_matrices(target[group], reconstruction[group], names)
        for group in groups
    ]
    return zip(names, zip(*tables))


def identification_scores(
    name: str, matrix: np.ndarray, *, seed: int = 0, draws: int = 10_000
) -> dict[str, Score]:
    """Two-way and fifty-way identification by one kind of similarity.

    Args:
      name: of the similarity, such as 'pixels' or 'alexnet2'.
      matrix: R [n, n], rows pictures and columns reconstructions.
      seed, draws: of `make_score`.

    Returns:
      {'two_way_NAME', 'fifty_way_NAME'}; with fewer than 50 pictures the
      second is 'all_way_NAME'.
    """
    ways = min(50, len(matrix))
    prefix = 'fifty_way' if ways == 50 else 'all_way'
    return {
        f'{kind}_{name}': make_score(
            [identification.n_way_table(matrix, n)],
            identification.chance(n),
            seed=seed,
            draws=draws,
        )
        for kind, n in (('two_way', 2), (prefix, ways))
    }


def retrieval_scores(
    name: str,
    matrix: np.ndarray,
    *,
    tops: Sequence[int] = (1, 5),
    seed: int = 0,
    draws: int = 10_000,
) -> dict[str, Score]:
    """Exact retrieval among all n pictures, in both directions.

    Args:
      name: of the similarity.
      matrix: R [n, n], rows pictures and columns reconstructions.
      tops: how many guesses; those below n are scored.
      seed, draws: of `make_score`.

    Returns:
      {'top1_picture_NAME': of all pictures the one seen is the most similar
      to its reconstruction, 'top1_reconstruction_NAME': of all
      reconstructions that of a picture is the most similar to it, ...}, and
      'rank_NAME', the place of the picture seen, 1 for the first.
    """
    n = len(matrix)
    options = {'seed': seed, 'draws': draws}
    scores = {}
    for top in tops:
        if top >= n:
            continue
        for what, each in (
            ('picture', matrix),
            ('reconstruction', matrix.T),
        ):
            table = identification.n_way_table(each, n, top)
            guess = identification.chance(n, top)
            scores[f'top{top}_{what}_{name}'] = make_score(
                [table], guess, **options
            )
    places = identification.ranks(matrix).astype(float)
    places[:, np.isnan(matrix).all(axis=0)] = (n + 1) / 2
    scores[f'rank_{name}'] = make_score(
        [places], (n + 1) / 2, lower=True, **options
    )
    return scores

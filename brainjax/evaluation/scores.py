"""Scores as scores.json holds them: a value beside its chance, interval and p.

A score is made from tables: [n, n] scores of every reconstruction, a column,
for every picture, a row, that it might be of; the diagonals are what was
reconstructed. More than one table means that reconstructions are exchanged
only within groups of pictures.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from brainjax.evaluation import identification, pixels, statistics
from brainjax.evaluation.intervals import (
    RATE,
    UNBOUNDED,
    Bounds,
    interval,
)
from brainjax.evaluation.statistics import Score
from brainjax.evaluation.table.score_table import PICTURE_SCORES, SCORES


class Scored(NamedTuple):
    """What a preset gives.

    Attributes:
      scores: name -> score.
      notes: sentences on what was not scored, and why.
      target, reconstruction: [n, height, width, 3] as they were compared.
    """

    scores: dict[str, Score]
    notes: list[str]
    target: np.ndarray
    reconstruction: np.ndarray


# Exchanging reconstructions within subsets of pictures keeps the permutation
# test valid while the pairs to compare grow with n, not with its square.
SUBSET = 64
SMALLEST_SUBSET = 8
USUAL_PIXELS = 112 * 112  # For which SUBSET is meant.


def make_score(
    tables: Sequence[np.ndarray],
    guess: float | None = None,
    *,
    bounds: Bounds = UNBOUNDED,
    rows: Sequence[np.ndarray] | None = None,
    seed: int = 0,
    draws: int = 10_000,
    lower: bool = False,
) -> Score:
    """Makes a score from tables.

    Args:
      tables: see the module.
      guess: what a guess scores, if that is known.
      bounds: the lowest and the highest that a picture can score.
      rows: the pictures of each table, if they are not in order.
      seed: of the bootstrap and the permutations.
      draws: how many of each.
      lower: whether lower values are better, as of distances; the score then
        has 'better': 'lower'.

    Returns:
      'value', 'chance', the mean of what permuted reconstructions score, 'low'
      and 'high', the `interval` over pictures, 'p', one-sided, of the same
      permutations, 'n', the number of pictures: plain numbers. And 'guess'
      where that is not chance: all reconstructions may have in common what
      pleases some pictures, and ties are misses.
    """
    per_picture = np.concatenate([np.diagonal(table) for table in tables])
    value = per_picture.mean()
    sign = -1 if lower else 1
    null = statistics.permutation_null(tables, draws, seed)
    chance = _permuted(tables)
    low, high = interval(per_picture, bounds, seed=seed, draws=draws)
    told = {'better': 'lower'} if lower else {}
    if guess is not None:
        if np.isclose(guess, chance, rtol=1e-9):
            chance = guess
        else:
            told['guess'] = float(guess)
    score = Score(
        value=float(value),
        chance=float(chance),
        low=low,
        high=high,
        p=statistics.p_value(sign * value, sign * null),
        n=len(per_picture),
    )
    if rows is None:
        rows = np.split(
            np.arange(len(per_picture)), np.cumsum([*map(len, tables)])[:-1]
        )
    score.per_picture = per_picture[np.argsort(np.concatenate(rows))]
    # Rows that are exchanged alike are exchanged together.
    family = tuple(row.tobytes() for row in rows)
    score.null = statistics.standardised(sign * value, sign * null, family)
    return score | told


def distance_score(
    table: np.ndarray,
    *,
    picture: np.ndarray,
    most: float = np.inf,
    seed: int = 0,
    draws: int = 10_000,
) -> Score:
    """Makes a score from distances [n, n] of targets and reconstructions.

    Args:
      table: rows targets, columns reconstructions.
      picture: [n] from `pixels.distinct`.
      most: the largest that there is.
      seed, draws: of `make_score`.
    """
    averaged = identification.average_pairs(table, picture)
    return make_score(
        [averaged], bounds=(0, most), lower=True, seed=seed, draws=draws
    )


def exchangeable(picture: np.ndarray, fold: np.ndarray) -> list[np.ndarray]:
    """Groups pictures whose reconstructions may be exchanged.

    A fold's reconstructions lean to what it was trained on, which are the
    pictures of the other folds: given one of those they score higher than
    with nothing decoded at all. Exchanged within their fold they do not.

    Args:
      picture: [n] from `pixels.distinct`.
      fold: [n] which fold made each reconstruction.

    Returns:
      Pictures, of 0 to m - 1, of each group: those of one fold; a picture
      that several folds tested is in a group with others of the same folds.
    """
    tested = np.zeros((picture.max() + 1, fold.max() + 1), bool)
    tested[picture, fold] = True
    label = np.unique(tested, axis=0, return_inverse=True)[1].ravel()
    return [np.flatnonzero(label == i) for i in np.unique(label)]


def _blocks(table, picture, fold):
    """Cuts a table [m, m] to pictures that may be exchanged, and says which."""
    if fold is None:
        return [table], None
    groups = exchangeable(picture, fold)
    return [table[np.ix_(rows, rows)] for rows in groups], groups


def _permuted(tables):
    """The mean of exchanged reconstructions, of all tables."""
    total = sum(table.sum() / len(table) for table in tables)
    return float(total / sum(map(len, tables)))


def pixel_scores(
    target: np.ndarray,
    reconstruction: np.ndarray,
    names: Sequence[str] = PICTURE_SCORES,
    *,
    picture: np.ndarray | None = None,
    fold: np.ndarray | None = None,
    seed: int = 0,
    draws: int = 10_000,
) -> tuple[dict[str, Score], np.ndarray]:
    """Scores of pictures alone.

    Args:
      target, reconstruction: [n, height, width, 3], see `pixels`.
      names: items of `score_table.SCORES` that have a table.
      picture: [n] from `pixels.distinct`, by default of `target`.
      fold: [n] see `exchangeable`, where several fits reconstructed.
      seed, draws: of `make_score`.

    Returns:
      Name -> score, without those of `score_notes.left_out`, and the
      correlations [n, n] of all pairs, NaN where a picture is constant.
      'pixcorr' also has 'constant', the number of such pairs, which count as 0.
    """
    pixels.check_pictures(target, reconstruction)
    picture = pixels.distinct(target) if picture is None else picture
    matrix = pixels.correlations(target, reconstruction)
    scores = {}
    for name in names:
        item = SCORES[name]
        if min(target.shape[1:3]) < item.least:
            continue
        if name == 'pixcorr':
            # Known already, of all pairs: no subsets are needed.
            averaged = identification.average_pairs(
                np.nan_to_num(matrix), picture
            )
            tables, rows = _blocks(averaged, picture, fold)
        else:
            parts = subsets(target, picture, seed, fold=fold)
            rows = [np.unique(picture[i]) for i in parts]
            tables = [
                identification.average_pairs(
                    np.nan_to_num(item.table(target[i], reconstruction[i])),
                    picture[i],
                )
                for i in parts
            ]
        scores[name] = make_score(
            tables,
            bounds=item.bounds,
            rows=rows,
            lower=item.lower,
            seed=seed,
            draws=draws,
        )
    if 'pixcorr' in scores:
        constant = pixels.is_constant(target) | pixels.is_constant(
            reconstruction
        )
        scores['pixcorr']['constant'] = int(constant.sum())
    return scores, matrix


def subsets(
    target: np.ndarray,
    picture: np.ndarray,
    seed: int,
    times: int = 1,
    fold: np.ndarray | None = None,
) -> list[np.ndarray]:
    """Divides targets at random into subsets that are quickly compared.

    All targets that show one picture are in one subset.

    Args:
      target: [n, height, width, 3].
      picture: [n] from `pixels.distinct`.
      seed: of the division.
      times: how many pictures there are in place of one reconstruction.
      fold: [n] see `exchangeable`.

    Returns:
      Indices of each subset, ascending.
    """
    _, height, width, _ = target.shape
    size = SUBSET * USUAL_PIXELS // (height * width * times)
    size = min(max(size, SMALLEST_SUBSET), SUBSET)
    groups = [np.arange(picture.max() + 1)]
    if fold is not None:
        groups = exchangeable(picture, fold)
    rng = np.random.default_rng(seed)
    return [
        np.flatnonzero(np.isin(picture, part))
        for rows in groups
        for part in np.array_split(rng.permutation(rows), -(-len(rows) // size))
    ]


def identification_scores(
    name: str,
    matrix: np.ndarray,
    *,
    picture: np.ndarray | None = None,
    fold: np.ndarray | None = None,
    seed: int = 0,
    draws: int = 10_000,
) -> dict[str, Score]:
    """Two-way and fifty-way identification by one similarity.

    Args:
      name: of the similarity, such as 'pixels' or 'alexnet2'.
      matrix: R [n, n], rows targets and columns reconstructions.
      picture: [n] from `pixels.distinct`, if targets may be the same.
      fold: [n] see `exchangeable`. Pictures of all folds are told apart, and
        reconstructions exchanged within folds, which may score less than a
        guess.
      seed, draws: of `make_score`.

    Returns:
      {'two_way_NAME', 'fifty_way_NAME'}; with fewer than 50 pictures the
      second is 'all_way_NAME'.
    """
    if picture is None:
        picture = np.arange(len(matrix))
    ways = min(50, picture.max() + 1)
    prefix = 'fifty_way' if ways == 50 else 'all_way'
    scores = {}
    for kind, n in (('two_way', 2), (prefix, ways)):
        table = identification.n_way_table(matrix, n, picture=picture)
        tables, rows = _blocks(table, picture, fold)
        scores[f'{kind}_{name}'] = make_score(
            tables,
            identification.chance(n),
            bounds=RATE,
            rows=rows,
            seed=seed,
            draws=draws,
        )
    return scores


def retrieval_scores(
    name: str,
    matrix: np.ndarray,
    *,
    picture: np.ndarray | None = None,
    tops: Sequence[int] = (1, 5),
    seed: int = 0,
    draws: int = 10_000,
) -> dict[str, Score]:
    """Exact retrieval among all n pictures, in both directions.

    Args:
      name: of the similarity.
      matrix: R [n, n], rows targets and columns reconstructions.
      picture: [n] from `pixels.distinct`, if targets may be the same.
      tops: how many guesses; those below the number of pictures are scored.
      seed, draws: of `make_score`.

    Returns:
      {'top1_picture_NAME': of all pictures the one seen is the most similar
      to its reconstruction, 'top1_reconstruction_NAME': of all
      reconstructions that of a picture is the most similar to it, ...}, and
      'rank_NAME', the place of the picture seen, 1 for the first.
    """
    picture = np.arange(len(matrix)) if picture is None else picture
    n = len(np.unique(picture))
    options = {'seed': seed, 'draws': draws}
    scores = {}
    for top in tops:
        if top >= n:
            continue
        shown = identification.n_way_table(matrix, n, top, picture)
        made, guess = identification.found_table(matrix, top, picture)
        scores[f'top{top}_picture_{name}'] = make_score(
            [shown], identification.chance(n, top), bounds=RATE, **options
        )
        # Rows are pictures, as elsewhere: they are permuted together.
        scores[f'top{top}_reconstruction_{name}'] = make_score(
            [made.T], guess, bounds=RATE, **options
        )
    candidates = matrix[identification.first(picture)]
    places = identification.ranks(candidates).astype(float)
    # A reconstruction without contrast scores what a guess would.
    places[:, np.isnan(matrix).all(axis=0)] = (n + 1) / 2
    scores[f'rank_{name}'] = make_score(
        [identification.average_columns(places, picture)],
        (n + 1) / 2,
        bounds=(1, n),
        lower=True,
        **options,
    )
    return scores

"""Identification: which picture was seen, among others?

A similarity matrix R [n, n] holds in its rows the pictures that were seen and
in its columns the reconstructions. Each reconstruction, a column, is compared
with all pictures, and `R[j, j]` is its similarity to the true one. The
transposed matrix answers the other question, which of the reconstructions was
made from a given picture.

Ties count as misses, so that a score cannot gain from them. A similarity that
is not defined is NaN and never chosen; a reconstruction for which none is
defined (one without contrast, for the correlation of pixels) tells nothing
about what was seen, and scores what a guess would.
"""

import functools
import math

import numpy as np
import scipy

from brainjax.errors import InputError
from brainjax.linear import correlation

PICTURES_AT_A_TIME = 1024


def similarity(
    target: np.ndarray, reconstruction: np.ndarray, centre: bool = True
) -> np.ndarray:
    """Pearson correlation of every picture with every reconstruction.

    With constant features the correlation is not defined, and NaN.

    Args:
      target: [n, features] features or pixels of the pictures that were seen.
      reconstruction: [m, features] the same of the reconstructions.
      centre: False for the cosine, which does not subtract the mean over
        features.

    Returns:
      [n, m] float64, see `correlation.all_pairs`.
    """
    target, reconstruction = np.asarray(target), np.asarray(reconstruction)
    if (
        target.ndim != 2
        or reconstruction.ndim != 2
        or target.shape[1] != reconstruction.shape[1]
        or 0 in target.shape + reconstruction.shape
    ):
        raise InputError(
            f'the features of the pictures have shape {target.shape} and those '
            f'of the reconstructions {reconstruction.shape}; give '
            '[pictures, features] with the same features in both.'
        )
    if not (_finite(target) and _finite(reconstruction)):
        raise InputError(
            'the features hold values that are not finite; check the network '
            'or the pictures that they come from.'
        )
    return correlation.all_pairs(
        target, reconstruction, constant=np.nan, centre=centre
    )


def _finite(features):
    # AuditCheck by row, for features that fill much of the memory.
    return all(np.isfinite(row).all() for row in features)


def rank(matrix: np.ndarray) -> np.ndarray:
    """Place of the true picture among all, for each reconstruction.

    Args:
      matrix: R [n, n].

    Returns:
      [n] int, 1 for the most similar to n; ties take the worst place.
    """
    matrix = _check_matrix(matrix)
    matrix = np.where(np.isnan(matrix), -np.inf, matrix)
    return (matrix >= np.diagonal(matrix)).sum(axis=0)


def gallery_rank(
    target: np.ndarray,
    reconstruction: np.ndarray,
    gallery: np.ndarray,
    centre: bool = True,
) -> np.ndarray:
    """Place of the true picture among itself and a gallery of others.

    The gallery is read some pictures at a time, and the similarities are
    counted, not kept: 50,000 pictures need no more memory than a thousand if
    the gallery is mapped from a file.

    Args:
      target: [n, features] of the pictures that were seen.
      reconstruction: [n, features], in the same order.
      gallery: [m, features] of other pictures.
      centre: see `similarity`.

    Returns:
      [n] int, 1 to m + 1; ties take the worst place, and so does a
      reconstruction whose similarity to its picture is not defined. With
      `expected_success(rank - 1, m, n)` this is n-way identification among
      the gallery.
    """
    own = np.concatenate(
        [
            similarity(target[i : i + 1], reconstruction[i : i + 1], centre)[0]
            for i in range(len(target))
        ]
    )
    own = np.nan_to_num(own, nan=-np.inf)
    places = np.ones(len(target), int)
    for start in range(0, len(gallery), PICTURES_AT_A_TIME):
        part = gallery[start : start + PICTURES_AT_A_TIME]
        others = similarity(part, reconstruction, centre)
        places += (np.nan_to_num(others, nan=-np.inf) >= own).sum(axis=0)
    return places


def ranks(matrix: np.ndarray) -> np.ndarray:
    """Place of every picture among all, for each reconstruction.

    Args:
      matrix: R [n, m].

    Returns:
      [n, m] int: [i, j] is 1 if picture i is the most similar to
      reconstruction j; ties take the worst place. The diagonal is `rank`.
    """
    # An undefined similarity is never chosen.
    matrix = np.where(np.isnan(matrix), -np.inf, matrix)
    n = len(matrix)
    places = np.empty(matrix.shape, int)
    for j, column in enumerate(np.sort(matrix, axis=0).T):
        # From the left, so that ties take the worst place.
        places[:, j] = n - np.searchsorted(column, matrix[:, j])
    return places


def n_way_table(
    matrix: np.ndarray,
    n: int,
    top: int = 1,
    picture: np.ndarray | None = None,
) -> np.ndarray:
    """n-way identification for every picture a reconstruction might be of.

    Args:
      matrix: R [N, N].
      n, top: as for `n_way`; two-way identification is n = 2.
      picture: [N] which picture each target shows, from `pixels.distinct`, if
        some show the same; it is no distractor of itself.

    Returns:
      [M, M] float64, M being the number of pictures: [i, j] is the score of
      the reconstructions of picture j if picture i had been seen, as
      `statistics.permutation_null` takes it. The diagonal is `n_way`.
    """
    matrix = _check_matrix(matrix)
    candidates = matrix if picture is None else matrix[first(picture)]
    _check_ways(n, len(candidates))
    success = np.array(_success(len(candidates) - 1, n, top))
    table = success[ranks(candidates) - 1]
    table[:, _undefined(candidates)] = chance(n, top)
    return average_columns(table, picture)


def first(picture: np.ndarray) -> np.ndarray:
    """The first target that shows each picture, [M] places."""
    return np.unique(picture, return_index=True)[1]


def average_columns(
    table: np.ndarray, picture: np.ndarray | None
) -> np.ndarray:
    """Averages over the reconstructions of each picture, [..., N] to [..., M].

    Reconstructions of one picture are not independent: a score counts
    pictures.
    """
    if picture is None or len(first(picture)) == table.shape[1]:
        return table
    member = picture == np.unique(picture)[:, None]
    return table @ (member / member.sum(axis=1, keepdims=True)).T


def average_pairs(table: np.ndarray, picture: np.ndarray | None) -> np.ndarray:
    """Averages scores [N, N] of all pairs over repeats, to [M, M]."""
    return average_columns(average_columns(table, picture).T, picture).T


def found_table(
    matrix: np.ndarray, top: int, picture: np.ndarray | None = None
) -> tuple[np.ndarray, float]:
    """Of all reconstructions, is that of a picture among the most similar?

    Args:
      matrix: R [N, N].
      top: how many guesses are allowed.
      picture: see `n_way_table`; other reconstructions of a picture do not
        compete.

    Returns:
      [M, M] float64, rows reconstructions and columns pictures, and chance.
    """
    if picture is None:
        picture = np.arange(len(matrix))
    columns = _check_matrix(matrix)[first(picture)].T
    undefined = _undefined(columns)
    columns = np.where(np.isnan(columns), -np.inf, columns)
    table = np.empty(columns.shape)
    rivals = picture[:, None] != picture
    for j, column in enumerate(columns.T):
        beaten = (rivals & (column >= column[:, None])).sum(axis=1)
        table[:, j] = beaten < top
    candidates = 1 + rivals.sum(axis=1)
    guess = float(np.mean(np.minimum(top, candidates) / candidates))
    table[:, undefined] = guess
    return average_columns(table.T, picture).T, guess


def two_way(matrix: np.ndarray) -> np.ndarray:
    """Two-way identification, over all n - 1 distractors.

    For reconstruction j the share of the other pictures i for which
    R[i, j] < R[j, j], strictly. Chance is 0.5. If all reconstructions are the
    same picture the mean is exactly 0.5, and that of the transposed R is 0.

    Args:
      matrix: R [n, n].

    Returns:
      [n] float64, 0 to 1.
    """
    matrix = _check_matrix(matrix)
    n = len(matrix)
    score = (n - rank(matrix)) / (n - 1)
    return np.where(_undefined(matrix), 0.5, score)


def n_way(matrix: np.ndarray, n: int, top: int = 1) -> np.ndarray:
    """n-way identification: probability of finding the target among n.

    The exact expectation over all ways to draw the n - 1 distractors from the
    other pictures, without replacement; nothing is sampled. The number of
    drawn pictures that are at least as similar as the true one follows the
    hypergeometric distribution, and the answer is right if it is below `top`.

    Args:
      matrix: R [N, N].
      n: number of candidates, the target included.
      top: how many guesses are allowed.

    Returns:
      [N] float64, 0 to 1.
    """
    matrix = _check_matrix(matrix)
    _check_ways(n, len(matrix))
    success = np.array(_success(len(matrix) - 1, n, top))
    guess = chance(n, top)
    score = success[rank(matrix) - 1]
    return np.where(_undefined(matrix), guess, score)


def expected_success(better: np.ndarray, others: int, n: int, top: int = 1):
    """n-way identification, given how many distractors beat the target.

    Args:
      better: int, how many of all distractors are at least as similar.
      others: how many distractors there are.
      n, top: as for `n_way`; n - 1 distractors are drawn.

    Returns:
      float64 in the shape of `better`, exact as in `n_way`.
    """
    _check_ways(n, others + 1)
    return np.array(_success(others, n, top))[better]


def _check_ways(n, pictures):
    if not 2 <= n <= pictures:
        raise InputError(
            f'{n}-way identification needs 2 to {pictures} pictures to '
            'choose from; set n accordingly.'
        )


@functools.lru_cache
def _success(others, n, top):
    """Probability of success, for each number of better distractors.

    In exact integers; for large pools, where these are huge, from logarithms
    of factorials.
    """
    if others <= 1000:  # Beyond, the integers are huge.
        draws = math.comb(others, n - 1)
        return [
            sum(
                math.comb(better, k) * math.comb(others - better, n - 1 - k)
                for k in range(min(top, n))
            )
            / draws
            for better in range(others + 1)
        ]
    drawn = np.arange(min(top, n))
    return scipy.stats.hypergeom.pmf(
        drawn[:, None], others, np.arange(others + 1), n - 1
    ).sum(axis=0)


def chance(n: int, top: int = 1) -> float:
    """Score of a guess in n-way identification with `top` guesses."""
    return min(top, n) / n


def _undefined(matrix):
    return np.isnan(matrix).all(axis=0)


def _check_matrix(matrix):
    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or len(set(matrix.shape)) != 1 or len(matrix) < 2:
        raise InputError(
            f'the similarities have shape {matrix.shape}; identification '
            'needs as many reconstructions as pictures, and at least two.'
        )
    return matrix

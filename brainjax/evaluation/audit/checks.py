"""Checks of reconstructions against targets and training pictures.

Each is a pure function that returns an `AuditCheck`: a statistic, what it is
compared with, and a verdict in plain words. High identification alone shows
little: a method that names the category and draws any picture of it scores
.95 with ten categories (Shirakawa et al. 2025; Otsuka et al. 2025).

Pictures are compared by the correlation of their pixels at 32 x 32: fine
detail of the right object in the wrong place is not credited here.

Every function takes `target` and `reconstruction`, matched
[n, side, side, 3] float32 in 0..1, and `train`, [m, side, side, 3] of the
pictures shown in training.
"""

from collections.abc import Sequence

import numpy as np

from brainjax.evaluation import identification, statistics
from brainjax.evaluation.audit import (
    AuditCheck,
    not_checked,
    pairwise,
    similarity,
    span,
)
from brainjax.evaluation.intervals import RATE, interval
from brainjax.pictures import duplicates, operations

COPIES = 0.05  # Share of copies beyond that among targets.


def of_pictures(
    target: np.ndarray,
    reconstruction: np.ndarray,
    train: np.ndarray | None,
    categories: Sequence[str] | None,
    seed: int = 0,
) -> list[AuditCheck]:
    """All checks that need pictures alone.

    Args:
      target, reconstruction: see the module.
      train: likewise; None if the training pictures are not known.
      categories: [n] of the true pictures, or None.
      seed: of the bootstrap.
    """
    rows = [within_categories(target, reconstruction, categories, seed)]
    if train is None or not len(train):
        why = 'the training pictures are not known; give --train-pictures.'
        rows += [
            not_checked(check, why)
            for check in (
                'near duplicates',
                'copies of training pictures',
                'nearest training picture',
                'mean picture',
                'true picture among training pictures',
                'span of training pictures',
            )
        ]
    else:
        rows += [
            near_duplicates(target, train),
            copies(target, reconstruction, train),
            nearest(target, reconstruction, train, seed),
            mean_picture(target, reconstruction, train, seed),
            among_training(target, reconstruction, train, seed),
            span.span(target, reconstruction, train),
        ]
    return [*rows, span.effective_rank(target, reconstruction)]


def oracle_score(categories: int, accuracy: float = 1.0) -> float:
    """Two-way identification of who names the category and nothing more.

    0.5 / k + (1 - 1 / k) q, with k equally frequent categories named rightly
    with the probability q.
    """
    return 0.5 / categories + (1 - 1 / categories) * accuracy


def within_categories(
    target: np.ndarray,
    reconstruction: np.ndarray,
    categories: Sequence[str] | None,
    seed: int = 0,
) -> AuditCheck:
    """Is a picture identified among others of its own category?"""
    check = 'beyond the category'
    if categories is None:
        return not_checked(check, 'the categories of the pictures are unknown.')
    labels = np.asarray(categories)
    same = labels[:, None] == labels[None]
    rivals = same.sum(axis=0) - 1
    kept = rivals > 0
    if kept.sum() < 8:  # Too few for an interval.
        return not_checked(
            check,
            f'only {kept.sum()} test pictures share their category with '
            'another.',
        )
    matrix = similarity(target, reconstruction)
    beaten = (matrix < np.diagonal(matrix)) & same
    inside = beaten.sum(axis=0)[kept] / rivals[kept]
    overall = identification.two_way(matrix)
    low, high = interval(inside, RATE, seed=seed)
    value, whole = float(inside.mean()), float(overall.mean())
    number = len(np.unique(labels))
    oracle = oracle_score(number)
    found = (
        f'Two-way identification is {whole:.2f} among all pictures and '
        f'{value:.2f} ({low:.2f} to {high:.2f}) among those of one category; '
        f'naming {number} categories alone would give {oracle:.2f} and .50. '
    )
    above = interval(overall, RATE, seed=seed)[0] > 0.5
    if low > 0.5:
        return AuditCheck(
            check,
            value,
            0.5,
            False,
            f'{found}More than the category is decoded.',
        )
    if above and high < whole:
        return AuditCheck(
            check, value, 0.5, True,
            f'{found}The pictures show the category, and nothing beyond it.',
        )  # fmt: skip
    return AuditCheck(
        check,
        value,
        0.5,
        None,
        f'{found}Too few pictures, or scores at chance: not judged.',
    )


def near_duplicates(target: np.ndarray, train: np.ndarray) -> AuditCheck:
    """Was a test picture, or nearly the same, shown in training?"""
    pairs = duplicates.near(
        operations.to_uint8(train), operations.to_uint8(target)
    )
    found = len({test for _, test in pairs})
    return AuditCheck(
        'near duplicates',
        found / len(target),
        0.0,
        found > 0,
        f'{found} of {len(target)} test pictures nearly equal a training '
        'picture. '
        + (
            'The split leaks: leave them out, or divide anew.'
            if found
            else 'The split does not leak pictures.'
        ),
    )


def copies(
    target: np.ndarray, reconstruction: np.ndarray, train: np.ndarray
) -> AuditCheck:
    """Are the reconstructions training pictures?"""
    ours, theirs = (
        len(
            {
                i
                for _, i in duplicates.near(
                    operations.to_uint8(train), operations.to_uint8(x)
                )
            }
        )
        / len(x)
        for x in (reconstruction, target)
    )
    flagged = ours > theirs + COPIES
    return AuditCheck(
        'copies of training pictures',
        ours,
        theirs,
        flagged,
        f'{ours:.0%} of the reconstructions nearly equal a training picture '
        f'({theirs:.0%} of the true pictures do). '
        + (
            'They are looked up, not reconstructed.'
            if flagged
            else 'They are not looked up.'
        ),
    )


def nearest(
    target: np.ndarray,
    reconstruction: np.ndarray,
    train: np.ndarray,
    seed: int = 0,
) -> AuditCheck:
    """Is a reconstruction closer than the training picture it is most like?"""
    chosen = similarity(train, reconstruction).argmax(axis=0)
    return _compared(
        'nearest training picture',
        target,
        reconstruction,
        train[chosen],
        'the training picture that is most like the reconstruction',
        'Looking up a training picture would do as well.',
        seed,
    )


def mean_picture(
    target: np.ndarray,
    reconstruction: np.ndarray,
    train: np.ndarray,
    seed: int = 0,
) -> AuditCheck:
    """Is a reconstruction closer than the mean training picture?"""
    return _compared(
        'mean picture',
        target,
        reconstruction,
        np.broadcast_to(train.mean(axis=0), target.shape),
        'the mean of all training pictures',
        'One picture for everything would do as well.',
        seed,
    )


def _compared(check, target, reconstruction, other, what, meaning, seed):
    """Compares pixel correlations with those of other pictures."""
    ours, theirs = (pairwise(target, x) for x in (reconstruction, other))
    found = statistics.paired_difference(ours, theirs, seed, bounds=(-2, 2))
    flagged = not found['low'] > 0  # Of NaN, too.
    return AuditCheck(
        check,
        float(ours.mean()),
        float(theirs.mean()),
        flagged,
        f'Pixel correlation {ours.mean():.2f}, that of {what} '
        f'{theirs.mean():.2f} (difference {found["low"]:.2f} to '
        f'{found["high"]:.2f}). '
        + (meaning if flagged else 'The reconstruction is closer.'),
    )


def among_training(
    target: np.ndarray,
    reconstruction: np.ndarray,
    train: np.ndarray,
    seed: int = 0,
) -> AuditCheck:
    """Is the true picture nearer than the training pictures (zero shot)?"""
    own = pairwise(target, reconstruction)
    rivals = similarity(train, reconstruction)
    place = 1 + (rivals >= own).sum(axis=0)
    first = float((place == 1).mean())
    hard = similarity(train, target).argmax(axis=0)
    wins = (own > rivals[hard, np.arange(len(target))]).astype(float)
    low, high = interval(wins, RATE, seed=seed)
    flagged = high < 0.5
    return AuditCheck(
        'true picture among training pictures',
        float(np.median(place)),
        (len(train) + 2) / 2,
        flagged,
        f'Among {len(train)} training pictures the true one takes place '
        f'{np.median(place):g} in the median and the first in {first:.0%}; '
        'against the training picture most like it, it wins in '
        f'{wins.mean():.0%} ({low:.0%} to {high:.0%}; chance 50 %). '
        + (
            'The reconstructions are nearer to training pictures than to '
            'what was seen.'
            if flagged
            else 'They are at least as near to what was seen.'
        ),
    )

"""Checks of reconstructions against targets and training pictures.

Each is a pure function that returns an `AuditCheck`: a statistic, what it is
compared with, and a verdict in plain words. High identification alone shows
little: a method that names the category and draws any picture of it scores
.95 with ten categories (Shirakawa et al. 2025; Otsuka et al. 2025).

Pictures are compared by the correlation of their pixels at 32 x 32: fine
detail of the right object in the wrong place is not credited here. `spaces`
has the same checks by what networks see.

Every function takes `target` and `reconstruction`, matched
[n, side, side, 3] float32 in 0..1, and `train`, [m, side, side, 3] of the
pictures shown in training.
"""

from collections.abc import Sequence

import numpy as np

from brainjax.evaluation import identification, statistics
from brainjax.evaluation.audit import (
    AuditCheck,
    copied,
    low_level,
    not_checked,
    pairwise,
    similarity,
    span,
    too_good,
)
from brainjax.evaluation.intervals import RATE, interval

GAIN = 0.2  # Of two-way identification above .5, that categories may explain.
SHARE = 0.6  # Of it that has to be left within categories.
FEWEST = 8  # Pictures that share their category with another.


def of_pictures(
    target: np.ndarray,
    reconstruction: np.ndarray,
    train: np.ndarray | None,
    categories: Sequence[str] | None,
    seed: int = 0,
    unpaired: np.ndarray | None = None,
    fine: bool = True,
    chosen_from: int = 1,
) -> list[AuditCheck]:
    """All checks that need pictures alone.

    Args:
      target, reconstruction: see the module.
      train: likewise; None if the training pictures are not known.
      categories: [n] of the true pictures, or None.
      seed: of the bootstrap.
      unpaired: [k, side, side, 3] from which the method learned what pictures
        look like, or None.
      fine: whether the pictures seen were as large as those compared.
      chosen_from: of how many each reconstruction was chosen by the target.
    """
    pair, known = (target, reconstruction), train is not None and len(train)
    others = train if known else target
    rows = [
        within_categories(*pair, categories, seed),
        copied.repeated(target),
        too_good.detail(*pair, others, fine),
        too_good.chosen(*pair, others, fine, chosen_from),
    ]
    if known:
        rows += _beside_training(target, reconstruction, train, seed)
    else:
        why = 'the training pictures are not known; give --train-pictures.'
        rows += [not_checked(check, why) for check in _TRAINING]
    if unpaired is not None and len(unpaired):
        rows += [
            copied.near_duplicates(target, unpaired, 'unpaired'),
            copied.copies(*pair, unpaired, 'unpaired'),
        ]
    return [*rows, span.effective_rank(*pair)]


_TRAINING = (
    'near duplicates',
    'copies of training pictures',
    'beyond low-level statistics',
    'nearest training picture',
    'mean picture',
    'true picture among training pictures',
    'span of training pictures',
)


def _beside_training(target, reconstruction, train, seed):
    """The checks of _TRAINING, in that order."""
    pair = target, reconstruction
    return [
        copied.near_duplicates(target, train),
        copied.copies(*pair, train),
        low_level.beyond(*pair, train, seed),
        nearest(*pair, train, seed),
        mean_picture(*pair, train, seed),
        among_training(*pair, train, seed),
        span.span(*pair, train),
    ]


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
    space: str = '',
) -> AuditCheck:
    """Is a picture identified among others of its own category?

    Args:
      target, reconstruction: pictures, or features [n, units].
      categories: [n], or None.
      seed: of the bootstrap.
      space: what the features are called; '' for pixels.
    """
    check = f'beyond the category{space and f" ({space})"}'
    if categories is None:
        return not_checked(check, 'the categories of the pictures are unknown.')
    labels = np.asarray(categories)
    same = labels[:, None] == labels[None]
    rivals = same.sum(axis=0) - 1
    kept = rivals > 0
    if kept.sum() < FEWEST:  # Too few for an interval.
        return not_checked(
            check,
            f'only {kept.sum()} test pictures share their category with '
            'another.',
        )
    matrix = similarity(target, reconstruction)
    beaten = (matrix < np.diagonal(matrix)) & same
    inside = beaten.sum(axis=0)[kept] / rivals[kept]
    whole = float(identification.two_way(matrix).mean())
    level, meaning = low_level.judge(whole, inside, seed, GAIN, SHARE, FEWEST)
    low, high = interval(inside, RATE, seed=seed)
    number = len(np.unique(labels))
    return AuditCheck(
        check,
        float(inside.mean()),
        0.5,
        level,
        f'Two-way identification is {whole:.2f} among all pictures and '
        f'{inside.mean():.2f} ({low:.2f} to {high:.2f}) among those of one '
        f'category; naming {number} categories alone would give '
        f'{oracle_score(number):.2f} and .50. '
        + {
            'ok': 'More than the category is decoded.',
            'flag': 'The pictures show the category, and nothing beyond it.',
            'not judged': meaning,
        }[level],
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
    worse = not found['low'] > 0  # Of NaN, too.
    return AuditCheck(
        check,
        float(ours.mean()),
        float(theirs.mean()),
        'note' if worse else 'ok',
        f'Pixel correlation {ours.mean():.2f}, that of {what} '
        f'{theirs.mean():.2f} (difference {found["low"]:.2f} to '
        f'{found["high"]:.2f}). '
        + (meaning if worse else 'The reconstruction is closer.'),
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
    nearer = high < 0.5
    return AuditCheck(
        'true picture among training pictures',
        float(np.median(place)),
        (len(train) + 2) / 2,
        'note' if nearer else 'ok',
        f'Among {len(train)} training pictures the true one takes place '
        f'{np.median(place):g} in the median and the first in {first:.0%}; '
        'against the training picture most like it, it wins in '
        f'{wins.mean():.0%} ({low:.0%} to {high:.0%}; chance 50 %). '
        + (
            'The reconstructions are nearer to training pictures than to '
            'what was seen.'
            if nearer
            else 'They are at least as near to what was seen.'
        ),
    )

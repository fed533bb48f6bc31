"""Scores of reconstructed pictures, whatever method made them."""

from collections.abc import Callable, Mapping

import numpy as np

from brainjax.errors import InputError
from brainjax.evaluation import identification, pixels
from brainjax.evaluation.score_notes import left_out, on_pictures
from brainjax.evaluation.scores import (
    identification_scores,
    pixel_scores,
)


def check_number(pictures: int, where: str) -> None:
    """Refuses fewer than two pictures; `where` is for the message."""
    if pictures < 2:
        raise InputError(
            f'{where}: there {"is" if pictures else "are"} '
            f'{pictures or "no"} test picture{"" if pictures else "s"}; scores '
            'need at least two, so that one can be identified.'
        )


def check_distinct(picture: np.ndarray) -> None:
    """Refuses fewer than two different targets, see `pixels.distinct`."""
    check_number(len(picture), 'the pictures')
    if not picture.any():
        raise InputError(
            f'All {len(picture)} targets are the same picture; scores need at '
            'least two, so that one can be identified.'
        )


def notes(target: np.ndarray) -> list[str]:
    """Sentences for a report on how `score` scores these targets."""
    return [*on_pictures(pixels.distinct(target)), *left_out(target.shape)]


def score(
    target: np.ndarray,
    reconstruction: np.ndarray,
    *,
    features: Mapping[str, Callable] | None = None,
    fold: np.ndarray | None = None,
    seed: int = 0,
    draws: int = 10_000,
) -> dict[str, dict[str, float | int]]:
    """Scores reconstructions against the pictures that were seen.

    Names: 'pixcorr', 'ssim_2d', 'ssim_1d' (without SSIM where the pictures are
    smaller than its window), 'two_way_pixels', 'fifty_way_pixels', and
    'two_way_NAME' and 'fifty_way_NAME' for each item of `features`. With fewer
    than 50 pictures the fifty-way scores are called 'all_way_...' and identify
    each picture among all others ('n' is their number).

    For every score:
      value: mean over pictures.
      chance: the mean of the reconstructions permuted across stimuli; 0.5 for
        two-way and 1/n for n-way identification, unless ties are many.
      low, high: 95 % interval over pictures, see `intervals.interval`.
      p: one-sided permutation test, which permutes the reconstructions across
        stimuli.
      n: number of pictures.
    Targets that show the same picture, byte by byte, count as one: scores are
    averaged over their reconstructions, and none is a distractor of another.
    'pixcorr' also has 'constant', the number of pairs with a picture of one
    colour, for which the correlation is undefined and taken as 0.

    Args:
      target: [n, height, width, 3] the pictures, floats in 0..1 or uint8.
      reconstruction: the same of the reconstructions, in the same order.
      features: name -> function from images [n, height, width, 3] float32 in
        0..1 to [n, ...] features.
      fold: [n] ints from 0, where several fits reconstructed: p exchanges
        reconstructions within a fold only, and the chance of PixCorr and SSIM
        is over such pairs; see `scores.exchangeable`.
      seed: seed of the bootstrap and the permutations.
      draws: how many of each.

    Returns:
      {name: {'value', 'chance', 'low', 'high', 'p', 'n'}}, plain numbers that
      JSON can hold.
    """
    target, reconstruction = np.asarray(target), np.asarray(reconstruction)
    pixels.check_pictures(target, reconstruction)
    n = len(target)
    picture = pixels.distinct(target)
    check_distinct(picture)
    options = {
        'picture': picture,
        'fold': fold,
        'seed': seed,
        'draws': draws,
    }
    scores, matrix = pixel_scores(target, reconstruction, **options)
    scores |= identification_scores('pixels', matrix, **options)
    for name, function in (features or {}).items():
        rows = (
            np.asarray(function(pixels.unit_range(images).astype(np.float32)))
            for images in (target, reconstruction)
        )
        matrix = identification.similarity(
            *(row.reshape(n, -1) for row in rows)
        )
        scores |= identification_scores(name, matrix, **options)
    return scores

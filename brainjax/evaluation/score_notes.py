"""Sentences on what of a set of pictures was not scored as usual, and why."""

from collections.abc import Sequence

import numpy as np

from brainjax.evaluation.intervals import FEWEST
from brainjax.evaluation.table.score_table import PICTURE_SCORES, SCORES


def left_out(
    shape: Sequence[int], names: Sequence[str] = PICTURE_SCORES
) -> list[str]:
    """Sentences on the scores that pictures are too small for.

    Args:
      shape: [n, height, width, 3] of the pictures.
      names: of the scores.
    """
    height, width = shape[1:3]
    return [
        f'{SCORES[name].title} is not scored: the pictures are {height} x '
        f'{width} pixels and its window has {SCORES[name].least}.'
        for name in names
        if min(height, width) < SCORES[name].least
    ]


def on_pictures(picture: np.ndarray) -> list[str]:
    """Sentences on targets that show the same picture, and on few pictures.

    Args:
      picture: [n] from `pixels.distinct`.
    """
    n, m = len(picture), len(np.unique(picture))
    found = []
    if n > m:
        found.append(
            f'{n} targets show {m} different pictures. Scores are averaged '
            'over the reconstructions of a picture, which is no distractor of '
            'itself; n counts pictures.'
        )
    if m < FEWEST:
        found.append(
            f'No score has an interval: {m} pictures do not say how scores '
            f'vary; it takes {FEWEST}.'
        )
    return found

"""Scores of decoded features, layer by layer, as the field prints them.

A layer is read some channels at a time, and its training pictures some at a
time where a channel of all of them is too much.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from brainjax.evaluation import features as scores
from brainjax.evaluation import identification
from brainjax.io import feature_folders, memory
from brainjax.io.feature_folders import Layer

UNITS_AT_A_TIME = 2**18  # Of all test pictures, at most.
# What a value takes: as it is read, twice, and in float64 on its way.
_BYTES = 40
COLUMNS = (
    *('layer', 'units', 'pictures', 'profile_correlation'),
    *('median_profile_correlation', 'pattern_correlation', 'two_way'),
)


class LayerScores(NamedTuple):
    """How well the features of a layer were decoded.

    Attributes:
      profile: [units] correlation over pictures of each unit; NaN for one that
        does not vary.
      pattern: [n] correlation over units of each picture, z-scored with mean
        and standard deviation of the training pictures' true features; NaN
        without these.
      similarity: [n, n] correlation of raw true (rows) and decoded patterns.
    """

    profile: np.ndarray
    pattern: np.ndarray
    similarity: np.ndarray


def score_layer(
    decoded: Layer,
    true: Layer,
    names: Sequence[str],
    train: Layer | None = None,
    train_names: Sequence[str] = (),
    allowed: float = 2**62,
) -> LayerScores:
    """Scores features on disk, some channels at a time.

    Args:
      decoded, true: of the test pictures.
      names: of these.
      train: true features of the training pictures; None for no z-scores.
      train_names: of these.
      allowed: bytes of memory beyond the result, at least those of a channel
        of the test pictures.
    """
    units = memory.how_many(allowed, _BYTES * len(names), UNITS_AT_A_TIME)
    portions = [*feature_folders.portions(true, units)]

    def blocks() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start, stop in portions:
            yield tuple(
                _flat(layer, names, start, stop) for layer in (decoded, true)
            )

    profile = [scores.profile_correlation(*block) for block in blocks()]
    pattern = np.full(len(names), np.nan)
    if train is not None:
        mean, std = _statistics(train, train_names, portions, allowed)
        matrix = scores.pattern_similarity(blocks(), mean, std)
        pattern = np.diagonal(matrix)
    return LayerScores(
        np.concatenate(profile), pattern, scores.pattern_similarity(blocks())
    )


def _flat(layer: Layer, names: Sequence[str], start: int, stop: int):
    part = feature_folders.read(layer, names, start, stop)
    return part.reshape(len(names), -1)


def _statistics(
    train: Layer,
    names: Sequence[str],
    portions: Iterable[tuple[int, int]],
    allowed: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each unit over training pictures."""
    each = math.prod(train.shape[1:])
    means, stds = [], []
    for start, stop in portions:
        step = memory.how_many(
            allowed, _BYTES * (stop - start) * each, len(names)
        )
        some = [names[i : i + step] for i in range(0, len(names), step)]

        def parts(start=start, stop=stop, some=some):
            for chosen in some:
                yield _flat(train, chosen, start, stop)

        mean = sum(x.sum(axis=0, dtype=np.float64) for x in parts())
        mean /= len(names)
        # A second pass: squares less the square of a mean lose digits.
        spread = sum(np.square(x - mean).sum(axis=0) for x in parts())
        means.append(mean)
        stds.append(np.sqrt(spread / (len(names) - 1)))
    return np.concatenate(means), np.concatenate(stds)


def rows(found: Iterable[tuple[str, LayerScores]]) -> Iterator[tuple]:
    """Yields a row of COLUMNS for each layer; nothing where undefined."""
    for layer, each in found:
        profile = each.profile[np.isfinite(each.profile)]
        pattern = each.pattern[np.isfinite(each.pattern)]
        numbers = (
            profile.mean() if profile.size else None,
            np.median(profile) if profile.size else None,
            pattern.mean() if pattern.size else None,
            identification.two_way(each.similarity).mean(),
        )
        yield (
            layer,
            len(each.profile),
            len(each.pattern),
            *('' if x is None else f'{x:.4f}' for x in numbers),
        )

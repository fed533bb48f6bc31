"""Scores of decoded features, layer by layer, as the field prints them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from brainjax.evaluation import features as scores
from brainjax.evaluation import identification
from brainjax.io import feature_folders
from brainjax.io.feature_folders import Layer

UNITS_AT_A_TIME = 2**18  # Of all test pictures, in memory.
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
) -> LayerScores:
    """Scores features on disk, some channels at a time.

    Args:
      decoded, true: of the test pictures.
      names: of these.
      train: true features of the training pictures; None for no z-scores.
      train_names: of these.
    """

    def blocks() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start, stop in feature_folders.portions(true, UNITS_AT_A_TIME):
            yield tuple(
                _flat(layer, names, start, stop) for layer in (decoded, true)
            )

    profile = [scores.profile_correlation(*block) for block in blocks()]
    pattern = np.full(len(names), np.nan)
    if train is not None:
        mean, std = _statistics(train, train_names)
        matrix = scores.pattern_similarity(blocks(), mean, std)
        pattern = np.diagonal(matrix)
    return LayerScores(
        np.concatenate(profile), pattern, scores.pattern_similarity(blocks())
    )


def _flat(layer: Layer, names: Sequence[str], start: int, stop: int):
    part = feature_folders.read(layer, names, start, stop)
    return part.reshape(len(names), -1)


def _statistics(train: Layer, names: Sequence[str]):
    """Mean and standard deviation of each unit over training pictures."""
    means, stds = [], []
    step = max(1, 2**25 // len(names))
    for start, stop in feature_folders.portions(train, step):
        part = _flat(train, names, start, stop)
        means.append(part.mean(axis=0, dtype=np.float64))
        stds.append(part.std(axis=0, ddof=1, dtype=np.float64))
    return np.concatenate(means), np.concatenate(stds)


def rows(found: Mapping[str, LayerScores]) -> Iterator[tuple]:
    """Yields a row of COLUMNS for each layer; nothing where undefined."""
    for layer, each in found.items():
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

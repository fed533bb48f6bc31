"""What the self-supervised method tells of the depth that it decodes."""

from typing import NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from brainjax import evaluation
from brainjax.methods.data import Data, Figure
from brainjax.methods.selfsup import channels
from brainjax.methods.selfsup.method import Fitted, reconstruct_all

SCORES = ('pixcorr', 'two_way_pixels')
SHOWN = 20  # Maps in the figure.


class Depth(NamedTuple):
    """Decoded depth of the test pictures.

    Attributes:
      maps: [n, size, size] float32 in 0..1.
      scores: name -> as in scores.json.
      figures: for the report.
    """

    maps: np.ndarray
    scores: dict[str, dict[str, float]]
    figures: list[Figure]


def of(fitted: Fitted, data: Data, config: ConfigDict) -> Depth | None:
    """Scores the depth that is decoded beside colours; None if there is none.

    Depth that is decoded alone is the picture itself, and scored as such.
    """
    if channels.number(config) != 4:
        return None
    target = data.recording.stimuli.depth[data.test.stimulus] / np.float32(255)
    maps = reconstruct_all(fitted, data.test.fmri, config)[..., 3]
    return Depth(
        jax.device_get(maps),
        score(target, maps, config.seed),
        [
            Figure(
                'Decoded depth',
                'How near each place of the test pictures is, white the '
                'nearest: as its map says, and as decoded.',
                'montage',
                {
                    'target': grey(target[:SHOWN]),
                    'reconstructions': {'decoded': grey(maps[:SHOWN])},
                    'first': 'true',
                },
            )
        ],
    )


def score(
    target: np.ndarray, maps: np.ndarray, seed: int, name: str = 'depth'
) -> dict[str, dict[str, float]]:
    """Correlation of depth maps, and telling the true one from another.

    Args:
      target, maps: [n, size, size] in 0..1.
      seed: of bootstrap and permutations.
      name: what names of scores begin with.
    """
    found = evaluation.score(grey(target), grey(maps), seed=seed)
    return {f'{name}_{key}': found[key] for key in SCORES}


def grey(maps: np.ndarray) -> np.ndarray:
    """Returns maps [n, height, width] as pictures [n, height, width, 3]."""
    return np.repeat(np.float32(maps)[..., None], 3, axis=-1)

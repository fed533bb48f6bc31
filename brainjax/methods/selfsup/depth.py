"""What the self-supervised method tells of the depth that it decodes."""

import functools
from typing import NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from brainjax import evaluation
from brainjax.methods.data import Data, Figure
from brainjax.methods.selfsup.method import Fitted, reconstruct_all
from brainjax.networks import weights
from brainjax.networks.backbones import midas
from brainjax.training.batches import map_batches

SCORES = ('pixcorr', 'two_way_pixels')
SHOWN = 20  # Maps in the figure.
_LABELS = {'depth': 'decoded', 'sequential_depth': 'from decoded colours'}


class Depth(NamedTuple):
    """Decoded depth of the test pictures.

    Attributes:
      maps: name -> [n, size, size] float32 in 0..1.
      scores: name -> as in scores.json.
      figures: for the report.
    """

    maps: dict[str, np.ndarray]
    scores: dict[str, dict[str, float]]
    figures: list[Figure]


def of(fitted: Fitted, data: Data, config: ConfigDict) -> Depth | None:
    """Scores the depth that is decoded beside colours, or estimated from them.

    Depth that is decoded alone is the picture itself, and scored as such.

    Returns:
      None if there is no depth.
    """
    found, told = {}, data.recording.stimuli.depth
    images = jax.device_get(reconstruct_all(fitted, data.test.fmri, config))
    if images.shape[-1] == 4:
        found['depth'] = images[..., 3]
    if config.depth.network and images.shape[-1] > 1:
        params = weights.load(config.depth.network)
        found['sequential_depth'] = estimate(params, images[..., :3])
    if not found:
        return None
    seen = data.test.stimulus
    if told is None:
        pictures = data.recording.stimuli.images[seen] / np.float32(255)
        target = estimate(params, pictures)
    else:
        target = told[seen] / np.float32(255)
    scores, shown = {}, {}
    for name, maps in found.items():
        scores |= score(target, maps, config.seed, name)
        shown[_LABELS[name]] = grey(maps[:SHOWN])
    return Depth(
        found,
        scores,
        [
            Figure(
                'Depth',
                'How near each place of the test pictures is, white the '
                'nearest: as its map says, as decoded, and as a network '
                'estimates it from the picture that was decoded.',
                'montage',
                {
                    'target': grey(target[:SHOWN]),
                    'reconstructions': shown,
                    'first': 'true',
                },
            )
        ],
    )


def estimate(params: midas.Params, images: np.ndarray) -> np.ndarray:
    """MiDaS's depth of pictures [n, size, size, 3] in 0..1, some at a time."""
    return map_batches(functools.partial(midas.estimate, params), images, 8)


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

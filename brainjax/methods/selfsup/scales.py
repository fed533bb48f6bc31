"""Means over the training pictures by which the image loss divides."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from brainjax.methods.selfsup import channels
from brainjax.methods.selfsup.data import TrainingData
from brainjax.training.batches import BATCH


def of(
    config: ConfigDict, data: TrainingData, features: Callable
) -> dict[str, Any]:
    """What pixels and, by Beliy et al. 2019, features are divided by.

    Of pixels it may be stored in a file; see `channels.stored_scale`.

    Args:
      config: of the experiment.
      data: of `split`.
      features: uint8 pictures -> those that the image loss compares.
    """
    shown = data.paired.stimulus
    scale = channels.stored_scale(config)
    if scale is None:
        colour = _mean_colour(data.images, shown) / 255
        scale = np.maximum(colour, 1e-6).astype(np.float32)
    found = {'pixel_scale': scale}
    if config.image_loss.distance == 'absolute':
        found['feature_scales'] = _feature_scales(features, data.images, shown)
    return found


def _mean_colour(images, stimulus):
    """Mean of each channel over the pictures of all trials, float64."""
    shown, count = np.unique(stimulus, return_counts=True)
    mean = [images[i].mean(axis=(0, 1)) for i in shown]
    return np.average(mean, axis=0, weights=count)


def _feature_scales(features, images, stimulus):
    total = None
    for start in range(0, len(stimulus), BATCH):
        part = images[stimulus[start : start + BATCH]]
        sums = jax.tree.map(
            lambda x: jnp.sum(jnp.abs(x).mean(axis=(1, 2)), axis=0),
            features(part),
        )
        total = sums if total is None else jax.tree.map(jnp.add, total, sums)
    return jax.tree.map(lambda x: np.maximum(x / len(stimulus), 1e-6), total)

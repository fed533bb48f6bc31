"""Latents of faces beside voxels: the map, and what is decoded with it.

Learned latents and principal components go the same way.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from ml_collections import ConfigDict

from brainjax.linear import latents, scaling
from brainjax.recordings import Recording, normalise
from brainjax.recordings.stored import mean_and_deviation
from brainjax.training.loop import History


class Space(NamedTuple):
    """Latents of pictures, and the map between them and voxels.

    Attributes:
      encode: pictures [n, size, size, 3] uint8 -> latents [n, K].
      generate: latents -> pictures, floats in 0..1.
      latents: [training stimuli, K].
      weights: [K + 1, voxels], the bias last.
      baseline: [voxels] mean response to training faces, which normalising
        takes away, in the normalised unit.
    """

    encode: Callable[[np.ndarray], np.ndarray]
    generate: Callable[[np.ndarray], np.ndarray]
    latents: np.ndarray
    weights: np.ndarray
    baseline: np.ndarray


class Fitted(NamedTuple):
    """The VAE-GAN's latents, the baseline's, and how they came about.

    Attributes:
      vaegan, pca: the two kinds of latents.
      shown: [training stimuli] their rows among the recording's stimuli.
      history: of the VAE-GAN's training; empty where it was loaded.
      notes: sentences.
    """

    vaegan: Space
    pca: Space
    shown: np.ndarray
    history: History
    notes: list[str]


def map_voxels(
    recording: Recording,
    images: np.ndarray,
    config: ConfigDict,
    encode: Callable[[np.ndarray], np.ndarray],
    generate: Callable[[np.ndarray], np.ndarray],
) -> Space:
    """Fits responses from latents.

    Args:
      recording: it is normalised here, but for the voxels' mean responses,
        without which the published inversion cannot find the constant.
      images: [n, size, size, 3] of its training stimuli, in ascending order.
      config: see `faces_config.vanrullen2019`.
      encode, generate: as in `Space`.
    """
    mean, deviation = mean_and_deviation(recording.train.fmri)
    baseline = np.float32(mean / deviation)
    train = normalise(recording).train
    known = encode(images)
    weights = latents.fit(
        known[np.unique(train.stimulus, return_inverse=True)[1]],
        np.asarray(train.fmri) + baseline,
        ridge=config.map.ridge,
    )
    return Space(encode, generate, known, weights, baseline)


def decode(
    space: Space,
    fmri: np.ndarray,
    config: ConfigDict,
    voxels: np.ndarray | slice = slice(None),
    inversion: str = '',
) -> np.ndarray:
    """Finds latents of responses.

    Args:
      space: from `map_voxels`.
      fmri: [trials, voxels], normalised.
      config: see `faces_config.vanrullen2019`.
      voxels: which of them to use.
      inversion: in place of `config.map.inversion`.

    Returns:
      [trials, K] float32.
    """
    responses = (fmri + space.baseline)[:, voxels]
    weights = space.weights[:, voxels]
    mean = space.latents.mean(axis=0)
    if (inversion or config.map.inversion) == 'published':
        found = latents.invert(weights, responses)
    else:
        flat = np.ones(weights.shape[1], np.float32)
        found = latents.invert_map(weights, responses, flat)
    if config.map.rescale:
        known = scaling.reference(space.latents - mean)
        found = scaling.scale(found - mean, known, 'about_zero') + mean
    return found

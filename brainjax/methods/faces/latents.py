"""Latents of faces beside voxels: the map, and what is decoded with it.

Learned latents and principal components go the same way.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from ml_collections import ConfigDict

from brainjax.linear import latents, scaling
from brainjax.methods.data import Data
from brainjax.methods.faces import voxels as faces_voxels
from brainjax.recordings.on_disk import mean_and_std
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
      noise: [voxels] variance that the map leaves of single training trials.
      gain: [voxels] share of the variance that the latents explain, see
        `faces_voxels.gain`.
      voxels: ascending indices of those that are used.
    """

    encode: Callable[[np.ndarray], np.ndarray]
    generate: Callable[[np.ndarray], np.ndarray]
    latents: np.ndarray
    weights: np.ndarray
    baseline: np.ndarray
    noise: np.ndarray
    gain: np.ndarray
    voxels: np.ndarray


class Fitted(NamedTuple):
    """The VAE-GAN's latents, the baseline's, and how they came about.

    Attributes:
      vaegan, pca: the two kinds of latents.
      shown: [training stimuli] their rows among the recording's stimuli.
      repeats: trials of a test face, on average.
      history: of the VAE-GAN's training; empty where it was loaded.
      notes: sentences.
    """

    vaegan: Space
    pca: Space
    shown: np.ndarray
    repeats: float
    history: History
    notes: list[str]


def map_voxels(
    data: Data,
    images: np.ndarray,
    config: ConfigDict,
    encode: Callable[[np.ndarray], np.ndarray],
    generate: Callable[[np.ndarray], np.ndarray],
) -> Space:
    """Fits responses from latents, and chooses voxels.

    Args:
      data: of the run. The voxels' mean responses, which normalising takes
        away, are added again: the published inversion finds the constant by
        them.
      images: [n, size, size, 3] of its training stimuli, in ascending order.
      config: see `faces_config.vanrullen2019`.
      encode, generate: as in `Space`.
    """
    mean, deviation = mean_and_std(data.recording.train.fmri)
    baseline = np.float32(mean / deviation)
    train = data.normalised.train
    known = encode(images)
    seen = known[np.unique(train.stimulus, return_inverse=True)[1]]
    responses = np.asarray(train.fmri) + baseline
    weights = latents.fit(seen, responses, ridge=config.map.ridge)
    noise = latents.residual_variance(weights, seen, responses)
    gain = faces_voxels.gain(noise, len(train))
    return Space(
        encode,
        generate,
        known,
        weights,
        baseline,
        noise,
        gain,
        faces_voxels.choose(gain, config.map.voxels),
    )


def decode(
    space: Space,
    fmri: np.ndarray,
    config: ConfigDict,
    repeats: float,
    *,
    voxels: np.ndarray | None = None,
    imagined: bool = False,
) -> np.ndarray:
    """Finds latents of responses.

    Args:
      space: from `map_voxels`.
      fmri: [trials, voxels], normalised.
      config: see `faces_config.vanrullen2019`.
      repeats: how many trials each response is the average of.
      voxels: indices of those to use in place of the chosen ones.
      imagined: whether the faces were imagined. The mean face then is weaker
        too, and the constant is always found.

    Returns:
      [trials, K] float32.
    """
    voxels = space.voxels if voxels is None else voxels
    responses = (fmri + space.baseline)[:, voxels]
    weights = space.weights[:, voxels]
    inversion = config.map.inversion
    if inversion == 'most_probable':
        found = latents.most_probable(
            weights,
            responses,
            space.noise[voxels] / np.float32(repeats),
            space.latents,
            find_constant=imagined,
        )
    elif inversion == 'published' or imagined:
        found = latents.invert(weights, responses)
    else:
        flat = np.ones(weights.shape[1], np.float32)
        found = latents.invert_map(weights, responses, flat)
    if config.map.rescale:
        mean = space.latents.mean(axis=0)
        known = scaling.reference(space.latents - mean)
        found = scaling.scale(found - mean, known, 'about_zero') + mean
    return found

"""What the map between latents and voxels tells of each voxel."""

import numpy as np

from brainjax.evaluation.voxels.encoding import voxel_correlation
from brainjax.linear import latents
from brainjax.methods.faces.latents import Space
from brainjax.recordings import Trials


def of_map(
    space: Space, images: np.ndarray, test: Trials
) -> dict[str, np.ndarray]:
    """How well latents tell responses, and which voxels tell latents.

    Args:
      space: of the VAE-GAN.
      images: [n, size, size, 3] uint8 of the test faces.
      test: their responses, normalised and averaged.
    """
    predicted = latents.predict(space.weights, space.encode(images))
    spread = space.latents - space.latents.mean(axis=0)
    explained = spread @ space.weights[:-1]
    used = np.zeros(len(space.gain))
    used[space.voxels] = 1
    return {
        'encoder_correlation': voxel_correlation(predicted, test.fmri),
        'encoder_weight': explained.std(axis=0),
        'latent_variance': space.gain,
        'selected': used,
    }

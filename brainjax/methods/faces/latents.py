"""The linear map between latents of faces and voxels, and its inversion.

The VAE-GAN's latents and principal components go the same way.

Voxels are chosen by training trials alone, for each kind of latents apart, as
the authors' files do (ROI_VAEGAN.mat and ROI_PCA.mat; faces spec section 5).
The published choice asks for a response to faces versus rest too, which single
trials, estimated as they are in different ways, do not tell.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from ml_collections import ConfigDict

from brainjax.linear import latents, scaling
from brainjax.recordings import Trials

_MOST_ROIS = 8  # That a sentence names.


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
        `explained`.
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


def fit_map(
    images: np.ndarray,
    train: Trials,
    baseline: np.ndarray,
    config: ConfigDict,
    encode: Callable[[np.ndarray], np.ndarray],
    generate: Callable[[np.ndarray], np.ndarray],
) -> Space:
    """Fits responses from latents, and chooses voxels.

    Args:
      images: [n, size, size, 3] uint8 of the training stimuli, ascending.
      train: their trials, normalised but for `baseline`, which was added
        again: the published inversion finds the constant by it.
      baseline: [voxels] as in `Space`.
      config: see `faces.config.vanrullen2019`.
      encode, generate: as in `Space`.
    """
    known = encode(images)
    shown = known[np.unique(train.stimulus, return_inverse=True)[1]]
    weights = latents.fit(shown, train.fmri, ridge=config.map.ridge)
    noise = latents.residual_variance(weights, shown, train.fmri)
    gain = explained(noise, len(train))
    return Space(
        encode,
        generate,
        known,
        weights,
        baseline,
        noise,
        gain,
        choose_voxels(gain, config.map.voxels),
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
    """Finds the latents of responses.

    Args:
      space: from `fit_map`.
      fmri: [trials, voxels], normalised.
      config: see `faces.config.vanrullen2019`.
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
        # The same noise in all voxels is least squares with a known constant.
        flat = np.ones(weights.shape[1], np.float32)
        found = latents.invert_map(weights, responses, flat)
    if config.map.rescale:
        mean = space.latents.mean(axis=0)
        known = scaling.reference(space.latents - mean)
        found = scaling.scale(found - mean, known, 'about_zero') + mean
    return found


def explained(noise: np.ndarray, trials: int) -> np.ndarray:
    """Share of each voxel's variance that only the latents explain, [voxels].

    The adjusted R^2: corrected for the number of latents, as `glm.gain`, so
    that it is 0 on average where they explain nothing.

    Args:
      noise: [voxels] unbiased variance that they leave, of responses with
        variance 1 (division by `trials`).
      trials: how many they are fitted to.
    """
    return 1 - noise * (trials - 1) / trials


def number_of_voxels(voxels: int, share: float) -> int:
    """Returns how many of so many voxels a share is, at least one."""
    # Rounded first, for .07 x 1000 is 70.00000000000001.
    return max(1, math.ceil(round(share * voxels, 6)))


def choose_voxels(gain: np.ndarray, share: float) -> np.ndarray:
    """Returns the ascending indices of the voxels with the greatest gain.

    Args:
      gain: [voxels] from `explained`.
      share: of the voxels, above 0 and up to 1.
    """
    best = np.argsort(-gain, kind='stable')
    return np.sort(best[: number_of_voxels(len(gain), share)])


def describe_choice(
    chosen: np.ndarray, gain: np.ndarray, rois: Mapping[str, np.ndarray]
) -> str:
    """Says which voxels are used, in which ROIs, and what latents explain.

    Args:
      chosen: indices of voxels, from `choose_voxels`.
      gain: [voxels] from `explained`.
      rois: name -> [voxels] bool.
    """
    if len(chosen) == len(gain):
        return f'all {len(gain)} voxels are used.'
    counts = {name: int(mask[chosen].sum()) for name, mask in rois.items()}
    named = sorted(counts, key=lambda name: -counts[name])[:_MOST_ROIS]
    within = ', '.join(
        f'{name} {counts[name]} of {int(rois[name].sum())}' for name in named
    )
    if len(counts) > len(named):
        within += f' and {len(counts) - len(named)} more ROIs'
    return (
        f'{len(chosen)} of {len(gain)} voxels were chosen by training trials'
        f'{f" ({within})" if within else ""}; of the variance of such trials '
        f'latents explain {np.median(gain[chosen]):.3f} in them and '
        f'{np.median(gain):.3f} in all voxels (medians, corrected for the '
        'number of latents).'
    )

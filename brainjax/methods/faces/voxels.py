"""The choice of voxels that the map of faces uses, by training trials alone.

Each kind of latents has its own choice, as the authors' files do
(ROI_VAEGAN.mat and ROI_PCA.mat; faces spec section 5). The published choice
asks for a response to faces versus rest too, which single trials, estimated
as they are in different ways, do not tell.
"""

import math
from collections.abc import Mapping

import numpy as np

_MOST_ROIS = 8  # That a sentence names.


def number(voxels: int, share: float) -> int:
    """Returns how many of so many voxels a share is, at least one."""
    return max(1, math.ceil(round(share * voxels, 6)))


def gain(noise: np.ndarray, trials: int) -> np.ndarray:
    """Share of each voxel's variance that only the latents explain, [voxels].

    Corrected for their number, as `glm.gain`: 0 on average where they explain
    nothing.

    Args:
      noise: [voxels] unbiased variance that they leave, of responses with
        variance 1 (division by `trials`).
      trials: how many they are fitted to.
    """
    return 1 - noise * (trials - 1) / trials


def choose(gained: np.ndarray, share: float) -> np.ndarray:
    """Returns the ascending indices of the voxels with the greatest gain.

    Args:
      gained: [voxels] from `gain`.
      share: of the voxels, above 0 and up to 1.
    """
    best = np.argsort(-gained, kind='stable')
    return np.sort(best[: number(len(gained), share)])


def describe(
    chosen: np.ndarray, gained: np.ndarray, rois: Mapping[str, np.ndarray]
) -> str:
    """Says which voxels are used, in which ROIs, and what latents explain.

    Args:
      chosen: indices of voxels, from `choose`.
      gained: [voxels] from `gain`.
      rois: name -> [voxels] bool.
    """
    if len(chosen) == len(gained):
        return f'all {len(gained)} voxels are used.'
    counts = {name: int(mask[chosen].sum()) for name, mask in rois.items()}
    named = sorted(counts, key=lambda name: -counts[name])[:_MOST_ROIS]
    within = ', '.join(
        f'{name} {counts[name]} of {int(rois[name].sum())}' for name in named
    )
    if len(counts) > len(named):
        within += f' and {len(counts) - len(named)} more ROIs'
    return (
        f'{len(chosen)} of {len(gained)} voxels were chosen by training trials'
        f'{f" ({within})" if within else ""}; of the variance of such trials '
        f'latents explain {np.median(gained[chosen]):.3f} in them and '
        f'{np.median(gained):.3f} in all voxels (medians, corrected for the '
        'number of latents).'
    )

"""How much each voxel moves the pictures that a decoder makes.

Gaziv et al. 2022 speak of a voxel's influence on the reconstruction and leave
the measure open. Here it is the root mean square, over pixels and responses,
of the derivative of the picture by the voxel: what one standard deviation of
the voxel changes, while all others stay, to first order.

The sum of squares over pixels is not computed pixel by pixel: for signs s that
are drawn at random, E[(s' J)^2] is the sum over pixels of J^2 (Hutchinson
1990), and one product s' J tells it of all voxels at once.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from brainjax.linear.arrays import evenly
from brainjax.training.batches import map_batches

PROBES = 8  # Random signs for each response.
RESPONSES = 100  # At the most; more hardly change a mean.
AT_A_TIME = 16


def influence(
    decode: Callable[[Any, jax.Array], jax.Array],
    variables: Any,
    fmri: np.ndarray,
    seed: int = 0,
) -> np.ndarray:
    """Returns each voxel's influence on the pictures, [voxels] float32.

    Args:
      decode: variables, fMRI [n, voxels] -> pictures [n, height, width, 3] in
        0..1; each picture follows from its own response alone. It must be
        hashable, as a method of a Flax module is.
      variables: of the decoder.
      fmri: [n, voxels], z-scored, where the derivatives are taken.
      seed: of the signs.
    """
    some = np.float32(fmri[evenly(len(fmri), RESPONSES)])
    total = 0.0
    for key in jax.random.split(jax.random.key(seed), PROBES):
        squares = map_batches(
            functools.partial(_squares, decode, variables, key), some, AT_A_TIME
        )
        total += squares.mean(axis=0, dtype=np.float64)
    return np.float32(np.sqrt(total / PROBES))


@functools.partial(jax.jit, static_argnums=0)
def _squares(decode, variables, key, fmri):
    """Means over pixels of squared derivatives, [n, voxels], by one draw."""
    images, slopes = jax.vjp(lambda x: decode(variables, x), fmri)
    signs = jax.random.rademacher(key, images.shape, images.dtype)
    (found,) = slopes(signs)
    return jnp.square(found) / (images.size / len(images))

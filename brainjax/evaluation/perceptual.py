"""LPIPS: how alike pictures look to VGG16 or AlexNet (Zhang et al. 2018).

Version 0.1. With f_l the features of layer l, scaled to unit length over
channels (1e-10 added to the length), and H W their places,

  d(x, y) = sum_l 1/(H W) sum_places sum_c w_lc (f_lc(x) - f_lc(y))^2

where w are the learned heads, or 1 without them ('baseline', the measure of
the n-way identification of Gaziv et al. 2022). So LPIPS is a squared distance
between embeddings sqrt(w / (H W)) f, and all pairs come from their inner
products. Layers are relu1_2 to relu5_3 of VGG16 and relu1 to relu5 of
AlexNet; the input is normalised by ImageNet's mean and deviation.
"""

import functools
from collections.abc import Iterator, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from brainjax.evaluation import pixels
from brainjax.networks.backbones import BACKBONES

TAPS = {
    'vgg16': ('relu1_2', 'relu2_2', 'relu3_3', 'relu4_3', 'relu5_3'),
    'alexnet': ('relu1', 'relu2', 'relu3', 'relu4', 'relu5'),
}

BATCH = 8  # Pictures in the network at a time.
LARGEST = 2**30  # Bytes of embeddings held of one side.
# Rounding of float32 stays below it, so that equal pictures tie.
DECIMALS = 4


@functools.partial(jax.jit, static_argnums=0)
def embed(
    network: str,
    params: Mapping,
    images: jax.Array,
    heads: Mapping[str, jax.Array] | None = None,
) -> jax.Array:
    """Embeds pictures so that LPIPS is the squared distance.

    Args:
      network: 'vgg16' or 'alexnet'.
      params: of the network, from `weights.load`.
      images: [n, height, width, 3] floating point in 0..1.
      heads: {'lin0': [channels], ...}, from
        `weights.load('lpips_vgg16')['lpips']`, or None.

    Returns:
      [n, units].
    """
    outputs = BACKBONES[network].apply(params, images, TAPS[network])
    parts = []
    for i, tap in enumerate(TAPS[network]):
        x = outputs[tap]
        x /= jnp.sqrt(jnp.sum(x**2, axis=-1, keepdims=True)) + 1e-10
        x /= np.sqrt(x.shape[1] * x.shape[2])
        if heads is not None:
            x *= jnp.sqrt(heads[f'lin{i}'])
        parts.append(x.reshape(len(x), -1))
    return jnp.concatenate(parts, axis=1)


def _embedded(network, params, images, heads) -> Iterator[jax.Array]:
    """Yields embeddings of BATCH pictures at a time."""
    for start in range(0, len(images), BATCH):
        part = pixels.unit_range(images[start : start + BATCH])
        yield embed(network, params, part.astype(np.float32), heads)


def distance(
    network: str,
    params: Mapping,
    target: np.ndarray,
    reconstruction: np.ndarray,
    heads: Mapping[str, np.ndarray] | None = None,
) -> np.ndarray:
    """LPIPS of each picture and its reconstruction.

    Args:
      network, params, heads: as for `embed`.
      target, reconstruction: [n, height, width, 3] in 0..1 or uint8.

    Returns:
      [n] float64, 0 for equal pictures.
    """
    pixels.check_pictures(target, reconstruction)
    pairs = zip(
        _embedded(network, params, target, heads),
        _embedded(network, params, reconstruction, heads),
    )
    return np.concatenate(
        [np.float64(jnp.sum((x - y) ** 2, axis=1)) for x, y in pairs]
    )


@jax.jit
def _squared_distances(x: jax.Array, y: jax.Array) -> jax.Array:
    product = jnp.matmul(x, y.T, precision='highest')
    return (x**2).sum(1)[:, None] + (y**2).sum(1) - 2 * product


def distances(
    network: str,
    params: Mapping,
    candidates: np.ndarray,
    reconstruction: np.ndarray,
    heads: Mapping[str, np.ndarray] | None = None,
) -> np.ndarray:
    """LPIPS of every candidate and every reconstruction.

    Memory is bounded: as many reconstructions are embedded at a time as
    LARGEST holds, and the candidates pass by in batches, which may be mapped
    from a file.

    Args:
      network, params, heads: as for `embed`.
      candidates: [m, height, width, 3] in 0..1 or uint8.
      reconstruction: [n, height, width, 3] of the same size.

    Returns:
      [m, n] float64, rounded to DECIMALS decimals so that equal pictures tie.
    """
    images = jax.ShapeDtypeStruct((1, *candidates.shape[1:]), np.float32)
    embedding = jax.eval_shape(
        functools.partial(embed, network), params, images, heads
    )
    held = max(BATCH, LARGEST // (4 * embedding.size) // BATCH * BATCH)
    columns = []
    for start in range(0, len(reconstruction), held):
        part = reconstruction[start : start + held]
        ours = jnp.concatenate(list(_embedded(network, params, part, heads)))
        columns.append(
            np.concatenate(
                [
                    np.float64(_squared_distances(theirs, ours))
                    for theirs in _embedded(network, params, candidates, heads)
                ]
            )
        )
    found = np.concatenate(columns, axis=1)
    return np.round(np.maximum(found, 0), DECIMALS)

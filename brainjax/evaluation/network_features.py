"""Pictures -> features of a network, by the names that scores carry.

'alexnet2' and 'alexnet5' are AlexNet after the ReLU of its second and fifth
convolution, before the pool (Ozcelik & VanRullen 2023); 'inception',
'efficientnet' and 'swav' are pooled over space, 'clip' is the projected
embedding. Any other layer is NETWORK_TAP, such as 'vgg16_relu4_2'.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from brainjax.errors import InputError, check_known, suggestion
from brainjax.evaluation import pixels
from brainjax.networks import weights
from brainjax.networks.backbones import BACKBONES, backbone


class Node(NamedTuple):
    """A layer of a network.

    Attributes:
      weights: their name, one of `weights.SOURCES`.
      apply: (params, images) -> features [n, ...].
    """

    weights: str
    apply: Callable[[Mapping, jax.Array], jax.Array]


def _tap(network: str, name: str, params: Any, images: Any) -> Any:
    source = weights.SOURCES[network]
    known = BACKBONES[source.backbone]
    return known.apply(params, images, (name,), source.preprocessing)[name]


def _node(network: str, tap: str) -> Node:
    return Node(network, functools.partial(_tap, network, tap))


NODES = {
    'alexnet2': _node('alexnet', 'relu2'),
    'alexnet5': _node('alexnet', 'relu5'),
    'inception': _node('inception', 'avgpool'),
    'clip': _node('clip', 'embedding'),
    'efficientnet': _node('efficientnet_b1_v2', 'avgpool'),
    'efficientnet_v1': _node('efficientnet_b1_v1', 'avgpool'),
    'swav': _node('swav', 'avgpool'),
}
# Compared picture by picture, by a distance; the others identify.
DISTANCES = ('efficientnet', 'efficientnet_v1', 'swav')


def node(name: str) -> Node:
    """Returns the layer of a name: one of NODES, or NETWORK_TAP."""
    if name in NODES:
        return NODES[name]
    # Names of networks hold '_' themselves; the longest that fits is meant.
    for network in sorted(weights.networks(), key=len, reverse=True):
        if name.startswith(f'{network}_'):
            tap = name.removeprefix(f'{network}_')
            known = backbone(weights.SOURCES[network].backbone, 'evaluation')
            taps = known.taps(weights.shapes(network))
            check_known(f'tap of {network}', tap, taps)
            return _node(network, tap)
    raise InputError(
        f'There are no features named {name!r}.{suggestion(name, NODES)} '
        f'There are: {", ".join(NODES)} and NETWORK_TAP such as '
        'vgg16_relu4_2.'
    )


def fetched(name: str) -> bool:
    """Whether the weights of a node are in the cache."""
    return weights.path(node(name).weights).exists()


def extract(
    name: str,
    params: Mapping,
    images: np.ndarray,
    batch: int = 16,
) -> np.ndarray:
    """Computes the features of pictures, some at a time.

    Args:
      name: of the features.
      params: of the network, from `weights.load(node(name).weights)`.
      images: [n, height, width, 3] in 0..1 or uint8, of the size that the
        network is to see.
      batch: pictures at a time.

    Returns:
      [n, units] float32.
    """
    apply = _compiled(node(name).apply)
    parts = []
    for start in range(0, len(images), batch):
        part = pixels.unit_range(images[start : start + batch])
        features = np.asarray(apply(params, part.astype(np.float32)))
        parts.append(features.reshape(len(part), -1).astype(np.float32))
    return np.concatenate(parts)


@functools.lru_cache(maxsize=32)
def _compiled(apply: Callable) -> Callable:
    return jax.jit(apply)


def of_size(
    name: str, params: Mapping, size: int, antialias: bool = True
) -> Callable[[np.ndarray], np.ndarray]:
    """Returns pictures -> features, resized bilinearly to size x size first.

    Such functions are what `evaluation.score` takes as `features`.
    """

    def features(images: np.ndarray) -> np.ndarray:
        if images.shape[1:3] != (size, size):
            images = pixels.unit_range(images).astype(np.float32)
            images = pixels.resize(images, (size, size), antialias)
            images = np.clip(images, 0, 1)
        return extract(name, params, images)

    return features


SIZES = {
    'alexnet2': 256,
    'alexnet5': 256,
    'inception': 342,
    'clip': 224,
    'efficientnet': 255,
    'efficientnet_v1': 255,
    'swav': 224,
}


def in_cache() -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Name -> function of the features whose weights are in the cache.

    Pictures are resized to the sizes of Scotti et al. 2024, antialiased.
    Those compared by a distance are left out.
    """
    return {
        name: of_size(name, weights.load(each.weights), SIZES[name])
        for name, each in NODES.items()
        if name not in DISTANCES and fetched(name)
    }

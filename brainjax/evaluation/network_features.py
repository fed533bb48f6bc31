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
from brainjax.training.batches import map_batches


class Node(NamedTuple):
    """A layer of a network.

    Attributes:
      weights: their name, one of `weights.SOURCES`.
      apply: (params, images) -> features [n, ...].
      size: height and width of the pictures that the network sees.
      distance: whether it compares picture by picture; the others identify.
    """

    weights: str
    apply: Callable[[Mapping, jax.Array], jax.Array]
    size: int = 224
    distance: bool = False


def _tap(network: str, name: str, params: Any, images: Any) -> Any:
    source = weights.SOURCES[network]
    known = BACKBONES[source.backbone]
    return known.apply(params, images, (name,), source.preprocessing)[name]


def _node(network: str, tap: str, *options: Any) -> Node:
    return Node(network, functools.partial(_tap, network, tap), *options)


# The sizes are those of Scotti et al. 2024.
NODES = {
    'alexnet2': _node('alexnet', 'relu2', 256),
    'alexnet5': _node('alexnet', 'relu5', 256),
    'inception': _node('inception', 'avgpool', 342),
    'clip': _node('clip', 'embedding', 224),
    'efficientnet': _node('efficientnet_b1_v2', 'avgpool', 255, True),
    'efficientnet_v1': _node('efficientnet_b1_v1', 'avgpool', 255, True),
    'swav': _node('swav', 'avgpool', 224, True),
}


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

    def features(part: np.ndarray) -> jax.Array:
        return apply(params, pixels.unit_range(part).astype(np.float32))

    # A rest filled up to a batch would have other rounding.
    found = map_batches(features, images, batch, fill=False)
    return found.reshape(len(images), -1).astype(np.float32)


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


def in_cache() -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Name -> function of the features whose weights are in the cache.

    Pictures are resized to the sizes of the nodes, antialiased. Those compared
    by a distance are left out.
    """
    return {
        name: of_size(name, weights.load(each.weights), each.size)
        for name, each in NODES.items()
        if not each.distance and fetched(name)
    }

"""The frozen network whose features are decoded from fMRI and inverted."""

import contextlib
import functools
from collections.abc import Iterable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError
from brainjax.networks import frozen


def build_network(config: ConfigDict) -> frozen.Network:
    """Loads or draws the network that `config.network` describes.

    It is checked that it has the layers, at the size of the pictures, and that
    the published spread of features holds for it where that is asked for.
    """
    c = config.network
    if c.weights == 'random':
        # The fully connected layers are drawn only where they are wanted:
        # those before them do not depend on it.
        dense = any(layer.startswith('fc') for layer in c.layers)
        network = frozen.init_random(
            jax.random.key(config.seed),
            c.family,
            c.width,
            c.size,
            dense=dense,
            pool=c.pool,
            slope=c.slope,
        )
    else:
        network = frozen.load(c.weights, c.pool, c.slope)
    network = frozen.with_mean(network, c.mean)
    if config.decoding.scaling == 'published':
        frozen.check_scales(network)
    feature_shapes(network, c.layers, c.size)
    return network


@contextlib.contextmanager
def shape_errors() -> Iterator[None]:
    """Turns what a network says of shapes into one sentence."""
    try:
        yield
    except InputError:
        raise
    except ValueError as error:
        raise InputError(str(error).splitlines()[0]) from error


def feature_shapes(
    network: frozen.Network, layers: Iterable[str], size: int
) -> dict[str, tuple[int, ...]]:
    """Returns the shape of each layer's features of one picture.

    Args:
      network: whose features they are.
      layers: their names.
      size: height and width of the pictures.
    """
    layers = tuple(layers)
    picture = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
    with shape_errors():
        found = jax.eval_shape(
            lambda params, x: network.architecture.apply(params, x, layers),
            network.params,
            picture,
        )
    return {layer: found[layer].shape[1:] for layer in layers}


@functools.partial(jax.jit, static_argnums=(0, 3))
def _features(architecture, params, images, layers):
    # TPUs and recent GPUs would round the factors of a product to fewer bits.
    with jax.default_matmul_precision('highest'):
        return architecture.apply(params, images, layers)


def features(
    network: frozen.Network, images: np.ndarray, layers: Sequence[str]
) -> dict[str, np.ndarray]:
    """Computes features of [n, height, width, 3] pictures in 0..1.

    Returns:
      Layer -> [n, height, width, channels] or [n, units] float32.
    """
    with shape_errors():
        found = _features(
            network.architecture,
            network.params,
            jnp.asarray(images),
            tuple(layers),
        )
    return {layer: np.asarray(found[layer]) for layer in layers}

"""The generator whose codes are searched, and the bounds of its codes."""

import pathlib

import jax
import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError, check_known
from brainjax.io.files import PathLike
from brainjax.methods.inversion.problem import Generator
from brainjax.networks import weights
from brainjax.networks.backbones import generator


def build(config: ConfigDict) -> Generator | None:
    """Loads the config's generator, or draws one for a random network."""
    c = config.inversion
    if not c.generator:
        return None
    if config.network.weights != 'random':
        return load(c.generator, c.upper)
    check_known('generator', c.generator, generator.GENERATORS)
    key, width = jax.random.key(config.seed + 1), config.network.width
    return _bounded(
        c.generator, generator.init(key, c.generator, width), c.upper
    )


def load(name: str, upper: PathLike = '') -> Generator:
    """Reads a generator from the cache.

    Args:
      name: of `generator.GENERATORS`.
      upper: a file of the largest codes; '' for no bound.
    """
    check_known('generator', name, generator.GENERATORS)
    return _bounded(name, weights.load(f'generator_{name}'), upper)


def _bounded(name, params, upper: PathLike) -> Generator:
    if not upper:
        return Generator(name, params)
    shape = generator.code_shape(name, params)
    return Generator(name, params, read_bounds(upper, shape))


def read_bounds(path: PathLike, shape: tuple[int, ...]) -> np.ndarray:
    """Reads numbers with spaces between them: one a unit, or one for all."""
    try:
        text = pathlib.Path(path).read_text(encoding='ascii')
        bounds = np.array([float(word) for word in text.split()], np.float32)
    except (OSError, ValueError) as error:
        raise InputError(
            f'{path} is no file of bounds ({error}); give one number a unit, '
            'with spaces between them.'
        ) from error
    if bounds.size == 1:
        return np.full(shape, bounds[0])
    if bounds.size != np.prod(shape) or not np.all(bounds >= 0):
        raise InputError(
            f'{path} holds {bounds.size} bounds; give one of at least 0 for '
            f'each of the {np.prod(shape)} units.'
        )
    if len(shape) == 3:  # channels first, as the field writes them
        bounds = bounds.reshape(shape[2], *shape[:2]).transpose(1, 2, 0)
    return bounds.reshape(shape)

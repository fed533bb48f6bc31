"""The problem that an inversion solves: targets, bounds and a beginning."""

import dataclasses
import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError, check_known
from brainjax.methods.inversion import losses
from brainjax.methods.inversion.networks import feature_shapes
from brainjax.methods.inversion.steps import Box, Descent, QuasiNewton
from brainjax.networks import frozen
from brainjax.networks.backbones import feedforward, winograd
from brainjax.networks.backbones import generator as generators

STARTS = ('noise', 'mean')
CODE_STARTS = ('zeros', 'normal')
DESCENT = Descent()


@dataclasses.dataclass(frozen=True)
class Settings:
    """How pictures are searched.

    Attributes:
      optimiser: `Descent` or `QuasiNewton`.
      terms: (loss, factor), of `losses.LOSSES`.
      weights: of layers, as `losses.layer_weights` takes them; or
        (layer, weight) pairs.
      channels: (layer, channels that count) of layers not to use whole.
      start: 'noise', of whole numbers from 0 to 255, or 'mean', the mean
        colour; with a generator 'zeros' or 'normal'.
      size: height and width of the pictures.
      boxed: whether pixels stay within 0 and 255, and codes at least at 0.
        The paper bounds those of L-BFGS and all codes.
      seed: of all that is drawn.
    """

    optimiser: Descent | QuasiNewton = DESCENT
    terms: tuple[tuple[str, float], ...] = (('squared', 1.0),)
    weights: str | tuple[tuple[str, float], ...] = 'inverse_square'
    channels: tuple[tuple[str, tuple[int, ...]], ...] = ()
    start: str = 'noise'
    size: int = 224
    boxed: bool = False
    seed: int = 0


class Generator(NamedTuple):
    """A generator whose codes are searched in place of pixels.

    Attributes:
      name: of `generator.GENERATORS`.
      params: its weights.
      upper: largest codes, of the shape of one code; None for no bound.
    """

    name: str
    params: feedforward.Params
    upper: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Problem:
    """What a compiled search depends on but for numbers; it can be hashed."""

    architecture: frozen.Architecture
    settings: Settings
    generator: str | None
    code: tuple[int, ...]


class SearchData(NamedTuple):
    """The numbers of a search."""

    params: Any
    generator: Any
    targets: dict[str, jax.Array]
    weights: dict[str, jax.Array]
    masks: dict[str, jax.Array]
    box: Box
    keys: jax.Array


def name_key(seed: int, name: str) -> jax.Array:
    """Returns the random key of a picture."""
    # Python's own hash of text differs from process to process.
    return jax.random.fold_in(
        jax.random.key(seed), np.uint32(zlib.crc32(name.encode()))
    )


def from_config(config: ConfigDict) -> Settings:
    """Returns the settings that `config.inversion` describes."""
    c = config.inversion
    optimiser = QuasiNewton(c.steps)
    if c.optimiser == 'descent':
        optimiser = Descent(
            c.steps,
            rate=(c.rate, c.rate_end),
            momentum=(c.momentum, c.momentum),
            decay=(c.decay, c.decay_end),
            blur=tuple(c.blur) or None,
        )
    return Settings(
        optimiser=optimiser,
        terms=((c.loss, 1.0),),
        weights=c.weights,
        start=c.start,
        size=config.network.size,
        boxed=c.boxed,
        seed=config.seed,
    )


def check(settings: Settings, generator: Any = None) -> None:
    """Checks the names that settings hold, with a generator or without."""
    for term, _ in settings.terms:
        check_known('loss', term, losses.LOSSES)
    if isinstance(settings.weights, str):
        check_known('layer weighting', settings.weights, losses.WEIGHTINGS)
    starts = CODE_STARTS if generator else STARTS
    check_known('start', settings.start, starts)


def build_problem(
    targets: Mapping[str, np.ndarray],
    names: Sequence[str],
    network: frozen.Network,
    settings: Settings,
    generator: Generator | None = None,
    kept: Mapping[str, np.ndarray] | None = None,
) -> tuple[Problem, SearchData, jax.Array]:
    """Returns the problem, its data and where the search begins.

    Args:
      targets, names, network, settings, generator, kept: as for
        `search.invert`.
    """
    check(settings, generator)
    if not targets or not len(names):
        raise InputError('There are no features to invert; name some layers.')
    shapes = feature_shapes(network, targets, settings.size)
    masks = {}
    for layer, units in (kept or {}).items():
        targets = {**targets}
        targets[layer], masks[layer] = _spread(
            layer, np.asarray(targets[layer]), units, shapes[layer]
        )
    targets = {
        layer: jnp.asarray(target, jnp.float32)
        for layer, target in targets.items()
    }
    _check_targets(targets, len(names), network, settings.size, shapes)
    for layer, channels in settings.channels:
        if layer in targets:
            mask = losses.channel_mask(channels, targets[layer].shape[-1])
            masks[layer] = mask * masks.get(layer, 1)
    keys = jnp.stack([name_key(settings.seed, name) for name in names])
    problem = _problem(network, settings, generator)
    how = settings.weights
    data = SearchData(
        _fast(network.params),
        generator.params if generator else {},
        targets,
        losses.layer_weights(
            targets, how if isinstance(how, str) else dict(how)
        ),
        masks,
        _box(problem, generator),
        keys,
    )
    return problem, data, data.box.clip(_first(problem, keys))


def _problem(network, settings, generator) -> Problem:
    if generator is None:
        return Problem(network.architecture, settings, None, ())
    code = generators.code_shape(generator.name, generator.params)
    return Problem(network.architecture, settings, generator.name, code)


def _fast(params: feedforward.Params) -> feedforward.Params:
    """On processors the convolutions with fewer multiplications pay."""
    if jax.default_backend() == 'cpu':
        params = winograd.prepare(params)
    # NumPy's would be copied again with every call.
    return jax.device_put(params)


def _spread(
    layer: str, target: np.ndarray, units: np.ndarray, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Puts some units of a layer where they belong among all of them.

    Args:
      layer: its name.
      target: [n, kept units].
      units: which they are, as they lie on disk: channels first.
      shape: of the layer's features of one picture.

    Returns:
      [n, *shape] with zeros elsewhere, and [*shape], 1 where a unit is kept.
    """
    number = math.prod(shape)
    if target.shape[1:] != units.shape or units.max() >= number:
        raise InputError(
            f'{target.shape[1:]} units of {layer} are kept, up to number '
            f'{units.max()}, and it has {number} at this size; give features '
            'of this network and this size.'
        )
    places = frozen.channels_first(np.arange(number).reshape(1, *shape))
    places = places.ravel()[units]
    spread = np.zeros((len(target), number), np.float32)
    spread[:, places] = target
    mask = np.zeros(number, np.float32)
    mask[places] = 1
    return spread.reshape(-1, *shape), mask.reshape(shape)


def _check_targets(
    targets, n: int, network: frozen.Network, size: int, shapes
) -> None:
    for layer, target in targets.items():
        if target.shape != (n, *shapes[layer]):
            raise InputError(
                f'The features of {layer} have shape {target.shape} and '
                f'{network.architecture.family} makes {(n, *shapes[layer])} '
                f'of {n} pictures of {size} px; give features of this network '
                'and this size.'
            )
        if not bool(jnp.all(jnp.isfinite(target))):
            raise InputError(
                f'The features of {layer} are not all finite; decode them '
                'again.'
            )


def _box(problem: Problem, generator: Generator | None) -> Box:
    settings = problem.settings
    if generator:
        upper = generator.upper
        low = jnp.zeros(()) if settings.boxed or upper is not None else None
        if upper is not None and np.shape(upper) != problem.code:
            raise InputError(
                f'The upper bounds have shape {np.shape(upper)} and the codes '
                f'of {generator.name} {problem.code}; give one bound a unit.'
            )
        high = None if upper is None else jnp.asarray(upper, jnp.float32)
        shape = problem.code
    elif settings.boxed:
        mean = _mean_pixel(problem)
        low, high = jnp.asarray(-mean), jnp.asarray(255 - mean)
        shape = (settings.size, settings.size, 3)
    else:
        return Box()
    if isinstance(settings.optimiser, QuasiNewton):  # Its x is flat.
        low, high = (
            bound if bound is None else jnp.broadcast_to(bound, shape).ravel()
            for bound in (low, high)
        )
    return Box(low, high)


def _first(problem: Problem, keys: jax.Array) -> jax.Array:
    """Returns where each picture's search begins, flat for L-BFGS."""
    settings = problem.settings
    if problem.generator:
        shape = problem.code
        if settings.start == 'zeros':
            x = jnp.zeros((len(keys), *shape))
        else:
            x = jax.vmap(lambda key: jax.random.normal(key, shape))(keys)
    else:
        shape = (settings.size, settings.size, 3)
        if settings.start == 'mean':
            x = jnp.zeros((len(keys), *shape))
        else:
            x = jax.vmap(lambda key: jax.random.randint(key, shape, 0, 256))(
                keys
            ).astype(jnp.float32)
            x -= _mean_pixel(problem)
    if isinstance(settings.optimiser, QuasiNewton):
        x = x.reshape(len(x), -1)
    return x


def _mean_pixel(problem: Problem) -> np.ndarray:
    """What x is counted from, so that x = 0 is the mean colour: [3]."""
    return np.float32(problem.architecture.mean_pixel)


def render(problem: Problem, data: SearchData, x: jax.Array) -> jax.Array:
    """Returns the pictures of what is searched.

    Args:
      problem, data: from `build_problem`.
      x: [n, ...] pixels or codes, as the search has them.

    Returns:
      [n, size, size, 3] RGB in 0..1, where they are not beyond it.
    """
    size = problem.settings.size
    if problem.generator is None:
        x = x.reshape(len(x), size, size, 3)
        return (x + _mean_pixel(problem)) / 255
    x = x.reshape(len(x), *problem.code)
    images = generators.apply(data.generator, problem.generator, x)
    top = (images.shape[1] - size) // 2
    if top < 0:
        raise InputError(
            f'The generator makes pictures of {images.shape[1]} px; set size '
            f'to that or less, not {size}.'
        )
    images = images[:, top : top + size, top : top + size]
    # They are made around the mean of Caffe's networks, or that of the file.
    mean = problem.architecture.mean or feedforward.CAFFE_MEAN
    return (images + np.float32(mean)) / 255

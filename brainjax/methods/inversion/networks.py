"""The problem that an inversion solves: targets, bounds and a beginning."""

import contextlib
import dataclasses
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from brainjax.errors import InputError, check_known
from brainjax.methods.inversion import losses
from brainjax.methods.inversion.descent import Descent
from brainjax.methods.inversion.objective import Box
from brainjax.methods.inversion.quasi_newton import QuasiNewton
from brainjax.networks import frozen
from brainjax.networks.backbones import feedforward, generator, winograd

STARTS = ('noise', 'mean')
CODE_STARTS = ('zeros', 'normal')
DESCENT = Descent()


@dataclasses.dataclass(frozen=True)
class Settings:
    """How pictures are searched.

    Attributes:
      optimiser: `Descent` or `QuasiNewton`.
      terms: (loss, factor), of `inversion_losses.LOSSES`.
      weights: of layers, as `inversion_losses.layer_weights` takes them; or
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
    """What a compiled search depends on but for numbers."""

    architecture: frozen.Architecture
    settings: Settings
    generator: str | None
    code: tuple[int, ...]


class Data(NamedTuple):
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
    return jax.random.fold_in(
        jax.random.key(seed), np.uint32(zlib.crc32(name.encode()))
    )


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """Turns what a network says of shapes into one sentence.

    Raises:
      InputError: the body raised a ValueError.
    """
    try:
        yield
    except InputError:
        raise
    except ValueError as error:
        raise InputError(str(error).splitlines()[0]) from error


def prepare(
    targets: Mapping[str, np.ndarray],
    names: Sequence[str],
    network: frozen.Network,
    settings: Settings,
    search: Generator | None,
) -> tuple[Problem, Data, jax.Array]:
    """Returns the problem, its data and where the search begins.

    Raises:
      InputError: see `inversion.invert`.
    """
    for term, _ in settings.terms:
        check_known('loss', term, losses.LOSSES)
    starts = CODE_STARTS if search else STARTS
    check_known('start', settings.start, starts)
    if not targets or not len(names):
        raise InputError('There are no features to invert; name some layers.')
    targets = {
        layer: jnp.asarray(target, jnp.float32)
        for layer, target in targets.items()
    }
    _check_targets(targets, names, network, settings)
    keys = jnp.stack([name_key(settings.seed, name) for name in names])
    problem, generator_params = _problem(network, settings, search)
    how = settings.weights
    data = Data(
        _quick(network.params),
        generator_params,
        targets,
        losses.layer_weights(
            targets, how if isinstance(how, str) else dict(how)
        ),
        {
            layer: losses.channel_mask(channels, targets[layer].shape[-1])
            for layer, channels in settings.channels
            if layer in targets
        },
        _box(problem, search),
        keys,
    )
    return problem, data, data.box.clip(_first(problem, keys))


def _problem(network, settings, search):
    if search is None:
        return Problem(network.architecture, settings, None, ()), {}
    code = generator.code_shape(search.name, search.params)
    problem = Problem(network.architecture, settings, search.name, code)
    return problem, search.params


def _quick(params: feedforward.Params) -> feedforward.Params:
    """On processors the convolutions with fewer multiplications pay."""
    if jax.default_backend() != 'cpu':
        return jax.device_put(params)
    return winograd.prepare(params)


def _check_targets(targets, names, network, settings) -> None:
    shape = jax.ShapeDtypeStruct(
        (len(names), settings.size, settings.size, 3), jnp.float32
    )
    with refusing():
        expected = jax.eval_shape(
            lambda params, x: network.architecture.apply(params, x, targets),
            network.params,
            shape,
        )
    for layer, target in targets.items():
        if target.shape != expected[layer].shape:
            raise InputError(
                f'The features of {layer} have shape {target.shape} and '
                f'{network.architecture.family} makes '
                f'{expected[layer].shape} of {len(names)} pictures of '
                f'{settings.size} px; give features of this network and this '
                'size.'
            )
        if not bool(jnp.all(jnp.isfinite(target))):
            raise InputError(
                f'The features of {layer} are not all finite; decode them '
                'again.'
            )


def _box(problem: Problem, search: Generator | None) -> Box:
    settings = problem.settings
    if search:
        upper = search.upper
        low = jnp.zeros(()) if settings.boxed or upper is not None else None
        if upper is not None and np.shape(upper) != problem.code:
            raise InputError(
                f'The upper bounds have shape {np.shape(upper)} and the codes '
                f'of {search.name} {problem.code}; give one bound a unit.'
            )
        high = None if upper is None else jnp.asarray(upper, jnp.float32)
        shape = problem.code
    elif settings.boxed:
        mean = np.float32(
            feedforward.MEAN_PIXEL[problem.architecture.preprocessing]
        )
        low, high = jnp.asarray(-mean), jnp.asarray(255 - mean)
        shape = (settings.size, settings.size, 3)
    else:
        return Box()
    if isinstance(settings.optimiser, QuasiNewton):  # searches flat x
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
            mean = np.float32(
                feedforward.MEAN_PIXEL[problem.architecture.preprocessing]
            )
            x = jax.vmap(lambda key: jax.random.randint(key, shape, 0, 256))(
                keys
            ).astype(jnp.float32)
            x -= mean
    if isinstance(settings.optimiser, QuasiNewton):
        x = x.reshape(len(x), -1)
    return x


def render(problem: Problem, data: Data, x: jax.Array) -> jax.Array:
    """Returns the pictures of what is searched.

    Args:
      problem, data: from `prepare`.
      x: [n, ...] pixels or codes, as the search has them.

    Returns:
      [n, size, size, 3] RGB in 0..1, where they are not beyond it.

    Raises:
      InputError: the generator's pictures are smaller than `size`.
    """
    size = problem.settings.size
    if problem.generator is None:
        mean = np.float32(
            feedforward.MEAN_PIXEL[problem.architecture.preprocessing]
        )
        return (x.reshape(len(x), size, size, 3) + mean) / 255
    x = x.reshape(len(x), *problem.code)
    images = generator.apply(data.generator, problem.generator, x)
    top = (images.shape[1] - size) // 2
    if top < 0:
        raise InputError(
            f'The generator makes pictures of {images.shape[1]} px; set size '
            f'to that or less, not {size}.'
        )
    images = images[:, top : top + size, top : top + size]
    return (images + np.float32(feedforward.CAFFE_MEAN)) / 255

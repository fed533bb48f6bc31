"""Pictures that have given features (Shen et al. 2019).

A picture, or the code of a generator that makes it, is changed until a frozen
network sees the wanted features in it. Many pictures are searched at once.

    settings = Settings(optimiser=Descent())
    found = invert(targets, names, network, settings)
    images = found.images.clip(0, 1)
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np

from brainjax.methods.inversion import losses
from brainjax.methods.inversion.problem import (
    Generator,
    Problem,
    SearchData,
    Settings,
    build_problem,
    render,
)
from brainjax.methods.inversion.steps import OPTIMISERS
from brainjax.networks import frozen

STEPS_AT_A_TIME = 10  # Between two marks of progress.


class Inverted(NamedTuple):
    """What was found.

    Attributes:
      images: [n, size, size, 3] float32 RGB, 0 to 1 but not clipped.
      errors: layer -> [n], sum (f - t)^2 / sum t^2 in these images, over the
        units that count.
      losses: [steps, n].
      codes: [n, ...] of the generator, or None.
    """

    images: np.ndarray
    errors: dict[str, np.ndarray]
    losses: np.ndarray
    codes: np.ndarray | None


def invert(
    targets: Mapping[str, np.ndarray],
    names: Sequence[str],
    network: frozen.Network,
    settings: Settings,
    generator: Generator | None = None,
    progress: Callable[[int, float], None] | None = None,
    kept: Mapping[str, np.ndarray] | None = None,
) -> Inverted:
    """Searches pictures with given features, all at once.

    With `Descent` of a generator's codes the pictures are those of the last
    evaluation, before the last step, as published.

    Args:
      targets: layer -> [n, height, width, channels] or [n, units].
      names: of the pictures. What is drawn for one depends on its name and
        the seed, not on its place.
      network: whose features they are.
      settings: how to search.
      generator: whose codes are searched; None for pixels.
      progress: called with the steps done and the pictures' mean loss.
      kept: layer -> which of its units the targets [n, units] are of, where
        they are not of all; counted from 0 as (channels, height, width).
    """
    problem, data, x = build_problem(
        targets, names, network, settings, generator, kept
    )
    optimiser = OPTIMISERS[type(settings.optimiser)]
    state = optimiser.start(x, settings.optimiser)
    steps = settings.optimiser.steps
    for step in range(steps):
        state = advance(problem, data, state, step)
        done = step + 1
        if done % STEPS_AT_A_TIME == 0 or done == steps:
            jax.block_until_ready(state)
            if progress:
                progress(done, float(state.losses[step].mean()))
    x, images, errors = _finish(problem, data, state)
    return Inverted(
        np.asarray(images),
        {layer: np.asarray(error) for layer, error in errors.items()},
        np.asarray(state.losses),
        np.asarray(x) if generator else None,
    )


def stretch(images: np.ndarray, percent: float = 4.0) -> np.ndarray:
    """Stretches the contrast of each picture [n, h, w, 3] for display.

    Its values are clipped at the percentiles percent / 2 and 100 - percent / 2
    and brought to 0..1, all three channels alike. Absolute brightness and
    contrast are lost.
    """
    low, high = np.percentile(
        images, [percent / 2, 100 - percent / 2], axis=(1, 2, 3), keepdims=True
    )
    span = np.where(high > low, high - low, 1)
    return ((images.clip(low, high) - low) / span).astype(np.float32)


@functools.partial(jax.jit, static_argnums=0)
def advance(problem: Problem, data: SearchData, state, step):
    """Takes a step.

    The loop over steps is not part of the program: within a loop XLA takes a
    convolution's gradient on a CPU by a path some 15 times as slow.
    """
    settings = problem.settings
    take = OPTIMISERS[type(settings.optimiser)].step

    def objective(x):
        images = render(problem, data, x)
        found = problem.architecture.apply(data.params, images, data.targets)
        return losses.total(
            found, data.targets, data.weights, data.masks, settings.terms
        )

    with jax.default_matmul_precision('highest'):
        return take(
            objective, settings.optimiser, data.box, data.keys, step, state
        )


@functools.partial(jax.jit, static_argnums=0)
def _finish(problem: Problem, data: SearchData, state):
    """Returns what was searched, its pictures and their relative errors."""
    optimiser = OPTIMISERS[type(problem.settings.optimiser)]
    x = optimiser.result(state, problem.generator is not None)
    with jax.default_matmul_precision('highest'):
        images = render(problem, data, x)
        found = problem.architecture.apply(data.params, images, data.targets)
    errors = {}
    for layer, target in data.targets.items():
        ours = found[layer]
        if layer in data.masks:
            ours, target = ours * data.masks[layer], target * data.masks[layer]
        errors[layer] = losses.relative_error(ours, target)
    return x, images, errors

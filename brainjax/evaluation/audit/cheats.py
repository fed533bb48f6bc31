"""Methods that cheat on purpose, and one that does not, to test the audit.

Each looks at generated scenes through a simulated brain and returns pictures
in the way that such a method would. All are simulated.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from brainjax.evaluation.audit import SIDE
from brainjax.evaluation.audit.controls import patterns
from brainjax.simulation.scenes import CATEGORIES, scenes

VOXELS = 600


class Case(NamedTuple):
    """A method's pictures with all that the audit takes.

    Attributes:
      target, reconstruction: [n, side, side, 3] float32 in 0..1.
      train: [m, side, side, 3].
      categories: [n] of the true pictures.
      controls: see `controls.compare`.
    """

    target: np.ndarray
    reconstruction: np.ndarray
    train: np.ndarray
    categories: list[str]
    controls: dict[str, np.ndarray]


class _World(NamedTuple):
    target: np.ndarray
    train: np.ndarray
    others: np.ndarray  # pictures of neither set, as a generator's
    test_kinds: np.ndarray
    train_kinds: np.ndarray
    other_kinds: np.ndarray
    test_fmri: np.ndarray
    train_fmri: np.ndarray
    signal: np.ndarray  # what each voxel is a weighted sum of
    rng: np.random.Generator


def make(
    kind: str, seed: int, n: int = 60, train: int = 400, noise: float = 0.5
) -> Case:
    """Simulates a method.

    Args:
      kind: one of KINDS.
      seed: of the scenes, the brain and its noise.
      n: number of test pictures.
      train: of training pictures.
      noise: standard deviation of a voxel's noise, in those of its signal.
    """
    world = _world(seed, n, train, noise)
    respond = KINDS[kind](world)
    target, shown = world.target, world.train
    if kind == 'leaky split':
        # A third of the test pictures were in training, a pixel to the side.
        leaked = np.roll(target[::3], 1, axis=2) * np.float32(0.97)
        shown = np.concatenate([shown[len(leaked) :], leaked])
    return Case(
        target,
        respond(world.test_fmri),
        shown,
        [CATEGORIES[k] for k in world.test_kinds],
        {
            name: respond(empty)
            for name, empty in patterns(world.test_fmri, seed).items()
        },
    )


def _world(seed, n, train, noise):
    rng = np.random.default_rng([seed, 5])
    images, _, categories = scenes(n + 2 * train, SIDE, seed)
    images = np.float32(images) / 255
    kinds = np.array([CATEGORIES.index(c) for c in categories])
    # As aeroplanes have sky around them, each category has its surroundings.
    typical = _blur(rng.random((len(CATEGORIES), *images.shape[1:])), 5)
    typical = (typical - typical.mean()) / typical.std() * 0.25 + 0.5
    images = (0.65 * images + 0.35 * np.float32(typical)[kinds]).clip(0, 1)
    # Half of the voxels see blurred light, half know the category too.
    light = _blur(images, 1.5)[:, ::2, ::2].reshape(len(images), -1)
    light = (light - light.mean(axis=0)) / light.std()
    known = np.eye(len(CATEGORIES))[kinds] * 4
    signal = np.concatenate([light, known - known.mean(axis=0)], axis=1)
    weights = rng.normal(size=(signal.shape[1], VOXELS)) * (
        rng.random((signal.shape[1], VOXELS)) < 0.05
    )
    fmri = signal @ weights
    fmri /= fmri.std(axis=0)
    fmri = np.float32(fmri + noise * rng.normal(size=fmri.shape))
    test, seen = slice(0, n), slice(n, n + train)
    rest = slice(n + train, None)
    return _World(
        images[test],
        images[seen],
        images[rest],
        kinds[test],
        kinds[seen],
        kinds[rest],
        fmri[test],
        fmri[seen],
        signal[seen],
        rng,
    )


def _blur(images, size):
    return ndimage.gaussian_filter(images, (0, size, size, 0), mode='nearest')


def _ridge(world, targets, alpha=300.0):
    """Returns a function that predicts targets [m, ...] from fMRI."""
    x = np.float64(world.train_fmri)
    flat = targets.reshape(len(targets), -1)
    mean = flat.mean(axis=0)
    weights = np.linalg.solve(x @ x.T + alpha * np.eye(len(x)), flat - mean)
    return lambda fmri: (fmri @ x.T @ weights + mean).reshape(
        -1, *targets.shape[1:]
    )


def _honest(world):
    """Decodes light place by place, each with voxels of its own, and blurs."""
    x = np.float64(world.train_fmri)
    small = world.train.reshape(len(x), 16, 2, 16, 2, 3).mean(axis=(2, 4))
    flat = small.reshape(len(x), -1)
    mean, spread = flat.mean(axis=0), flat.std(axis=0) + 1e-6
    y = (flat - mean) / spread
    correlation = x.T @ y / len(x)
    weights = np.zeros((x.shape[1], y.shape[1]))
    for unit in range(y.shape[1]):
        best = np.argsort(-abs(correlation[:, unit]))[:60]
        part = x[:, best]
        gram = part.T @ part + 60 * np.eye(len(best))
        weights[best, unit] = np.linalg.solve(gram, part.T @ y[:, unit])

    def respond(fmri):
        decoded = (fmri @ weights * spread + mean).reshape(-1, 16, 16, 3)
        large = ndimage.zoom(decoded, (1, 2, 2, 1), order=1, mode='nearest')
        # As a network with a saturating output ends.
        return np.float32(1 / (1 + np.exp(-4 * (large - 0.5))))

    return respond


def _dense_ridge(world):
    predict = _ridge(world, world.train)
    return lambda fmri: np.float32(predict(fmri)).clip(0, 1)


def _category_oracle(world):
    """Names the category, and draws any picture of it."""
    predict = _ridge(world, np.eye(len(CATEGORIES))[world.train_kinds], 30.0)
    places = [
        np.flatnonzero(world.other_kinds == k) for k in range(len(CATEGORIES))
    ]

    def respond(fmri):
        named = predict(fmri).argmax(axis=1)
        return world.others[[world.rng.choice(places[k]) for k in named]]

    return respond


def _nearest_neighbour(world):
    """Looks up the training picture whose signal is most like the decoded."""
    predict = _ridge(world, world.signal)
    seen = world.signal - world.signal.mean(axis=0)
    seen = seen / np.linalg.norm(seen, axis=1, keepdims=True)

    def respond(fmri):
        decoded = predict(fmri) - world.signal.mean(axis=0)
        return world.train[(decoded @ seen.T).argmax(axis=1)]

    return respond


def _prior(world):
    """Draws pictures that look well, whatever the responses are."""
    return lambda fmri: world.others[
        world.rng.integers(len(world.others), size=len(fmri))
    ]


KINDS: dict[str, Callable] = {
    'honest': _honest,
    'category oracle': _category_oracle,
    'nearest neighbour': _nearest_neighbour,
    'prior only': _prior,
    'leaky split': _honest,
    'dense ridge': _dense_ridge,
}
# The check that must flag each kind.
CAUGHT_BY = {
    'category oracle': 'beyond the category',
    'nearest neighbour': 'copies of training pictures',
    'prior only': 'noise in place of the responses',
    'leaky split': 'near duplicates',
    'dense ridge': 'span of training pictures',
}

"""Methods that cheat on purpose, and honest ones, to test the audit.

Each looks at generated pictures through a simulated brain (`worlds`) and
returns pictures in the way that such a method would. All are simulated.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from brainjax.evaluation.audit import controls
from brainjax.evaluation.audit.worlds import World, blur, of_letters, of_scenes

SAMPLES = 12


class Case(NamedTuple):
    """A method's pictures with all that the audit takes.

    Attributes:
      target, reconstruction: [n, side, side, 3] float32 in 0..1.
      train: [m, side, side, 3].
      unpaired: [k, side, side, 3] that the method learned from, or None.
      categories: [n] of the true pictures.
      controls: see `controls.compare`.
    """

    target: np.ndarray
    reconstruction: np.ndarray
    train: np.ndarray
    unpaired: np.ndarray | None
    categories: list[str]
    controls: dict[str, np.ndarray]


def make(
    kind: str,
    seed: int,
    n: int | None = None,
    train: int = 400,
    noise: float | None = None,
) -> Case:
    """Simulates a method.

    Args:
      kind: one of KINDS.
      seed: of the pictures, the brain and its noise.
      n: number of test pictures; None for what the kind has.
      train: of training pictures.
      noise: standard deviation of a voxel's noise, in those of its signal.
    """
    respond, options = KINDS[kind]
    options = {'n': 60, 'noise': 0.5} | options
    if kind == 'few pictures':
        options['n'] = 5 + seed % 6
    if n is not None:
        options['n'] = n
    if noise is not None:
        options['noise'] = noise
    draw = of_letters if kind == 'letters' else of_scenes
    world = draw(seed, train=train, **options)
    if kind == 'test twice':
        world = _twice(world)
    made = respond(world)
    train, unpaired = _leaked(kind, world)
    return Case(
        world.target,
        made(world.test_fmri),
        train,
        unpaired,
        [world.names[k] for k in world.test_kinds],
        {
            name: made(empty)
            for name, empty in controls.patterns(world.test_fmri, seed).items()
        },
    )


def _leaked(kind: str, world: World) -> tuple[np.ndarray, np.ndarray | None]:
    """The training and the unpaired pictures, some test pictures in them."""
    third = world.target[::3]
    if kind == 'leaky split':  # A pixel to the side, a little darker.
        third = np.roll(third, 1, axis=2) * np.float32(0.97)
    elif kind == 'turned leak':
        third = np.rot90(third[:, :, ::-1], axes=(1, 2))
    else:
        return world.train, _unpaired(world) if kind == 'retrieval' else None
    return np.concatenate([world.train[len(third) :], third]), None


def _unpaired(world: World) -> np.ndarray:
    return np.concatenate([world.others[len(world.target) :], world.target])


def _twice(world: World) -> World:
    """Every test picture is shown twice, under two names."""
    first = np.arange(len(world.target)) // 2 * 2
    noise = 0.5 * world.rng.normal(size=world.test_fmri.shape)
    return world._replace(
        target=world.target[first],
        test_kinds=world.test_kinds[first],
        test_fmri=np.float32(world.test_fmri[first] + noise),
    )


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
    # As alpha would be chosen: in proportion to the noise.
    noise = np.var(world.train_fmri, axis=0).mean()
    predict = _ridge(world, world.train, 300 * noise)
    return lambda fmri: np.float32(predict(fmri)).clip(0, 1)


def _category_oracle(world):
    """Names the category, and draws any picture of it."""
    names = np.eye(len(world.names))
    predict = _ridge(world, names[world.train_kinds], 30.0)
    places = [np.flatnonzero(world.other_kinds == k) for k in range(len(names))]

    def respond(fmri):
        named = predict(fmri).argmax(axis=1)
        return world.others[[world.rng.choice(places[k]) for k in named]]

    return respond


def _nearest(world, pictures):
    """Looks up the picture whose blurred light is most like the decoded."""
    known = blur(pictures, 1.5).reshape(len(pictures), -1)
    known = known - known.mean(axis=1, keepdims=True)
    known /= np.linalg.norm(known, axis=1, keepdims=True)
    predict = _ridge(world, blur(world.train, 1.5))

    def respond(fmri):
        decoded = predict(fmri).reshape(len(fmri), -1)
        return pictures[(decoded @ known.T).argmax(axis=1)]

    return respond


def _nearest_neighbour(world):
    return _nearest(world, world.train)


def _retrieval(world):
    """The same from unpaired pictures, the test pictures among them."""
    return _nearest(world, _unpaired(world))


def _prior(world):
    """Draws pictures that look well, whatever the responses are."""
    return lambda fmri: world.others[
        world.rng.integers(len(world.others), size=len(fmri))
    ]


def _mean_colour(world):
    """The mean picture, with the target's mean colour."""
    mean = world.train.mean(axis=0)
    colour = world.target.mean(axis=(1, 2), keepdims=True)
    made = (mean - mean.mean(axis=(0, 1)) + colour).clip(0, 1)
    return lambda fmri: made


def _target(world):
    return lambda fmri: world.target


def _blurred_target(world):
    """The target, hidden a little."""
    noise = 0.05 * world.rng.normal(size=world.target.shape)
    made = np.float32(blur(world.target, 0.7) + noise).clip(0, 1)
    return lambda fmri: made


def _closest(pictures, target):
    """[n, m] likeness of targets to pictures, [m, ...] or [n, m, ...]."""
    rows = pictures.reshape(*pictures.shape[:-3], -1)
    rows = rows - rows.mean(axis=-1, keepdims=True)
    rows /= np.linalg.norm(rows, axis=-1, keepdims=True)
    flat = target.reshape(len(target), -1)
    return (rows @ flat[..., None])[..., 0] if rows.ndim == 3 else flat @ rows.T


def _best_outside(world):
    """The best of 1600 pictures from elsewhere, chosen by the target."""
    likeness = _closest(world.others, world.target)
    return lambda fmri: world.others[likeness.argmax(axis=1)]


def _training_by_target(world):
    """The training picture most like the target."""
    likeness = _closest(world.train, world.target)
    return lambda fmri: world.train[likeness.argmax(axis=1)]


def _best_sample(world):
    """Of samples of a decoder that is unsure, the one most like the target.

    A sample is what is decoded from the responses with as much noise again.
    """
    decode = _honest(world)

    def respond(fmri):
        noise = world.rng.normal(size=(SAMPLES, *fmri.shape)) * 3 * fmri.std()
        drawn = np.stack([decode(fmri + each) for each in noise], axis=1)
        best = _closest(drawn, world.target).argmax(axis=1)
        return drawn[np.arange(len(fmri)), best]

    return respond


# Name -> (world to method, options of the world).
KINDS: dict[str, tuple[Callable, dict]] = {
    'honest': (_honest, {}),
    'middling': (_honest, {'noise': 3.0}),
    'weak': (_honest, {'noise': 10.0}),
    'dense ridge': (_dense_ridge, {}),
    'few pictures': (_honest, {'noise': 3.0}),
    'letters': (_honest, {'n': 30, 'noise': 3.0}),
    'category oracle': (_category_oracle, {}),
    'nearest neighbour': (_nearest_neighbour, {}),
    'training by target': (_training_by_target, {}),
    'prior only': (_prior, {}),
    'leaky split': (_honest, {}),
    'turned leak': (_honest, {}),
    'retrieval': (_retrieval, {}),
    'mean colour': (_mean_colour, {}),
    'target': (_target, {}),
    'blurred target': (_blurred_target, {}),
    'best of 1600': (_best_outside, {'others': 1600}),
    'best sample': (_best_sample, {}),
    'test twice': (_honest, {}),
}
HONEST = (
    *('honest', 'middling', 'weak'),
    *('dense ridge', 'few pictures', 'letters'),
)
# The check that is meant for each cheat.
CAUGHT_BY = {
    'category oracle': 'beyond the category',
    'nearest neighbour': 'copies of training pictures',
    'training by target': 'copies of training pictures',
    'prior only': 'same responses in another order',
    'leaky split': 'near duplicates',
    'turned leak': 'near duplicates',
    'retrieval': 'near duplicates among unpaired pictures',
    'mean colour': 'beyond low-level statistics',
    'target': 'detail that fMRI cannot have',
    'blurred target': 'detail that fMRI cannot have',
    'best of 1600': 'chosen among many by the target',
    'best sample': 'noise in place of the responses',
    'test twice': 'equal test pictures',
}

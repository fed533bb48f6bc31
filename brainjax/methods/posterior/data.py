"""What the flow learns from, and what is wrong with a config beforehand."""

from typing import NamedTuple

import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError, check_known
from brainjax.linear.bayes import reference
from brainjax.methods import data as methods_data
from brainjax.methods import references
from brainjax.methods.config import check_values
from brainjax.methods.data import NOTHING, Data, Given, Loaded
from brainjax.methods.posterior import closed_form
from brainjax.methods.posterior.closed_form import Eye, Level
from brainjax.methods.references import References
from brainjax.training import parallel
from brainjax.training.state import COMPUTE_TYPES

LARGEST = 112  # Pixels a side: rows of pixels, not latents, are drawn.
BOUNDS = {
    'a whole number from 1': (
        *('draws', 'draw_steps', 'checkpoint_every', 'flow.channels'),
        *('flow.groups', 'flow.patch', 'flow.epochs', 'flow.steps'),
        'flow.batch_pictures',
    ),
    'a number above 0': ('flow.learning_rate', 'flow.clip'),
    'a number from 0': (
        *('flow.batch_paired', 'flow.batch_prior', 'flow.patience'),
    ),
    'a part from 0 to below 1': ('flow.average',),
}
# Of the training stimuli, so many choose what the reconstruction is; the flow
# learns from the others. With fewer than LEAST nothing can be chosen.
VALIDATED, LEAST, MOST = 0.2, 5, 40
# The parts of a batch and the keys of their sizes.
BATCHES = {
    'pictures': 'batch_pictures',
    'paired': 'batch_paired',
    'prior': 'batch_prior',
}


class Validation(NamedTuple):
    """Training stimuli that the flow does not learn from; rows as 0..1.

    Attributes:
      pictures: [n, pixels].
      means: [n, pixels], as `TrainingData.means`.
      reconstructions: [n, pixels] of the closed form.
    """

    pictures: np.ndarray
    means: np.ndarray
    reconstructions: np.ndarray


class TrainingData(NamedTuple):
    """What the flow learns from, as rows of pixels.

    Attributes:
      shape: (height, width, channels) of a row.
      pictures: [n, pixels] uint8, without fMRI.
      paired: [stimuli, pixels] uint8, of training.
      means: [stimuli, pixels] of those, by a posterior that had left them
        out, scaled.
      levels: of each part of a batch, and 'test', the posterior of the test
        responses.
      collect: [k, voxels] of 'test'; see `closed_form.collect`.
      repeats: trials that a test response averages.
      validation: None with few stimuli.
      eye: what the encoder sees.
      centre, scale: rows / 255 are scaled as (x - centre) / scale.
    """

    shape: tuple[int, int, int]
    pictures: np.ndarray
    paired: np.ndarray
    means: np.ndarray
    levels: dict[str, Level]
    collect: np.ndarray
    repeats: float
    validation: Validation | None
    eye: Eye
    centre: float
    scale: float


def load(config: ConfigDict, given: Given = NOTHING) -> Loaded:
    """Opens or simulates what a config names: recording, unpaired pictures."""
    check(config)
    return methods_data.load(config, given)


def check(config: ConfigDict) -> None:
    """Checks what can be checked without data."""
    check_values(config, BOUNDS)
    check_known('compute_dtype', config.compute_dtype, COMPUTE_TYPES)
    if config.size > LARGEST:
        raise InputError(
            f'config.size is {config.size}; the posterior draws pixels of up '
            f'to {LARGEST} px a side; set it to {LARGEST} or less.'
        )
    if config.ceilings:
        raise InputError(
            'config.ceilings is True; the posterior takes averages of as many '
            'trials as the test responses have: set it to False.'
        )
    c = config.flow
    if any(channels % c.groups for channels in c.channels):
        raise InputError(
            f'config.flow.groups is {c.groups}, which does not divide each of '
            f'config.flow.channels {tuple(c.channels)}; give a divisor.'
        )
    for key in BATCHES.values():
        if c[key]:
            parallel.check_batch(c[key], f'config.flow.{key}')


def fit_closed_form(data: Data, seed: int) -> tuple[References, TrainingData]:
    """Fits the closed form, and makes of it what the flow learns from."""
    fitted = references.fit(data, seed)
    known = fitted.fitted
    rows = fitted.training
    centre = float(rows.unpaired.mean())
    scale = float(rows.unpaired.std())
    means, points = reference.held_out(known, *rows, seed=seed)
    means = (means - centre) / scale
    chosen = _validated(len(means), seed)
    learned = np.setdiff1d(np.arange(len(means)), chosen)
    # Of stimuli with different repeats the levels would differ; one serves.
    usual = float(np.median(np.bincount(rows.stimulus)))
    tested = float(np.median(fitted.repeats))
    test = closed_form.level(known, tested, centre, scale)
    levels = {
        'test': test,
        'pictures': test,
        'paired': closed_form.level(known, usual, centre, scale),
        'prior': closed_form.prior_level(known, centre, scale),
    }
    return fitted, TrainingData(
        fitted.shape,
        _pictures(data, fitted),
        to_uint8(rows.pictures[learned]),
        means[learned],
        levels,
        closed_form.collect(known, tested),
        tested,
        Validation(rows.pictures[chosen], means[chosen], points[chosen])
        if len(chosen)
        else None,
        closed_form.eye(known, centre, scale),
        centre,
        scale,
    )


def _validated(stimuli: int, seed: int) -> np.ndarray:
    """The stimuli that choose, none if there would be too few."""
    number = min(int(VALIDATED * stimuli), MOST)
    if number < LEAST:
        return np.zeros(0, int)
    return np.random.default_rng(seed).permutation(stimuli)[:number]


def _pictures(data: Data, fitted: References) -> np.ndarray:
    """All unpaired pictures as rows; where there are none, the stand-ins."""
    if not len(data.pictures):
        return to_uint8(fitted.training.unpaired)
    images = data.pictures[..., : fitted.shape[-1]]
    return np.ascontiguousarray(images).reshape(len(images), -1)


def to_uint8(rows: np.ndarray) -> np.ndarray:
    """Rounds rows in 0..1, which is exact of pictures that were uint8."""
    return np.uint8(np.round(rows.clip(0, 1) * 255))


def conditions(data: TrainingData, fmri: np.ndarray) -> np.ndarray:
    """Returns the closed form's means [n, pixels], scaled, of test responses.

    Args:
      data: of `fit_closed_form`.
      fmri: [n, voxels], normalised, averages of as many trials as the test's.
    """
    g = np.float64(fmri) @ data.collect.T
    level = data.levels['test']
    return np.float32(level.offset + g @ level.gain.T)

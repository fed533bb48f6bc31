"""What the flow learns from, and what is wrong with a config beforehand."""

from typing import NamedTuple

import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError, check_known
from brainjax.linear.arrays import evenly
from brainjax.linear.bayes import reference
from brainjax.linear.bayes.reference import Reference
from brainjax.methods import data as methods_data
from brainjax.methods import references
from brainjax.methods.config import check_values
from brainjax.methods.data import NOTHING, Data, Given, Loaded
from brainjax.methods.posterior import closed_form, latents
from brainjax.methods.posterior.closed_form import Eye, Level, Nonlinearity
from brainjax.methods.posterior.latents import Autoencoder
from brainjax.methods.posterior.networks import in_latents
from brainjax.methods.references import References
from brainjax.networks import frozen
from brainjax.training import parallel
from brainjax.training.state import COMPUTE_TYPES

BOUNDS = {
    'a whole number from 1': (
        *('draws', 'draw_steps', 'checkpoint_every', 'flow.channels'),
        *('flow.groups', 'flow.patch', 'flow.epochs', 'flow.steps'),
        *('flow.batch_pictures', 'latents.above', 'latents.number'),
        *('latents.channels', 'latents.patch', 'latents.groups'),
        *('latents.batch', 'latents.epochs', 'latents.steps'),
    ),
    'a number above 0': (
        *('flow.learning_rate', 'flow.clip'),
        *('latents.learning_rate', 'latents.clip'),
    ),
    'a number from 0': (
        *('flow.batch_paired', 'flow.batch_prior', 'flow.patience'),
        *('latents.kl', 'latents.perceptual'),
    ),
    'a part from 0 to below 1': ('flow.average', 'latents.average'),
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
    """Training stimuli that neither flow nor autoencoder learns from.

    Attributes:
      pictures: [n, height, width, 3] uint8.
      rows: of these, as `TrainingData.paired`.
      means: [n, pixels], as `TrainingData.means`.
      reconstructions: rows of the `References`, in 0..1, of the closed form.
    """

    pictures: np.ndarray
    rows: np.ndarray
    means: np.ndarray
    reconstructions: np.ndarray


class TrainingData(NamedTuple):
    """What the flow learns from, as rows of pixels or of latents.

    Attributes:
      shape: (height, width, channels) of a row.
      pictures: [n, pixels] uint8, without fMRI; latents are float32.
      paired: [stimuli, pixels], likewise, of training.
      means: [stimuli, pixels] of those, by a posterior that had left them
        out, scaled.
      levels: of each part of a batch, and 'test', the posterior of the test
        responses.
      collect: [k, voxels] of 'test'; see `closed_form.collect`.
      repeats: trials that a test response averages.
      validation: None with few stimuli.
      eye: what the encoder sees.
      centre, scale: rows / 255, or latents, are scaled as
        (x - centre) / scale.
      known: the closed form of such rows.
      autoencoder: of the latents; None of pixels.
      nonlinearity: of `pictures`; None where a nonlinear encoder is no better
        than the linear one.
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
    known: Reference
    autoencoder: Autoencoder | None = None
    nonlinearity: Nonlinearity | None = None


def load(config: ConfigDict, given: Given = NOTHING) -> Loaded:
    """Opens or simulates what a config names: recording, unpaired pictures."""
    check(config)
    return methods_data.load(config, given)


def check(config: ConfigDict) -> None:
    """Checks what can be checked without data."""
    check_values(config, BOUNDS)
    check_known('compute_dtype', config.compute_dtype, COMPUTE_TYPES)
    if config.latents.above > references.LARGEST:
        raise InputError(
            f'config.latents.above is {config.latents.above}; pictures above '
            f'{references.LARGEST} px a side are drawn as latents: set it to '
            f'{references.LARGEST} or less.'
        )
    if config.ceilings:
        raise InputError(
            'config.ceilings is True; the posterior takes averages of as many '
            'trials as the test responses have: set it to False.'
        )
    for name in ('flow', 'latents'):
        c = config[name]
        if any(channels % c.groups for channels in c.channels):
            raise InputError(
                f'config.{name}.groups is {c.groups}, which does not divide '
                f'each of config.{name}.channels {tuple(c.channels)}; give a '
                'divisor.'
            )
    for key in BATCHES.values():
        if config.flow[key]:
            parallel.check_batch(config.flow[key], f'config.flow.{key}')
    if in_latents(config):
        parallel.check_batch(config.latents.batch, 'config.latents.batch')
        if config.latents.perceptual:
            frozen.load(config.latents.perceptual_network)  # Is it there?


def fit_closed_form(
    data: Data, seed: int, autoencoder: Autoencoder | None = None
) -> tuple[References, TrainingData]:
    """Fits the closed form, and makes of it what the flow learns from.

    Args:
      data: of `methods.data.prepare`.
      seed: of divisions of the stimuli.
      autoencoder: whose latents the flow draws. It then learns from a closed
        form of its own, of these in the place of pixels.
    """
    fitted = references.fit(data, seed)
    known, shape, rows = fitted.fitted, fitted.shape, fitted.training
    means, points = reference.held_out(known, *rows, seed=seed)
    if autoencoder is None:
        pictures, paired = _pictures(data, fitted), to_uint8(rows.pictures)
    else:
        shape, pictures, rows = _as_latents(data, seed, autoencoder, rows)
        paired = rows.pictures
        known = reference.fit(*rows, shape=shape, seed=seed)
        means, _ = reference.held_out(known, *rows, seed=seed)
    centre, scale = float(rows.unpaired.mean()), float(rows.unpaired.std())
    floor = closed_form.FLOOR
    if autoencoder is not None:
        floor = closed_form.lacking(known, scale)
    means = (means - centre) / scale
    learned, chosen = divide(len(means), seed)
    # Of stimuli with different repeats the levels would differ; one serves.
    usual = float(np.median(np.bincount(rows.stimulus)))
    tested = float(np.median(fitted.repeats))
    scaling = centre, scale, floor
    test = simulated = closed_form.level(known, tested, *scaling)
    nonlinearity = None
    if (encoder := reference.nonlinear(known, *rows)) is not None:
        simulated, nonlinearity = closed_form.nonlinearity(
            known, test, encoder, tested, pictures
        )
    levels = {
        'test': test,
        'pictures': simulated,
        'paired': closed_form.level(known, usual, *scaling),
        'prior': closed_form.prior_level(known, *scaling),
    }
    validation = None
    if len(chosen):
        told = paired[chosen], means[chosen], points[chosen]
        validation = Validation(stimuli(data)[chosen], *told)
    return fitted, TrainingData(
        shape,
        pictures,
        paired[learned],
        means[learned],
        levels,
        closed_form.collect(known, tested),
        tested,
        validation,
        closed_form.eye(known, centre, scale),
        centre,
        scale,
        known,
        autoencoder,
        nonlinearity,
    )


def stimuli(data: Data) -> np.ndarray:
    """The pictures [n, height, width, 3] uint8 that the closed form sees."""
    train, _ = references.evenly_chosen(data.normalised.train)
    return data.recording.stimuli.images[np.unique(train.stimulus)]


def unpaired(data: Data, seed: int) -> np.ndarray:
    """Pictures [n, height, width, 3] uint8 without fMRI, or stand-ins."""
    if len(data.pictures):
        return data.pictures
    return to_uint8(references.stand_ins(stimuli(data) / np.float32(255), seed))


def divide(number: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Divides `stimuli` into those to learn from and those that choose.

    None choose if there would be too few.
    """
    chosen = np.zeros(0, int)
    if (most := min(int(VALIDATED * number), MOST)) >= LEAST:
        chosen = np.random.default_rng(seed).permutation(number)[:most]
    return np.setdiff1d(np.arange(number), chosen), chosen


def _pictures(data: Data, fitted: References) -> np.ndarray:
    """All unpaired pictures as rows; where there are none, the stand-ins."""
    if not len(data.pictures):
        return to_uint8(fitted.training.unpaired)
    images = data.pictures[..., : fitted.shape[-1]]
    return np.ascontiguousarray(images).reshape(len(images), -1)


def _as_latents(data, seed, autoencoder, rows):
    """Shape of latents, those of all unpaired pictures, and `Training`."""
    pictures = latents.encode(autoencoder, unpaired(data, seed))
    few = pictures[evenly(len(pictures), references.MOST_PICTURES)]
    paired = latents.encode(autoencoder, stimuli(data))
    rows = rows._replace(pictures=paired, unpaired=few)
    return latents.shape(autoencoder), pictures, rows


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

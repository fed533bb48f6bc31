"""What every method is measured against: ridge and a closed-form posterior.

Both see the very trials and pictures that the method learned from, and choose
their own settings inside them (see `linear.bayes`).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from brainjax.io import kept_arrays, provenance
from brainjax.io.files import PathLike
from brainjax.linear.arrays import evenly
from brainjax.linear.bayes import posterior, reference
from brainjax.linear.bayes.reference import Reference
from brainjax.linear.ridge import tuned
from brainjax.methods.data import Data
from brainjax.pictures.operations import phase_scrambled, shrink
from brainjax.recordings import Trials

LEAST = 3  # Stimuli, of which one is held out to choose.
MOST_TRIALS = 3000  # The posterior's time grows with their cube.
MOST_PICTURES = 2000  # Unpaired; more hardly move a covariance.
LARGEST = 112  # Pixels a side; larger pictures are shrunk, means enlarged.
_IMAGES, _DENSITIES = ('bayes', 'ridge'), ('log_posterior', 'log_prior')


class Training(NamedTuple):
    """What `linear.bayes.reference.fit` was given."""

    pictures: np.ndarray
    fmri: np.ndarray
    stimulus: np.ndarray
    unpaired: np.ndarray


class References(NamedTuple):
    """Fitted references with what turns their rows into pictures.

    Attributes:
      fitted: the posterior, with the ridge in it.
      shape: (height, width, channels) of a row; grey pictures have 1 channel.
      size: (height, width) of the pictures, which may be larger.
      repeats: [n] trials that each of the `Data`'s test responses averages.
      training: what the fit was given.
      notes: sentences for the report.
    """

    fitted: Reference
    shape: tuple[int, int, int]
    size: tuple[int, int]
    repeats: np.ndarray
    training: Training
    notes: list[str]


class Shown(NamedTuple):
    """What a run tells of its references.

    Attributes:
      images: 'bayes' and 'ridge', see `reconstruct`; none without references.
      densities: of each fit, see `log_densities`.
      notes: sentences for the report.
      voxels: see `voxels`.
    """

    images: dict[str, np.ndarray]
    densities: list[tuple[np.ndarray, np.ndarray]]
    notes: list[str]
    voxels: dict[str, np.ndarray]


def of_run(
    data: Data,
    seed: int,
    folder: PathLike,
    fitted: References | None = None,
    fit: Callable[..., References] | None = None,
) -> Shown:
    """Fits references and tells of the test pictures, once a work folder.

    Args:
      data: of `methods.data.prepare`.
      seed: of `fit`.
      folder: keeps what was found.
      fitted: of `fit`, where there are such.
      fit: of `fit_once`, where several test sets have the same training.
    """
    shown = data.recording.train.stimulus
    if len(np.unique(shown)) < LEAST:
        few = f'There are no references: they need {LEAST} training stimuli.'
        return Shown({}, [], [few], {})
    targets = data.recording.stimuli.images[data.test.stimulus]
    training, *_ = given = _training(data, seed)
    made_from = {
        'arrays': provenance.hash_arrays(
            *training, data.test.fmri, targets, _repeats(data)
        ),
        'seed': seed,
        'code': provenance.hash_code(),
        'versions': provenance.versions(),
    }
    found = kept_arrays.read(folder, made_from)
    if found is None:
        fitted = fitted or (fit or _fit)(data, seed, *given)
        on_targets = log_densities(fitted, data.test.fmri, targets)
        found = reconstruct(fitted, data.test.fmri) | voxels(fitted)
        found |= dict(zip(_DENSITIES, on_targets))
        found['notes'] = np.array(fitted.notes)
        kept_arrays.write(folder, made_from, found)
    images, densities = (
        {name: found.pop(name) for name in names}
        for names in (_IMAGES, _DENSITIES)
    )
    notes = found.pop('notes').tolist()
    return Shown(images, [(*densities.values(),)], notes, found)


def fit_once() -> Callable[..., References]:
    """Returns what fits the same training once, see `of_run`."""
    fits = {}

    def fit(data, seed, training, *rest):
        # Test sets may differ in the unpaired pictures that are left.
        key = seed, provenance.hash_arrays(*training)
        if key not in fits:
            fits.clear()
            fits[key] = _fit(data, seed, training, *rest)
        return fits[key]._replace(repeats=_repeats(data))

    return fit


def fit(data: Data, seed: int = 0) -> References:
    """Fits ridge and posterior to the training trials of a recording.

    Args:
      data: of `methods.data.prepare`, with three training stimuli at least.
      seed: of the folds inside the training stimuli.
    """
    return _fit(data, seed, *_training(data, seed))


def _training(data, seed):
    """`Training`, shape of its pictures, their size and notes."""
    train, notes = evenly_chosen(data.normalised.train)
    images = data.recording.stimuli.images
    size = images.shape[1:3]
    unpaired = data.pictures[evenly(len(data.pictures), MOST_PICTURES)]
    shown, stimulus = np.unique(train.stimulus, return_inverse=True)
    images, unpaired = (
        shrink(each, LARGEST) for each in (images[shown], unpaired)
    )
    channels = 1 if _is_grey(images) and _is_grey(unpaired) else 3
    paired = images[..., :channels] / np.float32(255)
    if max(size) > LARGEST:
        notes.append(
            'Ridge and the closed-form posterior took pictures shrunk to '
            f'{LARGEST} px; their reconstructions were enlarged.'
        )
    if len(unpaired):
        free = unpaired[..., :channels] / np.float32(255)
    else:
        free = stand_ins(paired, seed)
        notes.append(
            'There are no unpaired pictures: the prior of the closed-form '
            'posterior comes from the training pictures and from pictures '
            'with their spectra and random phases.'
        )
    training = Training(
        paired.reshape(len(paired), -1),
        train.fmri,
        stimulus,
        free.reshape(len(free), -1),
    )
    return training, (*images.shape[1:3], channels), size, notes


def stand_ins(paired: np.ndarray, seed: int) -> np.ndarray:
    """Pictures in the place of unpaired ones; see `phase_scrambled`."""
    return phase_scrambled(paired, max(100, len(paired)), seed)


def _repeats(data):
    counts = np.bincount(data.recording.test.stimulus)
    return counts[data.test.stimulus]


def _fit(data, seed, training, shape, size, notes):
    fitted = reference.fit(*training, shape=shape, seed=seed)
    notes = [_in_words(fitted), *notes]
    return References(fitted, shape, size, _repeats(data), training, notes)


def reconstruct(
    references: References, fmri: np.ndarray
) -> dict[str, np.ndarray]:
    """Reconstructs the test responses of the `Data`, 'bayes' and 'ridge'.

    Args:
      references: of `fit`.
      fmri: [n, voxels], of `Data.test`.

    Returns:
      Name -> [n, height, width, 3] float32 in 0..1.
    """
    rows = {
        'bayes': reference.reconstruct(
            references.fitted, fmri, references.repeats
        ),
        'ridge': tuned.predict(references.fitted.ridge, fmri),
    }
    return {
        name: to_images(references, found).clip(0, 1)
        for name, found in rows.items()
    }


def log_densities(
    references: References, fmri: np.ndarray, images: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Log densities of pictures under the closed-form posterior and prior.

    Args:
      references, fmri: as `reconstruct` takes them.
      images: [m, height, width, 3] uint8.

    Returns:
      [n, m], rows responses, and [m]; natural logarithms, of the latents.
    """
    fitted = references.fitted
    found = reference.condition(fitted, fmri, references.repeats)
    z = reference.latents(fitted, to_rows(references, images))
    return posterior.log_density(found, z), posterior.log_prior(z)


def voxels(references: References) -> dict[str, np.ndarray]:
    """What the linear encoder explains of voxels, and what they weigh.

    Returns:
      'explained_variance' of single training trials, their stimuli left out,
      and 'posterior_weight', see `bayes.reference.voxel_weights`; [voxels].
    """
    fitted = references.fitted
    left = fitted.model.encoder.residuals.var(axis=0)
    repeats = float(references.repeats.mean())
    return {
        'explained_variance': 1 - left / references.training.fmri.var(axis=0),
        'posterior_weight': reference.voxel_weights(fitted, repeats),
    }


def to_images(references: References, rows: np.ndarray) -> np.ndarray:
    """Returns rows [..., pixels] as pictures [..., height, width, 3]."""
    images = rows.reshape(*rows.shape[:-1], *references.shape)
    size = (*images.shape[:-3], *references.size, images.shape[-1])
    if images.shape != size:
        images = np.asarray(jax.image.resize(images, size, 'linear'))
    return np.broadcast_to(images, (*images.shape[:-1], 3))


def to_rows(references: References, images: np.ndarray) -> np.ndarray:
    """Returns uint8 pictures [n, height, width, 3] as rows [n, pixels]."""
    channels = references.shape[-1]
    rows = shrink(images, LARGEST)[..., :channels] / np.float32(255)
    return rows.reshape(len(images), -1)


def evenly_chosen(train: Trials) -> tuple[Trials, list[str]]:
    """Takes trials of evenly chosen stimuli, where there are very many.

    Returns:
      The trials, in memory, and a sentence if some were left out.
    """
    if len(train) <= MOST_TRIALS:
        return Trials(np.asarray(train.fmri[:]), train.stimulus), []
    stimuli = np.unique(train.stimulus)
    share = MOST_TRIALS / len(train)
    kept = np.linspace(0, len(stimuli) - 1, max(3, int(share * len(stimuli))))
    rows = np.flatnonzero(np.isin(train.stimulus, stimuli[kept.astype(int)]))
    trials = Trials(train.fmri.take(rows, axis=0), train.stimulus[rows])
    return trials, [
        f'Ridge and the closed-form posterior learned from {len(rows)} of '
        f'{len(train)} training trials, those of evenly chosen stimuli.'
    ]


def _is_grey(images: np.ndarray) -> bool:
    return bool((images == images[..., :1]).all())


def _in_words(fitted: Reference) -> str:
    choice, model = fitted.choice, fitted.model
    mixture = model.encoder.mixture
    local = f'weights local in {100 * mixture.local:.0f} % of voxels'
    return (
        'References, chosen inside the training stimuli: ridge with alpha '
        f'{fitted.ridge.alpha:.3g}; closed-form posterior with '
        f'{len(model.prior.std)} axes, '
        f'{local if choice.local else "weights over the whole picture"}, the '
        f'training pictures counting {choice.weight:g} times as much as the '
        f'unpaired ones, p = {model.encoder.power:g}, lambda = '
        f'{model.encoder.noise:.3g}, {100 * model.noise.share:.0f} % of the '
        f'noise independent between voxels and {100 * model.noise.lasting:.0f} '
        '% of it not reduced by repeats, its variance times '
        f'{choice.widening:g}. For its mean these are '
        f'{"local" if choice.mean_local else "whole"} weights, '
        f'{choice.mean_weight:g} and {choice.mean_widening:g}, and ridge has a '
        f'part of {choice.mean_ridge:g} in it.'
    )

"""Faces from the brain (VanRullen & Reddy 2019), from recording to pictures.

A VAE-GAN learns pictures of faces (`vaegan_training`). Responses to training
faces are fitted linearly from the faces' latents, and that map is inverted
for responses to test faces (`linear.latents`); the generator turns the
latents that come out into pictures. Principal components of the same
pictures, as many, go the same way and are the baseline.
"""

import functools
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict, FrozenConfigDict

from brainjax.evaluation import entries, recognition
from brainjax.files import PathLike
from brainjax.linear import latents, pca, scaling
from brainjax.methods import face_pictures, vaegan_training
from brainjax.methods.faces_checks import check, load_weights, roi_masks
from brainjax.methods.findings import Findings
from brainjax.networks import vaegan
from brainjax.recordings import (
    Recording,
    average_repeats,
    need_pictures,
    normalise,
)
from brainjax.recordings.stored import mean_and_deviation
from brainjax.reports import face_figures, figures
from brainjax.training.loop import History


class Space(NamedTuple):
    """Latents of pictures, and the map between them and voxels.

    Attributes:
      encode: pictures [n, size, size, 3] uint8 -> latents [n, K].
      generate: latents -> pictures, floats in 0..1.
      latents: [training stimuli, K].
      weights: [K + 1, voxels], the bias last.
    """

    encode: Callable[[np.ndarray], np.ndarray]
    generate: Callable[[np.ndarray], np.ndarray]
    latents: np.ndarray
    weights: np.ndarray


class Fitted(NamedTuple):
    """The VAE-GAN's latents, the baseline's, and how they came about.

    Attributes:
      vaegan, pca: the two kinds of latents.
      baseline: [voxels] mean response to training faces, which normalising
        takes away, in the normalised unit.
      shown: [training stimuli] their rows among the recording's stimuli.
      history: of the VAE-GAN's training; empty where it was loaded.
      notes: sentences.
    """

    vaegan: Space
    pca: Space
    baseline: np.ndarray
    shown: np.ndarray
    history: History
    notes: list[str]


def fit(
    recording: Recording,
    unpaired: np.ndarray,
    config: ConfigDict,
    workdir: PathLike,
) -> Fitted:
    """Trains or loads the VAE-GAN, fits the baseline and both maps.

    Args:
      recording: it is normalised here; its pictures are `config.size` wide.
      unpaired: [n, size, size, 3] uint8 faces; test faces among them are left
        out.
      config: see `faces_config.vanrullen2019`.
      workdir: gets 'checkpoints/vaegan', from which a run that was cut off
        goes on.

    Raises:
      InputError: the recording, the pictures or a setting cannot be used.
      Interrupted: SIGINT or SIGTERM came; the same call resumes.
    """
    config = FrozenConfigDict(config)
    check(recording, config)
    images = need_pictures(recording)
    train = normalise(recording).train
    shown, rows = np.unique(train.stimulus, return_inverse=True)
    kept = face_pictures.without(
        unpaired, images[np.unique(recording.test.stimulus)]
    )
    notes = _notes(recording, config, len(unpaired) - len(kept))
    if config.networks.weights:
        variables, history = load_weights(config), []
        basis = kept if len(kept) else images[shown]
    else:
        variables, history = vaegan_training.fit(
            kept, config, pathlib.Path(workdir, 'checkpoints', 'vaegan')
        )
        basis = kept
    components = pca.fit(
        basis,
        config.pca.components or config.networks.latents,
        config.pca.whiten,
        config.seed,
    )
    baseline = _baseline(recording)
    space = functools.partial(
        _space, images[shown], rows, np.asarray(train.fmri) + baseline, config
    )
    return Fitted(
        space(
            functools.partial(vaegan.encode, variables),
            functools.partial(
                vaegan.generate,
                variables,
                brightness=config.networks.brightness,
            ),
        ),
        space(
            functools.partial(pca.encode, components),
            functools.partial(pca.generate, components),
        ),
        baseline,
        shown,
        history,
        notes,
    )


def _baseline(recording: Recording) -> np.ndarray:
    mean, deviation = mean_and_deviation(recording.train.fmri)
    return np.float32(mean / deviation)


def _space(images, rows, fmri, config, encode, generate) -> Space:
    """Fits the map for one way to make latents of pictures."""
    known = encode(images)
    weights = latents.fit(known[rows], fmri, ridge=config.map.ridge)
    return Space(encode, generate, known, weights)


def decode(
    fitted: Fitted,
    space: Space,
    fmri: np.ndarray,
    config: ConfigDict,
    voxels: np.ndarray | slice = slice(None),
    inversion: str = '',
) -> np.ndarray:
    """Finds latents of responses.

    Args:
      fitted: from `fit`.
      space: which latents.
      fmri: [trials, voxels], normalised.
      config: as in `fit`.
      voxels: which of them to use.
      inversion: in place of `config.map.inversion`.

    Returns:
      [trials, K] float32.
    """
    responses = (fmri + fitted.baseline)[:, voxels]
    weights = space.weights[:, voxels]
    mean = space.latents.mean(axis=0)
    if (inversion or config.map.inversion) == 'published':
        found = latents.invert(weights, responses)
    else:
        flat = np.ones(weights.shape[1], np.float32)
        found = latents.invert_map(weights, responses, flat)
    if config.map.rescale:
        known = scaling.reference(space.latents - mean)
        found = scaling.scale(found - mean, known, 'about_zero') + mean
    return found


def reconstruct(
    fitted: Fitted, fmri: np.ndarray, config: ConfigDict
) -> np.ndarray:
    """Reconstructs pictures.

    Args:
      fitted: from `fit`.
      fmri: [trials, voxels], normalised as `fit` does.
      config: as in `fit`.

    Returns:
      [trials, size, size, 3] float32 in 0..1.
    """
    return fitted.vaegan.generate(decode(fitted, fitted.vaegan, fmri, config))


def findings(
    fitted: Fitted, recording: Recording, config: ConfigDict
) -> Findings:
    """Scores latents of both kinds, and draws what limits the pictures."""
    normalised = normalise(recording)
    test = average_repeats(normalised.test)
    images = need_pictures(recording)
    truth = images[test.stimulus]
    scores: dict[str, entries.Entry] = {}
    made = {'VAE-GAN ceiling': _rebuilt(fitted.vaegan, truth)}
    imagined, notes = {}, []
    for space, label, suffix in (
        (fitted.vaegan, 'from the brain', ''),
        (fitted.pca, 'PCA', '_pca'),
    ):
        find = functools.partial(decode, fitted, space, config=config)
        true, decoded = space.encode(truth), find(test.fmri)
        made[label] = space.generate(decoded)
        pairwise = f'pairwise{suffix or "_latents"}'
        found = recognition.recognise(true, decoded, seed=config.seed)
        scores[pairwise] = found['pairwise']
        scores[f'full_recognition{suffix}'] = found['full']
        if config.gender:
            male = face_pictures.labels(recording)
            scores |= {
                f'{name}{suffix}': each
                for name, each in _gender(
                    space.latents,
                    male[fitted.shown],
                    {'gender': decoded, 'gender_ceiling': true},
                    male[test.stimulus],
                    config.seed,
                ).items()
            }
        if normalised.imagery is not None:
            imagery = average_repeats(normalised.imagery)
            # Imagined, the mean face is weaker too: its weight is found.
            guess = find(imagery.fmri, inversion='published')
            imagined |= {'seen': images[imagery.stimulus] / np.float32(255)}
            imagined[label] = space.generate(guess)
            scores[f'imagery{suffix}'] = recognition.imagery(
                true,
                guess,
                np.searchsorted(test.stimulus, imagery.stimulus),
                seed=config.seed,
            )
        for name, voxels in _regions(fitted, recording, config).items():
            alone = find(test.fmri, voxels=voxels)
            found = recognition.recognise(true, alone, seed=config.seed)
            scores[f'{pairwise}_{name}'] = found['pairwise']
        ratio = decoded.std(axis=0).mean() / space.latents.std(axis=0).mean()
        notes.append(
            f'{label}: decoded latents vary {ratio:.2f} times as much as '
            'those of the training faces.'
        )
    for label, suffix in (('VAE-GAN ceiling', 'ceiling'), ('PCA', 'pca')):
        found, _ = entries.of_pixels(
            truth, made[label], seed=config.seed, ssim=['ssim_2d']
        )
        scores |= {f'{name}_{suffix}': each for name, each in found.items()}
    return Findings(
        'the VAE-GAN for faces (VanRullen & Reddy 2019; '
        f'{fitted.vaegan.latents.shape[1]} latents)',
        False,
        scores,
        _figures(fitted, recording, config, truth, made, imagined),
        [*fitted.notes, *notes],
    )


def _rebuilt(space: Space, images: np.ndarray) -> np.ndarray:
    return space.generate(space.encode(images))


def _gender(
    known: np.ndarray,
    male: np.ndarray,
    judged: dict[str, np.ndarray],
    truth: np.ndarray,
    seed: int,
) -> dict[str, entries.Entry]:
    """Judges latents by the axis between training faces, standardised."""
    by = recognition.spread(known)
    axis = recognition.gender_axis(recognition.standardise(known, by), male)
    return {
        name: recognition.gender(
            axis, recognition.standardise(found, by), truth, seed=seed
        )
        for name, found in judged.items()
    }


def _regions(
    fitted: Fitted, recording: Recording, config: ConfigDict
) -> dict[str, np.ndarray]:
    """The voxels of each ROI that follow the latents best, equally many."""
    if not config.map.rois:
        return {}
    return recognition.equal_sets(
        fitted.vaegan.weights[:-1].std(axis=0), roi_masks(recording, config)
    )


def _figures(
    fitted: Fitted,
    recording: Recording,
    config: ConfigDict,
    truth: np.ndarray,
    made: dict[str, np.ndarray],
    imagined: dict[str, np.ndarray],
) -> list[tuple[str, str, Any]]:
    """Draws the sheets of a report."""
    found = [
        (
            'What limits the pictures',
            'Seen; made from its own latents, the best the VAE-GAN can do; '
            'from latents decoded from the brain; the same with principal '
            'components.',
            figures.montage(truth / np.float32(255), made),
        )
    ]
    if imagined:
        faces = imagined.pop('seen')
        found.append(
            (
                'Imagined faces',
                'The face that was imagined, not seen; from the brain; the '
                'same with principal components.',
                figures.montage(faces, imagined),
            )
        )
    if config.gender:
        known = fitted.vaegan.latents
        male = face_pictures.labels(recording)[fitted.shown]
        found.append(
            (
                'From female to male',
                'A training face, moved along the axis between the mean '
                'latents of female and male training faces.',
                face_figures.traversal(
                    fitted.vaegan.generate,
                    known,
                    recognition.gender_axis(known, male)[None],
                    ['gender'],
                ),
            )
        )
    if fitted.history:
        found.append(
            (
                'Training of the VAE-GAN',
                'Mean of each loss over an epoch.',
                figures.loss_curves(fitted.history),
            )
        )
    return found


def _notes(
    recording: Recording, config: ConfigDict, left_out: int
) -> list[str]:
    """Says what differs from the paper and what is not known."""
    notes = [
        'Whether a person on a test face is on another picture of the '
        f'training set is not known; {left_out} pictures were left out of '
        "the VAE-GAN's for being test faces.",
        'Responses of single trials stand for the published fit to the time '
        'series.',
    ]
    if recording.noise_ceiling is not None:
        notes.append(
            'Noise ceiling of the averaged test responses: median over '
            f'voxels {np.median(recording.noise_ceiling):.2f}.'
        )
    if config.map.inversion != 'published':
        notes.append(
            f'config.map.inversion is {config.map.inversion!r}: the constant '
            'is known, where the published inversion finds it too.'
        )
    if config.map.rescale:
        notes.append(
            'Decoded latents were given the spread of training faces, which '
            'is not published.'
        )
    return notes

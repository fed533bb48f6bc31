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

from brainjax.errors import InputError
from brainjax.evaluation import entries
from brainjax.files import PathLike
from brainjax.linear import latents as linear
from brainjax.linear import pca
from brainjax.methods import face_pictures, face_scores, vaegan_training
from brainjax.methods.faces_checks import check, load_weights, roi_sets
from brainjax.methods.findings import Findings
from brainjax.networks import vaegan
from brainjax.recordings import (
    Recording,
    average_repeats,
    need_pictures,
    normalise,
)
from brainjax.reports import face_figures, figures
from brainjax.training.loop import History


class Space(NamedTuple):
    """Latents of pictures, and the map between them and voxels.

    Attributes:
      encode: pictures [n, size, size, 3] uint8 -> latents [n, K].
      generate: latents -> pictures, floats in 0..1.
      latents: [training stimuli, K].
      weights: [K + 1, voxels], the bias last.
      noise: [K + 1, K + 1] that `latents.invert` takes away, or 0.
    """

    encode: Callable[[np.ndarray], np.ndarray]
    generate: Callable[[np.ndarray], np.ndarray]
    latents: np.ndarray
    weights: np.ndarray
    noise: np.ndarray | float


class Fitted(NamedTuple):
    """The VAE-GAN's latents, the baseline's, and how they came about."""

    vaegan: Space
    pca: Space
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
    space = functools.partial(
        _space, images[shown], rows, np.asarray(train.fmri), config
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
        shown,
        history,
        notes,
    )


def _space(images, rows, fmri, config, encode, generate) -> Space:
    """Fits the map for one way to make latents of pictures."""
    known = encode(images)
    x = known[rows]
    weights = linear.fit_forward(x, fmri, ridge=config.map.ridge)
    noise = 0.0
    if config.map.correction == 'noise':
        noise = linear.noise_share(x, fmri, weights)
    return Space(encode, generate, known, weights, noise)


def decode(space: Space, fmri: np.ndarray, config: ConfigDict) -> np.ndarray:
    """Finds latents [trials, K] from fMRI [trials, voxels], normalised."""
    found = linear.invert(space.weights, fmri, noise=space.noise)
    if config.map.correction == 'over_test_faces_transductive':
        known = space.latents
        found = linear.rescale(found, known.mean(axis=0), known.std(axis=0))
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
    return fitted.vaegan.generate(decode(fitted.vaegan, fmri, config))


def findings(
    fitted: Fitted, recording: Recording, config: ConfigDict
) -> Findings:
    """Scores latents of both kinds, and draws what limits the pictures."""
    normalised = normalise(recording)
    test = average_repeats(normalised.test)
    images = need_pictures(recording)
    truth = images[test.stimulus]
    scores: dict[str, entries.Entry] = {}
    pictures = {'VAE-GAN ceiling': _rebuilt(fitted.vaegan, truth)}
    sheets, notes = [], []
    for space, label, suffix in (
        (fitted.vaegan, 'from the brain', ''),
        (fitted.pca, 'PCA', '_pca'),
    ):
        true = space.encode(truth)
        decoded = decode(space, test.fmri, config)
        pictures[label] = space.generate(decoded)
        pairwise, full = face_scores.recognition(true, decoded, config.seed)
        scores['pairwise' + (suffix or '_latents')] = pairwise
        scores['full_recognition' + suffix] = full
        if config.gender:
            scores |= _gender(
                fitted, space, recording, test.stimulus, true, decoded, suffix
            )
        if normalised.imagery is not None:
            imagined = average_repeats(normalised.imagery)
            guess = decode(space, imagined.fmri, config)
            scores['imagery' + suffix] = face_scores.imagery(
                true,
                guess,
                np.searchsorted(test.stimulus, imagined.stimulus),
                config.seed,
            )
            sheets.append((images[imagined.stimulus], space.generate(guess)))
        notes.append(_spread(label, space, decoded))
        for name, voxels in roi_sets(recording, config).items():
            alone = linear.invert(space.weights[:, voxels], test.fmri[:, voxels])
            scores[f'pairwise{suffix or "_latents"}_{name}'], _ = (
                face_scores.recognition(true, alone, config.seed)
            )
    for label, suffix in (('VAE-GAN ceiling', 'ceiling'), ('PCA', 'pca')):
        found, _ = entries.of_pixels(
            truth, pictures[label], seed=config.seed, ssim=['ssim_2d']
        )
        scores |= {f'{name}_{suffix}': each for name, each in found.items()}
    return Findings(
        'the VAE-GAN for faces (VanRullen & Reddy 2019; '
        f'{fitted.vaegan.latents.shape[1]} latents)',
        config.map.correction.endswith('transductive'),
        scores,
        _figures(fitted, recording, config, truth, pictures, sheets),
        [*fitted.notes, *notes],
    )


def _rebuilt(space: Space, images: np.ndarray) -> np.ndarray:
    return space.generate(space.encode(images))


def _gender(
    fitted: Fitted,
    space: Space,
    recording: Recording,
    stimulus: np.ndarray,
    true: np.ndarray,
    decoded: np.ndarray,
    suffix: str,
) -> dict[str, entries.Entry]:
    """Scores gender from the brain, and from the faces' own latents."""
    male = face_pictures.labels(recording)
    mean, spread = space.latents.mean(axis=0), space.latents.std(axis=0)
    spread = np.where(spread, spread, 1)
    axis = face_scores.gender_axis(
        (space.latents - mean) / spread, male[fitted.shown]
    )
    return {
        name + suffix: face_scores.gender(
            (latents - mean) / spread @ axis, male[stimulus]
        )
        for name, latents in (('gender', decoded), ('gender_ceiling', true))
    }


def _spread(label: str, space: Space, decoded: np.ndarray) -> str:
    ratio = decoded.std(axis=0).mean() / space.latents.std(axis=0).mean()
    return (
        f'{label}: decoded latents spread {ratio:.2f} times as much as those '
        'of the training faces.'
    )


def _figures(
    fitted: Fitted,
    recording: Recording,
    config: ConfigDict,
    truth: np.ndarray,
    pictures: dict[str, np.ndarray],
    imagined: list[tuple[np.ndarray, np.ndarray]],
) -> list[tuple[str, str, Any]]:
    """Draws the sheets of a report."""
    found = [
        (
            'What limits the pictures',
            'Seen; made from its own latents, the best the VAE-GAN can do; '
            'from latents decoded from the brain; the same with principal '
            'components.',
            figures.montage(truth / np.float32(255), pictures),
        )
    ]
    if imagined:
        (faces, ours), (_, baseline) = imagined
        found.append(
            (
                'Imagined faces',
                'The face that was imagined, not seen; from the brain; the '
                'same with principal components.',
                figures.montage(
                    faces / np.float32(255), {'brain': ours, 'PCA': baseline}
                ),
            )
        )
    if config.gender:
        latents = fitted.vaegan.latents
        male = face_pictures.labels(recording)[fitted.shown]
        found.append(
            (
                'From female to male',
                'A training face, moved along the axis between the mean '
                'latents of female and male training faces.',
                face_figures.traversal(
                    fitted.vaegan.generate,
                    latents,
                    face_scores.gender_axis(latents, male)[None],
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
    if config.map.correction:
        notes.append(
            f'config.map.correction is {config.map.correction!r}; published '
            'is none.'
        )
    if config.map.correction.endswith('transductive'):
        notes.append(
            'Transductive: each latent was rescaled over the test faces.'
        )
    return notes

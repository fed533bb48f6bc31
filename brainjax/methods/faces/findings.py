"""What the method for faces tells beside its pictures.

How well latents of both kinds, decoded from fMRI, tell which face was seen or
imagined, what limits the pictures, and how training went.
"""

from typing import NamedTuple

import numpy as np
from ml_collections import ConfigDict

from brainjax.evaluation.faces import recognition
from brainjax.evaluation.scores import Score, pixel_scores
from brainjax.methods.data import Data, Figure, Findings
from brainjax.methods.faces import voxels
from brainjax.methods.faces.data import fewest_voxels, roi_masks
from brainjax.methods.faces.latents import Space, decode, describe_choice
from brainjax.methods.faces.method import Fitted
from brainjax.methods.faces.pictures import is_male
from brainjax.recordings import Trials, average_repeats


class _Faces(NamedTuple):
    """What both kinds of latents are judged by, made once.

    Attributes:
      data: of the run.
      images: [n, size, size, 3] uint8 of the test faces, as in `data.test`.
      repeats: trials of a test face, on average.
      imagery: averaged over the trials of a face; None without any.
      imagery_repeats: trials of an imagined face, on average.
      male: [stimuli] bool; None where gender is not scored.
      shown: rows of the training faces among the stimuli.
      regions: masks of the ROIs that are scored alone.
      fewest: voxels that each of them gets.
    """

    data: Data
    images: np.ndarray
    repeats: float
    imagery: Trials | None
    imagery_repeats: float
    male: np.ndarray | None
    shown: np.ndarray
    regions: dict[str, np.ndarray]
    fewest: int


def findings(fitted: Fitted, data: Data, config: ConfigDict) -> Findings:
    """Scores latents of both kinds, and shows what limits the pictures."""
    seen = _faces(fitted, data, config)
    target = seen.images
    vaegan = fitted.vaegan
    reconstructions = {
        'VAE-GAN ceiling': vaegan.generate(vaegan.encode(target))
    }
    imagined, scores, notes = {}, {}, []
    for space, label, suffix in (
        (vaegan, 'from fMRI', ''),
        (fitted.pca, 'PCA', '_pca'),
    ):
        encoded = space.encode(target)
        decoded = decode(space, data.test.fmri, config, seen.repeats)
        reconstructions[label] = space.generate(decoded)
        scores |= _recognition(space, encoded, decoded, seen, config, suffix)
        if seen.imagery is not None:
            guess = decode(
                space,
                seen.imagery.fmri,
                config,
                seen.imagery_repeats,
                imagined=True,
            )
            imagined[label] = space.generate(guess)
            scores[f'imagery{suffix}'] = recognition.imagery(
                encoded,
                guess,
                np.searchsorted(data.test.stimulus, seen.imagery.stimulus),
                seed=config.seed,
            )
        scores |= _by_region(space, encoded, seen, config, suffix)
        chosen = describe_choice(space.voxels, space.gain, data.recording.rois)
        ratio = decoded.std(axis=0).mean() / space.latents.std(axis=0).mean()
        notes += [
            f'{label}: {chosen}',
            f'{label}: decoded latents vary {ratio:.2f} times as much as '
            'those of the training faces.',
        ]
    for label, suffix in (('VAE-GAN ceiling', 'ceiling'), ('PCA', 'pca')):
        found, _ = pixel_scores(
            target,
            reconstructions[label],
            ('pixcorr', 'ssim_2d'),
            seed=config.seed,
        )
        scores |= {f'{name}_{suffix}': each for name, each in found.items()}
    return Findings(
        'the VAE-GAN for faces (VanRullen & Reddy 2019; '
        f'{vaegan.latents.shape[1]} latents)',
        False,
        scores,
        [
            _ceiling(target, reconstructions),
            *_imagery(seen, imagined),
            *_gender(vaegan, seen),
            *_training(fitted),
        ],
        [*fitted.notes, *notes],
        fitting=in_words(fitted, config),
        ceiling=reconstructions['VAE-GAN ceiling'],
        ceiling_from="from the face's own latents",
        voxels=voxels.of_map(vaegan, target, data.test),
    )


def in_words(fitted: Fitted, config: ConfigDict) -> str:
    """How responses became pictures, for a paper's methods."""
    c, training = config.map, config.training
    made = (
        'loaded'
        if config.networks.weights
        else f'trained on unpaired faces for {training.epochs} epochs of '
        f'{training.steps} steps, batches of {training.batch}, '
        f'{training.optimizer}, learning rate {training.learning_rate:g}'
    )
    found = {
        'published': 'by least squares with the constant found too, as '
        'published',
        'least_squares': 'by least squares with a known constant',
        'most_probable': 'as the most probable latents under the noise of '
        'voxels and the spread of training latents',
    }
    chosen = (
        f', in the {100 * c.voxels:g} % of voxels to whose variance in '
        'training trials the latents add most'
    ) * (c.voxels < 1)
    components = config.pca.components or config.networks.latents
    return (
        f'A VAE-GAN of {fitted.vaegan.latents.shape[1]} latents was {made}. '
        'Single training responses were regressed on the latents of their '
        f'faces (ridge penalty {c.ridge:g}){chosen}; the map was inverted '
        f'{found[c.inversion]}, and the generator made pictures of the '
        f'latents. {components} principal components of the training faces '
        'went the same way.'
    )


def _faces(fitted: Fitted, data: Data, config: ConfigDict) -> _Faces:
    recording, imagery = data.recording, data.normalised.imagery
    averaged, repeats = None, 0.0
    if imagery is not None:
        averaged = average_repeats(imagery)
        repeats = len(imagery) / len(averaged)
    return _Faces(
        data,
        recording.stimuli.images[data.test.stimulus],
        fitted.repeats,
        averaged,
        repeats,
        is_male(recording) if config.gender else None,
        fitted.shown,
        roi_masks(recording, config),
        fewest_voxels(recording, config),
    )


def _pairwise(suffix: str) -> str:
    return f'pairwise{suffix or "_latents"}'


def _recognition(
    space: Space,
    encoded: np.ndarray,
    decoded: np.ndarray,
    seen: _Faces,
    config: ConfigDict,
    suffix: str,
) -> dict[str, Score]:
    """Which face was seen, and its gender, by decoded latents."""
    found = recognition.recognise(encoded, decoded, seed=config.seed)
    scores = {
        _pairwise(suffix): found['pairwise'],
        f'full_recognition{suffix}': found['full'],
    }
    if seen.male is None:
        return scores
    by = recognition.spread(space.latents)
    axis = recognition.gender_axis(
        recognition.standardise(space.latents, by), seen.male[seen.shown]
    )
    for name, latents in (('gender', decoded), ('gender_ceiling', encoded)):
        scores[f'{name}{suffix}'] = recognition.gender(
            axis,
            recognition.standardise(latents, by),
            seen.male[seen.data.test.stimulus],
            seed=config.seed,
        )
    return scores


def _by_region(
    space: Space,
    encoded: np.ndarray,
    seen: _Faces,
    config: ConfigDict,
    suffix: str,
) -> dict[str, Score]:
    """Recognition by the voxels of each ROI that the latents explain best.

    ROIs get equally many, and each kind of latents has its own.
    """
    if not seen.regions:
        return {}
    scores = {}
    for name, mine in recognition.equal_sets(
        space.gain, seen.regions, seen.fewest
    ).items():
        decoded = decode(
            space, seen.data.test.fmri, config, seen.repeats, voxels=mine
        )
        found = recognition.recognise(encoded, decoded, seed=config.seed)
        scores[f'{_pairwise(suffix)}_{name}'] = found['pairwise']
    return scores


def _ceiling(
    target: np.ndarray, reconstructions: dict[str, np.ndarray]
) -> Figure:
    return Figure(
        'What limits the pictures',
        'Seen; made from its own latents, the best the VAE-GAN can do; '
        'from latents decoded from fMRI; the same with principal '
        'components.',
        'montage',
        {
            'target': target / np.float32(255),
            'reconstructions': reconstructions,
        },
    )


def _imagery(seen: _Faces, imagined: dict[str, np.ndarray]) -> list[Figure]:
    if seen.imagery is None:
        return []
    faces = seen.data.recording.stimuli.images[seen.imagery.stimulus]
    return [
        Figure(
            'Imagined faces',
            'The face that was imagined, not seen; from fMRI; the same '
            'with principal components.',
            'montage',
            {
                'target': faces / np.float32(255),
                'reconstructions': imagined,
                'first': 'imagined',
            },
        )
    ]


def _gender(space: Space, seen: _Faces) -> list[Figure]:
    if seen.male is None:
        return []
    known = space.latents
    axis = recognition.gender_axis(known, seen.male[seen.shown])
    walked, places = recognition.walk(known, axis[None])
    images = space.generate(walked.reshape(-1, known.shape[1]))
    return [
        Figure(
            'From female to male',
            'A training face, moved along the axis between the mean '
            'latents of female and male training faces.',
            'picture_grid',
            {
                'images': images[None],
                'labels': ['gender'],
                'titles': [f'{place:+.1f} sd' for place in places],
            },
        )
    ]


def _training(fitted: Fitted) -> list[Figure]:
    if not fitted.history:
        return []
    return [
        Figure(
            'Training of the VAE-GAN',
            'Means over an epoch of training. real, fake: the '
            "discriminator's cost on either; steps: the share of steps in "
            'which a part was trained.',
            'loss_curves',
            {'history': fitted.history},
        )
    ]

"""What the method for faces tells beside the pictures: scores and sheets."""

import functools

import numpy as np
from ml_collections import ConfigDict

from brainjax.evaluation import recognition
from brainjax.evaluation.scores import Score, pixel_scores
from brainjax.methods.data import Data, Figure, Findings
from brainjax.methods.faces import pictures
from brainjax.methods.faces import voxels as faces_voxels
from brainjax.methods.faces.data import fewest_voxels, roi_masks
from brainjax.methods.faces.latents import Fitted, Space, decode
from brainjax.recordings import (
    Recording,
    average_repeats,
    need_pictures,
)


def findings(fitted: Fitted, data: Data, config: ConfigDict) -> Findings:
    """Scores latents of both kinds, and shows what limits the pictures."""
    recording, test, imagery = (
        data.recording,
        data.test,
        data.normalised.imagery,
    )
    images = need_pictures(recording)
    truth = images[test.stimulus]
    scores: dict[str, Score] = {}
    made = {'VAE-GAN ceiling': _rebuilt(fitted.vaegan, truth)}
    imagined, notes = {}, []
    for space, label, suffix in (
        (fitted.vaegan, 'from fMRI', ''),
        (fitted.pca, 'PCA', '_pca'),
    ):
        find = functools.partial(decode, space, config=config)
        true = space.encode(truth)
        decoded = find(test.fmri, repeats=fitted.repeats)
        made[label] = space.generate(decoded)
        pairwise = f'pairwise{suffix or "_latents"}'
        found = recognition.recognise(true, decoded, seed=config.seed)
        scores[pairwise] = found['pairwise']
        scores[f'full_recognition{suffix}'] = found['full']
        if config.gender:
            male = pictures.labels(recording)
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
        if imagery is not None:
            averaged = average_repeats(imagery)
            repeats = len(imagery) / len(averaged)
            guess = find(averaged.fmri, repeats=repeats, imagined=True)
            imagined |= {
                'imagined': images[averaged.stimulus] / np.float32(255)
            }
            imagined[label] = space.generate(guess)
            scores[f'imagery{suffix}'] = recognition.imagery(
                true,
                guess,
                np.searchsorted(test.stimulus, averaged.stimulus),
                seed=config.seed,
            )
        for name, voxels in _regions(space, recording, config).items():
            alone = find(test.fmri, repeats=fitted.repeats, voxels=voxels)
            found = recognition.recognise(true, alone, seed=config.seed)
            scores[f'{pairwise}_{name}'] = found['pairwise']
        ratio = decoded.std(axis=0).mean() / space.latents.std(axis=0).mean()
        chosen = faces_voxels.describe(space.voxels, space.gain, recording.rois)
        notes.append(f'{label}: {chosen}')
        notes.append(
            f'{label}: decoded latents vary {ratio:.2f} times as much as '
            'those of the training faces.'
        )
    for label, suffix in (('VAE-GAN ceiling', 'ceiling'), ('PCA', 'pca')):
        found, _ = pixel_scores(
            truth, made[label], ('pixcorr', 'ssim_2d'), seed=config.seed
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
) -> dict[str, Score]:
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
    space: Space, recording: Recording, config: ConfigDict
) -> dict[str, np.ndarray]:
    """The voxels of each ROI that the latents explain best, equally many.

    Each kind of latents has its own.
    """
    if not config.map.rois:
        return {}
    masks = roi_masks(recording, config)
    return recognition.equal_sets(
        space.gain,
        masks,
        fewest_voxels(masks, recording, config),
    )


def _figures(
    fitted: Fitted,
    recording: Recording,
    config: ConfigDict,
    truth: np.ndarray,
    made: dict[str, np.ndarray],
    imagined: dict[str, np.ndarray],
) -> list[Figure]:
    """The sheets of a report."""
    found = [
        Figure(
            'What limits the pictures',
            'Seen; made from its own latents, the best the VAE-GAN can do; '
            'from latents decoded from fMRI; the same with principal '
            'components.',
            'montage',
            {'target': truth / np.float32(255), 'reconstructions': made},
        )
    ]
    if imagined:
        faces = imagined.pop('imagined')
        found.append(
            Figure(
                'Imagined faces',
                'The face that was imagined, not seen; from fMRI; the same '
                'with principal components.',
                'montage',
                {
                    'target': faces,
                    'reconstructions': imagined,
                    'first': 'imagined',
                },
            )
        )
    if config.gender:
        known = fitted.vaegan.latents
        male = pictures.labels(recording)[fitted.shown]
        walked, places = recognition.walk(
            known, recognition.gender_axis(known, male)[None]
        )
        images = fitted.vaegan.generate(walked.reshape(-1, known.shape[1]))
        found.append(
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
        )
    if fitted.history:
        found.append(
            Figure(
                'Training of the VAE-GAN',
                'Means over an epoch of training. real, fake: the '
                "discriminator's cost on either; steps: the share of steps in "
                'which a part was trained.',
                'loss_curves',
                {'history': fitted.history},
            )
        )
    return found

"""Faces from the brain (VanRullen & Reddy 2019), from recording to pictures.

A VAE-GAN learns pictures of faces (`vaegan_training`). Responses to training
faces are fitted linearly from the faces' latents, and that map is inverted
for responses to test faces (`linear.latents`); the generator turns the
latents that come out into pictures. Principal components of the same
pictures, as many, go the same way and are the baseline.
"""

import functools
import pathlib

import numpy as np
from ml_collections import ConfigDict, FrozenConfigDict

from brainjax.io.files import PathLike
from brainjax.linear import pca
from brainjax.methods.data import Data
from brainjax.methods.faces import pictures, training
from brainjax.methods.faces.data import check, load_weights
from brainjax.methods.faces.latents import Fitted, decode, map_voxels
from brainjax.networks import vaegan
from brainjax.recordings import Recording, need_pictures


def fit(data: Data, config: ConfigDict, workdir: PathLike) -> Fitted:
    """Trains or loads the VAE-GAN, fits the baseline and both maps.

    Args:
      data: of `methods.data.prepare`, with pictures of `config.size`; test
        faces among the unpaired ones are left out.
      config: see `faces.config.vanrullen2019`.
      workdir: gets 'checkpoints/vaegan', from which an interrupted run
        resumes.

    Raises:
      InputError: the recording, the pictures or a setting cannot be used.
      Interrupted: SIGINT or SIGTERM came; the same call resumes.
    """
    config = FrozenConfigDict(config)
    recording, unpaired = data.recording, data.pictures
    check(recording, config)
    images = need_pictures(recording)
    shown = np.unique(recording.train.stimulus)
    kept = pictures.without(
        unpaired, images[np.unique(recording.test.stimulus)]
    )
    notes = _notes(recording, config, len(unpaired) - len(kept))
    if config.networks.weights:
        variables, history = load_weights(config), []
        basis = kept if len(kept) else images[shown]
    else:
        variables, history = training.fit(
            kept, config, pathlib.Path(workdir, 'checkpoints', 'vaegan')
        )
        basis = kept
    components = pca.fit(
        basis,
        config.pca.components or config.networks.latents,
        config.pca.whiten,
        config.seed,
    )
    space = functools.partial(map_voxels, data, images[shown], config)
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
        len(recording.test) / len(np.unique(recording.test.stimulus)),
        history,
        notes,
    )


def reconstruct(
    fitted: Fitted, fmri: np.ndarray, config: ConfigDict
) -> np.ndarray:
    """Reconstructs pictures.

    Args:
      fitted: from `fit`.
      fmri: [trials, voxels], normalised as `fit` does; averages of as many
        trials as a test face has.
      config: as in `fit`.

    Returns:
      [trials, size, size, 3] float32 in 0..1.
    """
    return fitted.vaegan.generate(
        decode(fitted.vaegan, fmri, config, fitted.repeats)
    )


def _notes(
    recording: Recording, config: ConfigDict, left_out: int
) -> list[str]:
    """Says what differs from the paper and what is not known."""
    learned = (
        'whether it learned from the test faces themselves is not known '
        'either, for the VAE-GAN was loaded.'
        if config.networks.weights
        else f"{left_out} pictures were left out of the VAE-GAN's for being "
        'test faces.'
    )
    notes = [
        'Whether a person on a test face is on another picture of the '
        f'training set is not known; {learned}',
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
    if config.map.inversion == 'most_probable':
        notes.append(
            'Latents were found with the noise of voxels and the training '
            "faces' latents as prior, which is not published."
        )
    if config.map.rescale:
        notes.append(
            'Decoded latents were given the spread of training faces, which '
            'is not published.'
        )
    return notes

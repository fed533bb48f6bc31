"""Faces from the brain (VanRullen & Reddy 2019), from recording to pictures.

A VAE-GAN learns pictures of faces. Responses to training faces are fitted
linearly from the faces' latents, and that map is inverted for responses to
test faces (`linear.latents`); the generator turns the latents that come out
into pictures. Principal components of the training faces, as many, go the same
way and are the baseline.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict, FrozenConfigDict

from brainjax.io import metrics
from brainjax.io.files import PathLike
from brainjax.linear import pca
from brainjax.methods.data import Data
from brainjax.methods.faces import networks, time_series
from brainjax.methods.faces.data import check, mean_response
from brainjax.methods.faces.latents import Space, decode, fit_map
from brainjax.methods.faces.training import fit_vaegan
from brainjax.networks import vaegan
from brainjax.recordings import Recording
from brainjax.training import hosts
from brainjax.training.loop import History


class Fitted(NamedTuple):
    """The VAE-GAN's latents, the baseline's, and how they came about.

    Attributes:
      vaegan, pca: the two kinds of latents; a model that was kept has no pca.
      shown: [training stimuli] their rows among the recording's stimuli.
      repeats: trials of a test face, on average.
      history: of the VAE-GAN's training; empty where it was loaded.
      notes: sentences for the report.
      variables: of the VAE-GAN.
      imagined: whether the responses are to faces that were imagined.
    """

    vaegan: Space
    pca: Space | None
    shown: np.ndarray
    repeats: float
    history: History
    notes: list[str]
    variables: Any = None
    imagined: bool = False


def fit(data: Data, config: ConfigDict, workdir: PathLike) -> Fitted:
    """Trains or loads the VAE-GAN, fits the baseline and both maps.

    Args:
      data: of `methods.data.prepare`, with pictures of `config.size`; test
        faces among the unpaired ones are left out there.
      config: see `faces.config.vanrullen2019`.
      workdir: gets 'checkpoints/vaegan', from which an interrupted run
        resumes.

    Raises:
      Interrupted: SIGINT or SIGTERM came; the same call resumes.
    """
    config = FrozenConfigDict(config)
    recording = data.recording
    check(recording, config)
    baseline = mean_response(recording, config)
    images = recording.stimuli.images
    shown = np.unique(recording.train.stimulus)
    if config.networks.weights:
        variables, history = networks.load(config), []
    else:
        variables, history = fit_vaegan(
            data.pictures,
            config,
            pathlib.Path(workdir, 'checkpoints', 'vaegan'),
            log=metrics.logger(workdir, 'vaegan', config.log.tensorboard),
        )
    # Of the faces that the subject saw, as published: a basis each subject.
    with hosts.progress('components', None, unit='parts') as show:
        components = pca.fit(
            images[shown],
            config.pca.components or config.networks.latents,
            config.pca.whiten,
            config.seed,
            show=lambda done, of: show(done, total=of),
        )
    # The published inversion finds the constant by the mean responses, which
    # normalising has taken away.
    kinds = {
        'vaegan': coders(variables, config),
        'pca': (
            functools.partial(pca.encode, components),
            functools.partial(pca.generate, components),
        ),
    }
    if config.map.response == 'time-series':
        spaces = time_series.fit_maps(recording, config, kinds, baseline)
    else:
        train = data.normalised.train
        fmri = np.asarray(train.fmri) + baseline
        train = dataclasses.replace(train, fmri=fmri)
        spaces = {
            kind: fit_map(images[shown], train, baseline, config, *each)
            for kind, each in kinds.items()
        }
    return Fitted(
        spaces['vaegan'],
        spaces['pca'],
        shown,
        len(recording.test) / len(data.test),
        history,
        _notes(recording, config),
        variables,
    )


def coders(
    variables: Any, config: ConfigDict
) -> tuple[Callable[[np.ndarray], np.ndarray], ...]:
    """Returns the VAE-GAN's `Space.encode` and `Space.generate`."""
    return (
        functools.partial(vaegan.encode, variables),
        functools.partial(
            vaegan.generate, variables, brightness=config.networks.brightness
        ),
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
        decode(
            fitted.vaegan,
            fmri,
            config,
            fitted.repeats,
            imagined=fitted.imagined,
        )
    )


def _notes(recording: Recording, config: ConfigDict) -> list[str]:
    """Says what differs from the paper and what is not known."""
    learned = (
        'whether it learned from the test faces themselves is not known '
        'either, for the VAE-GAN was loaded.'
        if config.networks.weights
        else 'test faces themselves were looked for among its pictures.'
    )
    notes = [
        'Whether a person on a test face is on another picture of the '
        f'training set is not known; {learned}',
    ]
    if config.map.response == 'trials':
        notes.append(
            'Responses of single trials stand for the published fit to the '
            'time series.'
        )
    else:
        notes.append(
            'The map was fitted to the time series of all runs; test patterns '
            'are from a model of the same series with principal components.'
        )
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

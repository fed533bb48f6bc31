"""Faces to learn from, whom a subject sees, and what the method asks of them.

Everything that can be wrong with a config, or with a recording for it, is told
here before anything is trained.
"""

from collections.abc import Sequence

import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError, check_known
from brainjax.methods.config import check_values
from brainjax.methods.data import (
    NOTHING,
    Given,
    Loaded,
    load_recording,
    no_pictures,
    restrict,
)
from brainjax.methods.faces import pictures, time_series
from brainjax.methods.faces.latents import number_of_voxels
from brainjax.methods.faces.losses import GAMES
from brainjax.methods.faces.networks import PARTS, build
from brainjax.methods.faces.steps import build_optimizer
from brainjax.networks import frozen, vaegan
from brainjax.pictures import on_disk
from brainjax.recordings import Recording, Stimuli, need_pictures, roi_mask
from brainjax.recordings.on_disk import mean_and_std
from brainjax.simulation.face_scenes import KINDS, faces
from brainjax.simulation.face_subject import simulate_faces
from brainjax.training import parallel
from brainjax.training.state import COMPUTE_TYPES

INVERSIONS = ('published', 'least_squares', 'most_probable')

# What the numbers of a config have to be.
BOUNDS = {
    'a whole number from 1': (
        *('checkpoint_every', 'training.epochs', 'training.steps'),
        *('networks.latents', 'networks.channels'),
        *('networks.generator_channels', 'networks.discriminator_channels'),
    ),
    'a number above 0': (
        *('training.learning_rate', 'training.drops', 'networks.width'),
    ),
    'a number from 0': (
        *('training.kl', 'training.gamma', 'training.pixels'),
        *('training.margin', 'training.warmup', 'training.rates'),
        *('map.ridge', 'map.least_t', 'pca.components'),
    ),
    '0 or a number above 1': ('training.clip',),
    'a part above 0 and up to 1': (
        'pictures.crop',  # Of the short side.
        'map.voxels',
    ),
}


def load(config: ConfigDict, given: Given = NOTHING) -> Loaded:
    """Opens or simulates what a config names: recording, unpaired faces.

    The pictures are for the VAE-GAN; there are none where it is loaded. With
    a simulated subject they are all but its test faces.
    """
    check_config(config)  # Reading CelebA and simulating take minutes.
    in_series = config.map.response == 'time-series'
    if in_series:
        time_series.check(config, given.recording)
    learns = config.pictures.number and not config.networks.weights
    if learns and config.training.perceptual:
        frozen.load(config.training.perceptual_network)  # Is it there?
    if not config.recording.path and given.recording is None:
        loaded = simulate(config, given)
        loaded = loaded._replace(recording=restrict(loaded.recording, config))
        if learns:
            return loaded
        return loaded._replace(pictures=no_pictures(config), names=())
    recording = load_recording(config, pictures.fit_name(config), given)
    if in_series:
        check(recording, config)  # Before all runs are read.
        recording = time_series.with_patterns(recording, config)
    if not learns:
        return Loaded(recording, no_pictures(config))
    unpaired, names, notes = pictures.load_faces(config, given.pictures)
    return Loaded(recording, unpaired, notes, names)


def simulate(config: ConfigDict, given: Given = NOTHING) -> Loaded:
    """Simulates a subject who sees some of the faces, loaded or generated.

    The unpaired faces are all that are not its test faces.
    """
    notes = []
    if config.pictures.path or given.pictures is not None:
        images, names, notes = pictures.load_faces(config, given.pictures)
    else:
        images, names, _ = faces(
            config.pictures.number, config.size, config.seed
        )
    kinds = pictures.genders(names) if config.gender else None
    if config.gender and kinds is None:
        raise InputError(pictures.unknown_gender(config.pictures.path))
    test, rest = _split(config, kinds, len(images))
    c = dict(config.simulated)
    train = rest[: c.pop('n_train')]
    c.pop('n_test')

    def stimuli(index):
        return Stimuli(
            images[index],
            tuple(names[i] for i in index),
            None if kinds is None else tuple(kinds[i] for i in index),
        )

    recording = simulate_faces(
        stimuli(train), stimuli(test), seed=config.seed, **c
    )
    unpaired = np.sort(rest)
    return Loaded(
        recording,
        on_disk.select(images, unpaired),
        notes,
        [names[i] for i in unpaired],
    )


def _split(
    config: ConfigDict, kinds: Sequence[str] | None, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the test faces, of both kinds equally many, and the others."""
    c = config.simulated
    order = np.random.default_rng([config.seed, 8]).permutation(n)
    if kinds is None:
        test = order[: c.n_test]
    else:
        half = c.n_test // 2
        test = np.concatenate(
            [
                order[np.array(kinds)[order] == kind][:number]
                for kind, number in zip(KINDS, (half, c.n_test - half))
            ]
        )
    if len(test) < max(c.n_test, 2) or n < c.n_train + c.n_test:
        raise InputError(
            f'{config.pictures.path or "generated"}: {n} faces are too few '
            f'for {c.n_train} training and {c.n_test} test faces (two or '
            'more, half of them female); give more faces, or lower '
            'config.simulated.n_train.'
        )
    return test, order[~np.isin(order, test)]


def roi_masks(
    recording: Recording, config: ConfigDict
) -> dict[str, np.ndarray]:
    """Returns the masks of `config.map.rois`, [voxels] bool each."""
    return {
        name: roi_mask(recording.rois, name, recording.source)
        for name in config.map.rois
    }


def fewest_voxels(recording: Recording, config: ConfigDict) -> int:
    """Returns how many voxels the smallest set that is used has."""
    masks = roi_masks(recording, config).values()
    smallest = min((int(m.sum()) for m in masks), default=recording.voxels)
    return number_of_voxels(smallest, config.map.voxels)


def check_config(config: ConfigDict) -> None:
    """Refuses settings with which nothing can be trained or decoded."""
    c = config.training
    check_known('response', config.map.response, time_series.RESPONSES)
    check_known('inversion', config.map.inversion, INVERSIONS)
    check_known('compute_dtype', config.compute_dtype, COMPUTE_TYPES)
    check_known('config.training.game', c.game, GAMES)
    vaegan.check_brightness(config.networks.brightness)
    check_values(config, BOUNDS)
    if len(config.training.rates) != len(PARTS):
        raise InputError(
            f'config.training.rates is {config.training.rates}; give a factor '
            f'for each of {", ".join(PARTS)}.'
        )
    build(config)
    build_optimizer(config)
    layers = len(config.networks.discriminator_channels)
    if not 0 <= c.first_feature < layers:
        raise InputError(
            f'config.training.first_feature is {c.first_feature} and the '
            f'discriminator has {layers} layers, counted from 0; choose one of '
            'them.'
        )
    parallel.check_batch(c.batch, 'config.training.batch')


def check_pictures(images: np.ndarray, config: ConfigDict) -> None:
    """Refuses pictures that the VAE-GAN of a config cannot learn."""
    if images.shape[1:] != (config.size, config.size, 3):
        raise InputError(
            f'The pictures are {images.shape[1]} x {images.shape[2]} px and '
            f'config.size is {config.size}; load them at that size.'
        )
    if not len(images):
        raise InputError('There are no pictures to train on; give some.')


def check(recording: Recording, config: ConfigDict) -> None:
    """Refuses a recording, or settings, with which the method cannot work."""
    check_config(config)
    size = config.size
    shape = need_pictures(recording).shape[1:3]
    if shape != (size, size):
        raise InputError(
            f'{recording.source}: the stimuli are {shape[0]} x {shape[1]} px '
            f'and config.size is {size}; set it to the size of the stimuli.'
        )
    _check_numbers(recording, config)
    if (
        recording.imagery is not None
        and not np.isin(
            recording.imagery.stimulus, recording.test.stimulus
        ).all()
    ):
        raise InputError(
            f'{recording.source}: a face was imagined that is not among the '
            'test faces; leave those trials out.'
        )
    if config.gender:
        trained = np.unique(recording.train.stimulus)
        male = pictures.is_male(recording)[trained]
        if male.all() or not male.any():
            raise InputError(
                f'{recording.source}: all training faces have one gender; '
                'set config.gender=False to leave that score out.'
            )


def _check_numbers(recording: Recording, config: ConfigDict) -> None:
    """Refuses fewer voxels or faces than the map and its inversion need."""
    c = config.map
    latents = max(config.networks.latents, config.pca.components)
    fewest = fewest_voxels(recording, config)
    if fewest <= latents and c.inversion != 'most_probable':
        raise InputError(
            f'{recording.source}: {fewest} voxels, or as many in the '
            f'smallest ROI, cannot determine {latents} latents and a '
            'constant; give more voxels, raise config.map.voxels, lower '
            'config.networks.latents, or set '
            "config.map.inversion='most_probable'."
        )
    faces_seen = len(np.unique(recording.train.stimulus))
    if faces_seen <= latents:
        raise InputError(
            f'{recording.source}: {faces_seen} training faces do not have '
            f'{latents} principal components; give more faces or lower '
            'config.networks.latents and config.pca.components.'
        )
    # The variance that the map leaves is divided by faces - latents - 1.
    judged = c.voxels < 1 or c.inversion == 'most_probable'
    if faces_seen == latents + 1 and (judged or not c.ridge):
        raise InputError(
            f'{recording.source}: {faces_seen} training faces cannot '
            f'determine the weights of {latents} latents'
            f'{" and what they leave of voxels" if judged else ""}; give more '
            'faces or lower config.networks.latents.'
        )


def mean_response(recording: Recording, config: ConfigDict) -> np.ndarray:
    """Returns the mean response to training faces, in standard deviations.

    Normalising takes it away, and the map needs it again: the published
    inversion finds the constant by it, and is refused where it is 0.

    Returns:
      [voxels] float32.
    """
    mean, std = mean_and_std(recording.train.fmri)
    found = mean / std
    if config.map.inversion == 'published' and np.abs(found).max() < 1e-3:
        raise InputError(
            f'{recording.source}: every voxel has mean 0, so that the '
            'constant cannot be told from the latents; set '
            "config.map.inversion='least_squares'."
        )
    return np.float32(found)

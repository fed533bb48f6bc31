"""Faces to learn from, whom a subject sees, and what the method asks of them.

Everything that can be wrong with a config, or with a recording for it, is told
here before anything is trained.
"""

import dataclasses
import re
from collections.abc import Sequence

import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError, check_known
from brainjax.methods.data import no_pictures, open_at_size
from brainjax.methods.faces.latents import number_of_voxels
from brainjax.methods.faces.losses import GAMES
from brainjax.methods.faces.networks import build
from brainjax.methods.faces.steps import build_optimizer
from brainjax.networks import vaegan
from brainjax.pictures import loading
from brainjax.recordings import Recording, Stimuli, need_pictures, roi_mask
from brainjax.recordings.on_disk import mean_and_std
from brainjax.simulation.face_scenes import KINDS, faces
from brainjax.simulation.face_subject import simulate_faces
from brainjax.training import parallel
from brainjax.training.state import COMPUTE_TYPES

INVERSIONS = ('published', 'least_squares', 'most_probable')

# How names tell gender: UTKFace (age_gender_race_date), VanRullen & Reddy
# (F123.jpg), and `face_scenes`.
_UTKFACE = re.compile(r'(?:^|/)\d+_([01])_\d_\d+')
_DS001761 = re.compile(r'(?:^|[/_-])([MF])\d+(?:\.\w+)?$')
_WORD = re.compile(r'(?:^|[/_-])(male|female)(?:\.\w+)?$')
_KNOWN = {'0': 'male', '1': 'female', 'M': 'male', 'F': 'female'}

# Two pictures whose pixels correlate so much are one, cut or decoded anew.
_COPY = 0.99


def load(config: ConfigDict) -> tuple[Recording, np.ndarray]:
    """Opens or simulates what a config names: recording, unpaired faces.

    Returns:
      The recording, and pictures [n, size, size, 3] uint8. With a simulated
      subject they are all but its test faces; others cannot be told from real
      stimuli here, see `without`.
    """
    if not config.recording.path:
        return simulate(config)
    recording = cut_stimuli(open_at_size(config, whole(config)), config)
    if not config.pictures.number:
        return recording, no_pictures(config)
    return recording, load_faces(config)[0]


def load_faces(config: ConfigDict) -> tuple[np.ndarray, list[str]]:
    """Loads `config.pictures`, cut from the centre and brought to size.

    A square of `crop` times the short side is cut from the centre. Pillow's
    bilinear filter resizes; the authors' code cuts first and interpolates
    without a filter, so that its pictures differ slightly.

    Returns:
      [n, size, size, 3] uint8, and n names.
    """
    c = config.pictures
    if not c.path:
        raise InputError(
            'config.pictures.path is empty: name a folder or .tar of faces, '
            "or 'tfds:celeb_a/train'."
        )
    images, names = loading.load(
        c.path, whole(config), limit=c.number, seed=config.seed
    )
    return cut(images, config.size), names


def whole(config: ConfigDict) -> int:
    """Returns the size to load pictures at, before `cut`."""
    crop = config.pictures.crop
    if not 0 < crop <= 1:
        raise InputError(
            f'config.pictures.crop is {crop}; choose a part of the short '
            'side, above 0 and not above 1.'
        )
    return round(config.size / crop)


def cut(images: np.ndarray, size: int) -> np.ndarray:
    """Cuts [n, size, size, 3] from the centre of wider pictures."""
    start = (images.shape[1] - size) // 2
    part = slice(start, start + size)
    return np.ascontiguousarray(images[:, part, part])


def cut_stimuli(recording: Recording, config: ConfigDict) -> Recording:
    """Cuts a recording's pictures as `load_faces` does, if they are so wide."""
    images, wide = recording.stimuli.images, whole(config)
    if wide == config.size or images is None:
        return recording
    if images.shape[1:3] != (wide, wide):
        return recording
    stimuli = dataclasses.replace(
        recording.stimuli, images=cut(images, config.size)
    )
    return dataclasses.replace(recording, stimuli=stimuli)


def simulate(config: ConfigDict) -> tuple[Recording, np.ndarray]:
    """Simulates a subject who sees some of the faces, loaded or generated.

    Returns:
      The recording, and all faces that are not its test faces.
    """
    if config.pictures.path:
        images, names = load_faces(config)
    else:
        images, names, _ = faces(
            config.pictures.number, config.size, config.seed
        )
    kinds = genders(names) if config.gender else None
    if config.gender and kinds is None:
        raise InputError(_unknown(config.pictures.path))
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
    return recording, images[np.sort(rest)]


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


def without(images: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Leaves out pictures that nearly are test faces.

    A picture goes if its pixels correlate by .99 or more with a test face,
    such as the same file decoded or cut a little differently.

    Args:
      images: [n, size, size, 3] uint8.
      test: [m, size, size, 3] uint8.
    """
    keep = np.ones(len(images), bool)
    known = _standardised(test)
    for start in range(0, len(images), 256):
        part = slice(start, start + 256)
        correlation = _standardised(images[part]) @ known.T
        keep[part] = correlation.max(axis=1) < _COPY
    return images if keep.all() else images[keep]


def _standardised(images: np.ndarray) -> np.ndarray:
    """Pictures as rows of mean 0 and length 1; constant ones as zeros."""
    rows = np.float32(images.reshape(len(images), -1))
    rows -= rows.mean(axis=1, keepdims=True)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-6)


def genders(names: Sequence[str]) -> tuple[str, ...] | None:
    """Reads 'male' or 'female' from names; None if one does not tell."""
    found = []
    for name in names:
        for pattern in (_UTKFACE, _DS001761, _WORD):
            if match := pattern.search(name):
                found.append(_KNOWN.get(match[1], match[1]))
                break
        else:
            return None
    return tuple(found)


def is_male(recording: Recording) -> np.ndarray:
    """Returns whether each stimulus is a male face, [stimuli] bool."""
    stimuli = recording.stimuli
    kinds = stimuli.categories
    if kinds is None or not set(kinds) <= set(KINDS):
        kinds = genders(stimuli.names)
    if kinds is None:
        raise InputError(_unknown(recording.source))
    return np.array(kinds) == 'male'


def _unknown(where: str) -> str:
    return (
        f'{where}: the names do not tell male from female faces; set '
        'config.gender=False to leave that score out.'
    )


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
    check_known('inversion', config.map.inversion, INVERSIONS)
    check_known('compute_dtype', config.compute_dtype, COMPUTE_TYPES)
    check_known('config.training.game', c.game, GAMES)
    vaegan.check_brightness(config.networks.brightness)
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
    if not 0 < config.map.voxels <= 1:
        raise InputError(
            f'config.map.voxels is {config.map.voxels:g}; give the share of '
            'voxels to use, above 0 and up to 1.'
        )


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
        male = is_male(recording)[np.unique(recording.train.stimulus)]
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
    # The variance that the map leaves is divided by faces - latents - 1.
    judged = c.voxels < 1 or c.inversion == 'most_probable'
    if faces_seen <= latents + 1 and (judged or not c.ridge):
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

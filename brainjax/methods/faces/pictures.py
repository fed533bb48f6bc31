"""Pictures of faces: for the VAE-GAN, and for a simulated subject."""

import dataclasses
import re
from collections.abc import Sequence

import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError
from brainjax.methods import data as loading
from brainjax.pictures import loading as pictures
from brainjax.recordings import Recording, Stimuli
from brainjax.simulation.face_scenes import KINDS, faces
from brainjax.simulation.face_subject import simulate_faces

# How names tell gender: UTKFace (age_gender_race_date), VanRullen & Reddy
# (F123.jpg), and `face_scenes`.
_UTKFACE = re.compile(r'(?:^|/)\d+_([01])_\d_\d+')
_DS001761 = re.compile(r'(?:^|[/_-])([MF])\d+(?:\.\w+)?$')
_WORD = re.compile(r'(?:^|[/_-])(male|female)(?:\.\w+)?$')
_KNOWN = {'0': 'male', '1': 'female', 'M': 'male', 'F': 'female'}


def load(config: ConfigDict) -> tuple[np.ndarray, list[str]]:
    """Loads `config.pictures`, cut from the centre and brought to size.

    A square of `crop` times the short side is cut from the centre. Pillow's
    bilinear filter resizes; the authors' code cuts first and interpolates
    without a filter, so that its pictures differ slightly.

    Args:
      config: with `size`, `seed` and `pictures`.

    Returns:
      [n, size, size, 3] uint8, and n names.

    Raises:
      InputError: no path is given, or the pictures cannot be used.
    """
    c = config.pictures
    if not c.path:
        raise InputError(
            'config.pictures.path is empty: name a folder or .tar of faces, '
            "or 'tfds:celeb_a/train'."
        )
    images, names = pictures.load(
        c.path, whole(config), limit=c.number, seed=config.seed
    )
    return cut(images, config.size), names


def whole(config: ConfigDict) -> int:
    """Returns the size to load pictures at, before `cut`.

    Raises:
      InputError: `config.pictures.crop` is not in 0..1.
    """
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


def load_recording(config: ConfigDict) -> Recording:
    """Opens the recording that a config names, or simulates a subject.

    Raises:
      InputError: the file or the faces cannot be used.
    """
    if not config.recording.path:
        return subject(config)
    recording = loading.open_at_size(config, whole(config))
    return cut_stimuli(recording, config)


def cut_stimuli(recording: Recording, config: ConfigDict) -> Recording:
    """Cuts a recording's pictures as `load` does, if they are so wide."""
    images, wide = recording.stimuli.images, whole(config)
    if wide == config.size or images is None:
        return recording
    if images.shape[1:3] != (wide, wide):
        return recording
    stimuli = dataclasses.replace(
        recording.stimuli, images=cut(images, config.size)
    )
    return dataclasses.replace(recording, stimuli=stimuli)


def subject(config: ConfigDict) -> Recording:
    """Simulates a subject who looks at some of the pictures.

    Raises:
      InputError: there are too few faces, of known gender if
        `config.gender`.
    """
    images, names = _pool(config)
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

    return simulate_faces(stimuli(train), stimuli(test), seed=config.seed, **c)


def load_pictures(config: ConfigDict) -> np.ndarray:
    """Returns the pictures for the VAE-GAN, [n, size, size, 3] uint8.

    With a simulated subject they are all but its test faces; others cannot be
    told from real stimuli here, see `without`.

    Raises:
      InputError: the pictures cannot be used.
    """
    if config.recording.path:
        return load(config)[0]
    images, names = _pool(config)
    kinds = genders(names) if config.gender else None
    return images[np.sort(_split(config, kinds, len(images))[1])]


def without(images: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Leaves out pictures that nearly are test faces.

    A picture goes if its pixels correlate by .99 or more with a test face,
    such as the same file decoded or cut a little differently.

    Args:
      images: [n, size, size, 3] uint8.
      test: [m, size, size, 3] uint8.
    """
    keep = np.ones(len(images), bool)
    known = _standard(test)
    for start in range(0, len(images), 256):
        part = slice(start, start + 256)
        correlation = _standard(images[part]) @ known.T
        keep[part] = correlation.max(axis=1) < 0.99
    return images if keep.all() else images[keep]


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


def labels(recording: Recording) -> np.ndarray:
    """Returns whether each stimulus is a male face, [stimuli] bool.

    Raises:
      InputError: neither categories nor names tell.
    """
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


def _pool(config: ConfigDict) -> tuple[np.ndarray, list[str]]:
    """Loads or generates the faces that the subject and the VAE-GAN share."""
    c = config.pictures
    if c.path:
        return load(config)
    images, names, _ = faces(c.number, config.size, config.seed)
    return images, list(names)


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


def _standard(images: np.ndarray) -> np.ndarray:
    """Pictures as rows of mean 0 and length 1; constant ones as zeros."""
    rows = np.float32(images.reshape(len(images), -1))
    rows -= rows.mean(axis=1, keepdims=True)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-6)

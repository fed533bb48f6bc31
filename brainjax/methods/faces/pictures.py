"""Pictures of faces: read, cut, told apart from test faces, their gender."""

import re
from collections.abc import Sequence

import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError
from brainjax.pictures import loading
from brainjax.recordings import Recording
from brainjax.simulation.face_scenes import KINDS

# How names tell gender: UTKFace (age_gender_race_date), VanRullen & Reddy
# (F123.jpg), and `face_scenes`.
_UTKFACE = re.compile(r'(?:^|/)\d+_([01])_\d_\d+')
_DS001761 = re.compile(r'(?:^|[/_-])([MF])\d+(?:\.\w+)?$')
_WORD = re.compile(r'(?:^|[/_-])(male|female)(?:\.\w+)?$')
_KNOWN = {'0': 'male', '1': 'female', 'M': 'male', 'F': 'female'}

# Two pictures whose pixels correlate so much are one, cut or decoded anew.
_COPY = 0.99


def load_faces(
    config: ConfigDict,
) -> tuple[np.ndarray, list[str], list[str]]:
    """Loads `config.pictures`, cut from the centre and brought to size.

    Pillow's bilinear filter resizes; the authors' code interpolates without a
    filter, so that its pictures differ slightly.

    Returns:
      [n, size, size, 3] uint8, n names, and sentences on what was skipped or
      filled in.
    """
    c, notes = config.pictures, []
    if not c.path:
        raise InputError(
            'config.pictures.path is empty: name a folder or .tar of faces, '
            "or 'tfds:celeb_a/train'."
        )
    images, names = loading.load(
        c.path,
        config.size,
        limit=c.number,
        seed=config.seed,
        fit=fit_name(config),
        tell=notes.append,
    )
    return images, names, notes


def fit_name(config: ConfigDict) -> str:
    """Returns how pictures are brought to size; see `pictures.load`."""
    return f'inner:{config.pictures.crop!r}'


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
        raise InputError(unknown_gender(recording.source))
    return np.array(kinds) == 'male'


def unknown_gender(where: str) -> str:
    """Says that names do not tell gender, and what to do."""
    return (
        f'{where}: the names do not tell male from female faces; set '
        'config.gender=False to leave that score out.'
    )

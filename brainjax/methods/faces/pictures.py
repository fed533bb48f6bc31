"""Pictures of faces: read, cut, their gender."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError
from brainjax.pictures import loading, on_disk
from brainjax.recordings import Recording
from brainjax.simulation.face_scenes import KINDS

# How names tell gender: UTKFace (age_gender_race_date), VanRullen & Reddy
# (F123.jpg), and `face_scenes`.
_UTKFACE = re.compile(r'(?:^|/)\d+_([01])_\d_\d+')
_DS001761 = re.compile(r'(?:^|[/_-])([MF])\d+(?:\.\w+)?$')
_WORD = re.compile(r'(?:^|[/_-])(male|female)(?:\.\w+)?$')
_KNOWN = {'0': 'male', '1': 'female', 'M': 'male', 'F': 'female'}


def load_faces(
    config: ConfigDict, given: Any = None
) -> tuple[np.ndarray, list[str], list[str]]:
    """Loads `config.pictures`, cut from the centre and brought to size.

    Pillow's bilinear filter resizes; the authors' code interpolates without a
    filter, so that its pictures differ slightly.

    Args:
      config: of the experiment.
      given: pictures that are taken instead, all that `pictures.load` takes.

    Returns:
      [n, size, size, 3] uint8, n names, and sentences on what was skipped or
      filled in. With `config.pictures.on_disk` pictures of a path are `OnDisk`.
    """
    c, notes = config.pictures, []
    if not c.path and given is None:
        raise InputError(
            'config.pictures.path is empty: name a folder or .tar of faces, '
            "or 'tfds:celeb_a/train'."
        )
    images, names = loading.load(
        c.path if given is None else given,
        config.size,
        limit=c.number,
        seed=config.seed,
        cached=c.on_disk,
        fit=fit_name(config),
        tell=notes.append,
    )
    return on_disk.from_mapped(images), names, notes


def fit_name(config: ConfigDict) -> str:
    """Returns how pictures are brought to size; see `pictures.load`."""
    return f'inner:{config.pictures.crop!r}'


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

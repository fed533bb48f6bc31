"""Subsets of the test stimuli, by name, that are scored separately.

Imagined shapes and imagined photographs, for example, are two experiments in
one session (Shen et al. 2019): a lure from the other set is too easy.
"""

import fnmatch
from collections.abc import Sequence

import numpy as np

from brainjax.errors import InputError


def rows(names: Sequence[str], groups: Sequence[str]) -> dict[str, np.ndarray]:
    """Finds the stimuli of each group.

    Args:
      names: of the test stimuli.
      groups: 'NAME=PATTERN', such as 'shapes=colorExpStim*'; '*', '?' and
        '[...]' as in file names, several patterns joined by '|'.

    Returns:
      Group -> indices into `names`.
    """
    found = {}
    for text in groups:
        group, equals, patterns = text.partition('=')
        if not (group and equals and patterns):
            raise InputError(
                f'config.recording.groups holds {text!r}; write it as '
                "'NAME=PATTERN', for example 'shapes=colorExpStim*'."
            )
        found[group] = np.array(
            [
                i
                for i, name in enumerate(names)
                if any(
                    fnmatch.fnmatchcase(name, p.strip())
                    for p in patterns.split('|')
                )
            ],
            int,
        )
        if len(found[group]) < 2:
            raise InputError(
                f'config.recording.groups: {text!r} matches '
                f'{len(found[group])} of {len(names)} test stimuli, such as '
                f'{names[0]!r}; a score needs two.'
            )
    return found

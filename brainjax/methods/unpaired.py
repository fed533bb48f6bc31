"""Test pictures among the unpaired ones: left out, or counted."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from brainjax.errors import InputError
from brainjax.recordings import Recording, leakage, take_trials


def without_test(
    recording: Recording,
    pictures: np.ndarray | None,
    names: Sequence[str] = (),
    keep: bool = False,
) -> tuple[np.ndarray | None, list[str], int]:
    """Leaves test pictures out of the unpaired ones, or counts them.

    Args:
      recording, pictures, names: see `leakage.among_unpaired`.
      keep: whether they stay.

    Returns:
      Which pictures stay, or None for all; sentences on what was found; and
      how many test pictures stayed.
    """
    if pictures is None or not len(pictures):
        return None, [], 0
    pairs, named = leakage.among_unpaired(recording, pictures, names)
    told = []
    if named:
        told.append(
            f'{len(named)} unpaired pictures are named like a test picture '
            f'({_example(recording, names, named)}) and show something else; '
            'they were kept.'
        )
    if not pairs:
        return None, told, 0
    tested, out = ({pair[side] for pair in pairs} for side in (1, 0))
    found = (
        f'{len(tested)} of {len(np.unique(recording.test.stimulus))} test '
        f'pictures are among the unpaired pictures, or nearly equal one '
        f'({_example(recording, names, pairs)})'
    )
    if keep:
        told.append(
            f'{found}; config.pictures.keep_test keeps them, so that this run '
            'is transductive.'
        )
        return None, told, len(tested)
    rest = np.delete(np.arange(len(pictures)), [*out])
    if not len(rest):
        raise InputError(
            f'{found}, and no others are left; give other unpaired pictures '
            'in config.pictures.path.'
        )
    told.append(
        f'{found}; these {len(out)} unpaired pictures were left out '
        '(config.pictures.keep_test=True keeps them).'
    )
    return rest, told, 0


def without_tested(
    others: Sequence[Recording], recording: Recording
) -> tuple[tuple[Recording, ...], list[str]]:
    """Leaves out what others were shown of the main subject's test pictures.

    A body that has seen them would know more of them than of new pictures.

    Args:
      others: their recordings.
      recording: the main subject's.

    Returns:
      The recordings, and sentences on what was left out.
    """
    kept, told = [], []
    for other in others:
        shown = np.unique(other.train.stimulus)
        rows, _, _ = without_test(recording, other.stimuli.images[shown])
        if rows is not None:
            stays = np.isin(other.train.stimulus, shown[rows])
            told.append(
                f'{other.source}: {(~stays).sum()} training trials of test '
                'pictures were left out.'
            )
            train = take_trials(other.train, stays)
            other = dataclasses.replace(other, train=train)
        kept.append(other)
    return tuple(kept), told


def _example(
    recording: Recording,
    names: Sequence[str],
    pairs: Sequence[tuple[int, int]],
) -> str:
    """Names the first pair of an unpaired and a test picture."""
    unpaired, test = pairs[0]
    name = names[unpaired] if len(names) else f'number {unpaired + 1}'
    return f'{name} and {recording.stimuli.names[test]}'

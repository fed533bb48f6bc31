"""The pictures of a recording's stimuli, found by name."""

import contextlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from brainjax.errors import InputError, suggestion
from brainjax.pictures import loading
from brainjax.pictures.decoding import Rules, composited
from brainjax.pictures.names import stem
from brainjax.pictures.sources import Source, is_path, open_source, title
from brainjax.recordings import stimulus_names

_SHOWN = 3  # Names in a message.


def join(
    names: Sequence[str],
    source: Any,
    size: int | None = None,
    cached: bool = False,
    fit: str = 'centre',
    alpha: str = 'grey',
    upright: bool = True,
    counted: bool = False,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Loads the picture of each stimulus.

    A picture belongs to the stimulus whose name is its path in the source, or
    the end of it from any folder on, with or without the suffix.

    Args:
      names: of the stimuli.
      source: see `pictures.load`.
      size: of the pictures returned; None keeps their own, which must then
        be square and the same for all.
      cached: as for `pictures.load`, where the names are in the order of the
        source.
      fit: as for `pictures.load`.
      alpha, upright: see `decoding.Rules`.
      counted: whether the names are whole numbers, which are those in the
        pictures' names, or their places, from 0, where these only count.

    Returns:
      [stimuli, size, size, 3] uint8 in the order of `names`, and sentences on
      pictures that belong to no stimulus, what was skipped or filled in.
    """
    rules = Rules(alpha, upright)
    with contextlib.ExitStack() as stack:
        found = open_source(source, None, stack)
        cached = cached and is_path(source)
        source = title(source)
        pictures = stimulus_names.lookup(found.names)
        if counted:
            pictures = _by_number(found) or pictures
        places = {n: stimulus_names.places(n, pictures) for n in names}
        missing = [name for name in names if not places[name]]
        if missing:
            raise InputError(
                f'{source} has no picture for {len(missing)} of the '
                f'{len(names)} stimuli: {_some(missing)}; '
                + _remedy(names, missing, found, pictures, counted)
            )
        taken: dict[int, str] = {}
        for name in names:  # Two of either kind would be a guess.
            first = places[name][0]
            if len(places[name]) > 1:
                raise InputError(
                    f'{source} has two pictures for stimulus {name}: '
                    f'{_some([found.names[i] for i in places[name]])}; leave '
                    'one.'
                )
            if taken.setdefault(first, name) != name:
                raise InputError(
                    f'{source} has one picture, {found.names[first]}, for the '
                    f'stimuli {taken[first]} and {name}; give the folder that '
                    'holds those of both.'
                )
        chosen = [places[name][0] for name in names]
        images, transparent = loading.decode_chosen(
            found, chosen, source, size, fit, rules, cached
        )
    notes = [*found.notes, *composited(transparent, len(names), source, rules)]
    unused = sorted({*range(len(found.names))} - {*chosen})
    if unused:
        notes.append(
            f'{source}: {len(unused)} of the {len(found.names)} pictures '
            'belong to no stimulus: '
            f'{_some([found.names[i] for i in unused])}.'
        )
    return images, tuple(notes)


def _by_number(found: Source) -> dict[str, list[int]]:
    """Returns the places of pictures by number; {} where names have none.

    'img_001', 'img_002' and so on are 1 and 2, if all begin alike.
    """
    if not found.named:
        return {str(i): [i] for i in range(len(found.names))}
    ends = [stem(name).rpartition('/')[2] for name in found.names]
    parts = [re.fullmatch(r'(.*?)([0-9]+)', end) for end in ends]
    if not all(parts) or len({part[1] for part in parts}) > 1:
        return {}
    numbers: dict[str, list[int]] = {}
    for i, part in enumerate(parts):
        numbers.setdefault(str(int(part[2])), []).append(i)
    return numbers


def _remedy(
    names: Sequence[str],
    missing: Sequence[str],
    found: Source,
    pictures: Mapping[str, Sequence[int]],
    counted: bool,
) -> str:
    """Says what to do about stimuli without a picture."""
    if counted:
        for shift, word in ((-1, 'subtract 1'), (1, 'add 1')):
            if all(str(int(name) + shift) in pictures for name in names):
                return f'all have one if you {word}.'
        if not found.named:
            return f'numbers count from 0 to {len(found.names) - 1}.'
    elif not found.named:
        return (
            'these pictures have no names, so give a dictionary from name to '
            'picture, or labels that count them from 0.'
        )
    near = suggestion(missing[0], map(stem, found.names))
    return f'picture files must bear the stimulus names.{near}'


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ', '.join(names[:_SHOWN]) + (f' and {more} more' if more > 0 else '')

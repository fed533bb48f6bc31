"""The pictures of a recording's stimuli, found by name."""

import contextlib
from collections.abc import Sequence

import numpy as np

from brainjax.errors import InputError
from brainjax.io.files import PathLike
from brainjax.pictures import loading
from brainjax.pictures.decoding import Rules, composited
from brainjax.pictures.sources import open_source
from brainjax.recordings import stimulus_names

_SHOWN = 3  # Names in a message.


def join(
    names: Sequence[str],
    source: PathLike,
    size: int | None = None,
    cached: bool = False,
    fit: str = 'centre',
    alpha: str = 'grey',
    upright: bool = True,
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

    Returns:
      [stimuli, size, size, 3] uint8 in the order of `names`, and sentences on
      pictures that belong to no stimulus, what was skipped or filled in.
    """
    rules = Rules(alpha, upright)
    with contextlib.ExitStack() as stack:
        found = open_source(source, None, stack)
        pictures = stimulus_names.lookup(found.names)
        places = {n: stimulus_names.places(n, pictures) for n in names}
        missing = [name for name in names if not places[name]]
        if missing:
            raise InputError(
                f'{source} has no picture for {len(missing)} of the '
                f'{len(names)} stimuli: {_some(missing)}; picture files must '
                'bear the stimulus names.'
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


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ', '.join(names[:_SHOWN]) + (f' and {more} more' if more > 0 else '')

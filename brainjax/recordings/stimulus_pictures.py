"""The pictures of a recording's stimuli, found by name."""

import contextlib
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from brainjax.errors import InputError
from brainjax.io.files import PathLike
from brainjax.pictures import loading
from brainjax.pictures.sources import open_source

_SHOWN = 3  # Names in a message.


def join(
    names: Sequence[str],
    source: PathLike,
    size: int | None = None,
    cached: bool = False,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Loads the picture of each stimulus.

    A picture belongs to the stimulus whose name is its path in the source, or
    its file name, with or without the suffix.

    Args:
      names: of the stimuli.
      source: a folder, a tar archive or an HDF5 file; see `pictures.load`.
      size: of the pictures returned; None keeps their own, which must then
        be square and the same for all.
      cached: as for `pictures.load`, where the names are in the order of the
        source.

    Returns:
      [stimuli, size, size, 3] uint8 in the order of `names`, and sentences on
      pictures that belong to no stimulus.

    Raises:
      InputError: a stimulus has no picture or two, or a picture is damaged.
    """
    with contextlib.ExitStack() as stack:
        found = open_source(source, None, stack)
        places: dict[str, list[int]] = {}
        for i, name in enumerate(found.names):
            path = pathlib.PurePosixPath(name)
            for key in {
                name,
                path.name,
                os.fspath(path.with_suffix('')),
                path.stem,
            }:
                places.setdefault(key, []).append(i)
        missing = [name for name in names if name not in places]
        if missing:
            raise InputError(
                f'{source} has no picture for {len(missing)} of the '
                f'{len(names)} stimuli: {_some(missing)}; picture files must '
                'bear the stimulus names.'
            )
        chosen = []
        for name in names:
            if len(places[name]) > 1:
                raise InputError(
                    f'{source} has two pictures for stimulus {name}: '
                    f'{_some([found.names[i] for i in places[name]])}; leave '
                    'one.'
                )
            chosen.append(places[name][0])
        images = loading.decode(found, chosen, source, size, cached)
    unused = sorted({*range(len(found.names))} - {*chosen})
    if not unused:
        return images, ()
    return images, (
        f'{source}: {len(unused)} of the {len(found.names)} pictures belong '
        f'to no stimulus: {_some([found.names[i] for i in unused])}.',
    )


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ', '.join(names[:_SHOWN]) + (f' and {more} more' if more > 0 else '')

"""The formats of recordings: how each is recognised, read and written."""

import inspect
import itertools
import os
import pathlib
import types
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from brainjax.errors import InputError, suggestion
from brainjax.io import files
from brainjax.io.files import PathLike
from brainjax.recordings.formats import (
    arrays,
    bdata,
    bids,
    digits69,
    nsd,
    vim1,
    weizmann,
)
from brainjax.recordings.options import checked
from brainjax.recordings.recording import Recording


class Format(NamedTuple):
    """How a file format is recognised, read and written.

    Attributes:
      looks_like: path -> whether it is of this format.
      read: path, options -> recording.
      write: recording, path and, where pictures go elsewhere, `pictures`; or
        None where the format is only read.
      suffix: of a file that is written; '' for a folder.
      pictures: what follows the stem of such a file in the name of the
        pictures; '' where they are inside.
      whole: options with which `read` leaves out nothing that was written.
    """

    looks_like: Callable[[PathLike], bool]
    read: Callable[..., Recording]
    write: Callable[..., None] | None = None
    suffix: str = ''
    pictures: str = ''
    whole: Mapping[str, Any] = types.MappingProxyType({})


_NEAR = 50  # Files of a folder among which a recording is looked for.

# In this order: NSD is a folder too, and BData may be a MATLAB v5 file.
FORMATS = {
    'nsd': Format(nsd.looks_like, nsd.read, nsd.write, whole={'zscore': False}),
    'bdata': Format(
        bdata.looks_like,
        bdata.read,
        bdata.write,
        '.h5',
        '_pictures',
    ),
    'weizmann': Format(
        weizmann.looks_like,
        weizmann.read,
        weizmann.write,
        '.npz',
        '_images.npz',
        {'roi': ''},
    ),
    'digits69': Format(digits69.looks_like, digits69.read),
    'vim1': Format(
        vim1.looks_like, vim1.read, vim1.write, '.mat', '_stimuli.mat'
    ),
    'bids': Format(bids.looks_like, bids.read, bids.write),
    # Last, as it takes any table, npy file and image for responses.
    'arrays': Format(arrays.looks_like, arrays.read, arrays.write),
}


def open_recording(path: PathLike, **options: Any) -> Recording:
    """Reads a recording whatever its format, which its content tells.

    Args:
      path: the file or folder with the responses; for 'bdata' also files
        joined by ','.
      **options: what the format's `read` takes besides; `options_of` names
        them.
    """
    name = format_of(path)
    known = options_of(name)
    for option in options:
        if option not in known:
            raise InputError(
                f'{path} is read as {name}, which has no option '
                f'{option!r}, only {", ".join(known)}.'
                f'{suggestion(option, known)}'
            )
    return FORMATS[name].read(path, **checked(options))


def format_of(path: PathLike) -> str:
    """Returns the name of a recording's format."""
    whole = os.path.exists(path)  # A name may hold a comma.
    for part in [path] if whole else os.fspath(path).split(','):
        if not os.path.exists(part):
            raise InputError(f'{part} does not exist; check the path.')
    for name, form in FORMATS.items():
        if _tried(form.looks_like, path):
            return name
    raise InputError(
        f'{path} is no recording that can be read; {_advice(path)}'
    )


def options_of(name: str) -> list[str]:
    """Returns what the `read` of a format takes beside the path."""
    return [*inspect.signature(FORMATS[name].read).parameters][1:]


def _advice(path: PathLike) -> str:
    """Says what to give in place of a path: what lies near it, if anything."""
    path = pathlib.Path(os.fspath(path).partition(',')[0])
    if path.is_file() and not path.stat().st_size:
        return 'it is empty, so copy or download it again.'
    inside = files.visible(path, '*')[:_NEAR] if path.is_dir() else []
    for near, (name, form) in itertools.product(inside, FORMATS.items()):
        # A table may be of anything.
        clear = name != 'arrays' or near.is_dir()
        if clear and _tried(form.looks_like, near):
            return f'{near} is one ({name}), so give that.'
    for part in (path, *path.parents):
        if part.name.startswith('sub-') and bids.looks_like(part.parent):
            return f'give the data set that it is of, {part.parent}.'
    return (
        f'give one of the formats {", ".join(FORMATS)}, or put fmri.npy and '
        'labels.csv into a folder ("Your own data").'
    )


def _tried(looks_like: Callable[[PathLike], bool], path: PathLike) -> bool:
    try:
        return looks_like(path)
    except OSError as error:
        raise InputError(
            f'{path} cannot be read ({error.strerror}); give a file that '
            'you may read.'
        ) from error

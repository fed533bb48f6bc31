"""Recordings: what was measured, in one value whatever file it came from."""

import inspect
import os
from collections.abc import Callable
from typing import Any, NamedTuple

from brainjax.errors import InputError, suggestion
from brainjax.files import PathLike
from brainjax.recordings import digits69, matlab, vim1, weizmann
from brainjax.recordings.recording import (
    Recording,
    Stimuli,
    Trials,
    average_repeats,
    check,
    need_pictures,
    normalise,
    select_roi,
    split_trials,
    take_trials,
    take_voxels,
)

__all__ = [
    'FORMATS',
    'Recording',
    'Stimuli',
    'Trials',
    'average_repeats',
    'check',
    'need_pictures',
    'normalise',
    'open_recording',
    'select_roi',
    'split_trials',
    'take_trials',
    'take_voxels',
]


class Format(NamedTuple):
    """How a file format is told from others, and read."""

    looks_like: Callable[[PathLike], bool]
    read: Callable[..., Recording]


FORMATS = {
    'weizmann': Format(weizmann.looks_like, weizmann.read),
    'digits69': Format(matlab.looks_like, digits69.read),
    'vim1': Format(vim1.looks_like, vim1.read),
}


def open_recording(path: PathLike, **options: Any) -> Recording:
    """Reads a recording whatever its format, which its content tells.

    Args:
      path: the file with the responses.
      **options: what the format's `read` takes besides: for 'weizmann'
        `pictures` (needed), `roi`, `select_voxels`; for 'digits69'
        `test_rows`, `roi`; for 'vim1' `subject`, `pictures`, `roi`, `size`.

    Raises:
      InputError: no such file, a format that is not known, an option that
        the format does not have, or what the format's `read` raises.
    """
    if not os.path.exists(path):
        raise InputError(f'{path} does not exist; check the path.')
    for name, (looks_like, read) in FORMATS.items():
        if _tried(looks_like, path):
            known = [*inspect.signature(read).parameters][1:]
            for option in options:
                if option not in known:
                    raise InputError(
                        f'{path} is read as {name}, which has no option '
                        f'{option!r}, only {", ".join(known)}.'
                        f'{suggestion(option, known)}'
                    )
            return read(path, **options)
    raise InputError(
        f'{path} is no recording that can be read; give a file of the '
        f'formats {", ".join(FORMATS)}.'
    )


def _tried(looks_like: Callable[[PathLike], bool], path: PathLike) -> bool:
    try:
        return looks_like(path)
    except OSError as error:
        raise InputError(
            f'{path} cannot be read ({error.strerror}); give a file that '
            'you may read.'
        ) from error

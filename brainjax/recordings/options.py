"""What a reader is asked for, which may come from the command line.

There `subject=1` is a number and `confounds=csf` a text, so that neither the
type nor the value of an option is certain.
"""

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from brainjax.errors import InputError, brief, check_known
from brainjax.io.files import PathLike
from brainjax.pictures import decoding, operations

LARGEST = 2**14  # Pixels of a side.


def parse_options(texts: Iterable[str]) -> dict[str, Any]:
    """Returns the options that texts such as 'size=64' name.

    Values are JSON where they can be (numbers, lists, true), else text.
    """
    found = {}
    for text in texts:
        name, equals, value = text.partition('=')
        if not equals:
            raise InputError(
                f'Option {text} lacks a value; write NAME=VALUE, such as '
                'size=64.'
            )
        try:
            found[name.strip()] = json.loads(value)
        except json.JSONDecodeError:
            found[name.strip()] = value.strip()
    return found


def checked(found: Mapping[str, Any]) -> dict[str, Any]:
    """Returns options, those checked that formats share."""
    whole('size', found.get('size'), 1, LARGEST)
    for name in ('select_voxels', 'names'):
        path(name, found.get(name))
    operations.find_fit(text('fit', found.get('fit', 'centre')) or '')
    names = decoding.Rules._fields
    decoding.Rules(**{x: found[x] for x in names if x in found}).check()
    roi = {'roi': text('roi', found['roi'])} if 'roi' in found else {}
    return {**found, **roi}


def text(name: str, value: Any) -> str | None:
    """Returns an option as text; None stays None, and 1 is '1'."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise InputError(f'{name} is {brief(value)}; give one text.')


def whole(name: str, value: Any, least: int, most: int = 2**31) -> None:
    """Refuses what is neither None nor a whole number in a range."""
    if value is None:
        return
    known = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not known or not least <= value <= most:
        raise InputError(
            f'{name} is {brief(value)}; give a whole number from {least} to '
            f'{most}.'
        )


def path(name: str, value: Any) -> PathLike | None:
    """Returns an option that names a file or a folder; None stays None."""
    if value is None or isinstance(value, str | os.PathLike):
        return value
    raise InputError(f'{name} is {brief(value)}; name a file or a folder.')


def numbers(name: str, value: Any) -> list[int] | None:
    """Returns an option as whole numbers; '1,3' is both, None stays None."""
    if value is None:
        return None
    if isinstance(value, str):
        value = [int(x) if x.strip().isdecimal() else x for x in _parts(value)]
    found = [value] if isinstance(value, int) else value
    try:
        found = [*found]
    except TypeError:
        found = [None]
    for each in found:
        if each is None:
            raise InputError(f'{name} is {brief(value)}; give whole numbers.')
        whole(name, each, 0)
    return [*map(int, found)]


def texts(name: str, value: Any) -> tuple[str, ...]:
    """Returns an option as texts; 'a,b' is both."""
    if isinstance(value, str):
        return tuple(_parts(value))
    try:
        found = tuple(value)
    except (NotImplementedError, TypeError):
        found = (None,)
    if not all(isinstance(each, str) for each in found):
        raise InputError(f'{name} is {brief(value)}; give a list of texts.')
    return found


def kinds(name: str, value: Any, known: Sequence[str]) -> tuple[str, ...]:
    """Returns an option as some of the known texts; 'a,b' is both."""
    found = texts(name, value)
    for each in found:
        check_known(name, each, known)
    return found


def period(name: str, value: Any) -> float:
    """Returns an option as seconds, 0 or more."""
    seconds = _number(value)
    if not 0 <= seconds < math.inf:
        raise InputError(
            f'{name} is {value!r}; give a period in seconds, or 0 for none.'
        )
    return seconds


def switch(name: str, value: Any) -> bool:
    """Returns an option that is true or false."""
    if value not in (True, False):
        raise InputError(f'{name} is {value!r}; give true or false.')
    return bool(value)


def window(value: Sequence[float]) -> tuple[float, float]:
    """Returns the start and the end of a window, seconds after onset."""
    try:
        start, end = map(_number, value)
    except (TypeError, ValueError):
        start = end = math.nan
    if not start < end:
        raise InputError(
            f'window is {value!r}; give two numbers of seconds after onset, '
            'such as (4, 12).'
        )
    return start, end


def _parts(value: str) -> list[str]:
    return [text.strip() for text in value.split(',') if text.strip()]


def _number(value: Any) -> float:
    """Returns a number as it is, NaN for anything else."""
    if isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except (OverflowError, TypeError, ValueError):
        return math.nan

"""The one exception for what a user can put right.

The convention of the whole package: a function that reads what a user gives
(a file, a flag, a config, an array) raises InputError where it cannot be used.
Docstrings do not repeat it.
"""

import difflib
import importlib
import reprlib
from collections.abc import Iterable
from types import ModuleType
from typing import Any


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one sentence that names the file, what is wrong in it and
    what to do. The command line prints it without a traceback and exits with
    status 2.
    """


def brief(value: Any) -> str:
    """Returns what a value looks like, in one short line."""
    return ' '.join(reprlib.repr(value).split())[:80]


def suggestion(word: Any, known: Iterable[str]) -> str:
    """Returns ' Did you mean X?' for the nearest known word, or ''."""
    near = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.5)
    return f' Did you mean {near[0]!r}?' if near else ''


def listed(words: Iterable[str], most: int = 20) -> str:
    """Joins words by commas; of many the first, and how many more."""
    words = list(words)
    more = len(words) - most
    return ', '.join(words[:most]) + (f' and {more} more' if more > 0 else '')


def check_known(what: str, name: str, known: Iterable[str]) -> None:
    """Refuses a name that is not known, and names the nearest that is."""
    known = list(known)
    if name not in known:
        raise InputError(
            f'There is no {what} {name!r}.{suggestion(name, known)} '
            f'There are: {listed(known, 40)}.'
        )


def optional(module: str, extra: str, what: str) -> ModuleType:
    """Imports a library that only an extra installs.

    Args:
      module: its name.
      extra: of the package: pip install 'brainjax[EXTRA]'.
      what: needs it, for the message.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f'{what} needs {module} ({error}); install it with: pip install '
            f"'brainjax[{extra}]'."
        ) from error

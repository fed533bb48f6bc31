"""What all readers of files from elsewhere share."""

import contextlib
import os
from collections.abc import Iterator

from brainjax.errors import InputError

MAX_GIB = 'BRAINJAX_MAX_GIB'  # Environment variable: a bound for every file.

# Arrays may hold so many times their file's bytes, as masks and blank pictures
# do; beyond _SMALL bytes, more than that is a bomb.
_MOST_PACKED = 100
_SMALL = 64 * 2**20
_DEFAULT_GIB = 64.0
_LONGEST = 160  # Characters of a reason.

_DAMAGE = (
    ArithmeticError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


def most_bytes(size: int) -> int:
    """Returns how many bytes a file of `size` bytes may ask for."""
    return min(max(_SMALL, _MOST_PACKED * size), _stated_bound())


def check_size(path: str | os.PathLike, declared: int, what: str) -> None:
    """Refuses a file that asks for more memory than `most_bytes`.

    Args:
      path: of the file.
      declared: bytes that it asks for.
      what: asks for them, such as the name of an array.
    """
    there = os.path.getsize(path)
    if declared <= most_bytes(there):
        return
    if declared > _stated_bound():
        remedy = f'set {MAX_GIB} to more if it is the right one'
    else:
        remedy = 'check that it is the right one'
    raise InputError(
        f'{path}: {what} declares {declared / 2**30:.1f} GiB in a file of '
        f'{there / 2**20:.1f} MiB; so much is not read, {remedy}.'
    )


def first_line(error: BaseException) -> str:
    """Returns what an error says, in one line."""
    text = str(error).partition('\n')[0].rstrip(': \r') or type(error).__name__
    # Python's zipfile tells whole headers.
    return text if len(text) <= _LONGEST else f'{text[:_LONGEST]} ...'


def _stated_bound() -> int:
    stated = os.environ.get(MAX_GIB) or _DEFAULT_GIB
    try:
        bound = float(stated) * 2**30
        if not 0 < bound < float('inf'):
            raise ValueError
    except ValueError:
        raise InputError(
            f'{MAX_GIB} is {stated!r}; give a number of GiB that a file may '
            'take, such as 16.'
        ) from None
    return int(bound)


@contextlib.contextmanager
def as_input_error(
    path: str | os.PathLike, what: str, *more: type[Exception]
) -> Iterator[None]:
    """Turns what reading a damaged file raises into one sentence.

    Args:
      path: of the file.
      what: it should be, such as 'npz file'.
      *more: errors that a format's reader raises beside the usual ones.
    """
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f'{path} does not exist; check the path.') from error
    except PermissionError as error:
        raise InputError(
            f'{path} cannot be read ({error.strerror}); give a file that you '
            'may read.'
        ) from error
    except (*_DAMAGE, *more) as error:
        raise InputError(
            f'{path} is not a complete {what} ({first_line(error)}); copy or '
            'download it again.'
        ) from error


@contextlib.contextmanager
def as_text_error(
    path: str | os.PathLike, what: str, *more: type[Exception]
) -> Iterator[None]:
    """Does the same for text, and says in what characters it must be."""
    with as_input_error(path, what, *more):
        try:
            yield
        except UnicodeDecodeError as error:
            raise InputError(
                f'{path} is not a {what} in UTF-8 ({first_line(error)}); save '
                'it in UTF-8.'
            ) from error

"""What all readers of files from elsewhere share."""

import contextlib
import os
from collections.abc import Iterator

from brainjax.errors import InputError

# Arrays may hold so many times their file's bytes, as masks and blank pictures
# do; beyond _SMALL bytes, more than that is a bomb.
_MOST_PACKED = 100
_SMALL = 64 * 2**20

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
    """Returns how many bytes a file of `size` bytes may declare."""
    return max(_SMALL, _MOST_PACKED * size)


@contextlib.contextmanager
def as_input_error(
    path: str | os.PathLike, what: str, *more: type[Exception]
) -> Iterator[None]:
    """Turns what reading a damaged file raises into one sentence.

    Args:
      path: of the file.
      what: it should be, such as 'npz file'.
      *more: errors that a format's reader raises beside the usual ones.

    Raises:
      InputError: the file is missing or damaged.
    """
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f'{path} does not exist; check the path.') from error
    except (*_DAMAGE, *more) as error:
        reason = str(error).partition('\n')[0] or type(error).__name__
        raise InputError(
            f'{path} is not a complete {what} ({reason}); copy or download it '
            'again.'
        ) from error

"""How much memory and disk a computation may take."""

import os
import pathlib
import shutil

from brainjax.errors import InputError
from brainjax.io.files import PathLike

GIB = 2**30
# Of a container: version 2 of Linux' control groups, then version 1.
_LIMITS = (
    '/sys/fs/cgroup/memory.max',
    '/sys/fs/cgroup/memory/memory.limit_in_bytes',
)


def budget(gib: float = 0.0) -> int:
    """Returns how many bytes of memory may be taken.

    Args:
      gib: in GiB; 0 for half of the machine's, or of the container's.
    """
    return int(gib * GIB) if gib else _machine() // 2


def _machine() -> int:
    try:
        held = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    except (ValueError, OSError, AttributeError):  # Not on every system.
        held = 8 * GIB
    for limit in _LIMITS:
        try:
            text = pathlib.Path(limit).read_text().strip()
        except OSError:
            continue
        if text.isdigit():  # 'max' where there is no limit.
            held = min(held, int(text))
    return held


def how_many(allowed: float, each: float, most: int) -> int:
    """Returns how many things of `each` bytes fit: from 1 to `most`."""
    return int(min(max(allowed // max(each, 1), 1), most))


def check_disk(folder: PathLike, size: int, what: str) -> None:
    """Refuses to begin what would fill a disk.

    Args:
      folder: where it will be written, which exists.
      size: its bytes.
      what: it is, for the message.
    """
    free = shutil.disk_usage(folder).free
    if size > free:
        raise InputError(
            f'{what} take {size / GIB:.1f} GiB and {folder} has '
            f'{free / GIB:.1f} GiB left; name a folder on another disk, or '
            'fewer layers.'
        )

"""Names of picture files: which are pictures, and how they are called."""

import os
import pathlib
import re
from collections.abc import Sequence

# Of a file's name: control characters, lone surrogates, what Windows refuses.
_REFUSED = re.compile('[\x00-\x1f\x7f\ud800-\udfff<>:"/\\\\|?*]')
_LONGEST_STEM = 200
SUFFIXES = ('.png', '.jpg', '.jpeg', '.tif', '.tiff', '.bmp', '.gif', '.webp')


def stem(name: str) -> str:
    """Returns a picture's file name, or path, without a picture's suffix.

    What else looks like a suffix is part of the name: 'n01443537_22563.5'.
    """
    for suffix in SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def file_stems(names: Sequence[str]) -> list[str]:
    """Returns a name for a file of each picture, without suffix, all different.

    The pictures' own names, without folders where that is enough; characters
    that a file system may refuse become '_', and what is long is cut.
    """
    stems = [_writable(pathlib.PurePath(name).stem) for name in names]
    if not _differ(stems):
        stems = [_writable(stem(name)) for name in names]
    if not _differ(stems):
        stems = [f'{each}-{i:05d}' for i, each in enumerate(stems)]
    return stems


def _writable(name: str) -> str:
    name = _REFUSED.sub('_', name)
    # Of the 255 bytes that most file systems take, room for more is left.
    return name.encode()[:_LONGEST_STEM].decode(errors='ignore') or '_'


def _differ(stems: Sequence[str]) -> bool:
    """Whether file systems tell names apart that do not mind capitals."""
    return len({each.casefold() for each in stems}) == len(stems)


def is_picture(name: str) -> bool:
    """Whether a file is one that is read as a picture, by its name."""
    # macOS lays a file of its own, '._a.png', beside 'a.png'.
    hidden = os.path.basename(name).startswith('.')
    return name.lower().endswith(SUFFIXES) and not hidden

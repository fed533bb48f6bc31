"""HDF5 files from elsewhere, looked at before they are loaded.

Links to other files, storage outside of the file and objects are refused; so
are arrays that declare far more than their file can hold.
"""

import contextlib
import functools
import math
import mmap
import os
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from brainjax.errors import InputError, listed, suggestion
from brainjax.io import untrusted
from brainjax.io.files import PathLike

Node = h5py.Group | h5py.Dataset

_SIGNATURE = b'\x89HDF\r\n\x1a\n'
_HEAP = b'GCOL\x01\0\0\0'  # Begins a heap that holds texts.


def looks_like(path: PathLike) -> bool:
    """True for an HDF5 file, also one that MATLAB 7.3 wrote."""
    if not os.path.isfile(path):
        return False
    with open(path, 'rb') as stream:
        for start in (0, 512):  # MATLAB's header takes the first 512 bytes.
            stream.seek(start)
            if stream.read(8) == _SIGNATURE:
                return True
    return False


@contextlib.contextmanager
def opened(path: PathLike) -> Iterator[h5py.File]:
    """Yields a file for reading, and tells of damage in one sentence.

    What h5py raises inside the body counts as damage.
    """
    with (
        untrusted.as_input_error(path, 'HDF5 file', AttributeError),
        h5py.File(path, 'r') as file,
    ):
        yield file


def dataset(group: h5py.Group, name: str, kinds: str = 'biuf') -> h5py.Dataset:
    """Returns an array of an open file, unread, that is safe to read.

    Args:
      group: a file from `opened`, or a group of one.
      name: of the array, with '/' for groups.
      kinds: NumPy kinds its dtype may have; 'S' also allows text of variable
        length and 'R' references.
    """
    path = group.file.filename
    found = group.get(name) if inside(group, name) else None
    if isinstance(found, h5py.Group):
        raise InputError(
            f'{path}: {name} is no array but a group of '
            f'{listed(names(found)) or "nothing"}; save it as numbers.'
        )
    if not isinstance(found, h5py.Dataset):
        raise InputError(
            f'{path} has no array {name!r}, only '
            f'{listed(names(group)) or "nothing"}.'
            f'{suggestion(name, names(group))}'
        )
    if found.external or found.is_virtual:
        raise InputError(
            f'{path}: {name} lies in another file, which is never opened; '
            'copy its values into this one.'
        )
    text = h5py.check_string_dtype(found.dtype)
    reference = h5py.check_ref_dtype(found.dtype) is not None
    kind = 'S' if text else 'R' if reference else found.dtype.kind
    if kind not in kinds:
        raise InputError(
            f'{path}: {name} has dtype {found.dtype}, which cannot be used; '
            f'{"numbers are" if kinds == "biuf" else "another type is"} '
            'needed.'
        )
    if found.dtype.kind == 'O':
        _check_heaps(group.file)
    # A chunk is unpacked as a whole, and may be larger than the array.
    for shape in (found.shape or (0,), found.chunks or (0,)):
        size = math.prod(shape) * found.dtype.itemsize
        untrusted.check_size(path, size, name)
    if text and text.length is None:
        untrusted.check_size(path, _stated_length(found), name)
    return found


def read(group: h5py.Group, name: str, kinds: str = 'biuf') -> np.ndarray:
    """Reads a whole array; see `dataset`."""
    return dataset(group, name, kinds)[()]


def attribute(node: Node, name: str) -> Any:
    """Returns the value of an attribute, or None."""
    if name not in node.attrs:
        return None
    if node.attrs.get_id(name).dtype.kind == 'O':
        _check_heaps(node.file)
    return node.attrs[name]


def names(group: h5py.Group) -> list[str]:
    """Returns the names of what lies in a group itself, in its order."""
    return [name for name in map(str, group) if inside(group, name)]


def inside(group: h5py.Group, name: str) -> bool:
    """True if a name leads to something in this file, along hard links.

    Links to other files are not followed; ask before `get` or `in` would: a
    link may lead to a device or a pipe that never answers.
    """
    for part in name.strip('/').split('/'):
        if not isinstance(group, h5py.Group):
            return False
        links, key = group.id.links, part.encode()
        if (
            not links.exists(key)
            or links.get_info(key).type != h5py.h5l.TYPE_HARD
        ):
            return False
        group = group[part]
    return True


def _check_heaps(file: h5py.File) -> None:
    """Refuses heaps of texts on which the library would loop for ever.

    It walks over the objects of a heap by their sizes, and a size may be such
    that it does not get further.
    """
    path = file.filename
    state = os.stat(path)
    _, length = file.id.get_create_plist().get_sizes()
    if not _heaps_end(path, length, state.st_size, state.st_mtime_ns):
        raise OSError('a heap of texts has objects of impossible sizes')


def _stated_length(texts: h5py.Dataset) -> int:
    """Returns how many bytes texts say they have, which is allocated at once.

    Only of an array that lies in one piece, as nearly all of texts do; of
    others 0.
    """
    start = texts.id.get_offset()
    if start is None:
        return 0
    address, _ = texts.file.id.get_create_plist().get_sizes()
    kind = np.dtype([('length', '<u4'), ('place', f'V{address + 4}')])
    with open(texts.file.filename, 'rb') as stream:
        stream.seek(start)
        content = stream.read(texts.size * kind.itemsize)
    whole = len(content) // kind.itemsize
    return int(np.frombuffer(content, kind, whole)['length'].sum(dtype=float))


@functools.lru_cache(8)  # A file may hold a thousand texts.
def _heaps_end(path: str, length: int, *state: int) -> bool:
    """Whether each global heap's objects fill it; `length` bytes tell sizes."""
    del state
    head = _padded(8 + length)
    with (
        open(path, 'rb') as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):

        def number(place: int, bytes_: int) -> int:
            return int.from_bytes(content[place : place + bytes_], 'little')

        left = len(content) // head  # More objects cannot be in a file.
        start = content.find(_HEAP)
        while start >= 0:
            place, end = start + head, start + number(start + 8, length)
            while place + head <= end <= len(content):
                size = number(place + 8, length)
                if number(place, 2):  # Free space counts its head.
                    size = head + _padded(size)
                left -= 1
                if not 0 < size <= end - place or left < 0:
                    return False
                place += size
            start = content.find(_HEAP, start + 8)
    return True


def _padded(size: int) -> int:
    return size + -size % 8

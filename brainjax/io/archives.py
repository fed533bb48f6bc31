"""Files in tar and zip archives, read in place and with bounded memory."""

import bz2
import contextlib
import gzip
import lzma
import os
import posixpath
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

from brainjax.errors import InputError
from brainjax.io import untrusted
from brainjax.io.files import PathLike

_ZIP = (b'PK\x03\x04', b'PK\x05\x06')  # The second of an empty archive.
_MARK = slice(257, 262)  # Where tar says that it is one.
_COMPRESSED = {
    b'\x1f\x8b': gzip.open,
    b'BZh': bz2.open,
    b'\xfd7zXZ\x00': lzma.open,
}


class Archive(NamedTuple):
    """An open archive.

    Attributes:
      names: of its regular files, in its order.
      read: place of a file -> its bytes; ascending places are read fastest.
    """

    names: list[str]
    read: Callable[[int], bytes]


def open_archive(path: PathLike, stack: contextlib.ExitStack) -> Archive:
    """Opens a zip or tar archive, the latter also compressed.

    Args:
      path: of the archive.
      stack: closes it.
    """
    with untrusted.as_input_error(path, 'archive'), open(path, 'rb') as stream:
        start = stream.read(_MARK.stop)
    if start.startswith(_ZIP):
        return _open_zip(path, stack)
    return _open_tar(path, stack, start)


def _open_zip(path: PathLike, stack: contextlib.ExitStack) -> Archive:
    def damage():
        return untrusted.as_input_error(
            path,
            'zip archive',
            zipfile.BadZipFile,
            zlib.error,
        )

    with damage():
        archive = stack.enter_context(zipfile.ZipFile(path))
        members = [each for each in archive.infolist() if not each.is_dir()]
    declared = sum(each.file_size for each in members)
    untrusted.check_size(path, declared, 'all that is in it')

    def read(place: int) -> bytes:
        member = members[place]
        # Python unpacks bz2 and LZMA as a whole, however much that is.
        if member.compress_type not in (
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
        ):
            raise InputError(
                f'{path}: {member.filename} is compressed by a method other '
                'than deflate; pack it again.'
            )
        with damage(), archive.open(member) as stream:
            return stream.read(member.file_size + 1)  # Checks the sum as well.

    return Archive([each.filename for each in members], read)


def _open_tar(
    path: PathLike, stack: contextlib.ExitStack, start: bytes
) -> Archive:
    def damage():
        return untrusted.as_input_error(
            path, 'tar archive', tarfile.TarError, zlib.error, lzma.LZMAError
        )

    unpack = next(
        (
            each
            for magic, each in _COMPRESSED.items()
            if start.startswith(magic)
        ),
        None,
    )
    size = os.path.getsize(path)
    most = untrusted.most_bytes(size) if unpack else size + tarfile.RECORDSIZE
    try:
        with damage():
            stream = stack.enter_context((unpack or open)(path, 'rb'))
            archive = tarfile.TarFile(fileobj=_Bounded(stream, most))
            members = _files(archive)
    except InputError as error:
        if unpack or start[_MARK] == b'ustar':
            raise
        raise InputError(
            f'{path} is neither a tar nor a zip archive; give one of pictures, '
            'or their folder.'
        ) from error
    # A sparse file may declare any size and bring no byte of it.
    declared = sum(each.size for _, each in members)
    untrusted.check_size(path, declared, 'all that is in it')

    def read(place: int) -> bytes:
        _, member = members[place]
        with damage():
            return archive.extractfile(member).read()

    return Archive([name for name, _ in members], read)


def _files(archive: tarfile.TarFile) -> list[tuple[str, tarfile.TarInfo]]:
    """Returns the name of each file, and what holds its bytes.

    Links are followed to files of the same archive, as tar stores the second
    name of one file; others are passed by.
    """
    members = archive.getmembers()
    regular = {
        posixpath.normpath(each.name): each for each in members if each.isfile()
    }

    def held(each: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if each.isfile():
            return each
        folder = posixpath.dirname(each.name) if each.issym() else ''
        target = posixpath.join(folder, each.linkname)
        linked = each.issym() or each.islnk()
        return regular.get(posixpath.normpath(target)) if linked else None

    found = ((each.name.removeprefix('./'), held(each)) for each in members)
    return [(name, member) for name, member in found if member]


class _Bounded:
    """A stream of which no more than a number of bytes is read.

    tarfile reads headers whole, as long as they say they are, and unpacks
    what lies before the next one.
    """

    def __init__(self, stream: BinaryIO, most: int):
        self._stream = stream
        self._most = most
        self.tell = stream.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self._most:
            raise tarfile.ReadError('a header is too long')
        content = self._stream.read(size)
        self._check(self._stream.tell())
        return content

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        self._check(place)
        return self._stream.seek(place, whence)

    def _check(self, place: int) -> None:
        if place > self._most:
            raise tarfile.ReadError(
                f'it unpacks to more than {self._most / 2**20:.0f} MiB'
            )

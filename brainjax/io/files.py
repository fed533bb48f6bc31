"""Reading and writing files: whole or not at all, and nothing executed."""

import codecs
import contextlib
import fcntl
import functools
import hashlib
import json
import math
import os
import pathlib
import platform
import re
import stat
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from brainjax.errors import InputError
from brainjax.io import untrusted

PathLike = str | os.PathLike

LARGEST_TEXT = 64 * 2**20  # Bytes; tables of events have a few thousand.


# Temporary files are called by the machine that writes them.
_MACHINE = f'{zlib.crc32(platform.node().encode()):08x}'
_TEMPORARY = re.compile(r'\.brainjax-([0-9a-f]{8})-[a-z0-9_]{8}(\..*)?', re.S)
_LONG_AGO = 3600  # Seconds.


@contextlib.contextmanager
def atomic(path: PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside `path`, renamed to it on success.

    If the body raises, the temporary file is removed and an older file at
    `path` stays as it was. What a killed process left in that folder is removed
    by the next one that writes there. HDF5 must not lock the file itself:
    `h5py.File(temporary, 'w', locking=False)`.
    """
    path = pathlib.Path(path)
    check_replaceable(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep_once(path.parent.absolute())
        handle, name = _locked_temporary(path)
    except OSError as error:
        raise InputError(
            f'{path.parent} cannot be written to ({error.strerror}); '
            'name another folder or change its permissions.'
        ) from error
    temporary = pathlib.Path(name)
    umask = os.umask(0)
    os.umask(umask)
    try:
        yield temporary
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)


def _locked_temporary(path: pathlib.Path) -> tuple[int, str]:
    """Makes a file beside `path`, locked for as long as the handle is open."""
    while True:
        handle, name = tempfile.mkstemp(
            prefix=f'.brainjax-{_MACHINE}-', suffix=path.suffix, dir=path.parent
        )
        with contextlib.suppress(OSError):  # There may be no locks.
            # Shared: HDF5 can read what has just been renamed.
            fcntl.flock(handle, fcntl.LOCK_SH)
        if os.fstat(handle).st_nlink:
            return handle, name
        os.close(handle)  # Swept before it was locked.


def sweep(folder: pathlib.Path) -> None:
    """Removes the temporary files that killed processes left in a folder.

    Living ones hold locks on theirs. Some file systems show a lock on its own
    machine only: what others wrote to within the hour stays.
    """
    paths = []
    with contextlib.suppress(OSError):  # It may be written to and not read.
        paths = [*folder.iterdir()]
    for path in paths:
        name = _TEMPORARY.fullmatch(path.name)
        if not name:
            continue
        with contextlib.suppress(OSError):  # Another's, gone, or locked.
            handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                found = os.fstat(handle)
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                old = time.time() - found.st_mtime > _LONG_AGO
                if stat.S_ISREG(found.st_mode) and (name[1] == _MACHINE or old):
                    path.unlink()
            finally:
                os.close(handle)


# A folder of features has a hundred thousand files.
_sweep_once = functools.cache(sweep)


def check_replaceable(path: PathLike) -> None:
    """Refuses to write where something is that is no file."""
    if os.path.exists(path) and not os.path.isfile(path):
        what = 'a folder' if os.path.isdir(path) else 'no regular file'
        raise InputError(
            f'{path} is {what} and a file is to be written there; move it or '
            'write elsewhere.'
        )


def write_text(path: PathLike, text: str) -> None:
    """Writes `text` as UTF-8."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding='utf-8')


def write_json(path: PathLike, value: Any) -> None:
    """Writes `value` as indented JSON; NaN and infinity become null."""
    text = json.dumps(json_ready(value), indent=2, allow_nan=False)
    write_text(path, text + '\n')


def read_text(path: PathLike) -> str:
    """Reads UTF-8, with or without a byte order mark, or UTF-16 with one."""
    with untrusted.as_text_error(path, 'text file'):
        size = os.path.getsize(path)
        if size > LARGEST_TEXT:
            raise InputError(
                f'{path} has {size / 2**20:.0f} MiB where text of at most '
                f'{LARGEST_TEXT // 2**20} is expected; check that it is the '
                'right file.'
            )
        content = pathlib.Path(path).read_bytes()
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = content.decode('utf-16' if wide else 'utf-8-sig')
        return text.replace('\r\n', '\n').replace('\r', '\n')


def read_json(
    path: PathLike, remedy: str = 'copy or download it again'
) -> dict[str, Any]:
    """Reads a JSON object.

    Args:
      path: of the file.
      remedy: what to do about a damaged one, for the message.
    """
    text = read_text(path)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f'{path} is damaged, not valid JSON ({error}); {remedy}.'
        ) from error
    if not isinstance(content, dict):
        raise InputError(f'{path} is damaged, no JSON object; {remedy}.')
    return content


def visible(folder: PathLike, pattern: str) -> list[pathlib.Path]:
    """Returns what matches in a folder, sorted, without hidden files.

    macOS lays '._name' beside each file that it copies to a foreign disk.
    """
    found = pathlib.Path(folder).glob(pattern)
    return sorted(path for path in found if not path.name.startswith('.'))


def sha256(path: PathLike) -> str:
    """Returns the hexadecimal SHA-256 of a file's bytes."""
    with open(path, 'rb') as stream:
        return hashlib.file_digest(stream, 'sha256').hexdigest()


def writable_folder(path: PathLike) -> pathlib.Path:
    """Makes a folder if need be and returns its absolute path."""
    path = pathlib.Path(path).absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise InputError(
            f'{path} cannot be written to ({error.strerror}); name another '
            'folder with --workdir or change its permissions.'
        ) from error
    return path


def cache_folder(*parts: str) -> pathlib.Path:
    """Returns a path under `BRAINJAX_CACHE`, by default `~/.cache/brainjax`."""
    base = os.environ.get('BRAINJAX_CACHE') or os.path.join(
        os.environ.get('XDG_CACHE_HOME', os.path.expanduser('~/.cache')),
        'brainjax',
    )
    return pathlib.Path(base, *parts)


def json_ready(value: Any) -> Any:
    """Turns NumPy scalars, arrays, tuples and mappings into JSON's types.

    JSON has neither NaN nor infinity: they become None.
    """
    if isinstance(value, Mapping):
        return {str(key): json_ready(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_ready(item) for item in value]
    if isinstance(value, (np.generic, np.ndarray)):
        return json_ready(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


@contextlib.contextmanager
def exclusive_lock(folder: PathLike) -> Iterator[None]:
    """Keeps other processes out of a folder while the body runs.

    A process that is killed leaves nothing behind. Where the file system knows
    no locks nobody is kept out.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise InputError(
            f'{folder} is being written by another run; wait until that has '
            'ended, or name another folder.'
        ) from error
    except OSError:
        pass
    try:
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def shared_lock(
    folder: PathLike, if_alone: Callable[[], None]
) -> Iterator[None]:
    """Enters a folder that several processes may be in.

    Args:
      folder: all enter it by this function.
      if_alone: called before anyone else can enter, if nobody is there.
    """
    handle, alone = os.open(folder, os.O_RDONLY), True
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            alone = not isinstance(error, BlockingIOError)
        if alone:
            if_alone()
        with contextlib.suppress(OSError):  # There may be no locks.
            fcntl.flock(handle, fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)

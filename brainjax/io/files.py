"""Reading and writing files: whole or not at all, and nothing executed."""

import contextlib
import fcntl
import hashlib
import json
import math
import os
import pathlib
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from brainjax.errors import InputError
from brainjax.io import untrusted

PathLike = str | os.PathLike

LARGEST_TEXT = 64 * 2**20  # Bytes; tables of events have a few thousand.


@contextlib.contextmanager
def atomic(path: PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside `path`, renamed to it on success.

    If the body raises, the temporary file is removed and an older file at
    `path` stays as it was.
    """
    path = pathlib.Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f'.{path.stem}.', suffix=path.suffix, dir=path.parent
        )
    except OSError as error:
        raise InputError(
            f'{path.parent} cannot be written to ({error.strerror}); '
            'name another folder or change its permissions.'
        ) from error
    os.close(handle)
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


def write_text(path: PathLike, text: str) -> None:
    """Writes `text` as UTF-8."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding='utf-8')


def write_json(path: PathLike, value: Any) -> None:
    """Writes `value` as indented JSON; NaN and infinity become null."""
    text = json.dumps(json_ready(value), indent=2, allow_nan=False)
    write_text(path, text + '\n')


def read_text(path: PathLike) -> str:
    """Reads UTF-8, with or without a byte order mark."""
    with untrusted.as_input_error(path, 'text file'):
        size = os.path.getsize(path)
        if size > LARGEST_TEXT:
            raise InputError(
                f'{path} has {size / 2**20:.0f} MiB where text of at most '
                f'{LARGEST_TEXT // 2**20} is expected; check that it is the '
                'right file.'
            )
        return pathlib.Path(path).read_text(encoding='utf-8-sig')


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
            'ended, or use another --workdir.'
        ) from error
    except OSError:
        pass
    try:
        yield
    finally:
        os.close(handle)

"""Downloads that resume after a cut and are checked before they are kept."""

import http.client
import os
import pathlib
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable

from brainjax import files
from brainjax.errors import InputError

Progress = Callable[[int, int | None], None]

_CHUNK = 1 << 20
_ELSEWHERE = 'or download the file elsewhere and give its path'


class _CutError(Exception):
    """The connection ended early; what has come is kept."""


def is_url(source: files.PathLike) -> bool:
    return str(source).startswith(('http://', 'https://'))


def download(
    url: str,
    path: files.PathLike,
    size: int | None = None,
    sha256: str | None = None,
    progress: Progress | None = None,
    attempts: int = 5,
    timeout: float = 30.0,
    pause: float = 1.0,
) -> pathlib.Path:
    """Downloads a file, whole or not at all.

    What has come is kept in `<path>.part`. A cut connection is taken up again
    where it ended; so is an interrupted download when it is started again,
    but only if `sha256` can tell whether the parts belong together.

    Args:
      url: http or https address.
      path: where to put the file.
      size: its size in bytes, if known.
      sha256: its hexadecimal SHA-256 or the first digits of it, if known.
      progress: called with the bytes that have come and the bytes in all, or
        None where the server does not say.
      attempts: how often in a row to try without getting further.
      timeout: seconds without a byte after which a connection counts as cut.
      pause: seconds before the second try; doubled before each further one.

    Returns:
      `path`.

    Raises:
      InputError: the server cannot be reached or refuses, the size or the
        hash are wrong, or the file cannot be written.
    """
    if not is_url(url):
        raise InputError(f'{url} is not an http or https address; check it.')
    path = pathlib.Path(path)
    part = path.with_name(f'{path.name}.part')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not sha256:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path.parent, error) from error
    failures, furthest = 0, _length(part)
    while True:
        try:
            _receive(url, part, size, progress, timeout)
            break
        except _CutError as error:
            reached = _length(part)
            failures = 1 if reached > furthest else failures + 1
            furthest = max(furthest, reached)
            if failures >= attempts:
                raise InputError(
                    f'{url} was cut {failures} times in a row at byte '
                    f'{reached} ({error}); run the same command again to go '
                    'on from there.'
                ) from error
            time.sleep(pause * 2 ** (failures - 1))
    _verify(url, part, size, sha256)
    part.replace(path)
    return path


def _unwritable(path: pathlib.Path, error: OSError) -> InputError:
    return InputError(
        f'{path} cannot be written to ({error.strerror}); make room or set '
        'BRAINJAX_CACHE to a folder elsewhere.'
    )


def _length(path: pathlib.Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _receive(
    url: str,
    part: pathlib.Path,
    size: int | None,
    progress: Progress | None,
    timeout: float,
) -> None:
    """Appends what is missing to `part`."""
    have = _length(part)
    if have and have == size:
        return
    with _open(url, part, have, timeout) as response:
        if response.status != 206:
            have = 0
        left = response.headers.get('Content-Length')
        total = size if left is None else have + int(left)
        if None not in (size, total) and total != size:
            part.unlink(missing_ok=True)
            raise InputError(
                f'{url} has {total} bytes where {size} were expected; it is '
                f'another file: check the address, {_ELSEWHERE}.'
            )
        _check_space(part, (total or 0) - have)
        try:
            with open(part, 'ab' if have else 'wb') as stream:
                while chunk := _read(response):
                    stream.write(chunk)
                    have += len(chunk)
                    if progress is not None:
                        progress(have, total)
        except OSError as error:
            raise _unwritable(part, error) from error
    if total is not None and have < total:
        raise _CutError(f'{total - have} of {total} bytes are missing')


def _open(
    url: str, part: pathlib.Path, have: int, timeout: float
) -> http.client.HTTPResponse:
    """Asks for the bytes from `have` on."""
    headers = {'User-Agent': 'brainjax'}
    if have:
        headers['Range'] = f'bytes={have}-'
    try:
        request = urllib.request.Request(url, headers=headers)
        return urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code == 416:
            # What we have is no beginning of this file.
            part.unlink(missing_ok=True)
            raise _CutError('the part did not fit the file') from error
        if error.code in (408, 429) or error.code >= 500:
            raise _CutError(f'status {error.code}') from error
        raise InputError(
            f'{url} was refused by its server ({error.code} {error.reason}); '
            f'check the address, {_ELSEWHERE}.'
        ) from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError | ConnectionResetError):
            raise _CutError(str(error.reason)) from error
        raise InputError(
            f'{url} cannot be reached ({error.reason}); check the network, '
            f'{_ELSEWHERE}.'
        ) from error
    except (ValueError, http.client.InvalidURL) as error:
        raise InputError(
            f'{url} is not an address ({error}); check it.'
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise _CutError(str(error)) from error


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read1(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _CutError(str(error) or type(error).__name__) from error


def _check_space(part: pathlib.Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if free < needed:
        raise InputError(
            f'{part.parent} has {free} bytes free of the {needed} that the '
            'download needs; make room or set BRAINJAX_CACHE to a folder '
            'elsewhere.'
        )


def _verify(
    url: str, part: pathlib.Path, size: int | None, sha256: str | None
) -> None:
    wrong = None
    if size is not None and os.path.getsize(part) != size:
        wrong = f'{os.path.getsize(part)} bytes where {size} were expected'
    elif sha256:
        digest = files.sha256(part)
        if not digest.startswith(sha256.lower()):
            wrong = f'the SHA-256 {digest}, not {sha256}'
    if wrong is not None:
        part.unlink()
        raise InputError(
            f'{url} came with {wrong}, and was removed; download it again, '
            'or from another address.'
        )

"""Downloads that resume after a cut and are checked before they are kept."""

import hashlib
import http.client
import os
import pathlib
import shutil
import sys
import time
from typing import BinaryIO

from brainjax.errors import InputError
from brainjax.io import files, untrusted, web

_CHUNK = 1 << 20
_SLOWEST = 500  # Bytes a second, below which a connection counts as cut.


def download(
    url: str,
    path: files.PathLike,
    size: int | None = None,
    sha256: str | None = None,
    progress: web.Progress | None = None,
    attempts: int = 5,
    timeout: float = 30.0,
    pause: float = 1.0,
    md5: str | None = None,
    filename: str | None = None,
) -> pathlib.Path:
    """Downloads a file, whole or not at all.

    What has come is kept in `<path>.part`. A cut connection is taken up again
    where it ended; so is an interrupted download when it is started again,
    but only if a hash, or the server's tag of the file's version (kept in
    `<path>.part.tag`), can tell whether the parts belong together.

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
      md5: its hexadecimal MD5 or the first digits of it, if known.
      filename: what the server calls it, if it names what it sends.

    Returns:
      `path`.
    """
    if not web.is_url(url):
        raise InputError(f'{url} is not an http or https address; check it.')
    path = pathlib.Path(path)
    part = path.with_name(f'{path.name}.part')
    hashes = {'sha256': sha256, 'md5': md5}
    wanted = web.Wanted(url, part, size, hashes, filename, progress, timeout)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _receive_all(wanted, attempts, pause)
        _verify(wanted)
        part.replace(path)
        web.tag_path(part).unlink(missing_ok=True)
    except OSError as error:
        raise web.unwritable(path.parent, error) from error
    return path


def _length(path: pathlib.Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _receive_all(wanted: web.Wanted, attempts: int, pause: float) -> None:
    failures, furthest = 0, _length(wanted.part)
    while True:
        try:
            return _receive(wanted)
        except web.CutError as error:
            reached = _length(wanted.part)
            further = reached > furthest and not isinstance(
                error, web.SlowError
            )
            failures = 1 if further else failures + 1
            furthest = max(furthest, reached)
            if failures >= attempts:
                raise InputError(
                    f'{wanted.url} was cut {failures} times in a row at byte '
                    f'{reached} ({untrusted.first_line(error)}); run the same '
                    'command again to go on from there.'
                ) from error
            time.sleep(pause * 2 ** (failures - 1))


def _receive(wanted: web.Wanted) -> None:
    """Appends what is missing to the part."""
    part, size = wanted.part, wanted.size
    if not (wanted.is_checked or web.kept_tag(wanted)):
        web.drop(part)  # Nothing can tell whether more of it belongs to it.
    have = _length(part)
    if have and have == size:
        return
    with web.open_url(wanted, have) as response:
        if response is None:
            return
        web.check_answer(wanted, response, have)
        if response.status == 206:
            end, total = web.check_range(wanted, response, have)
        else:
            have, end = 0, web.content_length(wanted, response)
            total = end
            web.keep_tag(wanted, response.headers.get('ETag') or '')
        if None not in (size, total) and total != size:
            raise web.refused(
                wanted,
                f'has {total} bytes where {size} were expected; it is another '
                f'file: check the address, {web.ELSEWHERE}',
            )
        total = size if total is None else total
        _check_space(part, (total or 0) - have)
        have = _append(wanted, response, have, end or total, total)
    if total is not None and have < total:
        raise web.CutError(f'{total - have} of {total} bytes are missing')
    if not have:
        raise web.refused(
            wanted, f'is empty; check the address, {web.ELSEWHERE}'
        )


def _append(
    wanted: web.Wanted,
    response: http.client.HTTPResponse,
    have: int,
    end: int | None,
    total: int | None,
) -> int:
    """Writes what comes, up to `end`, and returns how many bytes there are."""
    most = untrusted.most_bytes(sys.maxsize) if end is None else end
    began, since = time.monotonic(), have
    stream = response.fp
    try:
        with open(wanted.part, 'ab' if have else 'wb') as file:
            while chunk := _read(response):
                file.write(chunk)
                have += len(chunk)
                if have > most:
                    break
                if wanted.progress is not None:
                    wanted.progress(have, total)
                if (passed := time.monotonic() - began) > wanted.timeout:
                    if have - since < _SLOWEST * passed:
                        raise web.SlowError(
                            f'{have - since} bytes in {passed:.0f} s'
                        )
                    began, since = time.monotonic(), have
    except OSError as error:
        raise web.unwritable(wanted.part, error) from error
    if have > most or (have == end and _goes_on(wanted, response, stream)):
        raise web.refused(
            wanted,
            f'goes on after {most} bytes; check the address, {web.ELSEWHERE}',
        )
    return have


def _goes_on(
    wanted: web.Wanted, response: http.client.HTTPResponse, stream: BinaryIO
) -> bool:
    """Tells whether more comes than the Content-Length says.

    A server that does not close would keep us waiting; a hash tells as well.
    """
    if wanted.is_checked or response.chunked or not response.will_close:
        return False
    try:
        return bool(stream.peek(1))
    except (OSError, ValueError):  # Reset, or closed already.
        return False


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read1(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise web.CutError(untrusted.first_line(error)) from error


def _check_space(part: pathlib.Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if free < needed:
        raise InputError(
            f'{part.parent} has {free} bytes free of the {needed} that the '
            'download needs; make room or set BRAINJAX_CACHE to a folder '
            'elsewhere.'
        )


def _verify(wanted: web.Wanted) -> None:
    """Removes a file that is not what it should be, and says so."""
    part, size = wanted.part, wanted.size
    try:
        if size is not None and os.path.getsize(part) != size:
            raise InputError(
                f'{os.path.getsize(part)} bytes where {size} were expected'
            )
        for algorithm, expected in wanted.hashes.items():
            check_hash(part, algorithm, expected)
    except InputError as error:
        web.drop(part)
        raise InputError(
            f'{wanted.url} came with {error}, and was removed; download it '
            'again, or from another address.'
        ) from error


def check_hash(
    path: files.PathLike, algorithm: str, expected: str | None
) -> None:
    """Checks a file's hash by the digits that are known of it.

    Args:
      path: of the file.
      algorithm: 'sha256' or 'md5'.
      expected: hexadecimal, the first digits or all; None or '' for unknown.

    Raises:
      InputError: the words 'the SHA-256 X, not Y', for a sentence.
    """
    if not expected:
        return
    with open(path, 'rb') as stream:
        digest = hashlib.file_digest(stream, algorithm).hexdigest()
    if not digest.startswith(expected.lower()):
        word = {'sha256': 'SHA-256', 'md5': 'MD5'}[algorithm]
        raise InputError(f'the {word} {digest}, not {expected}')

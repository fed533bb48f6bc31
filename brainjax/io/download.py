"""Downloads that resume after a cut and are checked before they are kept."""

import hashlib
import http.client
import os
import pathlib
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping

from brainjax.errors import InputError
from brainjax.io import files, untrusted

Progress = Callable[[int, int | None], None]

_CHUNK = 1 << 20
_ELSEWHERE = 'or download the file elsewhere and give its path'


class _Redirect(urllib.request.HTTPRedirectHandler):
    """Follows to http and https alone; Python would to ftp as well."""

    def redirect_request(self, request, stream, code, text, headers, url):
        if not is_url(url):
            raise InputError(
                f'{request.full_url} leads to {url}, which is not an http or '
                f'https address; check it, {_ELSEWHERE}.'
            )
        return super().redirect_request(
            request, stream, code, text, headers, url
        )


class _CutError(Exception):
    """The connection ended early; what has come is kept."""


def is_url(source: files.PathLike) -> bool:
    """Tells whether a source is on the web rather than a file."""
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
    if not is_url(url):
        raise InputError(f'{url} is not an http or https address; check it.')
    path = pathlib.Path(path)
    part = path.with_name(f'{path.name}.part')
    hashes = {'sha256': sha256, 'md5': md5}
    checked = any(hashes.values())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path.parent, error) from error
    failures, furthest = 0, _length(part)
    while True:
        if not (checked or _tag(part).exists()):
            # Nothing could tell whether two parts are of one version.
            _drop(part)
        try:
            _receive(url, part, size, checked, progress, timeout, filename)
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
    _verify(url, part, size, hashes)
    part.replace(path)
    _tag(part).unlink(missing_ok=True)
    return path


def _unwritable(path: pathlib.Path, error: OSError) -> InputError:
    return InputError(
        f'{path} cannot be written to ({error.strerror}); make room or set '
        'BRAINJAX_CACHE to a folder elsewhere.'
    )


def _tag(part: pathlib.Path) -> pathlib.Path:
    return part.with_name(f'{part.name}.tag')


def _length(path: pathlib.Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _receive(
    url: str,
    part: pathlib.Path,
    size: int | None,
    checked: bool,
    progress: Progress | None,
    timeout: float,
    filename: str | None,
) -> None:
    """Appends what is missing to `part`."""
    have = _length(part)
    if have and have == size:
        return
    with _open(url, part, have, timeout) as response:
        try:
            have, total = _check(response, part, have, size, checked, filename)
        except InputError as error:
            _drop(part)
            raise InputError(
                f'{url} {error}; check the address, {_ELSEWHERE}.'
            ) from error
        _check_space(part, (total or 0) - have)
        try:
            with open(part, 'ab' if have else 'wb') as stream:
                while chunk := _read(response):
                    have += len(chunk)
                    if total is not None and have > total:
                        break
                    stream.write(chunk)
                    if progress is not None:
                        progress(have, total)
        except OSError as error:
            raise _unwritable(part, error) from error
    if total is not None and have > total:
        _drop(part)
        raise InputError(
            f'{url} sends more than the {total} bytes that were expected; it '
            f'is another file: check the address, {_ELSEWHERE}.'
        )
    if total is not None and have < total:
        raise _CutError(f'{total - have} of {total} bytes are missing')


def _check(
    response: http.client.HTTPResponse,
    part: pathlib.Path,
    have: int,
    size: int | None,
    checked: bool,
    filename: str | None,
) -> tuple[int, int | None]:
    """Checks what a server says before its bytes are believed.

    Returns:
      How many bytes are there already, and how many there are in all, if known.

    Raises:
      InputError: a predicate, for a sentence.
    """
    headers = response.headers
    if response.status not in (200, 206):
        raise InputError(f'came with status {response.status} and no file')
    if headers.get('Content-Encoding', 'identity').lower() != 'identity':
        raise InputError('came encoded, though it was asked for as it is')
    named = headers.get_filename()
    if filename and named and named != filename:
        raise InputError(f'is a file named {named}, not {filename}')
    if not checked and headers.get_content_type() == 'text/html':
        raise InputError('came as a web page, perhaps one to log in')
    tag = headers.get('ETag') or ''
    if response.status == 206:
        whole = _whole_size(headers, part, have, tag)
    else:
        have, whole = 0, None
        _keep_tag(part, tag)
    stated = headers.get('Content-Length')
    if stated is not None and not stated.strip().isdecimal():
        raise InputError(f'states the length {stated!r}')
    if stated is None and not (checked or size or response.chunked):
        raise InputError(
            'does not say how long it is, so that a cut would go unnoticed'
        )
    sizes = {size, whole, None if stated is None else have + int(stated)}
    sizes.discard(None)
    if len(sizes) > 1:
        other = max(sizes - {size})
        raise InputError(
            f'has {other} bytes where {size} were expected'
            if size
            else f'states two lengths, {min(sizes)} and {max(sizes)} bytes'
        )
    return have, next(iter(sizes), None)


def _whole_size(
    headers: http.client.HTTPMessage, part: pathlib.Path, have: int, tag: str
) -> int | None:
    """Checks that a part goes on where the one that is there ends."""
    stated = headers.get('Content-Range', '')
    found = re.fullmatch(r'bytes (\d+)-\d+/(\d+|\*)', stated.strip())
    known = _tag(part)
    ours = known.read_text(encoding='latin-1') if known.exists() else ''
    if not have or not found or int(found[1]) != have or (ours and tag != ours):
        _drop(part)
        raise _CutError(f'a part came that is not the next: {stated!r}')
    return None if found[2] == '*' else int(found[2])


def _keep_tag(part: pathlib.Path, tag: str) -> None:
    """Keeps the version that comes; a weak tag does not tell bytes apart."""
    try:
        _tag(part).unlink(missing_ok=True)
        if tag.startswith('"'):
            _tag(part).write_text(tag, encoding='latin-1')
    except OSError as error:
        raise _unwritable(part, error) from error


def _drop(part: pathlib.Path) -> None:
    part.unlink(missing_ok=True)
    _tag(part).unlink(missing_ok=True)


def _open(
    url: str, part: pathlib.Path, have: int, timeout: float
) -> http.client.HTTPResponse:
    """Asks for the bytes from `have` on."""
    headers = {'User-Agent': 'brainjax', 'Accept-Encoding': 'identity'}
    if have:
        headers['Range'] = f'bytes={have}-'
        if _tag(part).exists():  # All of it again, if it has changed.
            headers['If-Range'] = _tag(part).read_text(encoding='latin-1')
    try:
        request = urllib.request.Request(url, headers=headers)
        opener = urllib.request.build_opener(_Redirect)
        return opener.open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code == 416:
            # What we have is no beginning of this file.
            _drop(part)
            raise _CutError('the part did not fit the file') from error
        if error.code in (408, 429) or error.code >= 500:
            raise _CutError(f'status {error.code}') from error
        reason = untrusted.first_line(error.reason)
        raise InputError(
            f'{url} was refused by its server ({error.code} {reason}); check '
            f'the address, {_ELSEWHERE}.'
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
        raise _CutError(untrusted.first_line(error)) from error


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read1(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _CutError(untrusted.first_line(error)) from error


def _check_space(part: pathlib.Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if free < needed:
        raise InputError(
            f'{part.parent} has {free} bytes free of the {needed} that the '
            'download needs; make room or set BRAINJAX_CACHE to a folder '
            'elsewhere.'
        )


def _verify(
    url: str,
    part: pathlib.Path,
    size: int | None,
    hashes: Mapping[str, str | None],
) -> None:
    """Removes a file that is not what it should be, and says so."""
    try:
        if size is not None and os.path.getsize(part) != size:
            raise InputError(
                f'{os.path.getsize(part)} bytes where {size} were expected'
            )
        for algorithm, expected in hashes.items():
            check_hash(part, algorithm, expected)
    except InputError as error:
        _drop(part)
        raise InputError(
            f'{url} came with {error}, and was removed; download it again, '
            'or from another address.'
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

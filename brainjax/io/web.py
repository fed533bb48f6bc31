"""What web servers answer, and what in it is wrong."""

import contextlib
import http.client
import pathlib
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import NamedTuple

from brainjax.errors import InputError
from brainjax.io import untrusted
from brainjax.io.files import PathLike

Progress = Callable[[int, int | None], None]

ELSEWHERE = 'or download the file elsewhere and give its path'

_STRONG_TAG = r'"[\x21\x23-\x7e\x80-\xff]*"'  # An ETag of RFC 9110.
_LONGEST_REASON = 120


class CutError(Exception):
    """The connection ended early; what has come is kept."""


class SlowError(CutError):
    """Hardly anything comes, which is no getting further."""


class Wanted(NamedTuple):
    """What is asked for: see `download`."""

    url: str
    part: pathlib.Path
    size: int | None
    hashes: Mapping[str, str | None]
    filename: str | None
    progress: Progress | None
    timeout: float

    @property
    def is_checked(self) -> bool:
        """Whether a hash will tell a wrong file."""
        return any(self.hashes.values())


def is_url(source: PathLike) -> bool:
    """Tells whether a source is on the web rather than a file."""
    return str(source).startswith(('http://', 'https://'))


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to the web only, where the default goes to ftp as well."""

    def redirect_request(self, request, response, code, reason, headers, url):
        if not is_url(url):
            raise InputError(
                f'{request.full_url} leads to {url}, which is not an http or '
                f'https address; check it, {ELSEWHERE}.'
            )
        return super().redirect_request(
            request, response, code, reason, headers, url
        )


def open_url(
    wanted: Wanted, have: int
) -> contextlib.AbstractContextManager[http.client.HTTPResponse | None]:
    """Asks for the bytes from `have` on; None if there are no more."""
    url, headers = wanted.url, {'User-Agent': 'brainjax'}
    if have:
        headers['Range'] = f'bytes={have}-'
        if tag := kept_tag(wanted):  # All of it again, if it has changed.
            headers['If-Range'] = tag
    try:
        request = urllib.request.Request(url, headers=headers)
        opener = urllib.request.build_opener(_Redirects)
        return opener.open(request, timeout=wanted.timeout)
    except InputError:
        raise
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            told = error.headers.get('Content-Range', '')
            if wanted.is_checked and have and told == f'bytes */{have}':
                return contextlib.nullcontext()
            # What we have is no beginning of this file.
            drop(wanted.part)
            raise CutError('the part did not fit the file') from error
        if error.code in (408, 429) or error.code >= 500:
            raise CutError(f'status {error.code}') from error
        # Of redirects without end it is several lines.
        reason = ' '.join(str(error.reason).split())[:_LONGEST_REASON]
        raise InputError(
            f'{url} was refused by its server ({error.code} {reason}); '
            f'check the address, {ELSEWHERE}.'
        ) from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError | ConnectionResetError):
            raise CutError(str(error.reason)) from error
        raise InputError(
            f'{url} cannot be reached ({error.reason}); check the network, '
            f'{ELSEWHERE}.'
        ) from error
    except (ValueError, OverflowError, http.client.InvalidURL) as error:
        raise InputError(
            f'{url} is not an address ({untrusted.first_line(error)}), or '
            'leads to none; check it.'
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise CutError(untrusted.first_line(error)) from error


def check_answer(
    wanted: Wanted, response: http.client.HTTPResponse, have: int
) -> None:
    """Refuses an answer whose body is not the file's bytes."""
    headers = response.headers
    if response.status != 200 and not (response.status == 206 and have):
        raise _faulty(
            wanted, f'status {response.status}, not with the whole file'
        )
    named = headers.get_filename()
    if wanted.filename and named and named != wanted.filename:
        raise refused(
            wanted,
            f'is a file named {named}, not {wanted.filename}; check the '
            f'address, {ELSEWHERE}',
        )
    transfer = headers.get('Transfer-Encoding', 'chunked')
    if transfer.lower() != 'chunked':
        raise _faulty(wanted, f'the transfer encoding {transfer!r}')
    if wanted.is_checked:
        # Some servers call .gz files encoded: then the bytes are right.
        return
    encoding = headers.get('Content-Encoding', 'identity')
    if encoding.lower() != 'identity':
        raise _faulty(wanted, f'the content encoding {encoding!r}')
    if headers.get('Content-Type', '').lower().startswith('text/html'):
        raise refused(
            wanted,
            f'is a web page, not a file; check the address, {ELSEWHERE}',
        )
    told = headers.get('Content-Length') or response.chunked
    if response.status == 200 and not told and wanted.size is None:
        raise _faulty(wanted, 'a file of unknown length, which may be cut')


def content_length(
    wanted: Wanted, response: http.client.HTTPResponse
) -> int | None:
    """Returns the bytes that are announced; None where the end is marked."""
    told = response.headers.get('Content-Length')
    if told is None or response.chunked:  # Which overrides it.
        return None
    # int() takes '+1' and '1_000' as well.
    if not re.fullmatch('[0-9]{1,18}', told.strip()):
        raise _faulty(wanted, f'the Content-Length {told[:40]!r}')
    return int(told)


def check_range(
    wanted: Wanted, response: http.client.HTTPResponse, have: int
) -> tuple[int, int]:
    """Returns where a part ends and the length of the whole file.

    A part that does not follow on what is there is not used, and all of the
    file is asked for again.
    """
    told = response.headers.get('Content-Range', '')
    found = re.fullmatch(r'bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)', told)
    start, last, total = found.groups() if found else (-1, -1, '*')
    total = wanted.size if total == '*' else int(total)
    end, tag = int(last) + 1, response.headers.get('ETag')
    length = content_length(wanted, response)
    if (
        int(start) != have
        or total is None
        or not have < end <= total
        or length not in (None, end - have)
        # A server that does not know If-Range sends parts of another version.
        or kept_tag(wanted) not in ('', tag)
    ):
        drop(wanted.part)
        raise CutError('another part was sent than the one asked for')
    return end, total


def refused(wanted: Wanted, why: str) -> InputError:
    """Removes what has come."""
    drop(wanted.part)
    return InputError(f'{wanted.url} {why}.')


def _faulty(wanted: Wanted, answer: str) -> InputError:
    return refused(
        wanted, f'was answered with {answer}; try again later, {ELSEWHERE}'
    )


def keep_tag(wanted: Wanted, tag: str) -> None:
    """Keeps the version that comes; a weak tag does not tell bytes apart."""
    try:
        tag_path(wanted.part).unlink(missing_ok=True)
        if re.fullmatch(_STRONG_TAG, tag):
            # Another address may have the same tag for another file.
            tag_path(wanted.part).write_text(
                f'{tag}\n{wanted.url}', encoding='latin-1'
            )
    except (OSError, UnicodeEncodeError) as error:
        raise unwritable(wanted.part, error) from error


def kept_tag(wanted: Wanted) -> str:
    """Returns the version of what is there, '' if it is not known."""
    try:
        text = tag_path(wanted.part).read_text(encoding='latin-1')
    except OSError:
        return ''
    tag, _, url = text.partition('\n')
    known = url == wanted.url and re.fullmatch(_STRONG_TAG, tag)
    return tag if known else ''


def tag_path(part: pathlib.Path) -> pathlib.Path:
    """Returns where the version of a part is kept."""
    return part.with_name(f'{part.name}.tag')


def drop(part: pathlib.Path) -> None:
    """Removes a part and what is kept of its version."""
    part.unlink(missing_ok=True)
    tag_path(part).unlink(missing_ok=True)


def unwritable(path: pathlib.Path, error: OSError) -> InputError:
    """Says that a file of the cache cannot be written."""
    return InputError(
        f'{path} cannot be written to ({error.strerror}); make room or set '
        'BRAINJAX_CACHE to a folder elsewhere.'
    )

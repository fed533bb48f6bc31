import gzip
import hashlib
import os
import socket

import numpy as np
import pytest
from faulty_server import answer, serve

from brainjax.errors import InputError
from brainjax.io import download

SIZE = 300_000
CONTENT = np.random.default_rng(0).bytes(SIZE)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv('no_proxy', '127.0.0.1,localhost')


def get(url, path, size=SIZE, sha256=SHA256, **options):
    return download.download(url, path, size, sha256, pause=0.0, **options)


def test_download_reports_progress_and_leaves_one_file(tmp_path):
    told = []
    with serve(CONTENT) as (url, requests):
        path = get(
            url,
            tmp_path / 'new' / 'file',
            progress=lambda done, total: told.append((done, total)),
        )
    assert path.read_bytes() == CONTENT
    assert requests == [None]
    assert [p.name for p in path.parent.iterdir()] == ['file']
    assert told[-1] == (SIZE, SIZE)
    done = [d for d, _ in told]
    assert done == sorted(done)


def test_first_digits_of_the_hash_are_enough(tmp_path):
    with serve(CONTENT) as (url, _):
        get(url, tmp_path / 'file', sha256=SHA256[:8])
        with pytest.raises(InputError, match='SHA-256'):
            get(url, tmp_path / 'file', sha256='0' + SHA256[:7])


def test_cut_connection_is_taken_up_where_it_ended(tmp_path):
    with serve(CONTENT, cuts=[100_000, 50_000]) as (url, requests):
        path = get(url, tmp_path / 'file')
    assert path.read_bytes() == CONTENT
    assert requests == [None, 'bytes=100000-', 'bytes=150000-']


def test_interrupted_download_resumes_when_started_again(tmp_path):
    with serve(CONTENT, cuts=[70_000]) as (url, requests):
        with pytest.raises(InputError, match='run the same command again'):
            get(url, tmp_path / 'file', attempts=1)
        assert not (tmp_path / 'file').exists()
        assert (tmp_path / 'file.part').read_bytes() == CONTENT[:70_000]
        path = get(url, tmp_path / 'file')
    assert path.read_bytes() == CONTENT
    assert requests == [None, 'bytes=70000-']


def test_part_is_not_resumed_when_no_hash_can_check_it(tmp_path):
    (tmp_path / 'file.part').write_bytes(b'of another file')
    with serve(CONTENT) as (url, requests):
        path = get(url, tmp_path / 'file', size=None, sha256=None)
    assert path.read_bytes() == CONTENT
    assert requests == [None]


def test_server_without_ranges_sends_all_again(tmp_path):
    with serve(CONTENT, cuts=[100_000], ranges=False) as (url, requests):
        path = get(url, tmp_path / 'file')
    assert path.read_bytes() == CONTENT
    assert len(requests) == 2


def test_server_that_always_cuts_is_given_up(tmp_path):
    with serve(CONTENT, cuts=[9_000] * 9, ranges=False) as (url, requests):
        with pytest.raises(InputError, match='cut 3 times in a row'):
            get(url, tmp_path / 'file', attempts=3)
        assert len(requests) == 3


def test_cut_without_content_length_is_noticed_by_the_size(tmp_path):
    with serve(CONTENT, cuts=[100_000], length=False) as (url, _):
        path = get(url, tmp_path / 'file')
    assert path.read_bytes() == CONTENT


def test_overlong_part_is_dropped(tmp_path):
    (tmp_path / 'file.part').write_bytes(CONTENT + b'more')
    with serve(CONTENT) as (url, requests):
        path = get(url, tmp_path / 'file')
    assert path.read_bytes() == CONTENT
    assert requests == [f'bytes={SIZE + 4}-', None]


def test_wrong_hash_leaves_nothing(tmp_path):
    (tmp_path / 'file.part').write_bytes(b'x' * 1000)
    with serve(CONTENT) as (url, _):
        with pytest.raises(InputError, match='came with the SHA-256'):
            get(url, tmp_path / 'file')
        assert not list(tmp_path.iterdir())
        get(url, tmp_path / 'file')


def test_wrong_hash_keeps_the_older_file(tmp_path):
    (tmp_path / 'file').write_bytes(b'older')
    with serve(CONTENT) as (url, _), pytest.raises(InputError):
        get(url, tmp_path / 'file', sha256='0' * 64)
    assert (tmp_path / 'file').read_bytes() == b'older'


def test_wrong_size_is_told_before_anything_is_downloaded(tmp_path):
    with (
        serve(CONTENT) as (url, _),
        pytest.raises(InputError, match='300000 bytes where 299999'),
    ):
        get(url, tmp_path / 'file', size=299_999)
    assert not list(tmp_path.iterdir())


def test_not_found_is_not_tried_again(tmp_path):
    with serve(CONTENT, statuses=[404]) as (url, requests):
        with pytest.raises(InputError, match=r'file\.pth was refused .*404'):
            get(url, tmp_path / 'file')
        assert len(requests) == 1
    assert not list(tmp_path.iterdir())


def test_server_error_is_tried_again(tmp_path):
    with serve(CONTENT, statuses=[503, 429]) as (url, requests):
        path = get(url, tmp_path / 'file')
        assert len(requests) == 3
    assert path.read_bytes() == CONTENT


def test_silent_server_counts_as_cut(tmp_path):
    with socket.create_server(('127.0.0.1', 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(InputError, match='cut 2 times'):
            get(
                f'http://127.0.0.1:{port}/file',
                tmp_path / 'file',
                timeout=0.1,
                attempts=2,
            )


def test_unreachable(tmp_path):
    with socket.create_server(('127.0.0.1', 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(InputError, match='cannot be reached'):
        get(f'http://127.0.0.1:{port}/file', tmp_path / 'file')


@pytest.mark.parametrize(
    'url', ['file:///etc/hostname', 'ftp://host/file', 'http://[host/file']
)
def test_not_an_address(tmp_path, url):
    with pytest.raises(InputError, match='is not an'):
        get(url, tmp_path / 'file')


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='no /dev/full')
def test_full_disk(tmp_path):
    (tmp_path / 'file.part').symlink_to('/dev/full')
    with (
        serve(CONTENT) as (url, _),
        pytest.raises(InputError, match=r'No space left.*BRAINJAX_CACHE'),
    ):
        get(url, tmp_path / 'file')
    assert not (tmp_path / 'file').exists()


def test_too_little_space_is_told_first(tmp_path):
    with pytest.raises(InputError, match='bytes free of the'):
        download._check_space(tmp_path / 'file.part', 1 << 60)


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / 'occupied').write_text('')
    with pytest.raises(InputError, match='cannot be written'):
        get('http://127.0.0.1/file', tmp_path / 'occupied' / 'file')


MD5 = hashlib.md5(CONTENT).hexdigest()


def test_md5_is_checked_by_the_digits_that_are_known(tmp_path):
    with serve(CONTENT, cuts=[80_000]) as (url, requests):
        with pytest.raises(InputError, match='run the same command again'):
            get(url, tmp_path / 'file', sha256=None, md5=MD5[:8], attempts=1)
        get(url, tmp_path / 'file', sha256=None, md5=MD5[:8])
        assert requests == [None, 'bytes=80000-']
        with pytest.raises(InputError, match=f'with the MD5 {MD5}, not 000'):
            get(url, tmp_path / 'new', sha256=None, md5='000')
    assert [p.name for p in tmp_path.iterdir()] == ['file']


def interrupted(tmp_path, tags):
    """Downloads without a hash, in two runs; returns the requests."""
    options = dict(size=None, sha256=None)
    with serve(CONTENT, cuts=[80_000], tags=tags) as (url, requests):
        with pytest.raises(InputError, match='run the same command again'):
            get(url, tmp_path / 'file', attempts=1, **options)
        get(url, tmp_path / 'file', **options)
    assert (tmp_path / 'file').read_bytes() == CONTENT
    assert [p.name for p in tmp_path.iterdir()] == ['file']
    return requests


def test_a_tag_of_the_version_resumes_without_a_hash(tmp_path):
    assert interrupted(tmp_path, ['"one"']) == [None, 'bytes=80000-']


def test_another_version_is_sent_whole(tmp_path):
    part = tmp_path / 'file.part'
    part.write_bytes(b'of an older version')
    (tmp_path / 'file.part.tag').write_text('"zero"')
    with serve(CONTENT, tags=['"one"']) as (url, requests):
        get(url, tmp_path / 'file', size=None, sha256=None)
    assert requests == ['bytes=19-']
    assert (tmp_path / 'file').read_bytes() == CONTENT


def test_a_weak_tag_resumes_nothing(tmp_path):
    assert interrupted(tmp_path, ['W/"one"']) == [None, None]


def test_a_file_of_another_name_is_refused(tmp_path):
    with serve(CONTENT, filename='Subject4.h5') as (url, _):
        with pytest.raises(InputError, match=r'named Subject4.h5, not Sub.*3'):
            get(url, tmp_path / 'file', filename='Subject3.h5')
        assert not list(tmp_path.iterdir())
        get(url, tmp_path / 'file', filename='Subject4.h5')


def reply(status='200 OK', body=CONTENT, **headers):
    lines = [f'HTTP/1.1 {status}', 'Connection: close']
    headers.setdefault('Content_Length', len(body))
    for name, value in headers.items():
        if value is not None:
            lines.append(f'{name.replace("_", "-")}: {value}')
    return '\r\n'.join([*lines, '', '']).encode('latin-1') + body


def cut(at=100_000, **headers):
    """The whole is announced and not all of it comes."""
    return reply(body=CONTENT[:at], Content_Length=SIZE, **headers)


def rest(start, stated=None, whole=SIZE, body=None, **headers):
    """A part from `start` on, which says that it is another."""
    stated = start if stated is None else stated
    body = CONTENT[start:] if body is None else body
    where = f'bytes {stated}-{SIZE - 1}/{whole}'
    return reply('206 Partial Content', body, Content_Range=where, **headers)


def endless():
    yield reply(body=b'', Content_Length=None)
    for _ in range(10_000):
        yield bytes(100_000)


def chunked(*pieces, end=b'0\r\n\r\n'):
    body = b''.join(b'%x\r\n%s\r\n' % (len(x), x) for x in pieces) + end
    return reply(body=body, Content_Length=None, Transfer_Encoding='chunked')


TAG = {'ETag': '"one"'}
OTHER = b'x' * SIZE

# What servers do -> their replies; none of these may leave a wrong file.
FAULTY = {
    'no content': [reply('204 No Content', b'')],
    'reset content': [reply('205 Reset Content', b'')],
    'not modified': [reply('304 Not Modified', b'')],
    'accepted, later': [reply('202 Accepted', b'in a while')],
    'a part unasked for': [rest(1000)],
    'gone': [reply('410 Gone', b'')],
    'always busy': [reply('503 Service Unavailable', b'')],
    'a redirect to ftp': [reply('302 Found', b'', Location='ftp://host/x')],
    'a redirect to a file': [
        reply('302 Found', b'', Location='file:///etc/hostname')
    ],
    'a redirect to itself': [reply('302 Found', b'', Location='/file.pth')],
    'a redirect to nowhere': [reply('302 Found', b'')],
    'a page to log in': [reply(body=b'<html>', Content_Type='text/html')],
    'gzip unasked for': [
        reply(body=gzip.compress(CONTENT), Content_Encoding='gzip')
    ],
    'a length that is none': [reply(Content_Length='abc')],
    'a negative length': [reply(Content_Length='-5')],
    'no length': [reply(Content_Length=None)],
    'no length, cut': [reply(body=CONTENT[:9999], Content_Length=None)],
    'endless': [endless],
    'a chunk cut': [chunked(CONTENT[:5000], end=b'ffff\r\nabc')],
    'no last chunk': [chunked(CONTENT[:5000], end=b'')],
    'no chunk at all': [chunked(end=b'zz\r\n')],
    'no HTTP': [b'SSH-2.0-OpenSSH_9.6\r\n'],
    'nothing': [b''],
    'headers without end': [b'HTTP/1.1 200 OK\r\n' + b'A: b\r\n' * 500],
    'another part': [cut(**TAG), rest(100_000, 99_999, **TAG), cut(0)],
    'the first part again': [cut(**TAG), rest(0, 0, **TAG), cut(0)],
    'a part of another version': [
        cut(**TAG),
        rest(100_000, body=OTHER[100_000:], ETag='"two"'),
        cut(0),
    ],
    'a part of no version': [
        cut(**TAG),
        rest(100_000, body=OTHER[100_000:]),
        cut(0),
    ],
    'a part of another length': [
        cut(**TAG),
        rest(100_000, whole=SIZE + 1, body=OTHER[100_000:], **TAG),
    ],
    'a part without its place': [
        cut(**TAG),
        reply('206 Partial Content', OTHER[100_000:], **TAG),
        cut(0),
    ],
    'another version, without tags': [
        cut(),
        rest(100_000, body=OTHER[100_000:]),
    ],
    'a length and a part that differ': [
        cut(**TAG),
        rest(100_000, Content_Length=SIZE - 99_999, **TAG),
    ],
}


@pytest.mark.parametrize('known', ['hash', 'size', 'nothing'])
@pytest.mark.parametrize('kind', FAULTY)
def test_faulty_servers_leave_no_wrong_file(tmp_path, kind, known):
    options = {
        'hash': {'size': SIZE, 'sha256': SHA256},
        'size': {'size': SIZE, 'sha256': None},
        'nothing': {'size': None, 'sha256': None},
    }[known]
    if kind == 'endless' and known == 'nothing':
        options['size'] = 1000
    path = tmp_path / 'file'
    with answer(*FAULTY[kind]) as (url, requests):
        try:
            get(url, path, attempts=3, timeout=5.0, **options)
        except InputError as error:
            said = str(error)
        else:
            said = f'{url} is here'
    assert url in said and '\n' not in said
    assert path.exists() == said.endswith('is here')
    assert not path.exists() or path.read_bytes() == CONTENT
    # Only what may be gone on from is left behind.
    left = {each.name for each in tmp_path.iterdir()} - {'file'}
    assert left <= {'file.part', 'file.part.tag'}
    assert len(requests) < 20


def test_versions_are_never_mixed(tmp_path):
    """Without hash and tag a cut download begins anew."""
    with answer(cut(), reply()) as (url, requests):
        get(url, tmp_path / 'file', size=None, sha256=None)
    assert (tmp_path / 'file').read_bytes() == CONTENT
    assert not any('Range' in request for request in requests)
    with answer(cut(**TAG), rest(100_000, **TAG)) as (url, requests):
        get(url, tmp_path / 'file', size=None, sha256=None)
    assert (tmp_path / 'file').read_bytes() == CONTENT
    assert 'Range: bytes=100000-' in requests[1]
    assert 'If-Range: "one"' in requests[1]


def test_lengths_in_chunks_need_no_other(tmp_path):
    with answer(chunked(CONTENT[:7], CONTENT[7:])) as (url, _):
        get(url, tmp_path / 'file', size=None, sha256=None)
    assert (tmp_path / 'file').read_bytes() == CONTENT

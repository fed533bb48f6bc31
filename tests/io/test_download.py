import hashlib
import os
import socket

import numpy as np
import pytest
from faulty_server import serve

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
    with serve(CONTENT, tags=['"one"']) as (url, requests):
        (tmp_path / 'file.part.tag').write_text(f'"zero"\n{url}')
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

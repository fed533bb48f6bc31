"""Public recordings: fetched from a local server that fails on purpose."""

import hashlib
import os

import numpy as np
import pytest
from faulty_server import serve

from brainjax.errors import InputError
from brainjax.recordings import catalogue
from brainjax.recordings.catalogue import File

CONTENT = np.random.default_rng(3).bytes(200_000)
MD5 = hashlib.md5(CONTENT).hexdigest()
FILES = (File('a.h5', 11, MD5[:8]), File('b.h5', 12))


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch, tmp_path):
    monkeypatch.setenv('no_proxy', '127.0.0.1,localhost')
    monkeypatch.setenv('BRAINJAX_CACHE', str(tmp_path / 'cache'))


def base(url):
    return url.rpartition('/')[0]


def test_all_files_come_and_are_kept(tmp_path):
    told = []
    with serve(CONTENT, cuts=[50_000]) as (url, requests):
        for _ in range(2):
            paths = catalogue.fetch_files(
                FILES, tmp_path / 'new', base(url), lambda *a: told.append(a)
            )
    assert [path.name for path in paths] == ['a.h5', 'b.h5']
    assert all(path.read_bytes() == CONTENT for path in paths)
    assert requests == [None, 'bytes=50000-', None]
    assert told[-1] == ('b.h5', 200_000, 200_000)
    assert sorted(os.listdir(tmp_path / 'new')) == ['a.h5', 'b.h5']


def test_wrong_hash_leaves_nothing(tmp_path):
    with (
        serve(CONTENT[:-1] + b'?') as (url, _),
        pytest.raises(InputError, match=rf'/11 came with the MD5 .*{MD5[:8]}'),
    ):
        catalogue.fetch_files(FILES, tmp_path / 'new', base(url))
    assert os.listdir(tmp_path / 'new') == []


def test_file_of_another_name_is_refused(tmp_path):
    with (
        serve(CONTENT, filename='other.h5') as (url, _),
        pytest.raises(InputError, match=r'named other\.h5, not b\.h5'),
    ):
        catalogue.fetch_files(FILES[1:], tmp_path, base(url))


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='no /dev/full')
def test_full_disk(tmp_path):
    (tmp_path / 'a.h5.part').symlink_to('/dev/full')
    with (
        serve(CONTENT) as (url, _),
        pytest.raises(InputError, match=r'No space left.*BRAINJAX_CACHE'),
    ):
        catalogue.fetch_files(FILES, tmp_path, base(url))
    assert not (tmp_path / 'a.h5').exists()


def test_a_folder_of_copies(tmp_path):
    (tmp_path / 'a.h5').write_bytes(CONTENT)
    with pytest.raises(InputError, match=r'b.h5 is not a file'):
        catalogue.fetch_files(FILES, tmp_path / 'new', tmp_path)
    assert (tmp_path / 'new' / 'a.h5').read_bytes() == CONTENT
    (tmp_path / 'a.h5').write_bytes(b'damaged')
    with pytest.raises(InputError, match=r'a.h5 has the MD5'):
        catalogue.fetch_files(FILES, tmp_path / 'newer', tmp_path)


def test_terms_are_told_once_an_article(tmp_path):
    told = []
    with serve(CONTENT) as (url, _):
        for name in (
            'deeprecon-original-sub-01',
            'deeprecon-original-sub-02',
            'god-subject3',
        ):
            paths = catalogue.fetch(name, base(url), show_terms=told.append)
            assert paths[0].parent == tmp_path / 'cache' / 'recordings' / name
    assert ['7033577' in t for t in told] == [True, False]
    assert '7387130' in told[1]
    with pytest.raises(InputError, match="mean 'god-subject3'"):
        catalogue.fetch('god-subject-3')


def test_numbers_and_names_are_unique_and_plain():
    every = [f for s in catalogue.SOURCES.values() for f in s.files]
    assert len({f.number for f in every}) == len(every)
    assert len({f.name for f in every}) == len(every)
    assert all(f.name == os.path.basename(f.name) for f in every)
    assert all(set(f.md5) <= set('0123456789abcdef') for f in every)
    god = [catalogue.SOURCES[f'god-subject{i}'].files[0] for i in (1, 5)]
    assert [f.number for f in god] == [24080120, 24080132]

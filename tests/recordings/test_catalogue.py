"""Public recordings: fetched from a local server that fails on purpose."""

import hashlib
import io
import json
import os
import zipfile

import numpy as np
import pytest
import scipy.io
from faulty_server import answer, serve, serve_answers

from brainjax.errors import InputError
from brainjax.io import feature_folders
from brainjax.recordings import article_files, catalogue
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


LAYERS = {'conv1_1': (2, 3, 3), 'fc8': (1, 4)}


def decoded(layer, shape, name=None):
    """An archive of decoded features, in the layout of the article's."""
    stream = io.BytesIO()
    inside = f'decodedfeatures/natural/VGG19/{layer}/S1/VC'
    with zipfile.ZipFile(stream, 'w', zipfile.ZIP_DEFLATED) as archive:
        for i in (1, 2):
            mat = io.BytesIO()
            values = np.full(shape, i, np.float32)
            scipy.io.savemat(mat, {'feat': values})
            own = f'{inside}/natural-VGG19-{layer}-S1-VC-Img{i:04d}.mat'
            archive.writestr(f'{name}{i}' if name else own, mat.getvalue())
    return stream.getvalue()


ARCHIVES = {
    f'decodedfeatures-natural-VGG19-{layer}-S1.zip': decoded(layer, shape)
    for layer, shape in LAYERS.items()
}


def entry(number, name, content, **more):
    return {
        **{'id': number, 'name': name, 'size': len(content)},
        'computed_md5': hashlib.md5(content).hexdigest(),
        **more,
    }


ENTRIES = [
    entry(7, 'ilsvrc_2012_mean.npy', b'x'),
    *(entry(i, *each) for i, each in enumerate(ARCHIVES.items(), 20)),
    entry(30, 'decodedfeatures-natural-VGG19-fc8-S2.zip', b'other subject'),
]


def fetch_listed(monkeypatch, *contents, entries=ENTRIES):
    bodies = [json.dumps(entries).encode(), *contents]
    with serve_answers(*(answer(body=body) for body in bodies)) as (url, asked):
        monkeypatch.setattr(article_files, 'API', base(url))
        found = catalogue.fetch('deeprecon-decoded-natural-s1', base(url))
    return found, asked


def test_features_are_found_by_the_listing_and_read(monkeypatch):
    [folder], asked = fetch_listed(monkeypatch, *ARCHIVES.values())
    assert len(asked) == 3
    layers = feature_folders.open_layers(
        folder / 'decodedfeatures/natural/VGG19', subject='S1', roi='VC'
    )
    for layer, shape in LAYERS.items():
        names = [f'natural-VGG19-Img{i:04d}' for i in (1, 2)]
        assert layers[layer].names == tuple(names)
        values = feature_folders.read(layers[layer], names)
        assert values.size == 2 * np.prod(shape)
        assert (values[0] == 1).all() and (values[1] == 2).all()
    assert not [*folder.glob('*.zip')]
    # All is there: nothing is asked for.
    assert fetch_listed(monkeypatch)[1] == []


def test_an_archive_with_another_sum_is_not_unpacked(monkeypatch, tmp_path):
    first, second = ARCHIVES.values()
    with pytest.raises(InputError, match='came with the MD5'):
        fetch_listed(monkeypatch, first, second[:-1] + b'?')
    folder = tmp_path / 'cache/recordings/deeprecon-decoded-natural-s1'
    assert [*folder.glob('decodedfeatures/natural/VGG19/conv1_1/S1/VC/*')]
    assert not (folder / 'decodedfeatures/natural/VGG19/fc8').exists()


@pytest.mark.parametrize(
    ('entries', 'message'),
    [
        ({'message': 'gone'}, 'gives no list'),
        ([{'id': 3}], "holds {'id': 3}, which is no file"),
        ([entry(3, '../a.zip', b'')], 'is no file with a name'),
        ([entry(3, 'a.zip', b'', computed_md5='xyz')], 'is no file with'),
        (ENTRIES[:1], r'has no file decodedfeatures-natural.*but ilsvrc'),
    ],
)
def test_listings_that_cannot_be_used(monkeypatch, entries, message):
    with pytest.raises(InputError, match=message):
        fetch_listed(monkeypatch, entries=entries)


def test_a_folder_of_archives(tmp_path):
    for name, content in ARCHIVES.items():
        (tmp_path / name).write_bytes(content)
    [folder] = catalogue.fetch('deeprecon-decoded-natural-s1', tmp_path)
    held = folder / 'decodedfeatures/natural/VGG19'
    assert sorted(os.listdir(held)) == [*LAYERS]
    assert {*ARCHIVES} <= {*os.listdir(tmp_path)}


def test_an_archive_that_leads_out_of_its_folder(tmp_path):
    name = next(iter(ARCHIVES))
    (tmp_path / name).write_bytes(decoded('fc8', (1, 4), '../../out.mat'))
    with pytest.raises(InputError, match='leads out of its folder'):
        catalogue.fetch('deeprecon-decoded-natural-s1', tmp_path)
    assert not [*tmp_path.rglob('out.mat*')]


def test_sources_of_features_have_patterns_of_their_own():
    patterns = [s.pattern for s in catalogue.SOURCES.values() if s.pattern]
    assert len({*patterns}) == len(patterns) == 15
    assert 'decodedfeatures-imagery-VGG19_leaky-*-S3.zip' in patterns

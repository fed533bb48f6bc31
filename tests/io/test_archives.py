"""Archives give what is in them, and take no more memory than that."""

import contextlib
import gzip
import io
import tarfile
import tracemalloc
import zipfile

import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.io import archives

CONTENT = {'a/b.png': b'one', 'c.txt': b'', 'd.bin': bytes(range(256)) * 50}
MIB = 2**20


def write_tar(path, content=CONTENT, mode='w'):
    with tarfile.open(path, mode) as archive:
        archive.addfile(_folder('a'))
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def _folder(name):
    member = tarfile.TarInfo(name)
    member.type = tarfile.DIRTYPE
    return member


def write_zip(path, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, 'w', method) as archive:
        archive.mkdir('a')
        for name, data in CONTENT.items():
            archive.writestr(name, data)
    return path


def everything(path):
    with contextlib.ExitStack() as stack:
        found = archives.open_archive(path, stack)
        return {name: found.read(i) for i, name in enumerate(found.names)}


@pytest.mark.parametrize('mode', ['w', 'w:gz', 'w:bz2', 'w:xz'])
def test_tar(tmp_path, mode):
    path = write_tar(tmp_path / 'x', mode=mode)
    assert everything(path) == CONTENT
    whole = path.read_bytes()
    for length in (0, 100, len(whole) // 2):
        path.write_bytes(whole[:length])
        words = r'x is n(ot a complete|either a) tar'
        with pytest.raises(InputError, match=words):
            everything(path)


def test_zip(tmp_path):
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
        assert everything(write_zip(tmp_path / 'x', method)) == CONTENT
    path = write_zip(tmp_path / 'x')
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    with pytest.raises(InputError, match='x is not a complete zip archive'):
        everything(path)
    changed = bytearray(write_zip(path, zipfile.ZIP_STORED).read_bytes())
    changed[changed.index(b'one')] ^= 1
    path.write_bytes(changed)
    with pytest.raises(InputError, match='x is not a complete zip archive'):
        everything(path)
    write_zip(path, zipfile.ZIP_LZMA)
    with pytest.raises(InputError, match='by a method other than deflate'):
        everything(path)


def sparse_tar(path, size, version='0.1'):
    """A file that says it is `size` long and brings one byte of it."""
    member = tarfile.TarInfo('a.png')
    member.size = 1
    member.pax_headers = {
        'GNU.sparse.size': str(size),
        'GNU.sparse.map': '0,1',
    }
    if version == '1.0':
        data = b'1\n0\n1\n'.ljust(512, b'\0') + b'x'
        member.size = len(data)
        member.pax_headers = {
            'GNU.sparse.major': '1',
            'GNU.sparse.minor': '0',
            'GNU.sparse.realsize': str(size),
        }
    else:
        data = b'x'
    with tarfile.open(path, 'w', format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize('version', ['0.1', '1.0'])
def test_sparse_files_are_bounded(tmp_path, version):
    path = tmp_path / 'x.tar'
    sparse_tar(path, 1000, version)
    assert everything(path) == {'a.png': b'x'.ljust(1000, b'\0')}
    for size in (100 * MIB, 2**45):
        sparse_tar(path, size, version)
        tracemalloc.start()
        with pytest.raises(InputError, match='all that is in it declares'):
            everything(path)
        assert tracemalloc.get_traced_memory()[1] < MIB
        tracemalloc.stop()


def test_compressed_archives_are_bounded(tmp_path):
    zeros = bytes(MIB)
    with tarfile.open(tmp_path / 'x.tar', 'w') as archive:
        member = tarfile.TarInfo('a.png')
        member.size = 200 * MIB
        archive.addfile(member, _Zeros())
    header = tarfile.TarInfo('a.png')
    header.type, header.size = tarfile.XHDTYPE, 200 * MIB  # Read whole.
    tracemalloc.start()
    for start in (
        (tmp_path / 'x.tar').open('rb').read(512),
        header.tobuf(),
    ):
        with gzip.open(tmp_path / 'x.tar.gz', 'wb', compresslevel=1) as stream:
            stream.write(start)
            for _ in range(201):
                stream.write(zeros)
        with pytest.raises(InputError, match=r'header is too long|more than'):
            everything(tmp_path / 'x.tar.gz')
    assert tracemalloc.get_traced_memory()[1] < 20 * MIB
    tracemalloc.stop()


class _Zeros:
    def read(self, size):
        return bytes(size)


def test_zip_members_are_bounded(tmp_path):
    path = tmp_path / 'x.zip'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        for i in range(8):
            archive.writestr(f'{i}.png', bytes(10 * MIB))
    with pytest.raises(InputError, match='all that is in it declares'):
        everything(path)
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('0.png', bytes(30 * MIB))
    # One that lies about how long it is: no more than it says is unpacked.
    content = path.read_bytes()
    length = (30 * MIB).to_bytes(4, 'little')
    assert content.count(length) == 2
    path.write_bytes(content.replace(length, (100).to_bytes(4, 'little')))
    tracemalloc.start()
    with pytest.raises(InputError, match='not a complete zip archive'):
        everything(path)
    assert tracemalloc.get_traced_memory()[1] < MIB
    tracemalloc.stop()


def test_damage_is_one_sentence(tmp_path):
    rng = np.random.default_rng(0)
    wholes = [
        write_tar(tmp_path / 'x', mode=mode).read_bytes()
        for mode in ('w', 'w:gz', 'w:bz2', 'w:xz')
    ] + [write_zip(tmp_path / 'x').read_bytes()]
    sentences = []
    for i in range(200):
        content = bytearray(wholes[i % len(wholes)])
        for _ in range(10):
            content[rng.integers(len(content))] = rng.integers(256)
        (tmp_path / 'x').write_bytes(content)
        try:
            everything(tmp_path / 'x')
        except InputError as error:
            sentences.append(str(error))
    assert len(sentences) > 100
    assert not any('\n' in text for text in sentences)


def test_links_lead_to_files_of_the_archive_alone(tmp_path):
    path = write_tar(tmp_path / 'x')
    first = next(iter(CONTENT))
    with tarfile.open(path, 'a') as archive:
        for name, kind, target in (
            ('again.png', tarfile.LNKTYPE, first),
            ('link.png', tarfile.SYMTYPE, f'./{first}'),
            ('out.png', tarfile.SYMTYPE, '/etc/passwd'),
            ('up.png', tarfile.LNKTYPE, f'../{first}'),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)
    linked = dict.fromkeys(('again.png', 'link.png'), CONTENT[first])
    assert everything(path) == CONTENT | linked

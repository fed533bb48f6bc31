import struct

import numpy as np
import pytest
import tensorflow_writer as writer

from brainjax.errors import InputError
from brainjax.networks.weights import tensorflow
from brainjax.networks.weights.tensorflow import crc32c, masked

TENSORS = {
    'a/kernel': np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    'a/kernel/Adam': np.zeros((2, 3, 4), np.float32),
    'b': np.float64([1.5, -2]),
    'scalar': np.float32(3),
    'step': np.array(70_000),
    'empty': np.zeros((0, 3), np.float32),
}
FLOATS = [name for name in TENSORS if name != 'step']


def everything(name):
    del name
    return True


def write(folder, layout, tensors=TENSORS):
    path = folder / 'model.ckpt'
    if layout == 'v2':
        return writer.write_v2(path, tensors)
    return writer.write_v1(path, tensors)


# Of RFC 3720, appendix B.4, and of the catalogue of parametrised CRCs.
@pytest.mark.parametrize(
    ('data', 'crc'),
    [
        (b'', 0),
        (b'123456789', 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b'\xff' * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_published_checksums(data, crc):
    assert crc32c(data) == crc


@pytest.mark.parametrize('n', [1, 7, 8, 9, 1000, 131_071, 200_001])
def test_checksum_of_long_texts(n):
    data = np.random.default_rng(n).integers(0, 256, n, np.uint8).tobytes()
    assert masked(crc32c(data)) == writer.checksum(data)


@pytest.mark.parametrize('layout', ['v1', 'v2'])
def test_tensors_of_floats_are_read(tmp_path, layout):
    found = tensorflow.read(write(tmp_path, layout), everything)
    assert sorted(found) == sorted(FLOATS)
    for name, value in found.items():
        assert value.dtype == TENSORS[name].dtype
        np.testing.assert_array_equal(value, TENSORS[name])
    some = tensorflow.read(write(tmp_path, layout), lambda name: name == 'b')
    assert list(some) == ['b']


@pytest.mark.parametrize('layout', ['v1', 'v2'])
def test_every_flipped_byte_is_noticed_or_harmless(tmp_path, layout):
    path = write(tmp_path, layout)
    files = sorted(tmp_path.iterdir())
    rng = np.random.default_rng(0)
    noticed = 0
    for file in files:
        content = file.read_bytes()
        for place in rng.choice(len(content), min(40, len(content)), False):
            broken = bytearray(content)
            broken[place] ^= 1 << rng.integers(8)
            file.write_bytes(broken)
            try:
                found = tensorflow.read(path, everything)
            except InputError:
                noticed += 1
            else:
                for name in FLOATS:
                    np.testing.assert_array_equal(found[name], TENSORS[name])
        file.write_bytes(content)
    assert noticed > 30


@pytest.mark.parametrize('layout', ['v1', 'v2'])
def test_files_cut_short(tmp_path, layout):
    floats = {name: TENSORS[name] for name in FLOATS}
    path = write(tmp_path, layout, floats)
    for file in sorted(tmp_path.iterdir()):
        content = file.read_bytes()
        for length in (0, 1, 30, 47, len(content) // 2, len(content) - 1):
            file.write_bytes(content[:length])
            with pytest.raises(InputError, match=r'is damaged or not a Ten'):
                tensorflow.read(path, everything)
        file.write_bytes(content)


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match=r'no.ckpt cannot be read \(No such'):
        tensorflow.read(tmp_path / 'no.ckpt', everything)
    with pytest.raises(InputError, match=r'cannot be read'):
        tensorflow.read(tmp_path, everything)
    write(tmp_path, 'v2')
    (tmp_path / 'model.ckpt.data-00000-of-00001').unlink()
    with pytest.raises(InputError, match=r'data-00000-of-00001 cannot be re'):
        tensorflow.read(tmp_path / 'model.ckpt', everything)


def bundle(folder, entry, data=bytes(16)):
    """A V2 checkpoint of one tensor, whose entry may be anything."""
    header = writer.field(1, 1)
    path = folder / 'odd.ckpt'
    table = writer.table([(b'', header), (b'x', entry)])
    path.with_name('odd.ckpt.index').write_bytes(table)
    path.with_name('odd.ckpt.data-00000-of-00001').write_bytes(data)
    return path


def entry(shape=(4,), offset=0, size=16, more=b''):
    crc = struct.pack('<I', writer.checksum(bytes(16)))
    return (
        writer.field(1, 1)
        + writer.field(2, writer.shape(shape))
        + writer.field(4, offset)
        + writer.field(5, size)
        + writer.varint(6 << 3 | 5)
        + crc
        + more
    )


def test_a_bundle_of_one(tmp_path):
    [x] = tensorflow.read(bundle(tmp_path, entry()), everything).values()
    np.testing.assert_array_equal(x, np.zeros(4))


@pytest.mark.parametrize(
    ('made', 'message'),
    [
        (entry(shape=(5,)), r'16 bytes, not those of the shape \[5\]'),
        (entry(shape=(2**40, 2**40)), 'not those of the shape'),
        (entry(shape=(1,) * 9), '9 dimensions'),
        (entry(size=2**40), 'beyond the end'),
        (entry(offset=2**63), 'not a number'),
        (entry(offset=8), 'beyond the end'),
        (entry(more=writer.field(7, b'')), 'in pieces'),
        (entry()[:-4], 'ends early'),
        (b'\x0b', 'kind 3'),
        (writer.field(1, 1) + writer.field(2, 5), 'where a message should'),
        (writer.field(1, 1) + writer.field(4, b'xx'), 'not a number'),
    ],
)
def test_odd_entries(tmp_path, made, message):
    with pytest.raises(InputError, match=message):
        tensorflow.read(bundle(tmp_path, made), everything)


def test_blocks_that_overlap(tmp_path):
    content = writer.table([(b'', b''), (b'a', b'')], per_block=1)
    block = writer.block([(b'', b'')])
    handle = writer.varint(0) + writer.varint(len(block))
    index = writer.block([(b'a', handle), (b'b', handle)])
    stored = index + b'\0'
    body = content[: len(block) + 5]
    body += stored + struct.pack('<I', writer.checksum(stored))
    footer = bytes(2) + writer.varint(len(block) + 5)
    footer += writer.varint(len(index))
    path = tmp_path / 'loop.ckpt'
    path.write_bytes(
        body + footer.ljust(40, b'\0') + struct.pack('<Q', 0xDB4775248B80FB57)
    )
    with pytest.raises(InputError, match='its blocks overlap'):
        tensorflow.read(path, everything)


def test_compressed_blocks_are_refused(tmp_path):
    path = tmp_path / 'model.ckpt'
    path.write_bytes(writer.table([(b'', b'')], compression=1))
    with pytest.raises(InputError, match='a block has compression 1'):
        tensorflow.read(path, everything)


def test_text_that_is_no_checkpoint(tmp_path):
    path = tmp_path / 'model.ckpt'
    path.write_bytes(b'no table at all' * 20)
    with pytest.raises(InputError, match='does not end as a table does'):
        tensorflow.read(path, everything)


def test_lengths_that_lie(tmp_path, monkeypatch):
    """Their checksums are right."""
    huge = b''.join(writer.field(2, writer.field(1, n)) for n in (0, 2**61))
    monkeypatch.setattr(writer, 'shape', lambda _: huge)
    writer.write_v1(tmp_path / 'model.ckpt', {'x': np.zeros(0, np.float32)})
    with pytest.raises(InputError, match=r'model\.ckpt is damaged'):
        tensorflow.read(tmp_path / 'model.ckpt', bool)


def test_entries_that_share_their_bytes(tmp_path):
    """A short index could ask for any memory."""
    value = np.zeros(1000, np.float32)
    writer.write_v2(tmp_path / 'm', {'x': value, 'y': value})
    data = tmp_path / 'm.data-00000-of-00001'
    index = tmp_path / 'm.index'
    assert data.stat().st_size == 8000
    raw = value.tobytes()
    entry = (
        writer.field(1, 1)
        + writer.field(2, writer.shape(value.shape))
        + writer.field(4, 0)
        + writer.field(5, len(raw))
        + writer.varint(6 << 3 | 5)
        + writer.checksum(raw).to_bytes(4, 'little')
    )
    header = writer.field(1, 1)
    names = [b'%d' % i for i in range(100)]
    index.write_bytes(
        writer.table([(b'', header), *((name, entry) for name in names)])
    )
    with pytest.raises(InputError, match='share their bytes'):
        tensorflow.read(index, bool)

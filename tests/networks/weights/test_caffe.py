import contextlib

import caffe_writer
import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.networks.weights import caffe


def layers():
    rng = np.random.default_rng(0)
    return {
        'data': [],
        'conv1': [
            rng.standard_normal((4, 3, 2, 2), np.float32),
            rng.standard_normal(4, np.float32),
        ],
        'fc6': [rng.standard_normal((5, 300), np.float32)],
    }


@pytest.mark.parametrize('old', [False, True])
@pytest.mark.parametrize(
    'options', [{}, {'packed': False}, {'double': True}], ids=str
)
def test_blobs_of_both_versions(tmp_path, old, options):
    path = tmp_path / 'net.caffemodel'
    path.write_bytes(caffe_writer.model(layers(), old, **options))
    found = caffe.read(path)
    assert list(found) == ['conv1', 'fc6']
    for name, blobs in found.items():
        for ours, theirs in zip(blobs, layers()[name], strict=True):
            assert ours.dtype == np.float32
            if old:
                assert ours.ndim == 4
            else:
                assert ours.shape == theirs.shape
            np.testing.assert_array_equal(ours.ravel(), theirs.ravel())


def test_every_truncation_is_told(tmp_path):
    path = tmp_path / 'net.caffemodel'
    whole = caffe_writer.model({'a': [np.ones((2, 3))]})
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r'net\.caffemodel'):
            caffe.read(path)


@pytest.mark.parametrize(
    'content',
    [
        b'\xff' * 20,
        caffe_writer.field(100, b'\x0b'),
        # A blob of more numbers than the file holds.
        caffe_writer.field(
            100,
            caffe_writer.field(1, b'a')
            + caffe_writer.field(
                7,
                caffe_writer.field(
                    7,
                    caffe_writer.field(
                        1, caffe_writer.varint(2**62) + caffe_writer.varint(4)
                    ),
                )
                + caffe_writer.field(5, bytes(8)),
            ),
        ),
        # A length beyond the file's end.
        caffe_writer.varint(100 << 3 | 2) + caffe_writer.varint(2**60),
        caffe_writer.field(100, caffe_writer.field(1, b'\xff\xfe')),
        caffe_writer.field(
            100, caffe_writer.field(7, caffe_writer.field(5, b'abc'))
        ),
    ],
)
def test_damage(tmp_path, content):
    path = tmp_path / 'net.caffemodel'
    path.write_bytes(content)
    with pytest.raises(InputError, match=r'net\.caffemodel is damaged'):
        caffe.read(path)


def test_random_damage_never_raises_anything_else(tmp_path):
    path = tmp_path / 'net.caffemodel'
    whole = caffe_writer.model({'a': [np.ones((2, 3))], 'b': [np.ones(2)]})
    rng = np.random.default_rng(0)
    for _ in range(500):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), 3):
            data[place] = rng.integers(256)
        path.write_bytes(data)
        with contextlib.suppress(InputError):
            caffe.read(path)


def test_missing_empty_and_without_layers(tmp_path):
    path = tmp_path / 'net.caffemodel'
    with pytest.raises(InputError, match='cannot be read'):
        caffe.read(path)
    path.write_bytes(b'')
    with pytest.raises(InputError, match='is damaged'):
        caffe.read(path)
    path.write_bytes(caffe_writer.model({'data': []}))
    with pytest.raises(InputError, match='holds no layer'):
        caffe.read(path)

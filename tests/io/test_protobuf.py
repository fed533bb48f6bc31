import caffe_writer
import numpy as np
import pytest

from brainjax.io import protobuf


@pytest.mark.parametrize('n', [0, 1, 127, 128, 300, 2**32, 2**63, 2**64 - 1])
def test_whole_numbers(n):
    data = caffe_writer.varint(n) + b'rest'
    found, place = protobuf.varint(memoryview(data), 0)
    assert (found, data[place:]) == (n, b'rest')


def test_fields_of_every_wire_type():
    message = (
        caffe_writer.varint(1 << 3)
        + caffe_writer.varint(300)
        + caffe_writer.varint(2 << 3 | 1)
        + bytes(range(8))
        + caffe_writer.varint(3 << 3 | 2)
        + caffe_writer.varint(5)
        + b'hello'
        + caffe_writer.varint(20 << 3 | 5)
        + b'abcd'
    )
    found = [
        (number, kind, x if kind == protobuf.VARINT else bytes(x))
        for number, kind, x in protobuf.fields(message)
    ]
    assert found == [
        (1, protobuf.VARINT, 300),
        (2, protobuf.EIGHT_BYTES, bytes(range(8))),
        (3, protobuf.BYTES, b'hello'),
        (20, protobuf.FOUR_BYTES, b'abcd'),
    ]


@pytest.mark.parametrize(
    ('message', 'words'),
    [
        (b'\x80', 'a number ends early'),
        (b'\x80' * 11, 'a number has no end'),
        (b'\x00\x01', 'no number'),
        (b'\x0a\x05ab', 'a message ends early'),
        (b'\x09abc', 'a message ends early'),
        (b'\x0b', 'kind 3'),
        (5, 'where a message should'),
    ],
)
def test_damage(message, words):
    with pytest.raises(protobuf.Damaged, match=words):
        list(protobuf.fields(message))


def test_mapped_file(tmp_path):
    path = tmp_path / 'file'
    path.write_bytes(b'abc')
    assert bytes(protobuf.mapped(path)) == b'abc'
    assert np.frombuffer(protobuf.mapped(path), np.uint8)[1] == ord('b')
    path.write_bytes(b'')
    with pytest.raises(protobuf.Damaged, match='file is empty'):
        protobuf.mapped(path)

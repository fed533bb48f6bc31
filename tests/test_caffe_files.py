"""Caffe models, written here as the format says, whole and damaged."""

import jax
import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.networks import caffe_files, converters, published, vgg


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number, content, kind=2):
    head = varint(number << 3 | kind)
    return head + (varint(len(content)) if kind == 2 else b'') + content


def blob(array, old=False, double=False):
    data = field(
        8 if double else 5, array.astype('<f8' if double else '<f4').tobytes()
    )
    if old:
        shape = (1,) * (4 - array.ndim) + array.shape
        return data + b''.join(
            field(i, varint(n), kind=0) for i, n in enumerate(shape, 1)
        )
    dimensions = b''.join(varint(n) for n in array.shape)
    return field(7, field(1, dimensions)) + data


def model(layers, old=False, double=False):
    """A NetParameter of layers: name -> arrays."""
    content = field(1, b'a net')
    for name, arrays in layers.items():
        blobs = b''.join(
            field(6 if old else 7, blob(a, old, double)) for a in arrays
        )
        layer = field(4 if old else 1, name.encode()) + blobs
        content += field(2 if old else 100, layer)
    return content


def layers(seed=0):
    rng = np.random.default_rng(seed)
    return {
        'conv1': [rng.normal(size=(4, 3, 3, 3)), rng.normal(size=4)],
        'relu': [],
        'fc': [rng.normal(size=(5, 7)), rng.normal(size=5)],
    }


@pytest.mark.parametrize('old', [False, True])
@pytest.mark.parametrize('double', [False, True])
def test_blobs_of_both_styles_are_read(tmp_path, old, double):
    path = tmp_path / 'net.caffemodel'
    path.write_bytes(model(layers(), old, double))
    found = caffe_files.read(path)
    assert [*found] == ['conv1', 'fc']
    for name, arrays in found.items():
        for array, wanted in zip(arrays, layers()[name]):
            assert array.dtype == np.float32
            assert array.shape == (
                (1,) * (4 - wanted.ndim) + wanted.shape if old else wanted.shape
            )
            np.testing.assert_allclose(
                array.reshape(wanted.shape), np.float32(wanted)
            )


def test_damage_is_one_sentence(tmp_path):
    path = tmp_path / 'net.caffemodel'
    whole = model(layers())
    rng = np.random.default_rng(0)
    for i in range(100):
        damaged = bytearray(whole)
        if i % 2:
            damaged = damaged[: rng.integers(len(whole))]
        else:
            for place in rng.integers(min(len(whole), 60), size=3):
                damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        said = ''
        try:
            caffe_files.read(path)
        except InputError as error:
            said = str(error)
        assert '\n' not in said
    path.write_bytes(b'')
    with pytest.raises(InputError, match='holds no layer with weights'):
        caffe_files.read(path)
    with pytest.raises(InputError, match='does not exist'):
        caffe_files.read(tmp_path / 'none')


def test_vgg_of_caffe_becomes_ours(tmp_path, monkeypatch):
    # The published layout with few channels, so that the file is small.
    kernels = vgg.shapes('vgg19', width=1 / 16, size=64)
    monkeypatch.setattr(published, 'kernels', lambda name: kernels)
    rng = np.random.default_rng(1)
    theirs, channels = {}, 0
    for name, shape in kernels.items():
        if name.startswith('conv'):
            kernel = rng.normal(size=(shape[3], shape[2], *shape[:2]))
            channels = shape[3]
        else:
            kernel = rng.normal(size=shape[::-1])
        theirs[name] = [kernel / 10, rng.normal(size=shape[-1])]
    path = tmp_path / 'vgg19.caffemodel'
    path.write_bytes(model(theirs))
    params = converters.from_caffe(path, 'vgg19_caffe')
    assert {k: v['kernel'].shape for k, v in params.items()} == kernels
    images = rng.random((2, 64, 64, 3)).astype(np.float32)
    found = vgg.apply(params, images, ('pool5', 'fc6'), preprocessing='caffe')
    # Caffe flattens channels first.
    flat = np.asarray(found['pool5']).transpose(0, 3, 1, 2).reshape(2, -1)
    assert flat.shape[1] == channels * 4
    kernel, bias = (np.float32(x) for x in theirs['fc6'])
    np.testing.assert_allclose(
        found['fc6'], flat @ kernel.T + bias, rtol=1e-3, atol=1e-2
    )
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(found))

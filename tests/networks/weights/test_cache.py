import hashlib
import json

import jax
import numpy as np
import pytest
import safetensors.numpy
import torch_writer
from faulty_server import serve
from weight_files import archive, lpips_pickle, state_dict

from brainjax.errors import InputError
from brainjax.io import files
from brainjax.networks import weights
from brainjax.networks.backbones import alexnet


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('BRAINJAX_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    return tmp_path / 'cache'


@pytest.fixture(scope='module')
def state():
    return state_dict('alexnet', width=1)


@pytest.fixture
def state_file(tmp_path, state):
    return torch_writer.write_zip(tmp_path / 'alexnet.pth', state)


def same(params, state):
    for index, layer in zip((0, 3, 6, 8, 10), params.values(), strict=True):
        np.testing.assert_array_equal(
            layer['kernel'],
            state[f'features.{index}.weight'].transpose(2, 3, 1, 0),
        )
        np.testing.assert_array_equal(
            layer['bias'], state[f'features.{index}.bias']
        )


def test_write_and_read_keep_names_values_and_metadata(tmp_path):
    params = {
        'conv1_1': {
            'kernel': np.arange(24, dtype=np.float32).reshape(2, 3, 4).T,
            'bias': np.ones(3, np.float32),
        }
    }
    path = tmp_path / 'new' / 'file.safetensors'
    weights.write(path, params, {'origin': 'here'})
    assert set(safetensors.numpy.load_file(path)) == {
        'conv1_1.kernel',
        'conv1_1.bias',
    }
    found, metadata = weights.read(path)
    assert metadata == {'origin': 'here'}
    jax.tree.map(np.testing.assert_array_equal, found, params)


@pytest.mark.parametrize('content', [b'', b'text', b'\x08' + 7 * b'\0' + b'{}'])
def test_damaged_safetensors(tmp_path, content):
    path = tmp_path / 'file.safetensors'
    path.write_bytes(content)
    with pytest.raises(InputError, match=r'file\.safetensors is not a whole'):
        weights.read(path)


def _header(kind='F32', shape=(1,), ends=(0, 4), name='a', **more):
    about = {'dtype': kind, 'shape': shape, 'data_offsets': ends}
    return json.dumps({name: about} | more).encode()


HOSTILE = {
    'unknown type': _header('F7'),
    'type of 8 bits': _header('F8_E4M3', [4]),
    'type of 4 bits': _header('F4', [8]),
    'overlap': _header(
        b={'dtype': 'F32', 'shape': [1], 'data_offsets': [2, 6]}
    ),
    'a hole': _header(ends=(4, 8)),
    'beyond the end': _header(shape=(9,), ends=(0, 36)),
    'backwards': _header(ends=(4, 0)),
    'lying shape': _header(shape=(9,)),
    'overflow': _header(shape=(2**62, 2**62), ends=(0, 0)),
    'empty and huge': _header(shape=(0, 2**62), ends=(0, 0)),
    'empty and too long': _header(shape=(0, 2**63), ends=(0, 0)),
    'axes': _header(shape=(1,) * 100),
    'negative': _header(shape=(-1,)),
    'fraction': _header(shape=(1.5,)),
    'numbers as metadata': _header(__metadata__={'a': 1}),
    'deep name': _header(name='.'.join('a' * 5000)),
    'deep JSON': b'{"a":' + b'[' * 10**5 + b']' * 10**5 + b'}',
    'no text': b'{"\xff":1}',
}


@pytest.mark.parametrize('kind', HOSTILE)
def test_hostile_safetensors(tmp_path, kind):
    header = HOSTILE[kind]
    data = b'' if 'empty' in kind else bytes(4)
    path = tmp_path / 'file.safetensors'
    path.write_bytes(len(header).to_bytes(8, 'little') + header + data)
    with pytest.raises(InputError, match='is not a whole') as caught:
        weights.read(path)
    assert '\n' not in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 250


@pytest.mark.parametrize('length', [2**63, 2**62, 99_000_000, 1000])
@pytest.mark.parametrize('read', [weights.read, weights.read_metadata])
def test_headers_that_are_longer_than_the_file(tmp_path, length, read):
    path = tmp_path / 'file.safetensors'
    path.write_bytes(length.to_bytes(8, 'little') + b'{}')
    with pytest.raises(InputError, match='is not a whole'):
        read(path)


def test_missing_and_contradictory_safetensors(tmp_path):
    with pytest.raises(InputError, match='does not exist'):
        weights.read(tmp_path / 'file.safetensors')
    with pytest.raises(InputError, match='is not a whole'):
        weights.read(tmp_path)
    path = tmp_path / 'file.safetensors'
    safetensors.numpy.save_file({'a': np.ones(2), 'a.b': np.ones(2)}, path)
    with pytest.raises(InputError, match='is not a whole'):
        weights.read(path)


def test_load_without_fetch_tells_the_command(cache):
    with pytest.raises(InputError, match='brainjax fetch vgg19'):
        weights.load('vgg19')
    assert not cache.exists()


@pytest.mark.parametrize(
    'function', [weights.load, weights.fetch, weights.path]
)
def test_unknown_network_names_the_nearest(function):
    with pytest.raises(InputError, match=r"'vgg91'.*Did you mean 'vgg19'"):
        function('vgg91')


def test_shapes_are_those_of_the_networks():
    total = {
        name: sum(
            np.prod(shape)
            for parts in weights.shapes(name).values()
            for shape in parts.values()
        )
        for name in weights.SOURCES
    }
    assert total == {
        'vgg16': 14_714_688,
        'vgg19': 20_024_384,
        'alexnet': 2_469_696,
        'lpips_vgg16': 1472,
        'lpips_alexnet': 1152,
        'vgg16_fc': 138_357_544,
        'vgg19_fc': 143_667_240,
        'alexnet_fc': 61_100_840,
        'vgg16_caffe': 138_357_544,
        'vgg19_caffe': 143_667_240,
        'squeezenet': 1_248_424,
        # First kernels of 4 and of 1 inputs in the place of 3.
        'vgg16_rgbd': 14_714_688 + 9 * 64,
        'vgg16_depth': 14_714_688 - 2 * 9 * 64,
        'vgg19_rgbd': 20_024_384 + 9 * 64,
        'vgg19_depth': 20_024_384 - 2 * 9 * 64,
        'midas_large': 105_262_529,
        'midas_small': 21_284_449,
        'generator_relu7': 56_097_891,
        'generator_relu6': 56_097_891,
        'generator_pool5': 12_702_307,
        'generator_relu4': 8_074_147,
        'generator_relu3': 8_074_147,
        'generator_norm2': 1_661_315,
        'generator_norm1': 1_034_499,
        'inception': 21_768_352,
        'efficientnet_b1_v1': 6_482_160,
        'efficientnet_b1_v2': 6_482_160,
        'clip': 303_966_208,
        'swav': 23_481_472,
    }


def test_convert_then_load(tmp_path, cache, state, state_file):
    out = weights.convert(state_file, 'alexnet', weights.path('alexnet'))
    assert out == cache / 'weights' / 'alexnet.safetensors'
    params = weights.load('alexnet')
    same(params, state)
    _, metadata = weights.read(out)
    assert metadata['name'] == 'alexnet'
    assert metadata['preprocessing'] == 'torchvision'
    assert metadata['origin'] == 'alexnet.pth'
    assert metadata['sha256'] == files.sha256(state_file)
    assert 'BSD' in metadata['licence']
    images = np.random.default_rng(0).random((1, 64, 64, 3), np.float32)
    output = alexnet.apply(params, images, ['relu1'])['relu1']
    assert np.all(np.isfinite(output)) and np.any(output)


def test_convert_refuses_narrower_weights(tmp_path):
    path = torch_writer.write_zip(tmp_path / 'f.pth', state_dict('vgg19'))
    with pytest.raises(
        InputError,
        match=r'f\.pth does not hold the weights of vgg19 \(conv1_1\.bias is '
        r'\(4,\), not \(64,\)\)',
    ):
        weights.convert(path, 'vgg19', tmp_path / 'out.safetensors')
    assert not (tmp_path / 'out.safetensors').exists()


def test_load_refuses_a_file_under_another_name(state_file):
    weights.convert(state_file, 'alexnet', weights.path('vgg16'))
    with pytest.raises(InputError, match='does not hold the weights of vgg16'):
        weights.load('vgg16')


def test_convert_of_nothing_and_to_nowhere(tmp_path, state_file):
    with pytest.raises(InputError, match='cannot be read'):
        weights.convert(tmp_path / 'absent', 'alexnet', tmp_path / 'out')
    with pytest.raises(InputError, match='cannot be written'):
        weights.convert(state_file, 'alexnet', state_file / 'out')


def test_fetch_from_a_file(state, state_file):
    assert weights.fetch('alexnet', state_file) == [weights.path('alexnet')]
    same(weights.load('alexnet'), state)
    assert state_file.exists()


def test_fetch_from_our_own_file(tmp_path, state, state_file):
    own = weights.convert(state_file, 'alexnet', tmp_path / 'a.safetensors')
    weights.fetch('alexnet', own)
    same(weights.load('alexnet'), state)


def test_fetch_keeps_all_that_an_archive_holds(tmp_path):
    pickled, network, heads = lpips_pickle('alexnet', width=1)
    path = archive(
        tmp_path / 'lpips.tar.gz', {'x/weights/alexnet.ckpt': pickled}
    )
    assert weights.fetch('lpips_alexnet', path) == [
        weights.path('lpips_alexnet'),
        weights.path('alexnet'),
    ]
    np.testing.assert_array_equal(
        weights.load('alexnet')['conv5']['kernel'], network['Conv_4']['kernel']
    )
    np.testing.assert_array_equal(
        weights.load('lpips_alexnet')['lpips']['lin4'],
        heads['NetLinLayer_4']['Conv_0']['kernel'].ravel(),
    )
    with pytest.raises(
        InputError, match='alexnet, lpips_alexnet, not of vgg16'
    ):
        weights.fetch('vgg16', path)


def test_fetch_refuses_a_changed_copy_of_the_published_file(tmp_path):
    path = tmp_path / 'vgg19-dcbb9e9d.pth'
    path.write_bytes(b'changed')
    with pytest.raises(
        InputError, match=r'SHA-256 .*not dcbb9e9d as published'
    ):
        weights.fetch('vgg19', path)


def test_fetch_of_a_missing_file(tmp_path):
    with pytest.raises(InputError, match='absent is not a file'):
        weights.fetch('vgg16', tmp_path / 'absent')


@pytest.fixture
def published(monkeypatch, state_file):
    """Lets 'alexnet' be published as the state file at some address."""
    content = state_file.read_bytes()

    def publish(url, sha256=None):
        sha256 = sha256 or hashlib.sha256(content).hexdigest()
        source = weights.SOURCES['alexnet']._replace(
            url=url, size=len(content), sha256=sha256
        )
        monkeypatch.setitem(weights.SOURCES, 'alexnet', source)

    return content, publish


def test_fetch_downloads_once(cache, state, published):
    content, publish = published
    with serve(content, cuts=[5_000_000]) as (url, requests):
        publish(url)
        with pytest.raises(InputError, match='brainjax fetch alexnet'):
            weights.load('alexnet')
        told = []
        assert weights.fetch(
            'alexnet', progress=lambda *bytes: told.append(bytes)
        ) == [weights.path('alexnet')]
        assert told[-1] == (len(content), len(content))
        assert len(requests) == 2
        weights.fetch('alexnet')
        assert len(requests) == 2
    same(weights.load('alexnet'), state)
    left = [p.name for p in cache.rglob('*') if p.is_file()]
    assert left == ['alexnet.safetensors']


def test_fetch_replaces_a_damaged_file(state, published):
    content, publish = published
    weights.path('alexnet').parent.mkdir(parents=True)
    weights.path('alexnet').write_bytes(b'damaged')
    with serve(content) as (url, _):
        publish(url)
        weights.fetch('alexnet')
    same(weights.load('alexnet'), state)


def test_fetch_of_the_wrong_file_leaves_nothing(cache, published):
    content, publish = published
    with serve(content) as (url, _):
        publish(url, '0' * 64)
        with pytest.raises(InputError, match='SHA-256'):
            weights.fetch('alexnet')
    assert not [p for p in cache.rglob('*') if p.is_file()]


def test_fetch_from_another_address(state, published):
    content, _ = published
    with serve(content) as (url, _):
        weights.fetch('alexnet', url)
    same(weights.load('alexnet'), state)
    assert weights.read(weights.path('alexnet'))[1]['origin'] == url


def test_sources_are_https_with_a_licence_and_a_hash():
    for name, source in weights.SOURCES.items():
        assert source.url.startswith('https://'), name
        # What cannot be checked is not fetched.
        assert len(source.sha256) in ((0,) if source.size == 0 else (0, 8, 64))
        assert source.licence.endswith('.')
        json.dumps(source)
    assert weights.SOURCES['vgg19'].sha256 in weights.SOURCES['vgg19'].url


def test_what_is_not_published_as_a_file_is_told(cache):
    with pytest.raises(InputError, match='fetch vgg19_caffe --from FILE'):
        weights.fetch('vgg19_caffe')


def test_published_vgg16(monkeypatch):
    """Golden numbers of torchvision's VGG16, where it has been fetched."""
    monkeypatch.delenv('BRAINJAX_CACHE')
    if not weights.path('vgg16').exists():
        pytest.skip(f'{weights.path("vgg16")} is absent (brainjax fetch vgg16)')
    params = weights.load('vgg16')
    np.testing.assert_allclose(
        params['conv1_1']['kernel'][0, :3, 0, 0],
        [-0.5537, 0.1427, 0.5290],
        atol=1e-4,
    )
    assert sum(x.size for x in jax.tree.leaves(params)) == 14_714_688

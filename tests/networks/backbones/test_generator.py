import caffe_writer
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch_writer

from brainjax.errors import InputError
from brainjax.networks.backbones import generator
from brainjax.networks.weights import cache as weights
from brainjax.networks.weights import converters

NARROW = 1 / 32


def loop(x, kernel, bias, stride, padding):
    """Transposes a convolution by its definition; kernel [in, out, k, k]."""
    n, _, height, width = x.shape
    _, outputs, size, _ = kernel.shape
    whole = np.zeros(
        (n, outputs, *(stride * (m - 1) + size for m in (height, width)))
    )
    for i, j in np.ndindex(height, width):
        top, left = stride * i, stride * j
        whole[:, :, top : top + size, left : left + size] += np.einsum(
            'nc,codk->nodk', x[:, :, i, j], kernel
        )
    inside = slice(padding, -padding or None)
    return whole[:, :, inside, inside] + bias[:, None, None]


@pytest.mark.parametrize(
    ('size', 'stride', 'padding'), [(4, 2, 1), (3, 1, 1), (3, 2, 0), (5, 3, 2)]
)
def test_transposed_convolution_is_its_definition(size, stride, padding):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 5, 4))
    kernel = rng.standard_normal((3, 6, size, size))
    bias = rng.standard_normal(6)
    expected = loop(x, kernel, bias, stride, padding)
    layer = {
        'kernel': jnp.asarray(kernel[:, :, ::-1, ::-1].transpose(2, 3, 0, 1)),
        'bias': jnp.asarray(bias),
    }
    found = generator.transposed_convolution(
        x.transpose(0, 2, 3, 1), layer, stride, padding
    )
    np.testing.assert_allclose(np.moveaxis(found, -1, 1), expected, atol=1e-4)


PARAMETERS = {
    'relu7': 56_097_891,
    'relu6': 56_097_891,
    'pool5': 12_702_307,
    'relu4': 8_074_147,
    'relu3': 8_074_147,
    'norm2': 1_661_315,
    'norm1': 1_034_499,
}


@pytest.mark.parametrize('name', generator.GENERATORS)
def test_picture_size_and_number_of_parameters(name):
    params = jax.eval_shape(lambda: generator.init(jax.random.key(0), name))
    assert sum(x.size for x in jax.tree.leaves(params)) == PARAMETERS[name]
    images = jax.eval_shape(
        lambda p, x: generator.apply(p, name, x),
        params,
        jax.ShapeDtypeStruct((2, *generator.code_shape(name)), jnp.float32),
    )
    size = 240 if name.startswith('norm') else 256
    assert images.shape == (2, size, size, 3)


def published(name, seed=0):
    """Random weights in the published layout: name -> (kernel, bias)."""
    rng = np.random.default_rng(seed)
    result = {}
    for layer, about in generator.GENERATORS[name].items():
        if about.kind == 'dense':
            shape = (about.outputs, about.inputs)
        else:
            outer = (about.outputs, about.inputs)
            if about.kind == 'transposed':
                outer = outer[::-1]
            shape = (*outer, about.size, about.size)
        scale = np.sqrt(2 / (about.inputs * max(1, about.size**2)))
        result[layer] = (
            rng.standard_normal(shape, np.float32) * np.float32(scale),
            rng.standard_normal(about.outputs, np.float32),
        )
    return result


def narrowed(name, monkeypatch):
    """Makes a generator narrow, as if it were the published one."""
    layers = generator.layers(name, NARROW)
    monkeypatch.setitem(generator.GENERATORS, name, layers)
    first = next(iter(layers.values())).inputs
    monkeypatch.setitem(
        generator.CODES, name, (first, *generator.CODES[name][1:])
    )


@pytest.mark.parametrize('name', ['relu7', 'pool5', 'norm1'])
def test_converters_agree(tmp_path, monkeypatch, name):
    narrowed(name, monkeypatch)
    arrays = published(name)
    caffe = tmp_path / 'generator.caffemodel'
    caffe.write_bytes(caffe_writer.model(arrays))
    torch = torch_writer.write_zip(
        tmp_path / 'generator.pt',
        {
            f'{layer}.{part}': array
            for layer, pair in arrays.items()
            for part, array in zip(('weight', 'bias'), pair)
        },
    )
    ours = [converters.from_generator(path, name) for path in (caffe, torch)]
    jax.tree.map(np.testing.assert_array_equal, *ours)
    found = jax.tree.map(np.shape, ours[0])
    assert found == generator.shapes(name)


def test_whole_generator_is_its_definition(tmp_path, monkeypatch):
    narrowed('relu7', monkeypatch)
    arrays = published('relu7')
    path = tmp_path / 'generator.caffemodel'
    path.write_bytes(caffe_writer.model(arrays, old=True))
    monkeypatch.setenv('BRAINJAX_CACHE', str(tmp_path))
    weights.fetch('generator_relu7', path)
    params = weights.load('generator_relu7')
    codes = np.random.default_rng(1).random((2, 128), np.float32)
    found = jax.jit(generator.apply, static_argnums=1)(params, 'relu7', codes)

    def leaky(x):
        return np.where(x > 0, x, 0.3 * x)

    x = codes.astype(np.float64)
    for name in ('defc7', 'defc6', 'defc5'):
        kernel, bias = arrays[name]
        x = leaky(x @ kernel.T + bias)
    x = x.reshape(2, 8, 4, 4)
    for name in list(arrays)[3:]:
        stride = 2 if name.startswith('deconv') else 1
        x = loop(x, *arrays[name], stride, 1)
        x = x if name == 'deconv0' else leaky(x)
    expected = np.moveaxis(x, 1, -1)[..., ::-1]  # BGR to RGB
    np.testing.assert_allclose(
        found, expected, atol=1e-5 * np.abs(expected).max()
    )


@pytest.mark.parity
@pytest.mark.parametrize('name', ['relu7', 'pool5', 'relu4', 'norm1'])
def test_agrees_with_torch(tmp_path, monkeypatch, name):
    torch = pytest.importorskip('torch')
    narrowed(name, monkeypatch)
    arrays = published(name)
    path = tmp_path / 'g.caffemodel'
    path.write_bytes(caffe_writer.model(arrays))
    params = converters.from_generator(path, name)
    code = generator.CODES[name]
    codes = np.random.default_rng(1).random((1, *code), np.float32)
    x = torch.from_numpy(codes)
    for layer, about in generator.GENERATORS[name].items():
        kernel, bias = map(torch.from_numpy, arrays[layer])
        if about.kind == 'dense':
            x = torch.nn.functional.linear(x, kernel, bias)
        else:
            x = x.reshape(1, -1, 4, 4) if x.ndim == 2 else x
            function = {
                'transposed': torch.nn.functional.conv_transpose2d,
                'convolution': torch.nn.functional.conv2d,
            }[about.kind]
            x = function(
                x, kernel, bias, stride=about.stride, padding=about.padding
            )
        if about.activation == 'leaky':
            x = torch.nn.functional.leaky_relu(x, 0.3)
        elif about.activation == 'tanh':
            x = 255 * torch.tanh(x)
    expected = x.numpy()[:, ::-1].transpose(0, 2, 3, 1)
    ours = np.moveaxis(codes, 1, -1) if codes.ndim == 4 else codes
    found = jax.jit(generator.apply, static_argnums=1)(params, name, ours)
    np.testing.assert_allclose(
        found, expected, atol=1e-5 * np.abs(expected).max()
    )


def test_another_file_and_other_codes(tmp_path, monkeypatch):
    narrowed('relu7', monkeypatch)
    path = tmp_path / 'g.caffemodel'
    arrays = published('relu7')
    arrays.pop('deconv1')
    path.write_bytes(caffe_writer.model(arrays))
    with pytest.raises(InputError, match=r"holds no 'deconv1:0'.*relu7"):
        converters.from_generator(path, 'relu7')
    params = generator.init(jax.random.key(0), 'relu7')
    with pytest.raises(ValueError, match=r'relu7 takes \[n, 128\]'):
        generator.apply(params, 'relu7', np.zeros((1, 3)))
    with pytest.raises(InputError, match=r"'relu8'.*Did you mean 'relu"):
        generator.layers('relu8')


def test_generators_are_fetched_from_a_copy_only(tmp_path, monkeypatch):
    monkeypatch.setenv('BRAINJAX_CACHE', str(tmp_path))
    with pytest.raises(InputError, match=r'generator_relu7 --from FILE'):
        weights.fetch('generator_relu7')

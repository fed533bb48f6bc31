import jax
import jax.numpy as jnp
import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.networks.backbones import BACKBONES, alexnet, feedforward

TAPS = [
    *('conv1', 'relu1', 'pool1', 'conv2', 'relu2', 'pool2', 'conv3', 'relu3'),
    *('conv4', 'relu4', 'conv5', 'relu5', 'pool5'),
]


def float64(params):
    return jax.tree.map(lambda x: np.asarray(x, np.float64), params)


def convolve(x, layer, stride, before, after):
    size = layer['kernel'].shape[0]
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(x, ((0, 0), (before, after), (before, after), (0, 0))),
        (size, size),
        (1, 2),
    )[:, ::stride, ::stride]
    return (
        np.einsum('nhwiyx,yxio->nhwo', windows, layer['kernel']) + layer['bias']
    )


def pool(x):
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))
    return windows[:, ::2, ::2].max((-1, -2))


def reference(params, x):
    """All taps of a normalised input, in float64 NumPy."""
    params = float64(params)
    taps = {}
    for number, (stride, padding) in enumerate(
        [(4, 2), (1, 2), (1, 1), (1, 1), (1, 1)], start=1
    ):
        layer = params[f'conv{number}']
        x = convolve(x, layer, stride, padding, padding)
        taps[f'conv{number}'] = x
        x = taps[f'relu{number}'] = np.maximum(x, 0)
        if number in (1, 2, 5):
            x = taps[f'pool{number}'] = pool(x)
    return taps


@pytest.fixture(scope='module')
def params():
    params = BACKBONES['alexnet'].init(jax.random.key(0), 1 / 16)
    return jax.tree.map(lambda x: x if x.ndim > 1 else x + 0.1, params)


def pictures(*shape):
    return np.random.default_rng(1).random(shape, np.float32)


@pytest.mark.parametrize('preprocessing', ['torchvision', 'none'])
def test_every_tap_agrees_with_numpy(params, preprocessing):
    images = pictures(2, 67, 63, 3)
    x = np.float64(images)
    if preprocessing == 'torchvision':
        mean, deviation = feedforward.STATISTICS[preprocessing]
        x = (x - mean) / deviation
    expected = reference(params, x)
    assert list(expected) == TAPS
    outputs = jax.jit(lambda p, x: alexnet.apply(p, x, TAPS, preprocessing))(
        params, images
    )
    assert outputs.keys() == expected.keys()
    for tap, values in outputs.items():
        np.testing.assert_allclose(
            values, expected[tap], rtol=1e-4, atol=1e-5, err_msg=tap
        )


def test_stride_2_same_agrees_with_numpy(params):
    images = pictures(1, 112, 112, 3)
    [output] = alexnet.apply(
        params, images, ['conv1'], 'none', stride=2, padding='SAME'
    ).values()
    assert output.shape == (1, 56, 56, 4)
    np.testing.assert_allclose(
        output,
        convolve(images, float64(params)['conv1'], 2, 4, 5),
        rtol=1e-4,
        atol=1e-5,
    )


def test_shapes_at_112_px_and_parameter_count():
    params = jax.eval_shape(BACKBONES['alexnet'].init, jax.random.key(0))
    assert sum(x.size for x in jax.tree.leaves(params)) == 2_469_696
    outputs = jax.eval_shape(
        lambda p, x: alexnet.apply(p, x, ['relu1', 'relu2', 'relu4']),
        params,
        jax.ShapeDtypeStruct((1, 112, 112, 3), jnp.float32),
    )
    assert outputs['relu1'].shape == (1, 27, 27, 64)
    assert outputs['relu2'].shape == (1, 13, 13, 192)
    assert outputs['relu4'].shape == (1, 6, 6, 256)
    # The embedding of the 1000-way classification of Gaziv et al. 2022.
    assert outputs['relu4'].size == 9216


def test_init_width():
    params = BACKBONES['alexnet'].init(jax.random.key(0), 0.25)
    first = ('conv1', 'conv2')
    assert {name: params[name]['kernel'].shape for name in first} == {
        'conv1': (11, 11, 3, 16),
        'conv2': (5, 5, 16, 48),
    }


def test_unknown_tap_names_the_nearest(params):
    with pytest.raises(ValueError, match=r"'relu6'.*Did you mean 'relu"):
        alexnet.apply(params, pictures(1, 64, 64, 3), ['relu6'])
    with pytest.raises(InputError, match="no tap 'pool4'"):
        alexnet.apply(params, pictures(1, 64, 64, 3), ['pool4'])


def test_too_small_images(params):
    with pytest.raises(ValueError, match=r'16 x 16 px are too small.*pool2'):
        alexnet.apply(params, pictures(1, 16, 16, 3), ['relu5'])

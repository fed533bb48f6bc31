import jax
import jax.numpy as jnp
import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.networks.backbones import BACKBONES, feedforward, vgg

MEAN, DEVIATION = feedforward.STATISTICS['torchvision']


def count(shapes):
    return sum(
        np.prod(shape) for parts in shapes.values() for shape in parts.values()
    )


def reference(params, images):
    """All taps, in float64 NumPy, from the paper's table."""
    params = jax.tree.map(lambda x: np.asarray(x, np.float64), params)
    x = (np.float64(images) - MEAN) / DEVIATION
    blocks = {}
    for name in params:
        blocks.setdefault(name[4], []).append(name[6])
    taps = {}
    for block, positions in sorted(blocks.items()):
        for i in sorted(positions):
            layer = params[f'conv{block}_{i}']
            windows = np.lib.stride_tricks.sliding_window_view(
                np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), (3, 3), (1, 2)
            )
            x = np.einsum('nhwiyx,yxio->nhwo', windows, layer['kernel'])
            x = taps[f'conv{block}_{i}'] = x + layer['bias']
            x = taps[f'relu{block}_{i}'] = np.maximum(x, 0)
        n, h, w, c = x.shape
        x = x[:, : h // 2 * 2, : w // 2 * 2]
        x = x.reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))
        taps[f'pool{block}'] = x
    return taps


def small(name='vgg16'):
    """Random parameters with biases that are not zero."""
    params = BACKBONES[name].init(jax.random.key(0), 1 / 16)
    return jax.tree.map(lambda x: x if x.ndim > 1 else x + 0.1, params)


def pictures(*shape):
    return np.random.default_rng(1).random(shape, np.float32)


@pytest.mark.parametrize('name', ['vgg16', 'vgg19'])
def test_every_tap_agrees_with_numpy(name):
    params, images = small(name), pictures(2, 35, 32, 3)
    expected = reference(params, images)
    assert len(expected) == {'vgg16': 31, 'vgg19': 37}[name]
    outputs = jax.jit(lambda p, x: vgg.apply(p, x, expected))(params, images)
    assert outputs.keys() == expected.keys()
    for tap, values in outputs.items():
        np.testing.assert_allclose(
            values, expected[tap], rtol=1e-4, atol=1e-5, err_msg=tap
        )


def test_parameter_counts():
    assert count(vgg.shapes('vgg16')) == 14_714_688
    assert count(vgg.shapes('vgg19')) == 20_024_384
    # With 1980 V + 147,712 of the separable encoder at V = 4643 voxels this
    # makes the 19,926,004 of Gaziv et al. 2022.
    shapes = vgg.shapes('vgg19')
    truncated = count(
        {name: shapes[name] for name in shapes if name <= 'conv4_4'}
    )
    assert truncated == 10_585_152
    assert truncated + 1980 * 4643 + 147_712 == 19_926_004


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        (
            'vgg19',
            {
                'relu1_2': (1, 112, 112, 64),
                'relu2_2': (1, 56, 56, 128),
                'relu3_4': (1, 28, 28, 256),
                'relu4_4': (1, 14, 14, 512),
            },
        ),
        (
            'vgg16',
            {
                'pool1': (1, 56, 56, 64),
                'pool2': (1, 28, 28, 128),
                'pool3': (1, 14, 14, 256),
                'pool4': (1, 7, 7, 512),
                'pool5': (1, 3, 3, 512),
            },
        ),
    ],
)
def test_tap_shapes_at_112_px(name, expected):
    params = jax.eval_shape(BACKBONES[name].init, jax.random.key(0))
    outputs = jax.eval_shape(
        lambda p, x: vgg.apply(p, x, expected),
        params,
        jax.ShapeDtypeStruct((1, 112, 112, 3), jnp.float32),
    )
    assert {tap: x.shape for tap, x in outputs.items()} == expected


def test_init_width():
    params = BACKBONES['vgg19'].init(jax.random.key(0), 0.25)
    assert list(params)[-1] == 'conv5_4' and len(params) == 16
    assert params['conv1_1']['kernel'].shape == (3, 3, 3, 16)
    assert params['conv3_4']['kernel'].shape == (3, 3, 64, 64)


def test_mean_colour_gives_zeros():
    params = BACKBONES['vgg16'].init(jax.random.key(0), width=0.1)
    images = np.full((1, 8, 8, 3), MEAN, np.float32)
    assert not np.any(vgg.apply(params, images, ['conv1_2'])['conv1_2'])


def test_nothing_is_computed_past_the_deepest_tap():
    params, images = small(), pictures(1, 32, 32, 3)
    traced = jax.make_jaxpr(
        lambda x: vgg.apply(params, x, ['pool2', 'conv3_1'])
    )
    assert str(traced(images)).count('conv_general_dilated[') == 5


def test_unknown_tap_names_the_nearest():
    with pytest.raises(ValueError, match=r"'relu3_9'.*Did you mean 'relu3_"):
        vgg.apply(small(), pictures(1, 32, 32, 3), ['relu1_2', 'relu3_9'])


def test_tap_past_truncated_parameters_is_unknown():
    held = {name: small()[name] for name in ('conv1_1', 'conv1_2')}
    with pytest.raises(InputError, match="no tap 'relu2_1'"):
        vgg.apply(held, pictures(1, 8, 8, 3), ['relu2_1'])


def test_unknown_network():
    with pytest.raises(InputError, match=r"'vgg11'.*Did you mean 'vgg1"):
        vgg.shapes('vgg11')


@pytest.mark.parametrize(
    ('images', 'message'),
    [
        (np.zeros((1, 32, 32, 3), np.uint8), 'uint8'),
        (np.zeros((32, 32, 3), np.float32), r'shape \(32, 32, 3\)'),
        (np.zeros((1, 3, 32, 32), np.float32), r'width, 3\]'),
        (np.zeros((1, 2, 2, 3), np.float32), 'too small.*pool2'),
    ],
)
def test_images_that_cannot_be_used(images, message):
    with pytest.raises(ValueError, match=message):
        vgg.apply(small(), images, ['pool5'])


def test_computes_in_the_type_of_the_parameters():
    params = jax.tree.map(lambda x: x.astype(jnp.bfloat16), small())
    [output] = vgg.apply(params, pictures(1, 8, 8, 3), ['relu2_1']).values()
    assert output.dtype == jnp.bfloat16


def test_gradient_agrees_with_differences():
    held = small()
    params = {name: held[name] for name in held if name <= 'conv2_1'}
    x = pictures(1, 8, 8, 3)
    direction = np.random.default_rng(2).standard_normal(x.shape)

    def loss(x):
        return jnp.sum(vgg.apply(params, x, ['relu2_1'])['relu2_1'] ** 2)

    def exact(x):
        return np.sum(reference(params, x)['relu2_1'] ** 2)

    slope = np.sum(jax.jit(jax.grad(loss))(x) * direction)
    difference = exact(x + 1e-6 * direction) - exact(x - 1e-6 * direction)
    np.testing.assert_allclose(slope, difference / 2e-6, rtol=1e-3)

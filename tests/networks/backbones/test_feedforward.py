import jax
import jax.numpy as jnp
import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.networks.backbones import feedforward


def draw(*shape):
    return np.random.default_rng(0).standard_normal(shape, np.float32)


@pytest.mark.parametrize(
    ('shape', 'window', 'stride'),
    [((2, 8, 6, 3), 2, 2), ((1, 7, 9, 2), 2, 2), ((2, 13, 27, 4), 3, 2)],
)
def test_max_pool_and_its_gradient_are_reduce_window(shape, window, stride):
    x = draw(*shape)

    def reduce_window(x):
        return jax.lax.reduce_window(
            x,
            -jnp.inf,
            jax.lax.max,
            (1, window, window, 1),
            (1, stride, stride, 1),
            'VALID',
        )

    ours = feedforward.max_pool(x, window, stride)
    np.testing.assert_array_equal(ours, reduce_window(x))
    weights = draw(*ours.shape)

    @jax.jit
    @jax.grad
    def gradient(x):
        return (feedforward.max_pool(x, window, stride) * weights).sum()

    @jax.jit
    @jax.grad
    def expected(x):
        return (reduce_window(x) * weights).sum()

    np.testing.assert_allclose(gradient(x), expected(x), rtol=1e-6)


def test_the_first_of_tied_pixels_has_the_gradient():
    x = jnp.ones((1, 2, 2, 1))
    gradient = jax.grad(lambda x: feedforward.max_pool(x, 2, 2).sum())(x)
    np.testing.assert_array_equal(gradient[0, ..., 0], [[1, 0], [0, 0]])
    pooled = feedforward.max_pool(x.at[0, 1, 1].set(jnp.nan), 2, 2)
    assert np.isnan(pooled).all()


def test_no_gradient_is_lost_where_pixels_are_computed_twice():
    """What is fused into several programs may be rounded in several ways."""
    x, scale, bias = draw(4, 32, 32, 8), draw(8), draw(8)
    layer = {'kernel': draw(3, 3, 8, 8), 'bias': bias}

    @jax.grad
    def gradient(bias, scale, x):
        y = feedforward.max_pool(x * scale + bias, 2, 2)
        return jnp.sin(feedforward.convolve(y, layer)).sum()

    found = jax.jit(gradient)(bias, scale, x)
    alone = gradient(bias, scale, x)  # Each operation by itself.
    np.testing.assert_allclose(found, alone, rtol=1e-4)


def test_max_pool_of_less_than_a_window_is_empty():
    assert feedforward.max_pool(jnp.ones((1, 2, 1, 3)), 3, 2).shape == (
        1,
        0,
        0,
        3,
    )
    assert feedforward.max_pool(jnp.ones((1, 2, 1, 3)), 2, 2).shape == (
        1,
        1,
        0,
        3,
    )


def test_normalise_is_imagenet():
    pixel = jnp.asarray([[0.485, 0.456 + 0.224, 0.0]])
    np.testing.assert_allclose(
        feedforward.normalise(pixel), [[0, 1, -0.406 / 0.225]], atol=1e-6
    )


def test_init_is_he_normal():
    shapes = {'a': (3, 3, 8, 400), 'b': (5, 5, 400, 4)}
    params = feedforward.init(
        jax.random.key(3), feedforward.with_biases(shapes)
    )
    for name, fan_in in (('a', 72), ('b', 10_000)):
        kernel = np.asarray(params[name]['kernel'])
        assert kernel.dtype == np.float32
        np.testing.assert_allclose(kernel.std(), (2 / fan_in) ** 0.5, rtol=0.02)
        np.testing.assert_allclose(kernel.mean() / kernel.std(), 0, atol=0.02)
        assert not np.any(params[name]['bias'])
        assert params[name]['bias'].shape == kernel.shape[-1:]


def test_first_layers_do_not_depend_on_later_ones_but_on_the_key():
    shapes = feedforward.with_biases({'a': (3, 3, 3, 4), 'b': (3, 3, 4, 8)})
    both = feedforward.init(jax.random.key(0), shapes)
    first = feedforward.init(jax.random.key(0), {'a': shapes['a']})
    other = feedforward.init(jax.random.key(1), {'a': shapes['a']})
    np.testing.assert_allclose(
        both['a']['kernel'], first['a']['kernel'], rtol=1e-6
    )
    assert np.all(both['a']['kernel'] != other['a']['kernel'])


@pytest.mark.parametrize(
    ('channels', 'width', 'expected'),
    [(64, 1, 64), (64, 0.25, 16), (64, 0.01, 4), (192, 0.07, 12)],
)
def test_scaled_channels(channels, width, expected):
    assert feedforward.scaled(channels, width) == expected


@pytest.mark.parametrize(('size', 'expected'), [(7, 3), (8, 4), (9, 4), (6, 3)])
def test_pool_that_reaches_past_the_border(size, expected):
    x = -np.random.default_rng(0).random((1, size, size, 2)) - 1
    found = feedforward.max_pool(jnp.asarray(x), 3, 2, ceiling=True)
    assert found.shape == (1, expected, expected, 2)
    for i, j in np.ndindex(expected, expected):
        window = x[0, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
        np.testing.assert_allclose(
            found[0, i, j], window.max((0, 1)), rtol=1e-6
        )


def test_average_pool():
    x = np.random.default_rng(0).random((2, 6, 4, 3))
    expected = x.reshape(2, 3, 2, 2, 2, 3).mean((2, 4))
    np.testing.assert_allclose(
        feedforward.average_pool(jnp.asarray(x), 2, 2), expected, rtol=1e-6
    )


def test_caffes_preprocessing_is_bgr_from_0_to_255_minus_the_mean():
    image = np.float32([[[[1.0, 0.5, 0.0]]]])
    _, step = feedforward.preprocess('caffe')
    np.testing.assert_allclose(
        step(image)[0, 0, 0],
        [0 - 104.00698793, 127.5 - 116.66876762, 255 - 122.67891434],
        rtol=1e-6,
    )
    for name, mean in feedforward.MEAN_PIXEL.items():
        _, step = feedforward.preprocess(name)
        np.testing.assert_allclose(step(np.float32(mean) / 255), 0, atol=1e-4)
    with pytest.raises(InputError, match='no preprocessing'):
        feedforward.preprocess('bgr')

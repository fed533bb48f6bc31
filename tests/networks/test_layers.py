import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy_layers import KERNELS, doubled

from brainjax.errors import InputError
from brainjax.networks import layers
from brainjax.networks.backbones import BACKBONES


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


@pytest.mark.parametrize('method', KERNELS)
@pytest.mark.parametrize('shape', [(2, 7, 5, 3), (1, 3, 1, 2)])
def test_upsampling_evaluates_the_kernel(method, shape):
    x = draw(*shape)
    kernel = KERNELS[method]
    expected = doubled(doubled(x, 1, kernel), 2, kernel)
    ours = layers.upsample(x, method)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, expected, atol=2e-6)


def test_bicubic_has_the_phases_of_the_paper_and_not_those_of_jax():
    x = np.zeros((1, 9, 9, 1), np.float32)
    x[0, 4, 4] = 1
    taps = np.float32([-0.03515625, 0.26171875, 0.87890625, -0.10546875])
    out = np.asarray(layers.upsample(x))[0, :, :, 0]
    np.testing.assert_allclose(out[5:13:2, 9], taps * 0.87890625, atol=1e-6)
    np.testing.assert_allclose(
        out[6:14:2, 9], taps[::-1] * 0.87890625, atol=1e-6
    )
    assert not out[:5, 9].any() and not out[13:, 9].any()
    x = draw(1, 9, 9, 3)
    other = jax.image.resize(x, (1, 18, 18, 3), 'cubic')
    assert np.abs(layers.upsample(x) - other).max() > 0.1


@pytest.mark.parametrize('method', KERNELS)
def test_upsampling_keeps_a_constant(method):
    x = np.full((1, 4, 4, 2), 0.7, np.float32)
    np.testing.assert_allclose(layers.upsample(x, method), 0.7, rtol=1e-6)


@pytest.mark.parametrize(
    ('mode', 'numpy_mode'),
    [('reflect', 'reflect'), ('edge', 'edge'), ('zero', 'constant')],
)
def test_padding_is_numpys(mode, numpy_mode):
    x = draw(2, 4, 5, 3)
    expected = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), mode=numpy_mode)
    np.testing.assert_array_equal(layers.pad(x, 2, mode), expected)


def test_names_that_do_not_exist():
    with pytest.raises(InputError, match=r"'cubic'.*Did you mean 'bicubic'"):
        layers.upsample(draw(1, 2, 2, 1), 'cubic')
    with pytest.raises(InputError, match=r"'reflct'.*Did you mean 'reflect'"):
        layers.pad(draw(1, 2, 2, 1), 1, 'reflct')


def test_patches_have_channels_slowest_then_rows_then_columns():
    x = draw(2, 6, 5, 4)
    ours = np.asarray(layers.patches(x))
    assert ours.shape == (2, 4, 3, 36)
    for n, y, z, c, i, j in [
        (0, 0, 0, 0, 0, 0),
        (1, 3, 2, 3, 2, 1),
        (1, 1, 2, 2, 0, 2),
    ]:
        assert ours[n, y, z, c * 9 + i * 3 + j] == x[n, y + i, z + j, c]
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))
    np.testing.assert_array_equal(ours, windows.reshape(2, 4, 3, 36))
    assert layers.patches(x, 5).shape == (2, 2, 1, 100)


@pytest.mark.parametrize('rate', [0.5, 0.25, 0.3, 0.9])
def test_dropout_drops_at_the_rate_and_keeps_the_mean(rate):
    keys = jax.random.split(jax.random.key(0), 4)
    x = np.ones((4, 100, 251), np.float32)
    out = np.asarray(jax.jit(layers.dropout, static_argnums=2)(keys, x, rate))
    dropped = out == 0
    # Rounded to a multiple of 1/256; six deviations of 100 400 draws.
    rounded = round(rate * 256) / 256
    bound = 6 * (rate * (1 - rate) / dropped.size) ** 0.5
    assert abs(dropped.mean() - rounded) < bound
    np.testing.assert_allclose(out[~dropped], 1 / (1 - rounded), rtol=1e-6)
    # Neighbours, also across the 32 bits of a word, are independent.
    centred = dropped - dropped.mean()
    for lag in (1, 31, 32, 33):
        r = (centred[..., lag:] * centred[..., :-lag]).mean() / centred.var()
        assert abs(r) < 6 / dropped.size**0.5
    # Every example has a mask of its own.
    for other in dropped[1:]:
        assert abs(np.corrcoef(dropped[0].flat, other.flat)[0, 1]) < 0.04


def test_dropout_masks_follow_the_key_alone():
    keys = jax.random.split(jax.random.key(1), 6)
    x = np.ones((6, 7, 5), np.float32)
    whole = np.asarray(layers.dropout(keys, x, 0.5))
    for part in (slice(0, 3), slice(3, 6)):
        np.testing.assert_array_equal(
            whole[part], layers.dropout(keys[part], x[part], 0.5)
        )
    assert layers.dropout(keys, x, 0.0) is x


@pytest.mark.parametrize('n', [1, 77, 192])
def test_bernoulli_probability_is_exact(n):
    drawn = np.asarray(layers._bernoulli(jax.random.key(n), (300, 301), n))
    assert drawn.shape == (300, 301) and drawn.dtype == bool
    p = n / 256
    assert abs(drawn.mean() - p) < 6 * (p * (1 - p) / drawn.size) ** 0.5


def test_random_shift_takes_every_shift_and_repeats_the_edge():
    amount, n = 2, 200
    x = draw(1, 6, 5, 3).repeat(n, axis=0)
    keys = jax.random.split(jax.random.key(0), n)
    shifted = np.asarray(layers.random_shift(keys, x, amount))
    assert shifted.shape == x.shape
    padded = np.pad(x[0], ((2, 2), (2, 2), (0, 0)), mode='edge')
    crops = {
        padded[i : i + 6, j : j + 5].tobytes(): (i, j)
        for i in range(5)
        for j in range(5)
    }
    taken = [crops[image.tobytes()] for image in shifted]
    assert set(taken) == set(crops.values())
    np.testing.assert_array_equal(
        shifted[7:9], layers.random_shift(keys[7:9], x[7:9], amount)
    )
    assert layers.random_shift(keys, x, 0) is x


@pytest.mark.parametrize('rate', [0.999, 1.0, -0.1])
def test_dropout_that_leaves_nothing_is_refused(rate):
    keys = jax.random.split(jax.random.key(0), 2)
    with pytest.raises(InputError, match='leaves nothing; choose'):
        layers.dropout(keys, np.ones((2, 3)), rate)


@pytest.mark.parametrize(
    ('name', 'tap', 'size'),
    [
        ('vgg16', 'relu1_2', 32),
        ('vgg16', 'relu3_3', 128),
        ('alexnet', 'relu2', 128),
        ('alexnet_stride2', 'relu1', 112),
        ('squeezenet', 'fire5', 160),
        ('resnet50', 'layer1', 128),
    ],
)
def test_units_look_where_their_windows_say(name, tap, size):
    """By the pixels that change a unit, all weights being positive."""
    known = BACKBONES[name]
    params = jax.tree.map(
        lambda x: np.full(x.shape, x.shape[-1] / x.size, np.float32),
        jax.eval_shape(lambda: known.init(jax.random.key(0), 0.05, size)),
    )

    def features(image):
        return known.apply(params, image[None], (tap,), 'none')[tap][0]

    # Several pictures, for a maximum is one pixel's.
    images = 1 + jax.random.uniform(jax.random.key(0), (4, size, size, 3))

    @jax.jit
    @jax.vmap
    def pulled(image, i, j):
        units, pull = jax.vjp(features, image)
        (changed,) = pull(jnp.zeros_like(units).at[i, j].set(1.0))
        return changed

    def seen_by(i, j):
        each = (jnp.full(len(images), k) for k in (i, j))
        return pulled(images, *each).sum(axis=0)

    image = jax.ShapeDtypeStruct((size, size, 3), jnp.float32)
    n = len(jax.eval_shape(features, image))
    said = layers.unit_centres(known.windows_of(params, tap, n, size), n)
    for i, j in ((n // 2, n // 2), (n // 2 + 1, n // 2 - 1)):
        changed = seen_by(i, j)
        for axis, unit in ((0, i), (1, j)):
            seen = np.flatnonzero(np.sum(changed, axis=(1 - axis, 2)))
            assert seen[0] > 0 and seen[-1] < size - 1  # No border hides any.
            assert said[unit] == (seen[0] + seen[-1] + 1) / 2


def test_centres_of_strided_units_by_hand():
    windows = [layers.Window(2, 2), layers.Window(3, 2, 1)]
    # A pool sees pixels 0 and 1, whose border is at 1; and so on, by 4.
    np.testing.assert_array_equal(layers.unit_centres(windows, 3), [1, 5, 9])
    # TensorFlow's padding of an even side: nothing before.
    windows = [layers.Window(3, 2, 0)]
    np.testing.assert_array_equal(layers.unit_centres(windows, 2), [1.5, 3.5])

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny_faces
from jax import lax

from brainjax.errors import InputError
from brainjax.methods.faces.networks import initialise
from brainjax.networks import layers, vaegan
from brainjax.training import parallel

DIMENSIONS = ('NHWC', 'HWIO', 'NHWC')


def shapes(module, *inputs):
    return jax.eval_shape(module.init, jax.random.key(0), *inputs)


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


# Sizes of the authors' network, and what one layer of it holds.


def test_published_counts():
    picture = jnp.zeros((1, 128, 128, 3))
    encoder = shapes(vaegan.Encoder(), picture)
    generator = shapes(vaegan.Generator(), jnp.zeros((1, 1024)))
    assert count(encoder['params']) == 21_330_176
    assert count(generator['params']) == 24_617_993
    statistics = encoder['batch_stats'], generator['batch_stats']
    assert count(statistics) == 6_918
    convolutions = [
        count(encoder['params'][f'layer{i}']['convolution'])
        for i in range(1, 6)
    ]
    assert convolutions == [5_376, 442_624, 885_120, 1_769_984, 3_539_712]
    transposed = [
        count(generator['params'][f'layer{i}']['convolution'])
        for i in range(1, 6)
    ]
    assert transposed == [4_719_104, 1_769_856, 884_992, 442_560, 5_187]
    dense = [count(encoder['params'][n]) for n in ('fc', 'mu', 'log_sigma')]
    assert dense == [12_583_936, 1_049_600, 1_049_600]
    assert count(generator['params']['fc']) == 16_793_600


def test_published_shapes():
    picture = jax.ShapeDtypeStruct((2, 128, 128, 3), jnp.float32)
    latents = jax.ShapeDtypeStruct((2, 1024), jnp.float32)

    def out(module, x):
        return jax.eval_shape(
            lambda x: module.init_with_output(jax.random.key(0), x)[0], x
        )

    posterior = out(vaegan.Encoder(), picture)
    assert posterior.mean.shape == posterior.log_sigma.shape == (2, 1024)
    assert out(vaegan.Generator(), latents).shape == (2, 128, 128, 3)
    logits, features = out(vaegan.Discriminator(), picture)
    assert logits.shape == (2,)
    assert [f.shape[1:] for f in features] == [
        (64, 64, 192),
        (32, 32, 256),
        (16, 16, 384),
        (8, 8, 512),
        (4, 4, 768),
    ]


def test_first_values():
    variables = jax.jit(vaegan.Encoder(6, (4, 8)).init)(
        jax.random.key(0), jnp.zeros((1, 16, 16, 3))
    )
    params = variables['params']
    kernel = params['layer2']['convolution']['kernel']
    bound = np.sqrt(6 / (9 * 4 + 9 * 8))  # Glorot & Bengio 2010.
    assert np.abs(kernel).max() <= bound
    assert np.abs(kernel).max() > 0.9 * bound
    assert not params['layer2']['convolution']['bias'].any()
    assert (params['layer2']['norm']['scale'] == 1).all()
    assert not params['layer2']['norm']['bias'].any()


# The transposed convolution.


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 5, 7, 6), np.float32)
    kernel = rng.standard_normal((3, 3, 4, 6), np.float32)
    return jnp.asarray(x), jnp.asarray(kernel)


def halve(x, kernel):
    return lax.conv_general_dilated(
        x, kernel, (2, 2), 'SAME', dimension_numbers=DIMENSIONS
    )


def test_transposed_convolution_is_the_gradient_of_a_halving_one(pair):
    x, kernel = pair
    larger = jnp.zeros((2, 10, 14, 4))
    # The gradient of <halve(y), x> in y, exactly.
    gradient = jax.grad(lambda y: jnp.vdot(halve(y, kernel), x))(larger)
    np.testing.assert_array_equal(
        layers.transposed_convolve(x, kernel), gradient
    )


def test_transposed_convolution_by_hand(pair):
    """Every input adds its kernel at twice its place, cut at the end."""
    x, kernel = (np.asarray(a, np.float64) for a in pair)
    out = np.zeros((2, 11, 15, 4))
    for i in range(5):
        for j in range(7):
            out[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3] += np.einsum(
                'nc,yxoc->nyxo', x[:, i, j], kernel
            )
    np.testing.assert_allclose(
        layers.transposed_convolve(*pair), out[:, :10, :14], atol=1e-5
    )


def test_transposed_convolution_is_that_of_jax(pair):
    def ours(x, kernel):
        return layers.transposed_convolve(x, kernel)

    def jaxs(x, kernel):
        return lax.conv_transpose(
            x,
            kernel,
            (2, 2),
            'SAME',
            dimension_numbers=DIMENSIONS,
            transpose_kernel=True,
        )

    y, back = jax.vjp(ours, *pair)
    z, expected = jax.vjp(jaxs, *pair)
    np.testing.assert_allclose(y, z, atol=1e-5)
    cotangent = jnp.asarray(
        np.random.default_rng(1).standard_normal(y.shape, np.float32)
    )
    for a, b in zip(back(cotangent), expected(cotangent)):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-4)


# One layer, against NumPy.


def test_layer_in_training():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 8, 8, 3), np.float32)
    layer = vaegan.Layer(5, axis_name=None)
    variables = jax.jit(layer.init)(jax.random.key(0), x)
    y, changed = jax.jit(
        lambda variables, x: layer.apply(
            variables, x, True, mutable=['batch_stats']
        )
    )(variables, x)
    kernel = variables['params']['convolution']['kernel']
    z = np.asarray(halve(x, kernel), np.float64)
    mean, variance = z.mean((0, 1, 2)), z.var((0, 1, 2))
    z = (z - mean) / np.sqrt(variance + 1e-6)
    np.testing.assert_allclose(y, np.where(z > 0, z, np.expm1(z)), atol=1e-4)
    norm = changed['batch_stats']['norm']
    np.testing.assert_allclose(norm['mean'], 0.1 * mean, atol=1e-5)
    np.testing.assert_allclose(norm['var'], 0.9 + 0.1 * variance, rtol=1e-4)


def test_halving_adds_its_row_at_the_end():
    """TensorFlow's SAME: no row before, one behind."""
    x = np.zeros((1, 4, 4, 1), np.float32)
    x[0, 0, 0] = x[0, 3, 3] = 1
    kernel = np.arange(9, dtype=np.float32).reshape(3, 3, 1, 1)
    y = halve(x, kernel)[0, ..., 0]
    np.testing.assert_array_equal(y, [[0, 0], [0, 4]])


# Bounds, and the two public functions.


@pytest.fixture(scope='module')
def variables():
    keys = jax.random.split(jax.random.key(0))
    encoder, generator = (
        jax.jit(module.init)(key, jnp.zeros((1, *shape)))
        for module, key, shape in (
            (vaegan.Encoder(6, (4, 8)), keys[0], (16, 16, 3)),
            (vaegan.Generator(16, (8, 4)), keys[1], (6,)),
        )
    )
    both = {'encoder': encoder, 'generator': generator}
    return {
        kind: {part: both[part][kind] for part in both}
        for kind in ('params', 'batch_stats')
    }


def test_bounds(variables):
    rng = np.random.default_rng(0)
    images = 100 * rng.standard_normal((40, 16, 16, 3), np.float32)
    own = {kind: variables[kind]['encoder'] for kind in variables}
    mean, log_sigma = jax.jit(vaegan.Encoder(6, (4, 8)).apply)(own, images)
    assert 0.9 < np.abs(mean).max() <= 1
    assert 0.45 < np.abs(log_sigma).max() <= 0.5
    narrow = vaegan.Encoder(6, (4, 8), sigma=(-1.0, 0.2))
    log_sigma = jax.jit(narrow.apply)(own, images).log_sigma
    assert log_sigma.min() >= -1.2 and log_sigma.max() <= -0.8
    own = {kind: variables[kind]['generator'] for kind in variables}
    latents = 30 * rng.standard_normal((40, 6), np.float32)
    images = jax.jit(vaegan.Generator(16, (8, 4)).apply)(own, latents)
    assert -1 <= images.min() < -0.5 and images.max() > 1


def test_encode_and_generate(variables):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (70, 16, 16, 3), np.uint8)
    latents = vaegan.encode(variables, images)
    assert latents.shape == (70, 6) and latents.dtype == np.float32
    floats = np.float32(images) / 255
    np.testing.assert_allclose(
        vaegan.encode(variables, floats), latents, atol=1e-6
    )
    pictures = vaegan.generate(variables, latents)
    assert pictures.shape == images.shape and pictures.dtype == np.float32
    # No picture depends on the others.
    np.testing.assert_allclose(
        vaegan.generate(variables, latents[3:4]), pictures[3:4], atol=1e-6
    )
    np.testing.assert_allclose(
        vaegan.encode(variables, images[3:4]), latents[3:4], atol=1e-6
    )


def test_brightness():
    x = np.float32([[-0.5, 0.5, 2], [0.1, 0.2, 0.4], [-3, -2, -1]])
    x = x.reshape(3, 1, 1, 3)
    np.testing.assert_allclose(
        vaegan.displayed(x).reshape(3, 3),
        [[0, 0.25, 1], [0.25, 0.5, 1], [0, 0, 0]],
    )
    np.testing.assert_allclose(
        vaegan.displayed(x, 'clip').reshape(3, 3),
        [[0, 0.5, 1], [0.1, 0.2, 0.4], [0, 0, 0]],
        rtol=1e-6,
    )
    with pytest.raises(InputError, match=r"no brightness 'mean'"):
        vaegan.displayed(x, 'mean')


def test_sizes_that_do_not_halve():
    with pytest.raises(InputError, match='60 px cannot be halved by 3 layers'):
        vaegan.grid(60, 3)
    with pytest.raises(InputError, match='8 px cannot be halved by 4 layers'):
        vaegan.grid(8, 4)
    assert vaegan.grid(64, 4) == 4


def test_norm_takes_its_statistics_over_devices():
    x = np.random.default_rng(0).standard_normal((6, 8, 8, 3), np.float32)
    one, two = vaegan.Layer(5), vaegan.Layer(5, axis_name=parallel.AXIS)
    variables = jax.jit(one.init)(jax.random.key(0), x)

    def run(layer, x):
        return layer.apply(variables, x, True, mutable=['batch_stats'])

    y, changed = jax.jit(lambda x: run(one, x))(x)
    over = jax.vmap(
        lambda x: run(two, x), axis_name=parallel.AXIS, out_axes=(0, None)
    )
    halves, also = jax.jit(over)(x.reshape(2, 3, 8, 8, 3))
    np.testing.assert_allclose(halves.reshape(y.shape), y, atol=1e-5)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
        changed,
        also,
    )


def test_no_faces_and_other_whole_numbers():
    config = tiny_faces.get_config()
    variables = initialise(config, jax.random.key(0))
    none = np.empty((0, 16, 16, 3), np.uint8)
    assert vaegan.encode(variables, none).shape == (0, 6)
    assert vaegan.generate(variables, np.empty((0, 6))).shape == none.shape
    with pytest.raises(InputError, match='pictures are int16; give uint8'):
        vaegan.encode(variables, np.ones((1, 16, 16, 3), np.int16))


def test_batch_norm_before_mu():
    """What the running statistics say, beside an independent form."""
    encoder = vaegan.Encoder(4, (4, 8), normalise=True)
    images = jax.random.uniform(jax.random.key(1), (6, 16, 16, 3))
    variables = encoder.init(jax.random.key(0), images)
    found, changed = encoder.apply(
        variables, images, train=True, mutable=['batch_stats']
    )
    raw = np.arctanh(np.float64(found.mean))
    np.testing.assert_allclose(raw.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(raw.std(0), vaegan.MU_SCALE, rtol=1e-3)
    plain = vaegan.Encoder(4, (4, 8)).apply(
        variables | changed, images, train=True, mutable=['batch_stats']
    )[0]
    raw_plain = np.arctanh(np.float64(plain.mean))
    expected = raw_plain - raw_plain.mean(0)
    expected *= vaegan.MU_SCALE / raw_plain.std(0)
    np.testing.assert_allclose(raw, expected, atol=1e-3)

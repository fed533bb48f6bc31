import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from numpy_layers import KERNELS, batch_norm, convolve, doubled, randomised

from brainjax.errors import InputError
from brainjax.networks.decoder import Decoder
from brainjax.networks.initializers import WeightedBatchNorm
from brainjax.training import parallel

KERAS = {
    'upsampling': 'bilinear',
    'padding': 'zero',
    'activation': 'relu',
    'order': 'upsample conv activation norm',
}
BELIY = {
    'kernel': 3,
    'upsampling': 'nearest',
    'padding': 'zero',
    'activation': 'relu',
    'norm': 'batch',
    'order': 'conv activation upsample norm',
}


def shapes(module, voxels):
    return jax.eval_shape(
        module.init, jax.random.key(0), jnp.zeros((1, voxels))
    )


def reference(module, variables, fmri, train=False):
    """The paper's decoder, in float64 NumPy."""
    variables = jax.tree.map(lambda x: np.asarray(x, np.float64), variables)
    params, stats = variables['params'], variables.get('batch_stats', {})
    base = module.size // 2**module.blocks
    x = np.float64(fmri) @ params['dense']['kernel'] + params['dense']['bias']
    x = x.reshape(len(x), base, base, module.channels)

    def conv(x, name):
        m = module.kernel // 2
        mode = {'reflect': 'reflect', 'zero': 'constant'}[module.padding]
        x = np.pad(x, ((0, 0), (m, m), (m, m), (0, 0)), mode=mode)
        return convolve(x, params[name], 1, (0, 0))

    def group_norm(x, p):
        n, h, w, c = x.shape
        grouped = x.reshape(n, h * w, module.groups, c // module.groups)
        mean = grouped.mean((1, 3), keepdims=True)
        variance = grouped.var((1, 3), keepdims=True)
        x = ((grouped - mean) / np.sqrt(variance + 1e-5)).reshape(x.shape)
        return x * p['scale'] + p['bias']

    for block in range(module.blocks):
        name = f'norm_{block}'
        for operation in module.order.split():
            if operation == 'upsample':
                kernel = KERNELS[module.upsampling]
                x = doubled(doubled(x, 1, kernel), 2, kernel)
            elif operation == 'conv':
                x = conv(x, f'conv_{block}')
            elif operation == 'activation' and module.activation == 'relu':
                x = np.maximum(x, 0)
            elif operation == 'activation':
                x = x / (1 + np.exp(-x))
            elif module.norm == 'group':
                x = group_norm(x, params[name])
            else:
                x = batch_norm(x, params[name], stats[name], train)
    return scipy.special.expit(conv(x, 'top'))


def test_golden_count_of_parameters():
    for voxels in (1, 4643):
        params = shapes(Decoder(), voxels)['params']
        count = sum(np.prod(x.shape) for x in jax.tree.leaves(params))
        assert count == 12_544 * voxels + 325_123
        assert params['dense']['kernel'].shape == (voxels, 12_544)


@pytest.mark.parametrize('options', [{}, KERAS, BELIY], ids=['', 'k', '19'])
@pytest.mark.parametrize('train', [False, True])
def test_decoder_agrees_with_numpy(options, train):
    module = Decoder(size=12, blocks=2, channels=6, groups=3, **options)
    variables = randomised(shapes(module, 5))
    for layer in variables['params'].values():
        if 'kernel' in layer:
            fan_in = np.prod(layer['kernel'].shape[:-1])
            layer['kernel'] = layer['kernel'] / np.sqrt(fan_in)
    fmri = np.random.default_rng(1).standard_normal((4, 5), np.float32)
    images = jax.jit(
        lambda v, x: module.apply(v, x, train=train, mutable=['batch_stats'])[0]
    )(variables, fmri)
    assert images.shape == (4, 12, 12, 3) and images.dtype == np.float32
    expected = reference(module, variables, fmri, train)
    assert np.mean((expected > 0.01) & (expected < 0.99)) > 0.8
    np.testing.assert_allclose(images, expected, atol=1e-5)


def test_what_is_too_wide_is_cut_off_on_all_sides():
    whole, cut = (Decoder(size=size, channels=32) for size in (32, 29))
    fmri = jax.random.normal(jax.random.key(1), (2, 7))
    variables = jax.jit(whole.init)(jax.random.key(0), fmri)
    pictures = jax.jit(whole.apply)(variables, fmri)
    np.testing.assert_array_equal(
        jax.jit(cut.apply)(variables, fmri), pictures[:, 1:30, 1:30]
    )


def test_initial_weights_are_pytorchs():
    module = Decoder(size=8, blocks=1, channels=64, kernel=5)
    variables = jax.jit(module.init)(jax.random.key(0), jnp.zeros((1, 49)))
    for layer, fan_in in (('dense', 49), ('conv_0', 1600), ('top', 1600)):
        for name in ('kernel', 'bias'):
            x = np.asarray(variables['params'][layer][name])
            assert np.abs(x).max() <= fan_in**-0.5
            if x.size > 100:
                assert np.abs(x).max() > 0.98 * fan_in**-0.5
                np.testing.assert_allclose(
                    x.std(), (3 * fan_in) ** -0.5, rtol=0.1
                )
            assert abs(x.mean()) < 4 * x.std() / x.size**0.5


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        ({'size': 4}, '3 blocks.*4 px; choose fewer blocks'),
        ({'upsampling': 'cubic'}, "'cubic'.*Did you mean 'bicubic'"),
        ({'padding': 'zeros'}, "'zeros'.*Did you mean 'zero'"),
        ({'activation': 'gelu'}, "no activation 'gelu'"),
        ({'norm': 'layer'}, "no norm 'layer'"),
        ({'order': 'upsample convv'}, "Did you mean 'conv'"),
        ({'groups': 7}, '64 channels .* 7 groups; choose a divisor'),
    ],
)
def test_what_cannot_be_built_is_one_sentence(options, words):
    with pytest.raises(InputError, match=words):
        shapes(Decoder(**options), 3)


def test_even_kernels_are_refused():
    with pytest.raises(InputError, match=r'kernels 4 wide .* odd number'):
        Decoder(size=16, blocks=2, kernel=4, channels=8, groups=4).init(
            jax.random.key(0), jnp.zeros((1, 5))
        )


def test_what_pads_a_batch_is_nothing_to_a_batch_norm():
    """Five rows on three devices, of which one has none of its own."""
    x = jax.random.normal(jax.random.key(0), (5, 2, 3, 4))
    pulled = jax.random.normal(jax.random.key(1), x.shape)
    module = WeightedBatchNorm(
        False, momentum=0.9, epsilon=1e-3, axis_name=parallel.AXIS
    )
    variables = randomised(module.init(jax.random.key(2), x))
    alone = nn.BatchNorm(False, momentum=0.9, epsilon=1e-3)

    def expected(x):
        return alone.apply(variables, x, mutable=['batch_stats'])

    def padded(x):
        rows = jnp.concatenate([x, jnp.repeat(x[-1:], 4, axis=0)])
        weights = jnp.where(jnp.arange(9) < 5, 9 / 5, 0)
        y, changed = jax.vmap(
            lambda x, weight: module.apply(
                variables, x, weight, mutable=['batch_stats']
            ),
            axis_name=parallel.AXIS,
        )(rows.reshape(3, 3, *x.shape[1:]), weights.reshape(3, 3))
        changed = jax.tree.map(lambda x: x[0], changed)
        return y.reshape(rows.shape)[:5], changed

    found, other = padded(x), expected(x)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
        found,
        other,
    )
    gradients = [
        jax.grad(lambda x, norm=norm: jnp.sum(norm(x)[0] * pulled))(x)
        for norm in (padded, expected)
    ]
    np.testing.assert_allclose(*gradients, rtol=1e-4, atol=1e-5)

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy_layers import batch_norm, convolve, draw, randomised

from brainjax.networks import layers
from brainjax.networks.encoder import (
    Adapter,
    DenseEncoder,
    SeparableEncoder,
)

# Taps of VGG19 on pictures of 112 px: channels, height and width.
VGG19_TAPS = {
    'relu1_2': (64, 112),
    'relu2_2': (128, 56),
    'relu3_4': (256, 28),
    'relu4_4': (512, 14),
}
SMALL_TAPS = {'wide': (5, 16), 'middle': (4, 8), 'deep': (6, 4)}
SMALL = SeparableEncoder(
    voxels=7,
    taps=tuple(SMALL_TAPS),
    pools=(True, False, False),
    kernels=(3, 3, 1),
    strides=(1, 2, 1),
    channels=2,
)


def taps_of(shapes, n=3):
    return {
        name: np.abs(draw(n, size, size, channels, seed=i))
        for i, (name, (channels, size)) in enumerate(shapes.items())
    }


def separable(module, variables, taps, train=False, masks=None):
    """The formulas of the paper, in float64 NumPy."""
    variables = jax.tree.map(lambda x: np.asarray(x, np.float64), variables)
    params, stats = variables['params'], variables['batch_stats']
    total = 0
    for b, tap in enumerate(module.taps):
        p, s = params[f'branch_{b}'], stats[f'branch_{b}']
        x = batch_norm(np.float64(taps[tap]), p['norm_in'], s['norm_in'], train)
        if module.pools[b]:
            n, h, w, c = x.shape
            x = x.reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))
        margin = module.kernels[b] // 2
        x = convolve(x, p['conv'], module.strides[b], (margin, margin))
        x = batch_norm(np.maximum(x, 0), p['norm_out'], s['norm_out'], train)
        d = x.shape[1] - 2
        space = params[f'space_{d}'].reshape(d, d, -1)
        mix = params[f'channels_{b}'].reshape(module.channels, 3, 3, -1)
        response = 0
        for c in range(module.channels):
            for i in range(3):
                for j in range(3):
                    seen = np.einsum(
                        'nyz,yzv->nv', x[:, i : i + d, j : j + d, c], space
                    )
                    if masks is not None:
                        seen = seen * masks[b][:, c * 9 + i * 3 + j]
                    response = response + seen * mix[c, i, j]
        response = response + params[f'bias_{b}']
        total = total + response * np.abs(params['branch_weights'][b])
    return total


@pytest.fixture(scope='module')
def small():
    taps = taps_of(SMALL_TAPS)
    shapes = jax.eval_shape(SMALL.init, jax.random.key(0), taps)
    return taps, randomised(shapes)


def count(tree):
    return sum(np.prod(x.shape) for x in jax.tree.leaves(tree))


@pytest.mark.parametrize('strides', [(2, 2, 2, 1), (2, 2, 1, 1)])
def test_golden_count_of_parameters(strides):
    taps = {
        name: jax.ShapeDtypeStruct((1, size, size, channels), jnp.float32)
        for name, (channels, size) in VGG19_TAPS.items()
    }
    counts = {}
    for voxels in (1, 4643):
        module = SeparableEncoder(voxels, strides=strides)
        params = jax.eval_shape(module.init, jax.random.key(0), taps)['params']
        assert {'space_26', 'space_12'} < params.keys()
        counts[voxels] = count(params)
        adapters = [v for k, v in params.items() if k.startswith('branch_')]
        assert count(adapters) - 4 * voxels == 147_712
    assert counts == {v: 1980 * v + 147_712 for v in (1, 4643)}


def test_separable_encoder_agrees_with_numpy(small):
    taps, variables = small
    assert {'space_6', 'space_2'} < variables['params'].keys()
    ours = jax.jit(SMALL.apply)(variables, taps)
    assert ours.shape == (3, 7) and ours.dtype == np.float32
    np.testing.assert_allclose(
        ours, separable(SMALL, variables, taps), rtol=1e-4, atol=1e-3
    )


def test_training_takes_the_batchs_statistics_and_keeps_a_tenth(small):
    taps, variables = small
    ours, changed = jax.jit(
        lambda v, t: SMALL.apply(v, t, train=True, mutable=['batch_stats'])
    )(variables, taps)
    np.testing.assert_allclose(
        ours,
        separable(SMALL, variables, taps, train=True),
        rtol=1e-4,
        atol=1e-3,
    )
    before = variables['batch_stats']['branch_1']['norm_in']
    after = changed['batch_stats']['branch_1']['norm_in']
    for name, now in (
        ('mean', taps['middle'].mean((0, 1, 2))),
        ('var', taps['middle'].var((0, 1, 2))),
    ):
        np.testing.assert_allclose(
            after[name], 0.9 * before[name] + 0.1 * now, rtol=1e-5
        )


def test_dropout_is_on_each_feature_of_each_voxel(small):
    from brainjax.networks import layers

    taps, variables = small
    keys = jax.random.split(jax.random.key(3), 3)
    ours = jax.jit(lambda v, t: SMALL.apply(v, t, keys=keys))(variables, taps)
    fold = jax.vmap(jax.random.fold_in, (0, None))
    masks = [
        np.asarray(layers.dropout(fold(keys, b), np.ones((3, 18, 7)), 0.5))
        for b in range(3)
    ]
    assert {0.0, 2.0} == set(np.unique(masks))
    np.testing.assert_allclose(
        ours,
        separable(SMALL, variables, taps, masks=masks),
        rtol=1e-4,
        atol=1e-3,
    )
    # The masks of branches differ.
    assert not np.array_equal(masks[0], masks[1])


def test_folded_read_out_predicts_the_same(small):
    taps, variables = small
    folded = jax.jit(SMALL.fold)(variables['params'], taps)
    ours = jax.jit(lambda v, t: SMALL.apply(v, t, folded=folded))(
        variables, taps
    )
    np.testing.assert_allclose(
        ours, separable(SMALL, variables, taps), rtol=1e-4, atol=1e-3
    )


def test_mixes_weigh_the_patches_that_the_maps_sum(small):
    """A branch alone, its map 1 at one place and 0 elsewhere."""
    taps, variables = small
    params = jax.tree.map(np.array, dict(variables['params']))
    mixes = SMALL.mixes(params)
    assert len(mixes) == len(SMALL.taps)
    for b, mix in enumerate(mixes):
        one = np.abs(params['branch_weights'][b])
        np.testing.assert_allclose(mix, params[f'channels_{b}'] * one)
        width = SMALL.side(b, taps[SMALL.taps[b]].shape[1]) - 2
        space = np.zeros((width, width, SMALL.voxels))
        space[1, 0] = 1
        changed = {**params, f'space_{width}': space.reshape(-1, SMALL.voxels)}
        folded = SMALL.fold(changed, taps)[b]
        # Channels vary slowest in a patch, then rows, then columns.
        rows = np.moveaxis(folded[1:4, 0:3], 2, 0).reshape(mix.shape)
        np.testing.assert_allclose(rows, mix, rtol=1e-6)
        assert np.count_nonzero(folded) == np.count_nonzero(mix)


def test_initial_values_are_those_of_the_paper():
    taps = taps_of({'tap': (8, 20)}, n=1)
    module = SeparableEncoder(
        400, taps=('tap',), pools=(False,), kernels=(3,), strides=(1,)
    )
    params = jax.jit(module.init)(jax.random.key(1), taps)['params']
    np.testing.assert_array_equal(params['branch_weights'], 1)
    np.testing.assert_allclose(params['bias_0'], 0.01)
    space, channels = params['space_18'], params['channels_0']
    assert space.shape == (324, 400) and channels.shape == (288, 400)
    # U(-b, b) with b = 1 / sqrt(fan in), of deviation b / sqrt(3).
    for weights, fan_in in (
        (space, 324),
        (params['branch_0']['conv']['kernel'], 72),
    ):
        bound = fan_in**-0.5
        assert bound * 0.98 < np.abs(weights).max() <= bound
        np.testing.assert_allclose(weights.std(), bound / 3**0.5, rtol=0.05)
    # Xavier normal, whose tails reach beyond two deviations.
    deviation = (2 / (288 + 400)) ** 0.5
    np.testing.assert_allclose(channels.std(), deviation, rtol=0.02)
    assert np.abs(channels).max() > 3.5 * deviation


def test_dense_encoder_agrees_with_numpy():
    module = DenseEncoder(5, tap='tap', channels=4)
    taps = taps_of({'tap': (3, 8)})
    variables = randomised(jax.eval_shape(module.init, jax.random.key(0), taps))
    double = jax.tree.map(np.float64, variables)
    p, s = double['params'], double['batch_stats']
    x = batch_norm(np.float64(taps['tap']), p['norm_in'], s['norm_in'], False)
    for i in range(2):
        # 'SAME' at stride 2 on an even size pads nothing before, 1 after.
        x = np.maximum(convolve(x, p[f'conv_{i}'], 2, (0, 1)), 0)
        x = batch_norm(x, p[f'norm_{i}'], s[f'norm_{i}'], False)
    assert x.shape == (3, 2, 2, 4)
    expected = np.einsum('nhwc,hwcv->nv', x, p['dense']) + p['bias']
    np.testing.assert_allclose(
        jax.jit(module.apply)(variables, taps), expected, rtol=1e-4, atol=1e-4
    )
    keys = jax.random.split(jax.random.key(0), 3)
    dropped = jax.jit(module.apply)(variables, taps, keys=keys)
    assert np.all(np.abs(dropped - expected) > 1e-3)


def test_dense_encoder_of_the_paper_has_6272_inputs_a_voxel():
    taps = {'relu1': jax.ShapeDtypeStruct((1, 56, 56, 96), jnp.float32)}
    for voxels in (1, 3):
        params = jax.eval_shape(
            DenseEncoder(voxels).init, jax.random.key(0), taps
        )['params']
        assert params['dense'].shape == (14, 14, 32, voxels)


@pytest.mark.parametrize('release', ['torch', 'keras'])
def test_adapters_look_where_their_windows_say(release):
    """By the places that change a unit, all weights being positive."""
    module = SeparableEncoder(
        1, ('a', 'b', 'c'), (True, False, False), (3, 3, 1), (2, 2, 1),
        *(2, 0.0, release),
    )  # fmt: skip
    # Several pictures, for a maximum is one place's.
    drawn = np.random.default_rng(0).uniform(1, 2, (4, 16, 16, 2))
    taps = {name: jnp.asarray(drawn, jnp.float32) for name in module.taps}
    variables = jax.tree.map(
        jnp.ones_like, module.init(jax.random.key(0), taps)
    )
    for b, tap in enumerate(module.taps):
        side = module.side(b, 16)

        def units(x, b=b, tap=tap):
            _, seen = module.apply(
                variables,
                taps | {tap: x},
                capture_intermediates=lambda m, _: isinstance(m, Adapter),
                mutable=['intermediates'],
            )
            return seen['intermediates'][f'branch_{b}']['__call__'][0][..., 0]

        found, pull = jax.vjp(units, taps[tap])
        assert found.shape == (4, side, side)
        said = layers.unit_centres(module.windows(b, 16), side)
        for i in (side // 2 - 1, side // 2):  # Off the borders.
            (changed,) = pull(jnp.zeros_like(found).at[:, i, i].set(1.0))
            rows = np.flatnonzero(np.sum(changed, axis=(0, 2, 3)))
            assert said[i] == (rows[0] + rows[-1] + 1) / 2

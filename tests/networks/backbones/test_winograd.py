import jax
import jax.numpy as jnp
import numpy as np
import pytest

from brainjax.networks.backbones import BACKBONES, feedforward, vgg, winograd

convolve = jax.jit(feedforward.convolve, static_argnums=(2, 3))


def layer(inputs, outputs, seed=0):
    rng = np.random.default_rng(seed)
    return {
        'kernel': rng.standard_normal((3, 3, inputs, outputs), np.float32),
        'bias': rng.standard_normal(outputs, np.float32),
    }


@pytest.mark.parametrize(
    'shape', [(1, 8, 8), (3, 7, 9), (2, 1, 1), (5, 4, 13), (0, 4, 4)]
)
def test_convolution_and_its_gradient(shape):
    plain = layer(5, 6)
    fast = winograd.prepare({'a': plain}, fewest=1)['a']
    rng = np.random.default_rng(1)
    x = rng.standard_normal((*shape, 5), np.float32)
    weight = rng.standard_normal((*shape, 6), np.float32)

    def loss(x, layer):
        y = feedforward.convolve(x, layer)
        return jnp.sum(weight * y**2), y

    both = jax.jit(jax.value_and_grad(loss, has_aux=True))
    found, expected = (both(x, each) for each in (fast, plain))
    for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected)):
        scale = np.max(np.abs(theirs), initial=1)
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=3e-5 * scale)


@pytest.mark.parametrize('shape', [(3, 7, 9), (53, 6, 5), (1, 4, 4)])
def test_frozen_kernels_are_transformed_where_they_are_used(shape, monkeypatch):
    monkeypatch.setattr(winograd, 'ENOUGH_PIXELS', 17)  # Not of the last.
    monkeypatch.setattr(winograd, 'ENOUGH_TILES', 9)
    plain = layer(5, 6)
    marked = winograd.freeze({'a': plain}, fewest=1)['a']
    assert jax.tree.structure(marked) != jax.tree.structure(plain)
    rng = np.random.default_rng(1)
    x = rng.standard_normal((*shape, 5), np.float32)
    weight = rng.standard_normal((*shape, 6), np.float32)

    def loss(x, layer):
        return jnp.sum(weight * feedforward.convolve(x, layer) ** 2)

    both = jax.jit(jax.value_and_grad(loss))
    found, expected = (both(x, each) for each in (marked, plain))
    for ours, theirs in zip(found, expected):
        scale = np.max(np.abs(theirs))
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=3e-5 * scale)


def test_frozen_kernels_are_convolved_plainly_on_other_devices():
    params = winograd.freeze({'a': layer(64, 64)})
    x = np.zeros((2, 64, 64, 64), np.float32)

    @jax.jit
    def gradient(x, params):
        return jax.grad(
            lambda x: jnp.sum(feedforward.convolve(x, params['a']) ** 2)
        )(x)

    def convolutions(platform):
        lowered = gradient.trace(x, params).lower(
            lowering_platforms=(platform,)
        )
        return lowered.as_text().count('stablehlo.convolution')

    assert convolutions('tpu') == convolutions('cuda') == 2
    assert convolutions('cpu') == 0


def test_what_is_not_frozen_in_full_precision_stays_as_it_is():
    half = {'kernel': jnp.zeros((3, 3, 64, 64), jnp.bfloat16)}
    narrow = {'kernel': np.zeros((3, 3, 3, 64), np.float32)}
    large = {'kernel': np.zeros((5, 5, 64, 64), np.float32)}
    params = {'half': half, 'narrow': narrow, 'large': large, 'norm': {}}
    assert winograd.freeze(params) == params


def test_pictures_are_taken_in_portions(monkeypatch):
    monkeypatch.setattr(winograd, 'ENOUGH_TILES', 8)
    plain = layer(3, 4)
    fast = winograd.prepare({'a': plain}, fewest=1)['a']
    for n, size in ((5, 8), (3, 12)):  # two at a time with a rest; one
        x = np.random.default_rng(n).random((n, size, size, 3), np.float32)
        np.testing.assert_allclose(
            convolve(x, fast), convolve(x, plain), atol=1e-4
        )


@pytest.mark.parametrize('shape', [(2, 30, 9), (1, 31, 40), (3, 5, 64)])
def test_large_pictures_are_taken_in_strips(monkeypatch, shape):
    monkeypatch.setattr(winograd, 'MOST_TILES', 8)
    plain = layer(3, 4)
    fast = winograd.prepare({'a': plain}, fewest=1)['a']
    x = np.random.default_rng(0).random((*shape, 3), np.float32)
    np.testing.assert_allclose(convolve(x, fast), convolve(x, plain), atol=1e-4)


def test_prepared_layers_at_another_stride_or_border():
    plain = layer(3, 4)
    fast = winograd.prepare({'a': plain}, fewest=1)['a']
    x = np.random.default_rng(0).random((2, 9, 9, 3), np.float32)
    for options in ((2, ((1, 1), (1, 1))), (1, 'VALID'), (2, 'SAME')):
        np.testing.assert_array_equal(
            convolve(x, fast, *options), convolve(x, plain, *options)
        )


def test_only_large_layers_are_transformed():
    params = BACKBONES['vgg16'].init(
        jax.random.key(0), width=0.25, size=32, dense=True
    )
    prepared = winograd.prepare(params, fewest=64)
    transformed = {name for name, held in prepared.items() if 'tiles' in held}
    assert transformed == {
        *(f'conv3_{i}' for i in (2, 3)),
        *(f'conv4_{i}' for i in (1, 2, 3)),
        *(f'conv5_{i}' for i in (1, 2, 3)),
    }
    x = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    taps = ['conv3_1', 'conv4_3', 'fc8']
    apply = jax.jit(lambda params: vgg.apply(params, x, taps))
    ours, theirs = apply(prepared), apply(params)
    for tap in taps:
        scale = np.abs(theirs[tap]).max()
        np.testing.assert_allclose(ours[tap], theirs[tap], atol=2e-5 * scale)

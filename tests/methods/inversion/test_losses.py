import jax
import jax.numpy as jnp
import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.methods.inversion import losses


def pair(shape=(2, 4, 3, 5), seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape), rng.standard_normal(shape)


def by_hand(name, f, t):
    """One picture's loss from the formula, over [places, channels]."""
    f, t = f.reshape(-1, f.shape[-1]), t.reshape(-1, t.shape[-1])
    if name == 'squared':
        return np.sum((f - t) ** 2)
    if name == 'absolute':
        return np.sum(np.abs(f - t))
    if name == 'inner':
        return -np.sum(f * t)
    if name == 'target_normalised':
        return np.sum((f - t) ** 2) / np.sum(t**2)
    if name == 'gram':
        size = f.shape[0] * f.shape[1]
        return np.sum((f.T @ f - t.T @ t) ** 2) / (4 * size**2)
    total = 0
    for a, b in zip(f.T, t.T):
        covariance = np.mean((a - a.mean()) * (b - b.mean()))
        means = (2 * a.mean() * b.mean() + 1e-6) / (
            a.mean() ** 2 + b.mean() ** 2 + 1e-6
        )
        total += means + (2 * covariance + 1e-6) / (a.var() + b.var() + 1e-6)
    return -total / (2 * f.shape[1])


@pytest.mark.parametrize('name', losses.LOSSES)
def test_losses_are_their_formulas(name):
    f, t = pair()
    found = losses.LOSSES[name](jnp.asarray(f), jnp.asarray(t))
    expected = [by_hand(name, *each) for each in zip(f, t)]
    np.testing.assert_allclose(found, expected, rtol=2e-4)


@pytest.mark.parametrize('name', losses.LOSSES)
def test_losses_of_units(name):
    f, t = pair((3, 7))
    found = losses.LOSSES[name](jnp.asarray(f), jnp.asarray(t))
    shaped = (f, t)
    if name == 'dists':  # Units are places of one channel.
        shaped = (f[:, :, None], t[:, :, None])
    expected = [by_hand(name, *each) for each in zip(*shaped)]
    np.testing.assert_allclose(found, expected, rtol=2e-4)


def test_gradient_of_squared_is_that_of_differences():
    f, t = pair()
    gradient = jax.grad(lambda f: jnp.sum(losses.squared(f, t)))(jnp.asarray(f))
    np.testing.assert_allclose(gradient, 2 * (f - t), rtol=1e-5, atol=1e-5)


def test_gradient_of_gram_is_the_published_one():
    f, t = pair((1, 4, 3, 5))
    gradient = jax.grad(lambda f: jnp.sum(losses.gram(f, t)))(jnp.asarray(f))
    flat, other = f.reshape(-1, 5), t.reshape(-1, 5)
    expected = flat @ (flat.T @ flat - other.T @ other) / (5 * 12) ** 2
    np.testing.assert_allclose(
        np.reshape(gradient, (-1, 5)), expected, rtol=1e-4, atol=1e-6
    )


def test_identical_features():
    f, _ = pair()
    for name in ('squared', 'absolute', 'gram', 'target_normalised'):
        assert not np.any(losses.LOSSES[name](f, f))
    np.testing.assert_allclose(losses.dists(f, f), -1, rtol=1e-5)


def test_layer_weights():
    rng = np.random.default_rng(0)
    targets = {'a': rng.random((2, 4, 4, 3)), 'b': rng.random((2, 9))}
    found = losses.layer_weights(targets, 'inverse_square')
    for i in range(2):
        inverse = {k: 1 / np.sum(t[i] ** 2) for k, t in targets.items()}
        for layer, value in inverse.items():
            np.testing.assert_allclose(
                found[layer][i], value / sum(inverse.values()), rtol=1e-5
            )
    equal = losses.layer_weights(targets, 'equal')
    np.testing.assert_allclose([*equal['a'], *equal['b']], 0.5)
    given = losses.layer_weights(targets, {'a': 2.0, 'b': 3.0})
    np.testing.assert_allclose(given['b'], 3)
    with pytest.raises(InputError, match='lack b'):
        losses.layer_weights(targets, {'a': 1.0})
    with pytest.raises(InputError, match=r"'inverse'.*Did you mean"):
        losses.layer_weights(targets, 'inverse')


def test_a_target_of_zeros_does_not_count():
    targets = {'a': jnp.zeros((1, 3)), 'b': jnp.ones((1, 3))}
    weights = losses.layer_weights(targets, 'inverse_square')
    assert [float(w[0]) for w in weights.values()] == [0, 1]
    nothing = losses.layer_weights({'a': jnp.zeros((1, 3))}, 'inverse_square')
    assert float(nothing['a'][0]) == 0


def test_total_sums_terms_and_masks_channels():
    f, t = pair()
    g, s = pair((2, 6), seed=1)
    features, targets = {'a': f, 'b': g}, {'a': t, 'b': s}
    weights = {'a': np.array([1.0, 2.0]), 'b': np.array([3.0, 4.0])}
    masks = {'a': losses.channel_mask((0, 3), 5)}
    found = losses.total(
        features,
        targets,
        weights,
        masks,
        (('squared', 2.0), ('target_normalised', 0.5)),
    )
    for i in range(2):
        a = f[i][..., [0, 3]], t[i][..., [0, 3]]
        expected = 2 * (
            weights['a'][i] * by_hand('squared', *a)
            + weights['b'][i] * by_hand('squared', g[i], s[i])
        ) + 0.5 / 2 * (
            by_hand('target_normalised', *a)
            + by_hand('target_normalised', g[i], s[i])
        )
        np.testing.assert_allclose(found[i], expected, rtol=1e-5)
    with pytest.raises(InputError, match='no channel 5; they are 0 to 4'):
        losses.channel_mask((5,), 5)

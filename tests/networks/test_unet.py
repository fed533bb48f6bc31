import jax
import jax.numpy as jnp
import numpy as np
import pytest

from brainjax.networks import unet


@pytest.mark.parametrize(('height', 'width', 'patch'), [(10, 10, 1), (7, 9, 2)])
def test_the_output_is_as_large_as_the_input_and_0_at_first(
    height, width, patch
):
    network = unet.UNet((8, 16), out=3, groups=4, patch=patch)
    x = jax.random.normal(jax.random.key(0), (2, height, width, 4))
    t = jnp.array([0.1, 0.9])
    params = jax.jit(network.init)(jax.random.key(1), x, t)
    apply = jax.jit(network.apply)
    found = apply(params, x, t)
    assert found.shape == (2, height, width, 3)
    assert not found.any()
    # With weights that are not 0 it hears of the picture and of the time.
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(2), len(leaves))
    leaves = [0.2 * jax.random.normal(k, x.shape) for k, x in zip(keys, leaves)]
    params = jax.tree.unflatten(tree, leaves)
    found = apply(params, x, t)
    for inputs in ((-x, t), (x, 1 - t)):
        assert abs(apply(params, *inputs) - found).max() > 1e-3


def test_squares_of_pixels_become_channels_and_come_back():
    x = np.arange(2 * 4 * 6 * 3).reshape(2, 4, 6, 3)
    deep = unet.to_depth(jnp.array(x), 2)
    assert deep.shape == (2, 2, 3, 12)
    np.testing.assert_array_equal(
        deep[1, 1, 2].reshape(2, 2, 3), x[1, 2:, 4:, :]
    )
    np.testing.assert_array_equal(unet.from_depth(deep, 2), x)

"""Influence against derivatives of every pixel by every voxel."""

import flax.linen as nn
import jax
import numpy as np

from brainjax.evaluation.voxels.influence import influence


class Decoder(nn.Module):
    @nn.compact
    def __call__(self, fmri):
        x = nn.swish(nn.Dense(20, name='first')(fmri))
        x = nn.Dense(4 * 4 * 3)(x)
        return jax.nn.sigmoid(x.reshape(-1, 4, 4, 3))


def test_influence_is_that_of_all_derivatives():
    rng = np.random.default_rng(0)
    fmri = np.float32(rng.standard_normal((60, 9)))
    decoder = Decoder()
    variables = decoder.init(jax.random.key(0), fmri)
    kernel = variables['params']['first']['kernel']
    scale = np.array([0, 0.3, 1, 1, 1, 2, 2, 3, 4])[:, None]
    variables['params']['first']['kernel'] = kernel * scale

    def picture(response):
        return decoder.apply(variables, response[None])[0]

    slopes = jax.vmap(jax.jacfwd(picture))(fmri)  # [n, 4, 4, 3, voxels]
    exact = np.sqrt(np.square(slopes).mean(axis=(0, 1, 2, 3)))
    found = influence(decoder.apply, variables, fmri)
    assert found.dtype == np.float32 and found[0] == 0
    np.testing.assert_allclose(found, exact, rtol=0.15)
    np.testing.assert_array_equal(
        found, influence(decoder.apply, variables, fmri)
    )

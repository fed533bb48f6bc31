import jax
import numpy as np
import tiny
from ml_collections import FrozenConfigDict
from tiny_selfsup import config

from brainjax.methods.selfsup.networks import (
    backbone_features,
    build_encoder,
    load_backbone,
    unit_offsets,
    unit_places,
)

SIZE = 48


def test_units_look_where_their_kernels_have_their_weight():
    """The kernel of a branch has one weight, in its middle or beside it."""
    c = FrozenConfigDict(config(size=SIZE))
    params = load_backbone(c.encoder, 0)
    encoder = build_encoder(c, 20)
    images = tiny.pictures(32, seed=3, size=SIZE)
    features = backbone_features(c.encoder, params, np.float32(images) / 255)
    variables = encoder.init(jax.random.key(1), features)

    def offsets(row, column):
        changed = jax.tree.map(np.array, variables)
        kernel = changed['params']['branch_0']['conv']['kernel']
        one = kernel[1, 1].copy()
        kernel[:] = 0
        kernel[row, column] = one
        return unit_offsets(c, encoder, changed, params, images)

    middle, right, below, before = (
        offsets(*at) for at in ((1, 1), (1, 2), (2, 1), (0, 0))
    )
    assert middle.shape == (len(unit_places(c, encoder, params)), 2)
    pixel = 1 / SIZE  # Of the tap before the adapter.
    for found, moved in (
        (right, (1, 0)),
        (below, (0, 1)),
        (before, (-1, -1)),
    ):
        expected = np.array(moved) * pixel
        np.testing.assert_allclose(
            found[0] - middle[0], expected, atol=0.25 * pixel
        )
        np.testing.assert_allclose(found[1], middle[1], atol=1e-6)

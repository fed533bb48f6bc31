"""Receptive fields and layer preference by the fitted separable encoder."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from brainjax.evaluation import receptive_fields
from brainjax.methods.selfsup.networks import (
    BACKBONES,
    build_encoder,
    feature_shapes,
)
from brainjax.networks.encoder import Adapter

PICTURES = 256  # Of the training set, over which contributions vary.


class Biology(NamedTuple):
    """See `evaluation.receptive_fields`."""

    fields: receptive_fields.Fields
    preference: receptive_fields.Preference


def biology(
    variables: Any, backbone: Any, images: np.ndarray, config: ConfigDict
) -> Biology:
    """Estimates where and in which layer each voxel looks.

    Args:
      variables: of the fitted separable encoder.
      backbone: its frozen backbone.
      images: [n, size, size, 3] uint8; the first 256 are used.
      config: of the experiment, `config.encoder.kind` 'separable'.
    """
    voxels = variables['params']['branch_weights'].shape[-1]
    encoder = build_encoder(config, voxels)
    *weights, _ = encoder.fold(
        variables['params'], feature_shapes(config, backbone)
    )
    features = BACKBONES[config.encoder.backbone](
        backbone,
        jnp.float32(images[:PICTURES]) / 255,
        config.encoder.taps,
    )
    _, seen = encoder.apply(
        variables,
        features,
        capture_intermediates=lambda module, _: isinstance(module, Adapter),
        mutable=['intermediates'],
    )
    activations = [
        np.asarray(seen['intermediates'][f'branch_{b}']['__call__'][0])
        for b in range(len(weights))
    ]
    weights = [np.asarray(w) for w in weights]
    return Biology(
        receptive_fields.fit(receptive_fields.maps(activations, weights)),
        receptive_fields.preference(activations, weights),
    )

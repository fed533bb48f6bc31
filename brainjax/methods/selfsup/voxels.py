"""What the self-supervised method tells of each voxel."""

import numpy as np
from ml_collections import ConfigDict, FrozenConfigDict

from brainjax.evaluation.voxels.influence import influence
from brainjax.evaluation.voxels.receptive_fields import (
    Fields,
    Preference,
    polar,
)
from brainjax.methods.selfsup.method import Fitted
from brainjax.methods.selfsup.networks import build_decoder


def of_decoder(
    fitted: Fitted, fmri: np.ndarray, config: ConfigDict
) -> dict[str, np.ndarray]:
    """The voxel's weights in the decoder, and its influence on pictures.

    Args:
      fitted: from `fit`.
      fmri: [n, voxels] normalised responses, where influence is measured.
      config: of the experiment.
    """
    decoder = build_decoder(FrozenConfigDict(fitted.config or config))
    dense = np.asarray(fitted.decoder['params']['dense']['kernel'], np.float32)
    return {
        'decoder_weight': np.sqrt(np.square(dense).mean(axis=1)),
        'influence': influence(
            decoder.apply, fitted.decoder, fmri, config.seed
        ),
    }


def of_encoder(fields: Fields, preference: Preference) -> dict[str, np.ndarray]:
    """Where and in which layer voxels look; NaN where a fit is too poor."""
    x, y = fields.centre.T
    eccentricity, angle = polar(fields.centre)
    place = {
        'field_x': x,
        'field_y': y,
        'field_size': fields.size,
        'eccentricity': eccentricity,
        'angle': angle,
    }
    return {
        name: np.where(fields.located, values, np.nan)
        for name, values in place.items()
    } | {'field_fit': fields.fit, 'layer_preference': preference.depth}

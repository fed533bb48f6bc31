"""The losses of the self-supervised method, as a config weighs them.

Their parts are in `brainjax.losses`.
"""

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from brainjax import losses
from brainjax.methods.selfsup.networks import loss_features
from brainjax.networks.decoder import grid_of


def encoder_regularisation(config: ConfigDict, params) -> jax.Array:
    """Penalty of the encoder's parameters (Gaziv; Beliy for 'dense')."""
    c = config.encoder
    kernels = losses.convolution_kernels(params)
    total = c.convolutions * losses.sum_absolute(kernels)
    if c.convolutions_square:
        total += c.convolutions_square * losses.sum_squares(kernels)
    if c.kind == 'dense':
        return total + losses.neighbour_group_sparsity(
            jnp.moveaxis(params['dense'], -1, 0),
            absolute=c.dense_absolute,
            group=c.dense_group,
            neighbours=4,
            padding='symmetric',
        )
    maps = sorted(
        (p for name, p in params.items() if name.startswith('space_')),
        key=lambda p: -len(p),
    )
    for space, uses in zip(maps, c.map_uses):
        total += uses * (
            losses.map_sparsity(
                space,
                absolute=c.map_absolute,
                neighbour=c.map_neighbour,
                padding=c.map_padding,
            )
            + c.second_moment * losses.second_moment(space)
        )
    channels = [p for name, p in params.items() if name.startswith('channels_')]
    return (
        total
        + c.channel_mix * losses.sum_absolute(channels)
        + c.branch_mix * losses.sum_absolute(params['branch_weights'])
    )


def picture_loss(config, frozen, prediction, target, target_features=None):
    """The image loss of the config.

    Args:
      config: of the experiment.
      frozen: with 'loss_backbone', 'pixel_scale' and perhaps
        'feature_scales'.
      prediction, target: [n, size, size, channels] in 0..1.
      target_features: of `loss_features`, if they are known already.
    """
    if target_features is None:
        target_features = loss_features(config, frozen, target)
    return weighted_picture_loss(
        config,
        frozen,
        prediction,
        target,
        loss_features(config, frozen, prediction),
        target_features,
    )


def weighted_picture_loss(config, frozen, prediction, target, features, truth):
    """`picture_loss` where the features of both are known."""
    c = config.image_loss
    return losses.image_loss(
        prediction,
        target,
        features,
        truth,
        pixel_weight=c.pixels,
        depth_weight=c.depth,
        pixel_distance=c.pixel_distance,
        feature_weights=dict(zip(c.taps, c.tap_weights)),
        variation_weight=c.variation,
        scale=frozen['pixel_scale'],
        feature_scales=frozen.get('feature_scales'),
    )


def decoder_regularisation(config: ConfigDict, params, inverse_snr):
    """Penalty of the decoder's parameters (Gaziv; Beliy without the SNR)."""
    c = config.decoder
    base = grid_of(config.size, c.blocks)
    dense = params['dense']['kernel'].reshape(-1, base, base, c.channels)
    return losses.neighbour_group_sparsity(
        dense,
        absolute=c.dense_absolute,
        group=c.dense_group,
        neighbours=c.dense_neighbours,
        padding=c.dense_padding,
        inverse_snr=inverse_snr if c.dense_inverse_snr else 1.0,
    ) + c.convolutions * losses.sum_absolute(losses.convolution_kernels(params))

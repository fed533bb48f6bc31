"""Losses and regularisers of the self-supervised method: pure functions.

Every function returns a scalar, and is differentiable wherever its arguments
are finite. Means run over all axes unless said otherwise; the coefficients of
the papers only make sense with these reductions.

References:
  Gaziv: Gaziv et al. 2022, Self-supervised natural image reconstruction and
    large-scale semantic classification from brain activity. NeuroImage 254.
    Values are those of the PyTorch release unless said otherwise; 'Keras' is
    the authors' other release.
  Beliy: Beliy et al. 2019, From voxels to pixels and back: self-supervision in
    natural-image reconstruction from fMRI. NeurIPS 32.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from brainjax.errors import check_known


def _safe_sqrt(x: jax.Array) -> jax.Array:
    """Square root whose derivative at exactly 0 is 0 rather than infinite."""
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)


def unit_features(features: jax.Array) -> jax.Array:
    """Scales features [..., channels] to length 1 over channels.

    >>> [round(float(x), 3) for x in unit_features(jnp.array([3.0, 4.0]))]
    [0.6, 0.8]
    """
    # Both constants are the releases': where all channels are 0, the result
    # and its derivative stay finite.
    norm = jnp.sqrt(jnp.sum(features**2, axis=-1, keepdims=True) + 1e-10)
    return features / (norm + 1e-10)


# Pictures.


def pixel_loss(
    prediction: jax.Array,
    target: jax.Array,
    scale: jax.Array | float = 1.0,
    distance: str = 'absolute',
) -> jax.Array:
    """mean |prediction - target| / scale, or the mean of its square.

    The first is least at the median of what a picture may be given the fMRI,
    the second at its mean.

    Args:
      prediction, target: [n, height, width, 3] in 0..1.
      scale: [3], the mean absolute pixel of each channel over the training
        pictures, or 1.
      distance: 'absolute' (all releases) or 'squared'.

        >>> grey, white = jnp.full((1, 2, 2, 3), 0.5), jnp.ones((1, 2, 2, 3))
        >>> float(pixel_loss(grey, white, scale=jnp.array([1.0, 0.5, 0.5])))
        0.8333333730697632
        >>> float(pixel_loss(grey, white, distance='squared'))
        0.25
    """
    check_known('pixel_distance', distance, ('absolute', 'squared'))
    difference = (prediction - target) / scale
    if distance == 'squared':
        return jnp.mean(difference**2)
    return jnp.mean(jnp.abs(difference))


def cosine_feature_loss(prediction: jax.Array, target: jax.Array) -> jax.Array:
    """mean over pictures and places of 1 - cos over channels (Gaziv).

    With g(f) = f / (sqrt(sum_c f^2 + 1e-10) + 1e-10): mean(1 - <g, g'>).

    Args:
      prediction, target: [n, height, width, channels].

        >>> features = jnp.array([[[[3.0, 0.0], [0.0, 2.0]]]])
        >>> round(float(cosine_feature_loss(features, 7 * features)), 5)
        0.0
        >>> round(float(cosine_feature_loss(features, features[..., ::-1])), 5)
        1.0
    """
    return jnp.mean(
        1 - jnp.sum(unit_features(prediction) * unit_features(target), axis=-1)
    )


def absolute_feature_loss(
    prediction: jax.Array, target: jax.Array, scale: jax.Array | float = 1.0
) -> jax.Array:
    """mean |prediction - target| / scale (Beliy).

    Args:
      prediction, target: [n, height, width, channels].
      scale: [channels], mean absolute features of the training pictures.

        >>> zero, one = jnp.zeros((1, 2, 2, 2)), jnp.ones((1, 2, 2, 2))
        >>> float(absolute_feature_loss(zero, one, jnp.array([1.0, 2.0])))
        0.75
    """
    return jnp.mean(jnp.abs(prediction - target) / scale)


def total_variation(images: jax.Array) -> jax.Array:
    """mean of (d_y^2 + d_x^2)^1.25 (Gaziv, Beliy).

    Differences are taken against the bottom-right pixel, over the
    [height - 1, width - 1] pixels that have both neighbours.

    Args:
      images: [n, height, width, channels].

        >>> edge = jnp.zeros((1, 3, 3, 1)).at[:, 2].set(1.0)
        >>> float(total_variation(edge))  # It is in one of two rows.
        0.5
    """
    corner = images[:, 1:, 1:]
    vertical = corner - images[:, :-1, 1:]
    horizontal = corner - images[:, 1:, :-1]
    square = vertical**2 + horizontal**2
    # As `_safe_sqrt`: where a picture is flat, 0 ** .25 would have the
    # derivative NaN.
    positive = square > 0
    return jnp.mean(
        jnp.where(positive, jnp.where(positive, square, 1.0) ** 1.25, 0.0)
    )


def image_loss(
    prediction: jax.Array,
    target: jax.Array,
    prediction_features: Mapping[str, jax.Array],
    target_features: Mapping[str, jax.Array],
    *,
    pixel_weight: float,
    feature_weights: Mapping[str, float],
    variation_weight: float,
    scale: jax.Array | float = 1.0,
    feature_scales: Mapping[str, jax.Array] | None = None,
    pixel_distance: str = 'absolute',
    depth_weight: float = 1.0,
) -> jax.Array:
    """Weighted sum of pixel, feature and total-variation losses.

    Args:
      prediction, target: [n, height, width, 3]; with depth 4 channels, the
        last of them depth; or depth alone, 1.
      prediction_features, target_features: tap -> features; the target's
        carry no gradient.
      pixel_weight: of `pixel_loss`.
      feature_weights: tap -> weight.
      variation_weight: of `total_variation` of the prediction.
      scale: of `pixel_loss`.
      feature_scales: tap -> [channels]: if given, features are compared with
        `absolute_feature_loss` (Beliy), else with `cosine_feature_loss`.
      pixel_distance: of `pixel_loss`.
      depth_weight: of `pixel_loss` of the depth, if there is any.

        >>> black, grey = jnp.zeros((1, 4, 4, 3)), jnp.full((1, 4, 4, 3), 0.5)
        >>> taps = {'pool1': jnp.ones((1, 2, 2, 8))}
        >>> pairs = black, grey, taps, taps
        >>> weights = {'feature_weights': {'pool1': 10}, 'variation_weight': 0}
        >>> round(float(image_loss(*pairs, pixel_weight=2, **weights)), 5)
        1.0
    """
    colours = prediction.shape[-1] // 3 * 3  # Depth is no fourth colour.
    scale = jnp.broadcast_to(scale, prediction.shape[-1:])
    parts = (slice(colours), pixel_weight), (slice(colours, None), depth_weight)
    loss = 0.0
    for part, weight in parts:
        x, y = prediction[..., part], target[..., part]
        if x.size:
            loss += weight * pixel_loss(x, y, scale[part], pixel_distance)
    for tap, weight in feature_weights.items():
        truth = jax.lax.stop_gradient(target_features[tap])
        if feature_scales is None:
            distance = cosine_feature_loss(prediction_features[tap], truth)
        else:
            distance = absolute_feature_loss(
                prediction_features[tap], truth, feature_scales[tap]
            )
        loss += weight * distance
    if variation_weight:
        loss += variation_weight * total_variation(prediction)
    return loss


# fMRI.


def cosine(prediction: jax.Array, target: jax.Array) -> jax.Array:
    """Mean over trials of the cosine over voxels; both [trials, voxels].

    >>> fmri = jnp.array([[1.0, 0.0], [0.0, 1.0]])
    >>> float(cosine(fmri, jnp.array([[2.0, 0.0], [0.0, -1.0]])))
    0.0
    """
    dot = jnp.sum(prediction * target, axis=-1)
    squares = jnp.sum(prediction**2, axis=-1) * jnp.sum(target**2, axis=-1)
    return jnp.mean(dot / jnp.maximum(_safe_sqrt(squares), 1e-8))


def fmri_loss(
    prediction: jax.Array, target: jax.Array, cosine_weight: float = 0.3
) -> jax.Array:
    """mean squared error + weight (1 - cos) / 2: trains the encoder.

    The Keras release and Beliy write -0.1 cos: weight 0.2 here, which differs
    by a constant.

    Args:
      prediction, target: [trials, voxels].
      cosine_weight: 0.3 (Gaziv).

        >>> fmri = jnp.array([[1.0, -1.0]])
        >>> round(float(fmri_loss(-fmri, fmri)), 5)  # 4 + .3
        4.3
    """
    return (
        jnp.mean((prediction - target) ** 2)
        + cosine_weight * (1 - cosine(prediction, target)) / 2
    )


def fmri_cycle_loss(
    prediction: jax.Array,
    target: jax.Array,
    snr: jax.Array | float = 1.0,
    cosine_weight: float = 0.2,
) -> jax.Array:
    """mean(SNR |difference|) + weight (1 - cos) / 2: the DE cycle.

    Args:
      prediction, target: [trials, voxels].
      snr: [voxels], divided by its mean.
      cosine_weight: 0.2 in all releases.

        >>> fmri, snr = jnp.array([[1.0, 1.0]]), jnp.array([0.5, 1.5])
        >>> float(fmri_cycle_loss(2 * fmri, fmri, snr))
        1.0
    """
    return (
        jnp.mean(snr * jnp.abs(prediction - target))
        + cosine_weight * (1 - cosine(prediction, target)) / 2
    )


# Regularisers.


def _shifted(x: jax.Array, neighbours: int, padding: str) -> jax.Array:
    """Mean over the 4 or 8 neighbours in axes 1 and 2 of x [n, h, w, ...]."""
    offsets = [(0, 1), (1, 0), (1, 2), (2, 1)]
    if neighbours == 8:
        offsets += [(0, 0), (0, 2), (2, 0), (2, 2)]
    widths = [(0, 0)] * x.ndim
    widths[1] = widths[2] = (1, 1)
    padded = jnp.pad(x, widths, mode=padding)
    height, width = x.shape[1:3]
    return sum(
        padded[:, y : y + height, z : z + width] for y, z in offsets
    ) / len(offsets)


def neighbour_group_sparsity(
    weights: jax.Array,
    *,
    absolute: float,
    group: float,
    neighbours: int = 8,
    padding: str = 'reflect',
    inverse_snr: jax.Array | float = 1.0,
) -> jax.Array:
    """Sparsity of dense weights over space, grouped over channels.

    absolute mean(|W| inverse_snr) + group mean_{v,y,x} sqrt(mean_c Q), with
    Q = (W^2 + (mean of the neighbours' W^2) / 2) / 1.5.

    Gaziv's decoder: 40, 400, 8 neighbours, 'reflect', inverse SNR; the Keras
    release: 20, 400, 4, 'symmetric'. Beliy's encoder: 10, 800, 4, 'symmetric'.

    Args:
      weights: [voxels, height, width, channels].
      absolute, group: the two coefficients.
      neighbours: 4 or 8.
      padding: 'reflect' or 'symmetric', as NumPy.
      inverse_snr: [voxels], divided by its mean; or 1.

        >>> weights = jnp.ones((5, 4, 4, 3))
        >>> float(neighbour_group_sparsity(weights, absolute=40, group=400))
        440.0
    """
    if not isinstance(inverse_snr, (int, float)):
        inverse_snr = inverse_snr[:, None, None, None]
    square = jnp.mean(weights**2, axis=-1)
    grouped = (square + 0.5 * _shifted(square, neighbours, padding)) / 1.5
    return absolute * jnp.mean(
        jnp.abs(weights) * inverse_snr
    ) + group * jnp.mean(_safe_sqrt(grouped))


def second_moment(space: jax.Array) -> jax.Array:
    """Spread of each voxel's spatial map around its centroid (Gaziv 2.2).

    p = S^2; sum_v sum_xy ((x - cx)^2 + (y - cy)^2) p / (2 d V), with the
    centroid (cx, cy) of p. Not divided by the mass of p, so that it shrinks
    magnitudes too.

    Args:
      space: [d * d, voxels].

        >>> point = jnp.zeros((9, 1)).at[4].set(1.0)
        >>> float(second_moment(point))
        0.0
        >>> float(second_moment(point.at[5].set(1.0)))  # 2 (1/2)^2 / (2 d)
        0.0833333358168602
    """
    d = round(space.shape[0] ** 0.5)
    p = (space**2).reshape(d, d, -1)
    place = jnp.arange(d, dtype=space.dtype)
    mass = jnp.sum(p, axis=(0, 1))
    total = 0.0
    for axis in (0, 1):
        marginal = jnp.sum(p, axis=1 - axis)
        centroid = jnp.sum(place[:, None] * marginal, axis=0) / jnp.where(
            mass > 0, mass, 1.0
        )
        # The moment is least there: moving the centroid does not change it.
        centroid = jax.lax.stop_gradient(centroid)
        total += jnp.sum((place[:, None] - centroid) ** 2 * marginal)
    return total / (2 * d * space.shape[1])


def map_sparsity(
    space: jax.Array,
    *,
    absolute: float = 5e-6,
    neighbour: float = 1e-5,
    padding: str = 'reflect',
) -> jax.Array:
    """absolute sum|S| + neighbour sum sqrt(mean of 4 neighbours' S^2).

    The centre is not among the neighbours.

    Args:
      space: [d * d, voxels].
      absolute, neighbour: the two coefficients.
      padding: 'reflect' (PyTorch release) or 'symmetric' (Keras release).

        >>> point = jnp.zeros((25, 1)).at[12].set(2.0)
        >>> float(map_sparsity(point, absolute=1.0, neighbour=0.0))
        2.0
        >>> float(map_sparsity(point, absolute=0.0, neighbour=1.0))  # 4 (2 / 2)
        4.0
    """
    d = round(space.shape[0] ** 0.5)
    square = (space**2).T.reshape(-1, d, d)
    return absolute * jnp.sum(jnp.abs(space)) + neighbour * jnp.sum(
        _safe_sqrt(_shifted(square, 4, padding))
    )


def sum_absolute(tree) -> jax.Array:
    """sum |x| over all leaves: the L1 penalty.

    >>> float(sum_absolute({'a': jnp.array([-1.0, 2.0]), 'b': 3 * jnp.eye(2)}))
    9.0
    """
    return sum(jnp.sum(jnp.abs(leaf)) for leaf in jax.tree.leaves(tree))


def sum_squares(tree) -> jax.Array:
    """sum x^2 over all leaves: the L2 penalty.

    >>> float(sum_squares({'a': jnp.array([-1.0, 2.0]), 'b': 3 * jnp.eye(2)}))
    23.0
    """
    return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree))


def convolution_kernels(params) -> list[jax.Array]:
    """All convolution kernels [h, w, in, out] of a parameter tree.

    >>> layer = {'kernel': jnp.ones((3, 3, 1, 8)), 'bias': jnp.ones(8)}
    >>> dense = {'kernel': jnp.ones((8, 2))}
    >>> [x.shape for x in convolution_kernels({'c': layer, 'd': dense})]
    [(3, 3, 1, 8)]
    """
    return [
        leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(params)
        if leaf.ndim == 4 and getattr(path[-1], 'key', None) == 'kernel'
    ]

"""Losses of picture inversion: how far a picture's features are from targets.

Pure functions over one layer, [n, height, width, channels] or [n, units], that
return one number a picture, [n]. Shen et al. 2019 use `squared`; the others
are variants of the same group. An objective takes what is searched, `x`
[n, ...], to one loss a picture, [n].
"""

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp

from brainjax.errors import InputError, check_known

Features = Mapping[str, jax.Array]
Objective = Callable[[jax.Array], jax.Array]


def _sum(x: jax.Array) -> jax.Array:
    return jnp.sum(x, axis=tuple(range(1, x.ndim)))


def squared(features: jax.Array, target: jax.Array) -> jax.Array:
    """sum (f - t)^2."""
    return _sum((features - target) ** 2)


def absolute(features: jax.Array, target: jax.Array) -> jax.Array:
    """sum |f - t|."""
    return _sum(jnp.abs(features - target))


def inner(features: jax.Array, target: jax.Array) -> jax.Array:
    """-sum f t, least where f points along t."""
    return -_sum(features * target)


def gram(features: jax.Array, target: jax.Array) -> jax.Array:
    """sum (G - G')^2 / (4 C^2 P^2), with G = F F^T over the P places.

    Units of a fully connected layer count as channels at one place.
    """

    def products(x):
        maps = x.reshape(len(x), -1, x.shape[-1])
        return jnp.einsum('npc,npd->ncd', maps, maps), maps.shape[1]

    ours, places = products(features)
    theirs, _ = products(target)
    size = features.shape[-1] * places
    return _sum((ours - theirs) ** 2) / (4 * float(size) ** 2)


def target_normalised(features: jax.Array, target: jax.Array) -> jax.Array:
    """sum (f - t)^2 / sum t^2; the mean over layers is taken."""
    return relative_error(features, target)


def dists(features: jax.Array, target: jax.Array) -> jax.Array:
    """-(mean similarity + covariance similarity) / 2, channel by channel.

    After Ding et al. 2020, with equal weights where theirs are trained. Units
    of a fully connected layer count as places of one channel.
    """
    if features.ndim == 2:
        features, target = features[:, :, None], target[:, :, None]
    axes = tuple(range(1, features.ndim - 1))
    ours, theirs = jnp.mean(features, axes), jnp.mean(target, axes)
    product = jnp.mean(features * target, axes)
    epsilon = 1e-6  # The authors'; two silent channels agree.
    means = (2 * ours * theirs + epsilon) / (ours**2 + theirs**2 + epsilon)
    covariance = (2 * (product - ours * theirs) + epsilon) / (
        jnp.var(features, axes) + jnp.var(target, axes) + epsilon
    )
    return -jnp.mean(means + covariance, -1) / 2


def relative_error(features: jax.Array, target: jax.Array) -> jax.Array:
    """sum (f - t)^2 / sum t^2; undivided where t is 0."""
    square = _sum(target**2)
    error = squared(features, target)
    return jnp.where(
        square > 0, error / jnp.where(square > 0, square, 1), error
    )


WEIGHTED = {
    'squared': squared,
    'absolute': absolute,
    'inner': inner,
    'gram': gram,
}
# These are of one scale in all layers; their mean over layers counts.
BALANCED = {'target_normalised': target_normalised, 'dists': dists}
LOSSES = WEIGHTED | BALANCED
WEIGHTINGS = ('inverse_square', 'equal')


def layer_weights(
    targets: Features, how: str | Mapping[str, float]
) -> dict[str, jax.Array]:
    """Returns layer -> weight [n] of each picture; they sum to 1.

    Args:
      targets: layer -> [n, ...].
      how: 'inverse_square' for 1 / |t|^2 (Shen et al. 2019), under which the
        squared loss sums the layers' relative errors; 'equal'; or the weights
        themselves, which are not normalised.
    """
    if not isinstance(how, str):
        missing = [layer for layer in targets if layer not in how]
        if missing:
            raise InputError(
                f'The layer weights lack {missing[0]}; give one a layer.'
            )
        return {
            layer: jnp.full(len(target), how[layer])
            for layer, target in targets.items()
        }
    check_known('layer weighting', how, WEIGHTINGS)
    if how == 'equal':
        return {
            layer: jnp.full(len(target), 1 / len(targets))
            for layer, target in targets.items()
        }
    square = {layer: _sum(target**2) for layer, target in targets.items()}
    # A target of zeros has no scale: the layer does not count.
    inverse = {
        layer: jnp.where(x > 0, 1 / jnp.where(x > 0, x, 1), 0)
        for layer, x in square.items()
    }
    total = sum(inverse.values())
    total = jnp.where(total > 0, total, 1)
    return {layer: x / total for layer, x in inverse.items()}


def total(
    features: Features,
    targets: Features,
    weights: Features,
    masks: Features,
    terms: Sequence[tuple[str, float]] = (('squared', 1.0),),
) -> jax.Array:
    """Sums losses over layers, one number a picture.

    Args:
      features, targets: layer -> [n, ...].
      weights: from `layer_weights`.
      masks: layer -> what multiplies features and targets alike, such as 1
        for channels that count and 0 for others; may lack layers.
      terms: (loss, factor), of LOSSES.

    Returns:
      [n].
    """
    result = 0.0
    for layer, target in targets.items():
        ours = features[layer]
        if layer in masks:
            ours, target = ours * masks[layer], target * masks[layer]
        for name, factor in terms:
            weight = weights[layer] if name in WEIGHTED else 1 / len(targets)
            result += factor * weight * LOSSES[name](ours, target)
    return result


def channel_mask(channels: Sequence[int], count: int) -> jax.Array:
    """Returns [count], 1 for the channels (or units) that count."""
    for channel in channels:
        if not 0 <= channel < count:
            raise InputError(
                f'There is no channel {channel}; they are 0 to {count - 1}.'
            )
    return jnp.zeros(count).at[jnp.asarray(channels, int)].set(1.0)


def value_and_gradient(
    objective: Objective, x: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Returns the losses [n] and each one's gradient by its own x."""

    def both(x):
        loss = objective(x)
        # A picture's loss depends on its own x alone: the gradient of the sum
        # is the gradient of each.
        return jnp.sum(loss), loss

    (_, loss), gradient = jax.value_and_grad(both, has_aux=True)(x)
    return loss, gradient

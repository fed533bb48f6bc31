"""First values of parameters as PyTorch and Keras draw them.

The two releases of Gaziv et al. 2022 leave them, and what batch norm is
computed with, to their frameworks; `RELEASES` says what that comes to.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from brainjax.training import parallel

# Standard deviation of a standard normal that is cut off at -2 and 2.
_CUT_OFF = 0.87962566103423978


def torch_uniform(key, shape, dtype=jnp.float32):
    """PyTorch's default for weights: U(-b, b), b = 1 / sqrt(fan in)."""
    bound = math.prod(shape[:-1]) ** -0.5
    return jax.random.uniform(key, shape, dtype, -bound, bound)


def torch_uniform_bias(fan_in: int) -> Callable:
    """PyTorch's default for biases: U(-b, b), b = 1 / sqrt(fan in)."""

    def init(key, shape, dtype=jnp.float32):
        bound = fan_in**-0.5
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init


def keras_fans(shape: Sequence[int]) -> tuple[float, float]:
    """What Keras counts as inputs and outputs of a weight of some shape.

    Two axes are taken as a matrix. With three to five all but the last two
    count as places of a kernel, also where they are not. With one, both are
    the root of its length.
    """
    if len(shape) == 1:
        return shape[0] ** 0.5, shape[0] ** 0.5
    places = math.prod(shape[:-2])
    return shape[-2] * places, shape[-1] * places


def keras_glorot(shape: Sequence[int] | None = None) -> Callable:
    """Keras' 'glorot_normal': deviation sqrt(2 / (fan in + fan out)).

    A normal cut off at two deviations and widened to that one (Glorot and
    Bengio 2010).

    Args:
      shape: that Keras gives the weight, where it is stored in another here.
    """

    def init(key, stored, dtype=jnp.float32):
        deviation = (2 / sum(keras_fans(shape or stored))) ** 0.5 / _CUT_OFF
        drawn = jax.random.truncated_normal(key, -2, 2, stored, dtype)
        return deviation * drawn

    return init


class Release(NamedTuple):
    """What a release leaves to its framework.

    Attributes:
      kernel: initialiser of convolution kernels.
      bias: fan in -> initialiser of their biases.
      momentum, epsilon: of batch norm; momentum is what is kept, as in Flax.
    """

    kernel: Callable
    bias: Callable
    momentum: float
    epsilon: float


RELEASES = {
    'torch': Release(torch_uniform, torch_uniform_bias, 0.9, 1e-5),
    'keras': Release(
        keras_glorot(), lambda fan_in: nn.initializers.zeros, 0.99, 1e-3
    ),
}


class WeightedBatchNorm(nn.BatchNorm):
    """`nn.BatchNorm` that can take its statistics over a part of its rows.

    Parameters and running statistics are Flax's, under the same names.
    """

    @nn.compact
    def __call__(self, x: jax.Array, weight: jax.Array | None = None):
        """Normalises x [n, ..., channels].

        Args:
          x: this device's examples.
          weight: [n], whose mean over all devices is 1: the statistics are
            means over examples weighted so. None for one as much as another,
            and where the running statistics are used.
        """
        if weight is None or self.use_running_average:
            return super().__call__(x)
        number = x.shape[-1:]
        ones, zeros = nn.initializers.ones, nn.initializers.zeros
        running = [
            self.variable('batch_stats', name, init, None, number)
            for name, init in (('mean', zeros), ('var', ones))
        ]
        scale = self.param('scale', ones, number)
        bias = self.param('bias', zeros, number)
        # As Flax: in float32, the variance as a difference of moments.
        wide = x.astype(jnp.float32)
        by_row = weight.reshape(-1, *[1] * (x.ndim - 1))
        axes = tuple(range(x.ndim - 1))
        moments = [jnp.mean(by_row * wide**k, axes) for k in (1, 2)]
        if self.axis_name:
            moments = parallel.mean(moments)
        mean, square = moments
        variance = jnp.maximum(square - mean**2, 0.0)
        for old, new in zip(running, (mean, variance)):
            old.value = self.momentum * old.value + (1 - self.momentum) * new
        rise = jax.lax.rsqrt(variance + self.epsilon) * scale
        return ((wide - mean) * rise + bias).astype(
            jnp.result_type(x, scale, bias)
        )


def batch_norm(
    release: str, train: bool, axis_name: str | None, name: str
) -> WeightedBatchNorm:
    """Returns a release's batch norm, to be called within a module."""
    return WeightedBatchNorm(
        use_running_average=not train,
        momentum=RELEASES[release].momentum,  # PyTorch: .1, of the new.
        epsilon=RELEASES[release].epsilon,
        axis_name=axis_name,
        name=name,
    )

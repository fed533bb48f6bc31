"""The encoder: picture to fMRI, on the features of a frozen backbone.

Both encoders take the backbone's taps, so that the backbone's weights are a
plain argument elsewhere and are never trained by accident.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from brainjax.networks import layers
from brainjax.networks.backbones.feedforward import max_pool
from brainjax.networks.decoder import torch_uniform, torch_uniform_bias


def _batch_norm(train: bool, axis_name: str | None, name: str) -> nn.BatchNorm:
    return nn.BatchNorm(
        use_running_average=not train,
        momentum=0.9,  # PyTorch says 0.1, of the new.
        epsilon=1e-5,  # PyTorch's, as in the published code.
        axis_name=axis_name,
        name=name,
    )


class Adapter(nn.Module):
    """Brings one tap to a common width: norm, pool, conv, ReLU, norm.

    Attributes:
      channels: output channels.
      kernel: width of the convolution, padded by kernel // 2.
      stride: its stride.
      pool: whether a 2x2 max pool comes before it.
      axis_name: device axis of the batch statistics.
    """

    channels: int
    kernel: int
    stride: int
    pool: bool
    axis_name: str | None

    @nn.compact
    def __call__(self, x, train):
        x = _batch_norm(train, self.axis_name, 'norm_in')(x)
        if self.pool:
            x = max_pool(x, 2, 2)
        margin = self.kernel // 2
        x = nn.Conv(
            self.channels,
            (self.kernel, self.kernel),
            strides=self.stride,
            padding=((margin, margin), (margin, margin)),
            kernel_init=torch_uniform,
            bias_init=torch_uniform_bias(self.kernel**2 * x.shape[-1]),
            name='conv',
        )(x)
        return _batch_norm(train, self.axis_name, 'norm_out')(jax.nn.relu(x))


class SeparableEncoder(nn.Module):
    """Space x channel x branch read-out (Gaziv et al. 2022).

    Voxel v of branch b reads 3x3 patches of the adapted features through one
    spatial map, shared by branches of equal size, and one channel vector; the
    branches are mixed with non-negative weights. At 112 px it has
    1980 V + 147 712 trainable parameters for V voxels.

    Attributes:
      voxels: V.
      taps: backbone taps, one a branch.
      pools, kernels, strides: the adapters', one a branch. Strides
        (2, 2, 1, 1) give the Keras release, (2, 2, 2, 1) the PyTorch one.
      channels: of each adapter.
      dropout: on the read-out of space, while training.
      axis_name: device axis of the batch statistics.
    """

    voxels: int
    taps: tuple[str, ...] = ('relu1_2', 'relu2_2', 'relu3_4', 'relu4_4')
    pools: tuple[bool, ...] = (True, False, False, False)
    kernels: tuple[int, ...] = (3, 3, 3, 1)
    strides: tuple[int, ...] = (2, 2, 2, 1)
    channels: int = 32
    dropout: float = 0.5
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self,
        features: Mapping[str, jax.Array],
        train: bool = False,
        keys: jax.Array | None = None,
        folded: Sequence[jax.Array] | None = None,
    ) -> jax.Array:
        """Predicts fMRI.

        Args:
          features: tap -> [n, height, width, channels].
          train: normalise with the batch's statistics.
          keys: [n] typed keys, one an example: if given, dropout is on.
          folded: of `fold`; takes the place of the read-out's parameters.

        Returns:
          [n, voxels].
        """
        mix = self.param(
            'branch_weights',
            nn.initializers.ones,
            (len(self.taps), self.voxels),
        )
        total = 0.0
        for b, tap in enumerate(self.taps):
            x = Adapter(
                self.channels,
                self.kernels[b],
                self.strides[b],
                self.pools[b],
                self.axis_name,
                name=f'branch_{b}',
            )(features[tap], train)
            if folded is not None:
                # Sums over branches are float32, whatever is computed in.
                response = jnp.tensordot(x, folded[b], 3)
                total += response.astype(jnp.float32)
                continue
            seen = self._over_space(x)
            if keys is not None:
                fold = jax.vmap(jax.random.fold_in, (0, None))
                seen = layers.dropout(fold(keys, b), seen, self.dropout)
            kernel, bias = self._channel_mix(b, seen.shape[1])
            # Not an einsum, which would move the voxels to a batch axis.
            response = jnp.sum(seen * kernel, 1, dtype=jnp.float32) + bias
            total += response * jnp.abs(mix[b])
        return total if folded is None else total + folded[-1]

    def fold(
        self, params: Mapping[str, Any], features: Mapping[str, Any]
    ) -> tuple[jax.Array, ...]:
        """Folds space, channels and branch weights into dense weights.

        A frozen read-out then takes an eighth of the multiplications (at 112
        px, without dropout) for 62 720 V numbers in memory.

        Args:
          params: the trained parameters.
          features: tap -> anything with the shape of the tap.

        Returns:
          [height, width, channels, voxels] for each branch, then the bias
          [voxels].
        """
        folded, bias = [], 0.0
        for b, tap in enumerate(self.taps):
            size = features[tap].shape[1] // (2 if self.pools[b] else 1)
            margin = self.kernels[b] // 2 * 2
            size = (size + margin - self.kernels[b]) // self.strides[b] + 1
            width = size - 2  # Places of a 3x3 patch.
            space = params[f'space_{width}'].reshape(width, width, 1, -1)
            mix = params[f'channels_{b}'].reshape(self.channels, 3, 3, -1)
            weight = jnp.abs(params['branch_weights'][b])
            dense = jnp.zeros((size, size, self.channels, self.voxels))
            for i in range(3):
                for j in range(3):
                    dense = dense.at[i : i + width, j : j + width].add(
                        space * (mix[:, i, j] * weight)
                    )
            folded.append(dense)
            bias += params[f'bias_{b}'] * weight
        return (*folded, bias)

    def _over_space(self, x):
        """Weighs the 3x3 patches of x by each voxel's map: [n, 9 c, voxels]."""
        patches = layers.patches(x)
        n, width, _, inputs = patches.shape
        space = self._space_map(width)
        patches = patches.reshape(n, width * width, inputs)
        # One tall product: half the time of the einsum nsc,sv->ncv.
        rows = patches.swapaxes(1, 2).reshape(-1, width * width)
        return (rows @ space).reshape(n, inputs, self.voxels)

    def _space_map(self, width):
        # Branches of one width share their map.
        name = f'space_{width}'
        if self.has_variable('params', name):
            return self.get_variable('params', name)
        return self.param(name, torch_uniform, (width * width, self.voxels))

    def _channel_mix(self, branch, inputs):
        return (
            self.param(
                f'channels_{branch}',
                nn.initializers.variance_scaling(1, 'fan_avg', 'normal'),
                (inputs, self.voxels),
            ),
            self.param(
                f'bias_{branch}',
                nn.initializers.constant(0.01),
                (self.voxels,),
            ),
        )


class DenseEncoder(nn.Module):
    """Convolutions on one tap, then a dense layer (Beliy et al. 2019).

    Attributes:
      voxels: V.
      tap: the backbone's tap.
      layers: strided 3x3 convolutions.
      channels: of each.
      dropout: before the dense layer, while training.
      axis_name: device axis of the batch statistics.
    """

    voxels: int
    tap: str = 'relu1'
    layers: int = 2
    channels: int = 32
    dropout: float = 0.5
    axis_name: str | None = None

    @nn.compact
    def __call__(self, features, train=False, keys=None):
        """As `SeparableEncoder`."""
        x = _batch_norm(train, self.axis_name, 'norm_in')(features[self.tap])
        for i in range(self.layers):
            x = nn.Conv(
                self.channels,
                (3, 3),
                strides=2,
                padding='SAME',
                kernel_init=nn.initializers.glorot_normal(),
                name=f'conv_{i}',
            )(x)
            x = jax.nn.relu(x)
            x = _batch_norm(train, self.axis_name, f'norm_{i}')(x)
        if keys is not None:
            x = layers.dropout(keys, x, self.dropout)
        kernel = self.param(
            'dense',
            nn.initializers.glorot_normal(in_axis=(0, 1, 2)),
            (*x.shape[1:], self.voxels),
        )
        bias = self.param('bias', nn.initializers.zeros, (self.voxels,))
        product = jnp.einsum('nhwc,hwcv->nv', x, kernel)
        return product.astype(jnp.float32) + bias

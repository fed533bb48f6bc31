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
from brainjax.networks.initializers import (
    RELEASES,
    batch_norm,
    keras_glorot,
    torch_uniform,
)
from brainjax.networks.layers import Window


class Adapter(nn.Module):
    """Brings one tap to a common width: norm, pool, conv, ReLU, norm.

    Attributes:
      channels: output channels.
      kernel: width of the convolution.
      stride: its stride.
      pool: whether a 2x2 max pool comes before it.
      release: 'torch' pads by kernel // 2 on both sides; 'keras', with an
        even side at stride 2, more behind than before.
      axis_name: device axis of the batch statistics.
    """

    channels: int
    kernel: int
    stride: int
    pool: bool
    release: str
    axis_name: str | None

    @nn.compact
    def __call__(self, x, train):
        release = RELEASES[self.release]
        x = self._norm(train, 'norm_in')(x)
        if self.pool:
            x = max_pool(x, 2, 2)
        x = nn.Conv(
            self.channels,
            (self.kernel, self.kernel),
            strides=self.stride,
            padding=[self._padding(n) for n in x.shape[1:3]],
            kernel_init=release.kernel,
            bias_init=release.bias(self.kernel**2 * x.shape[-1]),
            name='conv',
        )(x)
        return self._norm(train, 'norm_out')(jax.nn.relu(x))

    def windows(self, n: int) -> list[Window]:
        """How it samples a side of n units; see `layers.unit_centres`."""
        pools = [Window(2, 2)] if self.pool else []
        before, _ = self._padding(n // 2 if self.pool else n)
        return [*pools, Window(self.kernel, self.stride, before)]

    def side(self, n: int) -> int:
        """The units along a side that it makes of n."""
        n = n // 2 if self.pool else n
        return (n + sum(self._padding(n)) - self.kernel) // self.stride + 1

    def _padding(self, n):
        if self.release == 'torch':
            return self.kernel // 2, self.kernel // 2
        total = max(
            (-(-n // self.stride) - 1) * self.stride + self.kernel - n, 0
        )
        return total // 2, total - total // 2

    def _norm(self, train, name):
        return batch_norm(self.release, train, self.axis_name, name)


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
      release: 'torch' or 'keras': whose initialisers, batch norm and padding
        it has; and whether branch weights count by their absolute values or
        are kept from falling below 0 by the optimiser.
      axis_name: device axis of the batch statistics.
    """

    voxels: int
    taps: tuple[str, ...] = ('relu1_2', 'relu2_2', 'relu3_4', 'relu4_4')
    pools: tuple[bool, ...] = (True, False, False, False)
    kernels: tuple[int, ...] = (3, 3, 3, 1)
    strides: tuple[int, ...] = (2, 2, 2, 1)
    channels: int = 32
    dropout: float = 0.5
    release: str = 'torch'
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
            x = self._adapter(b, name=f'branch_{b}')(features[tap], train)
            if folded is not None:
                # Flat, because a product of more axes is turned as a whole for
                # the gradient (.5 GB at 112 px). Sums over branches are
                # float32, whatever is computed in.
                dense = folded[b].reshape(-1, self.voxels)
                response = x.reshape(len(x), -1) @ dense
                total += response.astype(jnp.float32)
                continue
            seen = self._over_space(x)
            if keys is not None:
                fold = jax.vmap(jax.random.fold_in, (0, None))
                seen = layers.dropout(fold(keys, b), seen, self.dropout)
            kernel, bias = self._channel_mix(b, seen.shape[1])
            # Not an einsum, which would move the voxels to a batch axis.
            response = jnp.sum(seen * kernel, 1, dtype=jnp.float32) + bias
            total += response * self._positive(mix[b])
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
            size = self.side(b, features[tap].shape[1])
            width = size - 2  # Places of a 3x3 patch.
            space = params[f'space_{width}'].reshape(width, width, 1, -1)
            mix = params[f'channels_{b}'].reshape(self.channels, 3, 3, -1)
            weight = self._positive(params['branch_weights'][b])
            dense = jnp.zeros((size, size, self.channels, self.voxels))
            for i in range(3):
                for j in range(3):
                    dense = dense.at[i : i + width, j : j + width].add(
                        space * (mix[:, i, j] * weight)
                    )
            folded.append(dense)
            bias += params[f'bias_{b}'] * weight
        return (*folded, bias)

    def mixes(self, params: Mapping[str, Any]) -> list[jax.Array]:
        """Weights of the patches' channels, [9 channels, voxels] a branch."""
        return [
            params[f'channels_{b}'] * self._positive(weight)
            for b, weight in enumerate(params['branch_weights'])
        ]

    def _over_space(self, x):
        """Weighs the 3x3 patches of x by each voxel's map: [n, 9 c, voxels]."""
        patches = layers.patches(x)
        n, width, _, inputs = patches.shape
        space = self._space_map(width)
        patches = patches.reshape(n, width * width, inputs)
        # One tall product: half the time of the einsum nsc,sv->ncv.
        rows = patches.swapaxes(1, 2).reshape(-1, width * width)
        return (rows @ space).reshape(n, inputs, self.voxels)

    def windows(self, branch: int, n: int) -> list[Window]:
        """How a branch's adapter samples a tap of n units a side."""
        return self._adapter(branch, parent=None).windows(n)

    def side(self, branch: int, n: int) -> int:
        """The units a side that it makes of them."""
        return self._adapter(branch, parent=None).side(n)

    def _adapter(self, branch, **options):
        return Adapter(
            self.channels,
            self.kernels[branch],
            self.strides[branch],
            self.pools[branch],
            self.release,
            self.axis_name,
            **options,
        )

    def _positive(self, weights):
        # The Keras release lets its optimiser see to it. An absolute value
        # would keep a weight at 0 for good, where its gradient is 0.
        return jnp.abs(weights) if self.release == 'torch' else weights

    def _space_map(self, width):
        # Branches of one width share their map.
        name = f'space_{width}'
        if self.has_variable('params', name):
            return self.get_variable('params', name)
        init = torch_uniform
        if self.release == 'keras':
            # As if all places of the map and all voxels shared a sum of 2.
            init = nn.initializers.constant(2 / (width**2 + self.voxels))
        return self.param(name, init, (width * width, self.voxels))

    def _channel_mix(self, branch, inputs):
        if self.release == 'torch':
            kernel = nn.initializers.variance_scaling(1, 'fan_avg', 'normal')
            bias = nn.initializers.constant(0.01)
        else:
            kernel = bias = keras_glorot()
        return (
            self.param(f'channels_{branch}', kernel, (inputs, self.voxels)),
            self.param(f'bias_{branch}', bias, (self.voxels,)),
        )


class DenseEncoder(nn.Module):
    """Convolutions on one tap, then a dense layer (Beliy et al. 2019).

    Attributes:
      voxels: V.
      tap: the backbone's tap.
      layers: strided 3x3 convolutions.
      channels: of each.
      dropout: before the dense layer, while training.
      release: 'torch' or 'keras', whose batch norm it has. Initialisers and
        padding are always those of the only release, in Keras.
      axis_name: device axis of the batch statistics.
    """

    voxels: int
    tap: str = 'relu1'
    layers: int = 2
    channels: int = 32
    dropout: float = 0.5
    release: str = 'torch'
    axis_name: str | None = None

    @nn.compact
    def __call__(self, features, train=False, keys=None):
        """As `SeparableEncoder`."""
        x = self._norm(train, 'norm_in')(features[self.tap])
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
            x = self._norm(train, f'norm_{i}')(x)
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

    def _norm(self, train, name):
        return batch_norm(self.release, train, self.axis_name, name)

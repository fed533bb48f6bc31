"""The decoder: fMRI to picture (Gaziv et al. 2022; Beliy et al. 2019)."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from brainjax.errors import InputError, check_known
from brainjax.networks import layers
from brainjax.networks.initializers import (
    RELEASES,
    batch_norm,
    keras_glorot,
    torch_uniform,
    torch_uniform_bias,
)
from brainjax.training import parallel

ACTIVATIONS = {'swish': jax.nn.swish, 'relu': jax.nn.relu}
OPERATIONS = ('upsample', 'conv', 'norm', 'activation')


def grid_of(size: int, blocks: int) -> int:
    """Returns the width of the dense layer's grid."""
    return -(-size // 2**blocks)


class Decoder(nn.Module):
    """A dense layer, then blocks that double the grid, then a sigmoid.

    With the defaults and 112-px pictures it has 12544 V + 325 123 parameters
    for V voxels.

    Attributes:
      size: height and width of the picture in pixels.
      blocks: doublings; the dense layer's grid is size / 2**blocks wide,
        rounded up, and what is then too wide is cut off on all sides.
      channels: feature maps of every block.
      kernel: width of the convolutions.
      upsampling: 'bicubic', 'bilinear' or 'nearest'.
      padding: 'reflect' or 'zero'.
      activation: 'swish' or 'relu'.
      norm: 'group' or 'batch'.
      groups: groups of the group norm.
      order: 'upsample, conv, norm, activation' for every block, separated by
        spaces, in the order of computation.
      release: 'torch' or 'keras', whose initialisers and batch norm it has.
      axis_name: device axis over which batch norm takes its statistics, and
        over which the dense kernel's gradient is the mean (`parallel.product`);
        None for one device.
      outputs: channels of the picture: 4 with depth, 1 for depth alone.
    """

    size: int = 112
    blocks: int = 3
    channels: int = 64
    kernel: int = 5
    upsampling: str = 'bicubic'
    padding: str = 'reflect'
    activation: str = 'swish'
    norm: str = 'group'
    groups: int = 32
    order: str = 'upsample conv norm activation'
    release: str = 'torch'
    axis_name: str | None = None
    outputs: int = 3

    @nn.compact
    def __call__(
        self,
        fmri: jax.Array,
        train: bool = False,
        weight: jax.Array | None = None,
    ) -> jax.Array:
        """Maps fmri [n, voxels] to images [n, size, size, outputs] in 0..1.

        Args:
          fmri: of each example.
          train: normalise with the batch's statistics.
          weight: [n] of examples in these, see `WeightedBatchNorm`; or None.
        """
        base = grid_of(self.size, self.blocks)
        if self.size < 2**self.blocks:
            raise InputError(
                f'A decoder with {self.blocks} blocks, each of which doubles '
                f'the grid, cannot make pictures of {self.size} px; choose '
                'fewer blocks.'
            )
        if self.kernel % 2 == 0:
            raise InputError(
                f'A decoder with kernels {self.kernel} wide would shift and '
                'grow its pictures; choose an odd number.'
            )
        kernel, bias = self._dense_initialisers(base, fmri.shape[-1])
        x = nn.Dense(
            base * base * self.channels,
            kernel_init=kernel,
            bias_init=bias,
            dot_general=_exchanging_factors if self.axis_name else None,
            name='dense',
        )(fmri)
        x = x.reshape(-1, base, base, self.channels)
        for block in range(self.blocks):
            for operation in self.order.split():
                x = self._apply(operation, x, block, train, weight)
        x = self._conv(x, self.outputs, 'top')
        start = (x.shape[1] - self.size) // 2
        x = x[:, start:, start:][:, : self.size, : self.size]
        # Pictures are float32, whatever is computed in.
        return jax.nn.sigmoid(x.astype(jnp.float32))

    def _dense_initialisers(self, base, voxels):
        if self.release == 'torch':
            return torch_uniform, torch_uniform_bias(voxels)
        # Keras holds them as pictures, and takes their axes for a kernel's.
        grid = (base, base, self.channels)
        return keras_glorot((*grid, voxels)), keras_glorot(grid)

    def _apply(self, operation, x, block, train, weight):
        if operation == 'upsample':
            return layers.upsample(x, self.upsampling)
        if operation == 'conv':
            return self._conv(x, self.channels, f'conv_{block}')
        if operation == 'activation':
            check_known('activation', self.activation, ACTIVATIONS)
            return ACTIVATIONS[self.activation](x)
        check_known('operation', operation, OPERATIONS)
        check_known('norm', self.norm, ('group', 'batch'))
        if self.norm == 'group':
            if x.shape[-1] % self.groups:
                raise InputError(
                    f'{x.shape[-1]} channels of the decoder do not divide '
                    f'into {self.groups} groups; choose a divisor.'
                )
            return nn.GroupNorm(
                self.groups,
                epsilon=1e-5,  # PyTorch's; Flax's is 1e-6.
                name=f'norm_{block}',
            )(x)
        norm = batch_norm(self.release, train, self.axis_name, f'norm_{block}')
        return norm(x, weight)

    def _conv(self, x, channels, name):
        # Flax's own padding knows no 'reflect'.
        x = layers.pad(x, self.kernel // 2, self.padding)
        return nn.Conv(
            channels,
            (self.kernel, self.kernel),
            padding='VALID',
            kernel_init=RELEASES[self.release].kernel,
            bias_init=RELEASES[self.release].bias(self.kernel**2 * x.shape[-1]),
            conv_general_dilated=_without_padding,
            name=name,
        )(x)


def _exchanging_factors(x, kernel, *unused, **also_unused):
    """`parallel.product` in the place where Flax calls JAX's."""
    del unused, also_unused
    return parallel.product(x, kernel)


def _without_padding(x, kernel, *unused, **also_unused):
    """`layers.convolve` in the place where Flax calls JAX's."""
    del unused, also_unused
    return layers.convolve(x, kernel)

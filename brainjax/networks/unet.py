"""A small U-Net whose output is as large as its input.

Ho et al. 2020's, without attention: at each scale a residual block down and
one up, told the time by scale and shift after the first norm (Dhariwal &
Nichol 2021).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

TIMES = 64  # Sines and cosines of the time.


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut; the second begins at 0.

    Without a time there is no scale and shift.

    Attributes:
      channels: of the output.
      groups: of the norms; divides the channels of input and output.
    """

    channels: int
    groups: int

    @nn.compact
    def __call__(self, x, time=None):
        y = self._conv('first')(jax.nn.silu(self._norm('norm')(x)))
        y = self._norm('norm_time')(y)
        if time is not None:
            told = nn.Dense(2 * self.channels, name='time')(time)
            scale, shift = jnp.split(told[:, None, None], 2, -1)
            y = y * (1 + scale) + shift
        y = self._conv('second', nn.initializers.zeros)(jax.nn.silu(y))
        if x.shape[-1] != self.channels:
            x = nn.Dense(self.channels, name='shortcut')(x)
        return x + y

    def _norm(self, name):
        return nn.GroupNorm(num_groups=self.groups, name=name)

    def _conv(self, name, init=None):
        init = init or nn.initializers.lecun_normal()
        return nn.Conv(self.channels, (3, 3), kernel_init=init, name=name)


class UNet(nn.Module):
    """x [n, height, width, c], time [n] in 0..1 -> [n, height, width, out].

    Attributes:
      channels: of each scale, the finest first; each halves the grid.
      out: channels of the output, which is 0 before training.
      groups: of the norms.
      patch: side of the squares of pixels that the first layer takes as one.
    """

    channels: tuple[int, ...] = (32, 64, 128)
    out: int = 3
    groups: int = 8
    patch: int = 1

    @nn.compact
    def __call__(self, x, time):
        height, width = x.shape[1:3]
        step = self.patch * 2 ** (len(self.channels) - 1)
        # Pictures of any size: the margin repeats the edge and is cut off.
        more = [(0, -side % step) for side in (height, width)]
        x = jnp.pad(x, ((0, 0), *more, (0, 0)), mode='edge')
        time = self._time(time)
        x = nn.Conv(self.channels[0], (3, 3), name='stem')(
            to_depth(x, self.patch)
        )
        seen = []
        for i, channels in enumerate(self.channels):
            if i:
                x = nn.avg_pool(x, (2, 2), (2, 2))
            x = Block(channels, self.groups, name=f'down_{i}')(x, time)
            seen.append(x)
        for i in reversed(range(len(self.channels) - 1)):
            x = nn.Dense(self.channels[i], name=f'join_{i}')(x)
            x = x.repeat(2, axis=1).repeat(2, axis=2) + seen[i]
            x = Block(self.channels[i], self.groups, name=f'up_{i}')(x, time)
        x = jax.nn.silu(nn.GroupNorm(self.groups, name='norm')(x))
        x = nn.Conv(
            self.out * self.patch**2,
            (3, 3),
            kernel_init=nn.initializers.zeros,
            name='head',
        )(x)
        return from_depth(x, self.patch)[:, :height, :width]

    def _time(self, time):
        angles = time[:, None] * jnp.exp(
            jnp.linspace(0.0, jnp.log(1000.0), TIMES // 2)
        )
        waves = jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)
        hidden = jax.nn.silu(nn.Dense(2 * TIMES, name='time_0')(waves))
        return jax.nn.silu(nn.Dense(2 * TIMES, name='time_1')(hidden))


def to_depth(x: jax.Array, patch: int) -> jax.Array:
    """[n, h, w, c] -> [n, h / patch, w / patch, patch^2 c]."""
    n, height, width, channels = x.shape
    x = x.reshape(
        n, height // patch, patch, width // patch, patch, channels
    ).swapaxes(2, 3)
    return x.reshape(n, height // patch, width // patch, -1)


def from_depth(x: jax.Array, patch: int) -> jax.Array:
    """The inverse of `to_depth`."""
    n, height, width, _ = x.shape
    x = x.reshape(n, height, width, patch, patch, -1).swapaxes(2, 3)
    return x.reshape(n, height * patch, width * patch, -1)

"""A variational autoencoder of pictures whose latents are a small picture.

Rombach et al. 2022's, with KL regularisation, without attention and without a
discriminator: residual blocks on grids that halve, the first layer taking
squares of pixels as one. Its halves are called as the VAE-GAN's are: encoder
and generator.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from brainjax.networks.unet import Block, from_depth, to_depth
from brainjax.networks.vaegan import Posterior

# Of log sigma: beyond, a latent is exact, or says nothing.
SMALLEST, LARGEST = -10.0, 3.0


class Encoder(nn.Module):
    """Picture to the posterior of its latents.

    Attributes:
      latents: at each place of the grid.
      channels: of each scale, the finest first; each but that halves the grid.
      groups: of the norms.
      patch: side of the squares of pixels that are the finest grid.
    """

    latents: int
    channels: tuple[int, ...]
    groups: int = 8
    patch: int = 4

    @nn.compact
    def __call__(self, images: jax.Array) -> Posterior:
        """Maps [n, height, width, c] in 0..1 to [n, *grid, latents] twice."""
        step = factor(self.patch, self.channels)
        # Pictures of any size: the margin repeats the edge.
        more = [(0, -side % step) for side in images.shape[1:3]]
        x = jnp.pad(images, ((0, 0), *more, (0, 0)), mode='edge')
        x = nn.Conv(self.channels[0], (3, 3), name='stem')(
            to_depth(2 * x - 1, self.patch)
        )
        for i, channels in enumerate(self.channels):
            if i:
                x = nn.avg_pool(x, (2, 2), (2, 2))
            x = Block(channels, self.groups, name=f'block_{i}')(x)
        x = jax.nn.silu(nn.GroupNorm(self.groups, name='norm')(x))
        x = nn.Conv(2 * self.latents, (3, 3), name='head')(x)
        mean, log_sigma = jnp.split(x, 2, -1)
        return Posterior(mean, log_sigma.clip(SMALLEST, LARGEST))


class Generator(nn.Module):
    """Latents to picture.

    Attributes:
      shape: (height, width, channels) of the picture.
      channels, groups, patch: as in `Encoder`.
    """

    shape: tuple[int, int, int]
    channels: tuple[int, ...]
    groups: int = 8
    patch: int = 4

    @nn.compact
    def __call__(self, latents: jax.Array) -> jax.Array:
        """Maps [n, *grid, latents] to [n, *shape], in 0..1 where it is good."""
        height, width, colours = self.shape
        x = nn.Conv(self.channels[-1], (3, 3), name='stem')(latents)
        for i in reversed(range(len(self.channels))):
            if i < len(self.channels) - 1:
                x = nn.Dense(self.channels[i], name=f'join_{i}')(x)
                x = x.repeat(2, axis=1).repeat(2, axis=2)
            x = Block(self.channels[i], self.groups, name=f'block_{i}')(x)
        x = jax.nn.silu(nn.GroupNorm(self.groups, name='norm')(x))
        x = nn.Conv(colours * self.patch**2, (3, 3), name='head')(x)
        return (from_depth(x, self.patch)[:, :height, :width] + 1) / 2


def factor(patch: int, channels: tuple[int, ...]) -> int:
    """Returns how many pixels a place of the grid is wide."""
    return patch * 2 ** (len(channels) - 1)


def grid(
    shape: tuple[int, int, int], patch: int, channels: tuple[int, ...]
) -> tuple[int, int]:
    """Returns height and width of the latents of pictures of a shape."""
    height, width = (-(-s // factor(patch, channels)) for s in shape[:2])
    return height, width

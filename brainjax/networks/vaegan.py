"""The VAE-GAN for faces (VanRullen & Reddy 2019; Larsen et al. 2016).

Three networks: an encoder from picture to latents, a generator from latents
to picture, and a discriminator that tells pictures from generated ones. Once
trained, two functions are all there is:

    latents = vaegan.encode(variables, images)
    images = vaegan.generate(variables, latents)

`variables` is {'params', 'batch_stats'}, each with 'encoder', 'generator'
and, in training, 'discriminator'. The sizes follow from the arrays.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.ad_checkpoint import checkpoint_name

from brainjax.errors import InputError, check_known
from brainjax.networks import layers
from brainjax.pictures.operations import check_kind
from brainjax.training.batches import map_batches

# Published: a picture of 128 px is halved five times, to a grid of 4 x 4.
SIZE = 128
LATENTS = 1024
CHANNELS = (192, 256, 384, 512, 768)
# Of the generator: of its dense grid and of all layers but the last, RGB.
GENERATOR_CHANNELS = (1024, 512, 384, 256, 192)

# Ours: with batch norm before it, the tanh of mu begins with latents of this
# standard deviation, far from its ends.
MU_SCALE = 0.5
# Ours: standard deviation of principal components before it; a tanh bends
# larger ones.
LINEAR_SCALE = 0.25

# By what name `jax.checkpoint` knows what a transposed convolution gives.
TRANSPOSED = 'transposed_convolution'

_XAVIER = nn.initializers.xavier_uniform()


class Posterior(NamedTuple):
    """Mean and log standard deviation of latents, [n, ..., latents] each."""

    mean: jax.Array
    log_sigma: jax.Array


def kl_divergence(posterior: Posterior) -> jax.Array:
    """Returns KL(posterior || N(0, 1)), summed over latents, [n, ...].

    -1/2 sum(1 + 2 log sigma - mu^2 - sigma^2).
    """
    mean, log_sigma = posterior
    return -0.5 * jnp.sum(
        1 + 2 * log_sigma - mean**2 - jnp.exp(2 * log_sigma), axis=-1
    )


def _norm(
    axis_name: str | None,
    train: bool,
    name: str = 'norm',
    scale: nn.initializers.Initializer = nn.initializers.ones,
) -> nn.BatchNorm:
    return nn.BatchNorm(
        use_running_average=not train,
        scale_init=scale,
        # The authors' values; Flax's own are .99 and 1e-5.
        momentum=0.9,
        epsilon=1e-6,
        axis_name=axis_name,
        name=name,
    )


class Layer(nn.Module):
    """A convolution that halves the grid, perhaps batch norm, then ELU."""

    channels: int
    norm: bool = True
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Maps [n, height, width, c] to [n, height/2, width/2, channels]."""
        x = nn.Conv(
            self.channels,
            (3, 3),
            (2, 2),
            padding='SAME',
            kernel_init=_XAVIER,
            name='convolution',
        )(x)
        return nn.elu(_norm(self.axis_name, train)(x) if self.norm else x)


class TransposedConvolution(nn.Module):
    """`layers.transposed_convolve` with a bias."""

    channels: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [n, height, width, c] to [n, 2 height, 2 width, channels]."""
        shape = (3, 3, self.channels, x.shape[-1])
        kernel = self.param('kernel', _XAVIER, shape)
        bias = self.param('bias', nn.initializers.zeros, (self.channels,))
        y = layers.transposed_convolve(x, kernel)
        return checkpoint_name(y, TRANSPOSED) + bias


class TransposedLayer(nn.Module):
    """A transposed convolution that doubles the grid, batch norm, ELU.

    It is the gradient of the halving convolution of the same width. Its
    kernel is [3, 3, outputs, inputs], as TensorFlow has it.
    """

    channels: int
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Maps [n, height, width, c] to [n, 2 height, 2 width, channels]."""
        x = TransposedConvolution(self.channels, name='convolution')(x)
        return nn.elu(_norm(self.axis_name, train)(x))


class Fixed(nn.Module):
    """A linear map that training leaves as it is; zero at first."""

    features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [n, ...] to [n, features]."""
        x = x.reshape(len(x), -1)
        zeros = nn.initializers.zeros
        kernel = self.param('kernel', zeros, (x.shape[1], self.features))
        bias = self.param('bias', zeros, (self.features,))
        return x @ jax.lax.stop_gradient(kernel) + jax.lax.stop_gradient(bias)


class Encoder(nn.Module):
    """Picture to the posterior of its latents.

    Attributes:
      latents: how many; also the width of the dense layer before them.
      channels: of the layers, each of which halves the grid.
      sigma: centre and greatest distance from it of log sigma. Published:
        0 and 0.5.
      normalise: whether there is batch norm before the tanh of mu, with
        factors that begin at `MU_SCALE`. Published: no.
      linear: whether a linear map of the picture is added before it; see
        `methods.faces.networks`. Published: no.
      axis_name: device axis over which batch norm takes its statistics.
    """

    latents: int = LATENTS
    channels: Sequence[int] = CHANNELS
    sigma: tuple[float, float] = (0.0, 0.5)
    normalise: bool = False
    linear: bool = False
    axis_name: str | None = None

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Posterior:
        """Maps images [n, size, size, 3] in 0..1 to a `Posterior`."""
        x = images
        for i, channels in enumerate(self.channels, 1):
            x = Layer(channels, axis_name=self.axis_name, name=f'layer{i}')(
                x, train
            )
        dense = functools.partial(nn.Dense, self.latents, kernel_init=_XAVIER)
        x = dense(name='fc')(x.reshape(len(x), -1))  # No activation.
        mu = dense(name='mu')(x)
        if self.normalise:
            scale = nn.initializers.constant(MU_SCALE)
            mu = _norm(self.axis_name, train, 'mu_norm', scale)(mu)
        if self.linear:
            mu += Fixed(self.latents, name='linear')(images)
        centre, reach = self.sigma
        # Bounded, so that neither KL nor sampling can run away; what is
        # decoded from fMRI is not bound to -1..1.
        return Posterior(
            jnp.tanh(mu),
            centre + reach * jnp.tanh(dense(name='log_sigma')(x)),
        )


class Generator(nn.Module):
    """Latents to picture.

    The last layer has its batch norm and ELU too, so that a picture's values
    lie above -1; see `displayed`.

    Attributes:
      size: height and width of the picture in pixels.
      channels: of the dense grid, then of all layers but the last.
      linear: whether a linear map of the latents is added to the picture; see
        `methods.faces.networks`. Published: no.
      axis_name: device axis over which batch norm takes its statistics.
    """

    size: int = SIZE
    channels: Sequence[int] = GENERATOR_CHANNELS
    linear: bool = False
    axis_name: str | None = None

    @nn.compact
    def __call__(self, latents: jax.Array, train: bool = False) -> jax.Array:
        """Maps latents [n, latents] to [n, size, size, 3], above -1."""
        first, *others = self.channels
        base = grid(self.size, len(self.channels))
        x = nn.Dense(base * base * first, kernel_init=_XAVIER, name='fc')(
            latents
        )
        x = nn.elu(x).reshape(-1, base, base, first)
        for i, channels in enumerate((*others, 3), 1):
            x = TransposedLayer(channels, self.axis_name, name=f'layer{i}')(
                x, train
            )
        if self.linear:
            x += Fixed(x[0].size, name='linear')(latents).reshape(x.shape)
        return x


class Discriminator(nn.Module):
    """Picture to one logit, high for pictures and low for generated ones.

    The encoder's layers without batch norm: what it says of a picture does
    not depend on the others of its batch.

    Attributes:
      channels: of the layers, each of which halves the grid.
    """

    channels: Sequence[int] = CHANNELS

    @nn.compact
    def __call__(self, images: jax.Array) -> tuple[jax.Array, list[jax.Array]]:
        """Returns logits [n], and the output of every layer."""
        x, features = images, []
        for i, channels in enumerate(self.channels, 1):
            x = Layer(channels, norm=False, name=f'layer{i}')(x)
            features.append(x)
        x = nn.Dense(1, kernel_init=_XAVIER, name='fc')(x.reshape(len(x), -1))
        return x[:, 0], features


def grid(size: int, layers: int) -> int:
    """Returns the width of the grid that is left of a picture."""
    base = size // 2**layers
    if layers == 0 or base == 0 or base * 2**layers != size:
        raise InputError(
            f'A picture of {size} px cannot be halved by {layers} layers; '
            f'choose a size that is a multiple of {2**layers}, or other '
            'numbers of channels.'
        )
    return base


def check_brightness(brightness: str) -> None:
    """Refuses what `displayed` does not know."""
    check_known('brightness', brightness, ('maximum', 'clip'))


def displayed(images: jax.Array, brightness: str = 'maximum') -> jax.Array:
    """Brings the generator's pictures [n, size, size, 3] to 0..1.

    Args:
      images: values above -1.
      brightness: 'maximum' divides each picture by its own greatest value,
        as the authors do for one picture (in a batch of theirs a picture
        depends on those before it); 'clip' does not. Both clip.
    """
    check_brightness(brightness)
    if brightness == 'maximum':
        greatest = images.max(axis=(1, 2, 3), keepdims=True)
        # A picture without a positive value stays black.
        images = images / jnp.maximum(greatest, 1e-6)
    return images.clip(0, 1)


def encode(variables: Any, images: np.ndarray) -> np.ndarray:
    """Returns the latents' posterior means, which are the latents of pictures.

    Args:
      variables: of a trained VAE-GAN.
      images: [n, size, size, 3], uint8 or floats in 0..1.

    Returns:
      [n, latents] float32 in -1..1.
    """
    own, images = _of('encoder', variables), np.asarray(images)
    check_kind(images)
    return map_batches(functools.partial(_encode, own), images)


def generate(
    variables: Any, latents: np.ndarray, brightness: str = 'maximum'
) -> np.ndarray:
    """Returns the pictures of latents, which need not lie in -1..1.

    Args:
      variables: of a trained VAE-GAN.
      latents: [n, latents].
      brightness: see `displayed`.

    Returns:
      [n, size, size, 3] float32 in 0..1.
    """
    own = _of('generator', variables)
    return map_batches(
        functools.partial(_generate, own, brightness=brightness),
        np.asarray(latents, np.float32),
    )


def _of(name: str, variables: Any) -> dict[str, Any]:
    return {part: variables[part][name] for part in ('params', 'batch_stats')}


@jax.jit
def _encode(variables, images):
    if images.dtype == jnp.uint8:
        images = images.astype(jnp.float32) / 255
    return encoder_of(variables['params']).apply(variables, images).mean


@functools.partial(jax.jit, static_argnames='brightness')
def _generate(variables, latents, brightness):
    generator = generator_of(variables['params'])
    return displayed(generator.apply(variables, latents), brightness)


def encoder_of(params: Any) -> Encoder:
    """Returns the encoder with these parameters, but for bounds of sigma."""
    return Encoder(
        len(params['mu']['bias']),
        channels(params),
        normalise='mu_norm' in params,
        linear='linear' in params,
    )


def generator_of(params: Any) -> Generator:
    """Returns the generator with these parameters."""
    return Generator(
        picture_size(params), channels(params), linear='linear' in params
    )


def channels(params: Any) -> tuple[int, ...]:
    """Returns an encoder's channels, or a generator's, of its parameters."""
    layers = sum(name.startswith('layer') for name in params)
    return tuple(
        params[f'layer{i}']['convolution']['kernel'].shape[-1]
        for i in range(1, 1 + layers)
    )


def picture_size(params: Any) -> int:
    """Returns the width of a generator's pictures, of its parameters."""
    first, *others = channels(params)
    # The dense layer's outputs are a square grid of `first` channels.
    base = round((len(params['fc']['bias']) / first) ** 0.5)
    return base * 2 ** (1 + len(others))

"""The VAE-GAN's networks, built or loaded as a config says."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError
from brainjax.networks import vaegan
from brainjax.networks.weights import vaegan as vaegan_weights
from brainjax.training import parallel
from brainjax.training import state as training_state

PARTS = ('encoder', 'generator', 'discriminator')


def build(
    config: ConfigDict,
) -> tuple[vaegan.Encoder, vaegan.Generator, vaegan.Discriminator]:
    """Returns the Flax modules that `config.networks` describes."""
    c = config.networks
    encoder, generator, discriminator = (
        tuple(max(1, round(c.width * n)) for n in channels)
        for channels in (
            c.channels,
            c.generator_channels,
            c.discriminator_channels,
        )
    )
    for channels in (encoder, generator, discriminator):
        vaegan.grid(config.size, len(channels))
    return (
        vaegan.Encoder(
            c.latents,
            encoder,
            tuple(c.log_sigma),
            normalise=c.normalise_mu,
            linear=c.linear,
            axis_name=parallel.AXIS,
        ),
        vaegan.Generator(
            config.size, generator, linear=c.linear, axis_name=parallel.AXIS
        ),
        vaegan.Discriminator(discriminator),
    )


def initialise(config: ConfigDict, key: jax.Array) -> dict[str, Any]:
    """Returns the networks' first variables, {'params', 'batch_stats'}."""
    picture = jnp.zeros((1, config.size, config.size, 3))
    inputs = picture, jnp.zeros((1, config.networks.latents)), picture
    variables = {
        part: training_state.initialise(module, each, x)
        for part, module, each, x in zip(
            PARTS, build(config), jax.random.split(key, 3), inputs
        )
    }
    # From one state a network to one state of all: training updates them in
    # one step. The discriminator has no batch norm, so no statistics.
    return {
        kind: {
            part: held[kind] for part, held in variables.items() if kind in held
        }
        for kind in ('params', 'batch_stats')
    }


def start_as_components(
    params: Any, mean: np.ndarray, components: np.ndarray, std: np.ndarray
) -> dict[str, Any]:
    """Makes a VAE-GAN with linear paths begin as principal components.

    The encoder's fixed map gives the picture's scores with the standard
    deviation LINEAR_SCALE, the generator's the picture of these; what the
    layers add to both begins at zero, and learns what is not linear.

    Args:
      params: {'encoder', 'generator', ...} with `linear` in both.
      mean: [size, size, 3] of the training pictures.
      components: [latents, size, size, 3], orthonormal.
      std: [latents] of the training scores.

    Returns:
      The parameters, changed.
    """
    basis = components.reshape(len(components), -1)
    scale = vaegan.LINEAR_SCALE / np.maximum(std, 1e-6 * std.max())
    # The best linear inverse of tanh for normal scores: E[st] / E[t^2].
    draws = np.random.default_rng(0).standard_normal(100_000)
    bent = np.tanh(vaegan.LINEAR_SCALE * draws)
    slope = vaegan.LINEAR_SCALE * (draws * bent).mean() / (bent**2).mean()
    forth = basis.T * scale
    encoder, generator = dict(params['encoder']), dict(params['generator'])
    encoder['linear'] = {
        'kernel': jnp.float32(forth),
        'bias': jnp.float32(-mean.ravel() @ forth),
    }
    generator['linear'] = {
        'kernel': jnp.float32(basis * (slope / scale)[:, None]),
        'bias': jnp.float32(mean.ravel()),
    }
    last = f'layer{len(vaegan.channels(generator))}'
    normed = 'mu_norm' in encoder
    zero = functools.partial(jax.tree.map, jnp.zeros_like)
    at = ('mu_norm', 'scale') if normed else ('mu', 'kernel')
    encoder[at[0]] = encoder[at[0]] | {at[1]: zero(encoder[at[0]][at[1]])}
    generator[last] = generator[last] | {'norm': zero(generator[last]['norm'])}
    return dict(params) | {'encoder': encoder, 'generator': generator}


def load(config: ConfigDict) -> dict[str, Any]:
    """Reads the trained VAE-GAN of `config.networks.weights`.

    It is a safetensors file of ours or the authors' TensorFlow checkpoint, and
    must be for pictures and latents of the config's sizes.
    """
    path = config.networks.weights
    read = (
        vaegan_weights.load
        if path.endswith('.safetensors')
        else vaegan_weights.from_tensorflow
    )
    variables = read(path)
    check_sizes(variables, config, path)
    return variables


def check_sizes(variables: Any, config: ConfigDict, where: str) -> None:
    """Refuses a VAE-GAN for other pictures or latents than the config's."""
    generator = variables['params']['generator']
    found = (
        vaegan.picture_size(generator),
        generator['fc']['kernel'].shape[0],
    )
    if found != (config.size, config.networks.latents):
        raise InputError(
            f'{where} is for pictures of {found[0]} px and {found[1]} latents; '
            'set config.size and config.networks.latents to that.'
        )


def reconstruct(
    config: ConfigDict, variables: Any, images: np.ndarray
) -> np.ndarray:
    """Encodes pictures and generates them again, [n, size, size, 3] in 0..1."""
    latents = vaegan.encode(variables, images)
    return vaegan.generate(variables, latents, config.networks.brightness)

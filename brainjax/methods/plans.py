"""What each method would train, from shapes alone: `brainjax run --dry-run`."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict, FrozenConfigDict

from brainjax.methods.faces import data as faces_data
from brainjax.methods.faces import networks as faces_networks
from brainjax.methods.inversion import data as inversion_data
from brainjax.methods.inversion import networks as inversion_networks
from brainjax.methods.posterior import data as posterior_data
from brainjax.methods.posterior import networks as posterior_networks
from brainjax.methods.selfsup import choice
from brainjax.methods.selfsup import data as selfsup_data
from brainjax.methods.selfsup import networks as selfsup_networks
from brainjax.methods.selfsup.config import settled
from brainjax.recordings import Recording


class Stage(NamedTuple):
    """A part of a fit.

    Attributes:
      name: of what is fitted.
      parameters: numbers in networks that are trained.
      steps: of their training.
      frozen: numbers in networks that are not.
      note: what else there is to say.
    """

    name: str
    parameters: int = 0
    steps: int = 0
    frozen: int = 0
    note: str = ''


def _numbers(tree: Any) -> int:
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(tree))


def _trained(module: nn.Module, *inputs: Any) -> int:
    """Returns how many parameters a module has, from shapes alone."""
    variables = jax.eval_shape(module.init, jax.random.key(0), *inputs)
    return _numbers(variables['params'])


def _selfsup(config: ConfigDict, recording: Recording) -> list[Stage]:
    size = recording.stimuli.images.shape[1]
    config = FrozenConfigDict(settled(config, size))
    selfsup_data.check(config, recording)
    note = ''
    if config.decoder.choose == 'validation':
        choice.check(config, recording)
        tried = len(config.decoder.candidates)
        note = (
            f'before that, {tried} settings in {config.decoder.choice_folds} '
            f'folds with {config.decoder.choice_epochs:g} of the epochs'
        )
    frozen = [
        jax.eval_shape(
            functools.partial(
                selfsup_networks.load_backbone,
                *(section, 0, config.compute_dtype, config.size),
            )
        )
        for section in (config.encoder, config.image_loss)
    ]
    features = selfsup_networks.feature_shapes(config, frozen[0])
    encoder = selfsup_networks.build_encoder(config, recording.voxels)
    fmri = jax.ShapeDtypeStruct((1, recording.voxels), jnp.float32)
    decoder = selfsup_networks.build_decoder(config)
    stages = []
    for name, module, seen, held, told in (
        ('encoder', encoder, features, frozen[0], ''),
        ('decoder', decoder, fmri, frozen[1], note),
    ):
        section = config[name]
        numbers, steps = _trained(module, seen), section.epochs * section.steps
        stages.append(Stage(name, numbers, steps, _numbers(held), told))
    return stages


def _inversion(config: ConfigDict, recording: Recording) -> list[Stage]:
    inversion_data.check(config, recording)
    network = inversion_networks.build_network(config)
    shapes = inversion_networks.feature_shapes(
        network, config.network.layers, config.network.size
    )
    units = sum(int(np.prod(shape)) for shape in shapes.values())
    voxels = min(config.decoding.k or recording.voxels, recording.voxels)
    return [
        Stage(
            'ridge',
            note=f'from {voxels} voxels each to {units:,} units of '
            f'{len(config.network.layers)} layers, in closed form',
        ),
        Stage(
            'search of pictures',
            frozen=_numbers(network.params),
            note=f'{config.inversion.steps} steps a picture',
        ),
    ]


def _faces(config: ConfigDict, recording: Recording) -> list[Stage]:
    config = FrozenConfigDict(config)
    faces_data.check(recording, config)
    c, note = config.training, 'from latents to voxels, in closed form'
    if config.networks.weights:
        variables = faces_networks.load(config)
        stage = Stage('VAE-GAN', frozen=_numbers(variables), note='loaded')
        return [stage, Stage('map', note=note)]
    picture = jnp.zeros((1, config.size, config.size, 3))
    inputs = picture, jnp.zeros((1, config.networks.latents)), picture
    numbers = sum(map(_trained, faces_networks.build(config), inputs))
    return [
        Stage('VAE-GAN', numbers, c.epochs * c.steps),
        Stage('map', note=note),
    ]


def _posterior(config: ConfigDict, recording: Recording) -> list[Stage]:
    posterior_data.check(config)
    images = recording.stimuli.images
    grey = (images == images[..., :1]).all()
    channels = 1 if grey else 3
    shape, stages = (*images.shape[1:3], channels), []
    if posterior_networks.in_latents(config):
        halves = posterior_networks.build_autoencoder(config, shape)
        picture = jnp.zeros((1, *shape))
        shape = posterior_networks.latent_shape(config, shape)
        inputs = picture, jnp.zeros((1, *shape))
        numbers, c = sum(map(_trained, halves, inputs)), config.latents
        stages = [Stage('autoencoder', numbers, c.epochs * c.steps)]
    network = posterior_networks.build(config, shape[-1])
    seen = jnp.zeros((1, *shape[:2], 4 * shape[-1]))
    numbers, c = _trained(network, seen, jnp.zeros(1)), config.flow
    return [
        *stages,
        Stage('closed form', note='prior, encoder and noise, in closed form'),
        Stage('flow', numbers, c.epochs * c.steps),
    ]


# Method -> (config, recording) -> stages. It raises what the fit would raise
# before it begins. One that is not in here has no plan.
PLANS: dict[str, Callable[[ConfigDict, Recording], list[Stage]]] = {
    'selfsup': _selfsup,
    'inversion': _inversion,
    'faces': _faces,
    'posterior': _posterior,
}

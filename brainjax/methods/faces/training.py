"""Training of the VAE-GAN (VanRullen & Reddy 2019; Larsen et al. 2016).

Three networks learn at once, each from a loss of its own:

    variables, history = fit(images, config, folder)
    latents = vaegan.encode(variables, images)

The losses are sums over units, as in CADL; see `faces_config`.
"""

from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict, FrozenConfigDict

from brainjax.errors import InputError
from brainjax.io.files import PathLike
from brainjax.methods.faces import steps
from brainjax.methods.faces.losses import check_game
from brainjax.networks import vaegan
from brainjax.training import parallel
from brainjax.training import state as training_state
from brainjax.training.batches import indices
from brainjax.training.loop import History, train


def fit(
    images: np.ndarray,
    config: ConfigDict,
    folder: PathLike,
    held_out: np.ndarray | None = None,
) -> tuple[dict[str, Any], History]:
    """Trains a VAE-GAN; resumes what `folder` holds.

    Args:
      images: [n, size, size, 3] uint8.
      config: see `faces_config.vanrullen2019`.
      folder: for the checkpoints.
      held_out: pictures to reconstruct after each epoch, whose errors enter
        the history; they change nothing else.

    Returns:
      The variables of all three networks after the last step, on the host,
      and one record of mean metrics an epoch.

    Raises:
      InputError: pictures, config or a checkpoint cannot be used.
      Interrupted: SIGINT or SIGTERM came; the same call resumes.
    """
    config = FrozenConfigDict(config)
    c = config.training
    check(config, images)

    def batch_at(step):
        i = parallel.local_rows(
            indices(config.seed, 6, len(images), step, c.batch)
        )
        return {'images': images[i]}

    def validate(variables):
        rebuilt = reconstruct(config, variables, held_out)
        truth = np.float32(held_out) / 255
        error = np.mean((rebuilt - truth) ** 2)
        return {'score': -error, 'error': error}

    init_key, run_key = jax.random.split(jax.random.key(config.seed))
    state = training_state.create(
        steps.initialise(config, init_key),
        steps.build_optimizer(config),
        run_key,
        steps.METRICS,
    )
    state, history = train(
        steps.build_step(config),
        state,
        {},
        batch_at,
        epochs=c.epochs,
        steps_per_epoch=c.steps,
        folder=folder,
        label='vaegan',
        validate=None if held_out is None else validate,
        checkpoint_every=config.checkpoint_every,
    )
    variables = {'params': state.params, 'batch_stats': state.batch_stats}
    return jax.device_get(variables), history


def reconstruct(
    config: ConfigDict, variables: Any, images: np.ndarray
) -> np.ndarray:
    """Returns pictures of the latents of pictures, [n, size, size, 3]."""
    latents = vaegan.encode(variables, images)
    return vaegan.generate(variables, latents, config.networks.brightness)


def check(config: ConfigDict, images: np.ndarray) -> None:
    """Raises InputError if a VAE-GAN cannot be trained so on these."""
    steps.build(config)
    check_game(config.training.game)
    vaegan.check_brightness(config.networks.brightness)
    layers = len(config.networks.discriminator_channels)
    if not 0 <= config.training.first_feature < layers:
        raise InputError(
            f'config.training.first_feature is '
            f'{config.training.first_feature} and the discriminator has '
            f'{layers} layers, counted from 0; choose one of them.'
        )
    if images.shape[1:] != (config.size, config.size, 3):
        raise InputError(
            f'The pictures are {images.shape[1]} x {images.shape[2]} px and '
            f'config.size is {config.size}; load them at that size.'
        )
    if not len(images):
        raise InputError('There are no pictures to train on; give some.')
    parallel.check_batch(config.training.batch, 'config.training.batch')

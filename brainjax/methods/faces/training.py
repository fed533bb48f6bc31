"""Training of the VAE-GAN (VanRullen & Reddy 2019; Larsen et al. 2016).

Three networks learn at once, each from a loss of its own:

    variables, history = fit_vaegan(images, config, folder)
    latents = vaegan.encode(variables, images)

The losses are sums over units, as in CADL; see `faces.config`.
"""

from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict, FrozenConfigDict

from brainjax.io import provenance
from brainjax.io.files import PathLike
from brainjax.io.metrics import Log
from brainjax.linear import pca
from brainjax.methods.data import made_from
from brainjax.methods.faces import steps
from brainjax.methods.faces.data import check_config, check_pictures
from brainjax.methods.faces.networks import (
    initialise,
    reconstruct,
    start_as_components,
)
from brainjax.networks import frozen
from brainjax.training import parallel
from brainjax.training import state as training_state
from brainjax.training.batches import indices
from brainjax.training.loop import History, train


def first_variables(
    images: np.ndarray, config: ConfigDict, key: jax.Array
) -> dict[str, Any]:
    """Returns what training begins with; see `start_as_components`."""
    variables = initialise(config, key)
    if config.networks.linear:
        k = config.networks.latents
        found = pca.fit(images, k, seed=config.seed)
        variables['params'] = start_as_components(
            variables['params'], found.mean, found.components, found.std
        )
    return variables


# What a VAE-GAN depends on beside its pictures.
KEYS = ('seed', 'size', 'compute_dtype', 'networks', 'training')


def fit_vaegan(
    images: np.ndarray,
    config: ConfigDict,
    folder: PathLike,
    held_out: np.ndarray | None = None,
    log: Log | None = None,
) -> tuple[dict[str, Any], History]:
    """Trains a VAE-GAN; resumes what `folder` holds.

    Args:
      images: [n, size, size, 3] uint8.
      config: see `faces.config.vanrullen2019`.
      folder: for the checkpoints.
      held_out: pictures to reconstruct after each epoch, whose errors enter
        the history; they change nothing else.
      log: see `training.loop.train`.

    Returns:
      The variables of all three networks after the last step, on the host,
      and one record of mean metrics an epoch.

    Raises:
      Interrupted: SIGINT or SIGTERM came; the same call resumes.
    """
    config = FrozenConfigDict(config)
    c = config.training
    check_config(config)
    check_pictures(images, config)

    def batch_at(step):
        # 6: a stream of its own beside those of other trainings and draws.
        i = parallel.local_rows(
            indices(config.seed, 6, len(images), step, c.batch)
        )
        return {'images': images[i]}

    def validate(variables):
        reconstructions = reconstruct(config, variables, held_out)
        target = np.float32(held_out) / 255
        error = np.mean((reconstructions - target) ** 2)
        return {'score': -error, 'error': error}

    init_key, run_key = jax.random.split(jax.random.key(config.seed))
    state = training_state.create(
        first_variables(images, config, init_key),
        steps.build_optimizer(config),
        run_key,
        steps.METRICS,
    )
    sees = frozen.load(c.perceptual_network) if c.perceptual else None
    state, history = train(
        steps.vaegan_step(config, sees and sees.architecture),
        state,
        sees.params if sees else {},
        batch_at,
        epochs=c.epochs,
        steps_per_epoch=c.steps,
        folder=folder,
        label='vaegan',
        validate=None if held_out is None else validate,
        checkpoint_every=config.checkpoint_every,
        made_from=made_from(
            {'pictures': provenance.hash_arrays(images)}, config, KEYS
        ),
        log=log,
    )
    variables = {'params': state.params, 'batch_stats': state.batch_stats}
    return jax.device_get(variables), history

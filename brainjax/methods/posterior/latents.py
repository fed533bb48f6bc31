"""Large pictures as latents of a variational autoencoder, and its training.

    autoencoder, history = latents.fit(config, pictures, None, made_of, folder)
    rows = latents.encode(autoencoder, images)
    images = latents.decode(autoencoder, rows)

Latents are the posterior's means, each channel scaled by its mean and standard
deviation over pictures (Rombach et al. 2022).
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from brainjax.io.files import PathLike
from brainjax.io.metrics import Log
from brainjax.linear.arrays import evenly
from brainjax.methods.data import made_from
from brainjax.methods.posterior import steps
from brainjax.methods.posterior.networks import (
    Shape,
    build_autoencoder,
    init_autoencoder,
)
from brainjax.networks import autoencoder, frozen
from brainjax.training import parallel
from brainjax.training import state as training_state
from brainjax.training.batches import indices, map_batches
from brainjax.training.loop import History, train

# What an autoencoder depends on beside its pictures.
KEYS = ('seed', 'size', 'compute_dtype', 'latents')
STREAM = 10  # Of batches, as others have.
AT_ONCE = 16  # Pictures in memory as features.
SCALED_BY = 2000  # Pictures, that tell how latents are scaled.


class Autoencoder(NamedTuple):
    """A trained autoencoder.

    Attributes:
      encoder, generator: its modules.
      params: of both, by these names.
      mean, std: [latents] over pictures and places, of each channel.
    """

    encoder: autoencoder.Encoder
    generator: autoencoder.Generator
    params: Any
    mean: np.ndarray
    std: np.ndarray


def numbers(of: Autoencoder | None) -> dict[str, Any]:
    """Returns all arrays of an autoencoder, by name; none of None."""
    if of is None:
        return {}
    return {'params': of.params, 'mean': of.mean, 'std': of.std}


def shape(of: Autoencoder) -> Shape:
    """Returns (height, width, channels) of the latents."""
    encoder, pictures = of.encoder, of.generator.shape
    sides = autoencoder.grid(pictures, encoder.patch, encoder.channels)
    return (*sides, encoder.latents)


def encode(of: Autoencoder, images: np.ndarray) -> np.ndarray:
    """Returns the latents [n, height width channels] float32 of pictures.

    Args:
      of: of `fit`.
      images: [n, height, width, 3] uint8.
    """
    found = _means(of.encoder, of.params, of.generator.shape[-1], images)
    return ((found - of.mean) / of.std).reshape(len(images), -1)


def decode(of: Autoencoder, rows: np.ndarray) -> np.ndarray:
    """Returns the pictures [n, height, width, 3] float32 in 0..1 of latents."""
    grids = rows.reshape(len(rows), *shape(of)) * of.std + of.mean
    found = map_batches(
        functools.partial(_generate, of.generator, of.params['generator']),
        np.float32(grids),
        AT_ONCE,
    )
    return np.broadcast_to(found, (*found.shape[:-1], 3))


def _means(encoder, params, channels, images):
    return map_batches(
        functools.partial(_encode, encoder, channels, params['encoder']),
        images,
        AT_ONCE,
    )


@functools.partial(jax.jit, static_argnums=(0, 1))
def _encode(encoder, channels, params, images):
    images = images[..., :channels].astype(jnp.float32) / 255
    return encoder.apply({'params': params}, images).mean


@functools.partial(jax.jit, static_argnums=0)
def _generate(generator, params, grids):
    return generator.apply({'params': params}, grids).clip(0, 1)


def fit(
    config: ConfigDict,
    pictures: Sequence[np.ndarray],
    held_out: np.ndarray,
    fingerprints: Mapping[str, str],
    folder: PathLike,
    log: Log | None = None,
) -> tuple[Autoencoder, History]:
    """Trains an autoencoder; resumes what `folder` holds.

    Args:
      config: of the experiment.
      pictures: [n, height, width, 3] uint8, several of them, which are taken as
        one; grey if all are.
      held_out: likewise, whose error enters the history after each epoch; it
        changes nothing else. None, if it is empty.
      fingerprints: of the `methods.data.Data` behind them.
      folder: for the checkpoints.
      log: see `training.loop.train`.

    Returns:
      The moving average of its parameters, on the host, and the history.
    """
    c = config.latents
    some = [each[evenly(len(each), SCALED_BY)] for each in pictures]
    grey = all((each == each[..., :1]).all() for each in some)
    of = (*pictures[0].shape[1:3], 1 if grey else 3)
    encoder, generator = build_autoencoder(config, of)
    ends = np.cumsum([0, *map(len, pictures)])

    def batch_at(step):
        i = indices(config.seed, STREAM, int(ends[-1]), step, c.batch)
        i = parallel.local_rows(i)
        which = np.searchsorted(ends, i, 'right') - 1
        images = [pictures[k][j - ends[k]] for k, j in zip(which, i)]
        return {'images': np.stack(images)[..., : of[-1]]}

    def validate(variables):
        found = Autoencoder(
            encoder, generator, variables['params'], np.zeros(1), np.ones(1)
        )
        error = errors(found, held_out).mean()
        return {'score': -error, 'error': error}

    init_key, run_key = jax.random.split(jax.random.key(config.seed))
    state = training_state.create(
        init_autoencoder(config, of, init_key),
        steps.build_optimizer(c),
        run_key,
        steps.AUTOENCODER_METRICS,
    )
    sees = frozen.load(c.perceptual_network) if c.perceptual else None
    weights = sees.params if sees else {}
    identity = made_from(fingerprints, config, KEYS, weights)
    identity['epochs'] = c.epochs  # The learning rate falls to 0 at the last.
    state, history = train(
        steps.autoencoder_step(config, of, sees and sees.architecture),
        state,
        weights,
        batch_at,
        epochs=c.epochs,
        steps_per_epoch=c.steps,
        folder=folder,
        label='autoencoder',
        validate=validate if len(held_out) else None,
        checkpoint_every=config.checkpoint_every,
        made_from=identity,
        log=log,
    )
    params = jax.device_get(state.opt_state.average)
    found = np.concatenate(
        [_means(encoder, params, of[-1], each) for each in some]
    )
    mean, std = (
        np.float32(f(found, axis=(0, 1, 2))) for f in (np.mean, np.std)
    )
    # A channel that says nothing stays so.
    std = np.maximum(std, 1e-3 * std.max())
    return Autoencoder(encoder, generator, params, mean, std), history


def errors(of: Autoencoder, images: np.ndarray) -> np.ndarray:
    """Returns root mean squared errors [n] of pictures encoded and decoded.

    Args:
      of: of `fit`.
      images: [n, height, width, 3] uint8.
    """
    away = decode(of, encode(of, images)) - images / np.float32(255)
    return np.sqrt(np.mean(away**2, axis=(1, 2, 3)))

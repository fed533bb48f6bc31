"""Training of the flow."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict, FrozenConfigDict

from brainjax.errors import InputError
from brainjax.io.files import PathLike
from brainjax.io.metrics import Log
from brainjax.methods.data import made_from
from brainjax.methods.posterior import latents, steps
from brainjax.methods.posterior.data import BATCHES, TrainingData
from brainjax.methods.posterior.networks import init
from brainjax.training import parallel
from brainjax.training import state as training_state
from brainjax.training.batches import indices
from brainjax.training.loop import History, train

# Of the pictures without fMRI, so many tell how long the flow learns, if that
# is asked for; each is told with so many noises.
HELD_OUT, MOST, NOISES = 0.05, 128, 4

# What the flow depends on beside the data. The learning rate falls to 0 at
# the last epoch, so that their number matters, as it does for no other method.
KEYS = ('seed', 'size', 'compute_dtype', 'flow')
STREAMS = {'pictures': 7, 'paired': 8, 'prior': 9}  # As others have.


def fit_flow(
    config: ConfigDict,
    data: TrainingData,
    fingerprints: Mapping[str, str],
    folder: PathLike,
    log: Log | None = None,
) -> tuple[Any, History]:
    """Trains the flow; resumes what `folder` holds.

    Args:
      config: of the experiment.
      data: of `data.fit_closed_form`.
      fingerprints: of the `methods.data.Data` behind it.
      folder: for the checkpoints.
      log: see `training.loop.train`.

    Returns:
      The average of the network's parameters, on the host, and the history:
      where validation ends the training that of its best epoch, else the last.
    """
    c = config.flow
    parts = {name: c[key] for name, key in BATCHES.items() if c[key]}
    frozen = {
        'eye': data.eye,
        'centre': np.float32(data.centre),
        'scale': np.float32(data.scale),
        **{name: data.levels[name] for name in parts},
    }

    learned, validate = np.arange(len(data.pictures)), None
    if c.patience:
        learned, validate = _held_out(config, data, frozen)

    def batch_at(step):
        batch = {}
        for name, size in parts.items():
            n = len(data.paired if name == 'paired' else learned)
            i = parallel.local_rows(
                indices(config.seed, STREAMS[name], n, step, size)
            )
            if name == 'paired':
                batch[name] = {'images': data.paired[i], 'mean': data.means[i]}
            else:
                batch[name] = _shown(data, name, learned[i])
        return batch

    init_key, run_key = jax.random.split(jax.random.key(config.seed))
    state = training_state.create(
        init(config, data.shape, init_key),
        steps.build_optimizer(c),
        run_key,
        steps.METRICS,
        keep_best=validate is not None,
    )
    identity = made_from(
        fingerprints, config, KEYS, latents.numbers(data.autoencoder)
    )
    identity['epochs'] = c.epochs
    state, history = train(
        steps.flow_step(config, data.shape),
        state,
        frozen,
        batch_at,
        epochs=c.epochs,
        steps_per_epoch=c.steps,
        folder=folder,
        label='posterior',
        validate=validate,
        validated=lambda state: state.opt_state.average,
        patience=c.patience,
        checkpoint_every=config.checkpoint_every,
        made_from=identity,
        log=log,
    )
    chosen = state.best['params'] if validate else state.opt_state.average
    return jax.device_get(chosen), history


def _shown(data, name, rows):
    """Pictures, and what a nonlinear encoder says of them, if it is asked."""
    part = {'images': data.pictures[rows]}
    if name == 'pictures' and data.nonlinearity is not None:
        part['nonlinearity'] = jax.tree.map(
            lambda x: x[rows], data.nonlinearity
        )
    return part


def _held_out(config, data, frozen):
    """Rows of pictures to learn from, and a function that scores others."""
    c, n = config.flow, len(data.pictures)
    number = min(int(HELD_OUT * n), MOST)
    if not number:
        raise InputError(
            f'{n} pictures without fMRI are too few to hold some out for '
            'config.flow.patience; set that to 0, for a fixed number of steps.'
        )
    order = np.random.default_rng([config.seed, STREAMS['pictures']])
    order = order.permutation(n)
    chosen = order[:number].repeat(NOISES)
    parts = {'pictures': _shown(data, 'pictures', chosen)}
    weights = {'pictures': c.batch_pictures}
    if c.batch_prior:
        parts['prior'] = _shown(data, 'prior', chosen)
        weights['prior'] = c.batch_prior
    if c.batch_paired and (stimuli := data.validation) is not None:
        parts['paired'] = {
            'images': stimuli.rows.repeat(NOISES, axis=0),
            'mean': stimuli.means.repeat(NOISES, axis=0),
        }
        weights['paired'] = c.batch_paired

    def validate(variables):
        found = steps.validation_losses(
            FrozenConfigDict(config),
            data.shape,
            variables['params'],
            frozen,
            parts,
        )
        total = sum(weights[name] * float(found[name]) for name in parts)
        return {'score': -total / sum(weights.values()), **found}

    return np.sort(order[number:]), validate

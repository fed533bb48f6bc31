"""Training of the flow."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from brainjax.io.files import PathLike
from brainjax.io.metrics import Log
from brainjax.methods.data import made_from
from brainjax.methods.posterior import steps
from brainjax.methods.posterior.data import BATCHES, TrainingData
from brainjax.methods.posterior.networks import init
from brainjax.training import parallel
from brainjax.training import state as training_state
from brainjax.training.batches import indices
from brainjax.training.loop import History, train

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
      The average of the network's parameters, on the host, and the history.
    """
    c = config.flow
    parts = {name: c[key] for name, key in BATCHES.items() if c[key]}
    frozen = {
        'eye': data.eye,
        'centre': np.float32(data.centre),
        'scale': np.float32(data.scale),
        **{name: data.levels[name] for name in parts},
    }

    def batch_at(step):
        batch = {}
        for name, size in parts.items():
            images = data.paired if name == 'paired' else data.pictures
            i = parallel.local_rows(
                indices(config.seed, STREAMS[name], len(images), step, size)
            )
            batch[name] = {'images': images[i]}
            if name == 'paired':
                batch[name]['mean'] = data.means[i]
        return batch

    init_key, run_key = jax.random.split(jax.random.key(config.seed))
    state = training_state.create(
        init(config, data.shape, init_key),
        steps.build_optimizer(config),
        run_key,
        steps.METRICS,
    )
    identity = made_from(fingerprints, config, KEYS)
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
        checkpoint_every=config.checkpoint_every,
        made_from=identity,
        log=log,
    )
    return jax.device_get(state.opt_state.average), history

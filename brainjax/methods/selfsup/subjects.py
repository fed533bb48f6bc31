"""Several subjects, whose encoders share what sees pictures.

The adapters see pictures and no voxels: the body. Spatial maps, channels and
branch weights belong to voxels: the read-out, one a subject. While they are
trained together the parameters are {'body': ..., 'readout': {subject: ...}};
of each subject they are the separable (or dense) encoder's own, so that all
else knows one subject. Ours, not published: the releases' loops over subjects
train each alone.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError
from brainjax.methods import data as methods_data
from brainjax.methods.selfsup import start as starts
from brainjax.recordings import Recording, Trials, preparing
from brainjax.simulation import subject
from brainjax.training import parallel
from brainjax.training import state as training_state
from brainjax.training.batches import indices

MAIN = 'main'  # The subject whose pictures are decoded.
SIMULATED = 'simulated:'
SUBJECT = 'subject:'


class Subject(NamedTuple):
    """What the shared body learns from another subject.

    Attributes:
      name: of its read-out, one of its own.
      train: its single training trials, z-scored.
      images: of its stimuli, [n, size, size, channels] uint8.
    """

    name: str
    train: Trials
    images: np.ndarray


def load(config: ConfigDict) -> tuple[Recording, ...]:
    """Opens the recordings that `config.recording.others` names.

    They are read as the main subject's is, at `config.size`.
    """
    return tuple(_open(config, each) for each in config.recording.others)


def _open(config: ConfigDict, name: str) -> Recording:
    if name.startswith(SIMULATED):
        seed = name.removeprefix(SIMULATED)
        if not seed.isdigit() or int(seed) == config.seed:
            raise InputError(
                f'config.recording.others has {name!r}; give another seed '
                f'than config.seed, as in {SIMULATED}{config.seed + 1}.'
            )
        return methods_data.restrict(
            subject.simulated_subject(
                size=config.size, seed=int(seed), **config.simulated
            ),
            config,
        )
    changed = ConfigDict(config.to_dict())
    with changed.unlocked():
        if name.startswith(SUBJECT):
            changed.recording.subject = name.removeprefix(SUBJECT)
        else:
            changed.recording.path = name
        changed.recording.fold = -1
    return methods_data.open_at_size(changed, config.size)


def prepared(
    config: ConfigDict, others: Sequence[Recording]
) -> tuple[Subject, ...]:
    """Returns what training sees of others; their test trials are not used."""
    found = []
    for i, other in enumerate(others):
        scaled = preparing.scale(other, config.recording.scale)
        name = f'{i + 1}_{other.subject}'.replace('.', '_')
        found.append(Subject(name, scaled.train, other.stimuli.images))
    return tuple(found)


def join(
    variables: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Joins encoders' variables: the first's body, and all read-outs.

    Args:
      variables: the main subject's; also the body's running statistics.
      others: subject -> its.
    """
    every = {MAIN: variables, **others}
    params = variables['params']
    return {
        **variables,
        'params': {
            'body': {
                name: value
                for name, value in params.items()
                if not starts.is_readout(name)
            },
            'readout': {
                subject: {
                    name: value
                    for name, value in each['params'].items()
                    if starts.is_readout(name)
                }
                for subject, each in every.items()
            },
        },
    }


def params_of(params: Mapping[str, Any], name: str = MAIN) -> Mapping[str, Any]:
    """Returns one subject's parameters, as its encoder takes them."""
    if 'readout' not in params:  # Of one subject alone.
        return params
    return {**params['body'], **params['readout'][name]}


def of(variables: Mapping[str, Any], name: str = MAIN) -> dict[str, Any]:
    """Returns one subject's variables."""
    return {**variables, 'params': params_of(variables['params'], name)}


def modules(encoder: Any, others: Sequence[Subject]) -> dict[str, Any]:
    """Returns subject -> its encoder, the main subject's first."""
    return {
        MAIN: encoder,
        **{
            other.name: encoder.clone(voxels=other.train.fmri.shape[1])
            for other in others
        },
    }


def batches(config: ConfigDict, data: Any) -> Callable[[int], Any]:
    """Returns step -> the encoder's batch, or with others one of each subject.

    Args:
      config: of the experiment.
      data: of `selfsup.data.split`.
    """

    def of(trials, images, step, stream):
        batch = config.encoder.batch
        i = parallel.local_rows(
            indices(config.seed, stream, len(trials), step, batch)
        )
        return {'fmri': trials.fmri[i], 'images': images[trials.stimulus[i]]}

    def batch_at(step):
        main = of(data.train, data.images, step, 2)
        if not data.others:
            return main
        return {MAIN: main} | {
            other.name: of(other.train, other.images, step, 100 + i)
            for i, other in enumerate(data.others)
        }

    return batch_at


def begin(
    variables: Mapping[str, Any],
    encoders: Mapping[str, Any],
    key: jax.Array,
    features: Any,
) -> dict[str, Any]:
    """Draws the read-outs of others beside the main subject's variables.

    Args:
      variables: of the main subject.
      encoders: of `modules`.
      key: of the draw.
      features: zeros of the taps' shapes.
    """
    others = {
        name: training_state.initialise(
            encoder, jax.random.fold_in(key, i), features
        )
        for i, (name, encoder) in enumerate(encoders.items())
        if name != MAIN
    }
    return join(variables, others) if others else dict(variables)

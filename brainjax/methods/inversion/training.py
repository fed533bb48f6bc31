"""The ridge of a run: fitted to training trials, applied to others."""

import math
from collections.abc import Callable

import numpy as np
from ml_collections import ConfigDict

from brainjax.io.metrics import Log
from brainjax.linear import ridge, scaling
from brainjax.linear.arrays import evenly
from brainjax.methods.inversion.data import SCALINGS
from brainjax.networks import frozen
from brainjax.recordings import Trials
from brainjax.training import hosts

MEASURED = 1000  # Units of a layer, for its metrics.


def fit_ridge(train: Trials, config: ConfigDict) -> ridge.Prepared:
    """Prepares the ridge on normalised training trials.

    Its rows of targets are the stimuli in ascending order.
    """
    _, rows = np.unique(train.stimulus, return_inverse=True)
    return ridge.prepare(
        np.asarray(train.fmri),
        rows,
        k=config.decoding.k,
        alpha=config.decoding.alpha,
    )


def decode(
    prepared: ridge.Prepared,
    features: dict[str, np.ndarray],
    fmri: np.ndarray,
    config: ConfigDict,
    log: Log | None = None,
) -> dict[str, np.ndarray]:
    """Decodes features and gives them the spread of true ones.

    Args:
      prepared: of `fit_ridge`.
      features: layer -> true ones of the training stimuli, [stimuli, ...].
      fmri: [trials, voxels], normalised as the training trials.
      config: of the experiment.
      log: given, layer by layer, how many units were decoded and the
        standard deviation of decoded over that of true features, before they
        are scaled: what ridge has shrunk, on the first host.

    Returns:
      Layer -> [trials, height, width, channels] or [trials, units].
    """
    found, history, before = {}, [], 0
    total = sum(true[0].size for true in features.values())
    with hosts.progress('decode', total, unit='units') as show:
        for step, (layer, true) in enumerate(features.items(), 1):
            flat = true.reshape(len(true), -1)
            decoded = _by_ridge(
                prepared,
                fmri,
                flat,
                config,
                lambda done, layer=layer, at=before: show(at + done, layer),
            )
            before += flat.shape[1]
            show(before, layer)
            history.append({'step': step} | _shrunk(layer, decoded, flat))
            if log and hosts.is_first():
                log(history)
            found[layer] = _scaled(
                decoded.reshape(len(fmri), *true.shape[1:]), true, layer, config
            )
    return found


def _shrunk(
    layer: str, decoded: np.ndarray, true: np.ndarray
) -> dict[str, float]:
    """What `decode` tells of a layer, by some of its units if they are many."""
    units = evenly(true.shape[1], MEASURED)
    spread, of_true = (x[:, units].std(0).mean() for x in (decoded, true))
    return {
        f'{layer}/units': true.shape[1],
        f'{layer}/spread': spread / of_true if of_true else 0.0,
    }


def _scaled(
    decoded: np.ndarray, true: np.ndarray, layer: str, config: ConfigDict
) -> np.ndarray:
    """Gives a layer's decoded features the spread of true ones."""
    how = SCALINGS[config.decoding.scaling]
    # Scales are over the places of a channel: channels first.
    known = scaling.reference(
        frozen.channels_first(true), scaling.DDOF.get(how, 0)
    )
    if config.decoding.scaling == 'published':
        known = known._replace(std=scaling.CAFFE_VGG19[layer])
    return frozen.channels_last(
        scaling.scale(frozen.channels_first(decoded), known, how)
    )


def _by_ridge(
    prepared: ridge.Prepared,
    fmri: np.ndarray,
    true: np.ndarray,
    config: ConfigDict,
    progress: Callable[[int], None],
) -> np.ndarray:
    """Decodes units, [trials, units]; every host does its share of them."""
    block = config.decoding.units_at_a_time
    decode_units = ridge.decoder(prepared, fmri, units_at_a_time=block)

    def decoded_blocks(some):
        done = 0
        for part in decode_units(some):
            done += part.shape[1]
            progress(done)
            yield part

    if hosts.count() == 1:
        return np.hstack([*decoded_blocks(true)])
    units = true.shape[1]
    # Whole blocks, so that the numbers are those of one host.
    width = block * math.ceil(units / block / hosts.count())
    ours = true[:, hosts.index() * width :][:, :width]
    decoded = np.zeros((len(fmri), width), prepared.dtype)
    if ours.size:
        decoded[:, : ours.shape[1]] = np.hstack([*decoded_blocks(ours)])
    return np.hstack([*hosts.all_gather(decoded)])[:, :units]

"""Pictures drawn from the posterior: what may have been seen, and how sure.

A closed form comes first: a Gaussian prior over pictures, a linear encoder
with the posterior of its weights, and noise with its covariance
(`linear.bayes`). A flow then learns what a Gaussian cannot say: from pictures
without fMRI, whose responses are drawn with everything that the encoder does
not know, and from the training stimuli, it learns to carry noise to pictures,
given the closed form's mean and covariance (`losses`). Its draws differ where
the brain does not say what was seen; their mean is the reconstruction. Of large
pictures it draws latents of an autoencoder (`latents`), from a closed form of
these.
"""

import functools
import pathlib
from typing import Any, NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict, FrozenConfigDict

from brainjax.io import arrays, metrics, provenance
from brainjax.io.files import PathLike
from brainjax.linear.bayes import choice, reference
from brainjax.methods import references
from brainjax.methods.data import Data
from brainjax.methods.posterior import closed_form, latents, networks
from brainjax.methods.posterior.closed_form import Level
from brainjax.methods.posterior.data import (
    TrainingData,
    check,
    conditions,
    divide,
    fit_closed_form,
    stimuli,
    unpaired,
)
from brainjax.methods.posterior.latents import Autoencoder
from brainjax.methods.posterior.training import fit_flow
from brainjax.methods.references import References
from brainjax.training.batches import map_batches
from brainjax.training.loop import History

AT_ONCE = 64  # Pictures drawn together.
DRAWS = 20  # That choose what the reconstruction is.


class Fitted(NamedTuple):
    """The closed form, the flow, and what joins them.

    Attributes:
      references: the closed form.
      data: levels, conditions and scale.
      params: of the network.
      history: of its training.
      part: of the mean of draws in a reconstruction, the rest being the
        closed form's.
      folder: of the run, which keeps the draws.
      repeats: trials that a response averages; None for as many as the test
        responses of the fit.
      autoencoder_history: of its training, if there is one.
    """

    references: References
    data: TrainingData
    params: Any
    history: History
    part: float
    folder: pathlib.Path
    repeats: float | None = None
    autoencoder_history: History = ()


def fit(data: Data, config: ConfigDict, workdir: PathLike) -> Fitted:
    """Fits the closed form and trains the flow; resumes what `workdir` holds.

    Args:
      data: of `methods.data.prepare`.
      config: see `posterior.config`.
      workdir: gets 'checkpoints/posterior', of large pictures
        'checkpoints/autoencoder', and later 'draws'.

    Raises:
      InputError: the recording, the config or a checkpoint cannot be used.
      Interrupted: SIGINT or SIGTERM came; the same call resumes.
    """
    config = FrozenConfigDict(config)
    check(config)
    autoencoder, before = None, []
    if networks.in_latents(config):
        autoencoder, before = _fit_autoencoder(data, config, workdir)
    closed, training = fit_closed_form(data, config.seed, autoencoder)
    params, history = fit_flow(
        config,
        training,
        data.fingerprints,
        pathlib.Path(workdir, 'checkpoints', 'posterior'),
        metrics.logger(workdir, 'posterior', config.log.tensorboard),
    )
    fitted = Fitted(
        closed, training, params, history, 0.0, pathlib.Path(workdir)
    )
    return fitted._replace(
        part=_choose_part(fitted, config), autoencoder_history=before
    )


def _fit_autoencoder(
    data: Data, config: ConfigDict, workdir: PathLike
) -> tuple[Autoencoder, History]:
    """From all pictures but those of the training that choose, or the test."""
    images = stimuli(data)
    learned, chosen = divide(len(images), config.seed)
    return latents.fit(
        config,
        [unpaired(data, config.seed), images[learned]],
        images[chosen],
        data.fingerprints,
        pathlib.Path(workdir, 'checkpoints', 'autoencoder'),
        metrics.logger(workdir, 'autoencoder', config.log.tensorboard),
    )


def _choose_part(fitted: Fitted, config: ConfigDict) -> float:
    """By stimuli that the flow has not learned from; 0 without any."""
    held_out, level = fitted.data.validation, fitted.data.levels['paired']
    if held_out is None:
        return 0.0
    few = ConfigDict(config.to_dict() | {'draws': min(config.draws, DRAWS)})
    samples = _kept(fitted, held_out.means, level, few, _marks(held_out.means))
    closed = references.to_images(fitted.references, held_out.reconstructions)
    rows = (
        each.reshape(len(samples), -1)
        for each in (
            np.float32(held_out.pictures / np.float32(255)),
            _mean(samples),
            closed.clip(0, 1),
        )
    )
    return choice.best_part(*rows)


def reconstruct(
    fitted: Fitted, fmri: np.ndarray, config: ConfigDict
) -> np.ndarray:
    """Reconstructs pictures: means of draws, or of the closed form, or both.

    How much of each, stimuli of the training have chosen that the flow had not
    learned from. With few stimuli the closed form is all.

    Args:
      fitted: from `fit`.
      fmri: [trials, voxels], normalised as `fit` does; averages of
        `fitted.repeats` trials.
      config: as in `fit`.

    Returns:
      [trials, size, size, 3] float32 in 0..1.
    """
    repeats = np.full(len(fmri), _averaging(fitted).repeats)
    rows = reference.reconstruct(fitted.references.fitted, fmri, repeats)
    closed = references.to_images(fitted.references, rows).clip(0, 1)
    if not fitted.part:
        return np.ascontiguousarray(closed)
    means = _mean(draw(fitted, fmri, config))
    return fitted.part * means + (1 - fitted.part) * closed


def _mean(samples):
    means = [each.mean(axis=0, dtype=np.float32) / 255 for each in samples]
    return np.array(means, np.float32).reshape(-1, *samples.shape[2:])


def draw(fitted: Fitted, fmri: np.ndarray, config: ConfigDict) -> np.ndarray:
    """Draws from the posterior of each response.

    What was drawn is kept in the run's folder, by a hash of all that it
    depends on, and is read there when it is asked for again. Of each response
    the noise is its own, and does not depend on the others.

    Args:
      fitted, fmri, config: as `reconstruct` takes them.

    Returns:
      [trials, config.draws, size, size, 3] uint8.
    """
    data = _averaging(fitted)
    means = conditions(data, fmri)
    return _kept(fitted, means, data.levels['test'], config, _marks(fmri))


def _averaging(fitted: Fitted) -> TrainingData:
    """The levels of responses that average `fitted.repeats` trials."""
    data, repeats = fitted.data, fitted.repeats
    if repeats is None or repeats == data.repeats:
        return data
    known, floor = data.known, float(data.levels['test'].floor[0])
    level = closed_form.level(known, repeats, data.centre, data.scale, floor)
    return data._replace(
        levels={**data.levels, 'test': level},
        collect=closed_form.collect(known, repeats),
        repeats=repeats,
    )


def draw_prior(fitted: Fitted, number: int, config: ConfigDict) -> np.ndarray:
    """Draws pictures without any response, [number, size, size, 3] uint8."""
    level = fitted.data.levels['prior']
    config = ConfigDict(config.to_dict() | {'draws': number})
    mean = level.offset[None]
    return _kept(fitted, mean, level, config, _marks(mean))[0]


def _marks(rows: np.ndarray) -> np.ndarray:
    """Returns a number [n] uint32 for each row [n, values], to key its noise.

    With the same noise for all responses, draws would be off in the same
    direction for all of them, and their ranks no test of calibration. Signs
    alone are asked for, which rounding changes in no row.
    """
    signs = [np.packbits(np.asarray(row) > 0) for row in rows]
    found = [int(provenance.hash_arrays(row)[:8], 16) for row in signs]
    return np.array(found, np.uint32)


def _kept(fitted, means, level, config, marks):
    made_of = provenance.hash_arrays(
        *jax.tree.leaves(
            [
                *(fitted.params, means, level, marks),
                latents.numbers(fitted.data.autoencoder),
            ]
        ),
        np.array([config.draws, config.draw_steps, config.seed]),
    )
    path = fitted.folder / 'draws' / f'{made_of[:16]}.npz'
    if path.exists():
        return arrays.read(path)['samples']
    samples = _draw(fitted, means, level, FrozenConfigDict(config), marks)
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays.write(path, samples=samples)
    return samples


def _draw(
    fitted: Fitted,
    means: np.ndarray,
    level: Level,
    config: ConfigDict,
    marks: np.ndarray,
) -> np.ndarray:
    """Draws [n, config.draws, size, size, 3] uint8 for means [n, pixels]."""
    data, n, k = fitted.data, len(means), config.draws
    keys = jax.random.split(jax.random.key(config.seed + 1), k)
    rows = np.repeat(np.arange(n), k)
    numbers = np.tile(np.arange(k), n)

    def some(index):
        which, number = index.T
        noise = jax.vmap(jax.random.fold_in)(keys[number], marks[which])
        found = _compiled(
            config, data.shape, fitted.params, level, means[which], noise
        )
        found = found * data.scale + data.centre
        if data.autoencoder is not None:
            found = latents.decode(data.autoencoder, np.asarray(found))
        return jax.numpy.uint8(jax.numpy.round(found.clip(0, 1) * 255))

    images = map_batches(some, np.stack([rows, numbers], axis=1), AT_ONCE)
    if data.autoencoder is None:
        images = references.to_images(fitted.references, images)
    return np.ascontiguousarray(images.reshape(n, k, *images.shape[1:]))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _compiled(config, shape, params, level, mean, keys):
    return networks.draw(config, params, shape, level, mean, keys)

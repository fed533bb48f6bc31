"""Decoding units block by block: fitted, used and forgotten; see `ridge`."""

import collections
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from brainjax.errors import InputError
from brainjax.linear.arrays import as_numbers
from brainjax.linear.ridge import device as accelerator
from brainjax.linear.ridge import host
from brainjax.linear.ridge.equations import (
    Prepared,
    Units,
    not_solvable,
    scale_fmri,
    scale_units,
)

UNITS_AT_A_TIME = 512


class Weights(NamedTuple):
    """A fitted block: prediction = normalised fMRI @ voxels.T + bias.

    Attributes:
      voxels: [units, voxels]; 0 for voxels that were not selected.
      bias: [units].
    """

    voxels: np.ndarray
    bias: np.ndarray


def fitter(
    prepared: Prepared, threads: int | None = None
) -> Callable[[np.ndarray], Weights]:
    """Returns a function from `Units.values` [stimuli, units] to `Weights`.

    The function raises InputError where alpha is too small for the type of
    the numbers.

    Args:
      prepared: from `prepare`.
      threads: of the CPU; all that this process may use if None.
    """
    solve = host.solver(prepared, threads)
    shrinkage = prepared.shrinkage

    def fit(values: np.ndarray) -> Weights:
        voxels = solve(values)
        if not np.isfinite(voxels).all():
            raise not_solvable(prepared)
        bias = shrinkage * (prepared.weight @ values)
        at_origin = voxels @ prepared.origin
        return Weights(voxels, bias + (1 - shrinkage) * at_origin)

    return fit


def decoder(
    prepared: Prepared,
    fmri: np.ndarray,
    *,
    units_at_a_time: int = UNITS_AT_A_TIME,
    threads: int | None = None,
    devices: list[Any] | None = None,
) -> Callable[[np.ndarray], Iterator[np.ndarray]]:
    """Returns a function that decodes features, some units after the others.

    The function takes features [stimuli, units] of the training stimuli and
    yields [trials, units of a block] of the type `prepared.dtype`. It may be
    called for one portion of the units after the other. Memory beyond what
    was given: the Gram matrix [voxels, voxels], and of a block the features
    and the weights [units, voxels]; on an accelerator also k^2 numbers a
    unit, or half a gigabyte where there are fewer trials than k.

    Args:
      prepared: from `prepare`.
      fmri: [trials, voxels] to decode, as measured.
      units_at_a_time: how many make a block.
      threads: as `fitter`.
      devices: JAX devices that take turns; by default all accelerators, or
        where there are none the threads of the CPU.
    """
    scaled = scale_fmri(prepared, fmri)
    if devices is None and jax.default_backend() != 'cpu':
        devices = jax.local_devices()
    if prepared.k == len(prepared.mean):
        predictors = [_shared_predictor(prepared, scaled, threads)]
    elif devices:
        predictors = [
            accelerator.predictor(prepared, scaled, device)
            for device in devices
        ]
    else:
        predictors = [_predictor(fitter(prepared, threads), scaled)]

    def decode(features: np.ndarray) -> Iterator[np.ndarray]:
        blocks = (
            scale_units(prepared, features[:, i : i + units_at_a_time])
            for i in range(0, features.shape[1], units_at_a_time)
        )
        for units, predicted in _in_turns(predictors, blocks):
            values = np.asarray(predicted) * units.scale + units.mean
            if not np.isfinite(values).all():
                raise not_solvable(prepared)
            yield values.astype(prepared.dtype)

    return decode


def decode(
    prepared: Prepared, fmri: np.ndarray, features: np.ndarray, **options: Any
) -> np.ndarray:
    """Decodes features that fit in memory: [trials, units].

    Args:
      prepared: from `prepare`.
      fmri: [trials, voxels] to decode, as measured.
      features: [stimuli, units] of the training stimuli.
      **options: of `decoder`.
    """
    features = as_numbers(features, 'the features')
    if features.ndim != 2 or not features.size:
        raise InputError(
            f'The features have shape {features.shape}; give [stimuli, units], '
            'one or more of each.'
        )
    return np.hstack([*decoder(prepared, fmri, **options)(features)])


def _predictor(
    fit: Callable[[np.ndarray], Weights], fmri: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    def predict(values: np.ndarray) -> np.ndarray:
        weights = fit(values)
        return fmri @ weights.voxels.T + weights.bias

    return predict


def _shared_predictor(
    prepared: Prepared, fmri: np.ndarray, threads: int | None
) -> Callable[[np.ndarray], np.ndarray]:
    """Predicts where all units have all voxels: with one matrix for all."""
    both = np.vstack([fmri, prepared.origin])
    *weights, at_origin = host.projection(prepared, both, threads)
    weights = np.stack(weights) + prepared.shrinkage * prepared.weight
    weights += (1 - prepared.shrinkage) * at_origin
    return lambda values: weights @ values


def _in_turns(
    predictors: list[Callable[[np.ndarray], Any]], blocks: Iterable[Units]
) -> Iterator[tuple[Units, Any]]:
    """Gives blocks to predictors in turn, a block ahead of what is yielded.

    Accelerators work on the blocks ahead while one is yielded.
    """
    waiting = collections.deque()
    for i, units in enumerate(blocks):
        waiting.append((units, predictors[i % len(predictors)](units.values)))
        if len(waiting) > len(predictors):
            yield waiting.popleft()
    yield from waiting

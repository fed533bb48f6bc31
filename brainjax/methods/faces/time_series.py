"""The map and the test patterns from time series, as published.

    config.map.response = 'time-series'

Each training face was seen once, every 3 s, so that W is fitted to the series
of all runs and not to responses of single trials (`methods.faces.glm`). The
recording, a BIDS data set laid out as ds001761, still gives single trials:
they say how large each voxel's responses are, by which patterns and weights
are divided alike, and nothing else. All runs are read twice: for the test
patterns, in a model with principal components, and for the weights of both
kinds of latents at once.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError
from brainjax.linear import glm, pca
from brainjax.methods.faces import glm as faces_glm
from brainjax.methods.faces.latents import Space
from brainjax.pictures.names import stem
from brainjax.recordings import (
    Recording,
    Trials,
    need_pictures,
    on_disk,
    parse_options,
)
from brainjax.recordings.formats.faces import runs as faces_runs
from brainjax.recordings.formats.faces.runs import Columns, Subject
from brainjax.recordings.on_disk import mean_and_std

Coders = tuple[Callable[[np.ndarray], np.ndarray], ...]
RESPONSES = ('trials', 'time-series')
LARGE = 2**28  # Bytes of single trials that are not held in memory.
_OPTIONS = ('task', 'space', 'masks')


def find(config: ConfigDict) -> Subject:
    """Finds the runs of a config's recording."""
    c = config.recording
    given = parse_options(text for text in c.options.split(';') if text)
    return faces_runs.find(
        c.path,
        subject=c.subject or None,
        **{name: given[name] for name in _OPTIONS if name in given},
    )


def confounds(config: ConfigDict) -> tuple[str, ...]:
    """Returns the columns of motion, or those of the recording's options."""
    options = config.recording.options.split(';')
    given = parse_options(text for text in options if text)
    named = given.get('confounds', faces_runs.MOTION)
    return (named,) if isinstance(named, str) else tuple(named)


def _rows(names: tuple[str, ...], recording: Recording) -> np.ndarray:
    """Returns the stimulus of each name, a file's ending left out or not."""
    known = recording.stimuli.names
    rows = {stem(name): i for i, name in enumerate(known)}
    rows |= {name: i for i, name in enumerate(known)}
    missing = [name for name in names if name not in rows]
    if missing:
        raise InputError(
            f'{recording.source}: {missing[0]} is in the events and not among '
            'the stimuli; read both from the same data set.'
        )
    return np.array([rows[name] for name in names])


def _voxels(subject: Subject, recording: Recording) -> np.ndarray:
    """Returns which of the runs' voxels the recording kept, in its order."""
    ours, theirs = recording.volume, subject.voxels.volume
    if ours is None or theirs is None:
        if recording.voxels != len(subject.voxels.voxels):
            raise InputError(
                f'{recording.source}: {recording.voxels} voxels of '
                f'{len(subject.voxels.voxels)} were kept and their places are '
                "not known; set config.recording.options='drop='."
            )
        return np.arange(recording.voxels)
    flat = [
        np.ravel_multi_index(each.indices.T, each.shape)
        for each in (theirs, ours)
    ]
    order = np.argsort(flat[0])
    found = order[np.searchsorted(flat[0], flat[1], sorter=order) % len(order)]
    if not np.array_equal(flat[0][found], flat[1]):
        raise InputError(
            f'{recording.source}: some voxels lie outside of the masks of the '
            'runs; leave config.recording.roi empty.'
        )
    return found


def with_patterns(recording: Recording, config: ConfigDict) -> Recording:
    """Puts one pattern a test face in place of the trials of test faces.

    A pattern is the beta of all its presentations, in a model whose latents
    are principal components of the training faces: what these evoke would be
    noise otherwise. Single trials go to disk where they are many.
    """
    subject = find(config)
    kept = _voxels(subject, recording)
    images = need_pictures(recording)[_rows(subject.train, recording)]
    k = config.pca.components or config.networks.latents
    basis = pca.fit(images, k, whiten=True, seed=config.seed)
    columns = Columns(k, len(subject.test))
    runs = faces_runs.read(
        subject, pca.encode(basis, images), confounds=confounds(config)
    )
    fit = glm.solve(glm.accumulate(glm.Run(*run) for run in runs))
    patterns = fit.betas[columns.test][:, kept]
    known = np.isfinite(patterns).all(axis=1)
    stimulus = _rows(subject.test, recording)
    train = recording.train
    if train.fmri.nbytes > LARGE:
        train = dataclasses.replace(train, fmri=on_disk.to_disk(train.fmri))
    return dataclasses.replace(
        recording,
        train=train,
        test=Trials(patterns[known], np.int32(stimulus[known])),
        # Those of single trials.
        noise_ceiling=None,
        snr=None,
    )


def fit_maps(
    recording: Recording,
    config: ConfigDict,
    coders: Mapping[str, Coders],
    baseline: np.ndarray,
) -> dict[str, Space]:
    """Fits the weights of several kinds of latents to the series.

    Each kind is fitted in a model of its own, of the same sums.

    Args:
      recording: of `with_patterns`.
      config: see `faces.config.vanrullen2019`.
      coders: kind -> `Space.encode` and `Space.generate`.
      baseline: as in `Space`.
    """
    subject = find(config)
    kept = _voxels(subject, recording)
    images = recording.stimuli.images[_rows(subject.train, recording)]
    encoded = {kind: encode(images) for kind, (encode, _) in coders.items()}
    means = {kind: z.mean(axis=0) for kind, z in encoded.items()}
    # Centred, so that the constant is the response to the mean face.
    joint = np.concatenate(
        [z - means[kind] for kind, z in encoded.items()], axis=1
    )
    runs = faces_runs.read(subject, joint, confounds=confounds(config))
    sums = glm.accumulate(glm.Run(*run) for run in runs)
    _, std = mean_and_std(recording.train.fmri)
    spaces, start = {}, 0
    for kind, z in encoded.items():
        mine = slice(start, start + z.shape[1])
        start = mine.stop
        columns = np.r_[mine, joint.shape[1] : len(sums.gram)]
        found = faces_glm.of_sums(
            glm.Sums(
                sums.gram[np.ix_(columns, columns)],
                sums.cross[columns][:, kept],
                sums.squares[kept],
                sums.degrees,
            ),
            Columns(z.shape[1], len(subject.test)),
        )
        weights = found.weights.copy()
        weights[-1] -= means[kind] @ weights[:-1]
        spaces[kind] = Space(
            *coders[kind],
            latents=z,
            weights=np.float32(weights / std),
            baseline=baseline,
            noise=np.float32(found.variance * np.nanmean(found.noise) / std**2),
            gain=np.float32(found.gain),
            voxels=choose(found, config),
        )
    return spaces


def choose(found: faces_glm.Patterns, config: ConfigDict) -> np.ndarray:
    """Returns the ascending indices of voxels by t and gain."""
    c = config.map
    if c.voxels == 1 and not c.least_t:
        return np.arange(found.weights.shape[1])
    percentile = 100 * (1 - c.voxels)
    least = c.least_t or -np.inf
    return np.flatnonzero(glm.select(found.t, found.gain, least, percentile))


def check(config: ConfigDict, given: Any) -> None:
    """Refuses what time series cannot be combined with."""
    c = config.recording
    if given is not None or not c.path:
        raise InputError(
            "config.map.response='time-series' needs the runs of a BIDS data "
            "set in config.recording.path; or set it to 'trials'."
        )
    if c.roi or c.folds or config.map.ridge:
        raise InputError(
            "config.map.response='time-series' goes with neither "
            'config.recording.roi, config.recording.folds nor '
            'config.map.ridge; leave them as they are by default.'
        )
    if config.references or config.ceilings:
        raise InputError(
            'References and ceilings are of single trials; set '
            'config.references=False and config.ceilings=False with '
            "config.map.response='time-series'."
        )

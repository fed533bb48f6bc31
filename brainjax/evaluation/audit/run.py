"""The audit of a run or of two folders: gathers what the checks need."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ml_collections import ConfigDict
from PIL import Image

from brainjax.evaluation import classification, folders
from brainjax.evaluation.audit import checks, span
from brainjax.evaluation.audit import controls as audit_controls
from brainjax.evaluation.audit import rows as audit_rows
from brainjax.evaluation.audit.rows import Row
from brainjax.io.files import PathLike
from brainjax.pictures import loading
from brainjax.recordings import (
    Recording,
    average_repeats,
    leakage,
    normalise,
    open_recording,
    take_trials,
)
from brainjax.recordings.splits import cluster

MOST_TRAINING = 20_000  # Training pictures that are compared.
CLUSTER_SIDE = 8  # Pixels of the pictures by which clusters are formed.


def of_folders(
    seen: folders.Pictures,
    images: Sequence[np.ndarray],
    train_pictures: PathLike | None,
    recording: PathLike | None,
    options: Mapping[str, Any],
    seed: int = 0,
) -> list[Row]:
    """Audits one set of pictures against another.

    Args:
      seen: the true pictures.
      images: their reconstructions, in the same order.
      train_pictures: source of those shown in training, or None.
      recording: a recording whose training stimuli are taken instead, and
        whose categories, by name, or None.
      options: of the recording's format.
      seed: of the bootstrap.

    Raises:
      InputError: a source cannot be used.
    """
    train, split = None, []
    categories = [classification.class_of(path) for path in seen.paths]
    if recording is not None:
        opened = open_recording(recording, **options)
        split = _split(opened)
        shown = np.unique(opened.train.stimulus)
        if opened.stimuli.images is not None:
            train = _small(opened.stimuli.images[shown])
        if opened.stimuli.categories is not None:
            of = dict(
                zip(map(_stem, opened.stimuli.names), opened.stimuli.categories)
            )
            categories = [of.get(_stem(name), '') for name in seen.names]
    if train_pictures is not None:
        found, _ = loading.load(
            train_pictures,
            audit_rows.SIDE,
            limit=MOST_TRAINING,
            seed=seed,
            squash=True,
        )
        train = np.float32(found) / 255
    rows = checks.of_pictures(
        _small(seen.images),
        _small(images),
        train,
        categories if all(categories) else None,
        seed,
    )
    if train is not None and len(train) > 1:
        rows.append(span.best_prediction(_small(seen.images), train))
    why = 'needs the fitted method; set config.audit.on in `brainjax run`.'
    return [
        *split,
        *rows,
        *(
            audit_rows.not_checked(check, why)
            for check in (
                'noise in place of the responses',
                'held-out clusters',
                'seeds',
            )
        ),
    ]


def of_run(
    method: Any,
    fitted: Any,
    recording: Recording,
    unpaired: np.ndarray,
    test: Any,
    made: np.ndarray,
    config: ConfigDict,
    workdir: pathlib.Path,
) -> list[Row]:
    """Audits a run through its fitted method.

    Args:
      method: module with fit and reconstruct.
      fitted: what its fit returned.
      recording, unpaired: what it was fitted to.
      test: the averaged, normalised test trials.
      made: their reconstructions.
      config: of the experiment; `config.audit` says how much.
      workdir: gets 'audit', from which refits go on.
    """
    stimuli, folder = recording.stimuli, workdir / 'audit'
    truth, small = _small(stimuli.images[test.stimulus]), _small(made)
    shown = np.unique(recording.train.stimulus)
    train = _small(stimuli.images[shown])
    categories = stimuli.categories and [
        stimuli.categories[i] for i in test.stimulus
    ]
    rows = _split(recording)
    rows += checks.of_pictures(truth, small, train, categories, config.seed)
    rows.append(span.best_prediction(truth, train))
    controls = {
        name: _small(
            method.reconstruct(_beside(fitted, folder / name), fmri, config)
        )
        for name, fmri in audit_controls.patterns(
            test.fmri, config.seed
        ).items()
    }
    rows += audit_controls.rows(truth, small, controls, config.seed)
    rows.append(
        _clusters(
            method, recording, unpaired, test, truth, small, config, folder
        )
    )
    rows.append(
        _seeds(method, recording, unpaired, test, truth, small, config, folder)
    )
    return rows


def _split(recording: Recording) -> list[Row]:
    """What training and test trials share beside pictures; not judged."""
    return [
        Row(
            f'{found.what} in training and test',
            None if found.shared is None else float(found.shared),
            None if found.of is None else float(found.of),
            None,
            found.verdict,
        )
        for found in leakage.check(recording)
        if found.what in ('names', 'categories', 'runs', 'sessions')
    ]


def _clusters(
    method, recording, unpaired, test, truth, made, config, folder
) -> Row:
    k = config.audit.clusters
    if not k:
        return audit_rows.not_checked(
            'held-out clusters',
            'each cluster is a fit of its own; set config.audit.clusters=5 or '
            'more.',
        )
    label = cluster(_features(recording), k, config.seed)
    held_out = np.empty_like(made)
    for each in np.unique(label[test.stimulus]):
        rows = label[test.stimulus] == each
        rest = np.flatnonzero(label[recording.train.stimulus] != each)
        part = dataclasses.replace(
            recording, train=take_trials(recording.train, rest)
        )
        place = folder / f'cluster-{each}'
        fitted = method.fit(part, unpaired, config, place)
        fmri = average_repeats(normalise(part).test).fmri[rows]
        held_out[rows] = _small(method.reconstruct(fitted, fmri, config))
    return audit_controls.held_out_cluster(
        truth, made, held_out, label[test.stimulus], config.seed
    )


def _seeds(
    method, recording, unpaired, test, truth, made, config, folder
) -> Row:
    if not config.audit.seeds:
        return audit_rows.not_checked(
            'seeds', 'each is a fit of its own; set config.audit.seeds=2.'
        )
    scores = {config.seed: float(audit_rows.pairwise(truth, made).mean())}
    for seed in range(config.seed + 1, config.seed + 1 + config.audit.seeds):
        changed = config.copy_and_resolve_references()
        changed.seed = seed
        place = folder / f'seed-{seed}'
        fitted = method.fit(recording, unpaired, changed, place)
        found = method.reconstruct(fitted, test.fmri, changed)
        scores[seed] = float(audit_rows.pairwise(truth, _small(found)).mean())
    chance = float(audit_rows.pairwise(truth, np.roll(made, 1, axis=0)).mean())
    return audit_controls.seeds(scores, chance)


def as_dicts(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Rows as scores.json has them."""
    return [row._asdict() for row in rows]


def _beside(fitted: Any, folder: pathlib.Path) -> Any:
    """A fitted method that leaves its files, if any, in another folder."""
    if 'folder' not in fitted._fields:
        return fitted
    return fitted._replace(folder=folder)


def _features(recording: Recording) -> np.ndarray:
    size = (CLUSTER_SIDE, CLUSTER_SIDE)
    small = folders.stack(recording.stimuli.images, size, Image.Resampling.BOX)
    return np.float32(small.reshape(len(small), -1))


def _small(images: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures of any size to [n, side, side, 3] float32 in 0..1."""
    bytes_ = [folders.as_bytes(image) for image in images]
    size = (audit_rows.SIDE, audit_rows.SIDE)
    found = folders.stack(bytes_, size, Image.Resampling.BOX)
    return np.float32(found) / 255


def _stem(name: str) -> str:
    return pathlib.PurePosixPath(name).stem

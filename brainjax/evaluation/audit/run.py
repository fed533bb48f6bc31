"""The audit of a run or of two folders: gathers what the checks need."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from brainjax.evaluation import classification, folders
from brainjax.evaluation.audit import (
    SIDE,
    AuditCheck,
    checks,
    controls,
    not_checked,
    pairwise,
    span,
)
from brainjax.io.files import PathLike
from brainjax.pictures import loading, operations
from brainjax.recordings import (
    Recording,
    leakage,
    open_recording,
    take_trials,
)
from brainjax.recordings.splits import cluster, small_pictures

MOST_TRAINING = 20_000  # Training pictures that are compared.


def of_folders(
    seen: folders.Pictures,
    images: Sequence[np.ndarray],
    train_pictures: PathLike | None,
    recording: PathLike | None,
    options: Mapping[str, Any],
    seed: int = 0,
) -> list[AuditCheck]:
    """Audits one set of pictures against another.

    Args:
      seen: the true pictures.
      images: their reconstructions, in the same order.
      train_pictures: source of those shown in training, or None.
      recording: a recording whose training stimuli are taken instead, and
        whose categories, by name, or None.
      options: of the recording's format.
      seed: of the bootstrap.
    """
    train, shared = None, []
    categories = [classification.class_of(path) for path in seen.paths]
    if recording is not None:
        opened = open_recording(recording, **options)
        shared = _shared(opened)
        shown = np.unique(opened.train.stimulus)
        if opened.stimuli.images is not None:
            train = _small(opened.stimuli.images[shown])
        if opened.stimuli.categories is not None:
            of = dict(
                zip(map(_stem, opened.stimuli.names), opened.stimuli.categories)
            )
            categories = [of.get(_stem(name), '') for name in seen.names]
    if train_pictures is not None:
        loaded, _ = loading.load(
            train_pictures,
            SIDE,
            limit=MOST_TRAINING,
            seed=seed,
            fit='lanczos',
        )
        train = np.float32(loaded) / 255
    found = checks.of_pictures(
        _small(seen.images),
        _small(images),
        train,
        categories if all(categories) else None,
        seed,
    )
    if train is not None and len(train) > 1:
        found.append(span.best_prediction(_small(seen.images), train))
    why = 'needs the fitted method; set config.audit.on in `brainjax run`.'
    return [
        *shared,
        *found,
        *(
            not_checked(check, why)
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
    data: Any,
    prepare: Callable[[Recording, np.ndarray], Any],
    reconstruction: np.ndarray,
    config: ConfigDict,
    workdir: pathlib.Path,
) -> list[AuditCheck]:
    """Audits a run through its fitted method.

    Args:
      method: with fit and reconstruct, of `methods.METHODS`.
      fitted: what its fit returned.
      data: what it was fitted to, of `methods.data.Data`.
      prepare: recording, pictures -> such data, for the refits.
      reconstruction: [n, height, width, 3] of the averaged test trials.
      config: of the experiment; `config.audit` says how much.
      workdir: gets 'audit', where interrupted refits resume.
    """
    recording, test = data.recording, data.test
    stimuli, folder = recording.stimuli, workdir / 'audit'
    target = _small(stimuli.images[test.stimulus])
    small = _small(reconstruction)
    train = _small(stimuli.images[np.unique(recording.train.stimulus)])
    categories = stimuli.categories and [
        stimuli.categories[i] for i in test.stimulus
    ]

    def refit(part, changed, place, rows=slice(None)):
        # Less to learn from is normalised anew, by what is left of it.
        again = data if part is recording else prepare(part, data.pictures)
        fitted = method.fit(again, changed, folder / place)
        fmri = again.test.fmri[rows]
        return _small(method.reconstruct(fitted, fmri, changed))

    def without_brain(name, fmri):
        elsewhere = _in_folder(fitted, folder / name)
        return _small(method.reconstruct(elsewhere, fmri, config))

    given = {
        name: without_brain(name, fmri)
        for name, fmri in controls.patterns(test.fmri, config.seed).items()
    }
    return [
        *_shared(recording),
        *checks.of_pictures(target, small, train, categories, config.seed),
        span.best_prediction(target, train),
        *controls.compare(target, small, given, config.seed),
        _clusters(refit, recording, test, target, small, config),
        _seeds(refit, recording, target, small, config),
    ]


def _shared(recording: Recording) -> list[AuditCheck]:
    """What training and test share apart from pictures; not judged."""
    return [
        AuditCheck(
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
    refit, recording, test, target, reconstruction, config
) -> AuditCheck:
    """Reconstructs each test picture by a fit without its cluster."""
    k = config.audit.clusters
    if not k:
        return not_checked(
            'held-out clusters',
            'each cluster is a fit of its own; set config.audit.clusters=5 or '
            'more.',
        )
    label = cluster(small_pictures(recording), k, config.seed)
    held_out = np.empty_like(reconstruction)
    for each in np.unique(label[test.stimulus]):
        mine = label[test.stimulus] == each
        rest = np.flatnonzero(label[recording.train.stimulus] != each)
        part = dataclasses.replace(
            recording, train=take_trials(recording.train, rest)
        )
        held_out[mine] = refit(part, config, f'cluster-{each}', mine)
    return controls.held_out_cluster(
        target, reconstruction, held_out, label[test.stimulus], config.seed
    )


def _seeds(refit, recording, target, reconstruction, config) -> AuditCheck:
    """Fits anew with other seeds."""
    if not config.audit.seeds:
        return not_checked(
            'seeds', 'each is a fit of its own; set config.audit.seeds=2.'
        )
    scores = {config.seed: float(pairwise(target, reconstruction).mean())}
    for seed in range(config.seed + 1, config.seed + 1 + config.audit.seeds):
        changed = config.copy_and_resolve_references()
        changed.seed = seed
        found = refit(recording, changed, f'seed-{seed}')
        scores[seed] = float(pairwise(target, found).mean())
    shifted = np.roll(reconstruction, 1, axis=0)
    return controls.seeds(scores, float(pairwise(target, shifted).mean()))


def as_dicts(found: Sequence[AuditCheck]) -> list[dict[str, Any]]:
    """Checks as scores.json has them."""
    return [check._asdict() for check in found]


def _in_folder(fitted: Any, folder: pathlib.Path) -> Any:
    """A fitted method that leaves its files, if any, in another folder."""
    if 'folder' not in fitted._fields:
        return fitted
    return fitted._replace(folder=folder)


def _small(images: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures of any size to [n, side, side, 3] float32 in 0..1."""
    bytes_ = [operations.to_uint8(image) for image in images]
    size = (SIDE, SIDE)
    found = operations.to_one_size(bytes_, size, 'box')
    return np.float32(found) / 255


def _stem(name: str) -> str:
    return pathlib.PurePosixPath(name).stem

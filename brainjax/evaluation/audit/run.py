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
    repeats,
    spaces,
    span,
)
from brainjax.io.files import PathLike
from brainjax.linear.arrays import evenly
from brainjax.pictures import loading, operations
from brainjax.recordings import (
    Recording,
    leakage,
    normalise,
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
    unpaired_pictures: PathLike | None = None,
    chosen_from: int = 1,
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
      unpaired_pictures: source of those that the method learned from besides.
      chosen_from: of how many each picture was chosen by the target.
    """
    train, shared, categories = None, [], None
    if recording is not None:
        opened = open_recording(recording, **options)
        shared = _shared(opened)
        train = _shown(opened)
        categories = _categories(opened, seen.names)
        shared += _responses(opened, seen.names, seen.images, images, seed)
    if categories is None:
        categories = [classification.class_of(path) for path in seen.paths]
    square = all(len({*x.shape[:2]}) == 1 for x in seen.images)
    fit = 'box' if square else 'whole box'
    if train_pictures is not None:
        train = _load(train_pictures, fit, seed)
    unpaired = unpaired_pictures and _load(unpaired_pictures, fit, seed)
    found = _of_pictures(
        seen.images,
        images,
        train,
        categories if all(categories) else None,
        seed,
        unpaired,
        chosen_from,
    )
    why = 'needs the fitted method; set config.audit.on in `brainjax run`.'
    return [
        *shared,
        *found,
        *(
            not_checked(check, why)
            for check in (
                'noise in place of the responses',
                'same responses in another order',
                'held-out clusters',
                'seeds',
            )
        ),
    ]


def _of_pictures(
    target: Sequence[np.ndarray],
    images: Sequence[np.ndarray],
    train: Sequence[np.ndarray] | None,
    categories: Sequence[str] | None,
    seed: int,
    unpaired: Sequence[np.ndarray] | None = None,
    chosen_from: int = 1,
) -> list[AuditCheck]:
    """All checks that need pictures alone, at their sizes, in all spaces."""
    pair = small(target), small(images)
    known = None if train is None else small(train)
    found = checks.of_pictures(
        *pair,
        known,
        categories,
        seed,
        None if unpaired is None else small(unpaired),
        min(min(x.shape[:2]) for x in target) >= SIDE,
        chosen_from,
    )
    decoded = found[0].level == 'ok'  # Beyond the category.
    found += spaces.of_layers(target, images, train, categories, decoded, seed)
    if known is not None and len(known) > 1:
        found.append(span.best_prediction(pair[0], known))
    return found


def _shown(recording: Recording) -> np.ndarray | None:
    """The pictures shown in training, [m, height, width, 3], if known."""
    images = recording.stimuli.images
    if images is None:
        return None
    return images[np.unique(recording.train.stimulus)]


def _categories(recording: Recording, names: Sequence[str]) -> list[str] | None:
    """Categories of pictures by their names; '' where one is not known."""
    stimuli = recording.stimuli
    if stimuli.categories is None:
        return None
    known = dict(zip(map(_stem, stimuli.names), stimuli.categories))
    return [known.get(_stem(name), '') for name in names]


def _responses(recording, names, target, images, seed) -> list[AuditCheck]:
    """What repeats of the responses tell, of pictures found by name."""
    known = {_stem(name): i for i, name in enumerate(recording.stimuli.names)}
    rows = [i for i, name in enumerate(names) if _stem(name) in known]
    if not rows:
        return []
    stimulus = np.array([known[_stem(names[i])] for i in rows])
    pair = (small([x[i] for i in rows]) for x in (target, images))
    test = normalise(recording).test
    return [repeats.of_responses(test, stimulus, *pair, seed)]


def _load(source: PathLike, fit: str, seed: int) -> np.ndarray:
    """Pictures of a source, by the way that all are brought to size."""
    loaded, _ = loading.load(
        source, SIDE, limit=MOST_TRAINING, seed=seed, fit=fit
    )
    return loaded


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
    seen = stimuli.images[test.stimulus]
    target, made = small(seen), small(reconstruction)
    categories = stimuli.categories and [
        stimuli.categories[i] for i in test.stimulus
    ]

    def refit(part, changed, place, rows=slice(None)):
        # Less to learn from is normalised anew, by what is left of it.
        again = data
        if part is not recording:
            again = prepare(
                part, data.pictures, depth=data.depth, others=data.others
            )
        fitted = method.fit(again, changed, folder / place)
        fmri = again.test.fmri[rows]
        return small(method.reconstruct(fitted, fmri, changed))

    def without_brain(name, fmri):
        elsewhere = _in_folder(fitted, folder / name)
        return small(method.reconstruct(elsewhere, fmri, config))

    given = {
        name: without_brain(name, fmri)
        for name, fmri in controls.patterns(test.fmri, config.seed).items()
    }
    return [
        *_shared(recording),
        *_of_pictures(
            seen,
            reconstruction,
            _shown(recording),
            categories,
            config.seed,
            _some(data.pictures),
        ),
        *controls.compare(target, made, given, config.seed),
        repeats.of_responses(
            data.normalised.test, test.stimulus, target, made, config.seed
        ),
        _clusters(refit, recording, test, target, made, config),
        _seeds(refit, recording, target, made, config),
    ]


def _shared(recording: Recording) -> list[AuditCheck]:
    """What training and test share apart from pictures; not judged."""
    return [
        AuditCheck(
            f'{found.what} in training and test',
            None if found.shared is None else float(found.shared),
            None if found.of is None else float(found.of),
            'not judged',
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
    return [check._asdict() | {'flagged': check.flagged} for check in found]


def _in_folder(fitted: Any, folder: pathlib.Path) -> Any:
    """A fitted method that leaves its files, if any, in another folder."""
    if 'folder' not in fitted._fields:
        return fitted
    return fitted._replace(folder=folder)


def small(images: Sequence[np.ndarray]) -> np.ndarray:
    """Brings pictures to the size at which all are compared, in one way.

    Each pixel is the mean of those that it covers, so that it does not matter
    if pictures came large or had been shrunk likewise before.

    Args:
      images: [height, width, 3] each, uint8 or floats in 0..1.

    Returns:
      [n, SIDE, SIDE, 3] float32 in 0..1.
    """
    bytes_ = [operations.to_uint8(image) for image in images]
    size = (SIDE, SIDE)
    found = operations.to_one_size(bytes_, size, 'box')
    return np.float32(found) / 255


def _some(pictures: np.ndarray | None) -> np.ndarray | None:
    """Unpaired pictures, MOST_TRAINING at most."""
    if pictures is None or not len(pictures):
        return None
    return pictures[evenly(len(pictures), MOST_TRAINING)]


def _stem(name: str) -> str:
    return pathlib.PurePosixPath(name).stem

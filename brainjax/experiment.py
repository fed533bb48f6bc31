"""One experiment from a config to a report: `brainjax run`."""

import functools
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from brainjax import (
    config_files,
    cross_validation,
    evaluation,
    finished,
    model,
    results,
)
from brainjax import outcome as outcomes
from brainjax.cross_validation import Division
from brainjax.errors import InputError, check_known
from brainjax.evaluation import pixels, preregistration, test_subsets
from brainjax.evaluation.audit import run as audit
from brainjax.evaluation.published import config_protocol
from brainjax.evaluation.voxels import voxel_values
from brainjax.io import files, metrics, progress, provenance
from brainjax.methods import METHODS, references
from brainjax.methods import repeats as repeats_of
from brainjax.methods.data import (
    NOTHING,
    Data,
    Figure,
    Findings,
    Given,
    Loaded,
    fingerprints,
    prepare,
)
from brainjax.outcome import Outcome
from brainjax.recordings import Recording, preparing
from brainjax.reports import methods_text
from brainjax.training import hosts


def run(
    config: ConfigDict,
    workdir: files.PathLike,
    recording: Recording | None = None,
    pictures: Any = None,
) -> dict[str, Any]:
    """Fits, reconstructs the test trials, scores and reports.

    Args:
      config: of the experiment.
      workdir: gets scores.json, per_picture.csv, report.html,
        reconstructions.npz, targets.npz, metrics.csv, images/, model/,
        voxels.csv, voxels.npz, maps/ where voxels have places, and
        checkpoints/; an interrupted run resumes from there. With
        `config.recording.folds` each fold is such a run in fold_1, fold_2,
        ..., which have the checkpoints and the models.
      recording: to fit and test on, whatever `config.recording.path` says;
        its pictures are brought to `config.size`.
      pictures: without responses, whatever `config.pictures.path` says: a
        path, or arrays as for `pictures.load`.

    Returns:
      What scores.json holds; {} on all hosts but the first, which alone
      writes, scores and reports.

    Raises:
      InputError: something given cannot be used.
      Interrupted: SIGINT or SIGTERM came; the same call resumes.
    """
    given = Given(recording, pictures)
    check(config, given)
    if recording is None and pictures is None:
        found = finished.early(workdir, config)
        if found is not None:
            return found
    if cross_validation.is_pooled(config):
        return _run_folds(config, workdir, given)
    return run_opened(config, workdir, lambda: open_data(config, given))


def check(config: ConfigDict, given: Given = NOTHING) -> None:
    """Refuses what a config says amiss, before anything is read."""
    check_known('method', config.method, METHODS)
    cross_validation.check(config)
    known = preparing.SCALES[1:]
    check_known('config.recording.scale', config.recording.scale, known)
    metrics.check(config.log.tensorboard)
    preregistration.read(config.preregistration.path)  # A bad one is refused.
    _check_required(config, given)
    config_protocol.check(config)


def run_recording(
    recording: Recording,
    config: ConfigDict | files.PathLike,
    workdir: files.PathLike,
    pictures: Any = None,
) -> dict[str, Any]:
    """Runs an experiment on a recording that is at hand; `brainjax.run`.

    Args:
      recording: such as `from_arrays` and `open_recording` give.
      config: of `load_config`, or what that takes: the name of a shipped one,
        such as 'small', or the path of a file.
      workdir, pictures: see `run`.

    Returns:
      What scores.json holds.
    """
    if not isinstance(recording, Recording):
        raise InputError(
            f'recording is a {type(recording).__name__}; give one that '
            'from_arrays or open_recording returns.'
        )
    if not isinstance(config, ConfigDict):
        config = config_files.load_config(config)
    return run(config, workdir, recording, pictures)


def run_opened(
    config: ConfigDict,
    workdir: files.PathLike,
    open_: Callable[[], Data],
    tell: Callable[[str], None] | None = None,
    fit_references: Callable | None = None,
) -> dict[str, Any]:
    """`run` of one fit; a finished fold is not done again.

    Args:
      config, workdir: as `run` takes them; the config is checked.
      open_: gives the data.
      tell: called with each problem; notes it by default.
      fit_references: see `references.of_run`.
    """
    timings, is_fold = {}, cross_validation.is_fold(config)
    with provenance.open_run_folder(
        workdir, config, hosts.is_first()
    ) as folder:
        with _timed(timings, 'Open the recording and the pictures'):
            data = open_()
            test_subsets.rows(_names(data), results.subsets(config))
            if not is_fold:
                config_protocol.check_classes(
                    config, data.recording.stimuli, _names(data)
                )
            if hosts.is_first():
                _claim(folder, data.fingerprints, config)
                for problem in data.problems:
                    (tell or _note)(problem)
        if is_fold and hosts.run_on_first((folder / outcomes.TOLD).exists):
            scores = folder / 'scores.json'
            return files.read_json(scores) if hosts.is_first() else {}

        def make():
            outcome, figures, fitted = _fit(
                config, folder, data, timings, fit_references
            )
            if outcome is None:
                return {}
            shown = results.conclude(config, folder, outcome, figures, timings)
            if METHODS[config.method].pack:
                model.save(folder / 'model', fitted, data, config, shown)
            if is_fold:
                outcomes.save(folder, outcome)
            return shown

        about = data.recording, data.others, data.problems, data.test_kept
        return finished.once(folder, config, data.fingerprints, about, make)


def _run_folds(
    config: ConfigDict, workdir: files.PathLike, given: Given
) -> dict[str, Any]:
    """`run` of all folds, each in a folder of its own; all hosts do each."""
    timings, tell = {}, functools.cache(_note)
    with provenance.open_run_folder(
        workdir, config, hosts.is_first()
    ) as folder:
        with _timed(timings, 'Open the recording and the pictures'):
            loaded = load(config, given)
            recording = loaded.recording
            division = cross_validation.divide(config, recording)
            names = cross_validation.shown(recording)
            test_subsets.rows(names, results.subsets(config))
            config_protocol.check_classes(config, recording.stimuli, names)
            prints = {}
            if hosts.is_first():
                prints = fingerprints(recording, loaded.pictures, *loaded[4:])
                _claim(folder, prints, config)
        parts = [
            folder / f'fold_{i + 1}' for i in range(config.recording.folds)
        ]

        def make():
            for i, part in enumerate(parts):
                with _timed(timings, f'Fold {i + 1}'):
                    run_opened(
                        cross_validation.config_of(config, i),
                        part,
                        functools.partial(
                            _of_fold, config, loaded, division, i
                        ),
                        tell,
                    )
            if not hosts.is_first():
                return {}
            # From the files, whichever process wrote them.
            outcome = cross_validation.pool([*map(outcomes.read, parts)])
            outcome.told['fingerprints'] = prints
            return results.conclude(config, folder, outcome, [], timings)

        about = recording, loaded.others, loaded.notes, loaded.names
        return finished.once(folder, config, prints, about, make)


def _fit(
    config: ConfigDict,
    folder: pathlib.Path,
    data: Data,
    timings: dict[str, float],
    fit_references: Callable | None,
) -> tuple[Outcome | None, list[Figure], Any]:
    """Fits, reconstructs and audits; no outcome on hosts but the first.

    Returns:
      What the fit gave, figures, and what the method fitted.
    """
    method = METHODS[config.method]
    with _timed(timings, 'Fit'):
        fitted = method.fit(data, config, folder)
    with _timed(timings, 'Reconstruct'):
        images = method.reconstruct(fitted, data.test.fmri, config)
    with _timed(timings, 'Describe'):
        found = method.findings(fitted, data, config)
    repeats = None
    if config.ceilings:
        with _timed(timings, 'Fewer trials'):
            repeats = repeats_of.fewer_trials(
                method.reconstruct, fitted, data, config, folder
            )
    checks = []
    if config.audit.on:
        with _timed(timings, 'Audit'):
            checks = audit.of_run(
                method, fitted, data, _prepare(config), images, config, folder
            )
    if not hosts.is_first():
        return None, [], fitted
    beside = references.Shown({}, [], [], {})
    if config.references:
        with _timed(timings, 'References: ridge, closed-form posterior'):
            kept = folder / 'checkpoints' / 'references'
            beside = references.of_run(
                data, config.seed, kept, found.references, fit_references
            )
    outcome = Outcome(
        np.array(_names(data)),
        data.recording.stimuli.images[data.test.stimulus],
        images,
        beside.images,
        beside.densities,
        found.arrays,
        found.scores,
        _told(data, config, found, beside.notes),
        checks,
        found.ceiling,
        repeats,
        voxels=voxel_values.collect(
            data.recording, beside.voxels, found.voxels
        ),
    )
    return outcome, found.figures, fitted


def _told(
    data: Data, config: ConfigDict, found: Findings, notes: Sequence[str]
) -> dict[str, Any]:
    """What `Outcome.told` holds."""
    return {
        'method': found.method,
        'subject': data.recording.subject,
        'source': data.recording.source,
        'simulated': data.recording.simulated,
        'transductive': found.transductive
        or config.recording.scale == 'own_run',
        'test_kept': data.test_kept,
        'problems': data.problems,
        'notes': [*found.notes, *notes],
        'measured': methods_text.measured(
            data.recording, len(data.pictures), config.to_dict()
        ),
        'fitting': found.fitting,
        'fingerprints': data.fingerprints,
        'trials': len(data.recording.test) / len(data.test),
        'ceiling_from': found.ceiling_from,
        'classes': config_protocol.classes_of(config, data.recording.stimuli),
    }


def _of_fold(
    config: ConfigDict, loaded: Loaded, division: Division, i: int
) -> Data:
    recording, *rest = loaded
    part = cross_validation.take(recording, division, i)
    return _prepare(config)(part, *rest)


def _prepare(config: ConfigDict) -> Callable[..., Data]:
    """Returns `prepare` with what the config says of it."""
    return functools.partial(
        prepare,
        keep_test=config.pictures.keep_test,
        scale=config.recording.scale,
    )


def _claim(
    folder: pathlib.Path, prints: dict[str, str], config: ConfigDict
) -> None:
    """Notes what the folder's run learns from, and what was said before."""
    said = preregistration.read(config.preregistration.path)
    registered = {'preregistration': said['sha256']} if said else {}
    provenance.check_data(folder, prints | registered)


def _note(problem: str) -> None:
    progress.note(f'Note: {problem}')


def _names(data: Data) -> list[str]:
    return [data.recording.stimuli.names[i] for i in data.test.stimulus]


def open_data(config: ConfigDict, given: Given = NOTHING) -> Data:
    """Opens or simulates what a config names and is not given.

    Raises:
      InputError: they cannot be used, the ROI does not exist, or there are
        fewer than two test pictures.
    """
    loaded = load(config, given)
    if cross_validation.is_fold(config):
        division = cross_validation.divide(config, loaded[0])
        return _of_fold(config, loaded, division, config.recording.fold)
    data = _prepare(config)(*loaded)
    evaluation.check_number(len(data.test), data.recording.source)
    return data


def tested(config: ConfigDict) -> tuple[int, dict[str, str]]:
    """How many pictures a run is tested on, and hashes of its data."""
    cross_validation.check(config)
    if cross_validation.is_pooled(config):
        loaded = load(config)
        recording = loaded.recording
        parts = recording.train.stimulus, recording.test.stimulus
        prints, stimuli = (
            fingerprints(recording, loaded.pictures, *loaded[4:]),
            np.concatenate(parts),
        )
    else:
        data = open_data(config)
        recording, prints = data.recording, data.fingerprints
        stimuli = data.test.stimulus
    images = recording.stimuli.images[np.unique(stimuli)]
    return len(np.unique(pixels.distinct(images))), prints


def load(config: ConfigDict, given: Given = NOTHING) -> Loaded:
    """Opens or simulates what a config names, as its method does."""
    _check_required(config, given)
    return METHODS[config.method].load(config, given)


def _check_required(config: ConfigDict, given: Given) -> None:
    c = config.recording
    if not c.path and c.required and given.recording is None:
        raise InputError(
            f'config.recording.path is empty: this config wants {c.required}.'
        )


@contextmanager
def _timed(timings: dict[str, float], name: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    timings[name] = time.monotonic() - began
    progress.note(f'{name}: {timings[name]:.1f} s', level=2)

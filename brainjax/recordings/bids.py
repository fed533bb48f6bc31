"""BIDS data sets, raw or preprocessed by fMRIPrep: a response for each trial.

Wanted are, below the data set's folder,

  sub-01/[ses-01/]func/*_bold.nii.gz, or *_desc-preproc_bold.nii.gz
  *_events.tsv for each run, in a derivative's case also in the raw data set
    around it
  masks of regions, one NIfTI file each, on the grid of the images

`bids_events` says what events mean, `bids_responses` how a run's time series
becomes one response a trial. Runs are read one after the other, and only
voxels of the masks are kept.
"""

import json
import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError, suggestion
from brainjax.files import PathLike
from brainjax.recordings import (
    bids_events,
    bids_files,
    bids_masks,
    bids_responses,
    holding_out,
    nifti,
    stimulus_pictures,
)
from brainjax.recordings.bids_events import Event, Preset
from brainjax.recordings.bids_files import Run
from brainjax.recordings.bids_writing import SIMULATED, write
from brainjax.recordings.recording import Recording, Stimuli, Trials

__all__ = ['looks_like', 'read', 'write']

TESTS = ('test', 'shape', 'letter', 'imagery')


def looks_like(path: PathLike) -> bool:
    """True for a folder with subjects, sub-*/."""
    return os.path.isdir(path) and any(
        entry.is_dir() for entry in pathlib.Path(path).glob('sub-*')
    )


def read(
    path: PathLike,
    pictures: PathLike | None = None,
    size: int | None = None,
    roi: str | None = None,
    subject: str | None = None,
    task: str | None = None,
    space: str | None = None,
    masks: PathLike | None = None,
    preset: str | None = None,
    test: str = 'test',
    response: str = 'window',
    window: Sequence[float] | None = None,
    high_pass: float = 128.0,
    confounds: Sequence[str] = (),
    zscore_runs: bool = True,
) -> Recording:
    """Reads one subject.

    Responses come from the series with drifts and confounds removed and each
    voxel z-scored within its run, for which nilearn is needed; high_pass=0,
    zscore_runs=False and no confounds leave the series as it is. A GLM has
    drifts and confounds in its model instead. z-scoring a run takes all its
    volumes, of test runs too, but no label.

    Args:
      path: the data set's folder.
      pictures: a folder, a tar archive or an HDF5 file of pictures that bear
        the stimulus names; None for the folder `stimuli`, if it has them all.
      size: of the pictures; None keeps their own.
      roi: one region or several joined by '|'; None or '' for all masks.
      subject: '01'; None where there is only one.
      task: keep only this one.
      space: of fMRIPrep's images; None where there is only one.
      masks: folder of ROI masks; None looks where `bids_masks` says, and then
        takes fMRIPrep's brain mask.
      preset: one of `bids_events.PRESETS`; None tells it from the data set.
      test: the set to test on: 'test', 'shape', 'letter' or 'imagery', or
        part of the names of the runs to test on, such as 'ses-02'.
      response: 'window', the mean of volumes; 'glm', least squares with a
        regressor for each trial; or 'glm-separate', a model for each trial.
      window: seconds after onset (from, to); None for the preset's.
      high_pass: period in seconds above which drifts are removed; 0 for none.
      confounds: columns of desc-confounds_timeseries.tsv to remove.
      zscore_runs: whether to z-score each voxel within each run.

    Raises:
      InputError: naming the file, what is wrong in it and the fix.
    """
    root = pathlib.Path(path)
    if response not in bids_responses.KINDS:
        raise InputError(
            f'There is no response {response!r}, only '
            f'{", ".join(bids_responses.KINDS)}.'
            f'{suggestion(response, bids_responses.KINDS)}'
        )
    name = bids_files.find_subject(root, subject)
    runs = bids_files.find_runs(root, name, task, space)
    tables = [_events_of(run, root) for run in runs]
    about = bids_files.description(root)
    chosen = bids_events.choose(preset, json.dumps(about), tables[0][1])
    rules = bids_events.PRESETS[chosen]
    voxels = _voxels(root, name, runs[0], masks, roi)
    how = _How(
        response,
        tuple(window or rules.window),
        float(high_pass),
        tuple(confounds),
        bool(zscore_runs),
    )
    problems = [rules.note] if rules.note and response == 'window' else []
    parts = []
    for number, (run, (events_path, rows)) in enumerate(zip(runs, tables), 1):
        events = bids_events.events(rows, run, rules, str(events_path))
        fmri, shown, found = _responses(run, root, events, voxels, rules, how)
        parts.append(_Part(fmri, shown, run, number))
        problems += found
    problems += _untold(tables, parts, chosen)
    return _recording(
        root, name, about, parts, voxels, test, pictures, size, problems
    )


class _How(NamedTuple):
    response: str
    window: tuple[float, ...]
    high_pass: float
    confounds: tuple[str, ...]
    zscore: bool


class _Part(NamedTuple):
    """The trials of one run: [trials, voxels], their events, where from."""

    fmri: np.ndarray
    shown: list[Event]
    run: Run
    place: int


def _events_of(
    run: Run, root: pathlib.Path
) -> tuple[pathlib.Path, list[bids_files.Row]]:
    found = bids_files.find_beside(run, root, 'events.tsv')
    if not found:
        raise InputError(
            f'{run.bold} has no {run.label}_events.tsv beside it; add it, or '
            'keep only runs with trials with `task`.'
        )
    return found[0], bids_files.read_table(found[0])


def _voxels(
    root: pathlib.Path,
    subject: str,
    run: Run,
    masks: PathLike | None,
    roi: str | None,
) -> bids_masks.Masks:
    if masks is not None:
        folder = pathlib.Path(masks)
        return bids_masks.read(folder, bids_masks.inside(folder), roi)
    files = bids_masks.find(root, subject)
    if not files:
        brain = run.bold.name.replace('desc-preproc_bold', 'desc-brain_mask')
        if brain != run.bold.name and run.bold.with_name(brain).is_file():
            files = [run.bold.with_name(brain)]
    return bids_masks.read(root, files, roi)


def _responses(
    run: Run,
    root: pathlib.Path,
    events: list[Event],
    voxels: bids_masks.Masks,
    rules: Preset,
    how: _How,
) -> tuple[np.ndarray, list[Event], list[str]]:
    """Returns [trials, voxels] float32, their events, and what is odd."""
    del rules
    image = nifti.header(run.bold)
    nifti.check_grid(
        image, voxels.grid, 'masks must be on the grid of the images'
    )
    shown = [event for event in events if event.stimulus]
    if not shown:
        return np.empty((0, len(voxels.voxels)), np.float32), [], []
    seconds = bids_files.repetition_time(run, root, image.seconds)
    confounds = _confounds(run, root, how.confounds, image.volumes)
    series = nifti.series(image, voxels.voxels)
    finite = np.isfinite(series).all(axis=0)
    if not finite.all():
        raise InputError(
            f'{run.bold}: {(~finite).sum()} of the {len(finite)} voxels hold '
            'values that are no numbers; take them out of the masks.'
        )
    if how.response == 'window':
        starts = np.array([event.onset for event in shown])
        weights, late = bids_responses.window_weights(
            starts + how.window[0],
            starts + how.window[1],
            image.volumes,
            seconds,
        )
        series = bids_responses.clean(
            series, seconds, how.high_pass, confounds, how.zscore
        )
        usable = (weights.sum(axis=1) > 0) & ~late
    else:
        # A stimulus is a trial even where it begins with the run.
        modelled = bids_responses.Modelled(
            np.array([event.onset for event in events]),
            np.array([event.duration for event in events]),
            np.array([bool(event.stimulus) for event in events]),
        )
        solve = (
            bids_responses.glm_weights
            if how.response == 'glm'
            else bids_responses.separate_weights
        )
        try:
            weights = solve(
                modelled, image.volumes, seconds, how.high_pass, confounds
            )
        except InputError as error:
            raise InputError(f'{run.bold}: {error}') from error
        if how.zscore:
            series = bids_responses.clean(series, seconds, 0, None, True)
        usable = np.ones(len(shown), bool)
    problems = []
    if not usable.all():
        problems.append(
            f'{run.bold}: {(~usable).sum()} of {len(usable)} trials end after '
            'the run does and are left out.'
        )
    fmri = (weights[usable] @ series).astype(np.float32)
    return fmri, [e for e, keep in zip(shown, usable) if keep], problems


def _confounds(
    run: Run, root: pathlib.Path, wanted: Sequence[str], volumes: int
) -> np.ndarray | None:
    """Returns [volumes, wanted]; what is not known counts as 0."""
    if not wanted:
        return None
    for ending in (
        'desc-confounds_timeseries.tsv',
        'desc-confounds_regressors.tsv',
    ):
        found = bids_files.find_beside(run, root, ending)
        if found:
            break
    else:
        raise InputError(
            f'{run.bold} has no {run.label}_desc-confounds_timeseries.tsv '
            'beside it; leave `confounds` out.'
        )
    rows = bids_files.read_table(found[0])
    if len(rows) != volumes:
        raise InputError(
            f'{found[0]} has {len(rows)} rows for the {volumes} volumes of '
            f'{run.bold.name}; both must be of one run.'
        )
    for name in wanted:
        if name not in rows[0]:
            raise InputError(
                f'{found[0]} has no column {name!r}.{suggestion(name, rows[0])}'
            )
    try:
        return np.array(
            [
                [0.0 if row[n] == 'n/a' else float(row[n]) for n in wanted]
                for row in rows
            ]
        )
    except ValueError as error:
        raise InputError(
            f'{found[0]} holds a confound that is no number ({error}).'
        ) from error


def _untold(tables, parts: list[_Part], preset: str) -> list[str]:
    """A sentence on imagery whose content the faces' events do not tell."""
    if preset != 'ds001761':
        return []
    imagined = sum(
        row.get('trial_type', '').strip() == 'Img'
        for _, rows in tables
        for row in rows
    )
    del parts
    if not imagined:
        return []
    return [
        f'{imagined} imagery trials are left out, as events.tsv does not tell '
        'which face was imagined.'
    ]


def _recording(
    root: pathlib.Path,
    subject: str,
    about: dict,
    parts: list[_Part],
    voxels: bids_masks.Masks,
    test: str,
    pictures: PathLike | None,
    size: int | None,
    problems: list[str],
) -> Recording:
    fmri = np.concatenate([part.fmri for part in parts])
    shown = [event for part in parts for event in part.shown]
    if not shown:
        raise InputError(
            f'{root / subject}: no event shows a stimulus; check events.tsv '
            'or name another `preset`.'
        )
    repeat = [len(part.shown) for part in parts]
    run = np.repeat(_run_numbers([part.run for part in parts]), repeat)
    sessions = [part.run.entities.get('ses') for part in parts]
    session = None
    if all(sessions):
        numbers = _numbers(sessions)
        session = np.repeat(np.int32(numbers), repeat)
    stimulus = np.array([event.stimulus for event in shown])
    labels = np.repeat([part.run.label for part in parts], repeat)
    train, tested, found = _sets(shown, stimulus, labels, test, str(root))
    problems += found
    used = train | tested
    names = tuple(dict.fromkeys(stimulus[used].tolist()))
    categories = _categories(shown)
    place = {name: i for i, name in enumerate(names)}
    images, found = _pictures(root, names, pictures, size)
    problems += found

    def trials(which: np.ndarray) -> Trials:
        return Trials(
            fmri[which],
            np.array([place[name] for name in stimulus[which]], np.int32),
            run[which],
            None if session is None else session[which],
        )

    return Recording(
        subject=subject,
        train=trials(train),
        test=trials(tested),
        stimuli=Stimuli(
            images,
            names,
            tuple(categories[name] for name in names)
            if all(categories[name] for name in names)
            else None,
        ),
        rois=voxels.rois,
        source=os.fspath(root),
        simulated=SIMULATED in json.dumps(about),
        format='bids',
        problems=tuple(problems),
    )


def _sets(
    shown: list[Event],
    stimulus: np.ndarray,
    labels: np.ndarray,
    test: str,
    where: str,
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Returns [trials] bool for training and for testing, and sentences."""
    part = np.array([event.part for event in shown])
    if test in TESTS:
        tested = part == test
        train = part == 'train'
        if not tested.any() and test != 'test':
            raise InputError(
                f'{where} holds no trials of the test set {test!r}, only '
                f'{", ".join(sorted({*part.tolist()} - {""})) or "unnamed"}.'
            )
    else:
        tested = np.char.find(labels, test) >= 0
        if not tested.any() or tested.all():
            raise InputError(
                f'{where}: {test!r} is in the names of '
                f'{"all" if tested.any() else "no"} runs, such as '
                f'{labels[0]}; name a session, task or run of some.'
            )
        train = ~tested
    if not train.any():
        train = (part == '') & ~tested
    if not train.any():
        raise InputError(
            f'{where} holds no training trials; give all sessions, or name '
            'the runs to test on with `test`.'
        )
    sentences = []
    if not tested.any():
        tested, sentence = holding_out.last_tenth(
            stimulus, train, _categories(shown), where
        )
        train = train & ~tested
        sentences.append(sentence)
    both = train & np.isin(stimulus, stimulus[tested])
    if both.any():
        train = train & ~both
        sentences.append(
            f'{where}: {both.sum()} training trials show stimuli that are '
            'tested and are left out.'
        )
        if not train.any():
            raise InputError(
                f'{where}: every training stimulus is tested too; test on '
                'other runs.'
            )
    return train, tested, sentences


def _categories(shown: list[Event]) -> dict[str, str]:
    return {event.stimulus: event.category for event in shown}


def _numbers(texts: Sequence[str]) -> list[int]:
    """The numbers that texts are, or their places among the different ones."""
    if all(text.isdecimal() and len(text) < 10 for text in texts):
        return [int(text) for text in texts]
    order = [*dict.fromkeys(texts)]
    return [1 + order.index(text) for text in texts]


def _run_numbers(runs: list[Run]) -> np.ndarray:
    """The runs' own numbers if no two are alike, else their order."""
    texts = [run.entities.get('run', '') for run in runs]
    numbers = _numbers(texts) if all(texts) else []
    if len({*numbers}) < len(runs):
        numbers = [*range(1, len(runs) + 1)]
    return np.int32(numbers)


def _pictures(
    root: pathlib.Path,
    names: Sequence[str],
    pictures: PathLike | None,
    size: int | None,
) -> tuple[np.ndarray | None, list[str]]:
    if pictures is not None:
        images, found = stimulus_pictures.join(names, pictures, size)
        return images, [*found]
    if not (root / 'stimuli').is_dir():
        return None, []
    try:
        images, found = stimulus_pictures.join(names, root / 'stimuli', size)
    except InputError as error:
        return None, [f'The pictures are not used: {error}']
    return images, [*found]

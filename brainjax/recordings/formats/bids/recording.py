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

import numpy as np

from brainjax.errors import InputError, suggestion
from brainjax.io.files import PathLike
from brainjax.recordings import options, stimulus_pictures
from brainjax.recordings.formats.bids import events as bids_events
from brainjax.recordings.formats.bids import files, responses, sets
from brainjax.recordings.formats.bids import masks as bids_masks
from brainjax.recordings.formats.bids import runs as bids_runs
from brainjax.recordings.formats.bids.files import Run
from brainjax.recordings.formats.bids.runs import Part
from brainjax.recordings.formats.bids.writing import SIMULATED, write
from brainjax.recordings.recording import Recording, Stimuli, Trials

__all__ = ['looks_like', 'read', 'write']


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
    high_pass: float | None = None,
    confounds: Sequence[str] = (),
    zscore_runs: bool | None = None,
) -> Recording:
    """Reads one subject.

    Responses come from the series with drifts and confounds removed and each
    voxel z-scored within its run, for which nilearn is needed; high_pass=0,
    zscore_runs=False and no confounds leave the series as it is. A GLM has
    drifts and confounds in its model instead. z-scoring a run takes all its
    volumes, of test runs too, but no label. A data set that `write` made is
    read as it is. Voxels without signal in some run are left out, and runs
    of test sets that are not asked for stay unread.

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
      high_pass: period in seconds above which drifts are removed; 0 for none;
        None for the preset's, 128.
      confounds: columns of desc-confounds_timeseries.tsv to remove.
      zscore_runs: whether to z-score each voxel within each run; None for
        the preset's, True.
    """
    root = pathlib.Path(path)
    roi = options.text('roi', roi)
    subject = options.text('subject', subject)
    task = options.text('task', task)
    space = options.text('space', space)
    if not isinstance(masks, os.PathLike):
        masks = options.text('masks', masks)
    preset = options.text('preset', preset)
    test = options.text('test', test) or 'test'
    response = options.text('response', response) or 'window'
    if response not in responses.KINDS:
        raise InputError(
            f'There is no response {response!r}, only '
            f'{", ".join(responses.KINDS)}.'
            f'{suggestion(response, responses.KINDS)}'
        )
    name = files.find_subject(root, subject)
    runs = files.find_runs(root, name, task, space)
    paths, tables = zip(*(bids_runs.events_of(run, root) for run in runs))
    about = files.description(root)
    chosen = bids_events.choose(
        preset, json.dumps(about), [row for rows in tables for row in rows]
    )
    rules = bids_events.PRESETS[chosen]
    voxels = bids_masks.of_subject(root, name, runs[0].bold, masks, roi)
    how = bids_runs.How(
        response,
        rules.window if window is None else options.window(window),
        rules.high_pass
        if high_pass is None
        else options.period('high_pass', high_pass),
        options.texts('confounds', confounds),
        rules.zscore_runs
        if zscore_runs is None
        else options.switch('zscore_runs', zscore_runs),
    )
    problems = _odd(runs, tables, chosen)
    if rules.note and response == 'window':
        problems.append(rules.note)
    happened = [
        bids_events.events(rows, run, rules, str(path))
        for rows, run, path in zip(tables, runs, paths)
    ]
    parts = []
    asked, found = sets.asked(happened, test, str(root))
    problems += found
    for run, events in zip(runs, asked):
        part, found = bids_runs.responses(run, root, events, voxels, how)
        parts.append(part)
        problems += found
    return _recording(
        root, name, about, parts, voxels, test, pictures, size, problems
    )


def _odd(
    runs: Sequence[Run], tables: Sequence[list[files.Row]], preset: str
) -> list[str]:
    """Sentences on images as scanned and on imagery whose content is lost."""
    found = []
    raw = sum(not run.preprocessed for run in runs)
    if raw and preset != 'brainjax':
        found.append(
            f'{raw} of {len(runs)} runs hold images as they were scanned; '
            'unless they are aligned with each other and the masks, use those '
            'of fMRIPrep.'
        )
    imagined = sum(
        row.get('trial_type') == 'Img' for rows in tables for row in rows
    )
    if imagined and preset == 'ds001761':
        found.append(
            f'{imagined} imagery trials are left out, as events.tsv does not '
            'tell which face was imagined.'
        )
    return found


def _recording(
    root: pathlib.Path,
    subject: str,
    about: dict,
    parts: list[Part],
    voxels: bids_masks.Masks,
    test: str,
    pictures: PathLike | None,
    size: int | None,
    problems: list[str],
) -> Recording:
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
    train, tested, found = sets.split(shown, stimulus, labels, test, str(root))
    problems += found
    fmri, rois, found = _usable(parts, voxels, train, str(root))
    problems += found
    used = train | tested
    names = tuple(dict.fromkeys(stimulus[used].tolist()))
    categories = sets.categories(shown)
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
        rois=rois,
        source=os.fspath(root),
        simulated=SIMULATED in json.dumps(about),
        format='bids',
        problems=tuple(problems),
    )


def _usable(
    parts: list[Part], voxels: bids_masks.Masks, train: np.ndarray, where: str
) -> tuple[np.ndarray, dict[str, np.ndarray], list[str]]:
    """Leaves out voxels without signal.

    Returns:
      [trials, kept voxels] float32, the regions over them, and a sentence.
    """
    fmri = np.concatenate([part.fmri for part in parts])
    kept = np.all([part.usable for part in parts], axis=0)
    kept &= np.ptp(fmri[train], axis=0) != 0
    if kept.all():
        return fmri, voxels.rois, []
    if not kept.any():
        raise InputError(
            f'{where}: no voxel of the masks has a signal in every run; check '
            'that masks and images belong together.'
        )
    return (
        fmri[:, kept],
        {
            name: mask[kept]
            for name, mask in voxels.rois.items()
            if mask[kept].any()
        },
        [
            f'{where}: {(~kept).sum()} of the {len(kept)} voxels have values '
            'that are no numbers or do not vary in some run, and are left out.'
        ],
    )


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

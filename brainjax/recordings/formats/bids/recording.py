"""BIDS data sets, raw or preprocessed by fMRIPrep: a response for each trial.

Wanted are, below the data set's folder,

  sub-01/[ses-01/]func/*_bold.nii.gz, or *_desc-preproc_bold.nii.gz
  *_events.tsv for each run, in a derivative's case also in the raw data set
    around it
  masks of regions, one NIfTI file each, on the grid of the images

`events` says what events mean, `responses` how a run's time series becomes
one response a trial. Runs are read one after the other, and only voxels of
the masks are kept.
"""

import json
import os
import pathlib
import types
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from brainjax.errors import InputError
from brainjax.io.files import PathLike
from brainjax.recordings import options, stimulus_names, stimulus_pictures
from brainjax.recordings.formats.bids import columns, files, sets
from brainjax.recordings.formats.bids.events import (
    PRESETS,
    Preset,
    choose_preset,
    read_events,
)
from brainjax.recordings.formats.bids.files import Row, Run
from brainjax.recordings.formats.bids.masks import Masks, subject_masks
from brainjax.recordings.formats.bids.runs import (
    Part,
    ResponseOptions,
    events_of,
    numbers,
    read_run,
    response_options,
    run_numbers,
)
from brainjax.recordings.formats.bids.writing import SIMULATED
from brainjax.recordings.recording import Recording, Stimuli, Trials
from brainjax.recordings.transforms import (
    UNUSABLE,
    keep_voxels,
    kept_voxels,
    unusable_voxels,
)
from brainjax.recordings.volume import Volume, take


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
    res: str | None = None,
    echo: str | None = None,
    masks: PathLike | None = None,
    preset: str | None = None,
    stimulus: str | None = None,
    test: str = 'test',
    response: str = 'window',
    window: Sequence[float] | None = None,
    high_pass: float | None = None,
    confounds: Sequence[str] = (),
    zscore_runs: bool | None = None,
    drop: Sequence[str] = UNUSABLE,
    fit: str = 'centre',
    alpha: str = 'grey',
    upright: bool = True,
) -> Recording:
    """Reads one subject.

    Responses come from the series with drifts and confounds removed and each
    voxel z-scored within its run, for which nilearn is needed; high_pass=0,
    zscore_runs=False and no confounds leave the series as it is. A GLM has
    drifts and confounds in its model instead. z-scoring a run takes all its
    volumes, of test runs too, but no label. A data set that `write` made is
    read as it is. Runs of test sets that are not asked for stay unread.

    Args:
      path: the data set's folder, raw or a derivative.
      pictures: a folder, a tar archive or an HDF5 file of pictures that bear
        the stimulus names; None for the folder `stimuli`, if it has them all.
      size: of the pictures; None keeps their own.
      roi: one region or several joined by '|'; None or '' for all masks.
      subject: '01'; None where there is only one.
      task: keep only this one; None keeps all.
      space, res, echo: of the images to read; '' for those whose name has
        none, None where there is only one.
      masks: folder of ROI masks; None looks where `masks.FOLDERS` says, and
        then takes fMRIPrep's brain mask.
      preset: one of `events.PRESETS`; None infers it from the data set.
      stimulus: column of events.tsv that names the stimulus; None for the
        preset's, or what `columns.choose` finds.
      test: the set to test on: 'test', 'shape', 'letter' or 'imagery', or the
        runs, such as 'ses-02' or 'ses-02_run-1'.
      response: 'window', the mean of volumes; 'glm', least squares with a
        regressor for each trial; or 'glm-separate', a model for each trial.
      window: seconds after onset (from, to); None for the preset's.
      high_pass: period in seconds above which drifts are removed; 0 for none;
        None for the preset's, 128.
      confounds: columns of desc-confounds_timeseries.tsv to remove.
      zscore_runs: whether to z-score each voxel within each run; None for
        the preset's, True.
      drop: which voxels to leave out: 'nan', 'infinite' or 'constant' in some
        run; others are refused.
      fit, alpha, upright: how pictures are read, see `pictures.load`.
    """
    given = pathlib.Path(path)
    name = files.find_subject(given, options.text('subject', subject))
    root = files.with_images(given, name)
    versions = {'space': space, 'res': res, 'echo': echo}
    runs = files.find_runs(
        root,
        name,
        options.text('task', task),
        {key: options.text(key, value) for key, value in versions.items()},
    )
    paths, tables = zip(*(events_of(run, root) for run in runs))
    tops = files.tops(root, name)
    about = json.dumps([files.description(top) for top in tops])
    chosen = choose_preset(
        options.text('preset', preset),
        about,
        [row for rows in tables for row in rows],
    )
    rules = PRESETS[chosen]
    how = response_options(
        rules, response, window, high_pass, confounds, zscore_runs
    )
    drop = options.kinds('drop', drop, UNUSABLE)
    if not isinstance(masks, os.PathLike):
        masks = options.text('masks', masks)
    voxels = subject_masks(
        root, name, runs[0].bold, masks, options.text('roi', roi)
    )
    test = options.text('test', test) or 'test'
    source = _picture_source(pictures, tops)._replace(
        options={'size': size, 'fit': fit, 'alpha': alpha, 'upright': upright}
    )
    named_by, problems = _columns(
        tables,
        options.text('stimulus', stimulus),
        chosen,
        source,
        str(root / name),
    )
    happened, found = sets.select_sets(
        [
            read_events(rows, run, rules, str(path), column)
            for rows, run, path, column in zip(tables, runs, paths, named_by)
        ],
        test,
        str(root),
    )
    problems = [
        *_about_images(given, root, runs, chosen),
        *sets.pooled_tasks(str(root / name), runs, tables, rules, test),
        *_about_events(tables, chosen, how),
        *voxels.problems,
        *problems,
        *found,
    ]
    parts = []
    for run, events in zip(runs, happened):
        part, found = read_run(run, root, events, voxels, how)
        parts.append(part)
        problems += found
    return _recording(
        root,
        name,
        about,
        parts,
        voxels,
        rules,
        test,
        source,
        drop,
        problems,
    )


class _Pictures(NamedTuple):
    """Where pictures are, whether they were asked for, how they are read."""

    source: PathLike | None
    asked: bool
    options: Mapping[str, Any] = types.MappingProxyType({})


def _picture_source(
    pictures: PathLike | None, tops: Sequence[pathlib.Path]
) -> _Pictures:
    if pictures is not None:
        return _Pictures(pictures, True)
    folders = [top / 'stimuli' for top in tops]
    return _Pictures(next((f for f in folders if f.is_dir()), None), False)


def _columns(
    tables: Sequence[Sequence[Row]],
    stimulus: str | None,
    preset: str,
    pictures: _Pictures,
    where: str,
) -> tuple[Sequence[str], list[str]]:
    """Returns the column of each table that names the stimulus."""
    preferred = PRESETS[preset].columns
    if preferred is None:
        if stimulus is not None:
            raise InputError(
                f'{where}: preset {preset!r} knows its own columns; choose '
                f'preset=generic as well as stimulus={stimulus}.'
            )
        return [''] * len(tables), []
    is_known = None
    if pictures.source is not None:
        try:
            is_known = columns.known_pictures(pictures.source)
        except InputError:
            if pictures.asked:
                raise  # Else `_images` will say why they are not used.
    return columns.choose(tables, stimulus, preferred, is_known, where)


def _about_images(
    given: pathlib.Path, root: pathlib.Path, runs: Sequence[Run], preset: str
) -> list[str]:
    """Sentences on which images are read, and on images as scanned."""
    found = []
    if root != given:
        found.append(f'{given} holds no images; those of {root} are read.')
    raw = sum(not run.preprocessed for run in runs)
    if raw and preset != 'brainjax':
        found.append(
            f'{raw} of {len(runs)} runs hold images as they were scanned; '
            'unless they are aligned with each other and the masks, use those '
            'of fMRIPrep.'
        )
    return found


def _about_events(
    tables: Sequence[Sequence[Row]], preset: str, how: ResponseOptions
) -> list[str]:
    """Sentences on the preset, and on imagery whose content is lost."""
    rules = PRESETS[preset]
    found = [rules.note] if rules.note and how.response == 'window' else []
    imagined = sum(
        row.get('trial_type') == 'Img' for rows in tables for row in rows
    )
    if imagined and preset == 'ds001761':
        found.append(
            f'{imagined} imagery trials are left out, as events.tsv does not '
            'say which face was imagined.'
        )
    return found


def _recording(
    root: pathlib.Path,
    subject: str,
    about: str,
    parts: list[Part],
    voxels: Masks,
    rules: Preset,
    test: str,
    pictures: _Pictures,
    drop: Sequence[str],
    problems: list[str],
) -> Recording:
    shown = [event for part in parts for event in part.shown]
    if not shown:
        raise InputError(
            f'{root / subject}: no event shows a stimulus; check events.tsv '
            'or name another `preset`.'
        )
    repeat = [len(part.shown) for part in parts]
    run = np.repeat(run_numbers([part.run for part in parts]), repeat)
    sessions = [part.run.entities.get('ses') for part in parts]
    session = None
    if all(sessions):  # A run without one could be of any.
        session = np.repeat(np.int32(numbers(sessions)), repeat)
    stimulus = np.array([event.stimulus for event in shown])
    train, tested, found = sets.split(
        shown,
        stimulus,
        [part.run for part in parts for _ in part.shown],
        test,
        str(root),
    )
    problems += found
    fmri, rois, volume, found = _usable(
        parts, voxels, train, drop, f'{root / subject}'
    )
    problems += found
    paths = [*dict.fromkeys(stimulus[train | tested].tolist())]
    place = {path: i for i, path in enumerate(paths)}
    images, found = _images(paths, pictures)
    problems += found
    if rules.columns is not None:
        names = stimulus_names.shortened(paths)
    else:
        names = dict(zip(paths, paths))
    categories = sets.categories(shown)

    def trials(which: np.ndarray) -> Trials:
        return Trials(
            fmri[which],
            np.array([place[path] for path in stimulus[which]], np.int32),
            run[which],
            None if session is None else session[which],
        )

    return Recording(
        subject=subject,
        train=trials(train),
        test=trials(tested),
        stimuli=Stimuli(
            images,
            tuple(names[path] for path in paths),
            tuple(categories[path] for path in paths)
            if all(categories[path] for path in paths)
            else None,
        ),
        rois=rois,
        source=os.fspath(root),
        simulated=SIMULATED in about,
        format='bids',
        problems=tuple(dict.fromkeys(problems)),
        volume=volume,
    )


def _usable(
    parts: list[Part],
    voxels: Masks,
    train: np.ndarray,
    drop: Sequence[str],
    where: str,
) -> tuple[np.ndarray, dict[str, np.ndarray], Volume | None, list[str]]:
    """Leaves out voxels that cannot be used in some run.

    Returns:
      [trials, kept voxels] float32, the regions over them, their places, and
      a sentence.
    """
    fmri = np.concatenate([part.fmri for part in parts])
    why = unusable_voxels(fmri[train])
    for part in parts:
        why = np.where(part.unusable == '', why, part.unusable)
    kept, found = kept_voxels(why, drop, where)
    rois = {name: mask[kept] for name, mask in voxels.rois.items()}
    if not kept.all():  # An empty mask stays empty where nothing is left out.
        rois = {name: mask for name, mask in rois.items() if mask.any()}
    return keep_voxels(fmri, kept), rois, take(voxels.volume, kept), found


def _images(
    paths: Sequence[str], pictures: _Pictures
) -> tuple[np.ndarray | None, list[str]]:
    """Loads the pictures; those that were not asked for may be incomplete."""
    if pictures.source is None:
        return None, []
    try:
        images, found = stimulus_pictures.join(
            paths, pictures.source, **pictures.options
        )
    except InputError as error:
        if pictures.asked:
            raise
        return None, [f'The pictures are not used: {error}']
    return images, [*found]

"""One run of a BIDS data set: its images and events to responses of trials."""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError, suggestion
from brainjax.io import nifti
from brainjax.recordings.formats.bids import files, masks
from brainjax.recordings.formats.bids import responses as bids_responses
from brainjax.recordings.formats.bids.events import Event
from brainjax.recordings.formats.bids.files import Run

# Seconds before a run from which on nilearn models events; it moves earlier
# ones there.
MODELLED = 24
# The least share of a trial's regressor, in squares, that a run must hold for
# a GLM; the weights of a trial of which less was measured are mostly noise.
MEASURED = 0.5


class How(NamedTuple):
    """How a response is made; see `bids.read`.

    Attributes:
      response: one of `bids_responses.KINDS`.
      window: seconds after onset; None for its end stands for the event's, as
        much later as the window begins.
      high_pass: period in seconds; 0 for none.
      confounds: columns.
      zscore: whether to z-score each voxel.
    """

    response: str
    window: tuple[float, float | None]
    high_pass: float
    confounds: tuple[str, ...]
    zscore: bool


class Part(NamedTuple):
    """The trials of one run.

    Attributes:
      run: which.
      shown: one event a trial.
      fmri: [trials, voxels] float32.
      usable: [voxels] bool, False for a voxel whose values are no numbers, or
        all the same where they are to be z-scored; its responses are 0.
    """

    run: Run
    shown: list[Event]
    fmri: np.ndarray
    usable: np.ndarray


def events_of(
    run: Run, root: pathlib.Path
) -> tuple[pathlib.Path, list[files.Row]]:
    """Returns the path and the rows of a run's events.tsv."""
    found = files.find_beside(run, root, 'events.tsv')
    if not found:
        raise InputError(
            f'{run.bold} has no {run.label}_events.tsv beside it; add it, or '
            'keep only runs with trials with `task`.'
        )
    return found[0], files.read_table(found[0])


def responses(
    run: Run,
    root: pathlib.Path,
    events: Sequence[Event],
    voxels: masks.Masks,
    how: How,
) -> tuple[Part, list[str]]:
    """Reads a run and makes a response for each of its trials.

    Args:
      run: which; its images stay unread if no event shows a stimulus.
      root: the data set.
      events: of the run.
      voxels: which to read.
      how: a response is made.

    Returns:
      The trials, and sentences on those left out.
    """
    count = len(voxels.voxels)
    if not any(event.stimulus for event in events):
        empty = np.empty((0, count), np.float32)
        return Part(run, [], empty, np.ones(count, bool)), []
    image = nifti.header(run.bold)
    nifti.check_grid(
        image, voxels.grid, 'masks must be on the grid of the images'
    )
    seconds = files.repetition_time(run, root, image.seconds)
    confounds = confounds_of(run, root, how.confounds, image.volumes)
    series = nifti.series(image, voxels.voxels)
    usable = np.isfinite(series).all(axis=0)
    if how.zscore:
        usable &= np.ptp(series, axis=0) != 0
    if not usable.any():
        raise InputError(
            f'{run.bold} holds no signal in any of the {count} voxels of the '
            'masks; check that both belong together.'
        )
    if not usable.all():
        series = series[:, usable]
    try:
        weights, kept = _weights(events, image.volumes, seconds, confounds, how)
    except InputError as error:
        raise InputError(f'{run.bold}: {error}') from error
    if how.response == 'window':
        series = bids_responses.clean(
            series, seconds, how.high_pass, confounds, how.zscore
        )
    else:
        series = bids_responses.clean(series, seconds, 0, None, how.zscore)
    fmri = np.zeros((len(weights), count), np.float32)
    fmri[:, usable] = weights @ series
    shown = sum(bool(event.stimulus) for event in events)
    problems = []
    if len(kept) < shown:
        problems.append(
            f'{run.bold}: {shown - len(kept)} of {shown} trials begin before '
            'the run or end after it and are left out.'
        )
    return Part(run, kept, fmri, usable), problems


def _weights(
    events: Sequence[Event],
    volumes: int,
    seconds: float,
    confounds: np.ndarray | None,
    how: How,
) -> tuple[np.ndarray, list[Event]]:
    """Returns [trials, volumes] and the trials that the run holds."""
    if how.response == 'window':
        shown = [event for event in events if event.stimulus]
        start, end = how.window
        onset = np.array([event.onset for event in shown])
        after = start if end is None else end
        if end is None:
            after = after + np.array([event.duration for event in shown])
        weights, late = bids_responses.window_weights(
            onset + start, onset + after, volumes, seconds
        )
        kept = (weights.sum(axis=1) > 0) & ~late
        return weights[kept], [e for e, keep in zip(shown, kept) if keep]
    last = bids_responses.times(volumes, seconds)[-1]
    begun = [
        # What begins before the run is not measured whole.
        event if event.onset >= -seconds else event._replace(stimulus='')
        for event in events
        if -MODELLED < event.onset < last
    ]
    shown = [event for event in begun if event.stimulus]
    if not shown:
        return np.empty((0, volumes)), []
    solve = {
        'glm': bids_responses.glm_weights,
        'glm-separate': bids_responses.separate_weights,
    }[how.response]
    modelled = bids_responses.Modelled(
        np.array([event.onset for event in begun]),
        np.array([event.duration for event in begun]),
        np.array([bool(event.stimulus) for event in begun]),
    )
    whole = bids_responses.measured(modelled, volumes, seconds) >= MEASURED
    if not whole.any():
        return np.empty((0, volumes)), []
    trial = modelled.trial.copy()
    trial[trial] = whole
    modelled = modelled._replace(trial=trial)
    shown = [event for event, keep in zip(begun, trial) if keep]
    return solve(modelled, volumes, seconds, how.high_pass, confounds), shown


def confounds_of(
    run: Run, root: pathlib.Path, wanted: Sequence[str], volumes: int
) -> np.ndarray | None:
    """Reads confounds that fMRIPrep wrote beside a run.

    Args:
      run: which.
      root: the data set.
      wanted: columns.
      volumes: of the run.

    Returns:
      [volumes, wanted]; what is not known counts as 0. None if none is wanted.
    """
    if not wanted:
        return None
    for ending in (
        'desc-confounds_timeseries.tsv',
        'desc-confounds_regressors.tsv',
    ):
        found = files.find_beside(run, root, ending)
        if found:
            break
    else:
        raise InputError(
            f'{run.bold} has no {run.label}_desc-confounds_timeseries.tsv '
            'beside it; leave `confounds` out.'
        )
    rows = files.read_table(found[0])
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
        values = np.array(
            [
                [0.0 if row[n] == 'n/a' else float(row[n]) for n in wanted]
                for row in rows
            ]
        )
    except ValueError as error:
        raise InputError(
            f'{found[0]} holds a confound that is no number ({error}).'
        ) from error
    unclear = ~np.isfinite(values).all(axis=0)
    if unclear.any():
        raise InputError(
            f'{found[0]}: {wanted[unclear.argmax()]} is infinite or no number '
            'in some row; write n/a where it is not known.'
        )
    return values

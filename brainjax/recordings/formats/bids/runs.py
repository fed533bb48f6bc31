"""One run of a BIDS data set: its images and events to responses of trials."""

import math
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from brainjax.errors import InputError, check_known, suggestion
from brainjax.io import nifti
from brainjax.recordings import options
from brainjax.recordings.formats.bids import files, responses
from brainjax.recordings.formats.bids.events import Event, Preset
from brainjax.recordings.formats.bids.files import Run
from brainjax.recordings.formats.bids.masks import Masks
from brainjax.recordings.formats.bids.responses import DesignEvents, Timing
from brainjax.recordings.transforms import unusable_voxels

# Seconds before a run from which on nilearn models events; it moves earlier
# ones there.
MODELLED = 24
# The least share of a trial's regressor, in squares, that a run must hold for
# a GLM; the weights of a trial of which less was measured are mostly noise.
MEASURED = 0.5
_LATE = 10  # Runs that an event may be late by: in other units it is later.
_ROUNDED = 0.01  # Between the sidecars' repetition time and the images'.


class ResponseOptions(NamedTuple):
    """How a response is estimated; see `bids.read`.

    Attributes:
      response: one of `responses.KINDS`.
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


def response_options(
    rules: Preset,
    response: str,
    window: Any,
    high_pass: Any,
    confounds: Any,
    zscore_runs: Any,
) -> ResponseOptions:
    """Checks what was asked for; None stands for what the preset says."""
    response = options.text('response', response) or 'window'
    check_known('response', response, responses.KINDS)
    return ResponseOptions(
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


class Part(NamedTuple):
    """The trials of one run.

    Attributes:
      shown: one event a trial.
      fmri: [trials, voxels] float32.
      unusable: [voxels] str, of `transforms.UNUSABLE` why a voxel's series
        cannot be used, else ''; a constant one can where it is not z-scored.
        Responses of an unusable voxel are 0.
    """

    run: Run
    shown: list[Event]
    fmri: np.ndarray
    unusable: np.ndarray


def events_of(
    run: Run, root: pathlib.Path
) -> tuple[pathlib.Path, list[files.Row]]:
    """Returns the path and the rows of a run's events.tsv."""
    found = files.inherited(run, root, 'events', '.tsv')
    if not found:
        raise InputError(
            f'{run.bold} has no {run.label}_events.tsv beside it nor above; '
            'add it, or keep only runs with trials with `task`.'
        )
    return found[0], files.read_table(found[0])


def read_run(
    run: Run,
    root: pathlib.Path,
    events: Sequence[Event],
    voxels: Masks,
    how: ResponseOptions,
) -> tuple[Part, list[str]]:
    """Reads a run and estimates a response for each of its trials.

    Args:
      run: which; its images stay unread if no event shows a stimulus.
      voxels: which to read.
      how: how a response is estimated.

    Returns:
      The trials, and sentences on those left out.
    """
    count = len(voxels.voxels)
    if not any(event.stimulus for event in events):
        empty = np.empty((0, count), np.float32)
        return Part(run, [], empty, np.full(count, '')), []
    image = nifti.header(run.bold)
    nifti.check_grid(
        image, voxels.grid, 'masks must be on the grid of the images'
    )
    timing = files.timing(run, root, image.volumes, image.seconds)
    _check_units(events, timing, run)
    # Before the images: a table is read in no time, a run in seconds.
    confounds = confounds_of(run, root, how.confounds, image.volumes)
    series = nifti.series(image, voxels.voxels)
    unusable = unusable_voxels(series)
    if not how.zscore:
        unusable[unusable == 'constant'] = ''
    usable = unusable == ''
    if not usable.any():
        raise InputError(
            f'{run.bold} holds no signal in any of the {count} voxels of the '
            'masks; check that both belong together.'
        )
    if not usable.all():  # nilearn would spread a NaN.
        series = series[:, usable]
    try:
        weights, kept = _weights(events, timing, confounds, how)
    except InputError as error:
        raise InputError(f'{run.bold}: {error}') from error
    high_pass = how.high_pass
    if how.response != 'window':  # A GLM has these in its model.
        high_pass, confounds = 0, None
    series = responses.clean(
        series, timing.seconds, high_pass, confounds, how.zscore
    )
    fmri = np.zeros((len(weights), count), np.float32)
    fmri[:, usable] = weights @ series
    shown = sum(bool(event.stimulus) for event in events)
    problems = []
    if image.seconds and abs(timing.seconds / image.seconds - 1) > _ROUNDED:
        problems.append(
            f'{root}: sidecars state {timing.seconds:g} s from one volume to '
            f'the next and the images {image.seconds:g} s; those of the '
            'sidecars are taken.'
        )
    if len(kept) < shown:
        problems.append(
            f'{run.bold}: {shown - len(kept)} of {shown} trials begin before '
            'the run or end after it and are left out.'
        )
    return Part(run, kept, fmri, unusable), problems


def _check_units(events: Sequence[Event], timing: Timing, run: Run) -> None:
    """Refuses onsets that can be no seconds of a run."""
    last = max(event.onset for event in events if event.stimulus)
    if last > _LATE * timing.end:
        raise InputError(
            f'{run.bold}: events begin up to {last:g} s after its start, and '
            f'its {timing.volumes} volumes last {timing.end:g} s; onset and '
            'duration in events.tsv must '
            'be in seconds, from the first volume of the run.'
        )


def _weights(
    events: Sequence[Event],
    timing: Timing,
    confounds: np.ndarray | None,
    how: ResponseOptions,
) -> tuple[np.ndarray, list[Event]]:
    """Returns [trials, volumes] and the trials that the run holds."""
    start, end = how.window
    fixed = how.response == 'window' and end is not None
    if not fixed and any(math.isnan(event.duration) for event in events):
        raise InputError(
            "the duration of an event is n/a, which only response='window' "
            'with a fixed window, such as window=(4, 12), can do without.'
        )
    if how.response == 'window':
        shown = [event for event in events if event.stimulus]
        onset = np.array([event.onset for event in shown])
        after = start if end is None else end
        if end is None:
            after = after + np.array([event.duration for event in shown])
        weights, whole = responses.window_weights(
            onset + start, onset + after, timing
        )
        return weights[whole], [e for e, keep in zip(shown, whole) if keep]
    begun = [
        # What begins before the run is not measured whole.
        event if event.onset >= -timing.seconds else event._replace(stimulus='')
        for event in events
        if -MODELLED < event.onset < timing.times[-1]
    ]
    design = DesignEvents(
        np.array([event.onset for event in begun]),
        np.array([event.duration for event in begun]),
        np.array([bool(event.stimulus) for event in begun], bool),
    )
    trial = design.trial.copy()
    if trial.any():
        trial[trial] = responses.measured(design, timing) >= MEASURED
    if not trial.any():
        return np.empty((0, timing.volumes)), []
    solve = {
        'glm': responses.glm_weights,
        'glm-separate': responses.separate_weights,
    }[how.response]
    weights = solve(
        design._replace(trial=trial), timing, how.high_pass, confounds
    )
    return weights, [event for event, keep in zip(begun, trial) if keep]


def confounds_of(
    run: Run, root: pathlib.Path, wanted: Sequence[str], volumes: int
) -> np.ndarray | None:
    """Reads confounds that fMRIPrep wrote beside a run.

    Args:
      wanted: columns.

    Returns:
      [volumes, wanted]; what is not known counts as 0. None if none is wanted.
    """
    if not wanted:
        return None
    found = [
        *files.inherited(run, root, 'timeseries', '.tsv', desc='confounds'),
        # Of fMRIPrep before 20.1, and before 1.2.
        *files.inherited(run, root, 'regressors', '.tsv', desc='confounds'),
        *files.inherited(run, root, 'bold_confounds', '.tsv'),
    ]
    if not found:
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
                # fMRIPrep has no derivative of the first volume.
                [0.0 if row[n] == 'n/a' else float(row[n]) for n in wanted]
                for row in rows
            ]
        )
    except ValueError as error:
        raise InputError(
            f'{found[0]} holds a confound that is not a number ({error}).'
        ) from error
    unclear = ~np.isfinite(values).all(axis=0)
    if unclear.any():
        raise InputError(
            f'{found[0]}: {wanted[unclear.argmax()]} is NaN or infinite in '
            'some row; write n/a where it is not known.'
        )
    return values


def numbers(texts: Sequence[str]) -> list[int]:
    """The numbers that texts are, or their places among the different ones."""
    if all(text.isdecimal() and len(text) < 10 for text in texts):
        return [int(text) for text in texts]
    order = [*dict.fromkeys(texts)]
    return [1 + order.index(text) for text in texts]


def run_numbers(runs: list[Run]) -> np.ndarray:
    """The runs' own numbers if no two are alike, else their order."""
    texts = [run.entities.get('run', '') for run in runs]
    own = numbers(texts) if all(texts) else []
    if len({*own}) < len(runs):
        own = [*range(1, len(runs) + 1)]
    return np.int32(own)

"""The trials of a BData file: responses, stimuli, sets, runs."""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError
from brainjax.recordings import stimulus_names
from brainjax.recordings.formats.bdata.bdata import NO_LABEL, BData
from brainjax.recordings.splits import named_set

DATA_TYPES = {1: 'training', 2: 'test', 3: 'imagery', 4: 'unpaired'}

_NOTHING = (NO_LABEL, 'on/a', '', stimulus_names.FIXATION)
_LARGEST = 10**9  # Numbers of runs and sessions, dates among them.
_PERCEIVED, _IMAGINED = 1, 2  # Event types; perceived 2 is a one-back repeat.
_EXACT_SINGLE = 2**24  # Whole numbers that float32 holds.


class Rows(NamedTuple):
    """The trials of one or several files, in their order.

    Attributes:
      fmri: [trials, voxels] float32.
      kinds: [trials] str, the set: 'training', 'test', 'shape', 'letter',
        'imagery' or 'unpaired'.
      names: [trials] str, of the stimulus; '' for unpaired trials.
      numbers: [trials] float64, the file's number for the stimulus.
      categories: [trials] str, '' where not known.
      run: [trials] float64, NaN where not known.
      session: [trials] float64, NaN where not known.
    """

    fmri: np.ndarray
    kinds: np.ndarray
    names: np.ndarray
    numbers: np.ndarray
    categories: np.ndarray
    run: np.ndarray
    session: np.ndarray


def kinds(data: BData) -> np.ndarray:
    """Returns the set of each trial, by DataType or one for the whole file.

    Returns:
      [trials] of the values of DATA_TYPES, 'shape' or 'letter'.
    """
    if 'DataType' not in data.keys:
        return np.full(len(data.dataset), _kind_of_file(data), object)
    numbers = data.numbers('DataType')
    wrong = np.flatnonzero(~np.isin(numbers, [*DATA_TYPES]))
    if len(wrong):
        raise InputError(
            f'{data.source}: DataType is {numbers[wrong[0]]} in trial '
            f'{wrong[0]}; it must be 1 (training), 2 (test) or 3 (imagery).'
        )
    return np.array([DATA_TYPES[int(n)] for n in numbers], object)


def read(
    data: BData, kinds: np.ndarray, wanted: np.ndarray, voxels: np.ndarray
) -> tuple[Rows, list[str]]:
    """Returns trials of a file, and sentences on those left out.

    Rest, one-back repeats and trials without a stimulus are left out.

    Args:
      kinds: [trials] the set of each, from `kinds`.
      wanted: [trials] bool, those to return if they qualify.
      voxels: their columns in the dataset, in the order wanted.
    """
    keep = wanted & _presented(data, kinds)
    names, numbers = _stimuli(data, kinds, keep)
    unnamed = keep & np.isin(names, _NOTHING) & (kinds != 'unpaired')
    problems = []
    if unnamed.any():
        problems.append(
            f'{data.source}: {unnamed.sum()} of the {keep.sum()} trials have '
            'no stimulus and are left out.'
        )
        keep &= ~unnamed
    if not keep.any():
        raise InputError(
            f'{data.source} holds no trial that names a stimulus; check '
            'that it is the right file.'
        )
    design = (kinds, names, numbers, _categories(data, names))
    design += _runs(data, kinds, numbers)
    with np.errstate(
        over='ignore'
    ):  # `kept_voxels` deals with what is infinite.
        fmri = data.dataset[np.ix_(keep, voxels)].astype(np.float32)
    return Rows(fmri, *(values[keep] for values in design)), problems


def join(parts: Sequence[Rows]) -> Rows:
    """Puts the trials of several files after each other.

    Runs and sessions go on where those of the file before ended; stimuli of
    an earlier file have lower numbers.
    """
    done = [parts[0]]

    def succeeding(part: Rows, what: str) -> np.ndarray:
        numbers = getattr(part, what)
        before = np.concatenate([getattr(other, what) for other in done])
        # A file may count from 0 or from 1; fmin passes NaN over.
        lowest = np.nan_to_num(np.fmin.reduce(numbers))
        return numbers - lowest + np.nan_to_num(np.fmax.reduce(before)) + 1

    for part in parts[1:]:
        going_on = {
            what: succeeding(part, what)
            for what in ('numbers', 'run', 'session')
        }
        done.append(part._replace(**going_on))
    return Rows(*(np.concatenate(values) for values in zip(*done)))


def _kind_of_file(data: BData) -> str:
    shown = {*data.vmap.get('stimulus_name', {}).values()}
    for kind, names in (
        ('shape', stimulus_names.SHAPES),
        ('letter', stimulus_names.LETTERS),
    ):
        if not shown.isdisjoint(names):
            return kind
    if 'evaluation' in data.keys:  # How vivid the image was.
        return 'imagery'
    found = named_set(os.path.basename(data.source))
    return found if found and found != 'train' else 'training'


def _presented(data: BData, kinds: np.ndarray) -> np.ndarray:
    """Returns which trials are neither rest nor repeat, [trials] bool."""
    if 'event_type' not in data.keys:
        return np.ones(len(kinds), bool)
    wanted = np.where(kinds == 'imagery', _IMAGINED, _PERCEIVED)
    return (data.numbers('event_type') == wanted) | (kinds == 'unpaired')


def _stimuli(
    data: BData, kinds: np.ndarray, keep: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the stimulus name and number of each trial."""
    names = np.full(len(kinds), '', object)
    if 'stimulus_name' in data.vmap:
        names[:] = data.labels('stimulus_name')
        return names, data.numbers('stimulus_name')
    numbers = _stimulus_numbers(data)
    # Imagery may be of a whole synset, whose number has no decimals.
    perceived = np.nan_to_num(numbers[keep & (kinds != 'imagery')])
    synsets = (perceived >= stimulus_names.LOWEST_SYNSET).any()
    if synsets and data.precision in ('float16', 'float32'):
        raise InputError(
            f'{data.source} holds the numbers of stimuli as {data.precision}, '
            'whose seven digits cannot distinguish the pictures of a '
            'synset; save the dataset as float64.'
        )
    for i in np.flatnonzero(keep & ~np.isnan(numbers) & (kinds != 'unpaired')):
        names[i] = stimulus_names.name(float(numbers[i]), kinds[i], data.source)
    return names, numbers


def _stimulus_numbers(data: BData) -> np.ndarray:
    """Returns the number of each trial's stimulus, from the best key."""
    for key in ('stimulus_name', 'stimulus_id'):
        if key in data.keys:
            return data.numbers(key)
    if 'Label' in data.keys and not _collects(data, 'Label'):
        columns = data.dataset[:, data.row('Label') == 1]
        if 1 <= columns.shape[1] <= 2:  # Of two, the first is the task's.
            return columns[:, -1]
    for key in ('image_index', 'category_index'):
        if key in data.keys:
            return data.numbers(key)
    raise InputError(
        f'{data.source} does not name its stimuli: it has none of the keys '
        'stimulus_name, stimulus_id, Label, image_index; add one.'
    )


def _collects(data: BData, key: str) -> bool:
    """True if all columns of a key have a key of their own as well."""
    mine = data.row(key) == 1
    others = [
        row[mine] == 1 for k, row in zip(data.keys, data.values) if k != key
    ]
    return bool(np.any(others, axis=0).all()) if others else False


def _categories(data: BData, names: np.ndarray) -> np.ndarray:
    """Returns categories: named ones, else synsets, else category_index."""
    key = 'category_index'
    if key in data.vmap:
        found = np.array(data.labels(key), object)
        found[found == NO_LABEL] = ''
        return found
    found = np.full(len(names), '', object)
    if key in data.keys:
        numbers = data.numbers(key)
        known = ~np.isnan(numbers)
        found[known] = [f'{number:.15g}' for number in numbers[known]]
    for i, name in enumerate(names):
        found[i] = stimulus_names.category(name) or found[i]
    return found


def _runs(
    data: BData, kinds: np.ndarray, stimuli: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns run and session, [trials] each; NaN where they are not known.

    Runs of different sessions get different numbers. Where no session is
    known, one number is one run, in whatever sets its trials are, but in GOD:
    there the numbers begin anew with each set.
    """
    run, session = (
        data.numbers(key) if key in data.keys else np.full(len(kinds), np.nan)
        for key in ('Run', 'Session')
    )
    for what, values in (('Run', run), ('Session', session)):
        whole = (np.abs(values) < _LARGEST) & (values == np.round(values))
        wrong = np.flatnonzero(~np.isnan(values) & ~whole)
        if len(wrong):
            raise InputError(
                f'{data.source}: {what} is {values[wrong[0]]} in trial '
                f'{wrong[0]}; it must be a whole number.'
            )
        rounded = (np.abs(values) > _EXACT_SINGLE).any()
        if rounded and data.precision in ('float16', 'float32'):
            raise InputError(
                f'{data.source}: {what} reaches {np.nanmax(values):.0f}, which '
                f'{data.precision} rounds; save the dataset as float64.'
            )
    known = ~np.isnan(run)
    if not known.any():
        return run, session
    apart = np.nan_to_num(session[known], nan=-1)
    if np.isnan(session).all() and _restarts(data, kinds, run, stimuli):
        apart = np.unique(kinds[known].astype(str), return_inverse=True)[1]
    pairs, which = np.unique(
        np.stack([apart, run[known]], axis=1), axis=0, return_inverse=True
    )
    # Numbers that are unique stay as the file has them.
    if len(pairs) > len(np.unique(run[known])):
        run[known] = 1.0 + which.ravel()
    return run, session


def _restarts(
    data: BData, kinds: np.ndarray, run: np.ndarray, stimuli: np.ndarray
) -> bool:
    """True for GOD (Horikawa and Kamitani 2017): sets come one by one.

    It is recognised by ImageNet's numbers. Where trials of two sets follow each
    other in one run, the sets were not measured one by one.
    """
    numbered = (
        'stimulus_name' not in data.vmap
        and (np.nan_to_num(stimuli) >= stimulus_names.LOWEST_SYNSET).any()
    )
    mixed = (kinds[1:] != kinds[:-1]) & (run[1:] == run[:-1])
    return 'DataType' in data.keys and bool(numbered) and not mixed.any()

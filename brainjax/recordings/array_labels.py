"""Labels that a caller holds: what was shown in each trial, and in which run.

A label is a name or a number; numbers count pictures from 0, or are those in
the pictures' names. A table may say the run, the session, the part (training
or test) and the category of each trial beside it.
"""

import collections
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from brainjax.errors import InputError, brief, listed, suggestion
from brainjax.io.arrays import as_array
from brainjax.pictures.names import stem
from brainjax.recordings import splits, stimulus_names

# What columns of tables are called.
COLUMNS = {
    'stimulus': (
        *('stimulus', 'stimulus_name', 'stim_file', 'stim', 'label', 'labels'),
        *('name', 'picture', 'image', 'image_name', 'file', 'filename'),
    ),
    'run': ('run', 'runs'),
    'session': ('session', 'sessions', 'ses'),
    'part': ('part', 'split', 'test', 'is_test'),
    'category': ('category', 'class'),
}
# Columns that tell of trials, too, and hold no voxel.
NO_VOXELS = (
    *('subject', 'sub', 'participant', 'participant_id', 'onset', 'duration'),
    *('trial', 'trial_type', 'trial_number', 'block', 'tr', 'time'),
    *('rt', 'response', 'response_time', 'accuracy', 'correct', 'iti', 'isi'),
)
_PARTS = {
    **dict.fromkeys(('train', 'training', 'false', '0'), 'train'),
    **dict.fromkeys(('test', 'testing', 'true', '1'), 'test'),
    'imagery': 'imagery',
}
_MOST = np.iinfo(np.int32).max


class Labels(NamedTuple):
    """What is known of each trial; None where it is not.

    Attributes:
      stimulus: one name a trial.
      counted: whether the names are whole numbers.
      run, session: [trials] int32.
      part: 'train', 'test' or 'imagery' of each trial.
      category: of each trial.
    """

    stimulus: list[str]
    counted: bool
    run: np.ndarray | None = None
    session: np.ndarray | None = None
    part: list[str] | None = None
    category: list[str] | None = None


def read(
    labels: Any, where: str, runs: Any = None, sessions: Any = None
) -> Labels:
    """Reads labels.

    Args:
      labels: one name or number a trial, or a table (a DataFrame or a
        dictionary) with a column that COLUMNS knows.
      where: what to name in messages.
      runs, sessions: one name or number a trial each; those of the table
        where they are None.
    """
    columns = _columns(labels, where)
    if runs is not None:
        columns['run'] = _items(runs, f'{where}: runs')
    if sessions is not None:
        columns['session'] = _items(sessions, f'{where}: sessions')
    trials = len(columns['stimulus'])
    for name, values in columns.items():
        if len(values) != trials:
            raise InputError(
                f'{where}: {len(values)} {name}s for {trials} labels; give '
                'one a trial.'
            )
    stimulus, counted = _stimuli(columns['stimulus'], f'{where}: labels')
    run, session = (
        _numbers(columns.get(key), f'{where}: {key}s')
        for key in ('run', 'session')
    )
    return Labels(
        stimulus,
        counted,
        _distinct(run, session),
        session,
        _parts(columns.get('part'), f'{where}: labels'),
        _categories(columns.get('category'), stimulus, f'{where}: labels'),
    )


def joined(first: Labels, second: Labels) -> Labels:
    """Puts two sets of trials one after the other."""

    def both(a: Any, b: Any) -> Any:
        if a is None or b is None:
            return None
        return np.concatenate([a, b]) if isinstance(a, np.ndarray) else a + b

    pairs = [both(a, b) for a, b in zip(first, second)]
    return Labels(*pairs)._replace(counted=first.counted and second.counted)


def choose_test(
    test: Any, stimulus: Sequence[str], where: str, seed: int = 0
) -> np.ndarray:
    """Returns which trials are for testing, [trials] bool.

    Args:
      test: one True or False a trial; names or numbers of stimuli; or what
        part of the stimuli, drawn at random.
      stimulus: of each trial.
      where: what to name in messages.
      seed: of the draw.
    """
    if isinstance(test, int | np.integer | np.bool_) or test is None:
        raise _unclear(test, where)
    if isinstance(test, float | np.floating):
        return _drawn(float(test), stimulus, where, seed)
    chosen = [test] if isinstance(test, str) else _items(test, f'{where}: test')
    trials = len(stimulus)
    if chosen and all(isinstance(x, bool) for x in chosen):
        if len(chosen) != trials:
            raise InputError(
                f'{where}: test has {len(chosen)} booleans for {trials} '
                'trials; give one a trial.'
            )
        return np.array(chosen)
    if len(chosen) == trials > 2 and {*chosen} <= {0, 1}:
        raise InputError(
            f'{where}: test holds 0 or 1 for each trial, which could be the '
            'numbers of stimuli; give True or False.'
        )
    wanted, _ = _stimuli(chosen, f'{where}: test')
    known = {stem(name): name for name in stimulus} | {x: x for x in stimulus}
    for name in wanted:
        if name not in known and stem(name) not in known:
            raise InputError(
                f'{where}: test names {brief(name)}, which no label does.'
                f'{suggestion(name, known)}'
            )
    tested = {known.get(name, known.get(stem(name))) for name in wanted}
    return np.isin(stimulus, [*tested])


def _drawn(
    part: float, stimulus: Sequence[str], where: str, seed: int
) -> np.ndarray:
    names = np.unique(stimulus)
    if not 0 < part < 1:
        raise _unclear(part, where)
    number = max(1, round(part * len(names)))
    if number >= len(names):
        raise InputError(
            f'{where}: test={part:g} of {len(names)} stimuli leaves none to '
            'train on; give a smaller part.'
        )
    order = np.random.default_rng(seed).permutation(len(names))
    return np.isin(stimulus, names[order[:number]])


def _unclear(test: Any, where: str) -> InputError:
    return InputError(
        f'{where}: test is {brief(test)}; give True or False for each trial, '
        'names or numbers of stimuli, or what part of the stimuli, such as 0.2.'
    )


def hold_out(
    labels: Labels, trials: np.ndarray, where: str
) -> tuple[np.ndarray, str]:
    """Holds out some stimuli of trials, by `splits.default_split`."""
    category = dict.fromkeys(labels.stimulus, '')
    if labels.category is not None:
        category = dict(zip(labels.stimulus, labels.category))
    return splits.default_split(
        np.array(labels.stimulus), trials, category, where
    )


def _columns(labels: Any, where: str) -> dict[str, list[Any]]:
    """Returns the columns that are known, by the names that we give them."""
    if not isinstance(labels, Mapping) and not hasattr(labels, 'columns'):
        return {'stimulus': _items(labels, f'{where}: labels')}
    there = {str(name).strip().lower(): name for name in labels}
    found = {}
    for what, called in COLUMNS.items():
        name = next((name for name in called if name in there), None)
        if name is not None:
            found[what] = _items(labels[there[name]], f'{where}: {name}')
    if 'stimulus' not in found:
        if len(there) != 1:
            raise InputError(
                f'{where}: no column of the labels ({listed(there)}) says '
                "what was shown; name it 'stimulus'."
            )
        [name] = there.values()
        found = {'stimulus': _items(labels[name], f'{where}: {name}')}
    return found


def _items(values: Any, what: str) -> list[Any]:
    """Returns a list of Python's own types."""
    if isinstance(values, str | bytes | Mapping):
        raise InputError(f'{what} is {brief(values)}; give one value a trial.')
    if not isinstance(values, list | tuple):
        shape = as_array(values, what).shape
        if len(shape) == 2 and shape[1] == 1:  # A table's only column.
            values = np.asarray(values)[:, 0]
        elif len(shape) != 1:
            raise InputError(
                f'{what} has shape {shape}; give a list of one value a trial.'
            )
        values = values.tolist() if hasattr(values, 'tolist') else [*values]
    return [x.item() if isinstance(x, np.generic) else x for x in values]


def _stimuli(values: Sequence[Any], what: str) -> tuple[list[str], bool]:
    """Returns one spelling of each name, and whether all are whole numbers."""
    if not values:
        raise InputError(f'{what} is empty; give one name or number a trial.')
    names = [_name(x, i, what) for i, x in enumerate(values)]
    if all(_is_count(name) for name in names):
        return names, True
    return _one_spelling(names), False


def _name(value: Any, trial: int, what: str) -> str:
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str):
        found = stimulus_names.path(value)
        if found and found.lower() not in ('nan', 'n/a', 'none'):
            return found
    elif isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    elif isinstance(value, float) and value.is_integer():
        return str(int(value))
    elif isinstance(value, float) and math.isfinite(value):
        return repr(value)
    raise InputError(
        f'{what} is {brief(value)} in trial {trial}; give the name or the '
        'number of what was shown, and leave out trials without any.'
    )


def _is_count(name: str) -> bool:
    digits = name.removeprefix('-')
    return digits.isdecimal() and digits.isascii() and str(int(name)) == name


def _one_spelling(names: list[str]) -> list[str]:
    """Leaves suffixes out, but where they alone distinguish two stimuli."""
    suffixed = collections.defaultdict(set)
    for name in names:
        if stem(name) != name:
            suffixed[stem(name)].add(name)
    return [
        name if len(suffixed[stem(name)]) > 1 else stem(name) for name in names
    ]


def _numbers(values: list[Any] | None, what: str) -> np.ndarray | None:
    """Returns whole numbers as they are, of names their order from 1."""
    if values is None:
        return None
    texts = [
        str(int(x)) if isinstance(x, float) and x.is_integer() else str(x)
        for x in values
    ]
    for i, (text, value) in enumerate(zip(texts, values)):
        if not text.strip() or value is None or text.lower() == 'nan':
            raise InputError(
                f'{what} is {brief(value)} in trial {i}; give one.'
            )
    # Of '01' as well, but no number that int32 cannot hold.
    if all(x.isdecimal() and len(x) < 10 for x in texts):
        return np.array([int(x) for x in texts], np.int32)
    order = {text: i for i, text in enumerate(dict.fromkeys(texts), 1)}
    return np.array([order[text] for text in texts], np.int32)


def _distinct(
    run: np.ndarray | None, session: np.ndarray | None
) -> np.ndarray | None:
    """Numbers runs anew where sessions share their numbers."""
    if run is None or session is None:
        return run
    pairs, place = np.unique(
        np.stack([session, run]), axis=1, return_inverse=True
    )
    if len(np.unique(pairs[1])) == pairs.shape[1]:
        return run
    return (1 + place.ravel()).astype(np.int32)


def _parts(values: list[Any] | None, what: str) -> list[str] | None:
    if values is None:
        return None
    found = []
    for i, value in enumerate(values):
        whole = isinstance(value, float) and value.is_integer()
        text = str(int(value) if whole else value).strip().lower()
        if text not in _PARTS:
            raise InputError(
                f'{what}: the part of trial {i} is {brief(value)}; give train, '
                'test or imagery, or 0 or 1.'
            )
        found.append(_PARTS[text])
    return found


def _categories(
    values: list[Any] | None, stimulus: Sequence[str], what: str
) -> list[str] | None:
    if values is None:
        return None
    texts = [str(value).strip() for value in values]
    of: dict[str, str] = {}
    for name, text in zip(stimulus, texts):
        if of.setdefault(name, text) != text:
            raise InputError(
                f'{what}: stimulus {name} has the categories {of[name]!r} and '
                f'{text!r}; give it one.'
            )
    return texts

"""Which trials of a BIDS data set are for training, and which to test on."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from brainjax.errors import InputError
from brainjax.recordings import splits
from brainjax.recordings.formats.bids.events import Event, Preset
from brainjax.recordings.formats.bids.files import Row, Run, matches, parse

TESTS = ('test', 'shape', 'letter', 'imagery')


def names_run(test: str, run: Run) -> bool:
    """True if text means a run: 'ses-02', 'ses-02_run-1', or 'localizer'."""
    wanted = parse(test).entities
    if wanted:
        return matches(wanted, run.entities)
    return any(
        matches({key: test}, run.entities) for key in ('ses', 'task', 'run')
    )


def pooled_tasks(
    where: str,
    runs: Sequence[Run],
    tables: Sequence[Sequence[Row]],
    rules: Preset,
    test: str,
) -> list[str]:
    """Says that the trials of several tasks are pooled.

    Tasks whose tables have no columns in common are not, unless `test` names
    one of them.
    """
    headers: dict[str, set[tuple[str, ...]]] = {}
    for run, rows in zip(runs, tables):
        task = headers.setdefault(run.entities.get('task', ''), set())
        task.update([tuple(rows[0])] if rows else [])
    if len(headers) < 2 or rules.columns is None:
        return []
    tasks = ' and '.join(headers)
    alike = set.intersection(*headers.values())
    if not alike and 'task' not in parse(test).entities:
        raise InputError(
            f'{where} holds the tasks {tasks}, whose events.tsv have '
            'different columns; choose one with `task`.'
        )
    return [
        f'{where}: the trials of the tasks {tasks} are pooled; choose one '
        'with `task`.'
    ]


def select_sets(
    happened: Sequence[Sequence[Event]], test: str, where: str
) -> tuple[list[list[Event]], list[str]]:
    """Takes the stimulus off events of sets that are not asked for.

    They stay as regressors, and get no response.

    Args:
      happened: the events of each run.
      test: one of TESTS, or what names runs, which asks for all.

    Returns:
      The events of each run, and sentences on trials of no known set.
    """
    if test not in TESTS:
        return [[*events] for events in happened], []
    there = Counter(e.part for events in happened for e in events if e.stimulus)
    if test != 'test' and test not in there:
        raise InputError(
            f'{where} holds no trials of the test set {test!r}, only '
            f'{", ".join(sorted({*there} - {""})) or "unnamed"}.'
        )
    wanted = ('train', test, '')
    kept = [
        [e if e.part in wanted else e._replace(stimulus='') for e in events]
        for events in happened
    ]
    # Trials of no set are for training where no others are.
    known = ('train', *TESTS) if 'train' in there else ('train', *TESTS, '')
    lost = sorted({*there} - {*known})
    if not lost:
        return kept, []
    return kept, [
        f'{where}: {sum(there[part] for part in lost)} trials are of no set '
        f'that is known ({", ".join(part or "not named" for part in lost)}) '
        'and are left out; events.tsv must call them train or test.'
    ]


def split(
    shown: Sequence[Event],
    stimulus: np.ndarray,
    runs: Sequence[Run],
    test: str,
    where: str,
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Splits trials by set, by run, or where neither is known by stimulus.

    Args:
      shown: one event a trial.
      stimulus: [trials] names.
      runs: [trials] of each trial.
      test: one of TESTS, or the runs to test on; see `names_run`.

    Returns:
      [trials] bool for training and for testing, and sentences on what was
      held or left out.
    """
    part = np.array([event.part for event in shown])
    if test in TESTS:
        tested = part == test
        train = part == 'train'
    else:
        tested = np.array([names_run(test, run) for run in runs])
        if not tested.any() or tested.all():
            raise InputError(
                f'{where}: {test!r} means '
                f'{"all" if tested.any() else "no"} runs, such as '
                f'{runs[0].label}; name the session, task or run of some, '
                'such as ses-02.'
            )
        train = ~tested
    if not train.any():  # No trial is said to be for training.
        train = (part == '') & ~tested
    if not train.any():
        raise InputError(
            f'{where} holds no training trials; give all sessions, or name '
            'the runs to test on with `test`.'
        )
    sentences = []
    if not tested.any():
        if len(names := {*stimulus[train].tolist()}) < 2:
            raise InputError(
                f'{where}: all trials show {names.pop()!r}; another '
                'column of events.tsv must name the stimuli, so name it with '
                '`stimulus`.'
            )
        tested, sentence = splits.default_split(
            stimulus, train, categories(shown), where
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


def categories(shown: Sequence[Event]) -> dict[str, str]:
    """Returns the category of each stimulus; '' where it is not known."""
    return {event.stimulus: event.category for event in shown}

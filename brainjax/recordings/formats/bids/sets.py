"""Which trials of a BIDS data set are for training, and which to test on."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from brainjax.errors import InputError
from brainjax.recordings import splits
from brainjax.recordings.formats.bids.events import Event

TESTS = ('test', 'shape', 'letter', 'imagery')


def asked(
    happened: Sequence[Sequence[Event]], test: str, where: str
) -> tuple[list[list[Event]], list[str]]:
    """Turns trials of sets that are not asked for into mere events.

    Args:
      happened: the events of each run.
      test: one of TESTS, or part of the names of runs, which asks for all.
      where: what to name in messages.

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
    labels: np.ndarray,
    test: str,
    where: str,
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Splits trials by set, by run, or where neither is told by stimulus.

    Args:
      shown: one event a trial.
      stimulus: [trials] names.
      labels: [trials] of the runs.
      test: one of TESTS, or part of the names of the runs to test on.
      where: what to name in messages.

    Returns:
      [trials] bool for training and for testing, and sentences on what was
      held or left out.
    """
    part = np.array([event.part for event in shown])
    if test in TESTS:
        tested = part == test
        train = part == 'train'
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
    """Returns the category of each stimulus; '' where it is not told."""
    return {event.stimulus: event.category for event in shown}

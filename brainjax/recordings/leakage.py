"""What training and test trials share, and so may give answers away.

So may unpaired pictures, from which a method learns what pictures look like:
a decoder that has seen the test pictures there can draw them from memory.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from brainjax.pictures import duplicates
from brainjax.pictures.names import stem
from brainjax.recordings import stimulus_names
from brainjax.recordings.recording import Recording

_EXAMPLES = 3
# Of pictures that have one name, of any turn: the least correlation of two
# versions of one picture, such as two crops.
_NAMESAKES = 0.5


class Finding(NamedTuple):
    """One thing that was looked for.

    Attributes:
      what: 'identical pictures', 'near duplicates', 'names', 'categories',
        'runs' or 'sessions'.
      shared: how many in the test trials are in the training trials too; None
        where the recording does not say.
      of: how many there are in the test trials.
      examples: up to three: pairs of a training and a test stimulus, or what
        both parts have.
      verdict: one sentence.
    """

    what: str
    shared: int | None
    of: int | None
    examples: tuple
    verdict: str


def check(
    recording: Recording,
    correlation: float = duplicates.CORRELATION,
    bits: int = duplicates.BITS,
) -> list[Finding]:
    """Compares the stimuli, runs and sessions of training and test trials.

    For near duplicates see `pictures.duplicates`. Among 10,000 natural
    pictures of 64 x 64 pixels 3 of the 50 million pairs were called so.

    Args:
      recording: the trials and their stimuli.
      correlation: the least of near duplicates.
      bits: the most by which the fingerprints of near duplicates differ.

    Returns:
      One finding for each thing looked for, in the order of `Finding.what`.
    """
    stimuli = recording.stimuli
    train, test = (
        np.unique(part.stimulus) for part in (recording.train, recording.test)
    )
    found = []
    if stimuli.images is None:
        found += [
            _unknown(what, 'The recording holds no pictures.')
            for what in ('identical pictures', 'near duplicates')
        ]
    else:
        same = identical(recording)
        near = _near(recording, same, correlation, bits)
        names = stimuli.names
        found.append(
            _finding(
                'identical pictures',
                [(names[a], names[b]) for a, b in same],
                len({b for _, b in same}),
                len(test),
                'test pictures are a training picture, pixel by pixel',
                'The answer can be remembered: leave these stimuli out.',
            )
        )
        found.append(
            _finding(
                'near duplicates',
                [(names[a], names[b]) for a, b in near],
                len({b for _, b in near}),
                len(test),
                'other test pictures nearly equal a training picture '
                f'(correlation {correlation:g} or more when blurred, '
                f'fingerprints {bits} bits apart or less)',
                'Look at them, and leave out what is the same picture.',
            )
        )
    plain = [_plain(name) for name in stimuli.names]
    for what, values, means, advice in (
        (
            'names',
            plain,
            'test stimuli are named like a training stimulus, leaving out '
            'folder, suffix and case',
            'Check that they are different pictures.',
        ),
        (
            'categories',
            stimuli.categories,
            'test categories have training pictures',
            'A method can score by naming the category: also divide by '
            'category or cluster (`recordings.splits`).',
        ),
    ):
        if values is None:
            found.append(_unknown(what, f'The recording has no {what}.'))
            continue
        tested = {values[i] for i in test}
        both = sorted(tested & {values[i] for i in train})
        found.append(
            _finding(what, both, len(both), len(tested), means, advice)
        )
    return found + [_shared_numbers(recording, w) for w in ('run', 'session')]


def render(findings: Sequence[Finding]) -> str:
    """Turns findings into lines for a terminal."""
    lines = []
    for each in findings:
        count = '-' if each.shared is None else f'{each.shared} of {each.of}'
        lines.append(f'{each.what:<20}{count:<14}{each.verdict}')
        for example in each.examples:
            if isinstance(example, tuple):
                example = ' = '.join(example)
            lines.append(f'{"":<34}{example}')
    return '\n'.join(lines)


def identical(recording: Recording) -> list[tuple[int, int]]:
    """Returns (training, test) stimuli that are one and the same picture.

    Without pictures there are none.
    """
    return _pairs(recording, duplicates.same)


def problems(recording: Recording) -> list[str]:
    """Sentences on pictures that training and test share, or test repeats."""
    same = identical(recording)
    near = _near(recording, same)
    return [
        *_told(
            recording,
            same,
            'test pictures are the same, pixel by pixel, as a training picture',
        ),
        *_told(
            recording, near, 'test pictures nearly equal a training picture'
        ),
        *_told(recording, _namesakes(recording, {*same, *near}), _NAMED),
        *_told(
            recording,
            _repeated(recording),
            'test stimuli show the picture of an earlier one',
        ),
        *_same_responses(recording),
    ]


def _same_responses(recording: Recording) -> list[str]:
    """A sentence on trials with one response; none of what stays on disk."""
    parts = recording.train.fmri, recording.test.fmri
    if not all(isinstance(fmri, np.ndarray) for fmri in parts):
        return []
    train, test = ([hash(row.tobytes()) for row in fmri] for fmri in parts)
    again = len(train) + len(test) - len({*train, *test})
    if not again:
        return []
    across = len({*train} & {*test})
    return [
        f'{again} trials have the very response of another one'
        f'{f", {across} of them in test and in training" if across else ""}; '
        'a run or a file may be there twice.'
    ]


_NAMED = (
    'test stimuli are named like a training stimulus and have other pictures'
)


def _told(
    recording: Recording, pairs: Sequence[tuple[int, int]], what: str
) -> list[str]:
    """A sentence on pairs of a stimulus and a test stimulus; none without."""
    if not pairs:
        return []
    example = ' and '.join(recording.stimuli.names[i] for i in pairs[0])
    return [f'{len({test for _, test in pairs})} {what} ({example}).']


def _namesakes(
    recording: Recording, known: set[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Returns (training, test) stimuli of one name, but those known."""
    names = [_plain(name) for name in recording.stimuli.names]
    places = {names[i]: i for i in np.unique(recording.train.stimulus).tolist()}
    pairs = [
        (places[names[j]], j)
        for j in np.unique(recording.test.stimulus).tolist()
        if names[j] in places
    ]
    return [pair for pair in pairs if pair not in known]


def _repeated(recording: Recording) -> list[tuple[int, int]]:
    """Returns (earlier, later) test stimuli that are one picture."""
    images = recording.stimuli.images
    if images is None:
        return []
    test = np.unique(recording.test.stimulus).tolist()
    shown = [images[j] for j in test]
    first: dict[int, int] = {}
    for i, j in duplicates.same(shown, shown):
        first.setdefault(j, i)
    return [(test[i], test[j]) for j, i in first.items() if i < j]


class Unpaired(NamedTuple):
    """Test pictures among unpaired ones.

    Attributes:
      pairs: (place among the unpaired, test stimulus), by content: the same,
        nearly the same in any turn, or alike and of one name.
      named: likewise, by name alone: their pictures differ.
    """

    pairs: list[tuple[int, int]]
    named: list[tuple[int, int]]


def among_unpaired(
    recording: Recording, pictures: np.ndarray, names: Sequence[str] = ()
) -> Unpaired:
    """Looks for test pictures among unpaired ones.

    Args:
      recording: whose test pictures are looked for.
      pictures: [n, size, size, 3] uint8, unpaired.
      names: of those, n or none.
    """
    images = recording.stimuli.images
    test = np.unique(recording.test.stimulus).tolist()
    if images is None or not len(pictures):
        return Unpaired([], [])
    shown = [images[j] for j in test]
    found = {
        *duplicates.same(pictures, shown),
        *duplicates.near(pictures, shown),
    }
    places = {_plain(recording.stimuli.names[j]): k for k, j in enumerate(test)}
    named = [
        (i, places[name])
        for i, name in enumerate(map(_plain, names))
        if name in places and (i, places[name]) not in found
    ]
    alike = duplicates.correlations(
        [pictures[i] for i, _ in named], [shown[k] for _, k in named]
    )
    found |= {pair for pair, r in zip(named, alike) if r >= _NAMESAKES}
    return Unpaired(
        [(i, test[k]) for i, k in sorted(found)],
        [(i, test[k]) for i, k in named if (i, k) not in found],
    )


def _finding(
    what: str,
    shared: Sequence,
    n: int,
    of: int,
    means: str,
    advice: str,
) -> Finding:
    verdict = f'{n} of {of} {means}. {advice}' if n else f'None of {of} shared.'
    return Finding(what, n, of, tuple(shared[:_EXAMPLES]), verdict)


def _unknown(what: str, why: str) -> Finding:
    return Finding(what, None, None, (), f'{why} This cannot be checked.')


def _shared_numbers(recording: Recording, what: str) -> Finding:
    train, test = (
        getattr(part, what) for part in (recording.train, recording.test)
    )
    if train is None or test is None:
        return _unknown(
            f'{what}s', f'The recording does not say the {what}s of its trials.'
        )
    return _finding(
        f'{what}s',
        (both := np.intersect1d(train, test)).tolist(),
        len(both),
        len(np.unique(test)),
        f'{what}s with test trials have training trials',
        f'Usual where stimuli are interleaved; normalise by {what} with the '
        'training trials only.',
    )


def _plain(name: str) -> str:
    """Returns a name without folder, suffix and case, in one spelling."""
    return stem(stimulus_names.path(name).rpartition('/')[2]).lower()


def _near(
    recording: Recording,
    same: Sequence[tuple[int, int]],
    correlation: float = duplicates.CORRELATION,
    bits: int = duplicates.BITS,
) -> list[tuple[int, int]]:
    """Returns (training, test) stimuli that are near duplicates, but the same.

    Args:
      recording: the trials and their stimuli.
      same: what `identical` finds.
      correlation, bits: see `pictures.duplicates.near`.
    """

    def compare(train, test):
        return duplicates.near(train, test, correlation, bits)

    known = set(same)
    return [pair for pair in _pairs(recording, compare) if pair not in known]


def _pairs(recording: Recording, compare) -> list[tuple[int, int]]:
    """Returns (training, test) stimuli of which pictures are alike."""
    images = recording.stimuli.images
    if images is None:
        return []
    train, test = (
        np.unique(part.stimulus).tolist()
        for part in (recording.train, recording.test)
    )
    # Pictures may be on disk: those of training pass one by one.
    found = compare((images[i] for i in train), [images[j] for j in test])
    return [(train[i], test[j]) for i, j in found]

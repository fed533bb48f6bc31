"""What people choose: two-alternative forced choice, from files to a score.

An observer saw a reconstruction, the picture that was seen and a lure, and
chose. Each file holds one observer's choices as the page of
`brainjax.reports.human_test` hands them out. Observers and pictures are both
drawn at random, and both are what the interval is over.
"""

import csv
import hashlib
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError
from brainjax.evaluation import statistics
from brainjax.evaluation.scores import Score
from brainjax.io.files import PathLike

COLUMNS = (
    *('test', 'observer', 'seed', 'trial', 'trials', 'kind', 'picture'),
    *('lure', 'side', 'choice', 'correct', 'milliseconds'),
)
ATTENTIVE = 0.8  # Of the checks; who gets fewer right is left out.
MOST_PICTURES = 300  # In a page, which holds all of them.
LARGEST_FILE = 10_000_000  # Bytes.


class Session(NamedTuple):
    """One observer's choices.

    Attributes:
      path: the file.
      observer: name or code.
      seed: of the order, lures and sides.
      correct: {name of a picture: whether it was chosen for its
        reconstruction}.
      checks: [checks] bool, whether the answer was right.
      milliseconds: median time to a choice.
    """

    path: PathLike
    observer: str
    seed: int
    correct: dict[str, bool]
    checks: np.ndarray
    milliseconds: float

    @property
    def attentive(self) -> bool:
        """Whether enough of the checks were answered rightly."""
        return bool(self.checks.mean() >= ATTENTIVE)


class Judged(NamedTuple):
    """What observers' choices come to.

    Attributes:
      score: 'human_two_way' as in scores.json, with the number of 'observers'.
      names: [n] pictures that were judged.
      table: [observers, n] float64, 1 right, 0 wrong, NaN not judged, of those
        who were attentive.
      kept, excluded: sessions of the attentive, in the order of the table, and
        of the others.
    """

    score: Score
    names: list[str]
    table: np.ndarray
    kept: list[Session]
    excluded: list[Session]


def chosen(n: int) -> np.ndarray:
    """Indices of the pictures to judge: all, or MOST_PICTURES evenly spread."""
    return np.linspace(0, n - 1, min(n, MOST_PICTURES)).round().astype(int)


def identity(
    names: Sequence[str], seen: Sequence[np.ndarray], made: Sequence[np.ndarray]
) -> str:
    """Identifies a test: a digest of its names and pictures.

    Args:
      names: [n].
      seen, made: [n] pictures, [height, width, 3] uint8 each.

    Returns:
      16 hexadecimal digits.
    """
    if len(names) < 2:
        raise InputError(
            'A choice between two pictures needs at least two; give more than '
            f'{len(names)}.'
        )
    digest = hashlib.sha256()
    known = {}
    for name, picture, reconstruction in zip(names, seen, made):
        own = hashlib.sha256(f'{picture.shape}'.encode() + picture.tobytes())
        twin = known.setdefault(own.digest(), name)
        if twin != name:
            raise InputError(
                f'{twin!r} and {name!r} show the same picture, so that nobody '
                'can choose between them; leave one of them out.'
            )
        digest.update(f'{name}\0{reconstruction.shape}'.encode())
        digest.update(own.digest() + reconstruction.tobytes())
    return digest.hexdigest()[:16]


def read(path: PathLike, test: str, names: Sequence[str]) -> Session:
    """Reads an observer's file.

    Args:
      path: CSV file with the columns COLUMNS.
      test: what the page had for `identity`.
      names: of the pictures in the test.
    """
    rows = _rows(path)
    first = rows[0]
    if first['test'] != test:
        raise InputError(
            f'{path} is of the test {first["test"]!r} and these pictures make '
            f'the test {test!r}; give the folders that the page was made from.'
        )
    known, correct, checks, times = set(names), {}, [], []
    for number, row in enumerate(rows, 1):
        _check(path, number, row, len(rows), first, known)
        right = row['choice'] == row['side']
        if row['kind'] == 'check':
            checks.append(right)
        elif row['picture'] in correct:
            raise InputError(
                f'{path} line {number + 1}: {row["picture"]!r} was judged '
                'before; download the file again.'
            )
        else:
            correct[row['picture']] = right
        times.append(int(row['milliseconds']))
    if not checks or not correct:
        raise InputError(
            f'{path} holds {len(correct)} choices and {len(checks)} checks of '
            'attention, and both are needed; download the file again.'
        )
    return Session(
        path,
        first['observer'],
        int(first['seed']),
        correct,
        np.array(checks),
        float(np.median(times)),
    )


def _rows(path: PathLike) -> list[dict[str, str]]:
    try:
        with open(path, 'rb') as stream:
            raw = stream.read(LARGEST_FILE + 1)
        text = raw.decode('utf-8-sig')
    except OSError as error:
        raise InputError(
            f'{path} cannot be read ({error.strerror}); check the path.'
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(
            f'{path} is not a text file in UTF-8; give the CSV file as the '
            'page handed it out.'
        ) from error
    if len(raw) > LARGEST_FILE:
        raise InputError(
            f'{path} is larger than {LARGEST_FILE} bytes, which no '
            "observer's file is; give the CSV file of one observer."
        )
    try:
        lines = list(csv.reader(io.StringIO(text, newline=''), strict=True))
    except csv.Error as error:
        raise InputError(
            f'{path} is damaged ({error}); download it again.'
        ) from error
    if not lines or tuple(lines[0]) != COLUMNS:
        raise InputError(
            f'{path} does not begin with the columns {",".join(COLUMNS)}; '
            'give the CSV file as the page handed it out.'
        )
    for number, line in enumerate(lines[1:], 2):
        if len(line) != len(COLUMNS):
            raise InputError(
                f'{path} line {number} has {len(line)} of {len(COLUMNS)} '
                'fields; download the file again.'
            )
    if len(lines) < 2:
        raise InputError(f'{path} holds no choices; download it again.')
    return [dict(zip(COLUMNS, line)) for line in lines[1:]]


def _check(path, number, row, total, first, known):
    """Raises InputError if a row cannot be one that the page wrote."""
    one_of = {
        'test': (first['test'],),
        'observer': (first['observer'],),
        'seed': (first['seed'],),
        'trial': (str(number),),
        'trials': (str(total),),
        'kind': ('test', 'check'),
        'picture': known,
        'lure': known - {row['picture']},
        'side': ('left', 'right'),
        'choice': ('left', 'right'),
        'correct': (str(int(row['choice'] == row['side'])),),
    }
    wrong = [
        name for name, allowed in one_of.items() if row[name] not in allowed
    ]
    wrong += [
        name for name in ('seed', 'milliseconds') if not _whole(row[name])
    ]
    wrong += [] if first['observer'] else ['observer']
    if wrong:
        name = wrong[0]
        raise InputError(
            f'{path} line {number + 1}: {name} is {row[name][:80]!r}, which '
            'the page cannot have written; download the file again.'
        )


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 12


def score(
    sessions: Sequence[Session], *, seed: int = 0, draws: int = 10_000
) -> Judged:
    """How often people choose the picture that was seen.

    Observers who got fewer than ATTENTIVE of the checks right are left out.
    Under the null hypothesis it is arbitrary which of the two pictures was
    seen; then answers to a picture are as often all wrong as all right, and p
    comes from a sign-flip test over pictures: each picture's answers, of all
    observers together, are reversed at random.

    Args:
      sessions: of different observers.
      seed, draws: of the bootstrap and the permutations.
    """
    known = {}
    for session in sessions:
        other = known.setdefault(session.observer, session)
        if other is not session:
            raise InputError(
                f'{other.path} and {session.path} are both of the observer '
                f'{session.observer!r}; give one file an observer.'
            )
    kept = [session for session in sessions if session.attentive]
    excluded = [session for session in sessions if not session.attentive]
    if not kept:
        raise InputError(
            f'No observer got {100 * ATTENTIVE:.0f} % of the checks of '
            'attention right; give results of observers who looked.'
        )
    names = sorted({name for session in kept for name in session.correct})
    table = np.array(
        [[each.correct.get(name, np.nan) for name in names] for each in kept],
        np.float64,
    )
    value = np.nanmean(table)
    low, high = statistics.crossed_interval(table, seed, draws)
    surplus = np.nansum(table - 0.5, axis=0)
    null = statistics.sign_flip_null(surplus, draws, seed)
    result = {
        'value': float(value),
        'chance': 0.5,
        'low': low,
        'high': high,
        'p': statistics.p_value(surplus.mean(), null),
        'n': len(names),
        'observers': len(kept),
    }
    return Judged(result, names, table, kept, excluded)


def per_picture(judged: Judged) -> list[tuple[str, int, int]]:
    """Returns (name, right answers, answers) of every picture."""
    answers = (~np.isnan(judged.table)).sum(axis=0).tolist()
    right = np.nansum(judged.table, axis=0).astype(int).tolist()
    return list(zip(judged.names, right, answers))


def sentences(judged: Judged) -> list[str]:
    """Sentences for a report on who judged and how it was counted."""
    count, out = len(judged.kept), len(judged.excluded)
    median = np.median([each.milliseconds for each in judged.kept]) / 1000
    found = [
        f'People: {count} {"observer" if count == 1 else "observers"} judged '
        f'{len(judged.names)} pictures, in {median:.1f} s a choice (median); '
        f'{out} {"was" if out == 1 else "were"} left out for getting fewer '
        f'than {100 * ATTENTIVE:.0f} % of the checks of attention right'
        + ''.join(
            f'{"; " if i else ": "}{each.observer}, {each.checks.sum()} of '
            f'{len(each.checks)}'
            for i, each in enumerate(judged.excluded)
        )
        + '.',
        'The interval of what people choose is over observers and pictures, '
        'both resampled; p comes from a sign-flip test over pictures, the '
        'answers of all observers to a picture together.',
    ]
    if count == 1:
        found.append(
            'With one observer the interval is over pictures alone and does '
            'not cover other people.'
        )
    return found

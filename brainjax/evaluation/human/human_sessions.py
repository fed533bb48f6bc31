"""Files of what one observer chose, checked against the seed they state.

All but observer, choices and times follows from the seed, so that a file in
which anything else was changed, deleted or added is refused. Choices that were
turned round are noticed by the seals alone, which anybody can compute anew:
who handles the files has to be trusted with those.
"""

import csv
import hashlib
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError
from brainjax.evaluation.human import human_plan
from brainjax.io.files import PathLike

COLUMNS = (
    *('test', 'observer', 'seed', 'trial', 'trials', 'kind', 'picture'),
    *('lure', 'side', 'choice', 'correct', 'milliseconds', 'seal'),
)
ATTENTIVE = 0.8  # Of the checks; who gets fewer right is left out.
# Milliseconds. The page takes no choice earlier: what comes within 200 ms of
# the pictures is a guess (Whelan 2008, Psychol Rec 58:475).
FASTEST = 200
# Milliseconds, median: two of the three pictures need a glance each, and one
# takes 260 to 330 (Rayner 2009, Q J Exp Psychol 62:1457).
PLAUSIBLE = 500
LARGEST_FILE = 10_000_000  # Bytes.
REMEDY = 'give the file as the page handed it out'


class HumanTest(NamedTuple):
    """What a page asks.

    Attributes:
      digest: of its names and pictures, see `identity`.
      names: of its pictures, in order.
      methods: 1 for a reconstruction and which picture it is of; 2 for a
        picture and which method's reconstruction is nearer.
    """

    digest: str
    names: list[str]
    methods: int = 1


class Session(NamedTuple):
    """One observer's choices.

    Attributes:
      path: the file.
      observer: name or code.
      seed: of the order, lures and sides.
      correct: {name of a picture: whether it was chosen for its
        reconstruction, or of two methods whether the first was chosen}.
      checks: [checks] bool, whether the answer was right.
      milliseconds: [trials] to each choice.
    """

    path: PathLike
    observer: str
    seed: int
    correct: dict[str, bool]
    checks: np.ndarray
    milliseconds: np.ndarray

    @property
    def median(self) -> float:
        """Median time to a choice in milliseconds."""
        return float(np.median(self.milliseconds))

    @property
    def fault(self) -> str:
        """Why the observer is left out, or ''."""
        if self.checks.mean() < ATTENTIVE:
            return f'{self.checks.sum()} of {len(self.checks)} checks'
        if self.median < PLAUSIBLE:
            return f'{self.median:.0f} ms a choice'
        return ''


def identity(
    names: Sequence[str],
    seen: Sequence[np.ndarray],
    made: Sequence[np.ndarray],
    other: Sequence[np.ndarray] | None = None,
) -> HumanTest:
    """Identifies a test by a digest of its names and pictures.

    Args:
      names: [n].
      seen, made: [n] pictures, [height, width, 3] uint8 each.
      other: [n] reconstructions by another method, or None.
    """
    if len(names) < 2:
        raise InputError(
            'A choice between two pictures needs at least two; give more than '
            f'{len(names)}.'
        )
    methods = 1 if other is None else 2
    digest = hashlib.sha256(f'{methods}'.encode())
    known = {}
    for i, name in enumerate(names):
        own = _digest(seen[i])
        twin = known.setdefault(own, name)
        if twin != name:
            raise InputError(
                f'{twin!r} and {name!r} show the same picture, so that nobody '
                'can choose between them; leave one of them out.'
            )
        parts = [own, _digest(made[i])]
        parts += [] if other is None else [_digest(other[i])]
        if methods == 2 and parts[1] == parts[2]:
            raise InputError(
                f'Both methods have the same reconstruction of {name!r}, so '
                'that nobody can choose between them; leave it out.'
            )
        digest.update(b''.join([name.encode(), b'\0', *parts]))
    return HumanTest(digest.hexdigest()[:16], list(names), methods)


def _digest(picture: np.ndarray) -> bytes:
    shape = f'{picture.shape}'.encode()
    return hashlib.sha256(shape + picture.tobytes()).digest()


def read(path: PathLike, test: HumanTest) -> Session:
    """Reads an observer's file.

    Args:
      path: CSV file with the columns COLUMNS.
      test: what the page had from `identity`.
    """
    rows = _rows(path)
    first = rows[0]
    if first['test'] != test.digest:
        raise InputError(
            f'{path} is of the test {first["test"]!r} and these pictures make '
            f'the test {test.digest!r}; give the folders that the page was '
            'made from.'
        )
    _check_seed(path, first['seed'])
    trials = human_plan.plan(int(first['seed']), len(test.names), test.methods)
    if len(rows) != len(trials):
        raise InputError(
            f'{path} holds {len(rows)} choices, and the page asked for '
            f'{len(trials)}: some were taken out or added; {REMEDY}.'
        )
    for number, (row, trial) in enumerate(zip(rows, trials), 1):
        _check_planned(path, number, row, trial, first, test)
        _check_answer(path, number, row)
    _check_seals(path, rows)
    right = [row['choice'] == row['side'] for row in rows]
    return Session(
        path,
        first['observer'],
        int(first['seed']),
        {
            row['picture']: yes
            for row, yes in zip(rows, right)
            if row['kind'] == 'test'
        },
        np.array([r for r, t in zip(right, trials) if t.kind == 'check']),
        np.array([int(row['milliseconds']) for row in rows]),
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


def _check_seed(path, text):
    if not _whole(text) or int(text) > human_plan.LARGEST_SEED:
        raise InputError(
            f'{path} line 2: seed is {text[:80]!r}, which the page cannot have '
            f'written; {REMEDY}.'
        )


def _check_planned(path, number, row, trial, first, test):
    """Refuses a row in which anything is not as the seed makes it."""
    planned = {
        'test': test.digest,
        'observer': first['observer'],
        'seed': first['seed'],
        'trial': f'{number}',
        'trials': first['trials'],
        'kind': trial.kind,
        'picture': test.names[trial.picture],
        'lure': test.names[trial.lure],
        'side': trial.side,
    }
    for name, value in planned.items():
        if row[name] != value:
            raise InputError(
                f'{path} line {number + 1}: {name} is {row[name][:80]!r}, and '
                f'by the seed {first["seed"]} the page showed {value[:80]!r}; '
                f'{REMEDY}.'
            )


def _check_answer(path, number, row):
    """Refuses an answer that the page cannot have written."""
    time = row['milliseconds']
    wrong = [
        *(['observer'] if not row['observer'].strip() else []),
        *(['choice'] if row['choice'] not in ('left', 'right') else []),
        *(['milliseconds'] if not _whole(time) else []),
    ]
    if row['correct'] != str(int(row['choice'] == row['side'])):
        wrong.append('correct')
    if wrong:
        raise InputError(
            f'{path} line {number + 1}: {wrong[0]} is '
            f'{row[wrong[0]][:80]!r}, which the page cannot have written; '
            f'{REMEDY}.'
        )
    if int(time) < FASTEST:
        raise InputError(
            f'{path} line {number + 1}: a choice after {time} ms, and the page '
            f'takes none within {FASTEST} ms, in which nobody can look and '
            f'choose; {REMEDY}.'
        )


def _check_seals(path, rows):
    lines = [','.join([*row.values()][:-1]) for row in rows]
    for number, (row, value) in enumerate(
        zip(rows, human_plan.seals(lines)), 2
    ):
        if row['seal'] != f'{value}':
            raise InputError(
                f'{path} line {number} was edited after the page wrote it: its '
                f'seal does not fit; {REMEDY}.'
            )


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 12


def check_once(sessions: Sequence[Session]) -> None:
    """Refuses an observer, a seed or a session that is there twice."""
    observers, seeds, times = {}, {}, {}
    for session in sessions:
        own = tuple(session.milliseconds)
        twin = seeds.setdefault(session.seed, session)
        same = times.setdefault(own, session)
        for other in (twin, same):
            if other is not session and (
                other.correct == session.correct
                or tuple(other.milliseconds) == own
            ):
                raise InputError(
                    f'{other.path} and {session.path} are one session, by '
                    f'{other.observer!r} and {session.observer!r}: the same '
                    'choices in the same order or at the same times; give it '
                    'once.'
                )
        if twin is not session:
            raise InputError(
                f'{twin.path} and {session.path} both have the seed '
                f'{session.seed}, which the page draws for each session anew; '
                'give one file a seed.'
            )
        name = ' '.join(session.observer.split()).casefold()
        other = observers.setdefault(name, session)
        if other is not session:
            raise InputError(
                f'{other.path} and {session.path} are both of the observer '
                f'{session.observer!r}; give one file an observer.'
            )

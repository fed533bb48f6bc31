"""A table that a lab keeps: one line a group of subjects, the best on top.

It is a CSV file that may have further columns and be edited by hand: what
other lines hold is kept as it is, letter by letter.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from brainjax.errors import InputError, check_known
from brainjax.evaluation import score_files

# Of a line, before its scores; `id` tells lines apart.
COLUMNS = (
    *('id', 'entry', 'method', 'subjects', 'pictures', 'picture_set'),
    *('simulated', 'transductive', 'added'),
)
# Of each score: SCORE, SCORE_low ...
OF_SCORE = {
    '': 'value',
    '_low': 'low',
    '_high': 'high',
    '_p': 'p',
    '_prevalence_low': 'prevalence_low',
}


class Leaderboard(NamedTuple):
    """A table of text.

    Attributes:
      columns: names, those of `COLUMNS` among them.
      lines: column -> text, of each line.
    """

    columns: list[str]
    lines: list[dict[str, str]]


def parse(text: str, path: str) -> Leaderboard:
    """Reads a leaderboard from the text of the file at `path`."""
    header, *rows = score_files.parse(text, path)
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise InputError(
            f'{path} has no column {missing[0]!r}, as leaderboards of '
            '`brainjax group` have; name another file.'
        )
    if len(set(header)) < len(header):
        raise InputError(
            f'{path} has two columns of one name; rename one of them.'
        )
    return Leaderboard(header, [dict(zip(header, row)) for row in rows])


def line(
    scores: Mapping[str, Mapping[str, float]], **about: str | int | bool
) -> dict[str, str]:
    """Makes the line of a group.

    Args:
      scores: of `group_scores.combine`.
      **about: values of `COLUMNS` but the id, which is a hash of the scores:
        the same ones have one line, whoever adds them.
    """
    held = json.dumps(scores, sort_keys=True, default=str)
    found = {'id': short_hash(held)}
    found |= {name: str(value) for name, value in about.items()}
    for name, score in scores.items():
        for suffix, key in OF_SCORE.items():
            if (value := score.get(key)) is not None:
                found[f'{name}{suffix}'] = repr(float(value))
    return found


def short_hash(*texts: str) -> str:
    """Twelve letters that other texts are unlikely to have."""
    return hashlib.sha256('\n'.join(texts).encode()).hexdigest()[:12]


def add(
    board: Leaderboard | None,
    new: Mapping[str, str],
    by: str,
    lower: bool = False,
) -> Leaderboard:
    """Adds a line and sorts all by a score, the best first.

    A line with the same id is not added again. Lines without that score come
    last; equal ones stay in their order.

    Args:
      board: None for a new one.
      new: of `line`.
      by: name of the score.
      lower: whether its lower values are better.
    """
    board = board or Leaderboard(list(COLUMNS), [])
    columns = [*board.columns, *(c for c in new if c not in board.columns)]
    check_known('score', by, scored(columns))
    lines = [*board.lines]
    if new['id'] not in (each['id'] for each in lines):
        lines.append(dict(new))
    sign = 1 if lower else -1
    lines.sort(key=lambda each: _place(each.get(by, ''), sign))
    return Leaderboard(columns, lines)


def _place(text: str, sign: int) -> float:
    try:
        value = float(text)
    except ValueError:
        return math.inf
    return math.inf if math.isnan(value) else sign * value


def write(board: Leaderboard) -> str:
    """Writes it as text; fields that a line lacks are empty."""
    rows = ([each.get(c, '') for c in board.columns] for each in board.lines)
    return score_files.as_csv(board.columns, rows)


def scored(columns: Sequence[str]) -> list[str]:
    """Scores among the columns of a leaderboard: those with an interval."""
    return [c for c in columns if f'{c}_low' in columns]


def problems(board: Leaderboard) -> list[str]:
    """Sentences on lines that cannot be compared with one another."""
    found = []
    for column, words in (
        ('simulated', 'are of simulated subjects and others of measured ones'),
        ('picture_set', 'are of other test pictures than others'),
        ('transductive', 'used responses to the test pictures in fitting'),
    ):
        if len({each.get(column) for each in board.lines}) > 1:
            found.append(f'Some lines {words}.')
    return found

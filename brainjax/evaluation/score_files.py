"""Scores as CSV: one line a score, and one line a picture."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from brainjax.errors import InputError
from brainjax.evaluation import identification
from brainjax.evaluation.scores import Score
from brainjax.io import files

COLUMNS = ('value', 'chance', 'low', 'high', 'p', 'q', 'n')


def of_scores(scores: Mapping[str, Mapping[str, float]]) -> str:
    """Writes scores as a table, one a line."""
    rows = ([name, *(s[c] for c in COLUMNS)] for name, s in scores.items())
    return as_csv(('score', *COLUMNS), rows)


def per_picture(
    names: Sequence[str], picture: np.ndarray, scores: Mapping[str, Score]
) -> str:
    """Writes what each picture scored, one picture a line, a column a score.

    Targets that show the same picture have one line, by the first one's name.

    Args:
      names: [n] of the targets.
      picture: [n] from `pixels.distinct`.
      scores: those that have no value for each of these pictures are left out.

    Returns:
      'name,SCORE,...'; a field is empty where a score is not defined.
    """
    first = identification.first(picture)
    columns = {
        name: score.per_picture
        for name, score in scores.items()
        if isinstance(score, Score)
        and score.per_picture is not None
        and len(score.per_picture) == len(first)
    }
    rows = (
        [names[i], *('' if np.isnan(x) else float(x) for x in values)]
        for i, *values in zip(first, *columns.values())
    )
    return as_csv(('name', *columns), rows)


def read_per_picture(
    path: files.PathLike,
) -> tuple[list[str], dict[str, np.ndarray]]:
    """Reads what `per_picture` wrote.

    Returns:
      Names [n] of the pictures, and score -> [n], NaN where not defined.
    """
    header, *rows = parse(files.read_text(path), path)
    if header[:1] != ['name']:
        raise InputError(
            f'{path} does not begin with the column name; let brainjax write '
            'it again.'
        )
    names, *columns = zip(*rows) if rows else [()] * len(header)
    try:
        values = [np.array([x or 'nan' for x in c], float) for c in columns]
    except ValueError as error:
        raise InputError(
            f'{path} holds something else than a number ({error}); let '
            'brainjax write it again.'
        ) from error
    return list(names), dict(zip(header[1:], values))


def parse(text: str, path: files.PathLike) -> list[list[str]]:
    """Reads a table [rows, columns] with a header from the text of a file."""
    try:
        rows = list(csv.reader(io.StringIO(text, newline=''), strict=True))
    except csv.Error as error:
        raise InputError(
            f'{path} is damaged ({error}); repair it or name another file.'
        ) from error
    if not rows:
        raise InputError(f'{path} is empty; name another file.')
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            raise InputError(
                f'{path} line {number} has {len(row)} of {len(rows[0])} '
                'fields; repair it or name another file.'
            )
    return rows


def as_csv(header: Sequence[str], rows: Iterable[Sequence]) -> str:
    """Writes a table as text."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator='\n')
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue()

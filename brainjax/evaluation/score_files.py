"""Scores as CSV: one line a score, and one line a picture."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from brainjax.evaluation import identification
from brainjax.evaluation.scores import Score

COLUMNS = ('value', 'chance', 'low', 'high', 'p', 'n')


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


def as_csv(header: Sequence[str], rows: Iterable[Sequence]) -> str:
    """Writes a table as text."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator='\n')
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue()

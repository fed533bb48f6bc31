"""The audits of several folds, put together."""

from collections.abc import Sequence

import numpy as np

from brainjax.evaluation.audit import AuditCheck

ONE_IS_ENOUGH = ('near duplicates',)  # It is in the division, not by chance.


def put_together(
    folds: Sequence[Sequence[AuditCheck]], pictures: Sequence[int]
) -> list[AuditCheck]:
    """One check of all folds for each of theirs.

    A fold's reconstructions are compared with what its own training allows,
    so that each fold is audited alone. What most of the folds that were judged
    flag is flagged; what some do is not judged, as a fold's pictures are few.

    Args:
      folds: the checks of each, alike.
      pictures: how many test pictures each has.
    """
    return [_one(rows, pictures) for rows in zip(*folds)]


def _one(rows: Sequence[AuditCheck], pictures: Sequence[int]) -> AuditCheck:
    first = rows[0]
    judged = [row.flagged for row in rows if row.flagged is not None]
    if all(row == first for row in rows):
        return first
    against = sum(judged)
    flagged = 2 * against > len(judged) or (
        against > 0 and first.check in ONE_IS_ENOUGH
    )
    return first._replace(
        value=_mean([row.value for row in rows], pictures),
        reference=_mean([row.reference for row in rows], pictures),
        flagged=flagged if flagged or (judged and not against) else None,
        verdict=f'Means over {len(rows)} folds'
        + (f', {against} flagged of {len(judged)} judged' if judged else '')
        + '. '
        + ' '.join(f'Fold {i}: {row.verdict}' for i, row in enumerate(rows, 1)),
    )


def _mean(values: Sequence[float | None], weights: Sequence[int]):
    known = [(v, w) for v, w in zip(values, weights) if v is not None]
    if not known:
        return None
    numbers, weights = zip(*known)
    return float(np.average(numbers, weights=weights))

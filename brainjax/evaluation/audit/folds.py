"""The audits of several folds, put together."""

from collections.abc import Sequence

import numpy as np

from brainjax.evaluation.audit import AuditCheck

# They are in the division or the pictures, not there by chance.
ONE_IS_ENOUGH = (
    'near duplicates',
    'near duplicates among unpaired pictures',
    'equal test pictures',
)


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
    if all(row == first for row in rows):
        return first
    judged = [row.level for row in rows if row.level != 'not judged']
    against = judged.count('flag')
    return first._replace(
        value=_mean([row.value for row in rows], pictures),
        reference=_mean([row.reference for row in rows], pictures),
        level=_level(judged, first.check in ONE_IS_ENOUGH),
        verdict=f'Means over {len(rows)} folds'
        + (f', {against} flagged of {len(judged)} judged' if judged else '')
        + '. '
        + ' '.join(f'Fold {i}: {row.verdict}' for i, row in enumerate(rows, 1)),
    )


def _level(judged: Sequence[str], one_is_enough: bool) -> str:
    """The level of most folds that were judged."""
    flags, notes = judged.count('flag'), judged.count('note')
    if 2 * flags > len(judged) or (flags and one_is_enough):
        return 'flag'
    if flags or not judged:
        return 'not judged'
    return 'note' if 2 * notes > len(judged) else 'ok'


def _mean(values: Sequence[float | None], weights: Sequence[int]):
    known = [(v, w) for v, w in zip(values, weights) if v is not None]
    if not known:
        return None
    numbers, weights = zip(*known)
    return float(np.average(numbers, weights=weights))

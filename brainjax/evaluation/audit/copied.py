"""Are pictures where they should not be: in training, unpaired, twice?

For what counts as nearly the same see `pictures.duplicates`. Pictures are
[n, side, side, 3] float32 in 0..1.
"""

import numpy as np
import scipy

from brainjax.evaluation import pixels
from brainjax.evaluation.audit import ALPHA, AuditCheck, similarity
from brainjax.linear.arrays import evenly
from brainjax.pictures import duplicates, operations

COPIES = 0.05  # Share of copies beyond that among targets.
LOOKED_UP = 200  # Pictures that tell how often copies come by chance.
SAME = 0.999  # Pixel correlation of two test pictures that are one.


def near_duplicates(
    target: np.ndarray, pictures: np.ndarray, where: str = 'training'
) -> AuditCheck:
    """Are test pictures, turned or nearly the same, among others?

    Args:
      target: the true pictures.
      pictures: what the method learned from.
      where: what those are, 'training' or 'unpaired'.
    """
    pictures, target = map(operations.to_uint8, (pictures, target))
    found = len({test for _, test in duplicates.near(pictures, target)})
    same = duplicates.same(pictures, target)
    usual, among = _by_chance(pictures, len(target)) if found else (0, 0)
    level = 'flag' if found else 'ok'
    if usual and not same:
        table = [
            [found, len(target) - found],
            [usual, among - usual],
        ]
        p = scipy.stats.fisher_exact(table, alternative='greater').pvalue
        level = 'flag' if p <= ALPHA else 'note'
    return AuditCheck(
        'near duplicates'
        if where == 'training'
        else f'near duplicates among {where} pictures',
        found / len(target),
        usual / max(among, 1),
        level,
        f'{found} of {len(target)} test pictures nearly equal a {where} '
        'picture, mirrored or turned ones too. '
        + (
            f'{usual} of {among} {where} pictures nearly equal another one. '
            if found
            else ''
        )
        + {
            'flag': 'They may be drawn from memory: leave them out.',
            'note': 'Such simple pictures are alike by chance.',
            'ok': 'There is no leak of pictures.',
        }[level],
    )


def _by_chance(pictures: np.ndarray, number: int) -> tuple[int, int]:
    """How many pictures, of how many, nearly equal another of them.

    Args:
      pictures: [n, side, side, 3] uint8; what is there twice, pixel by pixel,
        counts once.
      number: how many are looked for at once, as the bound depends on it.
    """
    _, first = np.unique(pixels.distinct(pictures), return_index=True)
    pictures = pictures[first]
    places = evenly(len(pictures), LOOKED_UP)
    pairs = duplicates.near(pictures, pictures[places], together=number)
    return len({j for i, j in pairs if i != places[j]}), len(places)


def copies(
    target: np.ndarray,
    reconstruction: np.ndarray,
    pictures: np.ndarray,
    where: str = 'training',
) -> AuditCheck:
    """Are the reconstructions pictures that the method learned from?"""
    ours, theirs = (
        len({i for _, i in _near(pictures, x)}) / len(x)
        for x in (reconstruction, target)
    )
    flagged = ours > theirs + COPIES
    return AuditCheck(
        f'copies of {where} pictures',
        ours,
        theirs,
        'flag' if flagged else 'ok',
        f'{ours:.0%} of the reconstructions nearly equal a {where} picture '
        f'({theirs:.0%} of the true pictures do). '
        + (
            'They are looked up, not reconstructed.'
            if flagged
            else 'They are not looked up.'
        ),
    )


def repeated(target: np.ndarray) -> AuditCheck:
    """Are there test pictures that are one picture?"""
    table = similarity(target, target)
    pairs = [
        (i, j)
        for i, j in _near(target, target)
        if i != j and table[i, j] >= SAME
    ]
    again = {max(pair) for pair in pairs}
    return AuditCheck(
        'equal test pictures',
        len(again) / len(target),
        0.0,
        'flag' if again else 'ok',
        f'{len(again)} of {len(target)} test pictures are an earlier one '
        'again. '
        + (
            'They are not independent: reconstructions of one picture count '
            'as one, and intervals over all are too narrow.'
            if again
            else 'All differ.'
        ),
    )


def _near(stream, wanted):
    return duplicates.near(*map(operations.to_uint8, (stream, wanted)))

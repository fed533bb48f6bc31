"""Several BData files of one subject in one."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np

from brainjax.errors import InputError, check_known
from brainjax.recordings.formats.bdata.bdata import BData


def concatenate(
    parts: Sequence[BData],
    keys: Literal['strict', 'minimal'] = 'strict',
    successive: Sequence[str] = ('Session', 'Run', 'Block'),
) -> BData:
    """Puts the samples of several parts below each other.

    Columns are matched by what the metadata say of them, those that look the
    same in their order; so the order of different columns does not matter.
    Where a number stands for one text in one part and for another text in
    another, the later part's numbers change; a text has one number in all.

    Args:
      parts: at least one; the first gives the order of keys and columns.
      keys: 'strict' wants the same keys in all parts; 'minimal' drops those
        that some part lacks, and with them the columns that no other key
        knows.
      successive: keys whose numbers go on where the previous part's ended.
    """
    check_known('choice of keys', keys, ('strict', 'minimal'))
    if not parts:
        raise InputError('No BData was given; give at least one.')
    first = parts[0]
    common = [k for k in first.keys if all(k in part.keys for part in parts)]
    for part in parts:
        odd = {*part.keys} ^ {*first.keys}
        if odd and keys == 'strict':
            raise InputError(
                f'{first.source} and {part.source} do not both have key '
                f"{min(odd)!r}; use keys='minimal' to do without it."
            )
    parts = [_only(part, common) for part in parts]
    done = [parts[0]]
    for part in parts[1:]:
        part = _renumbered(_aligned(part, done[0]), done)
        done.append(_succeeding(part, done[-1], successive))
    vmap: dict[str, dict[float, str]] = {}
    for part in done:
        for key, texts in part.vmap.items():
            vmap.setdefault(key, {}).update(texts)
    return dataclasses.replace(
        done[0],
        dataset=np.concatenate([part.dataset for part in done]),
        vmap=vmap,
        source=', '.join(part.source for part in done),
    )


def _only(data: BData, keys: Sequence[str]) -> BData:
    """Keeps some keys, and the columns of which one of them says something."""
    rows = [data.keys.index(key) for key in keys]
    values = data.values[rows]
    known = ~np.isnan(values).all(axis=0)
    return BData(
        data.dataset[:, known],
        tuple(keys),
        tuple(data.descriptions[row] for row in rows),
        values[:, known],
        {key: texts for key, texts in data.vmap.items() if key in keys},
        data.source,
    )


def _aligned(part: BData, first: BData) -> BData:
    """Brings the columns of a part into the order of the first part's."""
    both = f'{first.source} and {part.source}'
    for key, one, other in zip(
        first.keys, first.descriptions, part.descriptions
    ):
        if one != other:
            raise InputError(
                f'{both} describe key {key!r} as {one!r} and {other!r}; make '
                'them agree.'
            )
    if part.values.shape != first.values.shape:
        raise InputError(
            f'{both} have {first.values.shape[1]} and {part.values.shape[1]} '
            'columns of the same keys; give files with the same voxels.'
        )
    # NaN is equal to itself here, and lexsort keeps the order of equals.
    order, goal = (np.lexsort(data.values) for data in (part, first))
    equal = (part.values[:, order] == first.values[:, goal]) | (
        np.isnan(part.values[:, order]) & np.isnan(first.values[:, goal])
    )
    if not equal.all():
        key = first.keys[np.flatnonzero(~equal.all(axis=1))[-1]]
        raise InputError(
            f'{both} differ in what key {key!r} says of their columns; give '
            'files with the same voxels and the same design.'
        )
    columns = np.empty_like(order)
    columns[goal] = order
    return dataclasses.replace(
        part, dataset=part.dataset[:, columns], values=first.values
    )


def _renumbered(part: BData, before: Sequence[BData]) -> BData:
    """Gives each text of a part the number that it has in the parts before."""
    dataset = part.dataset.copy()
    vmap = {}
    for key in part.keys:
        # A key with texts in some parts and numbers in others means nothing.
        known = [key in data.vmap for data in (*before, part)]
        if not any(known):
            continue
        if not all(known):
            lacks = [*before, part][known.index(False)]
            raise InputError(
                f'{lacks.source} has no vmap for key {key!r}, but others '
                'have; add what its numbers stand for.'
            )
        taken = {n: t for data in before for n, t in data.vmap[key].items()}
        numbers = {text: number for number, text in taken.items()}
        free = max((0.0, *taken, *part.vmap[key])) + 1
        changes = {}
        for number, text in part.vmap[key].items():
            changes[number] = numbers.get(text, number)
            if text not in numbers and number in taken:
                changes[number], free = free, free + 1
        vmap[key] = {changes[n]: text for n, text in part.vmap[key].items()}
        mine = part.values[part.keys.index(key)] == 1
        # Read from the old and written to the new: numbers may swap.
        old, new = part.dataset[:, mine], dataset[:, mine]
        for number, change in changes.items():
            new[old == number] = change
        dataset[:, mine] = new
    return dataclasses.replace(part, dataset=dataset, vmap=vmap)


def _succeeding(
    part: BData, previous: BData, successive: Sequence[str]
) -> BData:
    """Adds the previous part's highest number to keys that count on.

    As bdpy does: keys are to count from 1.
    """
    dataset = part.dataset.copy()
    for key in successive:
        if key in part.keys:
            mine = part.values[part.keys.index(key)] == 1
            highest = np.fmax.reduce(previous.dataset[:, mine], axis=0)
            dataset[:, mine] += np.nan_to_num(highest)
    return dataclasses.replace(part, dataset=dataset)

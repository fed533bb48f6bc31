"""What people choose: two-alternative forced choice, to a score.

An observer saw a reconstruction, the picture that was seen and a lure, and
chose; or a picture and two methods' reconstructions of it (as VanRullen &
Reddy 2019 asked people about a VAE-GAN and principal components). Observers
and pictures are both drawn at random, and both are what the interval is over.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError
from brainjax.evaluation import statistics
from brainjax.evaluation.human import human_plan
from brainjax.evaluation.human.human_sessions import (
    ATTENTIVE,
    PLAUSIBLE,
    Session,
    check_once,
)
from brainjax.evaluation.intervals import RATE, interval
from brainjax.evaluation.scores import Score

NAMES = {1: 'human_two_way', 2: 'human_preference'}  # By methods.


class Judged(NamedTuple):
    """What observers' choices come to.

    Attributes:
      name: 'human_two_way', or 'human_preference' of two methods.
      score: of that name as in scores.json, with the number of 'observers'.
      names: [n] pictures that were judged.
      table: [observers, n] float64, 1 right or the first method, 0 wrong or
        the other, NaN not judged, of those who were attentive.
      kept, excluded: sessions of the attentive, in the order of the table, and
        of the others.
    """

    name: str
    score: Score
    names: list[str]
    table: np.ndarray
    kept: list[Session]
    excluded: list[Session]


def chosen(n: int) -> np.ndarray:
    """Indices of the pictures to judge: all, or 300 evenly spread."""
    most = min(n, human_plan.MOST_PICTURES)
    return np.linspace(0, n - 1, most).round().astype(int)


def score(
    sessions: Sequence[Session],
    methods: int = 1,
    *,
    seed: int = 0,
    draws: int = 10_000,
) -> Judged:
    """How often people choose the picture that was seen, or the first method.

    Observers who got fewer than ATTENTIVE of the checks right, or whose median
    choice took less than PLAUSIBLE, are left out. Under the null hypothesis it
    is arbitrary which of the two is which; then answers to a picture are as
    often all wrong as all right, and p comes from a sign-flip test over
    pictures: each picture's answers, of all observers together, are reversed
    at random. One-sided for the picture that was seen; two-sided between two
    methods, of which either may be the better.

    Args:
      sessions: of different observers.
      methods: 1 or 2, see `human_sessions.HumanTest`.
      seed, draws: of the bootstrap and the permutations.
    """
    check_once(sessions)
    kept = [session for session in sessions if not session.fault]
    excluded = [session for session in sessions if session.fault]
    if not kept:
        raise InputError(
            f'No observer got {100 * ATTENTIVE:.0f} % of the checks of '
            f'attention right and took {PLAUSIBLE} ms a choice or more '
            '(median); give results of observers who looked.'
        )
    names = sorted({name for session in kept for name in session.correct})
    table = np.array(
        [[each.correct.get(name, np.nan) for name in names] for each in kept],
        np.float64,
    )
    low, high = interval(table, RATE, seed=seed, draws=draws)
    result = {
        'value': float(np.nanmean(table)),
        'chance': 0.5,
        'low': low,
        'high': high,
        'p': _p(table, methods, seed, draws),
        'n': len(names),
        'observers': len(kept),
    } | ({'paired': True} if methods == 2 else {})
    return Judged(NAMES[methods], result, names, table, kept, excluded)


def _p(table, methods, seed, draws):
    surplus = np.nansum(table - 0.5, axis=0)
    null = statistics.sign_flip_null(surplus, draws, seed)
    if methods == 2:
        return statistics.p_value(abs(surplus.mean()), abs(null))
    return statistics.p_value(surplus.mean(), null)


def per_picture(judged: Judged) -> list[tuple[str, int, int]]:
    """Returns (name, right answers, answers) of every picture."""
    answers = (~np.isnan(judged.table)).sum(axis=0).tolist()
    right = np.nansum(judged.table, axis=0).astype(int).tolist()
    return list(zip(judged.names, right, answers))


def sentences(judged: Judged) -> list[str]:
    """Sentences for a report on who judged and how it was counted."""
    count, out = len(judged.kept), len(judged.excluded)
    median = np.median([each.median for each in judged.kept]) / 1000
    both = judged.name == NAMES[2]
    found = [
        f'People: {count} {"observer" if count == 1 else "observers"} judged '
        f'{len(judged.names)} pictures, in {median:.1f} s a choice (median); '
        f'{out} {"was" if out == 1 else "were"} left out for getting fewer '
        f'than {100 * ATTENTIVE:.0f} % of the checks of attention right or for '
        f'choosing in less than {PLAUSIBLE} ms (median)'
        + ''.join(
            f'{"; " if i else ": "}{each.observer}, {each.fault}'
            for i, each in enumerate(judged.excluded)
        )
        + '.',
        'The interval of what people choose is over observers and pictures, '
        'both drawn at random; p comes from a sign-flip test over pictures, '
        'the answers of all observers to a picture together'
        + (', two-sided.' if both else '.'),
        'Order, lures, sides and checks in the files of observers are those of '
        'their seeds; that nobody changed the answers is taken on trust.',
    ]
    if both:
        found.append(
            'They saw a picture and two reconstructions of it, and chose the '
            'one that is nearer; the score counts those made here against '
            'those of the other method.'
        )
    if count == 1:
        found.append(
            'With one observer the interval is over pictures alone and does '
            'not cover other people.'
        )
    return found

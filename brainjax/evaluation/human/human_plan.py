"""What people are shown: all that follows from a session's seed.

`brainjax/reports/human_plan.js` has the same for the page. A file of a session
states its seed, so that order, lures, sides and checks can be told anew and
compared with it.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

MOST_PICTURES = 300  # In a page, which holds all of them.
MOST_CHOICES = 100  # Per observer, without checks; more tire.
LEAST_CHECKS = 8
LARGEST_SEED = 2**32 - 1
_WHOLE = 0xFFFFFFFF
_FNV_BASIS, _FNV_PRIME = 0x811C9DC5, 0x01000193


class Trial(NamedTuple):
    """What is shown at once.

    Attributes:
      kind: 'test' or 'check', where the right picture is on top as well.
      picture: index of the picture that is asked for.
      lure: index of the other picture; of two methods the same as `picture`.
      side: 'left' or 'right', where the right answer is.
    """

    kind: str
    picture: int
    lure: int
    side: str


def judged(pictures: int) -> int:
    """How many of the pictures one observer judges."""
    return min(pictures, MOST_CHOICES)


def checks(pictures: int) -> int:
    """How many checks of attention there are besides: one in ten, or 8."""
    return max(LEAST_CHECKS, math.ceil(judged(pictures) / 10))


def plan(seed: int, pictures: int, methods: int = 1) -> list[Trial]:
    """The trials of a session, in order.

    Args:
      seed: 0 to LARGEST_SEED.
      pictures: how many the page holds, two at least.
      methods: 1 where a lure is another picture, 2 where it is another
        method's reconstruction of the same.
    """
    random = generator(seed)
    ring = shuffled(range(pictures), random)[: judged(pictures)]
    # Every picture is once the right one and once the lure.
    lures = ring if methods == 2 else [*ring[1:], ring[0]]
    trials = [('test', *pair) for pair in zip(ring, lures)]
    for _ in range(checks(pictures)):
        trials.append(('check', *shuffled(ring, random)[:2]))
    return [
        Trial(*trial, 'left' if next(random) < 0.5 else 'right')
        for trial in shuffled(trials, random)
    ]


def generator(seed: int) -> Iterator[float]:
    """Mulberry32 by T. Ettinger: numbers in 0..1, 32 bits each."""
    state = seed & _WHOLE
    while True:
        state = (state + 0x6D2B79F5) & _WHOLE
        x = (state ^ state >> 15) * (state | 1) & _WHOLE
        x ^= x + ((x ^ x >> 7) * (x | 61)) & _WHOLE
        yield (x ^ x >> 14) / 2**32


def shuffled(items: Sequence, random: Iterator[float]) -> list[Any]:
    """Shuffles by Fisher and Yates, from the end."""
    out = list(items)
    for i in range(len(out) - 1, 0, -1):
        j = int(next(random) * (i + 1))
        out[i], out[j] = out[j], out[i]
    return out


def seals(lines: Sequence[str]) -> list[int]:
    """FNV-1a of each line and all before it, 32 bits.

    A seal tells of edits by hand and of damage. It keeps nobody out who
    computes it anew.
    """

    def extend(before, line):
        for byte in line.encode():
            before = (before ^ byte) * _FNV_PRIME & _WHOLE
        return before

    found = itertools.accumulate(lines, extend, initial=_FNV_BASIS)
    return list(found)[1:]

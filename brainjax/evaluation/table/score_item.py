"""What is known of a score before it is computed."""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Table = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Item(NamedTuple):
    """What is known of a score before it is computed.

    In `title` and `meaning`, {0} is what the first group of the pattern holds.

    Attributes:
      title: short name for tables and axes.
      meaning: one or two sentences for a reader who does not know it.
      worst, best: the range of values; a distance has its best below. The
        best may be infinite.
      chance: what chance is, in words; scores.json holds the number.
      percent: whether it is a rate, shown in per cent.
      table: of a score of pictures alone, (target, reconstruction)
        [n, height, width, 3] -> [n, n], rows targets, NaN where undefined.
      least: height and width that pictures need for it.
      calibrated: whether neither higher nor lower is better, but a value that
        the score names as 'nominal'; worst and best are then the range.
    """

    title: str
    meaning: str
    worst: float = 0.0
    best: float = 1.0
    chance: str = '1 / 2'
    percent: bool = True
    table: Table | None = None
    least: int = 1
    calibrated: bool = False

    @property
    def lower(self) -> bool:
        """Whether lower is better."""
        return self.best < self.worst

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest value, infinite where none is known."""
        if not self.meaning:
            return -math.inf, math.inf
        return min(self.worst, self.best), max(self.worst, self.best)


PERMUTED = 'the same, permuted across stimuli'

correlation = functools.partial(
    Item, worst=-1.0, best=1.0, chance=PERMUTED, percent=False
)
distance = functools.partial(
    Item, worst=math.inf, best=0.0, chance=PERMUTED, percent=False
)
place = functools.partial(
    Item, worst=math.inf, best=1.0, chance='(n + 1) / 2', percent=False
)

"""Could anything but brain activity explain these reconstructions?

`checks`, `copied`, `low_level`, `too_good` and `span` look at the pictures
alone, `controls` at what the fitted method gives without brain activity,
`repeats` at the responses; `run` gathers what they need.

A check *flags* what is wrong with a method or its data: what could not be if
brain activity made the pictures. It *notes* what is merely weak, such as
reconstructions that a single picture would do as well as. Every check that
tests a hypothesis does so at ALPHA, so that the chance of a false flag on a
whole page stays below PAGE (Bonferroni); the others have bounds that no honest
method of `benchmarks/audit.py` came near.
"""

from typing import NamedTuple

import numpy as np

from brainjax.evaluation import identification, pixels

SIDE = 32  # Pixels of the pictures that are compared.
PAGE = 0.05  # Greatest probability of a false flag on a page.
ALPHA = PAGE / 10  # That of each test: there are at most ten on a page.
LEVELS = ('flag', 'note', 'ok', 'not judged')


class AuditCheck(NamedTuple):
    """Outcome of one check.

    Attributes:
      check: its name.
      value: the statistic, or None.
      reference: what the statistic is compared with, or None.
      level: of LEVELS: 'flag' speaks against the method or the data, 'note'
        says that the method is weak, 'not judged' that nothing can be said.
      verdict: what was found and what it means, in words.
    """

    check: str
    value: float | None
    reference: float | None
    level: str
    verdict: str

    @property
    def flagged(self) -> bool | None:
        """Whether it is a flag; None where nothing can be said."""
        return None if self.level == 'not judged' else self.level == 'flag'


def not_checked(check: str, why: str) -> AuditCheck:
    """The outcome of a check that could not be made."""
    return AuditCheck(check, None, None, 'not judged', f'Not checked: {why}')


def similarity(pictures: np.ndarray, reconstruction: np.ndarray) -> np.ndarray:
    """[m, n] pixel correlations, 0 where one has a single colour."""
    flat = [x.reshape(len(x), -1) for x in (pictures, reconstruction)]
    return np.nan_to_num(identification.similarity(*flat))


def pairwise(target: np.ndarray, reconstruction: np.ndarray) -> np.ndarray:
    """Pixel correlation of each picture with its reconstruction, [n]."""
    # Rounded as `similarity` is, with which it is compared.
    return np.round(pixels.pixel_correlation(target, reconstruction), 12)

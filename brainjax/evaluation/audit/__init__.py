"""Could anything but brain activity explain these reconstructions?

`checks` and `span` look at the pictures alone, `controls` at what the fitted
method gives without brain activity; `run` gathers what they need.
"""

from typing import NamedTuple

import numpy as np

from brainjax.evaluation import identification, pixels

SIDE = 32  # Pixels of the pictures that are compared.


class AuditCheck(NamedTuple):
    """Outcome of one check.

    Attributes:
      check: its name.
      value: the statistic, or None.
      reference: what the statistic is compared with, or None.
      flagged: whether it speaks against the method; None where nothing can be
        said.
      verdict: what was found and what it means, in words.
    """

    check: str
    value: float | None
    reference: float | None
    flagged: bool | None
    verdict: str


def not_checked(check: str, why: str) -> AuditCheck:
    """The outcome of a check that could not be made."""
    return AuditCheck(check, None, None, None, f'Not checked: {why}')


def similarity(pictures: np.ndarray, reconstruction: np.ndarray) -> np.ndarray:
    """[m, n] pixel correlations, 0 where one has a single colour."""
    flat = [x.reshape(len(x), -1) for x in (pictures, reconstruction)]
    return np.nan_to_num(identification.similarity(*flat))


def pairwise(target: np.ndarray, reconstruction: np.ndarray) -> np.ndarray:
    """Pixel correlation of each picture with its reconstruction, [n]."""
    # Rounded as `similarity` is, with which it is compared.
    return np.round(pixels.pixel_correlation(target, reconstruction), 12)

"""Rows of the audit, and the similarity that its checks share."""

from typing import NamedTuple

import numpy as np

from brainjax.evaluation import identification, pixels

SIDE = 32  # Pixels of the pictures that are compared.


class Row(NamedTuple):
    """One check.

    Attributes:
      check: what was looked at.
      value: the figure found, or None.
      reference: what it stands beside, or None.
      flagged: whether it speaks against the method; None where nothing can be
        said.
      verdict: what was found and what it means, in words.
    """

    check: str
    value: float | None
    reference: float | None
    flagged: bool | None
    verdict: str


def not_checked(check: str, why: str) -> Row:
    """A row for what could not be looked at."""
    return Row(check, None, None, None, f'Not checked: {why}')


def similarity(pictures: np.ndarray, made: np.ndarray) -> np.ndarray:
    """[m, n] pixel correlations, 0 where one has a single colour."""
    flat = [x.reshape(len(x), -1) for x in (pictures, made)]
    return np.nan_to_num(identification.similarity(*flat))


def pairwise(truth: np.ndarray, made: np.ndarray) -> np.ndarray:
    """Pixel correlation of each picture with its reconstruction, [n].

    Rounded as `similarity` is, with which it is compared.
    """
    return np.round(pixels.pixel_correlation(truth, made), 12)

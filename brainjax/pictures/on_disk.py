"""Pictures that stay on disk: read by rows, never held together.

A mapped file counts as memory of the process once it was read. Here a file is
mapped for one reading only, so that ten gigabytes of pictures take no more
than the rows that are asked for.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

ROWS = 512  # Read at once where all are gone through.


class OnDisk:
    """Rows of an npy file, or some of them; it is read like an array.

    Attributes:
      path: of the file, [n, height, width, 3] uint8.
      rows: which of its rows these are; None for all, in order.
    """

    def __init__(self, path: str, rows: np.ndarray | None = None):
        self.path, self.rows = path, rows
        stored = np.load(path, mmap_mode='r')
        n = len(stored) if rows is None else len(rows)
        self.shape, self.dtype = (n, *stored.shape[1:]), stored.dtype
        self.ndim = stored.ndim

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        """Reads one row, a slice of rows or those of an index, into memory."""
        if isinstance(key, tuple):
            first, *rest = key
            if first is Ellipsis:
                return self[:][key]
            rows = self[first]
            whole = () if rows.ndim < self.ndim else (slice(None),)
            return rows[(*whole, *rest)]
        if self.rows is not None:
            key = self.rows[key]
        return np.array(np.load(self.path, mmap_mode='r')[key])

    def __iter__(self) -> Iterator[np.ndarray]:
        for start in range(0, len(self), ROWS):
            yield from self[start : start + ROWS]

    def __array__(self, dtype: Any = None, copy: bool | None = None):
        """Reads all of them."""
        del copy
        return np.asarray(self[:], dtype)


def from_mapped(images: np.ndarray) -> Any:
    """Returns a mapped array's file as `OnDisk`, other arrays as they are."""
    if isinstance(images, np.memmap) and images.filename is not None:
        return OnDisk(str(images.filename))
    return images


def select(images: Any, rows: np.ndarray) -> Any:
    """Returns some pictures; those on disk stay there."""
    if not isinstance(images, OnDisk):
        return images[rows]
    rows = np.asarray(rows)
    return OnDisk(
        images.path, rows if images.rows is None else images.rows[rows]
    )

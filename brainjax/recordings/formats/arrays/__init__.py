"""Arrays in files: what `recordings.from_arrays` takes, in a folder or npz."""

from brainjax.recordings.formats.arrays.reading import looks_like, read
from brainjax.recordings.formats.arrays.writing import write

__all__ = ['looks_like', 'read', 'write']

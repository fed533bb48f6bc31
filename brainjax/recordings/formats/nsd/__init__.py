"""The Natural Scenes Dataset as it is published: voxels stay on disk."""

from brainjax.recordings.formats.nsd.recording import looks_like, read
from brainjax.recordings.formats.nsd.writing import write

__all__ = ['looks_like', 'read', 'write']

"""Recordings in BData files: Kamitani's experiments, and any other."""

from brainjax.recordings.formats.bdata.recording import looks_like, read, write

__all__ = ['looks_like', 'read', 'write']

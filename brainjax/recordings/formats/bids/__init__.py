"""BIDS data sets, raw or preprocessed by fMRIPrep: one response a trial."""

from brainjax.recordings.formats.bids.recording import looks_like, read
from brainjax.recordings.formats.bids.writing import write

__all__ = ['looks_like', 'read', 'write']

"""Pictures: where they come from, how they are decoded and resized."""

from brainjax.pictures.loading import check_kind, decode, load, resize
from brainjax.pictures.sources import open_picture, open_source

__all__ = [
    'check_kind',
    'decode',
    'load',
    'open_picture',
    'open_source',
    'resize',
]

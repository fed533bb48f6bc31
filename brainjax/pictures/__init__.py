"""Pictures: where they come from, how they are decoded and resized."""

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    """Gives `load` on demand: networks need arithmetic, not HDF5."""
    if name != 'load':
        raise AttributeError(f'{__name__} has no {name}')
    return importlib.import_module('brainjax.pictures.loading').load

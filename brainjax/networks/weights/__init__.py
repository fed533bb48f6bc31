"""Frozen networks' weights: published files in, safetensors in the cache."""

from brainjax.io.tensors import read, read_metadata, write
from brainjax.networks.weights.cache import (
    check_fetched,
    convert,
    fetch,
    load,
    path,
)
from brainjax.networks.weights.catalogue import (
    SOURCES,
    Source,
    networks,
    shapes,
)

__all__ = [
    'SOURCES',
    'Source',
    'check_fetched',
    'convert',
    'fetch',
    'load',
    'networks',
    'path',
    'read',
    'read_metadata',
    'shapes',
    'write',
]

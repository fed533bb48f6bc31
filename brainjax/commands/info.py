"""brainjax info: versions, devices, what is missing for what."""

import argparse
import json
import platform
from typing import Any

import jax

from brainjax.io.files import cache_folder
from brainjax.io.provenance import versions
from brainjax.networks import weights
from brainjax.training import parallel

NEEDED_FOR = {
    'vgg16': 'image loss of configs/gaziv2022.py; inversion_digits69.py',
    'vgg19': 'encoder of configs/gaziv2022.py; configs/beliy2019.py',
    'alexnet': 'encoder of configs/beliy2019.py',
    'vgg19_caffe': 'features of configs/shen2019_*.py',
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--json', action='store_true')


def run(known: argparse.Namespace, rest: list[str]) -> None:
    del rest
    parallel.check_platform()
    found = collect()
    print(json.dumps(found, indent=2) if known.json else render(found))


def collect() -> dict[str, Any]:
    """Returns versions, devices, the cache folder and what it lacks."""
    missing = {
        name: f'needed for the {use}; brainjax fetch {name}'
        for name, use in NEEDED_FOR.items()
        if not weights.path(name).exists()
    }
    return {
        'python': platform.python_version(),
        'versions': versions(),
        'devices': [str(device) for device in jax.devices()],
        'cache': str(cache_folder()),
        'weights': [name for name in NEEDED_FOR if name not in missing],
        'missing': missing,
    }


def render(found: dict[str, Any]) -> str:
    """Formats what `collect` found for a terminal."""
    lines = [f'Python {found["python"]}']
    lines += [f'{name} {v}' for name, v in found['versions'].items()]
    lines += [f'cache {found["cache"]}']
    lines += [f'weights {name}: there' for name in found['weights']]
    lines += [
        f'weights {name}: {why}' for name, why in found['missing'].items()
    ]
    return '\n'.join(lines)

"""brainjax info: versions, devices, what is missing for what."""

import argparse
import json

from brainjax.commands import information
from brainjax.training import parallel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--json', action='store_true')


def run(known: argparse.Namespace, rest: list[str]) -> None:
    del rest
    parallel.check_platform()
    found = information.collect()
    print(
        json.dumps(found, indent=2) if known.json else information.render(found)
    )

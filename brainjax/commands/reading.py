"""The flags that say how a recording is read."""

import argparse
import json
from typing import Any

from brainjax.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--pictures', metavar='P', help='the file or folder of the pictures'
    )
    parser.add_argument(
        '--roi',
        metavar='R',
        help="one ROI or several joined by '|'; '' for all voxels",
    )
    parser.add_argument(
        '--option',
        metavar='NAME=VALUE',
        action='append',
        default=[],
        help='another option of the format, such as test=imagery',
    )


def options(known: argparse.Namespace) -> dict[str, Any]:
    """Returns the options of `open_recording` that were given.

    Values are JSON where they can be (numbers, lists, true), else text.

    Raises:
      InputError: an option without '='.
    """
    found = {}
    for text in known.option:
        name, equals, value = text.partition('=')
        if not equals:
            raise InputError(
                f'--option {text} lacks a value; write NAME=VALUE, such as '
                'size=64.'
            )
        try:
            found[name] = json.loads(value)
        except json.JSONDecodeError:
            found[name] = value
    for name in ('pictures', 'roi'):
        if getattr(known, name) is not None:
            found[name] = getattr(known, name)
    return found

"""The flags that say how a recording is read."""

import argparse
from typing import Any

from brainjax.recordings import parse_options


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
    """Returns the options of `open_recording` that were given."""
    found = parse_options(known.option)
    for name in ('pictures', 'roi'):
        if getattr(known, name) is not None:
            found[name] = getattr(known, name)
    return found

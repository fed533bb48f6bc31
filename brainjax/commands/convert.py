"""brainjax convert: a recording in another format."""

import argparse
import sys

from brainjax.commands import flags
from brainjax.recordings import conversion, open_recording


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('path', metavar='IN')
    parser.add_argument('out', metavar='OUT')
    parser.add_argument(
        '--to',
        metavar='FORMAT',
        help=f'one of {", ".join(conversion.writable())}; by default the '
        'suffix of OUT tells',
    )
    flags.add_recording(parser)


def run(known: argparse.Namespace, rest: list[str]) -> None:
    del rest
    to = conversion.format_for(known.out, known.to)
    recording = open_recording(known.path, **flags.recording_options(known))
    written, lost = conversion.convert(recording, known.out, to)
    for path in written:
        print(path)
    if lost:
        print(f'Not kept in {known.out}: {", ".join(lost)}.', file=sys.stderr)

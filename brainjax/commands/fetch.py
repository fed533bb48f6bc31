"""brainjax fetch: downloads what is published, checked by hash."""

import argparse
import contextlib
import sys

from brainjax.errors import InputError, suggestion
from brainjax.io.progress import progress
from brainjax.networks import weights
from brainjax.recordings import catalogue

_MEGABYTE = 10**6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('name', metavar='NAME', nargs='?')
    parser.add_argument(
        '--from',
        dest='source',
        metavar='FILE',
        help='a local copy or a URL; of recordings, the folder of the copies '
        'or what precedes the number of a file in its URL',
    )
    parser.add_argument(
        '--list', action='store_true', help='list what there is'
    )


def run(known: argparse.Namespace, rest: list[str]) -> None:
    del rest
    if known.list:
        for name, source in weights.SOURCES.items():
            how = '' if source.sha256 else f' Give a copy: --from; {source.url}'
            print(f'{name:<30}weights. {source.licence}{how}')
        for name, source in catalogue.SOURCES.items():
            print(f'{name:<30}{source.about}')
        return
    names = [*weights.SOURCES, *catalogue.SOURCES]
    if known.name not in names:
        raise InputError(
            f'There are no weights named {known.name!r} and no such '
            f'recording.{suggestion(known.name, names)} `brainjax fetch '
            '--list` lists what there is.'
            if known.name
            else 'Nothing to fetch was named; `brainjax fetch --list` lists '
            'what there is.'
        )
    fetch = _weights if known.name in weights.SOURCES else _recording
    for path in fetch(known.name, known.source):
        print(path)


def _weights(name: str, source: str | None):
    with progress(name, None, unit='MB') as show:
        return weights.fetch(
            name,
            source,
            lambda done, total: show(
                done // _MEGABYTE, total=total and total // _MEGABYTE
            ),
        )


def _recording(name: str, source: str | None):
    with contextlib.ExitStack() as stack:
        shown = {}

        def show(file: str, done: int, total: int | None) -> None:
            if file not in shown:
                stack.close()  # The file before has come.
                shown[file] = stack.enter_context(
                    progress(file, None, unit='MB')
                )
            shown[file](done // _MEGABYTE, total=total and total // _MEGABYTE)

        return catalogue.fetch(
            name, source, show, lambda terms: print(terms, file=sys.stderr)
        )

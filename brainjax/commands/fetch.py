"""brainjax fetch: downloads what is published, checked by hash."""

import argparse

from brainjax.networks import weights
from brainjax.training.progress import progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('name', metavar='NAME')
    parser.add_argument(
        '--from', dest='source', metavar='FILE', help='a local copy or a URL'
    )


def run(known: argparse.Namespace, rest: list[str]) -> None:
    del rest
    megabyte = 10**6
    with progress(known.name, None, unit='MB') as show:
        paths = weights.fetch(
            known.name,
            known.source,
            lambda done, total: show(
                done // megabyte, total=total and total // megabyte
            ),
        )
    for path in paths:
        print(path)

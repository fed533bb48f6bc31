"""brainjax inspect: what a recording holds."""

import argparse
import json

from brainjax import inspection


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('paths', nargs='+', metavar='PATH')
    parser.add_argument('--json', action='store_true')


def run(known: argparse.Namespace, rest: list[str]) -> None:
    del rest
    found = [inspection.summary(r) for r in inspection.open_all(known.paths)]
    if known.json:
        print(json.dumps(found[0] if len(found) == 1 else found, indent=2))
    else:
        print('\n\n'.join(inspection.render(item) for item in found))

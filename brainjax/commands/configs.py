"""brainjax configs: the configs that come with brainjax."""

import argparse
import ast
import json
import pathlib
import re
import textwrap
from typing import Any

from brainjax import config_files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        'Lists the configs that brainjax run --config NAME takes; '
        'brainjax run --config NAME --help prints one in full.'
    )
    parser.add_argument('--json', action='store_true')


def run(known: argparse.Namespace, rest: list[str]) -> None:
    del rest
    found = [
        describe(name, path) for name, path in config_files.shipped().items()
    ]
    print(json.dumps(found, indent=2) if known.json else render(found))


def describe(name: str, path: pathlib.Path) -> dict[str, Any]:
    """Returns name, path, method, title, time and needs of a config."""
    from brainjax.networks import weights

    config = config_files.load_config(path)
    text = ast.get_docstring(ast.parse(path.read_text()))
    time = re.search(r'(?ms)^(?:Files and time|Time): (.*?)(?:\n\n|\Z)', text)
    needs = [config.recording.required] if config.recording.required else []
    needs += sorted(
        {
            f'brainjax fetch {value}'
            for key, value in config_files.keys(config)
            if key.endswith('weights') and value in weights.SOURCES
        }
    )
    return {
        'name': name,
        'path': str(path),
        'method': config.method,
        'title': text.partition('\n')[0],
        'time': ' '.join(time[1].split()).split(' Score')[0] if time else '',
        'needs': needs,
    }


def render(found: list[dict[str, Any]]) -> str:
    """Formats what `describe` found for a terminal."""
    lines = []
    for each in found:
        lines.append(f'{each["name"]} ({each["method"]}): {each["title"]}')
        for label in ('time', 'needs'):
            told = each[label] or 'not measured'
            if label == 'needs':
                told = '; '.join(each[label]) or 'nothing'
            lines += textwrap.wrap(
                f'{label}: {told}',
                78,
                initial_indent='    ',
                subsequent_indent='        ',
            )
    return '\n'.join(lines)

"""What brainjax run --config NAME --help prints: each key and its comment."""

import ast
import inspect
import pathlib
import re
import textwrap

from ml_collections import ConfigDict

from brainjax import config_files

_ALIAS = re.compile(r'\s*(\w+) = (\w+)\.([\w.]+)$')
_SET = re.compile(r'\s*(\w+)\.([\w.]+) = ')


def render(path: str, config: ConfigDict) -> str:
    """Returns a config's text and every key with its value and comment.

    Args:
      path: as `config_files.find` gives it.
      config: of that file.
    """
    from brainjax.methods import METHODS
    from brainjax.methods import config as shared

    file = pathlib.Path(path)
    if not file.is_file():  # An argument stands behind.
        file = pathlib.Path(path.rpartition(':')[0])
    method = inspect.getsourcefile(METHODS[config.method].config)
    told = {}
    # What stands nearer to the experiment comes later, and counts.
    for source in (shared.__file__, method, file):
        told |= comments(pathlib.Path(source).read_text())
    blocks = [ast.get_docstring(ast.parse(file.read_text())) or '']
    for key, value in config_files.keys(config):
        head = f'--config.{key}={_shown(value)}'
        if isinstance(value, ConfigDict):
            head = f'\n{key}'
        blocks.append(head)
        if key in told:
            blocks += textwrap.wrap(
                told[key], 76, initial_indent='    ', subsequent_indent='    '
            )
    return '\n'.join(blocks)


def _shown(value) -> str:
    return value if isinstance(value, str) else repr(value)


def comments(source: str) -> dict[str, str]:
    """Returns the comments of the lines that set a key, by key.

    Args:
      source: of a config file, where `config.decoder.epochs = 3` sets a key,
        and so does `decoder.epochs = 3` after `decoder = config.decoder`.
    """
    names = {'c': '', 'config': ''}
    found, above = {}, []
    for line in source.splitlines():
        bare = line.strip()
        if bare.startswith('#'):
            above.append(bare.lstrip('# '))
            continue
        alias, set_ = _ALIAS.match(line), _SET.match(line)
        if alias and alias[2] in names and alias[1] not in names:
            names[alias[1]] = f'{names[alias[2]]}{alias[3]}.'
        elif set_ and set_[1] in names:
            told = [*above, *re.findall('  # (.*)$', line)]
            if told:
                found[names[set_[1]] + set_[2]] = ' '.join(told)
        above = []
    return found

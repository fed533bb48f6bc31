"""Config files: those that brainjax ships by name, the user's by path.

A config file is a program: `get_config()` in it returns a locked
`ConfigDict`. It is run as such. The files of `configs/` are in the wheel as
the package `brainjax.configs`.
"""

import pathlib
import runpy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ml_collections import ConfigDict

from brainjax.errors import InputError, suggestion
from brainjax.io.files import PathLike

_PACKAGE = pathlib.Path(__file__).parent


def shipped() -> dict[str, pathlib.Path]:
    """Returns the shipped config files by name, in the order of names."""
    # In a wheel the files are in the package, in a checkout beside it.
    for folder in (_PACKAGE / 'configs', _PACKAGE.parent / 'configs'):
        found = {
            path.stem: path
            for path in sorted(folder.glob('*.py'))
            if path.stem != '__init__'
        }
        if found:
            return found
    return {}


def find(name: PathLike) -> str:
    """Returns the path of a config.

    Args:
      name: a path, or the name of a shipped config; after a colon may come an
        argument of its `get_config`. A file of that name comes first.
    """
    name, known = str(name), shipped()
    stem, colon, argument = name.rpartition(':')
    for file, rest in ((name, ''), (stem, colon + argument)):
        if file and pathlib.Path(file).is_file():
            return file + rest
        if file in known:
            return str(known[file]) + rest
    raise InputError(
        f'{name} is no config file; check --config.'
        + suggestion(pathlib.Path(stem or name).stem, known)
        + ' brainjax configs lists those that are shipped.'
    )


def load_config(
    name: PathLike, overrides: Mapping[str, Any] | None = None
) -> ConfigDict:
    """Returns the config of a file, locked.

    >>> load_config('demo', {'decoder.epochs': 3}).decoder.epochs
    3

    Args:
      name: see `find`.
      overrides: key -> value, as --config.key=value on the command line.
    """
    path = find(name)
    file, argument = path, []
    if not pathlib.Path(path).is_file():
        file, _, text = path.rpartition(':')
        argument = [text]
    try:
        config = runpy.run_path(file)['get_config'](*argument)
    except Exception as error:  # It is a program of the user's.
        raise InputError(cannot_load(path, error)) from error
    for key, value in (overrides or {}).items():
        _override(config, key, value, name)
    return config.lock()


def _override(config: ConfigDict, key: str, value: Any, name: PathLike) -> None:
    known = dict(keys(config))
    if key not in known:
        raise InputError(no_key(key, known, name))
    try:
        config.update_from_flattened_dict({key: value})
    except (TypeError, ValueError) as error:
        raise InputError(
            f'config.{key} cannot be {value!r}; give one as {known[key]!r}.'
        ) from error


def keys(section: ConfigDict, prefix: str = '') -> Iterator[tuple[str, Any]]:
    """Yields the full name and the value of every key, sections included."""
    for name, value in section.items():
        yield prefix + name, value
        if hasattr(value, 'items'):
            yield from keys(value, f'{prefix}{name}.')


def no_key(key: str, known: Iterable[str], name: PathLike) -> str:
    """Says that a config lacks a key, and which is the nearest."""
    near = suggestion(key, known).replace("'", "'config.", 1)
    if not near:
        near = f' There are: {", ".join(f"config.{key}" for key in known)}.'
    return f'config.{key} does not exist in {name}.{near}'


def cannot_load(path: PathLike, error: Exception) -> str:
    """Says what a config file has raised, in one line."""
    return (
        f'{path} cannot be loaded as a config file: '
        f'{" ".join(str(error).split())} ({type(error).__name__}).'
    )

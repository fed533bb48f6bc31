"""The command line: brainjax run, inspect, info, fetch."""

import argparse
import contextlib
import errno
import json
import logging
import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from brainjax.errors import InputError, suggestion


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Returns:
      0 done; 2 bad input, told in one sentence; 130 interrupted, resumable.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = _parser()
    known, rest = parser.parse_known_args(argv)
    if known.command != 'run' and rest:
        parser.error(f'unrecognized arguments: {" ".join(rest)}')
    try:
        status = COMMANDS[known.command](known, rest) or 0
        sys.stdout.flush()
        return status
    except InputError as error:
        print(f'brainjax: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print('brainjax: interrupted', file=sys.stderr)
        return 130
    except BrokenPipeError:  # The reader, such as `head`, has gone.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        print(
            f'brainjax: {error.filename or "A file"} cannot be written '
            f'({error.strerror}); make room and run the same command again.',
            file=sys.stderr,
        )
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='brainjax',
        description='Pictures from brain recordings, and how far to believe '
        'them.',
    )
    commands = parser.add_subparsers(dest='command', required=True)
    commands.add_parser(
        'run',
        help='fit, reconstruct, score and report',
        usage='brainjax run --config FILE --workdir FOLDER '
        '[--config.key=value ...]',
        allow_abbrev=False,
    )
    inspect = commands.add_parser('inspect', help='what a recording holds')
    inspect.add_argument('paths', nargs='+', metavar='PATH')
    inspect.add_argument('--json', action='store_true')
    info = commands.add_parser(
        'info', help='versions, devices, what is missing'
    )
    info.add_argument('--json', action='store_true')
    fetch = commands.add_parser('fetch', help='download published weights')
    fetch.add_argument('name', metavar='NAME')
    fetch.add_argument(
        '--from', dest='source', metavar='FILE', help='a local copy or a URL'
    )
    return parser


def _run(known: argparse.Namespace, rest: list[str]) -> int:
    del known
    config, workdir = parse_run(rest)
    _set_up_jax()
    from brainjax import experiment
    from brainjax.training.loop import Interrupted

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        results = experiment.run(config, workdir)
    except Interrupted as error:
        print(f'brainjax: {error}; the same command goes on.', file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)
    for name, score in results['scores'].items():
        print(
            f'{name:20s} {score["value"]:.3f}  (chance {score["chance"]:.3f}, '
            f'95% {score["low"]:.3f} to {score["high"]:.3f})'
        )
    print(os.path.join(workdir, 'report.html'))
    return 0


def parse_run(argv: Sequence[str]):
    """Reads --config, --workdir and overrides by ml_collections' conventions.

    Returns:
      The locked config and the workdir.

    Raises:
      InputError: a flag or config key does not exist or has a wrong type, or
        the config file cannot be loaded.
    """
    overrides = [arg for arg in argv if OVERRIDE.match(arg)]
    plain = [arg for arg in argv if arg not in overrides]
    path = _config_file(plain)
    config, workdir = _parse_flags(plain, path)
    for missing, value in (
        ('--config FILE', path),
        ('--workdir FOLDER', workdir),
    ):
        if not value:
            raise InputError(f'{missing} is missing.')
    keys = dict(_keys(config))
    for override in overrides:
        name = OVERRIDE.match(override)[1]
        if name not in keys:
            raise InputError(
                f'{name} does not exist in {path}.'
                + (suggestion(name, keys) or f' There are: {", ".join(keys)}.')
            )
        if '=' not in override and not isinstance(keys[name], bool):
            raise InputError(f'{override} has no value; write {override}=...')
    try:
        return _parse_flags(argv, path)
    except InputError as error:
        for override in overrides:
            name = OVERRIDE.match(override)[1]
            wanted = TYPES.get(type(keys[name]))
            if wanted and f'--{name}=' in str(error):
                raise InputError(
                    f'{override} cannot be used: {name} is {keys[name]!r} in '
                    f'{path}; give {wanted}.'
                ) from error
        raise


# --config.key=value; --noconfig.key stands for False.
OVERRIDE = re.compile(r'--?(?:no)?(config\.[^=]*)')
TYPES = {
    bool: 'True or False',
    int: 'a whole number',
    float: 'a number',
    tuple: "a tuple such as '(1, 2)'",
}


def _config_file(argv: Sequence[str]) -> str | None:
    """Returns the value of --config, or None.

    Raises:
      InputError: it is no file.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument('--config', '-config', nargs='?')
    path = parser.parse_known_args(argv)[0].config
    # After a colon may come an argument of get_config.
    if path and not any(
        os.path.isfile(name) for name in (path, path.rpartition(':')[0])
    ):
        raise InputError(f'{path} is no config file; check --config.')
    return path


def _parse_flags(argv: Sequence[str], path: str | None):
    from absl import flags
    from ml_collections import config_flags

    # Names of a config loaded before would stay in the module.
    sys.modules.pop('config_config', None)
    values = flags.FlagValues()
    config_flags.DEFINE_config_file(
        'config', lock_config=True, flag_values=values, sys_argv=list(argv)
    )
    flags.DEFINE_string('workdir', None, 'Folder.', flag_values=values)
    try:
        left = values(['brainjax run', *argv])[1:]
        if values.config is not None:
            values.config.keys()  # Raises what a broken file has raised.
    except flags.Error as error:
        raise InputError(_one_line(error)) from error
    except Exception as error:  # The config file is a program of the user's.
        raise InputError(
            f'{path} cannot be loaded as a config file: {_one_line(error)} '
            f'({type(error).__name__}).'
        ) from error
    if left:
        raise InputError(
            f'{left[0]!r} is no flag; write --config FILE, --workdir FOLDER '
            'and --config.key=value.'
        )
    return values.config, values.workdir


def _one_line(error: Exception) -> str:
    return ' '.join(str(error).split())


def _keys(section, prefix: str = 'config') -> Iterator[tuple[str, Any]]:
    """Yields the full name and the value of every key of a config."""
    for name, value in section.items():
        yield f'{prefix}.{name}', value
        if hasattr(value, 'items'):
            yield from _keys(value, f'{prefix}.{name}')


def _set_up_jax() -> None:
    """Keeps compiled programs for the next run, and logs off the terminal."""
    import jax

    from brainjax.files import cache_folder

    if not jax.config.jax_compilation_cache_dir:
        folder = cache_folder('compiled')
        with contextlib.suppress(OSError):  # It only saves time.
            folder.mkdir(parents=True, exist_ok=True)
            jax.config.update('jax_compilation_cache_dir', str(folder))
    # Orbax logs there; what it fails at it raises as well.
    logging.getLogger('absl').setLevel(logging.CRITICAL)
    sys.unraisablehook = _pass_on


_unraisablehook = sys.unraisablehook


def _pass_on(unraisable) -> None:
    """Drops what Orbax's other readers and writers say when one failed."""
    if str(unraisable.exc_value) != 'Event loop is closed':
        _unraisablehook(unraisable)


def _inspect(known: argparse.Namespace, rest: list[str]) -> None:
    del rest
    from brainjax import inspection

    found = [inspection.summary(r) for r in inspection.open_all(known.paths)]
    if known.json:
        print(json.dumps(found[0] if len(found) == 1 else found, indent=2))
    else:
        print('\n\n'.join(inspection.render(item) for item in found))


def _info(known: argparse.Namespace, rest: list[str]) -> None:
    del rest
    from brainjax import information

    found = information.collect()
    print(
        json.dumps(found, indent=2) if known.json else information.render(found)
    )


def _fetch(known: argparse.Namespace, rest: list[str]) -> None:
    del rest
    from brainjax.networks import weights
    from brainjax.training.progress import progress

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


COMMANDS = {'run': _run, 'inspect': _inspect, 'info': _info, 'fetch': _fetch}

if __name__ == '__main__':
    sys.exit(main())

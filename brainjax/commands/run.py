"""brainjax run: fits, reconstructs, scores and reports."""

import argparse
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from brainjax import config_files
from brainjax.commands import config_help
from brainjax.commands.jax_setup import set_up_jax
from brainjax.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = (
        'brainjax run --config NAME|FILE --workdir FOLDER '
        '[--config.key=value ...] [--dry-run]'
    )
    parser.description = (
        'brainjax configs lists the names. With --config NAME --help every '
        'key of that config is printed, with its value and what it is for.'
    )
    parser.add_argument(
        '--dry-run',
        action='store_true',
        help='say what would be read, trained and written; do nothing',
    )
    parser.add_argument(
        *('-h', '--help'),
        action='store_true',
        help='show this or, with --config NAME, that config',
    )
    parser.set_defaults(usage=parser.format_help)


def run(known: argparse.Namespace, rest: list[str]) -> int:
    if known.help:
        path, _ = _config_file(rest)
        if not path:
            print(known.usage(), end='')
            return 0
        config, _ = parse_run(rest, needs_workdir=False)
        print(config_help.render(path, config))
        return 0
    config, workdir = parse_run(rest)
    set_up_jax()
    from brainjax.training import joining

    if known.dry_run:
        from brainjax import dry_run, test_sets

        if config.recording.tests:
            test_sets.check(config)
            first = config.recording.tests[0]
            print(f'Of {len(config.recording.tests)} test sets, {first!r}:')
            config = test_sets.config_of(config, first)
            workdir = os.path.join(workdir, first)
        print(dry_run.render(dry_run.plan(config, workdir)))
        return 0
    return joining.together(lambda: _run(config, workdir, known.quiet))


def _run(config, workdir, quiet: bool = False) -> int:
    import jax

    from brainjax import experiment, test_sets
    from brainjax.evaluation.table.score_table import in_line
    from brainjax.io import progress

    progress.note(f'devices {", ".join(map(str, jax.devices()))}', level=2)
    driver = test_sets if config.recording.tests else experiment
    return make_and_tell(
        lambda: driver.run(config, workdir),
        lambda scores: [f'{k:20s} {in_line(v)}' for k, v in scores.items()],
        workdir,
        quiet,
    )


def make_and_tell(
    make: Callable[[], dict[str, Any]],
    tell: Callable[[dict[str, Any]], Sequence[str]],
    workdir: str,
    quiet: bool,
) -> int:
    """Makes results, which SIGTERM interrupts as Ctrl-C does, and prints them.

    Args:
      make: the results; nothing on hosts other than the first.
      tell: their scores -> lines to print.
      workdir: has the report.
      quiet: prints where the report is alone.

    Returns:
      The exit status.
    """
    from brainjax.training.loop import Interrupted

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        results = make()
    except Interrupted as error:
        print(f'brainjax: {error}; the same command goes on.', file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)
    if not results:  # The first host tells.
        return 0
    if not quiet:
        for line in tell(results['scores']):
            print(line)
    print(os.path.join(workdir, 'report.html'))
    return 0


def parse_run(argv: Sequence[str], needs_workdir: bool = True):
    """Reads --config, --workdir and overrides by ml_collections' conventions.

    Args:
      argv: flags of the command line.
      needs_workdir: whether there has to be a workdir.

    Returns:
      The locked config and the workdir.

    Raises:
      InputError: a flag or config key does not exist or has a wrong type, or
        the config file cannot be loaded.
    """
    # A word of Python's, which no key of a config can be.
    argv = [arg.replace(*ALIAS, 1) for arg in argv]
    overrides = [arg for arg in argv if OVERRIDE.match(arg)]
    plain = [arg for arg in argv if arg not in overrides]
    path, plain = _config_file(plain)
    config, workdir = _parse_flags(plain, path)
    for missing, value in (
        ('--config FILE', path),
        ('--workdir FOLDER', workdir or not needs_workdir),
    ):
        if not value:
            raise InputError(f'{missing} is missing.')
    keys = dict(config_files.keys(config))
    for override in overrides:
        name = OVERRIDE.match(override)[1]
        if name not in keys:
            raise InputError(config_files.no_key(name, keys, path))
        if '=' not in override and not isinstance(keys[name], bool):
            raise InputError(f'{override} has no value; write {override}=...')
    try:
        return _parse_flags([*plain, *overrides], path)
    except InputError as error:
        for override in overrides:
            name = OVERRIDE.match(override)[1]
            wanted = TYPES.get(type(keys[name]))
            if wanted and f'--config.{name}=' in str(error):
                raise InputError(
                    f'{override} cannot be used: config.{name} is '
                    f'{keys[name]!r} in {path}; give {wanted}.'
                ) from error
        raise


ALIAS = ('config.init.from=', 'config.init.path=')
# --config.key=value; --noconfig.key stands for False.
OVERRIDE = re.compile(r'--?(?:no)?config\.([^=]*)')
TYPES = {
    bool: 'True or False',
    int: 'a whole number',
    float: 'a number',
    tuple: "a tuple such as '(1, 2)'",
}


def _config_file(argv: Sequence[str]) -> tuple[str | None, list[str]]:
    """Returns the path of --config, or None, and argv with it."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument('--config', '-config', nargs='?')
    known, rest = parser.parse_known_args(argv)
    if not known.config:
        return None, [*argv]
    path = config_files.find(known.config)
    return path, [f'--config={path}', *rest]


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
        raise InputError(' '.join(str(error).split())) from error
    except Exception as error:  # The config file is a program of the user's.
        raise InputError(config_files.cannot_load(path, error)) from error
    if left:
        raise InputError(
            f'{left[0]!r} is no flag; write --config FILE, --workdir FOLDER '
            'and --config.key=value.'
        )
    return values.config, values.workdir

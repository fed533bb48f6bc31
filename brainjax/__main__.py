"""The command line: one module of `brainjax.commands` a command."""

import argparse
import errno
import importlib
import os
import sys
import time
from collections.abc import Sequence

from brainjax import __version__
from brainjax.errors import InputError

# Command -> what it does; its module holds add_arguments(parser) and
# run(arguments, rest), where rest are flags that only the command knows.
COMMANDS = {
    'run': 'fit, reconstruct, score and report',
    'sweep': 'a config with and without its parts, in one table',
    'reconstruct': 'pictures from new fMRI, by a model that a run kept',
    'encode': 'fMRI from pictures, by a model that a run kept',
    'preregister': 'say before a run what it is to show',
    'features': 'features of a network from pictures',
    'evaluate': "score any method's pictures",
    'compare': 'methods beside one another on the same pictures',
    'group': 'several subjects to one table and a leaderboard',
    'faces': "the published analysis of faces, by the authors' files",
    'decode': 'features of a network from fMRI',
    'invert': 'pictures from features of a network',
    'maps': 'what a run tells of each voxel, on the brain',
    'inspect': 'what a recording holds',
    'configs': 'the configs that come with brainjax',
    'info': 'versions, devices, what is missing',
    'convert': 'write a recording in another format',
    'fetch': 'download published weights and recordings',
}
TAKES_MORE_FLAGS = ('run', 'sweep', 'preregister')
ALONE = ('-h', '--help', '--version')  # Flags that stand without a command.


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Returns:
      0 done; 2 bad input, told in one sentence; 130 interrupted, resumable.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    parser, commands = _parser(argv)
    if argv and argv[0].startswith('-') and argv[0] not in ALONE:
        parser.error(f'{argv[0]} stands before the command; begin with that')
    known, rest = parser.parse_known_args(argv)
    if known.command not in TAKES_MORE_FLAGS and rest:
        parser.error(f'unrecognized arguments: {" ".join(rest)}')
    try:
        return _run(commands[known.command], known, rest)
    except InputError as error:
        print(f'brainjax: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print('brainjax: interrupted', file=sys.stderr)
        return 130
    except BrokenPipeError:  # The reader, such as `head`, has gone.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        print(
            'brainjax: the memory is used up; give the process more, or take '
            'fewer voxels, pictures or a smaller batch.',
            file=sys.stderr,
        )
        return 2
    except RuntimeError as error:
        if "can't start new thread" not in str(error):
            raise
        print(
            'brainjax: the system starts no more threads; raise its limit '
            '(ulimit -u) or run less beside it.',
            file=sys.stderr,
        )
        return 2
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        print(
            f'brainjax: {error.filename or "A file"} cannot be written '
            f'({error.strerror}); make room and run the same command again.',
            file=sys.stderr,
        )
        return 2


def _run(command, known: argparse.Namespace, rest: list[str]) -> int:
    """Runs a command as quietly or as much as it is asked to tell."""
    if not (known.quiet or known.verbose):  # What follows loads Rich.
        return _flushed(command.run(known, rest))
    from brainjax.io import progress, provenance

    began = time.monotonic()
    progress.set_level(0 if known.quiet else 2)
    for name, version in provenance.versions().items():
        progress.note(f'{name} {version}', level=2)
    try:
        return _flushed(command.run(known, rest))
    finally:
        progress.note(f'took {time.monotonic() - began:.1f} s', level=2)
        progress.set_level(1)


def _flushed(status: int | None) -> int:
    sys.stdout.flush()
    return status or 0


def _parser(argv: Sequence[str]):
    """Returns the parser and the modules of the commands named in argv."""
    parser = argparse.ArgumentParser(
        prog='brainjax',
        description='Pictures from brain recordings, and how far to believe '
        'them.',
    )
    parser.add_argument(
        '--version', action='version', version=f'brainjax {__version__}'
    )
    parsers = parser.add_subparsers(dest='command', required=True)
    modules = {}
    for name, purpose in COMMANDS.items():
        command = parsers.add_parser(
            name, help=purpose, allow_abbrev=False, add_help=name != 'run'
        )
        if name in argv[:1]:  # Only what is used is loaded.
            modules[name] = importlib.import_module(f'brainjax.commands.{name}')
            modules[name].add_arguments(command)
            how_much = command.add_mutually_exclusive_group()
            how_much.add_argument(
                *('-q', '--quiet'), action='store_true', help='errors only'
            )
            how_much.add_argument(
                *('-v', '--verbose'),
                action='store_true',
                help='versions, devices and times, too',
            )
    return parser, modules


if __name__ == '__main__':
    sys.exit(main())

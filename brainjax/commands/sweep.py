"""brainjax sweep: one experiment with and without its parts."""

import argparse

from brainjax.commands import run as run_command
from brainjax.commands.jax_setup import set_up_jax
from brainjax.errors import check_known


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = (
        'brainjax sweep --config NAME|FILE --workdir FOLDER '
        '[--vary KEY=VALUE ...] [--only ARM ...] [--config.key=value ...]'
    )
    parser.description = (
        'Runs a config as it is and with each of its ablations '
        '(config.ablations), and puts the differences in one table. Every arm '
        'has a folder in the workdir; finished ones are not run again.'
    )
    parser.add_argument(
        '--vary',
        action='append',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='what a further arm sets: decoder.encoder_decoder=0; once an arm, '
        'with several settings where they belong together',
    )
    parser.add_argument(
        '--only',
        nargs='+',
        metavar='ARM',
        help='which arms to run beside the full setting',
    )


def run(known: argparse.Namespace, rest: list[str]) -> int:
    config, workdir = run_command.parse_run(rest)
    varied = {
        ' '.join(changes): run_command.parse_run(
            [*rest, *(f'--config.{change}' for change in changes)]
        )[0]
        for changes in known.vary
    }
    set_up_jax()
    from brainjax import sweep
    from brainjax.training import joining

    arms = sweep.arms_of(config, varied)
    for name in known.only or ():
        check_known('arm', name, arms)
    if known.only:
        arms = {k: v for k, v in arms.items() if k in (sweep.FULL, *known.only)}
    return joining.together(
        lambda: run_command.make_and_tell(
            lambda: sweep.sweep(arms, workdir),
            lambda scores: [sweep.in_line(each) for each in scores.values()],
            workdir,
            known.quiet,
        )
    )

"""brainjax group: several subjects to one table and a leaderboard."""

import argparse
import pathlib

from brainjax.commands import flags
from brainjax.commands.jax_setup import set_up_jax
from brainjax.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = 'brainjax group W1 W2 [...] --out W [options]'
    parser.description = (
        'Combines the scores of several subjects, a folder of `brainjax run`, '
        '`evaluate` or `compare` each: means and intervals over subjects, and '
        'how common an effect is. Writes scores.json, subjects.csv, '
        'report.html and a line of leaderboard.csv.'
    )
    parser.add_argument('folders', nargs='+', metavar='W1')
    parser.add_argument('--out', required=True, metavar='W')
    parser.add_argument(
        '--names', metavar='A,B', help='what the subjects are called'
    )
    parser.add_argument(
        '--leaderboard',
        metavar='CSV',
        help='file that gets the line and is sorted, with a page beside it; '
        'by default W/leaderboard.csv',
    )
    parser.add_argument(
        '--entry',
        default='',
        metavar='NAME',
        help='what the leaderboard calls it, by default the method',
    )
    parser.add_argument(
        '--sort-by',
        default='',
        metavar='SCORE',
        help='that sorts the leaderboard (default two_way_pixels)',
    )
    parser.add_argument(
        '--level',
        type=float,
        default=0.05,
        metavar='P',
        help='up to which p a subject is significant (default %(default)s)',
    )
    flags.add_draws(parser)


def run(known: argparse.Namespace, rest: list[str]) -> None:
    del rest
    flags.check_draws(known)
    if not 0 < known.level < 1:
        raise InputError(f'--level is {known.level:g}; give a p such as 0.05.')
    set_up_jax()
    from brainjax import group_analysis
    from brainjax.evaluation.group import group_scores

    results = group_analysis.group(
        known.folders,
        known.out,
        group_analysis.Options(
            names=known.names.split(',') if known.names else (),
            entry=known.entry,
            leaderboard=known.leaderboard,
            by=known.sort_by,
            level=known.level,
            seed=known.seed,
            draws=known.draws,
        ),
    )
    for name, score in results['scores'].items():
        print(f'{name:36s} {group_scores.in_line(score)}')
    print(pathlib.Path(known.out) / 'report.html')

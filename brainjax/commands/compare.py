"""brainjax compare: methods beside one another on the same pictures."""

import argparse
import pathlib

from brainjax.commands import flags
from brainjax.commands.jax_setup import set_up_jax
from brainjax.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = 'brainjax compare A B [C ...] TRUTH --out W [options]'
    parser.description = (
        'Compares two or more sets of reconstructions of the same pictures, '
        'paired by name: folders, archives or npz files as `brainjax '
        'evaluate` takes them, or folders of runs. Writes scores.json, '
        'per_picture.csv and report.html.'
    )
    parser.add_argument(
        'sets',
        nargs='+',
        metavar='SET',
        help='reconstructions, and last the pictures seen',
    )
    parser.add_argument('--out', required=True, metavar='W')
    parser.add_argument(
        '--names', metavar='A,B', help='what the methods are called'
    )
    parser.add_argument(
        '--sort-by',
        default='pixcorr',
        metavar='SCORE',
        help='that sorts the pictures of the report (default %(default)s)',
    )
    flags.add_scoring(parser)
    flags.add_pictures(parser)


def run(known: argparse.Namespace, rest: list[str]) -> None:
    del rest
    flags.check_draws(known)
    if len(known.sets) < 3:
        raise InputError(
            'Give two sets of reconstructions at least and, last, the pictures '
            'that were seen.'
        )
    set_up_jax()
    from brainjax import paired_comparison
    from brainjax.evaluation import paired

    *sources, truth = known.sets
    results = paired_comparison.compare(
        sources,
        truth,
        known.out,
        paired_comparison.Options(
            names=known.names.split(',') if known.names else (),
            by=known.sort_by,
            preset=known.preset,
            networks=known.networks.split(',') if known.networks else None,
            distractors=known.distractors,
            simulated=known.simulated,
            transductive=known.transductive,
            seed=known.seed,
            draws=known.draws,
            alpha=known.alpha,
            upright=not known.as_stored,
        ),
    )
    for name, score in results['scores'].items():
        if 'other' in score:
            print(f'{name:36s} {paired.in_line(score)}')
    print(pathlib.Path(known.out) / 'report.html')

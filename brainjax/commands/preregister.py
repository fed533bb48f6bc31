"""brainjax preregister: says before a run what it is to show."""

import argparse
import json

from brainjax.commands.jax_setup import set_up_jax
from brainjax.commands.run import parse_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = (
        'brainjax preregister --config FILE --out FILE.json --primary SCORE '
        '[--alpha 0.05] [--exclusions TEXT] [--config.key=value ...]'
    )
    parser.description = (
        'Writes a file with the primary score, alpha, the number of test '
        'pictures, what is left out, the seed, all settings and hashes of the '
        'data. Nothing is fitted. brainjax run '
        '--config.preregistration.path=FILE.json says what of it was kept.'
    )
    parser.add_argument('--out', required=True, metavar='FILE.json')
    parser.add_argument(
        '--primary',
        required=True,
        metavar='SCORE',
        help='the one score that decides, by its name in scores.json',
    )
    parser.add_argument(
        '--alpha',
        type=float,
        default=0.05,
        help='of its permutation test (default %(default)s)',
    )
    parser.add_argument(
        '--exclusions',
        default='none beyond the settings',
        metavar='TEXT',
        help='what will be left out besides what the settings leave out',
    )


def run(known: argparse.Namespace, rest: list[str]) -> None:
    config, _ = parse_run(rest, needs_workdir=False)
    set_up_jax()
    from brainjax import experiment
    from brainjax.evaluation import preregistration

    pictures, fingerprints = experiment.tested(config)
    sha256 = preregistration.write(
        known.out,
        json.loads(config.to_json_best_effort()),
        pictures,
        fingerprints,
        known.primary,
        known.alpha,
        known.exclusions,
    )
    print(f'sha256 {sha256}')
    print(known.out)

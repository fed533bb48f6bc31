"""brainjax evaluate: scores any method's pictures."""

import argparse
import pathlib

from brainjax.commands import flags
from brainjax.commands.jax_setup import set_up_jax
from brainjax.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        'Scores reconstructions against the pictures that were seen. Both are '
        'a folder, a tar archive or an npz file with images and names, '
        'matched by name. An npz file that also holds samples [n, draws, '
        'height, width, 3] is scored as draws from a posterior as well. '
        'Writes scores.json, scores.csv, per_picture.csv and report.html.'
    )
    parser.add_argument('reconstructions', metavar='RECON')
    parser.add_argument('truth', metavar='TRUTH')
    parser.add_argument('--out', required=True, metavar='W')
    parser.add_argument(
        '--classes',
        metavar='SOURCE',
        help='example pictures in a folder a class, a tar archive of such, '
        'tfds:NAME/SPLIT, or a class_bank.npz: 1000-way classification',
    )
    parser.add_argument(
        '--train-pictures',
        metavar='SOURCE',
        help='pictures shown in training; classes without one are novel',
    )
    parser.add_argument(
        '--unpaired-pictures',
        metavar='SOURCE',
        help='pictures that the method learned from besides, for the audit',
    )
    parser.add_argument(
        '--chosen-from',
        type=int,
        default=1,
        metavar='N',
        help='each picture is the best of N, chosen by its likeness to what '
        'was seen; the audit says so',
    )
    parser.add_argument(
        '--audit',
        action='store_true',
        help='check if anything but brain activity explains the pictures; with '
        '--train-pictures or --recording',
    )
    parser.add_argument(
        '--recording',
        metavar='R',
        help='the recording, for its training stimuli and categories',
    )
    flags.add_scoring(parser)
    flags.add_recording(parser)
    flags.add_pictures(parser)
    parser.add_argument('--method', default='unknown', metavar='NAME')
    people = parser.add_mutually_exclusive_group()
    people.add_argument(
        '--human-test',
        action='store_true',
        help='score nothing; write human_test.html, on which people choose '
        'between pictures in any browser',
    )
    people.add_argument(
        '--human-results',
        nargs='+',
        default=[],
        metavar='CSV',
        help='files that observers got from human_test.html',
    )
    parser.add_argument(
        '--human-against',
        metavar='RECON',
        help="another method's reconstructions: people choose between these "
        'and those, beside the picture that was seen',
    )


def run(known: argparse.Namespace, rest: list[str]) -> None:
    del rest
    flags.check_draws(known)
    if known.human_against and not (known.human_test or known.human_results):
        raise InputError(
            '--human-against asks people to choose between two methods; give '
            '--human-test to write the page, or --human-results.'
        )
    if not known.audit:
        _check_unused(known)
    set_up_jax()
    from brainjax import comparison
    from brainjax.evaluation.table.score_table import in_line
    from brainjax.io.progress import progress
    from brainjax.reports import human_test

    if known.human_test:
        pair = known.reconstructions, known.truth
        rules = known.alpha, not known.as_stored
        print(
            human_test.write_test(*pair, known.out, *rules, known.human_against)
        )
        return
    with progress('evaluate', None, unit='pictures') as show:
        results = comparison.evaluate(
            known.reconstructions,
            known.truth,
            known.out,
            comparison.Options(
                known.preset,
                known.networks.split(',') if known.networks else None,
                known.classes,
                known.distractors,
                known.train_pictures,
                known.audit,
                known.recording,
                flags.recording_options(known),
                known.method,
                known.simulated,
                known.transductive,
                known.seed,
                known.draws,
                known.human_results,
                known.alpha,
                not known.as_stored,
                known.human_against,
                known.unpaired_pictures,
                known.chosen_from,
            ),
            lambda what, done: show(done, what),
        )
    for row in results.get('audit', ()):
        print(f'{row["check"]:36s} {row["level"]:10s}  {row["verdict"]}')
    for name, score in results['scores'].items():
        print(f'{name:36s} {in_line(score)}')
    print(pathlib.Path(known.out) / 'report.html')


def _check_unused(known: argparse.Namespace) -> None:
    """Refuses what the audit alone would look at."""
    for flag, given in (
        ('--recording', known.recording),
        ('--unpaired-pictures', known.unpaired_pictures),
        ('--chosen-from', known.chosen_from != 1),
        ('--train-pictures', known.train_pictures and not known.classes),
    ):
        if given:
            raise InputError(f'{flag} serves the audit; give --audit as well.')

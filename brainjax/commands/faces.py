"""brainjax faces: the published analysis of faces, by the authors' files."""

import argparse
import pathlib

from brainjax.commands import flags
from brainjax.commands.jax_setup import set_up_jax


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = 'brainjax faces DERIVATIVES --out W [options]'
    parser.description = (
        'Inverts the maps between latents and voxels that VanRullen & Reddy '
        '(2019) gave out with ds001761, for their test faces and imagery, and '
        'scores recognition, gender and imagery, by region and over subjects, '
        "beside the paper's numbers. Writes scores.json, subjects.csv and "
        'report.html.'
    )
    parser.add_argument(
        'derivatives', metavar='DERIVATIVES', help='with a folder sub-XX each'
    )
    parser.add_argument('--out', required=True, metavar='W')
    parser.add_argument(
        '--subjects',
        default='01,02,03,04',
        metavar='A,B',
        help='which, separated by commas (default %(default)s)',
    )
    parser.add_argument(
        '--checkpoint',
        default='',
        metavar='CKPT',
        help="the authors' vaegan_celeba.ckpt: pictures too",
    )
    parser.add_argument(
        '--stimuli',
        default='',
        metavar='FOLDER',
        help="the data set's stimuli/, whose names tell gender",
    )
    flags.add_draws(parser)


def run(known: argparse.Namespace, rest: list[str]) -> None:
    del rest
    flags.check_draws(known)
    set_up_jax()
    from brainjax import face_analysis
    from brainjax.evaluation.group import group_scores
    from brainjax.evaluation.table import score_table

    results = face_analysis.analyse(
        known.derivatives,
        [name for name in known.subjects.split(',') if name],
        known.out,
        face_analysis.Options(
            checkpoint=known.checkpoint,
            stimuli=known.stimuli,
            seed=known.seed,
            draws=known.draws,
        ),
    )
    several = len(results['subjects']) > 1
    line = group_scores.in_line if several else score_table.in_line
    for name, score in results['scores'].items():
        print(f'{name:36s} {line(score)}')
    print(pathlib.Path(known.out) / 'report.html')

"""brainjax reconstruct: pictures from new fMRI, by a model that was kept."""

import argparse
import pathlib
import sys

from brainjax.commands import flags
from brainjax.commands.jax_setup import set_up_jax


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        'Reconstructs pictures from new trials, imagery or another session of '
        'the voxels that a run was fitted to. Writes reconstructions.npz and '
        'images/ and, where the pictures are known, targets.npz, scores.json '
        'and report.html.'
    )
    parser.add_argument(
        'model', metavar='W', help='workdir of a finished run, or its model/'
    )
    parser.add_argument(
        'recordings',
        nargs='*',
        metavar='RECORDING',
        help='several get a folder each; none for a simulated subject',
    )
    parser.add_argument('--out', required=True, metavar='O')
    parser.add_argument(
        '--trials',
        default='test',
        choices=('test', 'train', 'imagery', 'all'),
        help='which of the recording (default %(default)s)',
    )
    parser.add_argument(
        '--single-trials',
        action='store_true',
        help='each trial alone, not the average of a stimulus',
    )
    parser.add_argument(
        '--scale',
        default='model',
        choices=('model', 'session', 'run', 'own_run'),
        help='mean and standard deviation of voxels: those of the trials that '
        'the model learned from (default), or of the training trials of '
        'RECORDING, for another session, or of each of its runs; own_run '
        'takes all trials of a run, those that are reconstructed too',
    )
    parser.add_argument(
        '--only',
        action='append',
        default=[],
        metavar='ROI',
        help="all voxels but those of this ROI, or of several joined by '|', "
        'stay at their mean; given several times, each gets a folder',
    )
    flags.add_recording(parser)
    flags.add_draws(parser)


def run(known: argparse.Namespace, rest: list[str]) -> None:
    del rest
    flags.check_draws(known)
    set_up_jax()
    from brainjax import new_data
    from brainjax.evaluation.table.score_table import in_line

    found = new_data.reconstruct(
        known.model,
        known.recordings,
        known.out,
        new_data.Options(
            known.trials,
            known.single_trials,
            known.scale,
            known.only,
            flags.recording_options(known),
            known.seed,
            known.draws,
        ),
        lambda folder: print(f'reconstruct: {folder}', file=sys.stderr),
    )
    for folder, results in found.items():
        for problem in results.get('problems', ()):
            print(f'Note: {problem}', file=sys.stderr)
        for name, score in results.get('scores', {}).items():
            print(f'{name:36s} {in_line(score)}')
        last = 'report.html' if results else 'reconstructions.npz'
        print(pathlib.Path(folder) / last)

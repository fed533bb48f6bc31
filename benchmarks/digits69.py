"""Real fMRI: brainjax beside kernel ridge regression from voxels to pixels.

    python benchmarks/digits69.py digits69.mat --json digits69.json \
      --figure docs/digits69.png

Fits `configs/digits69.py` on the usual split (rows 45-49 and 95-99 are the
test set) and on ten folds over all 100 trials, and on the same rows the ridge:
voxels z-scored with the training trials' mean and deviation, pixels centred on
the training mean, linear kernel, alpha 1000, nothing clipped. Prints pixel
correlation and two-way identification by pixel correlation with 95 % bootstrap
intervals over pictures, and the paired difference with its own. Over the
folds each reconstruction is compared with the 99 other pictures shown, and
within its class with 49. Further arguments (--config.decoder.epochs=3)
override the config.
"""

import argparse
import pathlib
import sys
import tempfile
import time

import jax
import numpy as np
from common import write_result

from brainjax import experiment
from brainjax.commands.run import parse_run
from brainjax.errors import InputError
from brainjax.evaluation import identification, intervals
from brainjax.io import arrays, files, provenance
from brainjax.recordings.formats import digits69
from brainjax.reports import figures

CONFIG = pathlib.Path(__file__).parents[1] / 'configs' / 'digits69.py'
ALPHA = 1000.0
USUAL = -1
SCORES = {  # And what they can be.
    'pixcorr': intervals.CORRELATION,
    'two_way': intervals.RATE,
    'two_way_within_class': intervals.RATE,
}


def ridge(train_fmri, train_images, test_fmri, alpha=ALPHA):
    """Predicts images [n, ...] (0..255, not clipped) from fmri [n, voxels]."""
    mean, deviation = train_fmri.mean(axis=0), train_fmri.std(axis=0)
    train = (train_fmri - mean) / deviation
    test = (test_fmri - mean) / deviation
    pixels = train_images.reshape(len(train), -1)
    kernel = train @ train.T + alpha * np.eye(len(train))
    weights = np.linalg.solve(kernel, pixels - pixels.mean(axis=0))
    predicted = pixels.mean(axis=0) + test @ train.T @ weights
    return predicted.reshape(len(test), *train_images.shape[1:])


def run_fold(fold, data, workdir, overrides):
    """Returns test rows, reconstructions in 0..1 and seconds of each side."""
    config, workdir = parse_run(
        [
            f'--config={CONFIG}',
            f'--workdir={workdir}',
            f'--config.recording.path={data}',
            f'--config.pictures.path={data}',
            f'--config.recording.fold={fold}',
            *overrides,
        ]
    )
    began = time.monotonic()
    experiment.run(config, workdir)
    seconds = {'ours': time.monotonic() - began}
    ours = arrays.read(pathlib.Path(workdir) / 'reconstructions.npz')
    recording = experiment.open_data(config).recording
    names = [recording.stimuli.names[i] for i in recording.test.stimulus]
    if list(ours['names']) != names:
        raise InputError(f'{workdir} holds reconstructions of other pictures.')
    began = time.monotonic()
    peer = ridge(
        np.float64(recording.train.fmri),
        np.float64(recording.stimuli.images[recording.train.stimulus]),
        np.float64(recording.test.fmri),
    )
    seconds['peer'] = time.monotonic() - began
    return (
        recording.test.stimulus,
        {'ours': ours['images'], 'peer': peer / 255},
        seconds,
    )


def score(truth, images, categories):
    """Scores of each picture: {name: [n]}."""
    n = len(truth)
    matrix = identification.similarity(
        truth.reshape(n, -1), images.reshape(n, -1)
    )
    within = np.empty(n)
    for category in set(categories):
        i = np.flatnonzero(np.array(categories) == category)
        within[i] = identification.two_way(matrix[np.ix_(i, i)])
    values = (np.diagonal(matrix), identification.two_way(matrix), within)
    return dict(zip(SCORES, values))


def summarise(stimuli, rows, images):
    """Means, intervals and the paired difference of both sides."""
    truth = stimuli.images[rows]
    categories = [stimuli.categories[i] for i in rows]
    scores = {k: score(truth, x, categories) for k, x in images.items()}
    scores['difference'] = {
        k: scores['ours'][k] - scores['peer'][k] for k in SCORES
    }
    return {
        name: {
            side: dict(
                zip(
                    ('value', 'low', 'high'),
                    (
                        float(values[name].mean()),
                        *intervals.interval(
                            values[name],
                            (low - high, high - low)
                            if side == 'difference'
                            else (low, high),
                        ),
                    ),
                )
            )
            for side, values in scores.items()
        }
        for name, (low, high) in SCORES.items()
    }


def table(title, summary):
    sides = {'brainjax': 'ours', 'ridge': 'peer', 'difference': 'difference'}
    lines = [f'{title:32s}' + ''.join(f'{name:>26s}' for name in sides)]
    for name, entries in summary.items():
        cells = ''.join(
            '{:>26s}'.format(
                f'{entries[side]["value"]:{sign}.3f} '
                f'({entries[side]["low"]:{sign}.3f} '
                f'{entries[side]["high"]:{sign}.3f})'
            )
            for side in sides.values()
            for sign in ['+' if side == 'difference' else '']
        )
        lines.append(f'{name:32s}{cells}')
    return '\n'.join(lines)


def measure(options, overrides, workdir):
    """Runs all splits; returns the results and the usual split's pictures."""
    stimuli = digits69.read(options.data).stimuli
    pooled = {'ours': [], 'peer': []}
    rows, seconds, splits = [], [], {}
    for fold in (USUAL, *range(options.folds)):
        name = 'usual' if fold == USUAL else f'fold-{fold}'
        test, images, took = run_fold(
            fold, options.data, workdir / name, overrides
        )
        seconds.append(took)
        mean = {
            k: v['ours']['value']
            for k, v in summarise(stimuli, test, images).items()
        }
        print(
            f'{name}: {took["ours"]:.0f} s',
            *(f'{k} {v:.3f}' for k, v in mean.items()),
            file=sys.stderr,
            flush=True,
        )
        if fold == USUAL:
            usual = (test, images)
            splits['usual'] = summarise(stimuli, test, images)
            continue
        rows.append(test)
        for side, reconstructed in images.items():
            pooled[side].append(reconstructed)
    if rows:
        splits['folds'] = summarise(
            stimuli,
            np.concatenate(rows),
            {side: np.concatenate(x) for side, x in pooled.items()},
        )
    main = splits.get('folds', splits['usual'])
    result = {
        'name': 'digits69',
        'unit': 'pixel correlation, mean over test pictures',
        'ours': main['pixcorr']['ours']['value'],
        'peer': main['pixcorr']['peer']['value'],
        'peer_name': f'kernel ridge, alpha {ALPHA:.0f} (NumPy)',
        'ratio': main['pixcorr']['ours']['value']
        / main['pixcorr']['peer']['value'],
        'ratio_meaning': 'ours / peer: above 1, brainjax is better',
        'accuracy': main['two_way']['ours']['value'],
        'accuracy_meaning': 'two-way identification of ours; chance is 0.5',
        'folds': options.folds,
        'splits': splits,
        'seconds': seconds,
        'versions': provenance.versions(),
    }
    return result, stimuli, usual


def draw(path, stimuli, rows, images):
    """Draws the usual test set: seen, ridge, brainjax."""
    figure = figures.montage(
        stimuli.images[rows],
        {'ridge': images['peer'], 'brainjax': images['ours']},
        columns=5,
    )
    with files.atomic(path) as temporary:
        figure.savefig(temporary, format='png', dpi=100)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument('data', help='digits69.mat')
    parser.add_argument(
        '--folds', type=int, default=10, help='how many of the ten; 0 for none'
    )
    parser.add_argument('--workdir', help='a folder to keep; resumes')
    parser.add_argument('--figure', help='PNG to write')
    parser.add_argument('--json', help='file to write')
    options, overrides = parser.parse_known_args()
    if not 0 <= options.folds <= 10:
        parser.error('--folds must lie in 0..10')
    jax.config.update(
        'jax_compilation_cache_dir', str(files.cache_folder('compiled'))
    )
    try:
        with tempfile.TemporaryDirectory() as temporary:
            workdir = pathlib.Path(options.workdir or temporary)
            result, stimuli, usual = measure(options, overrides, workdir)
    except InputError as error:
        print(f'digits69: {error}', file=sys.stderr)
        sys.exit(2)
    print(table('usual split, 10 pictures', result['splits']['usual']))
    if 'folds' in result['splits']:
        print(
            table(
                f'{options.folds} folds, {10 * options.folds} pictures',
                result['splits']['folds'],
            )
        )
    if options.figure:
        draw(options.figure, stimuli, *usual)
    write_result(options.json, result)


if __name__ == '__main__':
    main()

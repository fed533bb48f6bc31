"""The closed-form posterior beside tuned ridge: simulated subjects, and cost.

    python benchmarks/posterior_simulated.py subjects --json OUT
    python benchmarks/posterior_simulated.py cost digits69.mat --json OUT

`subjects`: few training stimuli and many, noise ceilings of the averaged test
responses, matched and mismatched unpaired pictures. Prints for each the scores
of ridge, what the closed form has more (paired by picture; * where it is below
by more than .01), and how many pixels its intervals hold.
`cost`: CPU seconds of the fits, and of 50 reconstructions with deviations.
See `posterior.py` for real fMRI.
"""

import argparse
import itertools
import sys
import time

import numpy as np
from common import write_result
from posterior import SCORES, UNPAIRED, reconstruct
from scipy import ndimage

from brainjax.errors import InputError
from brainjax.evaluation import paired, statistics
from brainjax.io import provenance
from brainjax.linear.bayes import reference
from brainjax.linear.ridge import tuned
from brainjax.methods import references
from brainjax.methods.data import prepare
from brainjax.pictures import loading, operations
from brainjax.recordings.formats import digits69
from brainjax.simulation import subject

LEAST = -0.01  # Of the closed form minus ridge.
# Stimuli and trials of each, in training.
AMOUNTS = {
    '10 x 8': (10, 8),
    '20 x 6': (20, 6),
    '100': (100, 1),
    '400': (400, 1),
}
CEILINGS = (0.3, 0.6, 0.9)
SIZE = 32
TESTED = 100
# As configs/demo.py, half of the voxels.
VOXELS = {'V1': 100, 'V2': 100, 'V3': 75, 'V4': 75, 'HVC': 100}


def random_dots(number, seed):
    """Discs of random colours on grey, [number, SIZE, SIZE, 3] uint8."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE]
    images = np.full((number, SIZE, SIZE, 3), 128, np.uint8)
    for image in images:
        for _ in range(12):
            centre = rng.uniform(0, SIZE, 2)
            radius = rng.uniform(1 / 16, 1 / 8) * SIZE
            inside = np.hypot(y - centre[0], x - centre[1]) < radius
            image[inside] = rng.integers(0, 256, 3)
    return images


def unpaired_pictures(kind, number, seed):
    if kind == 'random dots':
        return random_dots(number, seed)
    scenes, *_ = subject.unpaired_scenes(number, seed=seed, size=SIZE)
    if kind == 'scenes':
        return scenes
    scrambled = operations.phase_scrambled(scenes / 255, number, seed)
    return operations.to_uint8(scrambled)


KINDS = ('scenes', 'scrambled', 'random dots')


def subjects(options):
    """{cell: differences from ridge, scores, coverage of the closed form}."""
    cells = {}
    head = ('trials', 'ceiling', 'unpaired', 'ridge', 'minus ridge',
            'two-way', 'minus ridge', 'cover 50', '80', '90', '95')  # fmt: skip
    form = '{:>7} {:>7} {:>12} {:>7} {:>11} {:>8} {:>11}' + ' {:>8}' * 4
    print(form.format(*head))
    for amount, ceiling in itertools.product(options.amounts, CEILINGS):
        stimuli, repeats = AMOUNTS[amount]
        found = {kind: [] for kind in options.kinds}
        for seed in range(options.seed, options.seed + options.seeds):
            recording = subject.simulated_subject(
                seed=seed,
                size=SIZE,
                n_train=stimuli,
                n_test=TESTED,
                train_repeats=repeats,
                noise_ceiling=ceiling,
                voxels=VOXELS,
            )
            for kind in options.kinds:
                unpaired = unpaired_pictures(kind, options.unpaired, seed)
                data = prepare(recording, unpaired)
                truth = recording.stimuli.images[data.test.stimulus]
                fold = reconstruct(data, truth, seed, draws=0)
                scores = {
                    name: paired.per_picture(truth, fold.images[name])
                    for name in ('bayes', 'ridge')
                }
                covered = fold.inside.mean(axis=0)
                found[kind].append((scores, covered, fold.seconds))
        for kind, seeds in found.items():
            cell = cell_of(seeds)
            cells[f'{amount}, {ceiling}, {kind}'] = cell
            values = [cell['ridge'], cell['difference']]
            print(
                form.format(
                    *(amount, ceiling, kind),
                    *(
                        text
                        for key in SCORES
                        for text in (
                            f'{values[0][key]:.3f}',
                            f'{values[1][key]["value"]:+.3f}'
                            + ' *' * (values[1][key]['value'] < LEAST),
                        )
                    ),
                    *(f'{value:.3f}' for value in cell['coverage']),
                ),
                flush=True,
            )
    return cells


def cell_of(seeds):
    """Differences, paired by picture, of all seeds' pictures together."""
    scores, covered, seconds = zip(*seeds)
    pooled = {
        name: {
            key: np.concatenate([each[name][key] for each in scores])
            for key in SCORES
        }
        for name in ('bayes', 'ridge')
    }
    return {
        'ridge': {k: float(v.mean()) for k, v in pooled['ridge'].items()},
        'difference': {
            key: statistics.paired_difference(
                pooled['bayes'][key], pooled['ridge'][key]
            )
            for key in SCORES
        },
        'coverage': np.mean(covered, axis=0).tolist(),
        'seconds': float(np.mean(seconds)),
    }


def smooth_pictures(number, size, random):
    """Grey pictures as rows [number, size * size] float32 in 0..1."""
    white = random.standard_normal((number, size, size), np.float32)
    images = ndimage.gaussian_filter(white, (0, size / 20, size / 20))
    images = 0.5 + 0.2 * images / images.std()
    return images.clip(0, 1).reshape(number, -1)


def large_arrays(seed, trials=1200, voxels=4643, unpaired=2000, size=112):
    """Pictures, fMRI and unpaired pictures as of a large experiment."""
    random = np.random.default_rng(seed)
    pictures = smooth_pictures(trials, size, random)
    weights = random.standard_normal((size * size, voxels), np.float32)
    fmri = (pictures - 0.5) @ weights
    fmri += 2 * fmri.std() * random.standard_normal(fmri.shape, np.float32)
    fmri = (fmri - fmri.mean(axis=0)) / fmri.std(axis=0)
    free = smooth_pictures(unpaired, size, random)
    return pictures, fmri, np.arange(trials), free


def cost(options):
    """{name: CPU seconds of the fit, its ridge, 50 reconstructions}."""
    unpaired, _ = loading.load(options.data, 28, limit=UNPAIRED)
    data = prepare(digits69.read(options.data), unpaired)
    arrays = {
        'digits69': (28, references.fit(data, options.seed).training),
        '1200 trials, 4643 voxels, 112 px': (112, large_arrays(options.seed)),
    }
    found = {}
    for name, (size, (pictures, fmri, stimulus, free)) in arrays.items():
        times = [time.process_time()]
        fitted = reference.fit(
            pictures, fmri, stimulus, free, shape=(size, size, 1)
        )
        times.append(time.process_time())
        tuned.fit(np.float64(fmri), stimulus, pictures)
        times.append(time.process_time())
        repeats = np.ones(min(50, len(fmri)))
        known = reference.condition(fitted, fmri[: len(repeats)], repeats)
        reference.mean(fitted, known)
        reference.deviation(fitted, known)
        times.append(time.process_time())
        steps = 'fit', 'ridge', 'reconstruct'
        found[name] = dict(zip(steps, np.diff(times).tolist()))
        print(
            f'{name:34s}',
            *(f'{step} {found[name][step]:7.2f} s' for step in steps),
            flush=True,
        )
    return found


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parts = parser.add_subparsers(dest='what', required=True)
    part = parts.add_parser('subjects')
    part.add_argument('--seeds', type=int, default=3, help='subjects each')
    part.add_argument('--unpaired', type=int, default=1000)
    part.add_argument(
        '--amounts', nargs='+', choices=AMOUNTS, default=list(AMOUNTS)
    )
    part.add_argument('--kinds', nargs='+', choices=KINDS, default=list(KINDS))
    parts.add_parser('cost').add_argument('data', help='digits69.mat')
    for part in parts.choices.values():
        part.add_argument('--seed', type=int, default=0)
        part.add_argument('--json', help='file to write')
    options = parser.parse_args()
    try:
        found = {'subjects': subjects, 'cost': cost}[options.what](options)
    except InputError as error:
        print(f'posterior_simulated: {error}', file=sys.stderr)
        sys.exit(2)
    if options.what == 'cost':
        first, *_ = found.values()
        headline = {
            'unit': 'CPU seconds of a fit, digits69',
            'ours': first['fit'],
            'peer': first['ridge'],
            'ratio': first['fit'] / first['ridge'],
            'ratio_meaning': 'ours / peer: below 1, ours is faster',
        }
    else:
        key = SCORES[0]
        headline = {
            'unit': f'{key}, closed form minus ridge, lowest of all cells',
            'ours': min(c['difference'][key]['value'] for c in found.values()),
            'peer': 0.0,
        }
    write_result(
        options.json,
        {
            'name': f'posterior_simulated, {options.what}',
            **headline,
            'peer_name': 'kernel ridge, alpha chosen in training (NumPy)',
            'found': found,
            'versions': provenance.versions(),
        },
    )


if __name__ == '__main__':
    main()

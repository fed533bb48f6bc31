"""The closed-form posterior and draws from the posterior, beside tuned ridge.

    python benchmarks/posterior.py figures figures10.mat --flow --json OUT
    python benchmarks/posterior.py digits69 digits69.mat --json OUT

`figures`: real fMRI with few stimuli (Miyawaki et al. 2008), 10 pictures of
10 x 10 px x 8 repeats, whole pictures held out in five folds of two; unpaired
pictures are generated, shapes and letters, and random grids as a bad case.
`digits69`: real fMRI, the ten folds of `recordings.formats.digits69`. Both
print scores pooled over folds with 95 % bootstrap intervals over pictures and
paired differences from ridge. With --flow the method `posterior` is trained
for each fold beside them; --workdir keeps it and resumes.
Everything that is chosen is chosen inside the training stimuli.
"""

import argparse
import pathlib
import sys
import tempfile
import time
from typing import NamedTuple

import jax
import numpy as np
import small_pictures
from common import write_result
from scipy import special

from brainjax.errors import InputError
from brainjax.evaluation import intervals, paired, statistics
from brainjax.evaluation.posterior import calibration
from brainjax.io import files, matlab, provenance
from brainjax.linear.bayes import reference
from brainjax.methods import references
from brainjax.methods.data import prepare
from brainjax.methods.posterior import method
from brainjax.methods.posterior.config import posterior
from brainjax.pictures import loading, operations
from brainjax.recordings.formats import digits69
from brainjax.recordings.recording import Recording, Stimuli, Trials

FIGURES = 10
UNPAIRED = 2000
DRAWS = 40  # 95 % intervals need 39.
SCORES = paired.COMPARED


def small_flow(seed):
    """The method's settings, a scale less for pictures of 10 px."""
    config = posterior()
    config.size = small_pictures.SIDE
    config.seed = seed
    config.draws = DRAWS
    config.flow.channels = (32, 64)
    config.flow.patch = 1
    return config


def digits_flow(seed):
    """As configs/posterior_digits69.py."""
    config = posterior()
    config.seed = seed
    config.draws = DRAWS
    return config


class Fold(NamedTuple):
    """Reconstructions of a fold's test pictures.

    Attributes:
      images: name -> [n, height, width, 3] in 0..1.
      draws: name -> [n, DRAWS, height, width, 3], of what has a posterior.
      inside: [n, levels] share of pixels in the closed form's intervals.
      seconds: of the fits.
    """

    images: dict[str, np.ndarray]
    draws: dict[str, np.ndarray]
    inside: np.ndarray
    seconds: float


def reconstruct(data, truth, seed, config=None, workdir=None, draws=DRAWS):
    """Fits to a fold; the method posterior too where its config is given."""
    began = time.monotonic()
    if config is None:
        fitted = references.fit(data, seed)
    else:
        flow = method.fit(data, config, workdir)
        fitted = flow.references
    seconds = time.monotonic() - began
    found = references.reconstruct(fitted, data.test.fmri)
    found = {name: found[name] for name in ('ridge', 'bayes')}
    known = reference.condition(fitted.fitted, data.test.fmri, fitted.repeats)
    rows = reference.sample(fitted.fitted, known, draws, seed)
    samples = {'bayes': references.to_images(fitted, rows).clip(0, 1)}
    if config is not None:
        samples['posterior'] = method.draw(flow, data.test.fmri, config)
        found['posterior'] = method.reconstruct(flow, data.test.fmri, config)
    inside = gaussian_coverage(fitted, known, truth)
    print(*fitted.notes, sep='\n', file=sys.stderr, flush=True)
    return Fold(found, samples, inside, seconds)


def gaussian_coverage(fitted, known, truth):
    """Of mean -+ z deviation, not clipped, where any picture at hand varies."""
    rows = fitted.training
    at_hand = np.concatenate([rows.pictures, rows.unpaired])
    varies = at_hand.std(axis=0) > 0
    error = references.to_rows(fitted, truth) - reference.mean(
        fitted.fitted, known
    )
    deviation = reference.deviation(fitted.fitted, known)
    ends = special.ndtri((1 + np.array(calibration.LEVELS)) / 2)
    return np.stack(
        [
            (np.abs(error) <= end * deviation)[:, varies].mean(axis=1)
            for end in ends
        ],
        axis=1,
    )


def pool(folds):
    """Joins the images, draws and coverages of several folds."""
    images, draws = (
        {
            name: np.concatenate([operations.unit_range(f[name]) for f in each])
            for name in each[0]
        }
        for each in zip(*(fold[:2] for fold in folds))
    )
    return images, draws, np.concatenate([fold.inside for fold in folds])


def with_interval(values):
    low, high = intervals.interval(values)
    return {'value': float(values.mean()), 'low': low, 'high': high}


def summarise(truth, images, draws, inside):
    """Scores with intervals: {method: {score: {'value', 'low', 'high'}}}."""
    scores = {
        name: paired.per_picture(truth, each) for name, each in images.items()
    }
    found = {}
    for name, values in scores.items():
        entry = {key: with_interval(values[key]) for key in SCORES}
        if name != 'ridge':
            for key in SCORES:
                entry[f'{key} minus ridge'] = statistics.paired_difference(
                    values[key], scores['ridge'][key]
                )
        if name == 'posterior':
            for key in SCORES:
                entry[f'{key} minus bayes'] = statistics.paired_difference(
                    values[key], scores['bayes'][key]
                )
        if name in draws:
            entry |= of_draws(truth, draws[name])
        found[name] = entry
    for level, values in zip(calibration.LEVELS, inside.T):
        found['bayes'][f'not clipped, {100 * level:g}'] = with_interval(values)
    return found


def of_draws(truth, draws):
    """Coverage, and what a single draw scores on average over draws."""
    covered = calibration.coverage(draws, truth)
    found = {
        f'coverage {100 * level:g}': with_interval(values)
        for level, values in zip(calibration.LEVELS, covered.T)
    }
    single = [paired.per_picture(truth, each) for each in draws.swapaxes(0, 1)]
    return found | {
        f'{key} of a draw': with_interval(
            np.mean([each[key] for each in single], axis=0)
        )
        for key in SCORES
    }


def table(title, summary):
    """A row a score, a column a method."""
    lines = [title, f'{"":26s}' + ''.join(f'{name:>26s}' for name in summary)]
    rows = dict.fromkeys(key for entry in summary.values() for key in entry)
    for key in rows:
        cells = [
            '{value:.3f} ({low:.3f} {high:.3f})'.format(**entry[key])
            if key in entry
            else ''
            for entry in summary.values()
        ]
        lines.append(f'{key:26s}' + ''.join(f'{cell:>26s}' for cell in cells))
    return '\n'.join(lines)


def read_figures(path):
    """Pictures [10, 10, 10] bool, fMRI [80, voxels], which each showed."""
    content = matlab.read(path, ('I2', 'R2'))
    side = small_pictures.SIDE
    shown = np.reshape(content['I2'].T, (-1, side, side)).swapaxes(1, 2) > 0
    pictures, stimulus = np.unique(
        shown.reshape(len(shown), -1), axis=0, return_inverse=True
    )
    if len(pictures) != FIGURES:
        raise InputError(
            f'{path}: I2 shows {len(pictures)} different pictures; in '
            f'figures10.mat there are {FIGURES}.'
        )
    fmri = np.float32(content['R2'].T)
    return pictures.reshape(-1, side, side), fmri, np.int32(stimulus.ravel())


def to_rgb(pictures):
    """Pictures [n, side, side] bool as [n, side, side, 3] uint8."""
    return np.repeat(np.uint8(255) * pictures[..., None], 3, axis=-1)


def figures(options, workdir):
    """Few stimuli: {kind of unpaired pictures: summary}."""
    pictures, fmri, stimulus = read_figures(options.data)
    stimuli = Stimuli(
        to_rgb(pictures), tuple(f'figure-{i}' for i in range(FIGURES))
    )
    order = np.random.default_rng(options.seed).permutation(FIGURES)
    parts = np.array_split(order, FIGURES // 2)[: options.folds]
    kinds = {
        'shapes': small_pictures.shapes,
        'random grids': small_pictures.random_grids,
    }
    summaries = {}
    for kind, generate in kinds.items():
        unpaired = to_rgb(generate(UNPAIRED, options.seed, pictures))
        folds, rows = [], []
        for number, held_out in enumerate(parts):
            test = np.isin(stimulus, held_out)
            data = prepare(
                Recording(
                    subject='figures10',
                    train=Trials(fmri[~test], stimulus[~test]),
                    test=Trials(fmri[test], stimulus[test]),
                    stimuli=stimuli,
                    rois={},
                    source=options.data,
                    simulated=False,
                ),
                unpaired,
            )
            config = small_flow(options.seed) if options.flow else None
            name = f'{kind.split()[0]}-{number}'
            rows.append(data.test.stimulus)
            truth = stimuli.images[rows[-1]]
            folds.append(
                reconstruct(data, truth, options.seed, config, workdir / name)
            )
            tell_seconds(name, folds[-1])
        rows = np.concatenate(rows)
        summary = summarise(stimuli.images[rows], *pool(folds))
        print(table(f'{len(rows)} figures, unpaired {kind}', summary))
        summaries[kind] = summary
    return summaries


def digits(options, workdir):
    """Sixes and nines: {'digits69': summary}, two-way within class too."""
    unpaired, _ = loading.load(options.data, 28, limit=UNPAIRED)
    folds, rows = [], []
    for number, held_out in enumerate(digits69.folds()[: options.folds]):
        recording = digits69.read(options.data, held_out)
        data = prepare(recording, unpaired)
        config = digits_flow(options.seed) if options.flow else None
        name = f'fold-{number}'
        rows.append(data.test.stimulus)
        truth = recording.stimuli.images[rows[-1]]
        folds.append(
            reconstruct(data, truth, options.seed, config, workdir / name)
        )
        tell_seconds(name, folds[-1])
    rows = np.concatenate(rows)
    images, draws, inside = pool(folds)
    stimuli = recording.stimuli
    truth = stimuli.images[rows]
    summary = summarise(truth, images, draws, inside)
    category = np.array(stimuli.categories)[rows]
    within = {}
    for name, found in images.items():
        values = np.empty(len(rows))
        for each in np.unique(category):
            i = category == each
            values[i] = paired.per_picture(truth[i], found[i])[SCORES[1]]
        within[name] = values
        summary[name]['two_way_within_class'] = with_interval(values)
        if name != 'ridge':
            summary[name]['within_class minus ridge'] = (
                statistics.paired_difference(values, within['ridge'])
            )
    print(table(f'{len(folds)} folds, {len(rows)} digits', summary))
    return {'digits69': summary}


def tell_seconds(name, fold):
    print(f'{name}: {fold.seconds:.1f} s', file=sys.stderr, flush=True)


SETS = {'figures': figures, 'digits69': digits}


def headline(found):
    """What every result tells; see `common.KEYS`."""
    entry, *_ = found.values()
    best = entry.get('posterior', entry['bayes'])
    ours, peer = (each[SCORES[0]]['value'] for each in (best, entry['ridge']))
    return {
        'unit': 'pixel correlation, mean over test pictures',
        'ours': ours,
        'peer': peer,
        'peer_name': 'kernel ridge, alpha chosen in training (NumPy)',
        'ratio': ours / peer,
        'ratio_meaning': 'ours / peer: above 1, brainjax is better',
        'accuracy': best[SCORES[1]]['value'],
        'accuracy_meaning': 'two-way identification of ours; chance is 0.5',
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument('what', choices=SETS)
    parser.add_argument('data', help='the .mat file')
    parser.add_argument(
        '--flow', action='store_true', help='train the method posterior too'
    )
    parser.add_argument(
        '--folds', type=int, default=10, help='how many, at most'
    )
    parser.add_argument('--workdir', help='a folder to keep; resumes')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--json', help='file to write')
    options = parser.parse_args()
    jax.config.update(
        'jax_compilation_cache_dir', str(files.cache_folder('compiled'))
    )
    try:
        with tempfile.TemporaryDirectory() as temporary:
            workdir = pathlib.Path(options.workdir or temporary)
            found = SETS[options.what](options, workdir)
    except InputError as error:
        print(f'posterior: {error}', file=sys.stderr)
        sys.exit(2)
    write_result(
        options.json,
        {
            'name': f'posterior, {options.what}',
            **headline(found),
            'found': found,
            'versions': provenance.versions(),
        },
    )


if __name__ == '__main__':
    main()

"""Is another subject's encoder a better start than none, for few trials?

    python benchmarks/transfer.py --json transfer.json

Two simulated subjects look at different scenes with voxels of their own. The
first has many trials; its run is kept, and the second, with few, begins with
its adapters (`config.init.path`) or from scratch, in the same number of steps
on the same batches. Prints, by seed, the encoder's correlation with the test
responses: over pictures, the mean of voxels, and over voxels, of each picture;
differences of the latter have 95 % intervals (bootstrap over test pictures,
seeds pooled). The decoder is not looked at.
"""

import argparse
import pathlib
import tempfile

import jax
import numpy as np
from common import write_result
from cycles import small_config

from brainjax import experiment, model
from brainjax.evaluation import intervals
from brainjax.evaluation.voxels import encoding
from brainjax.io import files
from brainjax.methods.data import load_pictures
from brainjax.simulation import subject

# What the second subject's encoder begins with: (from the first, fixed).
ARMS = {
    'scratch': (False, False),
    'adapters': (True, False),
    'adapters, fixed': (True, True),
}
FIRST = 1000  # Added to the seed of the first subject: other voxels and scenes.


def quick(seed, trials):
    """The demo's encoder at 32 px, narrow, almost without a decoder."""
    config = small_config(seed, 1, trials)
    with config.unlocked():
        config.encoder.width = 0.25
        config.encoder.epochs = 8
        config.encoder.drops = ((5, 0.3), (7, 0.3))
        config.references = config.ceilings = False
        config.pictures.number = 64
        config.decoder.steps = 1
    return config


def first_subject(args, seed, folder):
    """Keeps the model of a subject with many trials."""
    config = quick(seed, args.trials_first)
    other = subject.simulated_subject(
        size=config.size, seed=seed + FIRST, **config.simulated
    )
    pictures, *_ = load_pictures(config)
    experiment.run(config, folder, other, pictures)


def run_arm(args, seed, folder, start):
    """Fits the second subject; returns correlations of pictures and voxels."""
    config = quick(seed, args.trials)
    from_first, fixed = start
    with config.unlocked():
        config.init.path = str(folder.parent / 'first') if from_first else ''
        config.init.fixed = fixed
    experiment.run(config, folder)
    data = experiment.open_data(config)
    shown = data.recording.stimuli.images[data.test.stimulus]
    predicted = model.load(folder).encode(shown, normalised=True)
    by_voxel = encoding.voxel_correlation(predicted, data.test.fmri)
    return _rows(predicted, data.test.fmri), float(by_voxel.mean())


def _rows(a, b):
    return np.array([np.corrcoef(x, y)[0, 1] for x, y in zip(a, b)])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--trials', type=int, default=50)
    parser.add_argument('--trials-first', type=int, default=400)
    parser.add_argument('--workdir')
    parser.add_argument('--json')
    args = parser.parse_args()
    jax.config.update(
        'jax_compilation_cache_dir', str(files.cache_folder('compiled'))
    )
    patterns = {arm: [] for arm in ARMS}
    voxels = {arm: [] for arm in ARMS}
    with tempfile.TemporaryDirectory() as temporary:
        for seed in range(args.seeds):
            folder = pathlib.Path(args.workdir or temporary, str(seed))
            first_subject(args, seed, folder / 'first')
            for arm, start in ARMS.items():
                own = folder / arm.replace(', ', '-')
                pattern, by_voxel = run_arm(args, seed, own, start)
                patterns[arm].append(pattern)
                voxels[arm].append(by_voxel)
                print(
                    f'seed {seed}  {arm:16s}  over pictures {by_voxel:.3f}'
                    f'  over voxels {pattern.mean():.3f}',
                    flush=True,
                )
    report(args, patterns, voxels)


def report(args, patterns, voxels):
    table = {}
    base = np.concatenate(patterns['scratch'])
    for arm, seeds in patterns.items():
        values = np.concatenate(seeds)
        low, high = 0.0, 0.0  # Of no difference.
        if arm != 'scratch':
            low, high = intervals.interval(values - base)
        table[arm] = {
            'encoder_correlation': float(np.mean(voxels[arm])),
            'by_seed': voxels[arm],
            'over_voxels': float(values.mean()),
            'gain_over_voxels': float((values - base).mean()),
            'low': float(low),
            'high': float(high),
        }
        row = table[arm]
        print(
            f'{arm:16s}  over pictures {row["encoder_correlation"]:.3f}  over '
            f'voxels {row["over_voxels"]:.3f} ({row["gain_over_voxels"]:+.3f}: '
            f'{low:+.3f} {high:+.3f})'
        )
    ours, peer = (np.mean(voxels[arm]) for arm in ('adapters', 'scratch'))
    result = {
        'name': 'transfer',
        'unit': 'correlation of predicted and measured responses',
        'ours': float(ours),
        'peer': float(peer),
        'peer_name': 'from scratch',
        'ratio': float(ours / peer),
        'accuracy': table,
        'simulated': True,
        'trials': args.trials,
        'seeds': args.seeds,
    }
    write_result(args.json, result)


if __name__ == '__main__':
    main()

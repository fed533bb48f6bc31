"""Is another subject's encoder a better start than none, for few trials?

    python benchmarks/transfer.py --json transfer.json

Two simulated subjects look at different scenes with voxels of their own. The
first has many trials; its run is kept, and the second, with few, begins with
its adapters (`config.init.path`) or from scratch, in the same number of steps
on the same batches. Prints, by seed, the encoder's correlation with the test
responses, and identification and pixel correlation of what the decoder makes
of them; the differences have 95 % intervals (bootstrap over test pictures,
seeds pooled).
"""

import argparse
import pathlib
import tempfile

import jax
import numpy as np
from common import write_result
from cycles import small_config

from brainjax import experiment, model
from brainjax.evaluation import encoding, identification, intervals, pixels
from brainjax.io import arrays, files
from brainjax.methods.data import Given
from brainjax.simulation import subject

# What the second subject's encoder begins with: (from the first, fixed).
ARMS = {
    'scratch': (False, False),
    'adapters': (True, False),
    'adapters, fixed': (True, True),
}
FIRST = 1000  # Added to the seed of the first subject: other voxels and scenes.


def quick(config, epochs):
    """Without what no arm needs."""
    with config.unlocked():
        config.references = config.ceilings = False
        config.decoder.epochs = epochs
        config.decoder.drops = ((epochs * 3 // 4 or 1, 0.2),)
    return config


def first_subject(args, seed, folder):
    """Keeps the model of a subject with many trials."""
    config = quick(small_config(seed, 1, args.trials_first), 1)
    other = subject.simulated_subject(
        size=config.size, seed=seed + FIRST, **config.simulated
    )
    experiment.run(config, folder, other)


def run_arm(args, seed, folder, start):
    """Fits the second subject; returns scores of each test picture."""
    config = quick(small_config(seed, args.epochs, args.trials), args.epochs)
    from_first, fixed = start
    with config.unlocked():
        config.init.path = str(folder.parent / 'first') if from_first else ''
        config.init.fixed = fixed
    experiment.run(config, folder)
    data = experiment.open_data(config, Given())
    shown = data.recording.stimuli.images[data.test.stimulus]
    predicted = model.load(folder).encode(shown, normalised=True)
    images = arrays.read(folder / 'reconstructions.npz')['images']
    matrix = identification.similarity(
        shown.reshape(len(shown), -1) / 255, images.reshape(len(images), -1)
    )
    return {
        # Over voxels, of each picture: that can be paired by picture.
        'encoder_pattern': _rows(predicted, data.test.fmri),
        'two_way': identification.two_way(matrix),
        'pixcorr': pixels.pixel_correlation(shown, images),
    }, float(encoding.voxel_correlation(predicted, data.test.fmri).mean())


def _rows(a, b):
    return np.array([np.corrcoef(x, y)[0, 1] for x, y in zip(a, b)])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--trials', type=int, default=50)
    parser.add_argument('--trials-first', type=int, default=400)
    parser.add_argument('--epochs', type=int, default=6)
    parser.add_argument('--workdir')
    parser.add_argument('--json')
    args = parser.parse_args()
    jax.config.update(
        'jax_compilation_cache_dir', str(files.cache_folder('compiled'))
    )
    results = {arm: [] for arm in ARMS}
    voxels = {arm: [] for arm in ARMS}
    with tempfile.TemporaryDirectory() as temporary:
        for seed in range(args.seeds):
            folder = pathlib.Path(args.workdir or temporary, str(seed))
            first_subject(args, seed, folder / 'first')
            for arm, start in ARMS.items():
                own = folder / arm.replace(', ', '-')
                scores, by_voxel = run_arm(args, seed, own, start)
                results[arm].append(scores)
                voxels[arm].append(by_voxel)
                told = ''.join(
                    f'  {k} {v.mean():.3f}' for k, v in scores.items()
                )
                print(
                    f'seed {seed}  {arm:16s}  encoder {by_voxel:.3f}{told}',
                    flush=True,
                )
    report(args, results, voxels)


def report(args, results, voxels):
    table = {}
    for arm, seeds in results.items():
        row = {'encoder_correlation': {'by_seed': voxels[arm]}}
        for name in seeds[0]:
            values = np.concatenate([each[name] for each in seeds])
            gain = values - np.concatenate(
                [each[name] for each in results['scratch']]
            )
            low, high = intervals.interval(gain)
            row[name] = {
                'value': float(values.mean()),
                'gain': float(gain.mean()),
                'low': float(low),
                'high': float(high),
            }
        table[arm] = row
        print(
            f'{arm:16s}  encoder {np.mean(voxels[arm]):.3f}'
            + ''.join(
                f'  {k} {v["value"]:.3f} '
                f'({v["gain"]:+.3f}: {v["low"]:+.3f} {v["high"]:+.3f})'
                for k, v in row.items()
                if 'value' in v
            )
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

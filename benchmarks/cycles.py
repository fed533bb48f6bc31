"""Does self-supervision help? D against D+ED, with draws or not, and D+ED+DE.

    python benchmarks/cycles.py --json cycles.json

A simulated subject with few paired trials; each arm starts from the same
encoder, the same decoder weights and the same paired batches, and takes the
same number of steps. Prints a table over seeds: identification, pixel
correlation and the paired difference to D alone with its 95 % interval
(bootstrap over test pictures, seeds pooled).
"""

import argparse
import pathlib
import shutil
import tempfile
import time

import jax
import numpy as np
from common import write_result

from brainjax import experiment
from brainjax.evaluation import identification, intervals, pixels
from brainjax.io import files
from brainjax.methods.selfsup import method as selfsup

# Weights of ED and DE, and whether ED learns from draws of the encoder.
ARMS = {
    'D': (0.0, 0.0, False),
    'D+ED': (1.0, 0.0, False),
    'D+ED draws': (1.0, 0.0, True),
    'D+ED+DE': (1.0, 1.0, False),
}


def small_config(seed: int, epochs: int, trials: int):
    """The demo's networks at 32 px, with few paired trials."""
    config = load_demo()
    with config.unlocked():
        config.seed = seed
        config.size = 32
        config.simulated.n_train = trials
        config.simulated.n_test = 100
        config.decoder.epochs = epochs
        config.decoder.drops = ((epochs * 3 // 4, 0.2),)
    return config


def load_demo():
    """Loads configs/demo.py."""
    from absl import flags
    from ml_collections import config_flags

    values = flags.FlagValues()
    config_flags.DEFINE_config_file('config', flag_values=values)
    path = pathlib.Path(__file__).parents[1] / 'configs' / 'demo.py'
    values(['cycles', f'--config={path}'])
    return values.config


def run_arm(config, data, folder, encoder):
    """Fits one arm; returns scores of each test picture and seconds."""
    if encoder is not None:
        shutil.copytree(
            encoder / 'checkpoints' / 'encoder',
            folder / 'checkpoints' / 'encoder',
            dirs_exist_ok=True,
        )
    began = time.monotonic()
    fitted = selfsup.fit(data, config, folder)
    seconds = time.monotonic() - began
    return score_pictures(fitted, data, config), seconds


def score_pictures(fitted, data, config):
    """Scores of each test picture's reconstruction."""
    truth = data.recording.stimuli.images[data.test.stimulus]
    images = selfsup.reconstruct(fitted, data.test.fmri, config)
    matrix = identification.similarity(
        truth.reshape(len(truth), -1) / 255, images.reshape(len(images), -1)
    )
    return {
        'two_way': identification.two_way(matrix),
        'fifty_way': identification.n_way(matrix, 50),
        'pixcorr': pixels.pixel_correlation(truth, images),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--first-seed', type=int, default=0)
    parser.add_argument('--trials', type=int, default=100)
    parser.add_argument('--epochs', type=int, default=12)
    parser.add_argument(
        '--arms',
        nargs='+',
        choices=ARMS,
        default=[*ARMS],
        help='D among them, which the others are compared with; of the last '
        'the ratio is told',
    )
    parser.add_argument('--workdir')
    parser.add_argument('--json')
    args = parser.parse_args()
    if 'D' not in args.arms:
        parser.error('give D among the --arms: it is what others gain over')
    jax.config.update(
        'jax_compilation_cache_dir', str(files.cache_folder('compiled'))
    )
    with tempfile.TemporaryDirectory() as temporary:
        workdir = pathlib.Path(args.workdir or temporary)
        results = {arm: [] for arm in args.arms}
        for seed in range(args.first_seed, args.first_seed + args.seeds):
            config = small_config(seed, args.epochs, args.trials)
            data = experiment.open_data(config)
            first = None
            for arm in args.arms:
                pictures_weight, fmri_weight, draws = ARMS[arm]
                with config.unlocked():
                    config.decoder.encoder_decoder = pictures_weight
                    config.decoder.decoder_encoder = fmri_weight
                    config.decoder.pictures_draws = draws
                folder = workdir / f'{seed}-{arm}'
                scores, seconds = run_arm(config, data, folder, first)
                first = first or folder
                results[arm].append(scores)
                print(
                    f'seed {seed}  {arm:10s}'
                    + ''.join(
                        f'  {k} {v.mean():.3f}' for k, v in scores.items()
                    )
                    + f'  {seconds:.0f} s',
                    flush=True,
                )
    report(args, results)


def report(args, results):
    table = {}
    print(f'\n{"":10s}  {"two-way":>24s}  {"fifty-way":>24s}  {"pixcorr":>24s}')
    for arm, seeds in results.items():
        pooled = {
            k: np.concatenate([scores[k] for scores in seeds]) for k in seeds[0]
        }
        base = {
            k: np.concatenate([scores[k] for scores in results['D']])
            for k in pooled
        }
        table[arm] = {}
        row = f'{arm:10s}'
        for k, values in pooled.items():
            low, high = intervals.interval(values - base[k])
            gain = float(np.mean(values - base[k]))
            table[arm][k] = {
                'value': float(values.mean()),
                'by_seed': [float(scores[k].mean()) for scores in seeds],
                'gain_over_D': gain,
                'low': float(low),
                'high': float(high),
            }
            row += (
                f'  {values.mean():.3f} ({gain:+.3f}: {low:+.3f} {high:+.3f})'
            )
        print(row)
    ours, peer = (
        table[arm]['two_way']['value'] for arm in (args.arms[-1], 'D')
    )
    result = {
        'name': f'cycles, {args.arms[-1]}',
        'unit': 'identification accuracy',
        'ours': ours,
        'peer': peer,
        'peer_name': 'D alone',
        'ratio': ours / peer,
        'accuracy': table,
        'simulated': True,
        'trials': args.trials,
        'seeds': args.seeds,
    }
    write_result(args.json, result)


if __name__ == '__main__':
    main()

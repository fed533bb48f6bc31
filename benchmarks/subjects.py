"""Do subjects with few trials gain by encoders with one body?

    python benchmarks/subjects.py --json subjects.json

Simulated subjects look at different scenes with voxels of their own, each with
few paired trials. Their encoders are trained apart, or together with one body
(`config.recording.others`), in the same number of steps, on the same batches of
each subject. Prints the correlation of predicted and measured test responses:
over pictures, the mean of voxels, and over voxels, of each picture; differences
of the latter have 95 % intervals (bootstrap over test pictures, subjects and
seeds pooled). With --decode the first subject's decoder is trained on each
encoder (D + ED), and its pictures are scored.
"""

import argparse
import pathlib
import tempfile

import jax
import numpy as np
from common import write_result
from cycles import score_pictures, small_config
from ml_collections import ConfigDict, FrozenConfigDict

from brainjax.evaluation import intervals
from brainjax.evaluation.voxels import encoding
from brainjax.io import files
from brainjax.methods.data import load_pictures, prepare
from brainjax.methods.selfsup import method, networks, subjects, training
from brainjax.methods.selfsup.data import split
from brainjax.simulation import subject

ARMS = ('apart', 'together')
FIRST = {'apart': 'apart-0', 'together': 'together'}  # Has the first's encoder.
VOXELS = {'V1': 120, 'V2': 80, 'V3': 30, 'V4': 30, 'HVC': 40}
APART = 1000  # Between the seeds of the subjects: other voxels and scenes.


def quick(seed, args):
    """The demo's encoder at 32 px, narrow, of fewer voxels."""
    config = small_config(seed, args.epochs, args.trials)
    with config.unlocked():
        config.simulated.voxels = ConfigDict(VOXELS)
        config.encoder.width = 0.25
        config.encoder.batch = 16
        config.encoder.epochs = 6
        config.encoder.drops = ((4, 0.3), (5, 0.3))
        config.encoder.select = 'last'
        config.simulated.n_unpaired_fmri = 0
        config.references = config.ceilings = False
        if not args.decode:
            config.pictures.number = 8
    return FrozenConfigDict(config)


def recordings(config, seed, args):
    return [
        subject.simulated_subject(
            size=config.size, seed=seed + APART * i, **config.simulated
        )
        for i in range(args.subjects)
    ]


def encoders(config, data, folder):
    """Trains an encoder, with `data.others`; returns all subjects' fMRI."""
    parts = split(data, config)
    backbone = networks.load_backbone(config.encoder, config.seed)
    module = networks.build_encoder(config, data.recording.voxels)
    # Where a fit of the decoder looks for it.
    folder = folder / 'checkpoints' / 'encoder'
    variables, _ = training.fit_encoder(config, module, backbone, parts, folder)
    modules = subjects.modules(module, parts.others)
    every = [data.recording, *data.others]
    found = []
    for recording, (name, own) in zip(every, modules.items()):
        test = prepare(recording, data.pictures).test
        frozen = {
            'encoder': subjects.of(variables, name),
            'encoder_backbone': backbone,
        }
        shown = recording.stimuli.images[test.stimulus]
        predicted = networks.predict(config, own, frozen, shown)
        r = encoding.voxel_correlation(predicted, test.fmri)
        found.append((float(r.mean()), _rows(predicted, test.fmri)))
    return found


def _rows(a, b):
    return np.array([np.corrcoef(x, y)[0, 1] for x, y in zip(a, b)])


def run_seed(seed, args, folder):
    """Returns arm -> (voxels, patterns) of each subject; arm -> decoding."""
    config = quick(seed, args)
    every = recordings(config, seed, args)
    unpaired, *_ = load_pictures(config)
    found, decoded = {arm: [] for arm in ARMS}, {}
    for i, recording in enumerate(every):
        data = prepare(recording, unpaired)
        found['apart'] += encoders(config, data, folder / f'apart-{i}')
    data = {
        'apart': prepare(every[0], unpaired),
        'together': prepare(every[0], unpaired, others=every[1:]),
    }
    found['together'] = encoders(config, data['together'], folder / 'together')
    if args.decode:
        for arm in ARMS:
            fitted = method.fit(data[arm], config, folder / FIRST[arm])
            decoded[arm] = score_pictures(fitted, data[arm], config)
    return found, decoded


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--first-seed', type=int, default=0)
    parser.add_argument('--subjects', type=int, default=3)
    parser.add_argument('--trials', type=int, default=100)
    parser.add_argument('--epochs', type=int, default=6)
    parser.add_argument('--decode', action='store_true')
    parser.add_argument('--json')
    args = parser.parse_args()
    jax.config.update(
        'jax_compilation_cache_dir', str(files.cache_folder('compiled'))
    )
    results = []
    with tempfile.TemporaryDirectory() as temporary:
        for seed in range(args.first_seed, args.first_seed + args.seeds):
            found, decoded = run_seed(
                seed, args, pathlib.Path(temporary, str(seed))
            )
            results.append((found, decoded))
            for arm, of in found.items():
                values = ' '.join(f'{voxels:.3f}' for voxels, _ in of)
                print(
                    f'seed {seed}  {arm:9s} over pictures {values}', flush=True
                )
    report(args, results)


def report(args, results):
    table = {}
    patterns = {
        arm: np.concatenate([p for f, _ in results for _, p in f[arm]])
        for arm in ARMS
    }
    for arm in ARMS:
        voxels = [[v for v, _ in f[arm]] for f, _ in results]
        table[arm] = {
            'encoder_correlation': float(np.mean(voxels)),
            'by_seed_and_subject': voxels,
            'over_voxels': float(patterns[arm].mean()),
        }
    gain = patterns['together'] - patterns['apart']
    low, high = intervals.interval(gain)
    table['together'] |= {
        'gain_over_voxels': float(gain.mean()),
        'low': float(low),
        'high': float(high),
    }
    if args.decode:
        for name in ('two_way', 'fifty_way', 'pixcorr'):
            pair = [
                np.concatenate([d[arm][name] for _, d in results])
                for arm in ARMS
            ]
            low, high = intervals.interval(pair[1] - pair[0])
            table[name] = {
                **{arm: float(x.mean()) for arm, x in zip(ARMS, pair)},
                'gain_by_seed': [
                    float((d['together'][name] - d['apart'][name]).mean())
                    for _, d in results
                ],
                'gain': float((pair[1] - pair[0]).mean()),
                'low': float(low),
                'high': float(high),
            }
    for name, row in table.items():
        print(name, row)
    ours, peer = (table[a]['encoder_correlation'] for a in reversed(ARMS))
    write_result(
        args.json,
        {
            'name': 'subjects',
            'unit': 'correlation of predicted and measured responses',
            'ours': ours,
            'peer': peer,
            'peer_name': 'encoders trained apart',
            'ratio': ours / peer,
            'accuracy': table,
            'simulated': True,
            'subjects': args.subjects,
            'trials': args.trials,
            'seeds': args.seeds,
        },
    )


if __name__ == '__main__':
    main()

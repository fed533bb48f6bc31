"""The GLM of a face-viewing subject: memory, time and exactness.

    python benchmarks/face_glm.py --runs 16 --voxels 2000 --json out.json
    python benchmarks/face_glm.py --runs 100 --voxels 50000 --no-peer

Simulated runs of 200 volumes, 85 new faces, 11 of 20 test faces and one
imagery trial, the same signal and white noise for both sides. The peer is one
least-squares problem of all volumes at once, NumPy's in float64, with each
run's drifts and motion as columns; at the size of a subject it needs 20 GB and
more. Times are of the fit, without drawing. Each side runs in a process of its
own with the same CPUs. It needs the extra `bids`.
"""

import argparse
import pathlib
import resource
import sys
import time

import numpy as np
from common import Side, write_result

VOLUMES, SECONDS, FACES, TESTS, NOISE = 200, 2.0, 85, 20, 10.0


def simulate(options):
    """Yields regressors, nuisance and fMRI of each run; betas are normal."""
    from brainjax.recordings.formats.faces import runs as face_runs

    timing = face_runs.Timing(VOLUMES, SECONDS)
    columns = face_runs.Columns(options['latents'], TESTS)
    train = [f'F{i}' for i in range(FACES * options['runs'])]
    test = [f'M{i}' for i in range(TESTS)]
    latents = np.random.default_rng(0).standard_normal(
        (len(train), columns.latents), np.float32
    )
    betas = np.random.default_rng(1).standard_normal(
        (columns.count, options['voxels']), np.float32
    )
    for run in range(options['runs']):
        rng = np.random.default_rng([2, run])
        shown = [*train[FACES * run :][:FACES], *rng.choice(test, 11)]
        events = [
            face_runs.Event(6 + 3.0 * i, 3.0, name, name[0], part)
            for i, name in zip(
                np.sort(rng.permutation(126)[: len(shown)]),
                rng.permutation(shown),
            )
            for part in ['train' if name[0] == 'F' else 'test']
        ]
        events.append(face_runs.Event(3.0, 3.0, '', '', 'train'))
        events.append(face_runs.Event(387.0, 12.0, '', '', ''))
        x = face_runs.design(events, train, test, latents, timing)
        nuisance = face_runs.drifts(timing, face_runs.HIGH_PASS)
        motion = rng.standard_normal((VOLUMES, 6))
        fmri = rng.standard_normal((VOLUMES, options['voxels']), np.float32)
        fmri *= NOISE
        fmri += 1000 + np.float32(x) @ betas
        yield x, np.concatenate([nuisance, motion], axis=1), fmri


def ours(options):
    def fit():
        from brainjax.methods.faces import glm as face_glm
        from brainjax.recordings.formats.faces.runs import Columns

        drawing = 0.0

        def runs():
            nonlocal drawing
            source = simulate(options)
            while True:
                begin = time.perf_counter()
                run = next(source, None)
                drawing += time.perf_counter() - begin
                if run is None:
                    return
                yield run

        begin = time.perf_counter()
        found = face_glm.fit(runs(), Columns(options['latents'], TESTS))
        seconds = time.perf_counter() - begin - drawing
        return seconds, found.weights[:, : options['compared']], peak()

    return {'fit': fit}


def peer(options):
    def fit():
        x, nuisance, fmri = zip(*simulate(options))
        width = nuisance[0].shape[1]
        shared = x[0].shape[1]
        design = np.zeros((VOLUMES * len(x), shared + width * len(x)))
        for i, (own, drift) in enumerate(zip(x, nuisance)):
            rows = slice(VOLUMES * i, VOLUMES * (i + 1))
            design[rows, :shared] = own
            start = shared + width * i
            design[rows, start : start + width] = drift
        y = np.concatenate(fmri).astype(np.float64)
        begin = time.perf_counter()
        betas = np.linalg.lstsq(design, y, rcond=None)[0]
        seconds = time.perf_counter() - begin
        rows = options['latents'] + 1
        return seconds, betas[:rows, : options['compared']], peak()

    return {'fit': fit}


def peak() -> float:
    """Returns the most memory that this process ever held, in GiB."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / (2**30 if sys.platform == 'darwin' else 2**20)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--runs', type=int, default=16)
    parser.add_argument('--voxels', type=int, default=2000)
    parser.add_argument('--latents', type=int, default=1024)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--no-peer', action='store_true')
    parser.add_argument('--json', type=pathlib.Path)
    known = parser.parse_args()
    options = vars(known) | {'compared': 500}
    results = {}
    for name, make in (('ours', ours), ('peer', peer)):
        if name == 'peer' and known.no_peer:
            continue
        side = Side(name, make, options)
        results[name] = side('fit')
        side.close()
        seconds, _, memory = results[name]
        print(f'{name}: {seconds:.1f} s, at most {memory:.2f} GiB')
    seconds, weights, memory = results['ours']
    result = {
        'name': 'face_glm',
        'unit': 's',
        'ours': seconds,
        'ours_peak_gib': memory,
        'volumes': VOLUMES * known.runs,
        'voxels': known.voxels,
        'latents': known.latents,
        'threads': known.threads,
    }
    if 'peer' in results:
        seconds, theirs, memory = results['peer']
        off = float(np.abs(weights - theirs).max() / np.abs(theirs).max())
        print(f'largest difference {off:.1e} of the largest beta')
        result |= {
            'peer': seconds,
            'peer_name': 'numpy.linalg.lstsq',
            'peer_peak_gib': memory,
            'ratio': seconds / result['ours'],
            'accuracy': off,
        }
    write_result(known.json, result)


if __name__ == '__main__':
    main()

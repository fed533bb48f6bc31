"""The ridge beside PyFastL2LiR, himalaya and scikit-learn, in one run.

    python benchmarks/ridge.py --peer-python PEER/bin/python --json ridge.json

The setting of Shen et al. 2019 in the size of Generic Object Decoding: 1200
trials, 4500 voxels, 50 patterns to decode, 2000 units with 500 voxels each,
float32; and without selection. The arrays are simulated. Each side has a
process and the same threads, and they take turns: with one thread, and with as
many as there are cores. The peers run in an environment of their own, since
PyFastL2LiR's selection fails on NumPy 2.4:

    python -m venv PEER
    PEER/bin/pip install 'numpy<2.4' fastl2lir himalaya scikit-learn scipy

PyFastL2LiR takes as long for each unit and can be given fewer of them
(--peer-units); what is compared are units a second.
"""

import argparse
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np
from common import REPOSITORY, write_result

ALL_UNITS = 14_861_288  # Of the 19 layers of VGG19.
ALPHA = 100.0


def simulate(options) -> dict[str, np.ndarray]:
    """Features of which sparse voxels carry mixtures, with noise."""
    rng = np.random.default_rng(0)
    n, v, u = options.trials, options.voxels, options.units
    latent = rng.normal(size=(n + options.test, 60)).astype(np.float32)
    fmri = latent @ rng.normal(size=(60, v)).astype(np.float32)
    fmri += 8 * rng.normal(size=fmri.shape).astype(np.float32)
    features = latent @ rng.normal(size=(60, u)).astype(np.float32)
    features += rng.normal(size=features.shape).astype(np.float32)
    fmri = (fmri - fmri[:n].mean(0)) / fmri[:n].std(0, ddof=1)
    features = features[:n]
    features = (features - features.mean(0)) / features.std(0, ddof=1)
    return {'train': fmri[:n], 'test': fmri[n:], 'features': features}


def ours(arrays, k):
    from brainjax.linear import ridge

    prepared = ridge.prepare(arrays['train'], k=k, alpha=ALPHA)
    return ridge.decode(prepared, arrays['test'], arrays['features'])


def fastl2lir(arrays, k):
    from fastl2lir import FastL2LiR

    model = FastL2LiR()
    model.fit(
        arrays['train'],
        arrays['features'],
        alpha=ALPHA,
        n_feat=k,
        dtype=np.float32,
    )
    return model.predict(arrays['test'])


def himalaya(arrays, k):
    del k
    from himalaya.kernel_ridge import KernelRidge
    from himalaya.ridge import Ridge

    rows, voxels = arrays['train'].shape
    kind = KernelRidge if rows < voxels else Ridge
    model = kind(alpha=ALPHA).fit(arrays['train'], arrays['features'])
    return model.predict(arrays['test'])


def sklearn(arrays, k):
    del k
    from sklearn.linear_model import Ridge

    model = Ridge(alpha=ALPHA, solver='cholesky')
    model.fit(arrays['train'], arrays['features'])
    return model.predict(arrays['test'])


SIDES = {f.__name__: f for f in (ours, fastl2lir, himalaya, sklearn)}


def work(side: str, path: str, k: int, units: int, out: str) -> None:
    """Runs one side in this process and writes what it found."""
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays['features'] = arrays['features'][:, :units]
    small = arrays | {
        'train': arrays['train'][:40, :60],
        'test': arrays['test'][:, :60],
        'features': arrays['features'][:40, :2],
    }
    SIDES[side](small, min(k, 20))  # Imports and first calls are not timed.
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    predicted = SIDES[side](arrays, k)
    seconds = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    np.savez(
        out,
        predicted=predicted,
        seconds=seconds,
        peak_mib=after / 2**10,
        more_mib=(after - before) / 2**10,
    )


def run_side(options, threads, side, path, k, units, folder):
    """Runs one side in a process of its own."""
    out = folder / f'{side}.npz'
    python = sys.executable if side == 'ours' else options.peer_python
    names = ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS')
    subprocess.run(
        [
            *(python, __file__, '--work', side, str(path), str(k)),
            *(str(units), str(out)),
        ],
        check=True,
        env={
            **os.environ,
            **dict.fromkeys(names, str(threads)),
            'PYTHONPATH': str(REPOSITORY),
        },
    )
    with np.load(out) as found:
        return {name: found[name] for name in found.files}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--peer-python', default=sys.executable)
    parser.add_argument('--trials', type=int, default=1200)
    parser.add_argument('--voxels', type=int, default=4500)
    parser.add_argument('--units', type=int, default=2000)
    parser.add_argument('--peer-units', type=int, default=2000)
    parser.add_argument('--test', type=int, default=50)
    parser.add_argument('--k', type=int, default=500)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--threads', type=int, default=os.cpu_count())
    parser.add_argument('--json')
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        path = folder / 'arrays.npz'
        np.savez(path, **simulate(options))
        found = {
            threads: measure(options, threads, path, folder)
            for threads in sorted({1, options.threads})
        }
    best = found[options.threads]
    first = best['sides'][f'ours, k={options.k}']
    peer = best['sides'][f'fastl2lir, k={options.k}']
    hours = ALL_UNITS / first['units_per_second'] / 3600
    result = {
        'name': 'ridge',
        'unit': 'units a second, k voxels selected for each',
        'ours': first['units_per_second'],
        'peer': peer['units_per_second'],
        'peer_name': 'PyFastL2LiR 0.11',
        'ratio': best['selected'],
        'ratio_without_selection': best['whole'],
        'ratio_per_core': found[1]['selected'],
        'ratio_per_core_without_selection': found[1]['whole'],
        'ratio_meaning': 'ours / peer: above 1, brainjax is faster',
        'accuracy': peer['largest_difference'],
        'hours_for_all_units': hours,
        'threads': options.threads,
        'sides': {threads: each['sides'] for threads, each in found.items()},
        'simulated': True,
    }
    for threads, each in found.items():
        print(
            f'{threads} threads: {each["selected"]:.2f} times PyFastL2LiR; '
            f'without selection {each["whole"]:.2f} times the best peer'
        )
    print(f'all {ALL_UNITS} units in {hours:.1f} h')
    write_result(options.json, result)


def measure(options, threads, path, folder):
    """Runs all sides with so many threads; returns them and both ratios."""
    rows = {}
    for k, sides in (
        (options.k, ('ours', 'fastl2lir')),
        (0, ('ours', 'himalaya', 'sklearn')),
    ):
        runs = {side: [] for side in sides}
        units = {side: options.units for side in sides}
        if k:
            units['fastl2lir'] = options.peer_units
        for _ in range(options.rounds):
            for side in sides:
                runs[side].append(
                    run_side(
                        options, threads, side, path, k, units[side], folder
                    )
                )
        for side, found in runs.items():
            seconds = float(np.median([x['seconds'] for x in found]))
            n = min(units['ours'], units[side])
            a, b = (x[0]['predicted'][:, :n] for x in (found, runs['ours']))
            row = rows[f'{side}, k={k}'] = {
                'units_per_second': units[side] / seconds,
                'seconds': seconds,
                'units': units[side],
                'peak_mib': float(found[0]['peak_mib']),
                'more_mib': float(found[0]['more_mib']),
                'largest_difference': float(np.abs(a - b).max()),
            }
            print(
                f'{threads} threads {side:10s} k={k:<5d}'
                f'{row["units_per_second"]:12.1f} units/s  '
                f'peak {row["peak_mib"]:7.0f} MiB  '
                f'difference {row["largest_difference"]:.1e}',
                flush=True,
            )

    def rate(side, k):
        return rows[f'{side}, k={k}']['units_per_second']

    selected = rate('ours', options.k) / rate('fastl2lir', options.k)
    best = max(rate('himalaya', 0), rate('sklearn', 0))
    return {
        'sides': rows,
        'selected': selected,
        'whole': rate('ours', 0) / best,
    }


if __name__ == '__main__':
    if sys.argv[1:2] == ['--work']:
        work(
            sys.argv[2],
            sys.argv[3],
            int(sys.argv[4]),
            int(sys.argv[5]),
            sys.argv[6],
        )
    else:
        main()

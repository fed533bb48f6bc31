"""Scores of features and classes: how fast, beside bdpy.

    python benchmarks/evaluation.py --json evaluation.json

Profile correlation and pairwise identification of 1000 decoded patterns
against 1000 true ones of 4096 units, beside bdpy 0.26 in the same process and
with the same number of threads, taken in turns; medians. Then the same scores
of 1500 patterns of 426,000 units mapped from files and a gallery of 50,000
pictures, with the memory they take, and the 1000-way classification of 50
reconstructions against 1000 classes of 100 pictures. Without bdpy, or without
AlexNet's weights, that part is left out (random weights take as long).
"""

import argparse
import os
import pathlib
import resource
import statistics
import sys
import tempfile
import threading
import time

from common import write_result


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--json', metavar='OUT')
    parser.add_argument('--threads', type=int, default=os.cpu_count())
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument(
        '--large', action='store_true', help='the large scores too'
    )
    parser.add_argument(
        '--classes', action='store_true', help='the classification too'
    )
    return parser.parse_args()


def beside_bdpy(repeats: int) -> list[dict]:
    """Times both scores of the same arrays, ours and bdpy's in turns."""
    import numpy as np
    from bdpy.evals import metrics

    from brainjax.evaluation import features, identification

    generator = np.random.default_rng(0)
    true = generator.normal(size=(1000, 4096))
    decoded = true + 4 * generator.normal(size=true.shape)

    def identify(decoded, true):
        matrix = identification.similarity(decoded, true)
        # bdpy compares each decoded pattern, its first axis, with all true
        # ones; so do we, with decoded patterns in columns.
        return identification.two_way(matrix.T)

    results = []
    for name, ours, theirs in (
        (
            'profile correlation',
            features.profile_correlation,
            metrics.profile_correlation,
        ),
        ('pairwise identification', identify, metrics.pairwise_identification),
    ):
        found = {}
        seconds = {'ours': [], 'theirs': []}
        for _ in range(repeats):
            for who, function in (('ours', ours), ('theirs', theirs)):
                began = time.perf_counter()
                found[who] = np.ravel(function(decoded, true))
                seconds[who].append(time.perf_counter() - began)
        medians = {
            who: statistics.median(times) for who, times in seconds.items()
        }
        results.append(
            {
                'name': name,
                'unit': 's',
                'ours': medians['ours'],
                'peer': medians['theirs'],
                'peer_name': 'bdpy 0.26',
                'ratio': medians['theirs'] / medians['ours'],
                'accuracy': float(
                    np.abs(found['ours'] - found['theirs']).max()
                ),
            }
        )
    return results


def large(pictures=1500, units=426_000, gallery=50_000, gallery_units=4096):
    """Times scores of arrays larger than what they need of memory."""
    import numpy as np

    from brainjax.evaluation import features, identification

    generator = np.random.default_rng(0)

    def mapped(folder, name, shape):
        array = np.lib.format.open_memmap(
            pathlib.Path(folder, name), 'w+', np.float32, shape
        )
        for start in range(0, shape[0], 256):
            part = array[start : start + 256]
            part[:] = generator.standard_normal(part.shape, np.float32)
        return array

    results = []
    with tempfile.TemporaryDirectory() as folder:
        true = mapped(folder, 'true.npy', (pictures, units))
        decoded = mapped(folder, 'decoded.npy', (pictures, units))
        others = mapped(folder, 'gallery.npy', (gallery, gallery_units))
        for name, function in (
            (
                f'profile correlation, {pictures} x {units}',
                lambda: features.profile_correlation(decoded, true),
            ),
            (
                f'two-way identification, {pictures} x {units}',
                lambda: identification.two_way(
                    identification.similarity(true, decoded)
                ),
            ),
            (
                f'{gallery}-picture gallery, {pictures} x {gallery_units}',
                lambda: identification.gallery_rank(
                    true[:, :gallery_units], decoded[:, :gallery_units], others
                ),
            ),
        ):
            began = time.perf_counter()
            peak = peak_of(function)
            results.append(
                {
                    'name': name,
                    'unit': 's',
                    'ours': time.perf_counter() - began,
                    'peak_gib': peak,
                }
            )
    return results


def peak_of(function) -> float:
    """Runs a function; returns the most memory seen meanwhile, in GiB."""
    seen, done = [anonymous()], threading.Event()

    def watch():
        while not done.wait(0.02):
            seen.append(anonymous())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        function()
    finally:
        done.set()
        watcher.join()
    return max(seen)


def anonymous() -> float:
    """GiB of memory in use that no file backs, or the peak elsewhere."""
    try:
        status = pathlib.Path('/proc/self/status').read_text()
        kilobytes = int(status.partition('RssAnon:')[2].split()[0])
    except (OSError, IndexError, ValueError):
        kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes / 2**20


def classes(number=1000, examples=100, reconstructions=50) -> list[dict]:
    """Times the embedding of a class bank and the classification."""
    import jax
    import numpy as np

    from brainjax.errors import InputError
    from brainjax.evaluation import classification
    from brainjax.networks import weights
    from brainjax.networks.backbones import BACKBONES

    try:
        embed = classification.alexnet_embedding()
        which = 'published'
    except InputError:
        weights.load = lambda name: BACKBONES['alexnet'].init(jax.random.key(0))
        embed = classification.alexnet_embedding()
        which = 'random'
    generator = np.random.default_rng(0)
    shape = (classification.BATCH, classification.SIZE, classification.SIZE, 3)
    images = generator.integers(256, size=shape, dtype=np.uint8)
    embed(images)
    batches = -(-number * examples // classification.BATCH)
    measured = min(batches, 40)
    began = time.perf_counter()
    for _ in range(measured):
        rows = embed(images)
    seconds = (time.perf_counter() - began) * batches / measured
    means = generator.normal(size=(number, rows.shape[1])).astype(np.float32)
    bank = classification.Bank(
        tuple(f'n{i:08d}' for i in range(number)),
        means,
        np.full(number, examples),
    )
    began = time.perf_counter()
    classification.classify(
        embed(images)[:reconstructions], bank.names[:reconstructions], bank
    )
    return [
        {
            'name': f'embed {number} classes x {examples} pictures at 112 px',
            'unit': 's',
            'ours': seconds,
            'note': f'from {measured} of {batches} batches, {which} weights',
        },
        {
            'name': f'classify {reconstructions} among {number}',
            'unit': 's',
            'ours': time.perf_counter() - began,
        },
    ]


def main() -> None:
    known = arguments()
    if hasattr(os, 'sched_setaffinity'):  # For all that computes.
        os.sched_setaffinity(
            0, sorted(os.sched_getaffinity(0))[: known.threads]
        )
    for name in ('OMP', 'OPENBLAS', 'MKL'):
        os.environ[f'{name}_NUM_THREADS'] = str(known.threads)
    results = []
    try:
        results += beside_bdpy(known.repeats)
    except ImportError:
        print('bdpy is not installed: no comparison', file=sys.stderr)
    if known.large:
        results += large()
    if known.classes:
        results += classes()
    for result in results:
        result['threads'] = known.threads
        print(
            ', '.join(
                f'{key} {value:.4g}' if isinstance(value, float) else str(value)
                for key, value in result.items()
                if key != 'unit'
            )
        )
    write_result(known.json, results)


if __name__ == '__main__':
    main()

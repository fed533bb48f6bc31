"""A full-size subject left on disk: opening, memory, and an epoch's speed.

    python benchmarks/nsd.py --json nsd.json

Simulates a subject of the Natural Scenes Dataset in its own files, 40 sessions
of 750 trials over 15,625 voxels (int16), opens it with `nsd.read`, which
z-scores within sessions, and draws one epoch of shuffled batches of 64 through
the threads that feed training. The peer reads the same files from beginning to
end and does nothing with them. Every measurement is a process of its own, whose
highest resident memory is noted; 'cold' means that the system was told to
forget the files before. Medians of five epochs. What no shuffled epoch can pass
is told too: the same rows read in a random order, asked for 512 at a time, and
nothing done with them.

The simulated volumes are cubes full of wanted voxels. Real ones hold 45 times
as many, so the first opening of a real subject takes as long as reading its
42 GB; later ones do not depend on that.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
from common import write_result

from brainjax.io import provenance
from brainjax.recordings import Recording, Stimuli, Trials, on_disk
from brainjax.recordings.formats import nsd
from brainjax.recordings.formats.nsd.writing import PERCENT
from brainjax.training.batches import indices, prefetch

SESSIONS, TRIALS, VOXELS = 40, 750, 15625
PICTURES, SHARED, REPEATS = 10000, 1000, 3
BATCH = 64
EPOCHS = 5


def simulate(folder, sessions, trials, voxels):
    """Writes a subject under folder/nsd; returns its first batch's values."""
    rng = np.random.default_rng(0)
    tables = []
    for i in range(sessions):
        path = folder / f'numbers{i}.npy'
        gain = rng.uniform(50, 300, voxels)
        numbers = rng.standard_normal((trials, voxels), np.float32) * gain
        np.save(path, (numbers + 200).astype(np.int16))
        tables.append(on_disk.open_table(path))
    scale = np.full((sessions, voxels), 1 / PERCENT)
    fmri = on_disk.whole_tables(tuple(tables), scale, 0 * scale)
    number = sessions * trials // REPEATS
    shared = SHARED * number // PICTURES
    stimulus = rng.permutation(np.repeat(np.arange(number), REPEATS))
    session = np.repeat(np.arange(1, sessions + 1), trials)

    def part(which):
        rows = np.flatnonzero(which)
        return Trials(
            fmri.take(rows, axis=0),
            np.int32(stimulus[rows]),
            session=session[rows],
        )

    nsd.write(
        Recording(
            subject='subj01',
            train=part(stimulus >= shared),
            test=part(stimulus < shared),
            stimuli=Stimuli(
                None, tuple(f'nsd-{i:05d}' for i in range(1, number + 1))
            ),
            rois={},
            source='simulated',
            simulated=True,
        ),
        folder / 'nsd',
    )
    for table in tables:
        table.path.unlink()


def tables_of(recording):
    return [pathlib.Path(t.path) for t in recording.train.fmri.tables]


def forget(paths):
    """Has the system drop what it keeps of files in memory."""
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)


def error_of(recording):
    """Largest error of z-scores in the last session, against NumPy."""
    fmri = recording.train.fmri
    last = np.flatnonzero(fmri.table == len(fmri.tables) - 1)
    numbers = np.load(fmri.tables[-1].path)[fmri.row[last]].astype(np.float64)
    expected = (numbers - numbers.mean(axis=0)) / numbers.std(axis=0)
    return float(np.abs(fmri[last] - expected).max())


def epoch(recording, seed):
    """Draws every training trial once; returns bytes of numbers and seconds."""
    fmri = recording.train.fmri
    steps = len(fmri) // BATCH

    def batch_at(step):
        return fmri[indices(seed, 2, len(fmri), step, BATCH)]

    began = time.perf_counter()
    for _ in prefetch(batch_at, 0, steps):
        pass
    seconds = time.perf_counter() - began
    return steps * BATCH * fmri.tables[0].row_bytes, seconds


def sequential(paths):
    """Reads files from beginning to end; returns bytes and seconds."""
    buffer = bytearray(2**23)
    size = 0
    began = time.perf_counter()
    for path in paths:
        with open(path, 'rb', buffering=0) as stream:
            while n := stream.readinto(buffer):
                size += n
    return size, time.perf_counter() - began


def scattered(paths, trials, row_bytes, seed):
    """Reads rows in a random order; returns bytes and seconds."""
    rng = np.random.default_rng(seed)
    rows = [
        (path, os.path.getsize(path) - (trials - i) * row_bytes)
        for path in paths
        for i in range(trials)
    ]
    order = rng.permutation(len(rows))
    began = time.perf_counter()
    handles = {path: os.open(path, os.O_RDONLY) for path in paths}
    for start in range(0, len(rows), 512):
        places = [rows[i] for i in order[start : start + 512]]
        for path, place in places:
            os.posix_fadvise(
                handles[path], place, row_bytes, os.POSIX_FADV_WILLNEED
            )
        for path, place in places:
            os.pread(handles[path], row_bytes, place)
    seconds = time.perf_counter() - began
    for handle in handles.values():
        os.close(handle)
    return len(rows) * row_bytes, seconds


def peak_rss():
    """Bytes; getrusage would give the parent's peak where that is higher."""
    status = pathlib.Path('/proc/self/status').read_text()
    line = next(x for x in status.splitlines() if x.startswith('VmHWM:'))
    return 1024 * int(line.split()[1])


def child(what, root):
    """Measures one thing in this process."""
    began = time.perf_counter()
    recording = nsd.read(root)
    result = {
        'open_seconds': time.perf_counter() - began,
        'shape': recording.train.fmri.shape,
        'cache': [str(path) for path in tables_of(recording)],
    }
    if what == 'stream':
        result |= {'cold': [], 'warm': []}
        for seed in range(EPOCHS):
            for kind in ('cold', 'warm'):
                if kind == 'cold':
                    forget(tables_of(recording))
                result[kind].append(epoch(recording, seed))
    result['peak_rss_bytes'] = peak_rss()
    if what == 'accuracy':
        result['error'] = error_of(recording)
    return result


def measured(what, root, cache):
    """Runs `child` in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, '--child', what, str(root)],
        env={**os.environ, 'BRAINJAX_CACHE': str(cache)},
        check=True,
        stdout=subprocess.PIPE,
    )
    return json.loads(done.stdout)


def speed(parts):
    """Median of megabytes a second."""
    return statistics.median(size / seconds / 1e6 for size, seconds in parts)


def measure(sessions, trials, voxels, folder):
    began = time.perf_counter()
    simulate(folder, sessions, trials, voxels)
    simulating = time.perf_counter() - began
    root, cache = folder / 'nsd', folder / 'cache'
    first = measured('open', root, cache)
    later = [measured('open', root, cache) for _ in range(3)]
    stream = measured('stream', root, cache)
    paths = [pathlib.Path(p) for p in first['cache']]
    peer = {'cold': [], 'warm': [], 'scattered': []}
    for seed in range(EPOCHS):
        forget(paths)
        peer['cold'].append(sequential(paths))
        peer['warm'].append(sequential(paths))
        forget(paths)
        peer['scattered'].append(scattered(paths, trials, 2 * voxels, seed))
    ours = speed(stream['cold'])
    disk = speed(peer['cold'])
    return {
        'name': 'nsd',
        'unit': 'MB/s of an epoch of shuffled batches, files not in memory',
        'ours': ours,
        'peer': disk,
        'peer_name': 'the same files read from beginning to end',
        'ratio': ours / disk,
        'ratio_meaning': 'ours / peer: 1 is the speed of the disk',
        'scattered': speed(peer['scattered']),
        'accuracy': measured('accuracy', root, cache)['error'],
        'accuracy_meaning': 'largest error of a z-score against NumPy',
        'simulated': True,
        'sessions': sessions,
        'trials': sessions * trials,
        'training_trials': first['shape'][0],
        'voxels': first['shape'][1],
        'bytes': sum(path.stat().st_size for path in paths),
        'simulate_seconds': simulating,
        'first_open_seconds': first['open_seconds'],
        'first_open_peak_rss_bytes': first['peak_rss_bytes'],
        'open_seconds': statistics.median(x['open_seconds'] for x in later),
        'open_peak_rss_bytes': max(x['peak_rss_bytes'] for x in later),
        'stream_peak_rss_bytes': stream['peak_rss_bytes'],
        'epoch_seconds_cold': statistics.median(s for _, s in stream['cold']),
        'epoch_seconds_warm': statistics.median(s for _, s in stream['warm']),
        'warm': {'ours': speed(stream['warm']), 'peer': speed(peer['warm'])},
        'versions': provenance.versions(),
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument('--sessions', type=int, default=SESSIONS)
    parser.add_argument('--trials', type=int, default=TRIALS)
    parser.add_argument('--voxels', type=int, default=VOXELS)
    parser.add_argument('--folder', help='where the 3 GB go for a while')
    parser.add_argument('--json', help='file to write')
    parser.add_argument('--child', nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(child(*options.child)))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        result = measure(
            options.sessions,
            options.trials,
            options.voxels,
            pathlib.Path(folder),
        )
    gib = 2**30
    print(
        f'{result["training_trials"]} of {result["trials"]} trials, '
        f'{result["voxels"]} voxels, {result["bytes"] / gib:.2f} GiB\n'
        f'first opening    {result["first_open_seconds"]:7.2f} s  '
        f'{result["first_open_peak_rss_bytes"] / gib:.2f} GiB\n'
        f'later openings   {result["open_seconds"]:7.2f} s  '
        f'{result["open_peak_rss_bytes"] / gib:.2f} GiB\n'
        f'an epoch, cold   {result["epoch_seconds_cold"]:7.2f} s  '
        f'{result["ours"]:.0f} MB/s; the disk {result["peer"]:.0f} MB/s, '
        f'{result["scattered"]:.0f} in random order\n'
        f'an epoch, warm   {result["epoch_seconds_warm"]:7.2f} s  '
        f'{result["warm"]["ours"]:.0f} MB/s; memory '
        f'{result["warm"]["peer"]:.0f} MB/s\n'
        f'streaming        {"":9}  '
        f'{result["stream_peak_rss_bytes"] / gib:.2f} GiB'
    )
    write_result(options.json, result)


if __name__ == '__main__':
    main()

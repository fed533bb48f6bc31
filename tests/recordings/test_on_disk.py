"""fMRI left on disk beside the same responses in memory."""

import dataclasses
import tracemalloc

import jax
import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.recordings import (
    Recording,
    Stimuli,
    Trials,
    average_repeats,
    normalise,
    on_disk,
    preparing,
    reliability,
    select_roi,
    split_trials,
    take_trials,
    take_voxels,
)
from brainjax.recordings.description import summary
from brainjax.recordings.on_disk import open_table, whole_tables

VOXELS = 11


def pair(folder, rows=(9, 16), seed=0, name='fmri', dtype=np.int16):
    """Returns stored fMRI of several tables, and its values in memory."""
    rng = np.random.default_rng(seed)
    numbers = [rng.integers(-900, 900, (n, VOXELS)).astype(dtype) for n in rows]
    tables = []
    for i, values in enumerate(numbers):
        np.save(folder / f'{name}{i}.npy', values)
        tables.append(open_table(folder / f'{name}{i}.npy'))
    scale = rng.uniform(0.001, 0.01, (len(rows), VOXELS))
    offset = rng.normal(size=(len(rows), VOXELS))
    eager = np.concatenate(
        [n * s + o for n, s, o in zip(numbers, scale, offset)]
    ).astype(np.float32)
    return whole_tables(tuple(tables), scale, offset), eager


def recordings(folder):
    """Returns one recording twice: on disk and in memory."""
    train, test = pair(folder), pair(folder, (6, 6), 1, 'test')
    unpaired = pair(folder, (5,), 2, 'unpaired')
    rng = np.random.default_rng(3)
    stimulus = rng.permutation(np.repeat(np.arange(10), 3)[:25])
    run = np.repeat(np.arange(5), 5)

    def recording(place):
        return Recording(
            subject='S1',
            train=Trials(train[place], np.int32(stimulus), run, run // 2),
            test=Trials(
                test[place],
                np.int32(10 + np.repeat([1, 0, 2], 4)),
                np.int32([1] * 6 + [9] * 6),
                np.int32([0] * 6 + [7] * 6),
            ),
            stimuli=Stimuli(None, tuple('abcdefghijklm')),
            rois={'V1': np.arange(VOXELS) < 4, 'V2': np.arange(VOXELS) > 6},
            source='S1',
            simulated=True,
            unpaired_fmri=unpaired[place],
        )

    return recording(0), recording(1)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(on_disk, 'BLOCK', 8 * VOXELS * 7)


@pytest.mark.parametrize(
    'rows',
    [
        slice(None),
        slice(20, 3, -4),
        [24, 0, 9, 8, 0],
        np.arange(25) % 3 == 0,
        np.array([[1, 20], [3, 4]]),
        -2,
        [],
    ],
    ids=str,
)
def test_rows_are_those_of_the_array(tmp_path, rows):
    lazy, eager = pair(tmp_path)
    rows = np.array(rows, int) if isinstance(rows, list) else rows
    found = lazy[rows]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, eager[rows], rtol=1e-6, atol=1e-6)


def test_it_looks_like_an_array(tmp_path):
    lazy, _ = pair(tmp_path, dtype=np.uint8)
    assert (lazy.shape, lazy.ndim, len(lazy)) == ((25, VOXELS), 2, 25)
    assert lazy.dtype == np.float32
    np.testing.assert_array_equal(np.asarray(lazy), lazy[:])
    np.testing.assert_array_equal(np.float64(lazy), np.float64(lazy[:]))
    assert '25 trials' in repr(lazy)
    with pytest.raises(IndexError):
        lazy[25]
    with pytest.raises(IndexError):
        lazy[:, 0]


def test_choosing_and_scaling_read_nothing(tmp_path):
    lazy, eager = pair(tmp_path)
    hidden = tmp_path / 'hidden'
    hidden.mkdir()
    for path in tmp_path.glob('*.npy'):
        path.rename(hidden / path.name)
    rows, voxels = np.array([20, 3, 3]), np.array([7, 0])
    chosen = lazy.take(rows, axis=0).take(voxels, axis=-1)
    scaled = on_disk.standardise(chosen, np.ones(2), np.full(2, 4.0))
    with pytest.raises(InputError, match=r'fmri.*cannot be read any more'):
        scaled[:]
    for path in hidden.glob('*.npy'):
        path.rename(tmp_path / path.name)
    np.testing.assert_array_equal(chosen[:], lazy[rows][:, voxels])
    np.testing.assert_allclose(
        scaled[:], (eager[rows][:, voxels] - 1) / 4, rtol=1e-6, atol=1e-6
    )


OPERATIONS = {
    'nothing': lambda r: r,
    'voxels': lambda r: take_voxels(r, np.array([3, 1, 9])),
    'a mask': lambda r: take_voxels(r, np.arange(VOXELS) % 2 == 0),
    'an ROI': lambda r: select_roi(r, 'V1|V2'),
    'normalised': normalise,
    'an ROI, normalised twice': lambda r: normalise(
        normalise(select_roi(r, 'V2'))
    ),
    'by run': lambda r: preparing.scale(r, 'run'),
    'by session': lambda r: preparing.scale(r, 'session'),
    'averaged': preparing.average_training,
    'reliable voxels': lambda r: preparing.select_voxels(r, n=5),
}


@pytest.mark.parametrize('operation', OPERATIONS)
def test_recordings_are_the_same(tmp_path, operation):
    lazy, eager = map(OPERATIONS[operation], recordings(tmp_path))
    found, wanted = (dict(summary(recording)) for recording in (lazy, eager))
    reliabilities = found.pop('reliability'), wanted.pop('reliability')
    assert found == wanted
    for a, b in zip(*map(jax.tree.leaves, reliabilities), strict=True):
        assert a == b or a == pytest.approx(b, rel=1e-5)
    for part in ('train', 'test', 'unpaired_fmri'):
        a, b = getattr(lazy, part), getattr(eager, part)
        if isinstance(a, Trials):
            for field in ('stimulus', 'run', 'session'):
                np.testing.assert_array_equal(
                    getattr(a, field), getattr(b, field)
                )
            a, b = a.fmri, b.fmri
        np.testing.assert_allclose(a[:], b, rtol=1e-5, atol=1e-5)
    assert isinstance(lazy.test.fmri, on_disk.StoredFmri)


@pytest.mark.parametrize(
    'function',
    [
        lambda t: average_repeats(t).fmri,
        reliability.snr_from_repeats,
        reliability.split_half,
        lambda t: reliability.noise_ceiling_from_repeats(t, 3),
        lambda t: split_trials(t, [1, 4])[0].fmri[:],
        lambda t: split_trials(t, [1, 4])[1].fmri[:],
        lambda t: take_trials(t, np.array([5, 5, 1])).fmri[:],
        lambda t: take_trials(t, slice(3, 9)).fmri[:],
    ],
)
def test_functions_of_trials_are_the_same(tmp_path, function):
    lazy, eager = recordings(tmp_path)
    a, b = function(lazy.train), function(eager.train)
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_averages_do_not_depend_on_blocks(tmp_path, monkeypatch):
    lazy, eager = recordings(tmp_path)
    small = average_repeats(lazy.train).fmri
    eager = dataclasses.replace(eager.train, fmri=lazy.train.fmri[:])
    monkeypatch.setattr(on_disk, 'BLOCK', 2**20)
    np.testing.assert_array_equal(small, average_repeats(eager).fmri)


def test_stimulus_blocks_hold_every_trial_once_and_stimuli_whole():
    rng = np.random.default_rng(0)
    stimulus = rng.integers(0, 40, 200) * 3
    known, count = np.unique(stimulus, return_counts=True)
    seen = []
    for place, rows, start in on_disk.stimulus_blocks(stimulus, 12):
        expected = np.repeat(known[place], count[place])
        np.testing.assert_array_equal(stimulus[rows], expected)
        np.testing.assert_array_equal(stimulus[rows][start], known[place])
        assert len(rows) <= max(12, count[place][0])
        seen.append(rows)
    assert len(seen) > 10
    np.testing.assert_array_equal(np.sort(np.concatenate(seen)), np.arange(200))


def test_mean_and_std_keep_their_digits(tmp_path):
    lazy, _ = pair(tmp_path)
    lazy = dataclasses.replace(lazy, offset=lazy.offset + 1e4)
    mean, deviation = on_disk.mean_and_std(lazy)
    eager = lazy[:].astype(np.float64)
    np.testing.assert_allclose(mean, eager.mean(0), rtol=1e-12)
    np.testing.assert_allclose(deviation, eager.std(0), rtol=1e-9)


def test_floats_go_to_disk_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setenv('BRAINJAX_CACHE', str(tmp_path))
    fmri = np.random.default_rng(0).normal(3, 2, (40, VOXELS))
    fmri = fmri.astype(np.float32)
    stored = on_disk.to_disk(fmri)
    np.testing.assert_array_equal(stored[:], fmri)
    mean, std = on_disk.mean_and_std(fmri)
    np.testing.assert_allclose(mean, fmri.mean(0, np.float64), rtol=1e-12)
    np.testing.assert_allclose(std, fmri.std(0, dtype=float), rtol=1e-12)
    expected = np.float32((fmri - mean) / std)
    np.testing.assert_array_equal(
        on_disk.standardise(fmri, mean, std), expected
    )
    np.testing.assert_allclose(
        on_disk.standardise(stored, mean, std)[:], expected, atol=1e-6
    )
    with pytest.raises(InputError, match='a voxel cannot be scaled'):
        on_disk.standardise(stored, mean, 0 * std + 1e-45)


def test_constant_voxels_are_found_and_refused(tmp_path):
    numbers = np.random.default_rng(0).integers(0, 9, (40, 3), np.int16)
    numbers[:, 1] = 7
    numbers[:39, 2] = 5
    numbers[39, 2] = 6
    np.save(tmp_path / 'a.npy', numbers)
    lazy = whole_tables(
        (open_table(tmp_path / 'a.npy'),), np.full((1, 3), 0.1), np.ones((1, 3))
    )
    assert on_disk.constant_voxels(lazy).tolist() == [False, True, False]
    assert on_disk.mean_and_std(lazy)[1][1] == 0
    trials = Trials(lazy, np.arange(40, dtype=np.int32))
    with pytest.raises(InputError, match='voxel 1 has the same value'):
        Recording(
            'S1',
            trials,
            Trials(lazy[:1], np.int32([40])),
            Stimuli(None, tuple(map(str, range(41)))),
            {},
            'S1',
            True,
        )
    with (
        np.errstate(divide='ignore', invalid='ignore'),
        pytest.raises(InputError, match=r'a\.npy: a voxel cannot be scaled'),
    ):
        on_disk.standardise(lazy, np.zeros(3), np.array([1.0, 0.0, 1.0]))


def test_memory_stays_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(on_disk, 'BLOCK', 2**20)
    path = tmp_path / 'large.npy'
    rng = np.random.default_rng(0)
    np.save(path, rng.integers(-900, 900, (8000, 1000), np.int16))
    lazy = whole_tables(
        (open_table(path),), np.ones((1, 1000)), np.zeros((1, 1000))
    )
    trials = Trials(lazy, np.repeat(np.arange(80, dtype=np.int32), 100))
    tracemalloc.start()
    mean, deviation = on_disk.mean_and_std(lazy)
    again = dataclasses.replace(
        trials, fmri=on_disk.standardise(lazy, mean, deviation)
    )
    average_repeats(again)
    reliability.snr_from_repeats(again)
    reliability.split_half(again, splits=2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12 * 2**20  # The responses as float32 take 30.5 MiB.


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (np.zeros((4, 3), np.float32), 'holds float32 of shape'),
        (np.zeros(4, np.int16), 'a table of whole numbers'),
        (np.zeros((4, 3), np.int16, order='F'), 'in row order'),
        (np.array([[{}]], object), 'a table of whole numbers'),
        (b'hello', 'is no .npy file'),
        (b'', 'is no .npy file'),
        (None, 'does not exist'),
    ],
)
def test_files_that_are_no_tables_are_one_sentence(tmp_path, content, words):
    path = tmp_path / 'a.npy'
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content, allow_pickle=True)
    with pytest.raises(InputError, match=words):
        open_table(path)


def test_a_table_that_was_cut_off_is_one_sentence(tmp_path):
    lazy, eager = pair(tmp_path)
    path = tmp_path / 'fmri1.npy'
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    with pytest.raises(InputError, match=r'fmri1\.npy is cut off'):
        open_table(path)
    np.testing.assert_allclose(lazy[:9], eager[:9], rtol=1e-5, atol=1e-6)
    with pytest.raises(InputError, match=r'fmri1\.npy is cut off'):
        lazy[-1]

"""Scaling, averaging and selection learn from training trials alone."""

import dataclasses

import numpy as np
import pytest
from recording_files import small_recording

from brainjax.errors import InputError
from brainjax.recordings import (
    Trials,
    average_repeats,
    normalise,
    preparing,
    reliability,
)


@pytest.mark.parametrize('over', ['none', 'train', 'run', 'session'])
def test_test_trials_change_nothing(over):
    recording = small_recording()
    other = dataclasses.replace(
        recording,
        test=dataclasses.replace(
            recording.test, fmri=recording.test.fmri * 3 - 7
        ),
    )
    first, second = (preparing.scale(r, over) for r in (recording, other))
    np.testing.assert_array_equal(first.train.fmri, second.train.fmri)
    np.testing.assert_allclose(  # One affine map scales both.
        (first.test.fmri[1:] - first.test.fmri[0]) * 3,
        second.test.fmri[1:] - second.test.fmri[0],
        rtol=1e-3,
        atol=1e-4,
    )


def test_scale_by_run_is_that_of_each_run():
    recording = small_recording()
    scaled = preparing.scale(recording, 'run')
    for run in (1, 2, 3):
        mine = recording.train.run == run
        fmri = recording.train.fmri[mine].astype(float)
        np.testing.assert_allclose(
            scaled.train.fmri[mine],
            (fmri - fmri.mean(0)) / fmri.std(0),
            atol=1e-5,
        )
    groups = [recording.train.fmri[recording.train.run == r] for r in (1, 2, 3)]
    mean = np.mean([g.mean(0) for g in groups], axis=0)
    deviation = np.sqrt(np.mean([g.var(0) for g in groups], axis=0))
    for found, raw in (
        (scaled.test.fmri, recording.test.fmri),
        (scaled.unpaired_fmri, recording.unpaired_fmri),
    ):
        np.testing.assert_allclose(found, (raw - mean) / deviation, atol=1e-4)


def test_test_trials_of_a_training_run_take_its_statistics():
    recording = small_recording()
    run = recording.test.run - 3
    test = dataclasses.replace(recording.test, run=run)
    recording = dataclasses.replace(recording, test=test)
    scaled = preparing.scale(recording, 'run')
    mine = recording.train.fmri[recording.train.run == 2].astype(float)
    np.testing.assert_allclose(
        scaled.test.fmri[run == 2],
        (test.fmri[run == 2] - mine.mean(0)) / mine.std(0),
        atol=1e-5,
    )


@pytest.mark.parametrize('over', ['train', 'run', 'session'])
def test_imagery_is_scaled_as_test_trials_are(over):
    recording = small_recording()
    recording = dataclasses.replace(recording, imagery=recording.test)
    scaled = preparing.scale(recording, over)
    np.testing.assert_array_equal(scaled.imagery.fmri, scaled.test.fmri)
    assert not np.array_equal(scaled.imagery.fmri, recording.test.fmri)


def test_a_voxel_constant_in_one_run_takes_the_usual_mean_and_std():
    recording = small_recording()
    fmri = recording.train.fmri.copy()
    fmri[recording.train.run == 1, 4] = 2
    recording = dataclasses.replace(
        recording, train=dataclasses.replace(recording.train, fmri=fmri)
    )
    scaled = preparing.scale(recording, 'run')
    runs = [fmri[recording.train.run == r, 4] for r in (1, 2, 3)]
    mean = np.mean([r.mean() for r in runs])
    deviation = np.sqrt(np.mean([r.var() for r in runs[1:]]))
    np.testing.assert_allclose(
        scaled.train.fmri[recording.train.run == 1, 4],
        (2 - mean) / deviation,
        rtol=1e-4,
    )


def test_a_run_of_one_trial_keeps_its_pattern():
    recording = small_recording()
    run = recording.train.run.copy()
    run[-1] = 9
    recording = dataclasses.replace(
        recording, train=dataclasses.replace(recording.train, run=run)
    )
    fmri = recording.train.fmri.astype(float)
    scaled = preparing.scale(recording, 'run').train.fmri[-1]
    runs = [fmri[run == r] for r in np.unique(run)]
    mean = np.mean([r.mean(0) for r in runs], axis=0)
    deviation = np.sqrt(np.mean([r.var(0) for r in runs[:-1]], axis=0))
    np.testing.assert_allclose(scaled, (fmri[-1] - mean) / deviation, atol=1e-4)


def test_own_run_is_that_of_all_its_trials():
    recording = small_recording()
    shared = dataclasses.replace(recording.test, run=recording.test.run - 3)
    recording = dataclasses.replace(
        recording, test=shared, imagery=recording.test
    )
    scaled = preparing.scale(recording, 'own_run')
    parts = [
        (getattr(recording, name), getattr(scaled, name))
        for name in ('train', 'test', 'imagery')
    ]
    runs = np.unique(np.concatenate([part.run for part, _ in parts]))
    assert len(runs) == 6
    moments = []
    for run in runs:
        mine = np.concatenate(
            [part.fmri[part.run == run].astype(float) for part, _ in parts]
        )
        moments.append((mine.mean(0), mine.var(0)))
        for part, found in parts:
            np.testing.assert_allclose(
                found.fmri[part.run == run],
                (part.fmri[part.run == run] - mine.mean(0)) / mine.std(0),
                atol=1e-4,
            )
    mean, variance = np.mean(moments, axis=0)
    usual = preparing.usual(recording, 'own_run')
    np.testing.assert_allclose(usual, (mean, np.sqrt(variance)), rtol=1e-5)
    np.testing.assert_allclose(
        scaled.unpaired_fmri,
        (recording.unpaired_fmri - mean) / np.sqrt(variance),
        atol=1e-4,
    )


def test_own_run_wants_the_runs_of_the_test():
    recording = small_recording()
    test = dataclasses.replace(recording.test, run=None)
    with pytest.raises(InputError, match='does not say the run of its trials'):
        preparing.scale(dataclasses.replace(recording, test=test), 'own_run')


def test_scale_over_all_is_normalise_and_none_is_nothing():
    recording = small_recording()
    assert preparing.scale(recording, 'none') is recording
    np.testing.assert_array_equal(
        preparing.scale(recording).train.fmri, normalise(recording).train.fmri
    )
    # All training trials are of one session.
    np.testing.assert_allclose(
        preparing.scale(recording, 'session').test.fmri,
        normalise(recording).test.fmri,
        atol=1e-5,
    )


def test_average_training_leaves_the_test_trials():
    recording = small_recording()
    averaged = preparing.average_training(recording)
    assert averaged.test is recording.test
    np.testing.assert_array_equal(
        averaged.train.fmri, average_repeats(recording.train).fmri
    )


@pytest.mark.parametrize('measure', preparing.MEASURES)
def test_selection_is_by_training_trials(measure):
    recording = small_recording()
    values = preparing.MEASURES[measure](recording.train)
    chosen = preparing.select_voxels(recording, measure=measure, n=4)
    best = np.sort(np.argsort(values)[-4:])
    np.testing.assert_array_equal(
        chosen.train.fmri, recording.train.fmri[:, best]
    )
    np.testing.assert_array_equal(chosen.snr, recording.snr[best])
    least = np.sort(values)[-3]
    chosen = preparing.select_voxels(recording, measure=measure, least=least)
    assert chosen.voxels == 3


def test_selection_in_an_roi():
    recording = small_recording()
    chosen = preparing.select_voxels(recording, 'V1', n=2)
    values = reliability.snr_from_repeats(recording.train)[:5]
    best = np.sort(np.argsort(values)[-2:])
    np.testing.assert_array_equal(
        chosen.test.fmri, recording.test.fmri[:, best]
    )
    assert preparing.select_voxels(recording).voxels == 12


def test_what_cannot_be_prepared_is_one_sentence():
    recording = small_recording()
    once = small_recording(repeats=1)
    bare = dataclasses.replace(
        recording, train=Trials(recording.train.fmri, recording.train.stimulus)
    )
    for call, words in (
        (lambda: preparing.scale(recording, 'runs'), "mean 'run'"),
        (lambda: preparing.scale(bare, 'run'), 'does not say the run'),
        (
            lambda: preparing.select_voxels(recording, measure='sn', n=2),
            "mean 'snr'",
        ),
        (
            lambda: preparing.select_voxels(recording, least=1e9),
            'no voxel is left by snr',
        ),
        (lambda: preparing.select_voxels(recording, n=0), 'no voxel is left'),
        (lambda: preparing.select_voxels(once, n=2), '0 of 9 stimuli'),
    ):
        with pytest.raises(InputError, match=words):
            call()

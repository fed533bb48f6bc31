"""Divisions of trials: disjoint, complete, and repeatable."""

import dataclasses

import numpy as np
import pytest
from recording_files import small_recording
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from brainjax.errors import InputError
from brainjax.recordings import Stimuli, splits


def rows(recording):
    """The responses as a set, to follow trials through a division."""
    return {row.tobytes() for row in recording.fmri}


CLUSTERS = np.int32([0, 1, 2, 3] * 3)


@pytest.mark.parametrize('by', ['stimulus', 'category', 'cluster'])
def test_folds_test_every_trial_once_and_share_no_stimulus(by):
    recording = small_recording()
    divided = splits.folds(recording, by, k=3, clusters=CLUSTERS)
    everything = rows(recording.train) | rows(recording.test)
    assert sum(len(r.test) for r in divided) == len(everything) == 36
    for part in divided:
        assert rows(part.train) | rows(part.test) == everything
        assert not set(part.train.stimulus) & set(part.test.stimulus)
        assert part.snr is None and part.noise_ceiling is None
        assert part.unpaired_fmri is recording.unpaired_fmri
        assert part.problems == ()
    tested = np.concatenate([np.unique(r.test.stimulus) for r in divided])
    np.testing.assert_array_equal(np.sort(tested), np.arange(12))


@pytest.mark.parametrize('by', ['category', 'cluster'])
def test_folds_share_no_group(by):
    recording = small_recording()
    label = dict(category=np.array([*'aaabbbcccddd']), cluster=CLUSTERS)[by]
    for part in splits.folds(recording, by, k=2, clusters=CLUSTERS):
        train, test = (label[p.stimulus] for p in (part.train, part.test))
        assert not set(train) & set(test)


def test_folds_by_stimulus_have_their_share_of_each_category():
    for part in splits.folds(small_recording(), k=3, seed=4):
        tested = np.unique(part.test.stimulus) // 3
        np.testing.assert_array_equal(np.bincount(tested), [1, 1, 1, 1])


def test_folds_follow_from_the_seed():
    recording = small_recording()
    first, again, other = (
        [r.test.stimulus.tolist() for r in splits.folds(recording, seed=seed)]
        for seed in (1, 1, 2)
    )
    assert first == again != other


def test_folds_of_the_training_trials_leave_the_test_trials_out():
    recording = small_recording()
    for part in splits.folds(recording, k=3, training_only=True):
        assert rows(part.train) | rows(part.test) == rows(recording.train)
        assert len(part.test) == 9


def test_trials_keep_their_order_runs_and_sessions():
    recording = small_recording()
    part = splits.hold_out(recording, 'stimulus', ['n0_1', 'n3_9'])
    assert part.test.stimulus.tolist() == [1, 1, 1, 9, 9, 9]
    assert part.test.run.tolist() == [1, 2, 3, 4, 5, 6]
    assert part.test.session.tolist() == [1, 1, 1, 2, 2, 2]
    np.testing.assert_array_equal(
        part.test.fmri[1], recording.train.fmri[9 + 1]
    )


def test_only_tested_stimuli_stay_imagined():
    recording = small_recording()
    recording = dataclasses.replace(recording, imagery=recording.test)
    part = splits.hold_out(recording, 'stimulus', ['n0_1', 'n3_9'])
    assert part.imagery.stimulus.tolist() == [9, 9, 9]
    assert rows(part.imagery) < rows(recording.imagery)
    assert splits.hold_out(recording, 'stimulus', ['n0_1']).imagery is None


def test_runs_drop_training_trials_of_tested_stimuli_and_say_so():
    recording = small_recording()
    part = splits.hold_out(recording, 'run', [2])
    assert np.unique(part.test.run).tolist() == [2]
    assert set(part.train.stimulus) == {9, 10, 11}
    assert part.problems == (
        '18 training trials were left out because their stimulus is tested '
        'in another run.',
    )
    part = splits.hold_out(recording, 'session', [1])
    assert (len(part.train), len(part.test), part.problems) == (9, 27, ())


@pytest.mark.parametrize(
    ('name', 'part'),
    [
        ('perceptionNaturalImageTraining01', 'train'),
        ('perceptionNaturalImageTest02', 'test'),
        ('perceptionArtificalImage01', 'shape'),
        ('perceptionLetterImage01', 'letter'),
        ('imageryTest01', 'imagery'),
        ('sub-01_ImageNetTest_fmriprep_volume_native.h5', 'test'),
        ('sub-01_ArtificialShapes_fmriprep_volume_native.h5', 'shape'),
        ('Subject1_test1.h5', 'test'),
        ('fastestimation', ''),
        ('retest', ''),
        ('reshaped.h5', ''),
        ('newsletter', ''),
        ('letterfluency', ''),
    ],
)
def test_sets_are_named_by_whole_words(name, part):
    assert splits.named_set(name) == part


def test_a_new_division_replaces_what_was_said_of_the_default():
    recording = small_recording()
    train = np.ones(12, bool)
    _, said = splits.default_split(
        np.array(recording.stimuli.names),
        train,
        dict.fromkeys(recording.stimuli.names, ''),
        'x.h5',
    )
    recording = dataclasses.replace(recording, problems=('odd', said))
    assert splits.folds(recording, k=2)[0].problems == ('odd',)


def test_cluster_finds_groups_that_are_there():
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(5), 20)
    features = rng.normal(size=(5, 30))[truth] * 4 + rng.normal(size=(100, 30))
    features = np.column_stack([features * 1000, np.ones(100)])
    found = splits.cluster(features, 5)
    assert found.dtype == np.int32
    assert adjusted_rand_score(truth, found) == 1
    np.testing.assert_array_equal(found, splits.cluster(features, 5))


def test_cluster_is_as_tight_as_that_of_scikit_learn():
    features = np.random.default_rng(1).normal(size=(120, 6))
    scaled = (features - features.mean(0)) / features.std(0)
    label = splits.cluster(features, 8)
    inertia = sum(
        np.square(scaled[label == i] - scaled[label == i].mean(0)).sum()
        for i in range(8)
    )
    peer = KMeans(8, n_init=10, random_state=0).fit(scaled)
    assert inertia < 1.05 * peer.inertia_


def test_what_cannot_be_divided_is_one_sentence():
    recording = small_recording()
    bare = dataclasses.replace(
        recording,
        stimuli=Stimuli(None, recording.stimuli.names),
        train=dataclasses.replace(recording.train, run=None),
    )
    for call, words in (
        (lambda: splits.folds(recording, 'catgory'), "mean 'category'"),
        (lambda: splits.folds(bare, 'category'), 'has no categories'),
        (lambda: splits.folds(bare, 'run'), 'does not say the run'),
        (lambda: splits.folds(recording, 'cluster'), 'needs `clusters`'),
        (
            lambda: splits.folds(recording, 'cluster', clusters=CLUSTERS[:5]),
            '5 clusters were given for the 12 stimuli',
        ),
        (lambda: splits.folds(recording, 'session', 3), '2 groups by session'),
        (lambda: splits.folds(recording, k=1), 'use from 2 to 12'),
        (
            lambda: splits.hold_out(recording, 'category', ['x']),
            "no trial of category 'x'",
        ),
        (
            lambda: splits.hold_out(recording, 'run', [1, 4]),
            'leaves 0 training and 12 test trials because most stimuli',
        ),
        (lambda: splits.hold_out(recording, 'run', []), '0 test trials'),
        (lambda: splits.cluster(np.ones((5, 2)), 2), '1 different stimuli'),
        (lambda: splits.cluster(np.full((5, 2), np.nan)), 'finite numbers'),
    ):
        with pytest.raises(InputError, match=words):
            call()

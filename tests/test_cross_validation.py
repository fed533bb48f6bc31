"""Folds: each fitted apart and resumed apart, all scored together."""

import dataclasses
import json
from typing import NamedTuple

import numpy as np
import pytest
import tiny
from scipy import stats

from brainjax import cross_validation, evaluation, experiment
from brainjax.errors import InputError
from brainjax.evaluation.audit import AuditCheck
from brainjax.evaluation.audit.folds import put_together
from brainjax.methods import METHODS, Method
from brainjax.methods import config as methods_config
from brainjax.methods.data import Findings, Loaded
from brainjax.outcome import Outcome
from brainjax.recordings import (
    Recording,
    average_repeats,
    normalise,
    split_trials,
    splits,
)
from brainjax.training.loop import Interrupted

ALPHA = 30.0


class Fitted(NamedTuple):
    mean: np.ndarray
    weights: np.ndarray
    size: int


class Trained(NamedTuple):
    """What of a run's data `fit` takes."""

    recording: Recording
    normalised: Recording


def fit(data, config, workdir):
    train = data.normalised.train
    images = data.recording.stimuli.images[train.stimulus]
    x, y = np.float64(train.fmri), images.reshape(len(images), -1) / 255
    kernel = x @ x.T + ALPHA * np.eye(len(x))
    weights = x.T @ np.linalg.solve(kernel, y - y.mean(axis=0))
    return Fitted(y.mean(axis=0), weights, images.shape[1])


def reconstruct(fitted, fmri, config):
    pixels = fitted.mean + fmri @ fitted.weights
    shape = (len(fmri), fitted.size, fitted.size, 3)
    return np.float32(pixels.reshape(shape).clip(0, 1))


def findings(fitted, data, config):
    n = len(data.test)
    score = {'value': n, 'chance': 0, 'low': n, 'high': n, 'p': 0.1, 'n': n}
    notes = ['A ridge.', f'{n} pictures.']
    return Findings('ridge', False, {'pictures': score}, [], notes)


def with_ridge(monkeypatch):
    """A method as fast as tests want it, on the tiny subject."""

    def load(config, given):
        pictures = np.zeros((0, tiny.SIZE, tiny.SIZE, 3), np.uint8)
        return Loaded(tiny.subject(), pictures)

    method = Method(methods_config.shared, load, fit, reconstruct, findings)
    monkeypatch.setitem(METHODS, 'ridge', method)
    return monkeypatch


@pytest.fixture(autouse=True)
def ridge(monkeypatch):
    return with_ridge(monkeypatch)


def config(folds, **recording):
    c = methods_config.shared()
    c.method, c.size, c.references = 'ridge', tiny.SIZE, False
    c.recording.update(folds=folds, **recording)
    return c.lock()


@pytest.fixture(scope='module')
def five(tmp_path_factory):
    """The folder of a run of five folds."""
    folder = tmp_path_factory.mktemp('folds') / 'run'
    with pytest.MonkeyPatch.context() as monkeypatch:
        with_ridge(monkeypatch)
        experiment.run(config(5), folder)
    return folder


def test_folds_are_scored_together(five):
    """Five folds, by another way to ridge and loops over pictures."""
    found = json.loads((five / 'scores.json').read_text())['scores']
    recording = tiny.subject()
    names = np.array(recording.stimuli.names)
    fmri = np.concatenate([recording.train.fmri, recording.test.fmri])
    shown = np.concatenate([recording.train.stimulus, recording.test.stimulus])
    pixels = recording.stimuli.images.reshape(len(names), -1) / 255
    made, seen = [], []
    for i in range(5):
        fold = np.load(five / f'fold_{i + 1}' / 'targets.npz')
        tested = np.flatnonzero(np.isin(names, fold['names']))
        rows = ~np.isin(shown, tested)
        mean, std = fmri[rows].mean(axis=0), fmri[rows].std(axis=0)
        x, y = (fmri[rows] - mean) / std, pixels[shown[rows]]
        weights = np.linalg.solve(
            x.T @ x + ALPHA * np.eye(x.shape[1]), x.T @ (y - y.mean(axis=0))
        )
        for j in tested:
            response = (fmri[shown == j].mean(axis=0) - mean) / std
            made.append((y.mean(axis=0) + response @ weights).clip(0, 1))
            seen.append(j)
    assert sorted(seen) == list(range(len(names)))
    n, target = len(seen), pixels[seen]
    r = np.corrcoef(target, made)[:n, n:]
    own = np.diagonal(r)
    two_way = [np.mean(np.delete(r[:, j], j) < own[j]) for j in range(n)]
    assert found['pixcorr']['value'] == pytest.approx(own.mean(), abs=1e-5)
    assert found['two_way_pixels']['value'] == pytest.approx(
        np.mean(two_way), abs=1e-4
    )
    assert found['pixcorr']['n'] == n and found['pixcorr']['p'] < 0.001
    together = np.load(five / 'reconstructions.npz')
    np.testing.assert_allclose(
        together['images'].reshape(n, -1), made, atol=1e-5
    )
    assert (five / 'report.html').exists()
    table = (five / 'per_picture.csv').read_text().splitlines()
    assert len(table) == 1 + n


def test_values_of_voxels_are_means_over_folds(five):
    name = 'noise_ceiling'
    folds = [np.load(five / f'fold_{i}' / 'voxels.npz') for i in range(1, 6)]
    mean = np.mean([each[name] for each in folds], axis=0)
    assert 0.1 < mean.mean() < 1
    found = np.load(five / 'voxels.npz')[name]
    np.testing.assert_allclose(found, mean, rtol=1e-6)


def test_what_a_fold_alone_can_score_is_a_mean(five):
    found = json.loads((five / 'scores.json').read_text())['scores']
    score = found['pictures']
    assert score['folds'] == 5 and score['n'] == 144
    assert score['value'] == pytest.approx((4 * 29**2 + 28**2) / 144)
    assert score['p'] == pytest.approx(0.2)  # Twice the mean.
    report = (five / 'report.html').read_text()
    assert report.count('A ridge.') == 1
    assert 'Fold 5: 28 pictures.' in report


def test_another_number_of_folds_wants_another_folder(five):
    with pytest.raises(InputError, match=r'recording\.folds=5.* has 4'):
        experiment.run(config(4), five)


def test_finished_folds_are_not_done_again(tmp_path, ridge):
    """Of an interrupted run, or of jobs with config.recording.fold=0, 1."""
    fitted = []

    def interrupted(data, config, workdir):
        fitted.append(workdir.name)
        if len(fitted) == 2:
            raise Interrupted('stopped')
        return fit(data, config, workdir)

    ridge.setitem(METHODS, 'ridge', METHODS['ridge']._replace(fit=interrupted))
    with pytest.raises(Interrupted):
        experiment.run(config(2), tmp_path / 'resumed')
    assert not (tmp_path / 'resumed' / 'scores.json').exists()
    experiment.run(config(2), tmp_path / 'resumed')
    assert fitted == ['fold_1', 'fold_2', 'fold_2']

    for i in range(2):
        experiment.run(config(2, fold=i), tmp_path / 'jobs' / f'fold_{i + 1}')

    def never(data, config, workdir):
        raise AssertionError('was fitted again')

    ridge.setitem(METHODS, 'ridge', METHODS['ridge']._replace(fit=never))
    found = experiment.run(config(2), tmp_path / 'jobs')
    assert found == json.loads(
        (tmp_path / 'resumed' / 'scores.json').read_text()
    )
    with pytest.raises(InputError, match=r'holds a run with'):
        experiment.run(config(2, fold_by='run'), tmp_path / 'jobs')


@pytest.mark.parametrize(
    ('settings', 'words'),
    [
        ({'folds': 1}, 'give 2 or more'),
        ({'folds': 3, 'fold': 3}, 'from 0 to 2'),
        ({'folds': 3, 'fold_by': 'clusters'}, "Did you mean 'cluster'"),
        ({'folds': 3, 'fold_by': 'category'}, 'has no categories'),
        ({'folds': 144}, 'fold 1: there is 1 test picture'),
    ],
)
def test_folds_that_cannot_be_are_refused(settings, words, tmp_path):
    with pytest.raises(InputError, match=words):
        experiment.run(config(**settings), tmp_path / 'run')
    assert not (tmp_path / 'run').exists()


def test_clusters_stay_together():
    c, recording = config(3, fold_by='cluster'), tiny.subject()
    division = cross_validation.divide(c, recording)
    labels = division.clusters
    features = splits.small_pictures(recording)
    assert features.shape == (144, 8 * 8 * 3)
    tested = [
        np.unique(cross_validation.take(recording, division, i).test.stimulus)
        for i in range(3)
    ]
    assert sorted(np.concatenate(tested)) == list(range(144))
    for a in range(3):
        for b in range(a):
            assert not {*labels[tested[a]]} & {*labels[tested[b]]}


def test_a_picture_that_several_folds_tested_counts_once():
    """As by run, where test pictures are repeated in both."""
    told = dict.fromkeys(('method', 'subject', 'source', 'fitting'), '')
    told |= {'transductive': False, 'test_kept': 0, 'trials': 2.0}
    told |= {'problems': ['P.'], 'notes': ['N.']}
    shown = tiny.pictures(5, seed=2)

    def of_fold(rows):
        names = np.array([f'picture-{i}' for i in rows])
        made = np.float32(shown[rows] / 255)
        return Outcome(names, shown[rows], made, {}, [], {}, {}, told, [])

    found = cross_validation.pool([of_fold([0, 1, 2]), of_fold([1, 2, 3, 4])])
    assert found.names.tolist() == [
        *('picture-0', 'picture-1-fold-1', 'picture-2-fold-1'),
        *('picture-1-fold-2', 'picture-2-fold-2', 'picture-3', 'picture-4'),
    ]
    assert found.fold.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert found.told['problems'] == ['P.'] and found.told['notes'] == ['N.']
    scores = evaluation.score(found.targets, found.images, fold=found.fold)
    assert scores['pixcorr']['n'] == 5


def test_without_information_p_is_not_small():
    """Responses dealt to pictures at random, five folds, some seeds."""
    whole, values = tiny.subject(), []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        train = dataclasses.replace(
            whole.train, fmri=rng.permutation(whole.train.fmri)[:60],
            stimulus=whole.train.stimulus[:60],
        )  # fmt: skip
        recording = dataclasses.replace(
            whole,
            train=train,
            test=dataclasses.replace(
                whole.test, fmri=rng.permutation(whole.test.fmri)
            ),
        )
        division = cross_validation.divide(config(5), recording)
        target, made, fold = [], [], []
        for i in range(5):
            part = cross_validation.take(recording, division, i)
            part = normalise(part)
            test = average_repeats(part.test)
            fitted = fit(Trained(part, part), None, None)
            made.append(reconstruct(fitted, test.fmri, None))
            target.append(whole.stimuli.images[test.stimulus])
            fold += [i] * len(test)
        scores = evaluation.score(
            *map(np.concatenate, (target, made)), fold=np.array(fold), draws=200
        )
        values.append(scores['two_way_pixels']['p'])
    assert stats.kstest(values, 'uniform').pvalue > 0.01
    assert 0.3 < np.mean(values) < 0.7


def test_audits_of_folds_are_put_together():
    def checks(value, level, duplicates):
        return [
            AuditCheck('mean picture', value, 0.1, level, f'{value}.'),
            AuditCheck('near duplicates', 0.0, 0.0, duplicates, 'D.'),
            AuditCheck('seeds', None, None, 'not judged', 'Not checked.'),
        ]

    folds = [checks(0.2, 'flag', 'flag'), checks(0.5, 'flag', 'ok')]
    mean, duplicates, seeds = put_together([*folds, checks(0.8, 'ok', 'ok')],
                                           [10, 20, 10])  # fmt: skip
    assert mean.value == pytest.approx(0.5) and mean.flagged is True
    assert 'Means over 3 folds, 2 flagged of 3 judged' in mean.verdict
    assert duplicates.flagged is True  # One fold is enough.
    assert seeds.level == 'not judged' and seeds.verdict == 'Not checked.'
    mean, *_ = put_together([folds[0], checks(0.8, 'ok', 'ok')], [1, 1])
    assert mean.flagged is None


def test_fewer_trials_of_all_folds(tmp_path, ridge):
    """Repeated stimuli alone, whose curve over trials is of both folds."""
    whole = tiny.subject()
    first = np.unique(whole.test.stimulus)[:12]
    train, test = split_trials(whole.test, first)
    recording = dataclasses.replace(whole, train=train, test=test)
    ridge.setattr(tiny, 'subject', lambda: recording)

    def with_ceiling(fitted, data, config):
        shown = data.recording.stimuli.images[data.test.stimulus]
        return findings(fitted, data, config)._replace(
            ceiling=np.float32(shown / 255), ceiling_from='from the pictures'
        )

    method = METHODS['ridge']._replace(findings=with_ceiling)
    ridge.setitem(METHODS, 'ridge', method)
    found = experiment.run(config(2), tmp_path / 'run')['scores']
    single, all_four = found['pixcorr_single_trial'], found['pixcorr']
    assert single['n'] == all_four['n'] == 24
    assert single['value'] < all_four['value']
    assert found['pixcorr_ceiling']['value'] == pytest.approx(1)
    assert 0 < found['pixcorr_of_ceiling']['value'] < 1
    assert found['pixcorr_reliability']['value'] > 0
    lines = (tmp_path / 'run' / 'repeats.csv').read_text().splitlines()
    assert [line.split(',')[0] for line in lines] == [
        *('trials', '1.0', '2.0', '4.0')
    ]
    assert float(lines[-1].split(',')[1]) == all_four['value']
    report = (tmp_path / 'run' / 'report.html').read_text()
    assert 'With fewer trials' in report and 'Without noise' in report
    # Without an interruption or with: the same from files.
    assert found == experiment.run(config(2), tmp_path / 'run')['scores']

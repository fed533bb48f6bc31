"""What a person has at hand, from arrays or files to a report."""

import json
from typing import NamedTuple

import numpy as np
import pytest
import tiny

import brainjax
from brainjax import experiment
from brainjax.methods import METHODS, Method
from brainjax.methods.config import shared
from brainjax.methods.data import Findings, load
from brainjax.recordings import conversion


class Fitted(NamedTuple):
    """Ridge regression from voxels to pixels."""

    mean: np.ndarray
    weights: np.ndarray


def fit(data, config, workdir):
    train = data.normalised.train
    x = np.float64(train.fmri)
    y = data.recording.stimuli.images[train.stimulus].reshape(len(x), -1) / 255
    mean = y.mean(axis=0)
    kernel = x.T @ x + 100 * np.eye(x.shape[1])
    return Fitted(mean, np.linalg.solve(kernel, x.T @ (y - mean)))


def reconstruct(fitted, fmri, config):
    pixels = fitted.mean + np.float64(fmri) @ fitted.weights
    shape = (len(fmri), config.size, config.size, 3)
    return np.float32(pixels.reshape(shape).clip(0, 1))


def findings(fitted, data, config):
    return Findings('ridge', False, {}, [], [])


@pytest.fixture
def config(monkeypatch):
    monkeypatch.setitem(
        METHODS, 'ridge', Method(shared, load, fit, reconstruct, findings)
    )
    c = shared()
    c.update({'method': 'ridge', 'size': tiny.SIZE, 'references': False})
    return c.lock()


def told(folder):
    """Scores, and the pictures of a run."""
    with np.load(folder / 'reconstructions.npz') as held:
        images = held['images']
    return json.loads((folder / 'scores.json').read_text()), images


@pytest.mark.parametrize('folds', [0, 3])
def test_arrays_and_files_end_in_the_same_report(tmp_path, config, folds):
    subject = tiny.subject()
    trials = subject.train, subject.test
    names = subject.stimuli.names
    labels = [names[i] for each in trials for i in each.stimulus]
    recording = brainjax.from_arrays(
        np.concatenate([each.fmri for each in trials]),
        labels,
        dict(zip(names, subject.stimuli.images)),
        test=np.repeat([False, True], [*map(len, trials)]),
        rois=subject.rois,
        simulated=True,
    )
    conversion.convert(recording, tmp_path / 'files', 'arrays')
    with config.unlocked():
        config.recording.folds = folds
    brainjax.run(recording, config, tmp_path / 'arrays')
    with config.unlocked():
        config.recording.path = str(tmp_path / 'files')
    experiment.run(config, tmp_path / 'run')
    (scores, images), (again, same) = map(
        told, (tmp_path / 'arrays', tmp_path / 'run')
    )
    np.testing.assert_array_equal(images, same)
    assert scores['scores'] == again['scores']
    assert scores['fingerprints'] == again['fingerprints']
    assert scores['scores']['pixcorr']['value'] > 0.2


def test_a_folder_is_for_one_recording_and_is_gone_on_with(tmp_path, config):
    first = tiny.subject()
    run = tmp_path / 'run'
    before = brainjax.run(first, config, run)
    assert brainjax.run(first, config, run)['scores'] == before['scores']
    with pytest.raises(brainjax.InputError, match='on another recording'):
        brainjax.run(tiny.subject(noise=0.4), config, run)


@pytest.mark.parametrize(
    ('recording', 'config', 'says'),
    [
        ('small', None, 'recording is a str; give one that from_arrays'),
        (tiny.subject(), 'smalll', 'smalll is no config file.*small'),
        (tiny.subject(), 'small', r'config\.pictures\.path is empty'),
    ],
)
def test_what_cannot_be_run_is_one_sentence(tmp_path, recording, config, says):
    with pytest.raises(brainjax.InputError, match=says):
        brainjax.run(recording, config, tmp_path / 'run')
    assert not (tmp_path / 'run').exists()

"""A run scored by a published protocol, beside the paper's numbers."""

import csv
import dataclasses
import json

import jax
import numpy as np
import pytest
import tiny
from ml_collections import ConfigDict
from PIL import Image

from brainjax import config_files, experiment
from brainjax.errors import InputError
from brainjax.evaluation.published import papers
from brainjax.methods import METHODS
from brainjax.methods.data import Findings
from brainjax.networks import weights
from brainjax.networks.backbones import BACKBONES

CLASSES = tuple(f'class {i}' for i in range(4))
FIVE = 'identification_5way_perceptual_vgg16'


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Networks of few channels; reconstructions are the targets, noisy."""
    networks = {
        'vgg16': BACKBONES['vgg16'].init(jax.random.key(0), 1 / 16),
        'alexnet': BACKBONES['alexnet'].init(jax.random.key(1), 1 / 16),
    }
    monkeypatch.setattr(weights, 'load', networks.__getitem__)
    monkeypatch.setattr(weights, 'check_fetched', networks.__getitem__)

    def fit(data, config, workdir):
        return data.recording.stimuli.images[data.test.stimulus] / 255

    def reconstruct(fitted, fmri, config):
        noise = np.random.default_rng(0).normal(scale=0.1, size=fitted.shape)
        return np.float32(np.clip(fitted + noise, 0, 1))

    def findings(fitted, data, config):
        return Findings('memory', False, {}, [], [])

    method = METHODS['selfsup']._replace(
        fit=fit, reconstruct=reconstruct, findings=findings, pack=None
    )
    monkeypatch.setitem(METHODS, 'selfsup', method)


@pytest.fixture
def examples(tmp_path):
    for name in CLASSES:
        (tmp_path / 'examples' / name).mkdir(parents=True)
        for i, image in enumerate(tiny.pictures(3, seed=int(name[-1]))):
            Image.fromarray(image).save(tmp_path / f'examples/{name}/{i}.png')
    return str(tmp_path / 'examples')


def recording():
    found = tiny.subject()
    categories = tuple(CLASSES[i % 4] for i in range(len(found.stimuli)))
    stimuli = dataclasses.replace(found.stimuli, categories=categories)
    return dataclasses.replace(found, stimuli=stimuli)


def config(examples, **changes):
    c = tiny.get_config()
    c.update(preset='weizmann', distractors=examples, classes=examples)
    c.update(changes)
    c.published = ConfigDict(
        {
            FIVE: papers.number(0.952, 'a file', subject='subject 3'),
            'pairwise_pca': papers.number(0.9, 'it', verified=False),
        }
    )
    return c


@pytest.mark.parametrize('folds', [0, 2])
def test_protocol_and_classes_stand_beside_what_was_published(
    tmp_path, examples, folds
):
    c = config(examples)
    c.recording.folds = folds
    run = tmp_path / 'run'
    results = experiment.run(c, run, recording(), tiny.pictures(8, 9))
    scores = results['scores']
    n = 144 if folds else 24
    assert scores[FIVE]['n'] == scores['top1_2way']['n'] == n
    assert scores[FIVE]['value'] > 0.9 and scores[FIVE]['guess'] == 0.2
    assert {'q', 'p', 'low'} <= scores[FIVE].keys()
    found = json.loads((run / 'scores.json').read_text())['published']
    assert found[FIVE]['difference'] == pytest.approx(
        scores[FIVE]['value'] - 0.952
    )
    assert found['pairwise_pca']['ours'] is None
    page = (run / 'report.html').read_text()
    assert papers.TITLE in page and 'it (not verified)' in page
    assert 'not scored' in page and '95.2\xa0%, subject 3' in page
    with open(run / 'classes.csv') as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == n and {row['class'] for row in rows} == set(CLASSES)
    if folds:  # A fold has too few pictures to say this of.
        part = json.loads((run / 'fold_1/scores.json').read_text())
        assert FIVE not in part['scores']


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'preset': 'weizman'}, "Did you mean 'weizmann'"),
        ({'distractors': ''}, r'with config\.distractors'),
        ({'distractors': 'nowhere'}, 'nowhere does not exist'),
        ({'classes': 'nowhere'}, 'nowhere'),
    ],
)
def test_what_cannot_be_scored_is_told_before_anything_is_fitted(
    tmp_path, examples, changes, message, monkeypatch
):
    method = METHODS['selfsup']._replace(
        fit=lambda *_: pytest.fail('it was fitted')
    )
    monkeypatch.setitem(METHODS, 'selfsup', method)
    with pytest.raises(InputError, match=message):
        experiment.run(
            config(examples, **changes),
            tmp_path / 'run',
            recording(),
            tiny.pictures(8, 9) if 'classes' in changes else None,
        )


def test_test_pictures_without_a_class_are_told(tmp_path, examples):
    c = config(examples)
    with pytest.raises(InputError, match='classes of 24 of 24 test pictures'):
        experiment.run(c, tmp_path / 'run', tiny.subject(), tiny.pictures(8, 9))


@pytest.mark.parametrize(
    'name', ['gaziv2022', 'beliy2019', 'shen2019_natural', 'vanrullen2019']
)
def test_shipped_numbers_can_be_compared(name):
    said = config_files.load_config(name).published.to_dict()
    rows = papers.rows(papers.beside(said, {}))
    assert len(rows) == len(said) > 0
    for row in rows:
        assert len(row) == len(papers.COLUMNS) and row[1] == 'not scored'

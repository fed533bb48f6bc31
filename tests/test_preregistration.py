"""What was said before a run, by the command line, and what the run says."""

import html
import json

import numpy as np
import pytest
import tiny
from conftest import TESTS

from brainjax import experiment
from brainjax.__main__ import main
from brainjax.errors import InputError
from brainjax.evaluation import preregistration
from brainjax.methods import METHODS
from brainjax.methods import config as methods_config
from brainjax.methods.data import Findings, Loaded
from brainjax.methods.selfsup import findings as selfsup_findings

CONFIG = str(TESTS / 'tiny.py')
SHORT = {'encoder.epochs': 1, 'decoder.epochs': 1, 'simulated.n_train': 60}
FLAGS = [f'--config.{name}={value}' for name, value in SHORT.items()]


def findings(fitted, data, config):
    return Findings('grey', False, {}, [], [])


@pytest.fixture(autouse=True)
def grey(monkeypatch):
    """Fitting is left out: pictures are grey, and so never above chance."""

    def reconstruct(fitted, fmri, config):
        return np.full((len(fmri), tiny.SIZE, tiny.SIZE, 3), 0.5, np.float32)

    def in_words(fitted, data, config):
        told = selfsup_findings.in_words(config)
        return Findings('grey', False, {}, [], [], fitting=told)

    quick = METHODS['selfsup']._replace(
        fit=lambda data, config, workdir: None,
        reconstruct=reconstruct,
        findings=in_words,
        pack=None,
    )
    monkeypatch.setitem(METHODS, 'selfsup', quick)


def preregister(path, *flags):
    argv = ['preregister', '--config', CONFIG, '--out', str(path)]
    return main([*argv, '--primary', 'two_way_pixels', *FLAGS, *flags])


@pytest.fixture(scope='module')
def said(tmp_path_factory):
    path = tmp_path_factory.mktemp('said') / 'said.json'
    assert preregister(path, '--exclusions', 'nobody') == 0
    return path


def config(path, **changes):
    c = tiny.get_config()
    c.update_from_flattened_dict(SHORT | changes)
    c.preregistration.path = str(path)
    return c


def test_a_run_says_what_was_kept_and_what_was_changed(said, tmp_path):
    registered = json.loads(said.read_text())
    assert registered['pictures'] == 12 and registered['alpha'] == 0.05
    c = config(said, **{'decoder.epochs': 2})
    results = experiment.run(c, tmp_path / 'run')
    outcome = results['preregistration']
    kept = {each['item']: each['kept'] for each in outcome['items']}
    assert {item for item in kept if not kept[item]} == {'settings'}
    assert outcome['sha256'] == registered['sha256']
    score = results['scores']['two_way_pixels']
    assert outcome['above'] == (score['value'] > 0.5 and score['p'] < 0.05)
    assert results['fingerprints'] == registered['fingerprints']
    report = html.unescape((tmp_path / 'run' / 'report.html').read_text())
    head, _, rest = report.partition('How close are they?')
    assert f'Preregistered on {registered["date"]}.' in head
    assert outcome['verdict'] in head
    assert 'decoder.epochs 1 became 2' in head and 'Changed since' in head
    assert 'What was said before the run' in rest
    assert 'the whole recording; stated: nobody' in rest
    for fingerprint in results['fingerprints'].values():
        assert fingerprint in rest
    # The paragraph to paste is written from this config and these results.
    methods = results['methods']
    assert f'<p>{methods}</p>' in rest
    for words in (
        '60 trials of 60 stimuli for training and 24 trials of 12 stimuli',
        'averaged over the 2 repeats',
        '64 pictures without responses were at hand, of 16 by 16 pixels',
        'relu1_2, relu2_2 of vgg16, weights random',
        '(1 epochs of 15 steps',
        'Two-way, pixels (given a reconstruction, the picture',
        'Clopper and Pearson (1934)',
        f'brainjax {results["versions"]["brainjax"]}',
        'come from the seed 0',
    ):
        assert words in methods, methods
    # Another registration for the same folder is refused.
    other = tmp_path / 'other.json'
    assert preregister(other) == 0
    c.preregistration.path = str(other)
    with pytest.raises(InputError, match=r'config\.preregistration\.path'):
        experiment.run(c, tmp_path / 'run')


def test_what_cannot_be_used_is_told_in_one_sentence(said, tmp_path, capsys):
    edited = tmp_path / 'edited.json'
    edited.write_text(said.read_text().replace('two_way_pixels', 'pixcorr'))
    run = ['run', '--config', CONFIG, '--workdir', str(tmp_path / 'run')]
    for argv, message in (
        ([*run, f'--config.preregistration.path={edited}'], 'was edited after'),
        ([*run, f'--config.preregistration.path={CONFIG}'], 'not valid JSON'),
    ):
        assert main(argv) == 2
        error = capsys.readouterr().err.strip()
        assert message in error and '\n' not in error
        assert not (tmp_path / 'run').exists()
    assert preregister(said) == 2
    assert 'is not written over' in capsys.readouterr().err


def test_folds_are_registered_together(tmp_path, monkeypatch):
    def load(config, given):
        pictures = np.zeros((0, tiny.SIZE, tiny.SIZE, 3), np.uint8)
        return Loaded(tiny.subject(), pictures)

    quick = METHODS['selfsup']._replace(load=load, findings=findings)
    monkeypatch.setitem(METHODS, 'selfsup', quick)
    c = methods_config.shared()
    c.method, c.size, c.references = 'selfsup', tiny.SIZE, False
    c.recording.folds = 2
    pictures, prints = experiment.tested(c)
    assert pictures == sum(tiny.STIMULI.values())
    path = tmp_path / 'said.json'
    preregistration.write(path, c.to_dict(), pictures, prints, 'pixcorr')
    c.preregistration.path = str(path)
    results = experiment.run(c, tmp_path / 'run')
    outcome = results['preregistration']
    assert all(each['kept'] for each in outcome['items'])
    assert outcome['above'] is False
    assert 'not above chance at alpha = 0.05' in outcome['verdict']
    assert 'In the first fold:' in results['methods']
    one = json.loads((tmp_path / 'run' / 'fold_1' / 'scores.json').read_text())
    assert 'preregistration' not in one and 'methods' in one

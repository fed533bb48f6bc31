"""Settings are chosen on held-out training stimuli, and stay chosen."""

import dataclasses
import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from ml_collections import ConfigDict
from tiny_selfsup import ONE_LAYER, PICTURES, config

from brainjax.errors import InputError
from brainjax.methods.data import prepare
from brainjax.methods.selfsup import choice, steps
from brainjax.methods.selfsup import method as selfsup
from brainjax.methods.selfsup.config import settled
from brainjax.methods.selfsup.data import load
from brainjax.methods.selfsup.networks import build_decoder, build_encoder
from brainjax.recordings import split_trials

CANDIDATES = {
    'D': {'decoder': {'paired': 1.0, 'encoder_decoder': 0.0}},
    'draws': {
        'decoder': {'encoder_decoder': 1.0, 'pictures_draws': True},
    },
}


def choosing(**changes):
    given = {
        **ONE_LAYER,
        'decoder__blocks': 1,
        'decoder__channels': 8,
        'validation': 0.0,
        'unpaired_fmri': 0.0,
        'voxel_snr': 'uniform',
        'encoder__epochs': 2,
        'decoder__epochs': 2,
        'decoder__decoder_encoder': 0.0,
        'decoder__choose': 'validation',
        'decoder__choice_folds': 2,
        'decoder__choice_epochs': 0.5,
    }
    c = config(**given | changes)
    c.decoder.candidates = ConfigDict(CANDIDATES)
    return c


@pytest.fixture(scope='module')
def subject():
    """Two dozen stimuli."""
    whole = tiny.subject()
    _, few = split_trials(whole.train, np.unique(whole.train.stimulus)[:24])
    return dataclasses.replace(whole, train=few)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('chosen')


@pytest.fixture(scope='module')
def fitted(subject, folder):
    return selfsup.fit(prepare(subject, PICTURES), choosing(), folder)


def leaves(*trees):
    return [np.asarray(x) for x in jax.tree.leaves(trees)]


def test_the_best_on_held_out_stimuli_is_trained_and_told(fitted, folder):
    found = json.loads((folder / 'checkpoints' / 'choice.json').read_text())
    scores = {
        name: np.concatenate([*of.values()])
        for name, of in found['scores'].items()
    }
    assert scores.keys() == {choice.REFERENCE, *CANDIDATES}
    assert {len(values) for values in scores.values()} == {24}
    best = max(CANDIDATES, key=lambda name: scores[name].mean())
    assert fitted.config.decoder.pictures_draws == (best == 'draws')
    note = fitted.notes[0]
    assert f'pixel correlation: {best} ({scores[best].mean():.3f};' in note
    for name, values in scores.items():
        assert f'{name} {values.mean():.3f}' in note or name == best
    # The short trainings are gone.
    assert not (folder / 'checkpoints' / 'choice').exists()


def test_an_interrupted_choice_resumes_to_the_same(
    fitted, subject, tmp_path, monkeypatch
):
    calls, fit_once = [], selfsup.fit_once

    def failing(*given):
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return fit_once(*given)

    monkeypatch.setattr(selfsup, 'fit_once', failing)
    data = prepare(subject, PICTURES)
    with pytest.raises(KeyboardInterrupt):
        selfsup.fit(data, choosing(), tmp_path)
    again = selfsup.fit(data, choosing(), tmp_path)
    # One was done before, one was lost, two folds of two and the whole run.
    assert len(calls) == 2 + 3 + 1
    for ours, theirs in zip(leaves(*again[:4]), leaves(*fitted[:4])):
        np.testing.assert_array_equal(ours, theirs)
    assert again.notes == fitted.notes


def test_a_choice_is_for_the_same_data_and_settings(fitted, subject, folder):
    del fitted
    other = prepare(subject, PICTURES[:-1])
    with pytest.raises(InputError, match='tells of a choice with pictures'):
        selfsup.fit(other, choosing(), folder)
    with pytest.raises(InputError, match=r'a choice with config\.seed 0'):
        selfsup.fit(prepare(subject, PICTURES), choosing(seed=1), folder)


def test_folds_hold_each_training_stimulus_out_once_and_nothing_of_the_test(
    subject,
):
    data = prepare(subject, PICTURES)
    folds = choice.folds(choosing(decoder__choice_folds=3), data)
    held_out = np.concatenate([fold.test.stimulus for fold in folds])
    shown = np.unique(subject.train.stimulus)
    np.testing.assert_array_equal(np.sort(held_out), shown)
    for fold in folds:
        train = fold.normalised.train
        assert not np.isin(fold.test.stimulus, train.stimulus).any()
        # Normalised by what is left: the held-out sum would be told else.
        np.testing.assert_allclose(train.fmri.mean(axis=0), 0, atol=1e-5)
        assert abs(fold.test.fmri.mean(axis=0)).max() > 0.1


def test_a_part_of_the_epochs():
    c = config(
        encoder__epochs=10, decoder__epochs=3, decoder__choice_epochs=0.25
    )
    c.encoder.drops = ((4, 0.2), (8, 0.3))
    short = choice.shortened(c)
    assert (short.encoder.epochs, short.decoder.epochs) == (2, 1)
    assert short.encoder.drops == ((1, 0.2), (2, 0.3))
    assert c.encoder.epochs == 10


@pytest.mark.parametrize(
    ('candidates', 'words'),
    [
        ({}, 'no config.decoder.candidates to choose from; name some, or'),
        ({'a': {'loss': {}}}, 'no section of config.decoder.candidates.a'),
        ({'a': {'decoder': {'chanels': 3}}}, 'setting of .*a.decoder'),
    ],
)
def test_what_cannot_be_chosen_from(candidates, words, subject, tmp_path):
    c = choosing()
    c.decoder.candidates = ConfigDict(candidates)
    with pytest.raises(InputError, match=words):
        selfsup.fit(prepare(subject, PICTURES), c, tmp_path)


def test_too_few_stimuli_for_the_folds(subject, tmp_path):
    _, few = split_trials(subject.train, np.unique(subject.train.stimulus)[:5])
    few = prepare(dataclasses.replace(subject, train=few), PICTURES)
    with pytest.raises(InputError, match='is 2, with 5 training stimuli'):
        selfsup.fit(few, choosing(), tmp_path)


def test_de_is_tried_where_there_is_unpaired_fmri(subject):
    data = prepare(subject, PICTURES)
    c = choosing()
    c.decoder.candidates = ConfigDict(
        CANDIDATES | {'DE': {'decoder': {'decoder_encoder': 1.0}}}
    )
    assert choice.possible(c, data).keys() == CANDIDATES.keys()
    c.unpaired_fmri = 0.2
    assert choice.possible(c, data).keys() == {*CANDIDATES, 'DE'}


# What follows from the size of the pictures.


@pytest.mark.parametrize('size', [*range(10, 33), 50, 64, 99, 107, 112])
def test_networks_fit_pictures_of_any_size(size):
    c = settled(
        config(
            size=0,
            encoder__kind='dense',
            encoder__layers=0,
            decoder__blocks=0,
            decoder__kernel=3,
        ),
        size,
    )
    assert c.size == size
    assert 4 <= math.ceil(size / 2**c.decoder.blocks) <= 7
    decoder = build_decoder(c)
    fmri = jnp.zeros((2, 5))
    variables = jax.eval_shape(decoder.init, jax.random.key(0), fmri)
    shape = jax.eval_shape(decoder.apply, variables, fmri).shape
    assert shape == (2, size, size, 3)
    features = {c.encoder.taps[0]: jnp.zeros((1, size, size, 4))}
    encoder = build_encoder(c, 5)
    params = jax.eval_shape(encoder.init, jax.random.key(0), features)
    assert 4 <= len(params['params']['dense']) <= 7


def test_a_shift_below_1_is_a_part_of_the_picture():
    found = [steps.shift_in_pixels(s, 20) for s in (0.0, 0.03, 0.1, 1.0, 3)]
    assert found == [0, 1, 2, 1, 3]
    assert steps.shift_in_pixels(0.03, 112) == 3


def test_size_0_is_that_of_the_recording(tmp_path):
    flags = dict(flag.split('=') for flag in tiny.write(tmp_path))
    c = config(size=0)
    c.recording.path = flags['--config.recording.path']
    c.recording.images = flags['--config.recording.images']
    c.pictures.path = flags['--config.pictures.path']
    recording, pictures, *_ = load(c)
    assert recording.stimuli.images.shape[1:] == (tiny.SIZE, tiny.SIZE, 3)
    assert pictures.shape[1:] == (tiny.SIZE, tiny.SIZE, 3)

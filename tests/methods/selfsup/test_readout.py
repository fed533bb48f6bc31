"""A read-out that knows what it does not know, and draws from it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from ml_collections import FrozenConfigDict
from tiny_selfsup import PICTURES, config

from brainjax.errors import InputError
from brainjax.linear.ridge import tuned
from brainjax.methods.data import prepare
from brainjax.methods.selfsup import readout
from brainjax.methods.selfsup.data import check, split
from brainjax.methods.selfsup.networks import (
    build_encoder,
    feature_shapes,
    freeze,
    load_backbone,
    predict_convolved,
)
from brainjax.recordings import Trials
from brainjax.training import state

MANY = tiny.pictures(1000, seed=5)


class Untrained:
    """An encoder with its first weights: the features are fixed anyway."""

    def __init__(self, **changes):
        self.config = FrozenConfigDict(config(**changes))
        c = self.config
        backbone = load_backbone(c.encoder, 0, size=c.size)
        self.module = build_encoder(c, tiny.VOXELS)
        shapes = feature_shapes(c, backbone)
        variables = state.initialise(
            self.module,
            jax.random.key(0),
            jax.tree.map(lambda x: jnp.zeros(x.shape), shapes),
        )
        self.frozen = freeze(c, self.module, variables, backbone)

    def features(self, images):
        return predict_convolved(self.config, self.module, self.frozen, images)

    def fit(self, trials, images, local=False):
        found, note = readout.fit(
            *(self.config, self.module, self.frozen),
            *(trials, images, PICTURES, local),
        )
        return found, note

    def predict(self, found, images):
        frozen = self.frozen | {'readout': found}
        predict = functools.partial(readout.predict, self.config, self.module)
        return jax.jit(predict)(frozen, images / np.float32(255))


DENSE = {
    'encoder__kind': 'dense',
    'encoder__backbone': 'alexnet_stride2',
    'encoder__taps': ('relu1',),
}


@pytest.fixture(scope='module')
def parts():
    return split(prepare(tiny.subject(), PICTURES), config())


@pytest.fixture(scope='module')
def untrained():
    return Untrained()


@pytest.fixture(scope='module')
def fitted(untrained, parts):
    return untrained.fit(parts.train, parts.images)[0]


def test_draws_have_the_covariance_of_the_closed_form():
    rng = np.random.default_rng(0)
    voxels, m, n = 5, 3, 40_000
    found = readout.Readout(
        *([None] * 7),
        variance=np.float32(rng.uniform(0.5, 2, voxels)),
        independent=np.float32(rng.uniform(0.5, 2, voxels)),
        shared=np.float32(rng.standard_normal((m, voxels))),
        misfit=0.0,
    )
    mean = np.float32(rng.standard_normal(voxels))
    keys = jax.random.split(jax.random.key(1), n)
    for doubt, noise, misfit in (
        (0.7, 0.5, 0.0),
        (0.0, 1.0, 0.3),
        (1.5, 0.0, 0.0),
        (0.0, 0.5, 0.4),
    ):
        found = found._replace(misfit=misfit)
        drawn = np.asarray(
            readout.draw(
                *(keys, found, np.tile(mean, (n, 1))),
                *(np.full(n, doubt, np.float32), noise),
            )
        )
        expected = np.diag(doubt * found.variance)
        expected += ((1 - misfit) * noise**2 + misfit) * (
            np.diag(found.independent) + found.shared.T @ found.shared
        )
        # The standard error of an entry is sqrt(2 / n) of the variances.
        scale = np.sqrt(np.outer(*[expected.diagonal()] * 2))
        found_covariance = np.cov(drawn.T)
        assert (abs(found_covariance - expected) < 0.04 * scale).all()
        np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.05)


@pytest.mark.parametrize('changes', [{}, DENSE])
def test_mean_and_doubt_are_those_of_the_posterior(changes, parts):
    """By the normal equations over all features, which the code never forms."""
    encoder = Untrained(**changes)
    found, note = encoder.fit(parts.train, parts.images)
    a = np.float64(encoder.features(parts.images) @ found.project.T)
    a = (a - found.shift) @ found.features.T
    train = a[parts.train.stimulus]
    # The axes' origin is the mean of the training trials.
    np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-4)
    # What is certain of the first direction, s^2 / (s^2 + lambda).
    squares = np.linalg.svd(train, compute_uv=False)[0] ** 2
    certain, direction = found.certain[0], found.directions[0]
    penalty = squares * ((direction @ direction) / (certain @ certain) - 1)
    inner = train.T @ train + penalty * np.eye(len(a.T))
    fmri = parts.train.fmri - parts.train.fmri.mean(axis=0)
    mean = a @ np.linalg.solve(inner, train.T @ fmri)
    mean += parts.train.fmri.mean(axis=0)
    doubt = (a * np.linalg.solve(inner, a.T).T).sum(axis=1) * penalty
    ours = encoder.predict(found, parts.images)
    np.testing.assert_allclose(ours[0], mean, atol=2e-3)
    np.testing.assert_allclose(ours[1], doubt, rtol=2e-2, atol=2e-3)
    # Less is known of pictures that were not shown.
    shown = np.unique(parts.train.stimulus)
    assert ours[1].min() > 0
    assert doubt[shown].mean() < 0.9 * encoder.predict(found, MANY)[1].mean()
    assert 'by evidence' in note


def test_that_readout_is_taken_which_tells_new_pictures_better(
    untrained, parts
):
    """Voxels see a part of the picture, or mixtures of all features."""
    few = parts.train.stimulus[:40]
    every = untrained.features(parts.images)[:, : -parts.images[0].size]
    rng = np.random.default_rng(3)
    mixed = every @ rng.standard_normal((every.shape[1], tiny.VOXELS))
    mixed = (mixed - mixed[few].mean(axis=0)) / mixed[few].std(axis=0)
    noise = 0.3 * rng.standard_normal((len(few), tiny.VOXELS))
    kinds = {
        'pixels through windows': parts.train.fmri[:40],
        'features': np.float32(mixed[few] + noise),
    }
    held_out = parts.validation
    for kind, fmri in kinds.items():
        trials = Trials(fmri, few)
        taken, note = untrained.fit(trials, parts.images, None)
        assert f'a read-out of {kind} with' in note
        wrong = []
        for local in (False, True):
            found, _ = untrained.fit(trials, parts.images, local)
            same = np.array_equal(found.project, taken.project)
            assert same == (local == (kind != 'features'))
            told, _ = untrained.predict(found, parts.images[held_out.stimulus])
            truth = held_out.fmri
            if kind == 'features':
                truth = mixed[held_out.stimulus]
            wrong.append(np.mean((told - truth) ** 2))
        assert np.argmin(wrong) == (kind != 'features')


def told(fitted, encoder):
    """Part of the pictures' variance that drawn responses tell, held out."""
    mean, doubt = encoder.predict(fitted, MANY)
    keys = jax.random.split(jax.random.key(2), len(MANY))
    fmri = np.asarray(readout.draw(keys, fitted, mean, doubt))
    images = MANY.reshape(len(MANY), -1) / np.float32(255)
    learned, held_out = slice(0, 800), slice(800, None)
    ridge = tuned.fit(fmri[learned], np.arange(800), images[learned], [1e3])
    wrong = tuned.predict(ridge, fmri[held_out]) - images[held_out]
    spread = images[held_out] - images[learned].mean(axis=0)
    return 1 - (wrong**2).mean() / (spread**2).mean()


def test_without_signal_drawn_responses_tell_nothing(untrained, parts, fitted):
    rng = np.random.default_rng(4)
    noise = rng.standard_normal(parts.train.fmri.shape)
    silent, _ = untrained.fit(
        Trials(np.float32(noise), parts.train.stimulus), parts.images
    )
    # What a decoder then learns at best is the mean of the pictures.
    assert told(silent, untrained) < 0.05
    assert told(fitted, untrained) > 0.2


def test_doubt_and_noise_say_how_wrong_predictions_are(
    untrained, parts, fitted
):
    mean, doubt = untrained.predict(
        fitted, parts.images[parts.validation.stimulus]
    )
    wrong = np.mean((mean - parts.validation.fmri) ** 2)
    variance = fitted.independent + (fitted.shared**2).sum(axis=0)
    said = np.mean(doubt[:, None] * fitted.variance + variance)
    assert said == pytest.approx(wrong, rel=0.25)


def test_what_drawing_cannot_be_joined_with_is_said():
    c = config(decoder__pictures_draws=True, decoder__pictures_dropout=0.25)
    with pytest.raises(InputError, match='pictures_draws draws what'):
        check(c, tiny.subject())


def test_what_repeats_share_is_no_noise_that_averaging_takes_away(
    untrained, parts
):
    """Responses of which half the variance is each stimulus' own, at random."""
    rng = np.random.default_rng(6)
    shown = np.unique(parts.train.stimulus)
    stimulus = np.repeat(shown, 4)
    own = rng.standard_normal((len(shown), tiny.VOXELS)).repeat(4, axis=0)
    fmri = np.float32(own + rng.standard_normal(own.shape)) / np.sqrt(2)
    found, note = untrained.fit(Trials(fmri, stimulus), parts.images)
    assert found.misfit == pytest.approx(0.5, abs=0.1)
    assert 'alike in repeats' in note
    alone, _ = untrained.fit(parts.train, parts.images)
    assert alone.misfit == 0

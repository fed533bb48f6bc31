"""Ridge and the closed-form posterior beside every method."""

import dataclasses

import numpy as np
import pytest

from brainjax import evaluation
from brainjax.evaluation import paired
from brainjax.evaluation.voxels.voxel_values import TITLES
from brainjax.linear.bayes import posterior
from brainjax.methods import references
from brainjax.methods.data import prepare
from brainjax.simulation import subject

SIZE = 16


@pytest.fixture(scope='module')
def data():
    recording = subject.simulated_subject(
        size=SIZE,
        seed=1,
        n_train=80,
        n_test=12,
        test_repeats=4,
        n_unpaired_fmri=4,
        voxels={'V1': 60, 'V4': 20},
    )
    pictures = subject.unpaired_scenes(150, seed=1, size=SIZE)[0]
    return prepare(recording, pictures)


@pytest.fixture(scope='module')
def fitted(data):
    return references.fit(data)


def test_both_tell_pictures_apart(data, fitted):
    images = references.reconstruct(fitted, data.test.fmri)
    targets = data.recording.stimuli.images[data.test.stimulus]
    assert set(images) == {'bayes', 'ridge'}
    assert (fitted.repeats == 4).all() and 'alpha' in fitted.notes[0]
    for found in images.values():
        assert found.shape == targets.shape and found.dtype == np.float32
        assert found.min() >= 0 and found.max() <= 1
        scores = evaluation.score(targets, found, draws=200)
        assert scores['two_way_pixels']['value'] > 0.65


def test_a_run_keeps_what_they_found(data, fitted, tmp_path, monkeypatch):
    first = references.of_run(data, 0, tmp_path, fitted)
    images = references.reconstruct(fitted, data.test.fmri)
    monkeypatch.setattr(
        references.reference, 'fit', lambda *_, **__: pytest.fail('fitted')
    )
    again = references.of_run(data, 0, tmp_path)
    assert again.notes == first.notes == fitted.notes
    for found in (first, again):
        np.testing.assert_array_equal(found.images['bayes'], images['bayes'])
        assert {*found.voxels} == {*references.voxels(fitted)}
        ((on_targets, prior),) = found.densities
        assert on_targets.shape == (12, 12) and prior.shape == (12,)
    # Of other data they are others.
    fmri = data.test.fmri.copy()
    fmri[0, 0] += 1
    other = data._replace(test=dataclasses.replace(data.test, fmri=fmri))
    fewer = data._replace(pictures=data.pictures[1:])
    for changed, seed in ((other, 0), (fewer, 0), (data, 1)):
        with pytest.raises(pytest.fail.Exception, match='fitted'):
            references.of_run(changed, seed, tmp_path)
    kept = tmp_path / 'ridge.npy'
    kept.write_bytes(kept.read_bytes()[:-1] + b'!')
    with pytest.raises(pytest.fail.Exception, match='fitted'):
        references.of_run(data, 0, tmp_path)


def test_voxels_weigh_what_a_change_of_them_changes(data, fitted):
    found = references.voxels(fitted)
    assert {*found} <= {*TITLES}
    reference = fitted.fitted
    rows = data.test.fmri[:4].astype(np.float64)
    encoder = reference.point.encoder
    known = posterior.precision(
        encoder, reference.point.noise, 4, encoder.doubt
    )
    prior, basis = reference.point.prior, reference.basis

    def pictures(fmri):
        z, _ = posterior.estimate(reference.point, known, fmri)
        return (z * prior.std) @ prior.axes @ basis.axes

    for voxel in (0, 33, 79):
        moved = rows.copy()
        moved[:, voxel] += 1
        change = pictures(moved) - pictures(rows)
        np.testing.assert_allclose(
            found['posterior_weight'][voxel],
            np.sqrt(np.square(change).mean(axis=1)),
            rtol=1e-4,
        )
    explained = found['explained_variance']
    assert explained.max() < 1
    # What can be explained of single trials: the signal's share.
    snr = data.recording.snr
    assert np.corrcoef(explained, snr / (1 + snr))[0, 1] > 0.3


def test_its_densities_are_higher_for_what_was_seen(data, fitted):
    targets = data.recording.stimuli.images[data.test.stimulus]
    log_posterior, log_prior = references.log_densities(
        fitted, data.test.fmri, targets
    )
    ratio = log_posterior - log_prior
    own = np.diagonal(ratio)
    assert (own[:, None] > ratio).mean() > 0.7
    assert own.mean() > ratio.mean()


def test_rows_and_pictures_are_each_others_inverse(data, fitted):
    images = data.recording.stimuli.images[:3]
    back = references.to_images(fitted, references.to_rows(fitted, images))
    np.testing.assert_allclose(back * 255, images, atol=1e-3)


def test_grey_pictures_have_one_channel_and_no_pictures_are_said(data):
    stimuli = data.recording.stimuli
    grey = np.repeat(stimuli.images[..., :1], 3, axis=-1)
    recording = dataclasses.replace(
        data.recording, stimuli=dataclasses.replace(stimuli, images=grey)
    )
    found = references.fit(
        prepare(recording, np.empty((0, SIZE, SIZE, 3), np.uint8))
    )
    assert found.shape == (SIZE, SIZE, 1)
    assert any('no unpaired pictures' in note for note in found.notes)
    images = references.reconstruct(found, data.test.fmri)['bayes']
    assert np.ptp(images, axis=-1).max() == 0


def test_very_many_trials_are_thinned_by_stimulus(data, monkeypatch):
    monkeypatch.setattr(references, 'MOST_TRIALS', 40)
    found = references.fit(data)
    assert any('40 of 80 training trials' in note for note in found.notes)
    assert len(found.fitted.ridge.fmri) == 40


def test_differences_are_paired_and_a_worse_method_is_said_to_be():
    rng = np.random.default_rng(0)
    target = rng.random((10, 8, 8, 3))
    good = np.clip(target + 0.1 * rng.standard_normal(target.shape), 0, 1)
    bad = np.clip(target + 2.0 * rng.standard_normal(target.shape), 0, 1)
    scores = evaluation.score(target, bad, draws=200)
    scores |= paired.score(target, bad, {'ridge': good})
    each = [
        paired.per_picture(target, images)['pixcorr'] for images in (bad, good)
    ]
    plain = [
        [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(target, made)]
        for made in (bad, good)
    ]
    np.testing.assert_allclose(each, plain)
    difference = scores['pixcorr_minus_ridge']
    np.testing.assert_allclose(
        difference['value'], np.mean(plain[0]) - np.mean(plain[1])
    )
    assert difference['high'] < 0 and difference['p'] < 0.01
    assert scores['pixcorr_ridge']['value'] == pytest.approx(np.mean(plain[1]))
    (sentence,) = paired.below(scores, {'ridge': 'ridge', 'bayes': 'other'})
    assert sentence.startswith('This method is below ridge in pixel corr')
    better = evaluation.score(target, good, draws=200)
    better |= paired.score(target, good, {'ridge': bad})
    assert paired.below(better, {'ridge': 'ridge'}) == []


def test_with_few_stimuli_and_other_pictures_no_score_is_below_that_of_ridge():
    """What two-way identification gains is not paid for in correlation."""
    recording = subject.simulated_subject(
        size=32,
        n_train=10,
        n_test=60,
        train_repeats=8,
        noise_ceiling=0.6,
        voxels={'V1': 100, 'V2': 100, 'V3': 75, 'V4': 75, 'HVC': 100},
    )
    blocks = np.random.default_rng(0).integers(0, 256, (300, 8, 8, 3))
    other = np.uint8(blocks).repeat(4, axis=1).repeat(4, axis=2)
    data = prepare(recording, other)
    found = references.reconstruct(references.fit(data), data.test.fmri)
    truth = recording.stimuli.images[data.test.stimulus]
    bayes, ridge = (
        paired.per_picture(truth, found[name]) for name in ('bayes', 'ridge')
    )
    for key in paired.COMPARED:
        assert bayes[key].mean() > ridge[key].mean() - 0.01

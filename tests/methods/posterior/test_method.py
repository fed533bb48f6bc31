import json

import jax
import numpy as np
import pytest
import tiny_posterior
from conftest import TESTS
from processes import python

from brainjax import experiment
from brainjax.errors import InputError
from brainjax.io import metrics
from brainjax.methods import references
from brainjax.methods.posterior import method, training
from brainjax.methods.posterior.data import check, fit_closed_form


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp('posterior') / 'run'
    config = tiny_posterior.get_config()
    config.flow.channels = (8, 16)
    return folder, experiment.run(config, folder)


def test_a_run_writes_draws_their_mean_and_how_sure_they_are(finished):
    folder, results = finished
    scores = results['scores']
    for name in ('coverage_80', 'rank_dispersion', 'crps', 'sharpness_draw'):
        assert np.isfinite(scores[name]['value'])
    assert scores['coverage_95']['value'] is None  # 20 draws are too few.
    for name in ('pixcorr_ridge', 'pixcorr_minus_bayes', 'information_bayes'):
        assert np.isfinite(scores[name]['value'])
    with np.load(folder / 'reconstructions.npz') as found:
        samples, images = found['samples'], found['images']
        assert samples.shape == (8, 20, 16, 16, 3)
        assert samples.dtype == np.uint8 and found['deviation'].shape == (
            *(8, 16, 16),
        )
        assert images.shape == (8, 16, 16, 3)
        assert found['deviation'].mean() > 0.01
    assert len(list((folder / 'draws').glob('*.npz'))) == 3
    assert metrics.read(folder).keys() == {'posterior'}
    page = (folder / 'report.html').read_text()
    assert 'What may have been seen' in page and 'Without any resp' in page
    assert not results['transductive']
    for words in ('mean of 20 draws of 4 midpoint', '3 epochs of 4 steps'):
        assert words in results['methods']
    assert json.loads((folder / 'scores.json').read_text())['scores']


@pytest.fixture(scope='module')
def fitted_to_discs(tmp_path_factory):
    """Data, config, folder and what was fitted there."""
    data, config = tiny_posterior.data(), tiny_posterior.get_config()
    folder = tmp_path_factory.mktemp('discs')
    return data, config, folder, method.fit(data, config, folder)


def test_draws_that_were_kept_are_those_that_are_made(fitted_to_discs):
    data, config, folder, fitted = fitted_to_discs
    first = method.draw(fitted, data.test.fmri, config)
    kept = max(
        (folder / 'draws').glob('*.npz'),
        key=lambda path: path.stat().st_mtime,
    )
    written = kept.stat().st_mtime_ns
    assert (method.draw(fitted, data.test.fmri, config) == first).all()
    assert kept.stat().st_mtime_ns == written
    kept.unlink()
    assert (method.draw(fitted, data.test.fmri, config) == first).all()
    # Of a part of the responses the draws are the same.
    some = method.draw(fitted, data.test.fmri[2:5], config)
    difference = np.abs(some.astype(int) - first[2:5].astype(int))
    assert difference.max() <= 1


def test_each_response_has_noise_of_its_own(fitted_to_discs):
    """Ranks of calibrated draws are else off in the same direction for all."""
    data, config, _, fitted = fitted_to_discs
    drawn = method.draw(fitted, data.test.fmri, config)[..., 0] / 255.0
    away = (drawn - drawn.mean(axis=1, keepdims=True)).reshape(len(drawn), -1)
    r = np.corrcoef(away)[np.triu_indices(len(away), 1)]
    assert abs(r.mean()) < 0.05  # Of shared noise it is .9.


def test_a_reconstruction_is_as_much_of_either_mean_as_was_chosen(
    fitted_to_discs, tmp_path
):
    data, config, _, fitted = fitted_to_discs
    assert fitted.part in (0, 0.25, 0.5, 0.75, 1)
    fmri = data.test.fmri
    closed = references.reconstruct(fitted.references, fmri)['bayes']
    drawn = method.draw(fitted, fmri, config).mean(axis=1) / 255
    for part in (0.0, 0.25, 1.0):
        np.testing.assert_allclose(
            method.reconstruct(fitted._replace(part=part), fmri, config),
            part * drawn + (1 - part) * closed,
            atol=1e-5,
        )
    # With few stimuli nothing can be chosen, and the closed form is all.
    few = tiny_posterior.data(train=20)
    fitted = method.fit(few, config, tmp_path / 'few')
    assert fitted.part == 0 and fitted.data.validation is None
    assert len(fitted.data.paired) == 20


def test_a_run_that_was_cut_off_resumes_to_the_same_parameters(
    tmp_path, monkeypatch
):
    data, config = tiny_posterior.data(), tiny_posterior.get_config()
    config.flow.patience = 1  # Pictures held out are told after each epoch.
    _, parts = fit_closed_form(data, 0)

    def fit(folder):
        return training.fit_flow(
            config, parts, data.fingerprints, tmp_path / folder
        )

    indices = training.indices

    def until(seed, stream, n, step, batch):
        if step > 6:  # In the second epoch of three.
            raise OSError('the power went')
        return indices(seed, stream, n, step, batch)

    with monkeypatch.context() as m:
        m.setattr(training, 'indices', until)
        with pytest.raises(OSError, match='power'):
            fit('cut')
    resumed, history = fit('cut')
    whole, undisturbed = fit('whole')
    assert history == undisturbed and len(history) == 3
    first, _, last = (each['validation_score'] for each in history)
    assert last > first
    for a, b in zip(jax.tree.leaves(resumed), jax.tree.leaves(whole)):
        np.testing.assert_array_equal(a, b)
    config.flow.learning_rate = 1e-3
    with pytest.raises(InputError, match='learning_rate'):
        fit('cut')


def test_number_of_devices_changes_nothing_but_rounding():
    assert jax.local_device_count() == 1
    one = tiny_posterior.history(tiny_posterior.one_step_an_epoch())
    for devices in (4,):
        many = python(devices, TESTS / 'tiny_posterior.py')
        assert many['devices'] == devices
        for name in ('loss', 'pictures', 'paired', 'prior'):
            np.testing.assert_allclose(
                [record[name] for record in many['history']],
                [record[name] for record in one],
                rtol=1e-3,
                err_msg=f'{devices} devices: {name}',
            )


@pytest.mark.parametrize(
    ('section', 'values', 'message'),
    [
        ('latents', {'above': 113}, 'drawn as latents: set it to 112 or less'),
        ('', {'draws': 0}, 'config.draws is 0; give a whole number from 1'),
        ('flow', {'channels': (8, 18)}, 'does not divide'),
        ('flow', {'average': 1.0}, 'config.flow.average is 1'),
        ('', {'compute_dtype': 'float16'}, "no compute_dtype 'float16'"),
    ],
)
def test_configs_that_cannot_be(section, values, message):
    config = tiny_posterior.get_config()
    (config[section] if section else config).update(values)
    with pytest.raises(InputError, match=message):
        check(config)

"""The method for faces, alone and through the command."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import tiny_faces

from brainjax import experiment
from brainjax.errors import InputError
from brainjax.evaluation.table import score_table
from brainjax.evaluation.voxels import voxel_values
from brainjax.io import metrics
from brainjax.linear import pca
from brainjax.methods.data import no_pictures, prepare
from brainjax.methods.faces import findings as faces_findings
from brainjax.methods.faces import method as faces
from brainjax.methods.faces.latents import decode
from brainjax.networks import vaegan
from brainjax.networks.weights import vaegan as vaegan_weights
from brainjax.recordings import average_repeats, normalise
from brainjax.training import checkpoints


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """An undisturbed run: its folder and what scores.json holds.

    Beside it is 'killed', its folder as it was after three epochs of six.
    """
    workdir = tmp_path_factory.mktemp('faces') / 'run'
    save = checkpoints.save

    def saved(manager, state, history, made_from=None):
        if len(history) == 4:
            manager.wait_until_finished()
            shutil.copytree(workdir, workdir.with_name('killed'))
        return save(manager, state, history, made_from)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, 'save', saved)
        results = experiment.run(tiny_faces.get_run_config(), workdir)
    return workdir, results


@pytest.fixture(scope='module')
def fitted(finished):
    """The same run, its parts at hand: training is not done again."""
    config = tiny_faces.get_run_config()
    recording = experiment.open_data(config).recording
    return (
        faces.fit(
            prepare(recording, experiment.open_data(config).pictures),
            config,
            finished[0],
        ),
        recording,
        config,
    )


def test_voxels_are_told_by_the_map(finished, fitted):
    found = voxel_values.read(finished[0]).values
    space = fitted[0].vaegan
    np.testing.assert_array_equal(
        np.flatnonzero(found['selected']), space.voxels
    )
    np.testing.assert_array_equal(found['latent_variance'], space.gain)
    assert found['encoder_correlation'].max() <= 1
    assert (found['encoder_weight'] > 0).all()


def outcome(workdir):
    with np.load(workdir / 'reconstructions.npz') as archive:
        images = archive['images']
    return images, json.loads((workdir / 'scores.json').read_text())


def test_scores_are_there_beside_those_of_the_baseline(finished):
    _, results = finished
    scores = results['scores']
    assert 'principal components of the training faces' in results['methods']
    for name in ('pairwise_latents', 'full_recognition', 'gender', 'imagery'):
        baseline = name.replace('_latents', '') + '_pca'
        for each in (name, baseline):
            assert {'value', 'chance', 'low', 'high', 'p', 'n'} <= scores[
                each
            ].keys()
            assert scores[each]['n'] == (3 if 'imagery' in each else 6)
    assert scores['full_recognition']['chance'] == pytest.approx(1 / 6)
    assert {
        'pixcorr',
        'pixcorr_pca',
        'pixcorr_ceiling',
        'ssim_2d_ceiling',
        'gender_ceiling',
        'pairwise_latents_V1',
        'pairwise_pca_FFA',
    } <= scores.keys()
    assert results['simulated'] and not results['transductive']
    assert scores['pairwise_latents']['value'] > 0.7
    assert scores['pairwise_pca']['value'] > 0.8


def test_metrics_tell_of_the_vaegan(finished):
    assert metrics.read(finished[0]).keys() == {'vaegan'}


def test_report_shows_what_limits_the_pictures(finished):
    html = (finished[0] / 'report.html').read_text()
    for words in (
        'Imagined faces',
        'What limits the pictures',
        'From female to male',
        'Training of the VAE-GAN',
        'median over voxels 0.9',
        'looked for among its pictures',
        'Which of two faces was seen',
        'the share of steps in which a part was trained',
    ):
        assert words in html, words
    for name in outcome(finished[0])[1]['scores']:
        score = score_table.describe(name)
        assert score.meaning and score.title != name, name


@pytest.mark.parametrize('name', ['vaegan', 'pca'])
def test_latents_are_those_of_the_equations(fitted, name):
    fit, recording, config = fitted
    space = getattr(fit, name)
    train, test = recording.train, average_repeats(recording.test)
    z = np.float64(space.encode(recording.stimuli.images))
    # Equations (1) and (2) with pseudo-inverses, in float64: the constant is
    # found too, and dropped. Voxels count by what normalising makes of them.
    deviation = np.std(train.fmri, axis=0, dtype=float)
    x = np.c_[z[train.stimulus], np.ones(len(train))]
    weights = np.linalg.pinv(x) @ (train.fmri / deviation)
    expected = test.fmri / deviation @ np.linalg.pinv(weights)
    fmri = average_repeats(normalise(recording).test).fmri
    found = decode(space, fmri, config, 4)
    scale = np.abs(expected[:, :-1]).max()
    assert np.abs(found - expected[:, :-1]).max() < 1e-3 * scale
    n = len(test)
    matrix = np.corrcoef(z[test.stimulus], found)[:n, n:]
    wins = [
        matrix[j, j] > matrix[i, j]
        for j in range(n)
        for i in range(n)
        if i != j
    ]
    score = faces_findings.findings(
        fit, prepare(recording, no_pictures(config)), config
    ).scores['pairwise_latents' if name == 'vaegan' else 'pairwise_pca']
    assert score['value'] == pytest.approx(np.mean(wins))


def test_pictures_are_the_generators(finished, fitted):
    fit, recording, config = fitted
    fmri = average_repeats(normalise(recording).test).fmri
    images, _ = outcome(finished[0])
    np.testing.assert_allclose(
        faces.reconstruct(fit, fmri, config), images, atol=1e-5
    )


def test_known_constant_and_spread(fitted):
    fit, recording, config = fitted
    config = config.copy_and_resolve_references()
    config.map.inversion = 'least_squares'
    fmri = average_repeats(normalise(recording).test).fmri
    found = decode(fit.pca, fmri, config, 4)
    weights = np.float64(fit.pca.weights)
    y = fmri + fit.pca.baseline - weights[-1]
    expected = y @ np.linalg.pinv(weights[:-1])
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-2)
    config.map.rescale = True
    mean = fit.pca.latents.mean(axis=0)
    rescaled = decode(fit.pca, fmri, config, 4) - mean
    wanted = (fit.pca.latents - mean).std(axis=1).mean()
    np.testing.assert_allclose(rescaled.std(axis=1), wanted, rtol=1e-4)
    # Each by itself: it does not depend on the other test faces.
    alone = decode(fit.pca, fmri[:1], config, 4) - mean
    np.testing.assert_allclose(alone, rescaled[:1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize('name', ['vaegan', 'pca'])
def test_most_probable_latents_are_a_conditional_mean(fitted, name):
    fit, recording, config = fitted
    config = config.copy_and_resolve_references()
    config.map.inversion = 'most_probable'
    space = getattr(fit, name)
    train, trials = normalise(recording).train, 40
    z = np.float64(space.encode(recording.stimuli.images))[train.stimulus]
    x = np.c_[z, np.ones(trials)]
    y = np.float64(train.fmri)
    weights = np.linalg.lstsq(x, y, rcond=None)[0]
    left = ((y - x @ weights) ** 2).sum(axis=0) / (trials - x.shape[1])
    # Test faces were shown 4 times each.
    covariance = np.cov(z.T, bias=True)
    rows = weights[:-1]
    spread = rows.T @ covariance @ rows + np.diag(left / 4)
    test = average_repeats(normalise(recording).test)
    solved = np.linalg.solve(spread, rows.T @ covariance)
    # The mean face evokes the mean response, which normalising made 0.
    expected = z.mean(axis=0) + test.fmri @ solved
    assert fit.repeats == 4
    found = decode(space, test.fmri, config, fit.repeats)
    scale = np.abs(expected - z.mean(axis=0)).max()
    assert np.abs(found - expected).max() < 1e-3 * scale
    # One trial alone says less, so that the mean face is nearer.
    alone = decode(space, test.fmri, config, 1)
    assert alone.std(axis=0).mean() < 0.9 * found.std(axis=0).mean()


def test_choice_of_voxels_sees_training_trials_alone(fitted, finished):
    _, recording, config = fitted
    config = config.copy_and_resolve_references()
    config.map.voxels = 0.5
    pictures = experiment.open_data(config).pictures
    rng = np.random.default_rng(0)
    noisy = rng.permutation(40)[:20]
    fmri = recording.train.fmri.copy()
    fmri[:, noisy] = rng.permutation(fmri[:, noisy])  # Of other faces.
    train = dataclasses.replace(recording.train, fmri=fmri)
    test = recording.test
    poison = 100 * rng.standard_normal(test.fmri.shape).astype(np.float32)
    one, other = (
        faces.fit(
            prepare(
                dataclasses.replace(
                    recording,
                    train=train,
                    test=dataclasses.replace(test, fmri=responses),
                    imagery=None,
                ),
                pictures,
            ),
            config,
            finished[0],
        )
        for responses in (test.fmri, poison)
    )
    for name in ('vaegan', 'pca'):
        space = getattr(one, name)
        for left, right in zip(space[2:], getattr(other, name)[2:]):
            np.testing.assert_array_equal(left, right)
        assert len(space.voxels) == 20
        assert np.isin(space.voxels, noisy).sum() <= 3
        found = decode(space, poison, config, 4)
        # What the other voxels say changes nothing.
        rest = np.setdiff1d(np.arange(40), space.voxels)
        poison[:, rest] = 0
        np.testing.assert_array_equal(decode(space, poison, config, 4), found)


def test_run_with_few_voxels_and_the_most_probable_latents(finished, tmp_path):
    config = tiny_faces.get_run_config()
    variables, _ = faces.fit_vaegan(
        experiment.open_data(config).pictures,
        config,
        finished[0] / 'checkpoints' / 'vaegan',
    )
    config.networks.weights = str(tmp_path / 'faces.safetensors')
    vaegan_weights.save(config.networks.weights, variables)
    # 5 voxels for 6 latents, and 3 of each ROI.
    config.map.update(inversion='most_probable', voxels=0.125)
    scores = experiment.run(config, tmp_path / 'run')['scores']
    assert scores.keys() == finished[1]['scores'].keys()
    assert scores['pairwise_pca']['value'] > 0.6
    html = (tmp_path / 'run' / 'report.html').read_text()
    for words in (
        'from fMRI: 5 of 40 voxels were chosen by training trials (',
        'PCA: 5 of 40 voxels',
        'of 20',
        'as prior, which is not published',
    ):
        assert words in html, words


def test_trained_networks_are_loaded(fitted, finished, tmp_path):
    trained, recording, config = fitted
    variables, _ = faces.fit_vaegan(
        experiment.open_data(config).pictures,
        config,
        finished[0] / 'checkpoints' / 'vaegan',
    )
    path = tmp_path / 'faces.safetensors'
    vaegan_weights.save(path, variables)
    config = config.copy_and_resolve_references()
    config.networks.weights = str(path)
    none = np.empty((0, 16, 16, 3), np.uint8)
    fit = faces.fit(prepare(recording, none), config, tmp_path)
    assert not fit.history
    images = recording.stimuli.images
    np.testing.assert_array_equal(
        fit.vaegan.encode(images), vaegan.encode(variables, images)
    )
    # The baseline is of the training stimuli, however the networks came.
    basis = pca.fit(images[fit.shown], 6, seed=config.seed)
    for each in (fit, trained):
        np.testing.assert_array_equal(
            each.pca.encode(images), pca.encode(basis, images)
        )
    config.networks.latents = 5
    with pytest.raises(InputError, match='16 px and 6 latents; set'):
        faces.fit(prepare(recording, none), config, tmp_path)


def test_run_that_is_killed_ends_with_the_very_numbers(finished, tmp_path):
    folder = tmp_path / 'run'
    shutil.copytree(finished[0].with_name('killed'), folder)
    kept = {p.name for p in folder.glob('checkpoints/vaegan/*')}
    assert {'10', '15'} <= kept and not kept & {'20', '25', '30'}
    assert not (folder / 'scores.json').exists()
    experiment.run(tiny_faces.get_run_config(), folder)
    ours, undisturbed = outcome(tmp_path / 'run'), outcome(finished[0])
    np.testing.assert_array_equal(ours[0], undisturbed[0])
    assert ours[1] == undisturbed[1]


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'networks.latents': 40}, '20 voxels, or as many in the smallest'),
        ({'simulated.n_train': 7}, '7 training faces cannot'),
        ({'simulated.n_train': 6}, 'do not have 6 principal components'),
        ({'training.epochs': 0}, r'config\.training\.epochs is 0; give'),
        ({'simulated.n_train': 55}, '60 faces are too few for 55 training'),
        ({'simulated.n_test': 1}, 'too few'),
        ({'map.inversion': 'publishe'}, "Did you mean 'published'"),
        ({'map.rois': ('V9',)}, "no ROI 'V9'"),
        ({'map.voxels': 0.0}, r'config\.map\.voxels is 0; give a part'),
        ({'map.voxels': 20.0}, r'config\.map\.voxels is 20; give a part'),
        ({'map.voxels': 0.3}, '6 voxels, or as many .* raise config.map.vox'),
        (
            {
                'map.voxels': 0.5,
                'map.ridge': 1.0,
                'networks.latents': 8,
                'simulated.n_train': 9,
            },
            '9 training faces cannot .* and what they leave of voxels',
        ),
        ({'pictures.path': '/nowhere'}, 'nowhere'),
        ({'networks.weights': '/no.safetensors'}, 'no.safetensors'),
        ({'recording.required': 'a file'}, 'this config wants a file'),
    ],
)
def test_input_that_cannot_be(tmp_path, changes, message):
    config = tiny_faces.get_run_config()
    config.update_from_flattened_dict(changes)
    with pytest.raises(InputError, match=message):
        experiment.run(config, tmp_path / 'run')
    assert not (tmp_path / 'run').exists()


def test_recordings_that_cannot_be(fitted, tmp_path):
    _, recording, config = fitted
    pictures = experiment.open_data(config).pictures
    stimuli = recording.stimuli
    names = tuple(f'{i}.png' for i in range(len(stimuli)))
    train = recording.train
    centred = train.fmri - train.fmri.mean(axis=0)
    n = len(stimuli)
    for changes, message in (
        (
            {'stimuli': dataclasses.replace(stimuli, categories=('male',) * n)},
            'all training faces have one gender',
        ),
        (
            {'stimuli': type(stimuli)(stimuli.images, names)},
            r'do not tell male from female faces; set config\.gender=False',
        ),
        (
            {'stimuli': dataclasses.replace(stimuli, images=None)},
            'holds no pictures',
        ),
        (
            {
                'stimuli': dataclasses.replace(
                    stimuli, images=stimuli.images[:, :8]
                )
            },
            r'are 8 x 16 px and config\.size is 16',
        ),
        (
            {'train': dataclasses.replace(train, fmri=centred)},
            'every voxel has mean 0',
        ),
        ({'imagery': train}, 'not among the test faces'),
    ):
        wrong = dataclasses.replace(recording, **changes)
        with pytest.raises(InputError, match=message):
            faces.fit(prepare(wrong, pictures), config, tmp_path / 'run')

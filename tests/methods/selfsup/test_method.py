"""The self-supervised method on a tiny subject."""

import copy
import dataclasses

import jax
import numpy as np
import pytest
import scipy.stats
import tiny
from ml_collections import FrozenConfigDict
from tiny_selfsup import PICTURES, config

from brainjax import evaluation
from brainjax.errors import InputError
from brainjax.evaluation.voxels import receptive_fields
from brainjax.evaluation.voxels.encoding import voxel_correlation
from brainjax.evaluation.voxels.voxel_values import TITLES
from brainjax.methods.data import prepare
from brainjax.methods.selfsup import findings as selfsup_findings
from brainjax.methods.selfsup import method as selfsup
from brainjax.methods.selfsup import packing, training
from brainjax.methods.selfsup.data import average_some, check, split
from brainjax.methods.selfsup.networks import build_encoder, load_backbone
from brainjax.methods.selfsup.training import fit_encoder, voxel_snr
from brainjax.pictures.on_disk import OnDisk
from brainjax.recordings import Trials, average_repeats, normalise
from brainjax.reports import draw


def one_epoch(folder, recording=None, pictures=PICTURES, **changes):
    """Fits both networks for five steps, which are those of the whole run."""
    c = tiny.get_config('quick')
    c.update_from_flattened_dict(tiny.dotted(changes))
    return selfsup.fit(
        prepare(recording or tiny.subject(), pictures), c, folder
    )


@pytest.fixture(scope='module')
def subject():
    return tiny.subject()


@pytest.fixture(scope='module')
def fitted(subject, tmp_path_factory):
    return selfsup.fit(
        prepare(subject, PICTURES), config(), tmp_path_factory.mktemp('fitted')
    )


@pytest.fixture(scope='module')
def short(tmp_path_factory):
    return one_epoch(tmp_path_factory.mktemp('short'))


def test_pictures_on_disk_train_the_same(short, tmp_path):
    np.save(tmp_path / 'pictures.npy', PICTURES)
    lazy = OnDisk(str(tmp_path / 'pictures.npy'))
    found = one_epoch(tmp_path / 'run', pictures=lazy)
    for a, b in zip(leaves(found.decoder), leaves(short.decoder)):
        np.testing.assert_array_equal(a, b)


def test_batches_of_the_encoder_have_to_divide(subject, monkeypatch):
    monkeypatch.setattr(jax, 'device_count', lambda: 3)
    c = config(encoder__batch=6, decoder__norm='batch')
    check(c, subject)  # What the decoder's lack is padded.
    c.encoder.batch = 16
    with pytest.raises(InputError) as error:
        check(c, subject)
    assert str(error.value) == (
        'config.encoder.batch is 16, which does not divide among 3 devices; '
        'give a multiple of 3.'
    )


def leaves(*trees):
    return [np.asarray(x) for x in jax.tree.leaves(trees)]


def test_encoder_predicts_held_out_responses(fitted):
    scores = [r['validation_score'] for r in fitted.history['encoder']]
    assert len(scores) == 6
    # Chance is 0; twelve stimuli and 48 voxels make 0.05 at most.
    assert max(scores) > 0.4
    assert scores[-1] > scores[0]
    losses = [r['loss'] for r in fitted.history['encoder']]
    assert losses[-1] < 0.8 * losses[0]


def test_best_encoder_is_kept(subject, fitted):
    data = split(prepare(subject, PICTURES), config())
    images = data.images[data.validation.stimulus]
    r = voxel_correlation(
        packing.encode(fitted, images, config()),
        data.validation.fmri,
    )
    scores = [x['validation_score'] for x in fitted.history['encoder']]
    np.testing.assert_allclose(r.mean(), max(scores), rtol=1e-4)


def test_reconstructions_are_recognised(subject, fitted):
    test = average_repeats(normalise(subject).test)
    images = selfsup.reconstruct(fitted, test.fmri, config())
    assert images.shape == (24, 16, 16, 3) and images.dtype == np.float32
    assert images.min() >= 0 and images.max() <= 1
    scores = evaluation.score(
        subject.stimuli.images[test.stimulus], images, draws=500
    )
    two_way = scores['two_way_pixels']
    assert two_way['chance'] == 0.5
    assert two_way['value'] > 0.9 and two_way['low'] > 0.8
    assert scores['pixcorr']['low'] > 0.2 + scores['pixcorr']['chance']
    # One trial is harder than the average of four.
    single = selfsup.reconstruct(
        fitted, normalise(subject).test.fmri[:1], config()
    )
    assert single.shape == (1, 16, 16, 3)


def test_decoder_learns_from_all_three_losses(fitted):
    first, last = (fitted.history['decoder'][i] for i in (0, -1))
    for name in ('D', 'ED', 'DE', 'loss'):
        assert last[name] < first[name]
    weighted = sum(last[n] for n in ('D', 'ED', 'DE', 'regularisation'))
    np.testing.assert_allclose(last['loss'], weighted, rtol=1e-5)
    assert -last['validation_score'] < -first['validation_score']
    assert fitted.notes == []


def panels(found, name):
    (figure,) = (
        draw(f) for f in found.figures if f.title.endswith(f'the {name}')
    )
    return {axes.get_title(loc='left') for axes in figure.axes}


def test_findings_score_the_encoder_on_the_test_stimuli(subject, fitted):
    found = selfsup_findings.findings(
        fitted, prepare(subject, PICTURES), config()
    )
    score = found.scores['encoder_correlation']
    test = average_repeats(normalise(subject).test)
    predicted = packing.encode(
        fitted, subject.stimuli.images[test.stimulus], config()
    )
    r = voxel_correlation(predicted, test.fmri)
    assert score['value'] == pytest.approx(np.median(r))
    assert score['low'] > 0.3 and abs(score['chance']) < 0.1
    voxels = found.voxels
    np.testing.assert_array_equal(voxels['encoder_correlation'], r)
    located = voxels['field_fit'] >= receptive_fields.LOCATED
    for name in ('field_x', 'field_size', 'eccentricity', 'angle'):
        np.testing.assert_array_equal(np.isfinite(voxels[name]), located)
    for name in ('layer_preference', 'decoder_weight', 'influence'):
        assert voxels[name].shape == r.shape and (voxels[name] > 0).all()
    assert {*voxels} <= {*TITLES}
    assert 'D + ED + DE' in found.method and not found.transductive
    for figure in found.figures:
        assert figure.title and figure.caption and draw(figure).axes
    assert {'D', 'ED', 'DE', 'score'} <= panels(found, 'decoder')
    for record in (off := copy.deepcopy(fitted.history['decoder'])):
        record['DE'] = 0.0
    without = fitted._replace(history={'decoder': off})
    found = selfsup_findings.findings(
        without, prepare(subject, PICTURES), config()
    )
    assert {'D', 'ED', 'score'} <= panels(found, 'decoder')
    assert 'DE' not in panels(found, 'decoder')
    assert 'What the voxels see, by the encoder' in [
        f.title for f in found.figures
    ]
    for roi in subject.rois:
        entry = found.scores[f'encoder_correlation_in_{roi}']
        assert entry['voxels'] == subject.rois[roi].sum()
    assert any('voxel at 75 %' in note for note in found.notes)


def test_receptive_fields_lie_where_the_voxels_look(subject, fitted):
    """The tiny subject's voxels sum the light in parts of the picture."""
    train = normalise(subject).train
    found = selfsup_findings.biology(
        fitted, subject.stimuli.images[train.stimulus], train.fmri, config()
    )
    true = tiny.centres()
    known = found.fields.located
    assert known.mean() > 0.5
    for i in range(2):
        r = np.corrcoef(found.fields.centre[known, i], true[known, i])[0, 1]
        assert r > 0.5
    np.testing.assert_allclose(found.preference.share.sum(axis=0), 1, rtol=1e-6)


# What training sees.


def test_no_stimulus_serves_two_purposes(subject):
    c = config(validation=0.2, unpaired_fmri=0.3)
    data = split(prepare(subject, PICTURES), c)
    train, validation = (
        set(part.stimulus.tolist()) for part in (data.train, data.validation)
    )
    assert not train & validation
    assert (len(train), len(validation)) == (60, 24)
    assert train | validation <= set(subject.train.stimulus.tolist())
    # The set-aside trials are those of neither, and no test trial.
    assert len(data.unpaired_fmri) == 36
    left = ~np.isin(subject.train.stimulus, [*train, *validation])
    np.testing.assert_array_equal(
        data.unpaired_fmri, normalise(subject).train.fmri[left]
    )
    # Another seed draws others.
    other = split(prepare(subject, PICTURES), config(validation=0.2, seed=1))
    assert set(other.validation.stimulus.tolist()) != validation


def test_repeats_of_a_stimulus_stay_together(subject):
    twice = Trials(
        np.repeat(subject.train.fmri, 2, axis=0),
        np.repeat(subject.train.stimulus, 2),
    )
    recording = dataclasses.replace(subject, train=twice)
    data = split(prepare(recording, PICTURES), config())
    shared = np.intersect1d(data.train.stimulus, data.validation.stimulus)
    assert not len(shared)
    # Validation is on averages.
    assert len(data.validation) == len(np.unique(data.validation.stimulus))


def test_where_unpaired_fmri_comes_from(subject):
    unpaired = np.full((5, tiny.VOXELS), 3, np.float32)
    brought = dataclasses.replace(subject, unpaired_fmri=unpaired)
    test = average_repeats(normalise(subject).test).fmri
    for recording in (subject, brought):
        c = config(transductive_test_fmri=True)
        data = split(prepare(recording, PICTURES), c)
        np.testing.assert_array_equal(data.unpaired_fmri, test)
    data = split(prepare(brought, PICTURES), config())
    np.testing.assert_array_equal(
        data.unpaired_fmri, normalise(brought).unpaired_fmri
    )


def test_the_decoder_can_learn_from_validation_stimuli_too(subject):
    own = split(prepare(subject, PICTURES), config(validation=0.2))
    assert own.paired is own.train
    c = config(validation=0.2, unpaired_fmri=0.3, decoder__all_pairs=True)
    data = split(prepare(subject, PICTURES), c)
    np.testing.assert_array_equal(
        np.sort(data.paired.stimulus),
        np.sort([*data.train.stimulus, *data.validation.stimulus]),
    )
    assert not np.isin(data.unpaired.stimulus, data.paired.stimulus).any()
    assert not np.isin(subject.test.stimulus, data.paired.stimulus).any()


def test_pictures_that_the_decoder_learns_from_do_not_score_it(tmp_path):
    ours = one_epoch(tmp_path, decoder__all_pairs=True)
    assert 'validation_score' in ours.history['encoder'][-1]
    assert 'validation_score' not in ours.history['decoder'][-1]
    with pytest.raises(InputError, match='chooses the epoch on stimuli'):
        one_epoch(
            tmp_path, decoder__all_pairs=True, decoder__select='validation'
        )


def test_averages_of_repeats_are_drawn_anew(subject):
    stimulus = np.repeat(np.int32([4, 9]), 35)
    fmri = np.float32(np.eye(70, dtype=bool))
    trials = Trials(fmri, stimulus)
    draws = [
        average_some(trials, 9, 0.33, np.random.default_rng(i)) for i in (0, 1)
    ]
    for drawn in draws:  # 11 of the 35 of its own, each once.
        assert not drawn[:35].any()
        np.testing.assert_allclose(drawn[drawn > 0], 1 / 11, rtol=1e-6)
        assert (drawn > 0).sum() == 11
    assert (draws[0] != draws[1]).any()
    whole = average_some(trials, 4, 1.0, np.random.default_rng(0))
    np.testing.assert_allclose(whole, average_repeats(trials).fmri[0])
    c = config(
        transductive_test_fmri=True,
        decoder__fmri_repeats=0.5,
        decoder__encoder_decoder=0.0,
        decoder__cache_features=False,
    )
    data = split(prepare(subject, PICTURES), c)
    batch = training.decoder_batches(
        FrozenConfigDict(c), None, {}, data, None, None
    )
    first, again, second = (batch(step)['fmri']['fmri'] for step in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert first.shape == (c.decoder.batch_fmri, tiny.VOXELS)
    assert not np.isin(first[:, 0], data.unpaired_fmri[:, 0]).any()
    assert (first != second).any()


def test_the_report_names_the_paper(subject, short):
    c = config(paper='Beliy et al. 2019')
    found = selfsup_findings.findings(short, prepare(subject, PICTURES), c)
    assert '(Beliy et al. 2019; losses D + ED + DE)' in found.method


def test_test_trials_change_nothing_unless_asked_for(subject, short, tmp_path):
    rng = np.random.default_rng(0)
    images = subject.stimuli.images.copy()
    shown = np.unique(subject.test.stimulus)
    images[shown] = rng.integers(0, 256, images[shown].shape)
    other = dataclasses.replace(
        subject,
        test=dataclasses.replace(
            subject.test,
            fmri=rng.standard_normal(subject.test.fmri.shape, np.float32),
        ),
        stimuli=dataclasses.replace(subject.stimuli, images=images),
        snr=subject.snr[::-1].copy(),
        noise_ceiling=None,
    )
    again = one_epoch(tmp_path, other)
    for a, b in zip(leaves(*again[:4]), leaves(*short[:4])):
        np.testing.assert_array_equal(a, b)
    assert again.history == short.history


def test_transductive_use_is_trained_on_and_told(subject, short, tmp_path):
    c = {'transductive_test_fmri': True}
    ours = one_epoch(tmp_path, **c)
    assert ours.history['encoder'] == short.history['encoder']
    assert ours.history['decoder'] != short.history['decoder']
    (note,) = ours.notes
    assert note.startswith('Transductive') and 'test trials' in note
    found = selfsup_findings.findings(
        ours, prepare(subject, PICTURES), config(**c)
    )
    assert found.transductive and found.notes[0] == note
    # Without the DE loss nothing learns from it.
    unused = selfsup_findings.findings(
        short,
        prepare(subject, PICTURES),
        config(**c, decoder__decoder_encoder=0.0),
    )
    assert not unused.transductive


# Switches that must not change a result.


def test_caches_do_not_change_the_losses(short, tmp_path):
    plain = one_epoch(
        tmp_path,
        decoder__cache_predictions=False,
        decoder__cache_features=False,
    )
    for ours, cached in zip(plain.history['decoder'], short.history['decoder']):
        assert ours.keys() == cached.keys()
        for name, value in ours.items():
            # Rounding grows by the step, with so high a rate.
            np.testing.assert_allclose(cached[name], value, rtol=2e-3)


# The voxels' weights.


@pytest.fixture(scope='module')
def data(subject):
    return split(prepare(subject, PICTURES), config())


def test_voxel_weights_that_need_no_encoder(subject, data):
    def weights(kind, recording=subject):
        return voxel_snr(config(voxel_snr=kind), recording, data, None, None)

    snr, notes = weights('uniform')
    assert np.all(snr == 1) and snr.dtype == np.float32 and notes == []
    snr, notes = weights('transductive_source')
    np.testing.assert_allclose(snr, subject.snr)
    assert 'Transductive' in notes[0] and 'test stimuli' in notes[0]
    with pytest.raises(InputError, match='brings no SNR; set'):
        weights('transductive_source', dataclasses.replace(subject, snr=None))
    with pytest.raises(InputError, match='repeat'):
        weights('repeats')
    rng = np.random.default_rng(0)
    stimulus = np.repeat(np.arange(30, dtype=np.int32), 3)
    signal = rng.standard_normal((30, tiny.VOXELS))[stimulus]
    fmri = np.linspace(0.1, 3, tiny.VOXELS) * signal
    fmri += rng.standard_normal(fmri.shape)
    repeated = dataclasses.replace(
        subject, train=Trials(fmri.astype(np.float32), stimulus)
    )
    snr, notes = weights('repeats', repeated)
    assert scipy.stats.spearmanr(snr, np.arange(tiny.VOXELS))[0] > 0.9
    assert notes == []
    fmri[:, 3] = signal[:, 3]  # Repeats do not differ.
    repeated = dataclasses.replace(
        subject, train=Trials(fmri.astype(np.float32), stimulus)
    )
    with pytest.raises(InputError, match='SNR of voxel 3 is inf'):
        weights('repeats', repeated)


def test_voxel_weights_from_the_encoder(subject, data, fitted):
    predicted = packing.encode(
        fitted, data.images[data.validation.stimulus], config()
    )
    r = voxel_correlation(predicted, data.validation.fmri).clip(0.1, 0.95)
    np.testing.assert_allclose(fitted.snr, r**2 / (1 - r**2), rtol=1e-3)
    c = config(validation=0.0)
    without = split(prepare(subject, PICTURES), c)
    with pytest.raises(InputError, match='needs validation stimuli'):
        voxel_snr(c, subject, without, None, None)


# The other networks, and what cannot be.


def test_dense_encoder_and_no_validation(subject, tmp_path):
    c = config(
        validation=0.0,
        encoder__kind='dense',
        encoder__backbone='alexnet_stride2',
        encoder__taps=('relu1',),
        encoder__optimizer='sgd',
        encoder__learning_rate=0.01,
        encoder__epochs=2,
    )
    data = split(prepare(subject, PICTURES), c)
    c = FrozenConfigDict(c)
    variables, history = fit_encoder(
        c,
        build_encoder(c, tiny.VOXELS),
        load_backbone(c.encoder, 0),
        data,
        tmp_path,
    )
    assert variables['params']['dense'].shape[-1] == tiny.VOXELS
    assert history[1]['loss'] < history[0]['loss']
    assert history[1].keys() == {'epoch', 'loss', 'fmri', 'regularisation'}


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'size': 32}, 'stimuli are 16 x 16 px and config.size is 32'),
        ({'unpaired_fmri': 0.0}, 'no unpaired fMRI.*config.unpaired_fmri=0.1'),
        ({'validation': 0.9}, 'no training trial is left'),
        ({'encoder__weights': 'vgg16'}, 'run `brainjax fetch vgg16`'),
        ({'encoder__taps': ('relu1_2', 'relu2_3')}, "no tap 'relu2_3'"),
        ({'encoder__optimizer': 'adamw'}, "'adamw'.*Did you mean 'adam'"),
    ],
)
def test_what_cannot_be_fitted_is_one_sentence(
    changes, words, tmp_path, monkeypatch
):
    monkeypatch.setenv('BRAINJAX_CACHE', str(tmp_path / 'cache'))
    with pytest.raises(InputError, match=words):
        selfsup.fit(
            prepare(tiny.subject(), PICTURES), config(**changes), tmp_path
        )
    assert not (tmp_path / 'checkpoints' / 'encoder' / '15').exists()


def test_pictures_of_another_size(subject, tmp_path):
    wrong = tiny.pictures(4, seed=1, size=20)
    with pytest.raises(InputError, match='pictures are 20 x 20 px and config'):
        selfsup.fit(prepare(subject, wrong), config(), tmp_path)


# A checkpoint belongs to what it was trained on, whoever calls `fit`.


def test_a_used_folder_is_for_the_same_training(tmp_path, monkeypatch):
    one_epoch(tmp_path)
    other = dataclasses.replace(
        tiny.subject(),
        train=dataclasses.replace(
            tiny.subject().train, fmri=tiny.subject().train.fmri[::-1].copy()
        ),
    )
    with pytest.raises(InputError, match='trained with another recording'):
        one_epoch(tmp_path, other)
    with pytest.raises(InputError, match='trained with another pictures'):
        selfsup.fit(
            prepare(tiny.subject(), PICTURES[:-1]),
            tiny.get_config('quick'),
            tmp_path,
        )
    with pytest.raises(
        InputError,
        match=r'another config\.decoder\.learning_rate than is given now \(',
    ):
        one_epoch(tmp_path, decoder__learning_rate=0.007)
    real = training.load_backbone

    def changed(*given, **options):
        return jax.tree.map(lambda x: 1.01 * x, real(*given, **options))

    monkeypatch.setattr(training, 'load_backbone', changed)
    with pytest.raises(InputError, match='trained with another weights'):
        one_epoch(tmp_path)

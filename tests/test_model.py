"""A fitted model is kept, and gives the very pictures of its run."""

import functools
import json
import tempfile

import jax
import numpy as np
import pytest
import tiny
import tiny_faces
import tiny_inversion
import tiny_posterior

from brainjax import experiment, model, new_data
from brainjax.errors import InputError
from brainjax.io import arrays, files, model_files, tensors
from brainjax.methods import METHODS
from brainjax.methods.selfsup import start
from brainjax.methods.selfsup.networks import (
    build_encoder,
    feature_shapes,
    load_backbone,
)
from brainjax.recordings import preparing


def selfsup():
    c = tiny.get_config()
    c.encoder.epochs = c.decoder.epochs = 1
    # Less to trace: one block, one layer that compares pictures.
    c.decoder.blocks = 1
    c.image_loss.update(taps=('pool1',), tap_weights=(1.0,))
    return c


def inversion():
    return tiny_inversion.get_config(
        inversion__steps=10, inversion__recovered=0, references=False
    )


def faces():
    c = tiny_faces.get_run_config()
    c.training.epochs = 2
    return c


def posterior():
    c = tiny_posterior.get_config()
    c.references = False
    c.flow.epochs = 1
    c.recording.scale = 'own_run'
    # Ridge and draws both have a part in the pictures.
    return c


CONFIGS = {
    'selfsup': selfsup,
    'inversion': inversion,
    'faces': faces,
    'posterior': posterior,
}


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    """name -> the folder of a finished run, made when it is asked for."""

    @functools.cache
    def run(name):
        folder = tmp_path_factory.mktemp(name)
        experiment.run(CONFIGS[name](), folder)
        return folder

    return run


@functools.cache
def data(name):
    return experiment.open_data(CONFIGS[name]())


@pytest.mark.parametrize('name', METHODS)
def test_a_model_gives_the_pictures_of_its_run(name, runs):
    found = model.load(runs(name))
    of = data(name)
    images = found.reconstruct(of.test.fmri, normalised=True)
    shown = arrays.read(runs(name) / 'reconstructions.npz')['images']
    np.testing.assert_array_equal(images, shown)
    if name != 'posterior':  # Its runs are scaled one by one.
        np.testing.assert_array_equal(
            found.normalise(of.recording.test.fmri), of.normalised.test.fmri
        )
    assert found.rois.keys() == of.recording.rois.keys()
    for roi, mask in of.recording.rois.items():
        np.testing.assert_array_equal(found.rois[roi], mask)


def test_what_is_scaled_run_by_run_is_so_again(runs, tmp_path):
    scores = files.read_json(runs('posterior') / 'scores.json')
    assert scores['transductive']
    assert 'all trials of each run, those of the test' in scores['methods']
    of = data('posterior')
    scaled = preparing.scale(of.recording, 'own_run')
    np.testing.assert_array_equal(of.normalised.test.fmri, scaled.test.fmri)
    found = model.load(runs('posterior'))
    np.testing.assert_array_equal(
        (found.mean, found.std), preparing.usual(of.recording, 'own_run')
    )
    new_data.reconstruct(runs('posterior'), [], tmp_path)
    shown, again = (
        arrays.read(folder / 'reconstructions.npz')['images']
        for folder in (runs('posterior'), tmp_path)
    )
    np.testing.assert_array_equal(shown, again)


def test_a_scale_that_is_none_is_refused(tmp_path):
    c = posterior()
    c.recording.scale = 'runs'
    with pytest.raises(InputError, match=r"scale 'runs'.*mean 'run'"):
        experiment.run(c, tmp_path)


@pytest.mark.parametrize('name', METHODS)
def test_a_model_predicts_fmri(name, runs):
    """Better than the mean, for the subjects' voxels follow from pictures."""
    found, of = model.load(runs(name)), data(name)
    images = of.recording.stimuli.images
    shown = np.unique(of.normalised.train.stimulus)
    fmri = found.encode(images[shown], normalised=True)
    sums = np.zeros(fmri.shape)
    rows = np.searchsorted(shown, of.normalised.train.stimulus)
    np.add.at(sums, rows, of.normalised.train.fmri)
    truth = sums / np.bincount(rows)[:, None]
    r = [np.corrcoef(a, b)[0, 1] for a, b in zip(fmri.T, truth.T)]
    assert np.nanmedian(r) > 0.2
    unit = found.encode(images[shown[:3]])
    np.testing.assert_allclose(
        found.normalise(unit), fmri[:3], atol=1e-3, rtol=1e-3
    )


def test_the_encoder_is_that_of_the_run(runs):
    """Which scored it on the test pictures."""
    from brainjax.evaluation.voxels import encoding

    found, of = model.load(runs('selfsup')), data('selfsup')
    fmri = found.encode(
        of.recording.stimuli.images[of.test.stimulus], normalised=True
    )
    scored = encoding.score(fmri, of.test.fmri)['value']
    said = found.about['scores']['encoder_correlation']['value']
    assert scored == pytest.approx(said, abs=1e-6)


def test_any_changed_byte_is_refused(runs, tmp_path):
    rng = np.random.default_rng(0)
    for name in (model_files.ARRAYS, model_files.ABOUT):
        for other in (model_files.ARRAYS, model_files.ABOUT):
            content = (runs('selfsup') / 'model' / other).read_bytes()
            (tmp_path / other).write_bytes(content)
        whole = (tmp_path / name).read_bytes()
        for place in [0, 20, len(whole) - 1, *rng.integers(len(whole), size=9)]:
            changed = bytearray(whole)
            changed[place] ^= 1 << rng.integers(8)
            (tmp_path / name).write_bytes(changed)
            with pytest.raises(InputError, match=str(tmp_path)):
                model.load(tmp_path)
        (tmp_path / name).write_bytes(whole)
    assert model.load(tmp_path).voxels == tiny.VOXELS


def altered(runs, tmp_path, name, change):
    """A folder with hashes that are right, of a model that is not."""
    arrays_, about = model_files.read(runs(name) / 'model')
    change(arrays_, about)
    model_files.write(tmp_path, arrays_, about, '')
    return tmp_path


def wider(name, *path):
    def change(arrays_, about):
        *way, last = path
        for key in way:
            arrays_ = arrays_[key]
        value = arrays_[last]
        arrays_[last] = np.concatenate([value, value[:1]])

    return pytest.param(name, change, id=f'{name}-{path[-1]}')


def setting(name, key, value):
    def change(arrays_, about):
        section, _, last = key.rpartition('.')
        c = about['config'][section] if section else about['config']
        c[last] = value

    return pytest.param(name, change, id=f'{name}-{key}')


@pytest.mark.parametrize(
    ('name', 'change'),
    [
        wider('selfsup', 'mean'),
        wider('selfsup', 'rois'),
        wider('selfsup', 'fitted', 'snr'),
        wider('selfsup', 'fitted', 'encoder', 'params', 'space_6'),
        wider('selfsup', 'fitted', 'backbone', 'conv1_1', 'bias'),
        setting('selfsup', 'decoder.channels', 10**6),
        setting('selfsup', 'decoder.channels', 'many'),
        setting('selfsup', 'size', 10**5),
        setting('selfsup', 'unknown', 1),
        wider('inversion', 'fitted', 'stimulus'),
        wider('inversion', 'fitted', 'images'),
        setting('inversion', 'network.size', 32),
        wider('faces', 'fitted', 'map', 'weights'),
        setting('faces', 'size', 32),
        wider('posterior', 'fitted', 'reference', 'basis', 'axes'),
        wider('posterior', 'fitted', 'levels', 'test', 'gain'),
        setting('posterior', 'size', 20),
    ],
)
def test_arrays_that_do_not_fit_the_config_are_refused(
    name, change, runs, tmp_path
):
    folder = altered(runs, tmp_path, name, change)
    with pytest.raises(InputError, match=f'^{tmp_path}'):
        model.load(folder)


def test_what_is_no_model_is_told_from_one(runs, tmp_path):
    with pytest.raises(InputError, match='holds no model'):
        model.load(tmp_path)
    for fold in (1, 2, 10):
        target = tmp_path / f'fold_{fold}' / 'model'
        target.mkdir(parents=True)
        for path in (runs('selfsup') / 'model').iterdir():
            (target / path.name).write_bytes(path.read_bytes())
    with pytest.raises(InputError, match=r'fold_1 to fold_10\.'):
        model.load(tmp_path)
    assert model.load(tmp_path / 'fold_2').method == 'selfsup'


def test_other_shapes_of_fmri_and_pictures_are_refused(runs):
    found = model.load(runs('selfsup'))
    with pytest.raises(InputError, match='fitted to 48 voxels'):
        found.reconstruct(np.zeros((2, 49)))
    with pytest.raises(InputError, match='voxel 3 is NaN'):
        found.reconstruct(np.where(np.arange(48) == 3, np.nan, 0)[None])
    with pytest.raises(InputError, match=r'\[n, 16, 16, 3\]'):
        found.encode(np.zeros((2, 8, 8, 3)))


def test_the_card_is_what_the_hub_reads(runs):
    """YAML between two lines of dashes, of which numbers are numbers."""
    text = (runs('selfsup') / 'model' / model_files.CARD).read_text()
    _, front, body = text.split('---\n', 2)
    said = files.read_json(runs('selfsup') / 'scores.json')['scores']
    assert 'library_name: brainjax\n' in front and '- "simulated"\n' in front
    value = said['two_way_pixels']['value']
    assert f'type: two_way_pixels\n      value: {value:.4f}\n' in front
    assert 'simulated: no brain was measured' in body


def test_no_training_data_is_kept_where_it_is_not_needed(runs):
    kept, _ = tensors.read(runs('selfsup') / 'model' / model_files.ARRAYS)
    about = json.loads((runs('selfsup') / 'model/config.json').read_text())
    assert tempfile.gettempdir() not in json.dumps(about['source'])
    assert {*kept['fitted']} == {'encoder', 'decoder', 'snr', 'backbone'}
    assert 'training pictures' in (
        (runs('inversion') / 'model/README.md').read_text()
    )


def started(runs, **changes):
    c = selfsup()
    c.init.path = str(runs('selfsup'))
    c.update_from_flattened_dict(tiny.dotted(changes))
    return c


def drawn(config):
    """An encoder's first variables, for as many voxels as in the run."""
    backbone = load_backbone(config.encoder, config.seed, size=config.size)
    shapes = feature_shapes(config, backbone)
    features = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)
    return build_encoder(config, tiny.VOXELS).init(jax.random.key(5), features)


def test_an_encoder_begins_with_anothers_adapters(runs):
    config = started(runs)
    begin, first = start.read(config), drawn(config)
    found = start.encoder(begin, first)
    kept = model.load(runs('selfsup')).fitted.encoder
    for kind, name in (
        *(('params', name) for name in first['params']),
        *(('batch_stats', name) for name in first['batch_stats']),
    ):
        source = first if start.is_readout(name) else kept
        jax.tree.map(
            np.testing.assert_array_equal,
            found[kind][name],
            source[kind][name],
        )
    assert {'branch_0', 'branch_1'} == {
        name for name in first['params'] if not start.is_readout(name)
    }
    whole = start.read(started(runs, init__keep='all'))
    jax.tree.map(
        np.testing.assert_array_equal, start.encoder(whole, first), dict(kept)
    )


def test_fixed_adapters_stay(runs, tmp_path):
    """And a run that begins so says so, and resumes with the same alone."""
    config = started(runs, init__fixed=True, decoder__steps=1)
    results = experiment.run(config, tmp_path)
    assert results['config']['init']['path'] == str(runs('selfsup'))
    ours, theirs = (
        model.load(folder).fitted.encoder['params']
        for folder in (tmp_path, runs('selfsup'))
    )
    for name in ('branch_0', 'branch_1'):
        jax.tree.map(np.testing.assert_array_equal, ours[name], theirs[name])
    assert (ours['channels_0'] != theirs['channels_0']).any()
    assert 'began with the adapters of' in (
        (tmp_path / 'report.html').read_text()
    )


@pytest.mark.parametrize(
    ('changes', 'sentence'),
    [
        ({'seed': 1}, 'other weights of the backbone'),
        ({'encoder__channels': 4}, 'config.encoder.channels=8 and this run'),
        ({'init__keep': 'some'}, 'give one of adapters, all'),
        ({'init__path': 'nowhere'}, 'nowhere holds no model'),
    ],
)
def test_a_start_that_does_not_fit_is_refused(runs, changes, sentence):
    with pytest.raises(InputError, match=sentence):
        start.read(started(runs, **changes))


def test_other_voxels_cannot_be_trained_longer(runs):
    config = started(runs, init__keep='all')
    first = drawn(config)
    first['params']['bias_0'] = np.zeros(49)
    with pytest.raises(InputError, match='and the same voxels'):
        start.encoder(start.read(config), first)


def test_a_simulated_subject_needs_no_recording(runs, tmp_path):
    """Nor a file that its pictures were in."""
    options = new_data.Options(draws=100)
    new_data.reconstruct(runs('selfsup'), [], tmp_path, options)
    ours, theirs = (
        arrays.read(folder / 'reconstructions.npz')['images']
        for folder in (tmp_path, runs('selfsup'))
    )
    np.testing.assert_array_equal(ours, theirs)
    assert not (tmp_path / 'work').exists()

"""Features decoded from fMRI and inverted, from a recording to a report."""

import json
import shutil

import numpy as np
import pytest
import tiny
from conftest import TESTS
from processes import run
from tiny_inversion import get_config

from brainjax import experiment
from brainjax.errors import InputError
from brainjax.evaluation.voxels import voxel_values
from brainjax.io import arrays, feature_folders, metrics, provenance
from brainjax.linear import scaling
from brainjax.methods.data import prepare
from brainjax.methods.inversion.findings import findings
from brainjax.methods.inversion.method import fit, reconstruct
from brainjax.networks import frozen
from brainjax.recordings import average_repeats, normalise

SUBSETS = ('V1', 'V4+HVC', 'conv2_1')


def in_parts():
    return get_config(
        subsets__rois=('V1', 'V4|HVC'),
        subsets__layers=('conv2_1',),
        recording__groups=('some=scene-2-0000[0-6]*',),
    )


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp('inversion') / 'run'
    return folder, experiment.run(in_parts(), folder)


def test_pictures_and_features_are_told_apart_above_chance(finished):
    folder, results = finished
    scores = results['scores']
    for name in ('pixels', 'conv1_2', 'conv2_1', 'pixels_ridge'):
        entry = scores[f'two_way_{name}']
        assert entry['value'] > 0.7 and entry['low'] > 0.55
        assert entry['chance'] == 0.5 and entry['n'] == 12
        assert entry['p'] < 0.01
    assert results['method'] == 'inversion' and results['simulated']
    assert not results['transductive']
    for words in (
        'Features of 2 layers of vgg16 (weights random)',
        '(alpha 30) from the 40 voxels that correlate most',
        "40 steps of gradient descent from 'mean'",
    ):
        assert words in results['methods']
    with np.load(folder / 'reconstructions.npz') as found:
        assert found['images'].shape == (12, 16, 16, 3)
    lines = (folder / 'features.csv').read_text().splitlines()
    assert [line.split(',')[:3] for line in lines[1:]] == [
        ['conv1_2', '2048', '12'],
        ['conv2_1', '1024', '12'],
    ]
    for line in lines[1:]:
        assert all(0.1 < float(x) < 1 for x in line.split(',')[3:])
    page = (folder / 'report.html').read_text()
    assert 'deep image reconstruction' in page and 'random weights' in page
    assert 'Two-way, pixels, ridge' in page and 'from the brain' not in page


def test_metrics_tell_of_decoding_and_of_each_search(finished):
    folder, _ = finished
    stages = metrics.read(folder)
    searches = ('inversion', 'recovery', *(f'subsets/{x}' for x in SUBSETS))
    assert {*stages} == {'decoding', *searches}
    assert [line[:2] for line in stages['decoding']] == [
        [str(step), f'{layer}/{name}']
        for step, layer in enumerate(('conv1_2', 'conv2_1'), 1)
        for name in ('units', 'spread')
    ]
    # Of noisy responses ridge makes less than there was.
    assert all(0 < float(line[2]) < 1 for line in stages['decoding'][1::2])
    for label in searches:
        losses = [float(value) for _, _, value in stages[label]]
        assert losses[3] < losses[0]


def test_voxels_are_selected_by_half_of_the_units(finished):
    folder, _ = finished
    found = voxel_values.read(folder).values
    assert found.keys() >= {'selected', 'decoder_weight', 'posterior_weight'}
    # 40 of 80 voxels for each unit, unless it never varies.
    assert 0.4 < found['selected'].mean() <= 0.5
    assert np.corrcoef(found['selected'], found['decoder_weight'])[0, 1] > 0.3
    assert not (folder / 'maps').exists()
    page = (folder / 'report.html').read_text()
    assert 'does not say where its voxels lie' in page


def test_regions_layers_and_groups_are_scored_apart(finished):
    folder, results = finished
    scores = results['scores']
    for subset in SUBSETS:
        for kind in ('pixcorr', 'two_way_pixels'):
            entry = scores[f'{kind}_from_{subset}']
            assert entry['n'] == 12 and 0 < entry['p'] <= 1
            assert entry['value'] > entry['chance']
        assert scores[f'two_way_pixels_from_{subset}']['low'] > 0.55
    # Eight voxels of each area know less than all of them.
    assert scores['pixcorr_from_V4+HVC']['value'] < scores['pixcorr']['value']
    assert scores['pixcorr_of_some']['n'] == 7
    page = (folder / 'report.html').read_text()
    assert 'Two-way, pixels, from V4+HVC' in page
    assert 'Pixel correlation, of some' in page


def test_one_layer_alone_is_that_layer_of_the_whole(finished):
    folder, _ = finished
    about = json.loads(
        (folder / 'subsets' / 'conv2_1' / 'inversion.json').read_text()
    )['about']
    assert about['layers'] == ['conv2_1']
    part = arrays.read(folder / 'subsets' / 'conv2_1' / 'parts' / '0000.npz')
    whole = feature_folders.open_layers(folder / 'decoded' / 'inversion')
    true = feature_folders.open_layers(folder / 'features' / 'train')
    names = part['names'].tolist()
    decoded = feature_folders.read(whole['conv2_1'], names)
    known = scaling.reference(
        feature_folders.read(true['conv2_1'], true['conv2_1'].names)
    )
    scaled = scaling.scale(decoded, known, 'about_training_mean')
    target = {'conv2_1': frozen.channels_last(scaled)}
    assert str(part['targets']) == provenance.hash_tree(target)


def test_a_run_that_was_cut_off_ends_with_the_same_files(finished, tmp_path):
    folder, results = finished
    again = tmp_path / 'run'
    shutil.copytree(folder, again)
    # What a killed run leaves: one block of two, and nothing after it.
    (again / 'inversion' / 'parts' / '0001.npz').unlink()
    (again / 'inversion' / 'reconstructions.npz').unlink()
    shutil.rmtree(again / 'recovery')
    (again / 'decoded' / 'inversion' / 'conv2_1.npy').unlink()
    (again / 'features' / 'train' / 'features.json').unlink()
    (again / 'features' / 'test' / 'conv1_2.npy').write_bytes(b'cut')
    (again / 'features' / 'test' / 'made_from.json').unlink()
    (again / 'scores.json').unlink()
    assert experiment.run(in_parts(), again)['scores'] == results['scores']
    for name in ('reconstructions.npz', 'inversion/reconstructions.npz'):
        with np.load(folder / name) as a, np.load(again / name) as b:
            np.testing.assert_array_equal(a['images'], b['images'])


def test_two_hosts_end_with_the_scores_of_one(finished, tmp_path):
    folder, results = finished
    done = run(
        2,
        *('-m', 'brainjax', 'run', '--workdir', tmp_path / 'run'),
        *('--config', TESTS / 'tiny_inversion.py'),
        "--config.subsets.rois=('V1', 'V4|HVC')",
        "--config.subsets.layers=('conv2_1',)",
        "--config.recording.groups=('some=scene-2-0000[0-6]*',)",
        *('--config.audit.on=True', '--config.audit.seeds=1'),
        '--config.references=False',  # They are the first host's alone.
    )
    assert [status for status, _, _ in done] == [0, 0], done
    found = json.loads((tmp_path / 'run' / 'scores.json').read_text())
    of_references = {
        name for name in results['scores'] if name.endswith(('ridge', 'bayes'))
    }
    shared = results['scores'].keys() - of_references
    assert found['scores'].keys() == shared
    # The audit reconstructs and fits again, on both hosts.
    assert {row['check']: row for row in found['audit']}['seeds']['value']
    for name in shared:
        ours, theirs = (x['scores'][name]['value'] for x in (found, results))
        assert ours == pytest.approx(theirs)
    with (
        np.load(folder / 'reconstructions.npz') as one,
        np.load(tmp_path / 'run' / 'reconstructions.npz') as two,
    ):
        np.testing.assert_allclose(two['images'], one['images'], atol=1e-4)


def test_what_uses_all_test_pictures_says_so(tmp_path):
    recording = tiny.subject()
    c = get_config(decoding__scaling='over_test_pictures_transductive')
    c.inversion.update(steps=2, recovered=0)
    fitted = fit(prepare(recording, None), c, tmp_path)
    fmri = average_repeats(normalise(recording).test).fmri
    reconstruct(fitted, fmri, c)
    found = findings(fitted, prepare(recording, None), c)
    assert found.transductive
    assert any('Transductive' in note for note in found.notes)


def test_bad_settings_are_one_sentence(tmp_path):
    recording = tiny.subject()
    for change, words in (
        ({'decoding__scaling': 'published'}, 'published scales'),
        ({'decoding__scaling': 'about_nought'}, 'about_nought'),
        ({'network__layers': ('conv9_1',)}, 'conv9_1'),
        ({'inversion__optimiser': 'adam'}, 'adam'),
        ({'subsets__rois': ('V9',)}, "no ROI 'V9'"),
        ({'subsets__layers': ('conv1_2|fc8',)}, "'fc8', which is not in"),
    ):
        with pytest.raises(InputError, match=words):
            fit(prepare(recording, None), get_config(**change), tmp_path)
    json.dumps(get_config().to_dict())

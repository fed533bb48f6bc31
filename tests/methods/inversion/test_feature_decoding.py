"""From a recording to folders of decoded features, whole or resumed."""

import json
import os
import signal
import subprocess
import sys

import jax
import numpy as np
import pytest
import scipy.io
import tiny
from conftest import REPOSITORY, TESTS
from tiny_inversion_files import SETTING, SHAPES, write_true

from brainjax.__main__ import main
from brainjax.errors import InputError
from brainjax.io import feature_folders
from brainjax.linear import ridge
from brainjax.methods.inversion import feature_decoding
from brainjax.networks import frozen
from brainjax.recordings import average_repeats
from brainjax.recordings.formats import weizmann


def test_every_layer_is_decoded_as_the_ridge_does(tmp_path):
    recording = tiny.subject()
    made = write_true(tmp_path / 'true', recording)
    seen = []
    folders = feature_decoding.decode(
        recording,
        tmp_path / 'true',
        tmp_path / 'out',
        setting=SETTING,
        units_at_a_time=16,
        progress=lambda *told: seen.append(told),
    )
    assert folders == [
        tmp_path / 'out' / layer / 'tiny' / 'all' for layer in SHAPES
    ]
    assert seen[-1][:2] == (126, 126) and len(seen) > 4
    shown, rows = np.unique(recording.train.stimulus, return_inverse=True)
    test = average_repeats(recording.test)
    prepared = ridge.prepare(recording.train.fmri, rows, k=10, alpha=10.0)
    names = [recording.stimuli.names[i] for i in test.stimulus]
    layers = feature_folders.open_layers(
        tmp_path / 'out', subject='tiny', roi='all'
    )
    for layer, shape in SHAPES.items():
        decoded = feature_folders.read(layers[layer], names)
        assert decoded.shape == (len(names), *shape)
        true = made[layer][shown].reshape(len(shown), -1)
        np.testing.assert_allclose(
            decoded.reshape(len(names), -1),
            ridge.decode(prepared, test.fmri, true),
            rtol=1e-4,
            atol=1e-4,
        )
        # They tell of the pictures: correlation with the true features.
        r = np.corrcoef(decoded.ravel(), made[layer][test.stimulus].ravel())
        assert r[0, 1] > 0.5


def test_single_trials_have_names_of_their_own(tmp_path):
    recording = tiny.subject()
    write_true(tmp_path / 'true', recording)
    (folder,) = feature_decoding.decode(
        recording,
        tmp_path / 'true',
        tmp_path / 'out',
        layers=['fc'],
        setting=SETTING._replace(single_trials=True),
    )
    names = sorted(path.stem for path in folder.iterdir())
    assert len(names) == len(recording.test)
    first = recording.stimuli.names[recording.test.stimulus[0]]
    assert names[0] == f'sample000001-{first}'


CHILD = """
import pathlib, sys, time
import tiny
from brainjax.methods.inversion import feature_decoding
folder = pathlib.Path(sys.argv[1])
def told(*_):
    print('block', flush=True)
    time.sleep(0.05)
feature_decoding.decode(
    tiny.subject(), folder / 'true', folder / 'out', units_at_a_time=16,
    setting=feature_decoding.Setting(k=10, alpha=10.0), progress=told)
"""


def contents(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


def test_a_killed_run_goes_on_and_writes_the_same_files(tmp_path):
    recording = tiny.subject()
    for name in ('whole', 'killed'):
        write_true(tmp_path / name / 'true', recording)
    feature_decoding.decode(
        recording,
        tmp_path / 'whole' / 'true',
        tmp_path / 'whole' / 'out',
        setting=SETTING,
        units_at_a_time=16,
    )
    for blocks in (1, 4):
        process = subprocess.Popen(
            [sys.executable, '-c', CHILD, tmp_path / 'killed'],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, 'PYTHONPATH': f'{REPOSITORY}:{TESTS}'},
        )
        for _ in range(blocks):
            if not process.stdout.readline():
                break
        process.send_signal(signal.SIGKILL)
        process.communicate()
    feature_decoding.decode(
        recording,
        tmp_path / 'killed' / 'true',
        tmp_path / 'killed' / 'out',
        setting=SETTING,
        units_at_a_time=16,
    )
    whole = contents(tmp_path / 'whole' / 'out')
    assert contents(tmp_path / 'killed' / 'out') == whole
    assert not any('.npy' in str(path) for path in whole)


def test_a_damaged_or_missing_file_is_decoded_again(tmp_path):
    recording = tiny.subject()
    write_true(tmp_path / 'true', recording)
    arguments = recording, tmp_path / 'true', tmp_path / 'out'
    folders = feature_decoding.decode(*arguments, setting=SETTING)
    before = contents(tmp_path / 'out')
    victim = next(folders[0].iterdir())
    whole = victim.read_bytes()
    flipped = whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:]
    for damaged in (whole[:100], flipped, None):
        victim.unlink()
        if damaged:
            victim.write_bytes(damaged)
        feature_decoding.decode(*arguments, setting=SETTING)
        assert contents(tmp_path / 'out') == before


def test_units_that_an_index_names(tmp_path):
    recording = tiny.subject()
    made = write_true(tmp_path / 'true', recording)
    units = np.array([95, 3, 40])
    scipy.io.savemat(
        tmp_path / 'true' / 'feature_index.mat', {'index': {'conv1': units}}
    )
    feature_decoding.decode(
        recording, tmp_path / 'true', tmp_path / 'out', setting=SETTING
    )
    layers = feature_folders.open_layers(
        tmp_path / 'out', subject='tiny', roi='all'
    )
    np.testing.assert_array_equal(layers['conv1'].kept, units)
    assert layers['conv1'].stored is None and layers['fc'].kept is None
    shown, rows = np.unique(recording.train.stimulus, return_inverse=True)
    test = average_repeats(recording.test)
    prepared = ridge.prepare(recording.train.fmri, rows, k=10, alpha=10.0)
    true = made['conv1'][shown].reshape(len(shown), -1)[:, units]
    names = [recording.stimuli.names[i] for i in test.stimulus]
    np.testing.assert_allclose(
        feature_folders.read(layers['conv1'], names),
        ridge.decode(prepared, test.fmri, true),
        rtol=1e-4,
        atol=1e-4,
    )


def test_a_damaged_block_is_decoded_again(tmp_path):
    recording = tiny.subject()
    write_true(tmp_path / 'true', recording)

    class Cut(Exception):
        pass

    def cut(done, *_):
        if done >= 24:
            raise Cut

    def decode(out, **options):
        feature_decoding.decode(
            recording,
            tmp_path / 'true',
            tmp_path / out,
            layers=['fc'],
            setting=SETTING,
            units_at_a_time=12,
            **options,
        )

    decode('whole')
    whole = contents(tmp_path / 'whole')
    for number, damage in enumerate(
        (
            lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:],
            lambda data: data[:100],
            lambda data: data,
        )
    ):
        out = tmp_path / f'out{number}'
        with pytest.raises(Cut):
            decode(out.name, progress=cut)
        block, *_ = out.rglob('0-12.npy')
        block.write_bytes(damage(block.read_bytes()))
        decode(out.name)
        assert contents(out) == whole


def test_decoded_features_belong_to_the_weights_of_their_network(tmp_path):
    recording = tiny.subject()
    write_true(tmp_path / 'true', recording)
    arguments = recording, tmp_path / 'true', tmp_path / 'out'
    network = frozen.init_random(jax.random.key(0), 'vgg16', 1 / 16)
    frozen.write_provenance(tmp_path / 'true', network, {'size': 8})
    feature_decoding.decode(*arguments, setting=SETTING)
    manifest = json.loads((tmp_path / 'out' / 'tiny-all.json').read_text())
    said = manifest['made_from']['network']
    assert said['weights'] == frozen.hash_weights(network.params)
    assert said['size'] == 8
    (tmp_path / 'true' / frozen.PROVENANCE).unlink()
    other = frozen.init_random(jax.random.key(1), 'vgg16', 1 / 16)
    frozen.write_provenance(tmp_path / 'true', other, {'size': 8})
    with pytest.raises(InputError, match='features with weights '):
        feature_decoding.decode(*arguments, setting=SETTING)
    (tmp_path / 'out' / frozen.PROVENANCE).unlink()
    with pytest.raises(InputError, match=r'features with network\.weights '):
        feature_decoding.decode(*arguments, setting=SETTING)


def test_blocks_of_another_run_are_not_taken_for_its_own(tmp_path):
    recording = tiny.subject()
    for name in ('one', 'two'):
        made = write_true(tmp_path / name, recording)
    feature_folders.write_compact(
        tmp_path / 'two', 'fc', recording.stimuli.names, -made['fc']
    )

    class Cut(Exception):
        pass

    def cut(done, *_):
        if done >= 12:
            raise Cut

    def decode(true, out, size, **options):
        feature_decoding.decode(
            recording,
            tmp_path / true,
            tmp_path / out,
            layers=['fc'],
            setting=SETTING,
            units_at_a_time=size,
            **options,
        )

    decode('two', 'whole', 7)
    with pytest.raises(Cut):
        decode('one', 'out', 12, progress=cut)
    assert [*(tmp_path / 'out').rglob('0-12.npy')]
    decode('two', 'out', 7)
    # Killed when the layer was whole but its blocks not yet removed.
    (tmp_path / 'out' / 'tiny-all.fc.unfinished-0123').mkdir()
    decode('two', 'out', 7)
    assert contents(tmp_path / 'out') == contents(tmp_path / 'whole')
    assert sorted(p.name for p in (tmp_path / 'out').iterdir()) == [
        'fc',
        'tiny-all.json',
    ]
    with pytest.raises(InputError, match='tells of fc with true_features'):
        decode('one', 'out', 7)


def test_k_and_alpha_are_chosen_for_each_layer(tmp_path):
    recording = tiny.subject()
    write_true(tmp_path / 'true', recording)
    for out, setting in (
        ('chosen', SETTING._replace(k=(2, 10), alpha=(10.0, 1e8))),
        ('given', SETTING),
    ):
        feature_decoding.decode(
            recording, tmp_path / 'true', tmp_path / out, setting=setting
        )
    manifest = json.loads((tmp_path / 'chosen' / 'tiny-all.json').read_text())
    assert manifest['made_from']['k'] == [2, 10]
    for layer in SHAPES:
        made_from = manifest['layers'][layer]['made_from']
        assert (made_from['k'], made_from['alpha']) == (10, 10.0)
        chosen, given = (
            contents(tmp_path / out / layer) for out in ('chosen', 'given')
        )
        assert chosen == given


def test_what_cannot_be_decoded_is_one_sentence(tmp_path):
    recording = tiny.subject()
    missing = recording.stimuli.names[int(recording.train.stimulus[3])]
    write_true(tmp_path / 'few', recording, without=[missing])
    write_true(tmp_path / 'true', recording)
    with pytest.raises(InputError, match=f'no conv1 features of .*{missing}'):
        feature_decoding.decode(recording, tmp_path / 'few', tmp_path / 'out')
    assert not (tmp_path / 'out').exists()
    with pytest.raises(InputError, match="no layer 'conv9'"):
        feature_decoding.decode(
            recording, tmp_path / 'true', tmp_path / 'out', layers=['conv9']
        )
    arguments = recording, tmp_path / 'true', tmp_path / 'out'
    for wrong in ({'alpha': (1.0, -1.0)}, {'k': -5}):
        with pytest.raises(InputError, match='and a penalty above 0'):
            feature_decoding.decode(
                *arguments, setting=SETTING._replace(**wrong)
            )
    assert not (tmp_path / 'out').exists()
    feature_decoding.decode(*arguments, setting=SETTING)
    with pytest.raises(InputError, match='with k 10, and here it is 11'):
        feature_decoding.decode(*arguments, setting=SETTING._replace(k=11))
    manifest = tmp_path / 'out' / 'tiny-all.json'
    manifest.write_text(manifest.read_text()[:40])
    with pytest.raises(InputError, match=r'tiny-all.json is damaged'):
        feature_decoding.decode(*arguments, setting=SETTING)


def test_the_command(tmp_path, capsys):
    recording = tiny.subject()
    paths = tmp_path / 'sbj_1.npz', tmp_path / 'images.npz'
    weizmann.write(recording, *paths)
    again = weizmann.read(*paths)
    write_true(tmp_path / 'true', again)
    status = main(
        [
            'decode',
            str(paths[0]),
            f'--pictures={paths[1]}',
            '--roi=V1|V2',
            f'--features={tmp_path / "true"}',
            f'--out={tmp_path / "out"}',
            '--layers=fc',
            '--k=10',
            '--alpha=1,10',
        ]
    )
    out, err = capsys.readouterr()
    assert status == 0, err
    folder = tmp_path / 'out' / 'fc' / 'sbj_1' / 'V1+V2'
    assert out.splitlines() == [str(folder)]
    assert len([*folder.iterdir()]) == tiny.STIMULI['test']
    made_from = json.loads((tmp_path / 'out' / 'sbj_1-V1+V2.json').read_text())[
        'made_from'
    ]
    assert (made_from['k'], made_from['voxels']) == (10, 40)
    assert made_from['alpha'] == [1.0, 10.0]
    # Nothing is decoded of some regions when another is none.
    arguments = ['decode', str(paths[0]), f'--pictures={paths[1]}']
    arguments += [f'--features={tmp_path / "true"}', '--rois=V1,V9']
    assert main([*arguments, f'--out={tmp_path / "no"}']) == 2
    assert "no ROI 'V9'" in capsys.readouterr().err
    assert not (tmp_path / 'no').exists()

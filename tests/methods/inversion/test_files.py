import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import scipy.io
from conftest import TESTS
from PIL import Image
from tiny_inversion_files import LAYERS, NAMES, SETTINGS, network, run, tree

from brainjax.errors import InputError
from brainjax.io import arrays, feature_folders
from brainjax.linear import scaling
from brainjax.methods.inversion import files, scales, search
from brainjax.methods.inversion.networks import features
from brainjax.methods.inversion.problem import Settings
from brainjax.methods.inversion.steps import Descent
from brainjax.networks import frozen


@pytest.fixture
def layers(tmp_path):
    images = np.random.default_rng(0).random((5, 16, 16, 3), np.float32)
    found = features(network(), images, LAYERS)
    for layer, values in found.items():
        feature_folders.write_features(
            tmp_path / 'features', layer, NAMES, frozen.channels_first(values)
        )
    return feature_folders.open_layers(tmp_path / 'features')


def test_files_hold_what_inversion_finds(tmp_path, layers):
    told, logged = [], []
    errors = run(
        layers,
        tmp_path / 'out',
        progress=lambda *now: told.append(now),
        log=lambda history: logged.append([*history]),
    )
    assert told[-1][:2] == (36, 36) and told == sorted(told)
    assert [len(history) for history in logged] == [2, 4, 6]
    steps = [record['step'] for record in logged[-1]]
    assert steps == [10, 12, 22, 24, 34, 36]
    targets = {
        name: frozen.channels_last(feature_folders.read(layer, NAMES[:2]))
        for name, layer in layers.items()
    }
    expected = search.invert(targets, NAMES[:2], network(), SETTINGS)
    held = arrays.read(tmp_path / 'out' / 'reconstructions.npz')
    assert held['names'].tolist() == NAMES
    np.testing.assert_array_equal(
        held['images'][:2], expected.images.clip(0, 1)
    )
    part = arrays.read(tmp_path / 'out' / 'parts' / '0000.npz')
    np.testing.assert_array_equal(part['images'], expected.images)
    np.testing.assert_array_equal(part['losses'], expected.losses)
    for record, step in zip(logged[-1], (9, 11)):
        assert record['loss'] == part['losses'][step].mean()
        assert told[step // 10][2] == f'loss {record["loss"]:.3g}'
    assert errors['b']['conv2_2'] == float(expected.errors['conv2_2'][1])
    index = json.loads((tmp_path / 'out' / 'inversion.json').read_text())
    assert index['errors'] == errors
    assert index['about']['settings']['size'] == 16
    for folder, images in (
        ('images', expected.images.clip(0, 1)),
        ('stretched', search.stretch(expected.images)),
    ):
        found = Image.open(tmp_path / 'out' / folder / 'b.png')
        np.testing.assert_array_equal(found, np.round(images[1] * 255))


def test_a_run_that_was_cut_off_ends_with_the_same_files(tmp_path, layers):
    run(layers, tmp_path / 'whole')
    whole = tree(tmp_path / 'whole')
    for cut in (0, 7, 14, 30):

        def stop(done, total, text, cut=cut):
            if done > cut:
                raise KeyboardInterrupt

        out = tmp_path / f'cut{cut}'
        with pytest.raises(KeyboardInterrupt):
            run(layers, out, progress=stop)
        assert not (out / 'reconstructions.npz').exists()
        run(layers, out)
        assert tree(out) == whole


def test_blocks_that_are_done_are_not_searched_again(
    tmp_path, layers, monkeypatch
):
    out = tmp_path / 'out'
    run(layers, out)
    whole = tree(out)
    searched = []
    real = search.invert
    monkeypatch.setattr(
        search,
        'invert',
        lambda targets, names, *rest: (
            searched.append(list(names)) or real(targets, names, *rest)
        ),
    )
    run(layers, out)
    assert not searched
    # A damaged block, and one whose features have changed, are.
    (out / 'parts' / '0001.npz').write_bytes(whole['parts/0001.npz'][:100])
    run(layers, out)
    assert searched == [['c', 'd']] and tree(out) == whole
    feature_folders.write_features(
        tmp_path / 'features',
        'conv1_2',
        ['e'],
        feature_folders.read(layers['conv1_2'], ['a']),
    )
    run(layers, out)
    assert searched == [['c', 'd'], ['e']]


def test_killed_at_random_and_restarted(tmp_path, layers):
    run(layers, tmp_path / 'whole', together=1)
    script = tmp_path / 'script.py'
    script.write_text(
        'import sys, jax\n'
        "jax.config.update('jax_platforms', 'cpu')\n"
        f'sys.path[:0] = {[os.getcwd(), str(TESTS)]!r}\n'
        'import conftest, tiny_inversion_files as t\n'
        'from brainjax.io import feature_folders as features\n'
        'import pathlib\n'
        f'layers = features.open_layers({str(tmp_path / "features")!r})\n'
        't.run(layers, pathlib.Path(sys.argv[1]), together=1)\n'
    )

    whole = tree(tmp_path / 'whole')
    out = tmp_path / 'out'
    process = subprocess.Popen([sys.executable, script, out])
    while len(list((out / 'parts').glob('0*.npz'))) < 2:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    run(layers, out, together=1)
    left = tree(out)
    # A file that was being written when the kill came stays, hidden.
    assert {k: v for k, v in left.items() if '/.' not in k} == whole


def test_what_was_inverted_otherwise_is_refused(tmp_path, layers):
    out = tmp_path / 'out'
    run(layers, out)
    for change, word in (
        ({'settings': Settings(Descent(steps=3), size=16)}, 'settings'),
        ({'together': 3}, 'together'),
    ):
        with pytest.raises(InputError, match=f'pictures with {word}'):
            run(layers, out, **change)
    with pytest.raises(InputError, match='pictures with layers'):
        run({'conv1_2': layers['conv1_2']}, out)
    (out / 'inversion.json').write_text('{}')
    with pytest.raises(InputError, match=r'inversion\.json is damaged'):
        run(layers, out)


def test_some_units_of_decoded_features(tmp_path, layers):
    units = np.arange(40, 0, -2)
    index = tmp_path / 'features' / 'feature_index.mat'
    scipy.io.savemat(index, {'index': {'conv1_2': units}})
    some = feature_folders.open_layers(tmp_path / 'features')
    assert some['conv1_2'].shape == (20,) and some['conv2_2'].kept is None
    errors = run(some, tmp_path / 'out')
    targets = {
        name: frozen.channels_last(feature_folders.read(layer, NAMES[:2]))
        for name, layer in some.items()
    }
    expected = search.invert(
        targets, NAMES[:2], network(), SETTINGS, kept={'conv1_2': units}
    )
    assert errors['b']['conv1_2'] == float(expected.errors['conv1_2'][1])
    held = arrays.read(tmp_path / 'out' / 'reconstructions.npz')
    np.testing.assert_array_equal(
        held['images'][:2], expected.images.clip(0, 1)
    )
    run(some, tmp_path / 'out')
    scipy.io.savemat(index, {'index': {'conv1_2': units - 1}})
    other = feature_folders.open_layers(tmp_path / 'features')
    with pytest.raises(InputError, match='tells of pictures with kept'):
        run(other, tmp_path / 'out')
    with pytest.raises(InputError, match='conv1_2 is that of all its units'):
        scales.measure(some, None, None, 'published')


def test_missing_pictures(tmp_path, layers):
    with pytest.raises(InputError, match="no conv1_2 features of picture 'f'"):
        files.invert(
            layers, [*NAMES, 'f'], network(), SETTINGS, tmp_path / 'out'
        )


def test_published_scales_give_the_spread(tmp_path, layers):
    scale = scales.scaler(
        scales.measure(layers, None, None, 'published'), layers, NAMES
    )
    for layer, found in layers.items():
        values = scale(layer, feature_folders.read(found, NAMES))
        np.testing.assert_allclose(
            scaling.picture_std(values),
            scaling.CAFFE_VGG19[layer],
            rtol=1e-4,
        )

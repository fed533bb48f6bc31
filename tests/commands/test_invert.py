"""brainjax features and brainjax invert, from pictures to pictures."""

import json

import jax
import numpy as np
import pytest
import tiny
from PIL import Image
from tiny_inversion_files import SETTING, write_true

from brainjax.__main__ import main
from brainjax.errors import InputError
from brainjax.io import arrays, feature_folders
from brainjax.methods import METHODS
from brainjax.methods.data import prepare
from brainjax.methods.inversion import feature_decoding, generators
from brainjax.methods.inversion.config import shen2019
from brainjax.networks import frozen, weights
from brainjax.networks.backbones import BACKBONES, squeezenet
from brainjax.recordings import conversion

LAYERS = 'conv1,fire2_expand'


@pytest.fixture(autouse=True, scope='module')
def published(tmp_path_factory):
    """Random weights in the cache, as if they had been fetched."""
    params = BACKBONES['squeezenet'].init(jax.random.key(0))
    with pytest.MonkeyPatch.context() as monkeypatch:
        cache = tmp_path_factory.mktemp('cache')
        monkeypatch.setenv('BRAINJAX_CACHE', str(cache))
        weights.write(
            weights.path('squeezenet'),
            params,
            {'preprocessing': 'caffe', 'sha256': 'ab'},
        )
        yield params


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / 'pictures'
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, shape in (('a', (40, 64)), ('b', (48, 48)), ('c', (32, 32))):
        image = rng.integers(0, 256, (*shape, 3), np.uint8)
        Image.fromarray(image).save(folder / f'{name}.png')
    return folder


def extract(pictures, out, *more):
    return main(
        [
            *('features', str(pictures), '--network', 'squeezenet'),
            *('--layers', LAYERS, '--size', '32', '--out', str(out), *more),
        ]
    )


def search(source, out, *more):
    return main(
        [
            *('invert', str(source), '--network', 'squeezenet'),
            *('--size', '32', '--steps', '3', '--out', str(out), *more),
        ]
    )


def test_from_pictures_to_pictures(tmp_path, pictures, published, capsys):
    folder = tmp_path / 'features'
    assert extract(pictures, folder, '--together', '2') == 0
    layers = feature_folders.open_layers(folder)
    assert list(layers) == ['conv1', 'fire2_expand']
    image = Image.open(pictures / 'a.png').resize((32, 32))  # bicubic
    expected = squeezenet.apply(
        published, np.float32(image)[None] / 255, LAYERS.split(',')
    )
    for name, layer in layers.items():
        assert layer.names == ('a', 'b', 'c')
        np.testing.assert_allclose(
            feature_folders.read(layer, ['a']),
            np.moveaxis(expected[name], -1, 1),
            rtol=1e-3,
            atol=1e-2,
        )
    said = json.loads((folder / frozen.PROVENANCE).read_text())
    assert said['preprocessing'] == 'caffe' and said['sha256'] == 'ab'
    assert search(folder, tmp_path / 'out') == 0
    out = capsys.readouterr().out
    assert 'conv1' in out and 'relative error' in out
    held = arrays.read(tmp_path / 'out' / 'reconstructions.npz')
    assert held['names'].tolist() == ['a', 'b', 'c']
    assert held['images'].shape == (3, 32, 32, 3)
    assert Image.open(tmp_path / 'out' / 'stretched' / 'c.png').size == (32, 32)
    options = ('--optimiser', 'lbfgs', '--loss', 'squared', '--loss', 'dists=2')
    assert search(folder, tmp_path / 'lbfgs', *options) == 0
    about = json.loads((tmp_path / 'lbfgs' / 'inversion.json').read_text())
    assert about['about']['optimiser'] == 'QuasiNewton'
    assert about['about']['settings']['terms'] == [
        ['squared', 1.0],
        ['dists', 2.0],
    ]


def test_several_sets_are_inverted(tmp_path, pictures, capsys):
    for name in ('natural', 'letter'):
        assert extract(pictures, tmp_path / 'sets' / name) == 0
        (pictures / 'a.png').unlink(missing_ok=True)
    capsys.readouterr()
    sets = '--tests', 'natural,letter'
    assert search(tmp_path / 'sets', tmp_path / 'out', *sets) == 0
    told = capsys.readouterr().out
    for name, shown in (('natural', 'abc'), ('letter', 'bc')):
        path = tmp_path / 'out' / name / 'reconstructions.npz'
        assert str(path) in told.splitlines()
        assert ''.join(arrays.read(path)['names']) == shown
    assert search(tmp_path / 'sets', tmp_path / 'out', '--tests', '..') == 2
    assert "'..' is no folder" in capsys.readouterr().err


def test_a_scaling_measures_no_picture_that_is_searched(
    tmp_path, pictures, capsys
):
    true, alone = tmp_path / 'true', tmp_path / 'alone'
    assert extract(pictures, true) == 0
    for name in 'bc':
        (pictures / f'{name}.png').rename(tmp_path / f'{name}.png')
    assert extract(pictures, tmp_path / 'sets/one') == 0  # Of a.
    (pictures / 'a.png').unlink()
    (tmp_path / 'b.png').rename(pictures / 'b.png')
    assert extract(pictures, tmp_path / 'sets/two') == 0  # Of b.
    (pictures / 'b.png').unlink()
    (tmp_path / 'c.png').rename(pictures / 'c.png')
    assert extract(pictures, alone) == 0

    def about(name, *options):
        capsys.readouterr()
        more = '--scaling', 'about_training_mean', '--steps', '1', *options
        out = tmp_path / name
        status = search(tmp_path / 'sets', out, '--tests', 'one,two', *more)
        said = capsys.readouterr().err
        if status:
            return said
        index = (out / 'one/inversion.json').read_text()
        return json.loads(index)['about'], said

    without, said = about('without', '--true', str(true))
    assert f'2 of the 3 pictures of {true} are searched, too, and left' in said
    others, said = about('others', '--true', str(alone))
    assert without == others and 'searched' not in said
    every, said = about('every', '--true', str(true), '--transductive-true')
    assert 'are searched, too, and measured' in said
    assert every['transductive_pictures'] == 2
    assert every['statistics'] != without['statistics']
    said = about('none', '--true', str(tmp_path / 'sets/one'))
    assert 'has only pictures that are searched; name the folder' in said


def test_features_are_extracted_once(tmp_path, pictures):
    folder, one = tmp_path / 'features', ('--together', '1')
    assert extract(pictures, folder, *one) == 0

    def times():
        return {
            str(path.relative_to(folder)): path.stat().st_mtime_ns
            for path in folder.rglob('*.mat')
        }

    before = times()
    gone = folder / 'conv1' / 'b.mat'
    whole = gone.read_bytes()
    gone.unlink()  # As if a run had been killed before it came to this one.
    image = Image.open(pictures / 'c.png').transpose(Image.ROTATE_90)
    image.save(pictures / 'c.png')
    assert extract(pictures, folder, *one) == 0
    after = times()
    assert after.keys() == before.keys() and gone.read_bytes() == whole
    assert {name for name in after if after[name] == before[name]} == {
        'conv1/a.mat',
        'fire2_expand/a.mat',
    }
    # Of a picture that has changed no layer is taken for the old one's.
    image.transpose(Image.ROTATE_90).save(pictures / 'c.png')
    first = (folder / 'conv1' / 'c.mat').read_bytes()
    assert extract(pictures, folder, *one, '--layers', 'fire2_expand') == 0
    assert (folder / 'conv1' / 'c.mat').read_bytes() == first
    assert extract(pictures, folder, *one) == 0
    assert (folder / 'conv1' / 'c.mat').read_bytes() != first


def test_a_search_that_does_not_move_says_so(tmp_path, pictures, capsys):
    folder = tmp_path / 'features'
    assert extract(pictures, folder) == 0
    still = ('--rate', '0', '--decay', '0', '--blur', '0')
    assert search(folder, tmp_path / 'still', *still) == 0
    said = capsys.readouterr().err
    assert 'search of 3 pictures (a, b, c) did not move' in said
    index = json.loads((tmp_path / 'still' / 'inversion.json').read_text())
    assert index['unmoved'] == ['a', 'b', 'c']
    assert search(folder, tmp_path / 'moves') == 0
    assert 'did not move' not in capsys.readouterr().err


def test_what_is_refused_is_one_sentence(tmp_path, pictures, capsys):
    folder = tmp_path / 'features'
    assert extract(pictures, folder) == 0

    def refused(words, *command):
        assert main([str(word) for word in command]) == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert words in error

    out = ('--out', tmp_path / 'out', '--size', 32)
    refused(
        'fetch vgg16_fc',
        *('invert', folder, '--network', 'vgg16_fc', *out),
    )
    refused(
        "Did you mean 'squeezenet'",
        *('invert', folder, '--network', 'squeezent', *out),
    )
    network = ('--network', 'squeezenet', *out)
    refused("no layer 'conv2'", 'invert', folder, *network, '--layers', 'conv2')
    for flag in ('--steps', '--size', '--together'):
        refused(
            f'{flag} must be at least 1',
            *('invert', folder, *network, flag, 0),
        )
    refused(
        'published scales', 'invert', folder, *network, '--published-scales'
    )
    refused("no start 'zero'", 'invert', folder, *network, '--start', 'zero')
    refused('no number', 'invert', folder, *network, '--loss', 'gram=x')
    refused(
        'fetch generator_relu7',
        *('invert', folder, *network, '--generator', 'relu7'),
    )
    (folder / frozen.PROVENANCE).write_text(
        json.dumps({'network': 'vgg19_caffe', 'preprocessing': 'caffe'})
    )
    refused("with network 'vgg19_caffe'", 'invert', folder, *network)
    refused(
        "with network 'vgg19_caffe'",
        *('features', pictures, '--network', 'squeezenet', '--out', folder),
    )
    (pictures / 'more').mkdir()
    (pictures / 'a.png').rename(pictures / 'more' / 'b.png')
    refused(
        'two pictures named b',
        *('features', pictures, '--network', 'squeezenet'),
        *('--out', tmp_path / 'more'),
    )


def test_pictures_are_by_default_of_the_size_the_network_was_trained_on(
    tmp_path, pictures, published, monkeypatch, capsys
):
    with pytest.raises(SystemExit):
        main(['features', '--help'])
    words = ' '.join(capsys.readouterr().out.split())
    assert '224 but for inception 299, efficientnet_b1 240' in words
    assert 'what each block puts out' in words
    known = BACKBONES['squeezenet']._replace(size=40)
    monkeypatch.setitem(BACKBONES, 'squeezenet', known)
    command = ('features', str(pictures), '--network', 'squeezenet')
    out = tmp_path / 'features'
    assert main([*command, '--layers', LAYERS, '--out', str(out)]) == 0
    assert json.loads((out / frozen.PROVENANCE).read_text())['size'] == 40


def test_features_of_other_sizes_or_crops_do_not_mix(
    tmp_path, pictures, capsys
):
    folder = tmp_path / 'features'
    assert extract(pictures, folder) == 0
    assert extract(pictures, folder) == 0
    for more, words in (
        (('--size', '40'), 'features with size 32, and here it is 40'),
        (('--centre',), "features with fit 'whole', and here it is 'centre'"),
        (('--alpha', 'white'), "with alpha 'grey', and here it is 'white'"),
        (('--as-stored',), 'with upright True, and here it is False'),
    ):
        capsys.readouterr()
        assert extract(pictures, folder, *more) == 2
        assert words in capsys.readouterr().err


@pytest.mark.parametrize('fit', ['whole', 'centre'])
def test_a_run_sees_what_features_are_extracted_from(tmp_path, capsys, fit):
    recording = tiny.subject()
    folder = tmp_path / 'wide'
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in recording.stimuli.names:
        image = rng.integers(0, 256, (30, 50, 3), np.uint8)
        Image.fromarray(image).save(folder / f'{name}.png')
    [path, *_], _ = conversion.convert(recording, tmp_path / 'x.h5', 'bdata')
    more = ('--size', '16', *(('--centre',) if fit == 'centre' else ()))
    assert extract(folder, tmp_path / 'features', *more) == 0
    config = shen2019()
    config.size = config.network.size = 16
    config.network.update(weights='squeezenet', layers=LAYERS.split(','))
    config.recording.update(path=str(path), images=str(folder))
    config.decoding.update(k=10, scaling='about_training_mean')
    config.inversion.update(
        optimiser='descent', steps=3, start='noise', boxed=False, blur=()
    )
    if fit == 'centre':  # The published way is the default.
        config.network.fit = fit
    data = prepare(*METHODS['inversion'].load(config))
    fitted = METHODS['inversion'].fit(data, config, tmp_path / 'run')
    names = fitted.train.names
    for name, layer in feature_folders.open_layers(
        tmp_path / 'features'
    ).items():
        expected = feature_folders.read(layer, names)
        error = feature_folders.read(fitted.features[name], names) - expected
        # Of the same pixels but for rounding; the other way it is .07 or more.
        assert np.linalg.norm(error) < 1e-5 * np.linalg.norm(expected)
    if fit == 'centre':
        return
    images = METHODS['inversion'].reconstruct(fitted, data.test.fmri, config)
    # And the commands, one after the other, give the same pictures.
    only = tmp_path / 'only'
    only.mkdir()
    for name in names:
        (only / f'{name}.png').symlink_to(folder / f'{name}.png')
    assert extract(only, tmp_path / 'train', *more) == 0
    decoded = tmp_path / 'decoded'
    assert (
        main(
            [
                *('decode', str(path), '--features', str(tmp_path / 'train')),
                *('--out', str(decoded), '--k', '10'),
            ]
        )
        == 0
    )
    options = (
        *('--blur', '0', '--size', '16'),
        *('--subject', data.recording.subject, '--roi', 'all'),
        *(
            '--scaling',
            'about_training_mean',
            '--true',
            str(tmp_path / 'train'),
        ),
    )
    assert search(decoded, tmp_path / 'pictures', *options) == 0
    held = arrays.read(tmp_path / 'pictures' / 'reconstructions.npz')
    order = [held['names'].tolist().index(name) for name in fitted.tested]
    assert images.std() > 0.05
    assert np.abs(images[0] - images[1]).mean() > 0.01
    np.testing.assert_allclose(held['images'][order], images, atol=2e-3)
    # The run may as well be given the features.
    config.network.features = str(tmp_path / 'train')
    given = METHODS['inversion'].fit(data, config, tmp_path / 'given')
    [source] = {*given.features['conv1'].paths.values()} & {
        tmp_path / 'train' / 'conv1' / f'{names[0]}.mat'
    }
    assert source.is_file()
    assert not (tmp_path / 'given' / 'features').exists()


def test_features_of_every_kind_of_picture(tmp_path, pictures, capsys):
    image = np.asarray(Image.open(pictures / 'a.png'))
    clear = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
    clear[0, 0] = 0
    Image.fromarray(clear).save(pictures / 'd.webp', lossless=True, exact=True)
    clear[0, 0] = 128, 128, 128, 255
    Image.fromarray(clear).save(pictures / 'e.tif')
    (pictures / 'notes.txt').write_text('')
    (pictures / '._a.png').write_bytes(b'written by a Macintosh')
    folder = tmp_path / 'features'
    assert extract(pictures, folder) == 0
    said = capsys.readouterr().err
    assert '2 of 7 files are skipped as no pictures: ._a.png, notes' in said
    assert '1 of 5 pictures are transparent' in said
    layer = feature_folders.open_layers(folder)['conv1']
    assert sorted(layer.names) == ['a', 'b', 'c', 'd', 'e']
    one, other = feature_folders.read(layer, ['d', 'e'])
    np.testing.assert_array_equal(one, other)


def test_help_and_error_name_the_same_networks(tmp_path, capsys):
    out = ('--out', str(tmp_path / 'out'))
    for command in ('features', 'invert'):
        assert main([command, str(tmp_path), '--network', 'x', *out]) == 2
        said = capsys.readouterr().err.strip().removesuffix('.')
        names = said.partition('There are: ')[2].split(', ')
        assert {'vgg19_caffe', 'squeezenet', 'clip'} <= set(names)
        with pytest.raises(SystemExit):
            main([command, '--help'])
        words = capsys.readouterr().out.replace(',', ' ').split()
        start = words.index('NAME', words.index('options:')) + 1
        assert words[start : start + len(names)] == names
        assert words[start + len(names)] == '--layers'


def test_bounds_of_codes(tmp_path):
    path = tmp_path / 'bounds.txt'
    path.write_text('1 2 3\n4 5 6 ')
    np.testing.assert_array_equal(
        generators.read_bounds(path, (6,)), [1, 2, 3, 4, 5, 6]
    )
    maps = generators.read_bounds(path, (1, 3, 2))  # channels first in the file
    np.testing.assert_array_equal(maps[0], [[1, 4], [2, 5], [3, 6]])
    with pytest.raises(InputError, match='holds 6 bounds; give one of at'):
        generators.read_bounds(path, (7,))
    path.write_text('3')
    np.testing.assert_array_equal(generators.read_bounds(path, (2,)), [3, 3])
    path.write_text('three')
    with pytest.raises(InputError, match='no file of bounds'):
        generators.read_bounds(path, (2,))


def test_decoded_features_say_of_which_network_they_are(tmp_path):
    recording = tiny.subject()
    write_true(tmp_path / 'true', recording)
    network = frozen.load('squeezenet')
    frozen.write_provenance(tmp_path / 'true', network, {'size': 4})
    for _ in range(2):  # The second goes on.
        feature_decoding.decode(
            recording,
            tmp_path / 'true',
            tmp_path / 'out',
            layers=['fc'],
            setting=SETTING,
        )
    assert (tmp_path / 'out' / frozen.PROVENANCE).exists()
    frozen.check_provenance(tmp_path / 'out', network, 4)
    (tmp_path / 'out' / frozen.PROVENANCE).write_text('{}')
    with pytest.raises(InputError, match='with network None, and'):
        frozen.copy_provenance(tmp_path / 'true', tmp_path / 'out')


def test_what_was_refused_does_not_stand_in_the_way(tmp_path, pictures, capsys):
    folder, out = tmp_path / 'features', tmp_path / 'out'
    assert extract(pictures, folder, '--size', '2') == 2  # Too small.
    assert extract(pictures, folder) == 0
    assert search(folder, out, '--loss', 'x') == 2
    assert search(folder, out) == 0
    assert search(folder, out, '--seed', '1') == 2  # Now there is something.
    assert 'settings.seed 0, and here it is 1' in capsys.readouterr().err
    for flag in ('--true', '--spread'):
        assert search(folder, tmp_path / 'no', flag, 'X') == 2
        assert f'{flag} has no part in scaling' in capsys.readouterr().err

"""Each published config, tiny, from files of the layout it asks for."""

import jax
import numpy as np
import pytest
import tiny
from published import deep_files, god_files
from recording_files import write_vim1

from brainjax import config_files, experiment
from brainjax.io import files
from brainjax.networks import weights
from brainjax.networks.backbones import BACKBONES

TINY = {
    'size': god_files.SIZE,
    'references': False,
    'ceilings': False,
    'decoder.groups': 2,
    **{
        f'{part}.{key}': value
        for part, changes in {
            'encoder': {'channels': 4, 'batch': 8},
            'decoder': {'channels': 4, 'batch_paired': 4, 'batch_pictures': 4},
        }.items()
        for key, value in (*changes.items(), ('epochs', 1), ('steps', 1))
    },
}


@pytest.fixture(scope='module')
def made():
    return {
        name: BACKBONES[name].init(jax.random.key(i), 1 / 16)
        for i, name in enumerate(('vgg16', 'vgg19', 'alexnet'))
    }


@pytest.fixture(autouse=True)
def narrow(made, monkeypatch):
    """Networks of few channels stand for those that are fetched."""
    monkeypatch.setattr(weights, 'load', made.__getitem__)
    monkeypatch.setattr(weights, 'check_fetched', made.__getitem__)


def run(name, folder, overrides):
    config = config_files.load_config(name, overrides)
    results = experiment.run(config, folder / 'run')
    assert (folder / 'run/report.html').exists()
    written = files.read_json(folder / 'run/scores.json')
    said = config.published.to_dict()
    assert said.keys() == written.get('published', {}).keys()
    return results, written.get('published', {})


@pytest.mark.parametrize('name', ['gaziv2022', 'gaziv2022_keras', 'beliy2019'])
def test_generic_object_decoding(name, tmp_path):
    named = god_files.write(tmp_path)
    results, said = run(name, tmp_path, TINY | named)
    scores = results['scores']
    assert scores['two_way_pixels']['n'] == len(god_files.TEST)
    assert scores['top1_10way']['guess'] == 0.1  # Of ten classes.
    if name != 'beliy2019':  # Among outside pictures.
        assert scores['identification_5way_perceptual_vgg16']['guess'] == 0.2
    for score, each in said.items():
        assert each['ours'] == scores[score]['value']
        assert each['difference'] == each['ours'] - each['value']
    assert results['problems'] == []


def test_vim1(tmp_path):
    rng = np.random.default_rng(0)
    n, voxels = {'Trn': 30, 'Val': 6}, 20
    grey = {
        f'stim{part}': tiny.pictures(count, i, 40)[..., 0] / 255 - 0.5
        for i, (part, count) in enumerate(n.items())
    }
    disc = np.hypot(*np.mgrid[-19.5:20, -19.5:20]) < 20
    responses = {
        f'data{part}S1': rng.normal(size=(count, voxels))
        for part, count in n.items()
    }
    paths = write_vim1(
        tmp_path,
        **{
            name: np.float32(np.where(disc, each, 0)).transpose(2, 1, 0)
            for name, each in grey.items()
        },
        **{name: np.float32(each) for name, each in responses.items()},
    )
    named = {
        'recording.path': str(paths[0]),
        'pictures.path': str(god_files.pictures(tmp_path)),
    }
    results, _ = run('gaziv2022_vim1', tmp_path, TINY | named)
    scores = results['scores']
    assert scores['identification_5way_perceptual_vgg16']['n'] == n['Val']
    # All voxels but none of a region's; grey in a disc, as the stimuli.
    config = config_files.load_config('gaziv2022_vim1:keras', TINY | named)
    data = experiment.open_data(config)
    assert data.recording.voxels == voxels
    assert (data.pictures == data.pictures[..., :1]).all()
    assert (data.pictures[:, 0, 0] == 128).all()
    assert data.pictures[:, 16, 16].std() > 0
    assert any('turned grey' in each for each in data.problems)


def test_posterior_god(tmp_path):
    named = god_files.write(tmp_path)
    small = {
        **{'size': god_files.SIZE, 'references': False},
        **{'draws': 4, 'draw_steps': 2, 'flow.channels': (4, 4)},
        **{'flow.groups': 2, 'flow.epochs': 1, 'flow.steps': 1},
        **{f'flow.batch_{part}': 2 for part in ('pictures', 'paired', 'prior')},
    }
    results, _ = run('posterior_god', tmp_path, small | named)
    assert results['scores']['two_way_pixels']['n'] == len(god_files.TEST)


@pytest.mark.parametrize('part', deep_files.SHOWN)
def test_deep_image_reconstruction(part, tmp_path):
    overrides = deep_files.SMALL | deep_files.write(tmp_path)
    results, _ = run(f'shen2019_{part}', tmp_path, overrides)
    scores = results['scores']
    with np.load(tmp_path / 'run/reconstructions.npz') as found:
        assert {*deep_files.SHOWN[part]} <= {*found['names'].tolist()}
        assert scores['two_way_pixels']['n'] == len(found['names'])

"""A run that is done is not done again, unless something has changed."""

import dataclasses

import linear_method
import pytest
import tiny
from ml_collections import ConfigDict
from PIL import Image

from brainjax import experiment, finished
from brainjax.errors import InputError
from brainjax.io import files
from brainjax.methods import METHODS


def test_a_finished_run_is_not_done_again(tmp_path, monkeypatch):
    linear_method.take_the_place_of_selfsup(monkeypatch)
    given = tiny.subject(), tiny.pictures(20, seed=1)
    workdir = tmp_path / 'run'

    def run():
        return experiment.run(tiny.get_config(), workdir, *given)

    first = run()
    report = workdir / 'report.html'
    before = report.read_bytes()
    method = METHODS['selfsup']
    fits = []

    def fit(*args):
        fits.append(args)
        return method.fit(*args)

    monkeypatch.setitem(METHODS, 'selfsup', method._replace(fit=fit))
    assert run() == first and not fits
    assert report.read_bytes() == before
    report.unlink()
    assert run()['scores'] == first['scores'] and len(fits) == 1
    assert report.exists()
    assert run() == files.read_json(workdir / 'scores.json') and len(fits) == 1


def test_a_finished_run_of_files_opens_nothing(tmp_path, monkeypatch):
    linear_method.take_the_place_of_selfsup(monkeypatch)
    stimuli = {
        f'{i:02d}': image for i, image in enumerate(tiny.pictures(30, 2))
    }
    folder = tmp_path / 'pictures'
    folder.mkdir()
    for name, image in stimuli.items():
        Image.fromarray(image).save(folder / f'{name}.png')
    config = tiny.get_config()
    with config.unlocked():
        config.pictures.path = str(folder)
        config.references = False
    opened = []
    open_data = experiment.open_data

    def counted(*args):
        opened.append(args)
        return open_data(*args)

    monkeypatch.setattr(experiment, 'open_data', counted)
    first = experiment.run(config, tmp_path / 'run')
    assert len(opened) == 1
    assert experiment.run(config, tmp_path / 'run') == first
    assert len(opened) == 1
    # The same pictures, written anew: looked at, and found to be the same.
    Image.fromarray(stimuli['07']).save(folder / '07.png')
    assert experiment.run(config, tmp_path / 'run')['scores'] == first['scores']
    assert len(opened) == 2
    Image.fromarray(stimuli['08']).save(folder / '07.png')
    with pytest.raises(InputError, match='holds a run on another pictures'):
        experiment.run(config, tmp_path / 'run')


@pytest.fixture
def done(tmp_path, monkeypatch):
    """A folder with results, what they were made from, and files of that."""
    monkeypatch.setenv('BRAINJAX_CACHE', str(tmp_path / 'cache'))
    folder = tmp_path / 'run'
    (folder / 'images').mkdir(parents=True)
    files.write_json(folder / 'scores.json', {'scores': {'r': 0.5}})
    (folder / 'images' / 'a.png').write_bytes(b'picture')
    (tmp_path / 'recording').write_bytes(b'fmri')
    given = {
        'config': ConfigDict(
            {
                'seed': 1,
                'recording': {'path': str(tmp_path / 'recording')},
                'log': {'tensorboard': False},
            }
        ),
        'fingerprints': {'recording': 'abc', 'pictures': 'def'},
        'data': tiny.subject(),
    }
    finished.write(folder, finished.made_from(*given.values()))
    return folder, given


def look(folder, given):
    return finished.read(folder, finished.made_from(*given.values()))


def test_what_has_not_changed_is_taken(done):
    folder, given = done
    assert look(folder, given) == {'scores': {'r': 0.5}}
    given['config'].log.tensorboard = True  # Is no result.
    (folder / 'metrics.csv').write_text('more')
    assert look(folder, given)


@pytest.mark.parametrize(
    'what', ['seed', 'hash', 'names', 'roi', 'file', 'weights', 'nothing']
)
def test_a_change_makes_it_go_on(done, what, tmp_path):
    folder, given = done
    recording = given['data']
    if what == 'seed':
        given['config'].seed = 2
    elif what == 'hash':
        given['fingerprints']['pictures'] = 'other'
    elif what == 'names':
        names = ('other', *recording.stimuli.names[1:])
        stimuli = dataclasses.replace(recording.stimuli, names=names)
        given['data'] = dataclasses.replace(recording, stimuli=stimuli)
    elif what == 'roi':
        rois = dict(recording.rois)
        rois['V1'] = ~rois['V1']
        given['data'] = dataclasses.replace(recording, rois=rois)
    elif what == 'file':
        (tmp_path / 'recording').write_bytes(b'FMRI!')
    elif what == 'weights':
        (tmp_path / 'cache' / 'weights').mkdir(parents=True)
        (tmp_path / 'cache' / 'weights' / 'vgg.safetensors').touch()
    assert (look(folder, given) is None) == (what != 'nothing')


@pytest.mark.parametrize('name', ['scores.json', 'images/a.png', finished.FILE])
def test_a_damaged_or_missing_result_makes_it_go_on(done, name):
    folder, given = done
    path = folder / name
    path.write_bytes(path.read_bytes()[:-2])
    assert look(folder, given) is None
    path.unlink()
    assert look(folder, given) is None

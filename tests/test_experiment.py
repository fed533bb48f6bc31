"""The parts of an experiment; whole runs are in test_commands.py."""

import html
import json

import linear_method
import numpy as np
import pytest
import tiny
from PIL import Image
from recording_files import write_digits, write_weizmann
from tiny_selfsup import ONE_LAYER, config

from brainjax import experiment
from brainjax.errors import InputError
from brainjax.methods import METHODS
from brainjax.methods import data as methods_data
from brainjax.methods.data import Given
from brainjax.recordings import open_recording

SHORT = {'encoder__epochs': 1, 'decoder__epochs': 1, **ONE_LAYER}


def recording_of(paths, **changes):
    return config(
        recording__path=str(paths[0]),
        recording__images=str(paths[1]),
        **changes,
    )


def test_without_a_path_a_subject_is_simulated():
    recording = methods_data.load_recording(config())
    assert recording.simulated
    assert len(recording.train) == 100 and len(recording.test) == 24
    assert recording.stimuli.images.shape == (112, 16, 16, 3)
    assert recording.voxels == tiny.VOXELS
    assert len(recording.unpaired_fmri) == 20
    pictures, notes, _ = methods_data.load_pictures(config())
    assert not notes
    assert pictures.shape == (64, 16, 16, 3) and pictures.dtype == np.uint8
    seen = {image.tobytes() for image in recording.stimuli.images}
    assert not any(image.tobytes() in seen for image in pictures)
    v1 = experiment.open_data(config(recording__roi='V1')).recording
    assert v1.voxels == 20
    np.testing.assert_array_equal(
        v1.train.fmri, recording.train.fmri[:, recording.rois['V1']]
    )


def test_files_name_the_recording(tmp_path):
    paths = write_weizmann(tmp_path)
    recording = methods_data.load_recording(recording_of(paths))
    assert (recording.voxels, recording.format) == (10, 'weizmann')
    assert not recording.simulated
    recording = experiment.open_data(
        recording_of(paths, recording__roi='V1|V2', pictures__number=0)
    ).recording
    assert recording.voxels == 6


def test_folds_of_digits69(tmp_path):
    path = str(write_digits(tmp_path))
    usual = methods_data.load_recording(config(recording__path=path))
    assert len(usual.test) == 10
    tested = [
        set(
            methods_data.load_recording(
                config(recording__path=path, recording__fold=fold)
            ).test.stimulus.tolist()
        )
        for fold in (0, 9)
    ]
    assert not tested[0] & tested[1]
    assert [len(rows) for rows in tested] == [10, 10]


def test_unpaired_pictures_have_to_be_named_for_real_fmri(tmp_path):
    paths = write_weizmann(tmp_path)
    with pytest.raises(InputError, match=r'config\.pictures\.path is empty'):
        methods_data.load_pictures(recording_of(paths))
    flags = tiny.write(tmp_path)
    folder = flags[-1].split('=')[1]
    pictures, *_ = methods_data.load_pictures(
        config(pictures__path=folder, pictures__number=10)
    )
    assert pictures.shape == (10, 16, 16, 3)


def test_what_is_given_stands_for_what_the_config_names(tmp_path):
    """A recording and pictures at hand: the same data as from files."""
    flags = tiny.write(tmp_path)
    paths = [flag.split('=')[1] for flag in flags]
    recording = open_recording(paths[0], pictures=paths[1])
    pictures = tiny.pictures(64, seed=1)
    named = recording_of(paths, pictures__path=paths[2])
    for c in (config(), named):
        given = experiment.open_data(c, Given(recording, pictures))
        assert given.fingerprints == experiment.open_data(named).fingerprints
    small = experiment.open_data(config(size=8), Given(recording, pictures))
    assert small.recording.stimuli.images.shape[1:] == (8, 8, 3)
    with pytest.raises(InputError, match=r'config\.pictures\.path is empty'):
        experiment.run(config(), tmp_path / 'run', recording)
    for method in ('inversion', 'faces', 'posterior'):
        c = METHODS[method].config()
        with c.unlocked():
            c.size, c.pictures.number = 32, 64
        found = METHODS[method].load(c, Given(recording, pictures))
        assert found.recording.train is recording.train
        assert found.pictures.shape == (64, 32, 32, 3)


def test_method_that_does_not_exist(tmp_path):
    with pytest.raises(InputError, match=r"'selfsub'.*Did you mean 'selfsup'"):
        experiment.run(config(method='selfsub'), tmp_path / 'run')
    assert not (tmp_path / 'run').exists()


def test_one_region_alone_goes_to_the_end(tmp_path):
    """The other regions hold no voxel then."""
    c = config(recording__roi='V1|V2', **SHORT)
    scores = experiment.run(c, tmp_path / 'run')['scores']
    assert {'encoder_correlation_in_V1', 'pixcorr'} <= scores.keys()
    assert 'encoder_correlation_in_HVC' not in scores


def test_one_test_picture_is_told_before_training(tmp_path):
    c = config(simulated__n_test=1)
    with pytest.raises(InputError, match='there is 1 test picture'):
        experiment.run(c, tmp_path / 'run')
    assert not (tmp_path / 'run').exists()


def test_problems_are_told_beside_the_scores(tmp_path, capsys, monkeypatch):
    linear_method.take_the_place_of_selfsup(monkeypatch)
    for i, picture in enumerate(tiny.pictures(20, seed=1)):
        Image.fromarray(picture).save(tmp_path / f'{i}.png')
    Image.new('RGBA', (16, 16), (9, 9, 9, 9)).save(tmp_path / '0.png')
    c = config(pictures__path=str(tmp_path))
    problems = experiment.run(c, tmp_path / 'run')['problems']
    kept = json.loads((tmp_path / 'run' / 'scores.json').read_text())
    assert kept['problems'] == problems
    [told] = [text for text in problems if 'are transparent' in text]
    assert f'Note: {told}\n' in capsys.readouterr().err
    report = (tmp_path / 'run' / 'report.html').read_text()
    head, found, _ = report.partition('How close are they?')
    assert found and html.escape(told) in head

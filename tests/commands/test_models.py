"""brainjax reconstruct and encode, on the model of a tiny run."""

import contextlib
import dataclasses
import io
import json
import shutil

import numpy as np
import pytest
import tiny
from conftest import TESTS

from brainjax import model, new_data
from brainjax.__main__ import main
from brainjax.errors import InputError
from brainjax.io import arrays
from brainjax.recordings import (
    average_repeats,
    open_recording,
    take_voxels,
)
from brainjax.recordings.formats import weizmann
from brainjax.recordings.volume import cube

pytestmark = pytest.mark.filterwarnings('ignore:the load_module')
CONFIG = f'{TESTS / "tiny.py"}:quick'


def command(*arguments):
    """Runs a command in this process; returns status, stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([str(argument) for argument in arguments])
    return status, out.getvalue(), err.getvalue()


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    """The folder of a run of files, which are gone, and copies of these."""
    folder = tmp_path_factory.mktemp('run')
    (folder / 'then').mkdir()
    flags = tiny.write(folder / 'then')
    workdir = ('--workdir', folder / 'w')
    status, _, err = command('run', '--config', CONFIG, *workdir, *flags)
    assert status == 0, err
    (folder / 'then').rename(folder / 'now')
    return folder


def pictures(folder):
    found = arrays.read(folder / 'reconstructions.npz')
    return found['images'], found['names'].tolist()


def recording(run):
    return run / 'now/sbj_1.npz', '--pictures', run / 'now/images_16.npz'


def test_the_very_pictures_of_the_run(run, tmp_path):
    status, out, err = command(
        'reconstruct', run / 'w', *recording(run), '--out', tmp_path
    )
    assert status == 0, err
    assert out.splitlines()[-1] == str(tmp_path / 'report.html')
    ours, theirs = pictures(tmp_path), pictures(run / 'w')
    np.testing.assert_array_equal(ours[0], theirs[0])
    assert ours[1] == theirs[1]
    scores = [
        json.loads((folder / 'scores.json').read_text())['scores']
        for folder in (tmp_path, run / 'w')
    ]
    assert scores[0]['pixcorr']['value'] == pytest.approx(
        scores[1]['pixcorr']['value'], abs=1e-6
    )


def test_trials_rois_and_scales_in_one_pass(run, tmp_path):
    """Of two recordings; one is a session that drifted."""
    path, _, images = recording(run)
    then = open_recording(path, pictures=images)
    then = dataclasses.replace(
        then, train=first(then.train, 16), test=first(then.test, 24)
    )
    scaled = dataclasses.replace(
        then,
        **{
            part: dataclasses.replace(trials, fmri=trials.fmri * 3 + 7)
            for part, trials in (('train', then.train), ('test', then.test))
        },
        source='later',
        subject='later',
    )
    options = new_data.Options(
        'all', True, 'session', ('V1', 'V1|V2'), draws=100
    )
    found = new_data.reconstruct(run / 'w', [then, scaled], tmp_path, options)
    assert [*found] == [
        str(tmp_path / stem / roi)
        for stem in ('sbj_1', 'later')
        for roi in ('V1', 'V1+V2')
    ]
    ours, names = pictures(tmp_path / 'sbj_1' / 'V1')
    assert len(names) == len({*names}) == 24 + 16
    assert names[0].endswith('-trial-1') and '-trial' not in names[-1]
    again, _ = pictures(tmp_path / 'later' / 'V1')
    np.testing.assert_allclose(ours, again, atol=1e-3)
    [told] = [
        text
        for text in found[str(tmp_path / 'sbj_1' / 'V1')]['problems']
        if 'learned from' in text
    ]
    shown = 16 + len(np.unique(then.test.stimulus))
    assert f'16 of these {shown} pictures' in told
    # All but V1 at the mean, which is 0 of normalised fMRI.
    kept = model.load(run / 'w')
    fmri = (then.test.fmri - scale(then)[0]) / scale(then)[1]
    fmri[:, ~kept.rois['V1']] = 0
    np.testing.assert_allclose(
        kept.reconstruct(fmri, normalised=True), ours[:24], atol=1e-4
    )


def first(trials, n):
    return dataclasses.replace(
        trials, fmri=trials.fmri[:n], stimulus=trials.stimulus[:n]
    )


def scale(recording):
    fmri = np.float64(recording.train.fmri)
    return fmri.mean(axis=0), fmri.std(axis=0)


def test_other_voxels_are_refused(run):
    kept, same = model.load(run / 'w'), tiny.subject()
    assert new_data.check_voxels(kept, same) is same
    fewer = take_voxels(same, np.arange(tiny.VOXELS) > 0)
    with pytest.raises(InputError, match='has 47 voxels and the model'):
        new_data.check_voxels(kept, fewer)
    turned = take_voxels(same, np.arange(tiny.VOXELS)[::-1])
    with pytest.raises(InputError, match='voxels are in the ROI'):
        new_data.check_voxels(kept, turned)
    places = cube(tiny.VOXELS, 2.0)
    kept = kept._replace(volume=places)
    moved = dataclasses.replace(
        places, affine=places.affine + np.eye(4, 4, 3) * [0, 0, 0, 0.05]
    )
    near = dataclasses.replace(same, volume=moved)
    assert new_data.check_voxels(kept, near) is near
    affine = places.affine.copy()
    affine[0, 3] = 1
    far = dataclasses.replace(
        same, volume=dataclasses.replace(places, affine=affine)
    )
    with pytest.raises(InputError, match='48 voxels lie elsewhere'):
        new_data.check_voxels(kept, far)


def test_what_cannot_be_done_ends_in_a_sentence(run, tmp_path):
    w = run / 'w'
    for arguments, sentence in (
        (('reconstruct', w, '--out', tmp_path), 'name one to reconstruct'),
        (
            ('reconstruct', w, *recording(run), '--trials', 'imagery'),
            'has no imagery trials',
        ),
        (('reconstruct', w, *recording(run), '--only', 'V9'), "no ROI 'V9'"),
        (('reconstruct', tmp_path, *recording(run)), 'holds no model'),
        (('encode', tmp_path, run / 'now/unpaired'), 'holds no model'),
    ):
        if '--out' not in arguments:
            arguments = (*arguments, '--out', tmp_path / 'o')
        status, _, err = command(*arguments)
        assert status == 2 and sentence in err, err
        assert err.count('\n') == 1
    status, _, err = command('reconstruct', w, *recording(run), '--out', w)
    assert status == 2 and 'is the folder of a run' in err


def test_encode(run, tmp_path):
    status, out, err = command(
        'encode', run / 'w', run / 'now/unpaired', '--out', tmp_path
    )
    assert status == 0, err
    found = arrays.read(out.strip())
    assert found['fmri'].shape == (64, tiny.VOXELS)
    kept = model.load(run / 'w')
    np.testing.assert_allclose(
        found['fmri'], kept.encode(tiny.pictures(64, seed=1)), rtol=1e-5
    )
    np.testing.assert_allclose(
        kept.normalise(found['fmri']), found['normalised'], atol=1e-4
    )


def test_a_fold_tests_what_it_tested(tmp_path):
    """The recording of the run, and another one of the same voxels."""
    flags = tiny.write(tmp_path)
    fold = '--config.recording.folds=6', '--config.recording.fold=2'
    w = tmp_path / 'w'
    status, _, err = command(
        'run', '--config', CONFIG, '--workdir', w, *flags, *fold
    )
    assert status == 0, err
    paths = tmp_path / 'sbj_1.npz', '--pictures', tmp_path / 'images_16.npz'
    o = tmp_path / 'o'
    assert command('reconstruct', w, *paths, '--out', o)[0] == 0
    np.testing.assert_array_equal(pictures(o)[0], pictures(w)[0])
    other = tiny.subject(noise=0.6)
    weizmann.write(other, tmp_path / 'sbj_1.npz', tmp_path / 'images_16.npz')
    shutil.rmtree(o)
    assert command('reconstruct', w, *paths, '--out', o)[0] == 0
    assert len(pictures(o)[1]) == len(average_repeats(other.test))

"""Arrays in a folder, an npz file, tables and images."""

import csv
import dataclasses
import json
import shutil

import nibabel
import numpy as np
import pytest
import tiny
from PIL import Image
from recording_files import small_recording

from brainjax.errors import InputError
from brainjax.io import nifti
from brainjax.methods.data import hash_recording
from brainjax.recordings import (
    Volume,
    conversion,
    from_arrays,
    open_recording,
)

SUBJECT = tiny.subject()
NAMES = SUBJECT.stimuli.names


def full():
    """A recording with all that one can have, voxels in order."""
    recording = small_recording()
    places = np.argwhere(np.ones((3, 2, 2))).astype(np.int32)
    volume = Volume(places, (3, 2, 2), np.diag([2.0, 2.0, 3.0, 1.0]))
    return dataclasses.replace(
        recording, volume=volume, imagery=recording.test, simulated=True
    )


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp('arrays') / 'subject'
    conversion.convert(SUBJECT, path, 'arrays')
    return path


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / 'copy')


def fmri():
    return np.concatenate([SUBJECT.train.fmri, SUBJECT.test.fmri])


def labels():
    parts = SUBJECT.train.stimulus, SUBJECT.test.stimulus
    return [NAMES[i] for i in np.concatenate(parts)]


@pytest.mark.parametrize('out', ['folder', 'file.npz'])
def test_everything_comes_back(tmp_path, out):
    first = full()
    _, lost = conversion.convert(first, tmp_path / out, 'arrays')
    again = open_recording(tmp_path / out)
    assert lost == [] and again.format == 'arrays'
    assert again.simulated and again.subject == first.subject
    np.testing.assert_array_equal(again.imagery.fmri, first.imagery.fmri)
    assert hash_recording(again) == hash_recording(first)
    moved = first.volume.indices[::-1]
    volume = dataclasses.replace(first.volume, indices=moved)
    turned = dataclasses.replace(first, volume=volume)
    _, lost = conversion.convert(turned, tmp_path / f'turned-{out}', 'arrays')
    assert lost == ['the order of voxels']
    if out == 'folder':
        with pytest.raises(InputError, match='already; name another folder'):
            conversion.convert(first, tmp_path / out, 'arrays')


def rewrite(copy, kind):
    """Writes the responses otherwise."""
    (copy / 'fmri.npy').unlink()
    if kind == 'nii.gz':
        inside = np.zeros((4, 4, 4), bool)
        inside.ravel()[: tiny.VOXELS] = True
        series = np.zeros((*inside.shape, len(fmri())), np.float32)
        series[inside] = fmri().T
        nifti.write(copy / 'fmri.nii.gz', series, np.eye(4), 1.0)
        mask = inside.astype(np.uint8)
        nifti.write(copy / 'mask.nii.gz', mask, np.eye(4))
        return copy
    rows = [[f'V1_{i}' for i in range(tiny.VOXELS)], *fmri().tolist()]
    if kind == 'one table':
        (copy / 'labels.csv').unlink()
        shown = {NAMES[i] for i in SUBJECT.test.stimulus}
        first = [('stimulus', 'test')]
        first += [(name, int(name in shown)) for name in labels()]
        rows = [[*a, *b] for a, b in zip(first, rows)]
    path = copy / f'fmri.{kind if kind != "one table" else "csv"}'
    delimiter = '\t' if kind == 'tsv' else ','
    with open(path, 'w', newline='') as stream:
        csv.writer(stream, delimiter=delimiter).writerows(rows)
    return path


@pytest.mark.parametrize('kind', ['csv', 'tsv', 'one table', 'nii.gz'])
def test_responses_in_any_file_are_the_same(copy, kind):
    recording = open_recording(rewrite(copy, kind))
    assert [*conversion.differences(SUBJECT, recording)] == []
    assert (recording.volume is not None) == (kind == 'nii.gz')


def test_files_and_arrays_are_the_same(copy, tmp_path):
    """Whatever writes them: the ways of docs/own_data.md."""
    pictures = tmp_path / 'pictures'
    pictures.mkdir()
    for name, image in zip(NAMES, SUBJECT.stimuli.images):
        Image.fromarray(image).save(pictures / f'{name}.png')
    np.save(tmp_path / 'fmri.npy', fmri())
    (tmp_path / 'labels.txt').write_text('\n'.join(labels()))
    inside = SUBJECT.rois['V1']
    regions = ['V1' if x else '' for x in inside]
    (tmp_path / 'rois.csv').write_text('roi\n' + '\n'.join(regions) + '\n')
    tested = [NAMES[i] for i in np.unique(SUBJECT.test.stimulus)]
    first = open_recording(tmp_path, test=','.join(tested))
    again = from_arrays(
        fmri(), labels(), pictures, test=tested, rois={'V1': inside}
    )
    assert [*conversion.differences(again, first)] == ['the subject']
    for wanted, number in ((0.25, 36), ('0.25', 36), (NAMES[3], 1), (None, 14)):
        found = open_recording(tmp_path / 'fmri.npy', test=wanted)
        assert len(np.unique(found.test.stimulus)) == number
    (tmp_path / 'rois.csv').unlink()
    indices = np.flatnonzero(inside).tolist()
    (tmp_path / 'rois.json').write_text(json.dumps({'V1': indices}))
    np.testing.assert_array_equal(open_recording(tmp_path).rois['V1'], inside)


def spoil(copy, name, text):
    (copy / name).write_text(text)


@pytest.mark.parametrize(
    ('change', 'says'),
    [
        (lambda c: spoil(c, 'labels.txt', 'a'), 'labels.csv and labels.txt'),
        (lambda c: (c / 'labels.csv').unlink(), 'what was shown; put labels'),
        (lambda c: spoil(c, 'labels.csv', 'a\nb\n'), 'labels has 2'),
        (lambda c: spoil(c, 'labels.csv', 'a,b\nc,d\n'), "name it 'stimulus'"),
        (lambda c: spoil(c, 'labels.csv', 'run,run\n1,1\n'), "columns 'run'"),
        (lambda c: spoil(c, 'about.json', '{"subject": 3}'), 'subject is 3'),
        (lambda c: spoil(c, 'rois.csv', 'V1,V2\n0,1\n2,1\n'), "'V1' holds '2'"),
        (lambda c: spoil(c, 'rois.csv', 'V1\n0\n1\n'), 'mask over 2 voxels'),
        (lambda c: spoil(c, 'fmri.csv', '1,2\n'), 'fmri.npy and fmri.csv'),
        (
            lambda c: np.save(
                c / 'fmri.npy', np.array([{}]), allow_pickle=True
            ),
            'fmri.npy holds Python objects, such as a dictionary',
        ),
        (
            lambda c: np.save(c / 'snr.npy', np.ones(3)),
            r'snr is float64 of shape \(3,\)',
        ),
        (
            lambda c: (c / 'mask.nii.gz').write_bytes(b'\x1f\x8b' * 9),
            'mask.nii.gz',
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(copy, change, says):
    change(copy)
    with pytest.raises(InputError, match=says) as found:
        open_recording(copy)
    assert '\n' not in str(found.value) and str(copy) in str(found.value)


def test_npz_files_of_ones_own(tmp_path):
    path = tmp_path / 'mine.npz'
    rng = np.random.default_rng(0)
    held = {
        'fmri': rng.standard_normal((12, 5)),
        'labels': np.arange(12) % 6,
        'pictures': rng.random((6, 8, 8)),
        'run': np.repeat([1, 2], 6),
        'roi_V1': np.arange(5) < 2,
        'other': np.zeros(3),
    }
    np.savez(path, **held)
    recording = open_recording(path, test=[5])
    assert (recording.subject, recording.voxels) == ('mine', 5)
    assert recording.rois['V1'].sum() == 2
    assert 'other is no array that is known' in recording.problems[0]
    for changes, says in (
        ({'names': np.array(['a'])}, 'give one text a picture'),
        ({'names': np.array(['a'] * 6)}, 'two pictures have one name'),
        ({'mask': np.ones((5, 1, 1), bool)}, 'affine must be given'),
        ({'labels': np.arange(12).astype(object)}, 'never loaded'),
    ):
        np.savez(path, **{**held, **changes})
        with pytest.raises(InputError, match=says):
            open_recording(path)


def test_columns_that_tell_of_trials_are_no_voxels(tmp_path):
    head = ['onset', 'V1_1', 'V1_2', 'subject', 'stimulus']
    table = [[4.5 * i, i % 3, i % 2, 1, NAMES[i % 5]] for i in range(20)]
    with open(tmp_path / 's.csv', 'w', newline='') as stream:
        csv.writer(stream).writerows([head, *table])
    recording = open_recording(tmp_path / 's.csv')
    assert recording.voxels == 2 and {*recording.rois} == {'V1'}
    assert any('onset, subject tell of trials' in x for x in recording.problems)

    class Frame:
        columns = ('V1_1', 'run')

        def to_numpy(self):
            return fmri()[:, :2]

    with pytest.raises(InputError, match="'run' of fmri tells of trials"):
        from_arrays(Frame(), labels())


def test_arrays_of_objects_that_are_not_wanted_do_no_harm(tmp_path):
    path = tmp_path / 's.npz'
    np.savez(path, fmri=fmri(), labels=labels(), about=np.array({'a': 1}))
    recording = open_recording(path)
    assert any(
        'about is no array that is known' in x for x in recording.problems
    )
    np.savez(path, fmri=fmri(), labels=np.array(labels(), object))
    with pytest.raises(InputError, match=r'labels .* text \(astype\(str\)\)'):
        open_recording(path)


def test_surfaces_are_named_and_missing_cells_of_excel_are_known(tmp_path):
    values = np.ones((1, 1, 1, 1, 3, 20), np.float32)
    image = nibabel.Nifti2Image(values, np.eye(4))
    image.header['intent_code'] = 3006
    nibabel.save(image, tmp_path / 'b.dscalar.nii')
    (tmp_path / 'labels.csv').write_text('stimulus\na\nb\nc\n')
    with pytest.raises(InputError, match='is CIFTI, of a surface'):
        open_recording(tmp_path / 'b.dscalar.nii')
    rows = ['a,1,2', 'b,#N/A,1', 'c,4,5', 'd,3,1']
    (tmp_path / 't.csv').write_text('stimulus,v_1,v_2\n' + '\n'.join(rows))
    (tmp_path / 'labels.csv').unlink()
    assert open_recording(tmp_path / 't.csv').voxels == 1


def test_tables_of_other_habits(tmp_path):
    path = tmp_path / 's.csv'
    rows = [f'p{i % 5};{i},5;{i % 3},25' for i in range(10)]
    path.write_text('\n'.join(['stimulus;v_1;v_2', *rows]))
    assert open_recording(path).voxels == 2  # With decimal commas alone.
    path.write_text(path.read_text().replace('p1', 'p\0'))
    assert 'p' in open_recording(path).stimuli.names
    path.write_text(path.read_text().replace('v_1', 'Stimulus'))
    with pytest.raises(InputError, match="two columns 'stimulus'; rename one"):
        open_recording(path)

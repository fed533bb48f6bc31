"""Recordings in BData files: every layout, and what we write."""

import dataclasses
import re

import bdata_files
import h5py
import numpy as np
import pytest
import scipy.io
import tiny
from bdata_files import VOXELS, responses
from conftest import shared_data
from PIL import Image
from recording_files import cell, write_digits

from brainjax.errors import InputError
from brainjax.experiment import open_data
from brainjax.recordings import description, leakage, open_recording
from brainjax.recordings.formats import digits69, weizmann
from brainjax.recordings.formats.bdata import recording as bdata_recording

NAMES = [f'name-{i}' for i in range(6)]


def named(folder, design=None, n=6, file='x.h5', **options):
    """A file with n stimuli, each shown twice, and a design besides."""
    return bdata_files.write(
        folder / file,
        responses(2 * n),
        {'stimulus_name': [*range(n)] * 2, **(design or {})},
        vmap={'stimulus_name': dict(enumerate(NAMES[:n]))},
        **options,
    )


def shown(recording, part):
    return [
        recording.stimuli.names[i] for i in getattr(recording, part).stimulus
    ]


def assert_same(one, other):
    for part in ('train', 'test'):
        a, b = getattr(one, part), getattr(other, part)
        for what in ('fmri', 'stimulus', 'run', 'session'):
            x, y = getattr(a, what), getattr(b, what)
            np.testing.assert_array_equal(x, y)
            assert x is None or x.dtype == y.dtype
    assert one.rois.keys() == other.rois.keys()
    for name, mask in one.rois.items():
        np.testing.assert_array_equal(mask, other.rois[name])
    for what in ('snr', 'noise_ceiling', 'unpaired_fmri'):
        np.testing.assert_array_equal(getattr(one, what), getattr(other, what))
    assert one.stimuli.names == other.stimuli.names
    assert one.stimuli.categories == other.stimuli.categories
    np.testing.assert_array_equal(one.stimuli.images, other.stimuli.images)
    assert one.simulated == other.simulated


def full_subject():
    """The tiny subject with all that a recording can have."""
    subject = tiny.subject()
    rng = np.random.default_rng(0)

    def numbered(trials):
        run = np.sort(rng.integers(1, 9, len(trials))).astype(np.int32)
        return dataclasses.replace(trials, run=run, session=(run + 1) // 2)

    return dataclasses.replace(
        subject,
        train=numbered(subject.train),
        test=numbered(subject.test),
        stimuli=dataclasses.replace(
            subject.stimuli,
            categories=tuple(f'category {i % 7}' for i in range(144)),
        ),
        unpaired_fmri=np.float32(rng.normal(size=(5, tiny.VOXELS))),
    )


@pytest.mark.parametrize('make', [tiny.subject, full_subject])
def test_round_trip_is_exact(tmp_path, make):
    first = make()
    path, pictures = tmp_path / 'x.h5', tmp_path / 'pictures'
    bdata_recording.write(first, path, pictures)
    again = open_recording(path, pictures=pictures)
    assert_same(again, first)
    assert again.format == 'bdata' and again.problems == ()
    assert open_recording(path).stimuli.images is None
    # A folder that holds the pictures as well is the same subject.
    assert_same(open_recording(tmp_path, pictures=pictures), first)


def test_round_trip_of_the_real_trials(tmp_path):
    first = digits69.read(shared_data('digits69.mat'))
    bdata_recording.write(first, tmp_path / 'x.h5', tmp_path / 'pictures')
    again = bdata_recording.read(tmp_path / 'x.h5', tmp_path / 'pictures')
    assert_same(again, first)
    # And on through the format of others.
    weizmann.write(again, tmp_path / 'x.npz', tmp_path / 'images.npz')
    third = weizmann.read(tmp_path / 'x.npz', tmp_path / 'images.npz', None)
    np.testing.assert_array_equal(third.test.fmri, first.test.fmri)


def test_runs_shared_by_both_sets_stay_as_they_are_when_we_wrote_them(
    tmp_path,
):
    subject = tiny.subject()
    subject = dataclasses.replace(
        subject,
        train=dataclasses.replace(
            subject.train, run=np.int32(np.arange(120) % 4 + 1)
        ),
        test=dataclasses.replace(
            subject.test, run=np.int32(np.arange(96) % 4 + 1)
        ),
    )
    bdata_recording.write(subject, tmp_path / 'x.h5')
    again = bdata_recording.read(tmp_path / 'x.h5')
    np.testing.assert_array_equal(again.train.run, subject.train.run)
    np.testing.assert_array_equal(again.test.run, subject.test.run)


def test_stimuli_that_no_trial_shows_are_lost(tmp_path):
    subject = tiny.subject()
    some = dataclasses.replace(
        subject,
        train=dataclasses.replace(
            subject.train, stimulus=subject.train.stimulus // 2
        ),
    )
    bdata_recording.write(some, tmp_path / 'x.h5', tmp_path / 'pictures')
    again = bdata_recording.read(tmp_path / 'x.h5', tmp_path / 'pictures')
    assert again.problems == ()
    names = subject.stimuli.names
    assert again.stimuli.names == (*names[:60], *names[120:])


def test_what_cannot_be_written(tmp_path):
    subject = tiny.subject()
    for name in ('../x', '/x'):
        stimuli = dataclasses.replace(
            subject.stimuli, names=(name, *subject.stimuli.names[1:])
        )
        with pytest.raises(InputError, match=f"stimulus '{name}' is no file"):
            bdata_recording.write(
                dataclasses.replace(subject, stimuli=stimuli),
                tmp_path / 'x.h5',
                tmp_path / 'pictures',
            )
    stimuli = dataclasses.replace(subject.stimuli, images=None)
    with pytest.raises(InputError, match='holds no pictures'):
        bdata_recording.write(
            dataclasses.replace(subject, stimuli=stimuli),
            tmp_path / 'x.h5',
            tmp_path / 'pictures',
        )


@pytest.mark.parametrize('label', ['stimulus_id', 'Label'])
def test_generic_object_decoding(tmp_path, label):
    path = bdata_files.god(tmp_path, label)
    fmri = responses(18).astype(np.float32)
    recording = open_recording(path)
    np.testing.assert_array_equal(recording.train.fmri, fmri[:8])
    np.testing.assert_array_equal(recording.test.fmri, fmri[8:14])
    # Ordered by number.
    assert recording.stimuli.names == (
        'n01443537_22563',
        'n01518878_10042',
        'n01518878_12028',
        'n01621127_19020',
        'n02416519_500000',
        'n04572121_3262',
    )
    assert shown(recording, 'test') == ['n01443537_22563', 'n04572121_3262'] * 3
    # Not those of category_index, which are wrong.
    assert recording.stimuli.categories == tuple(
        name.split('_')[0] for name in recording.stimuli.names
    )
    # Training and test runs have the same numbers, but are others.
    np.testing.assert_array_equal(
        np.unique(recording.train.run, return_counts=True)[1], [4, 4]
    )
    assert not np.intersect1d(recording.train.run, recording.test.run).size
    assert recording.train.session is None
    assert {*recording.rois} == {'V1', 'V4', 'FFA', 'VC'}
    assert recording.subject == 'Subject3'
    assert not recording.simulated
    assert recording.problems == ()
    imagined = open_recording(path, test='imagery')
    np.testing.assert_array_equal(imagined.test.fmri, fmri[14:])
    assert_same(open_recording(path, test='natural'), recording)


@pytest.mark.parametrize('version', [5, 7.3])
def test_generic_object_decoding_in_matlab(tmp_path, version):
    path = bdata_files.god(tmp_path, 'Label')
    with h5py.File(path) as file:
        variables = {
            'dataSet': file['dataset'][()],
            'metaData': {
                'key': cell(k.decode() for k in file['metadata/key']),
                'description': cell(
                    d.decode() for d in file['metadata/description']
                ),
                'value': file['metadata/value'][()],
            },
        }
    copy = tmp_path / 'Subject3.mat'
    if version == 5:
        scipy.io.savemat(copy, variables)
    else:
        bdata_files.write_matlab73(copy, variables)
    assert_same(open_recording(copy), open_recording(path))


def test_one_run_of_several_sessions_becomes_several(tmp_path):
    design = {'Session': np.repeat([1, 2], 6), 'Run': [1, 1, 1, 2, 2, 2] * 2}
    recording = open_recording(named(tmp_path, design))
    run = np.empty(12, int)
    for part in (recording.train, recording.test):
        for f, number in zip(part.fmri, part.run):
            row = np.flatnonzero(
                (responses(12).astype(np.float32) == f).all(1)
            )[0]
            run[row] = number
    np.testing.assert_array_equal(run, np.repeat([1, 2, 3, 4], 3))
    assert {*recording.train.session} == {1, 2}


@pytest.mark.parametrize('first', [0, 1, 5])
def test_runs_of_several_files_stay_apart(tmp_path, first):
    """From whatever number each file counts its runs and sessions."""
    numbers = first + np.repeat([0, 1], 6)
    for number, file in enumerate(('training1', 'training2', 'test1')):
        bdata_files.write(
            tmp_path / f'Subject1_{file}.h5',
            responses(12, number),
            {
                'stimulus_name': np.arange(12),
                'Run': numbers,
                'Session': numbers,
            },
            vmap={'stimulus_name': {i: f'{file}-{i}' for i in range(12)}},
        )
    recording = open_recording(tmp_path)
    for what in ('run', 'session'):
        start = first + np.repeat([0, 1, 2, 3, 4, 5], 6)
        np.testing.assert_array_equal(
            getattr(recording.train, what), start[:24]
        )
        np.testing.assert_array_equal(getattr(recording.test, what), start[24:])


def test_long_category_numbers_stay_apart(tmp_path):
    numbers = [1443537, 1443540, 1443537.5, 3, 4, 5] * 2
    recording = open_recording(named(tmp_path, {'category_index': numbers}))
    names = recording.stimuli.names
    assert {
        recording.stimuli.categories[names.index(NAMES[i])] for i in range(3)
    } == {'1443537', '1443540', '1443537.5'}


def test_deep_image_reconstruction(tmp_path):
    folder = bdata_files.deep_reconstruction(tmp_path)
    recording = open_recording(folder)
    # The repeats that end both files are left out.
    np.testing.assert_array_equal(
        recording.train.fmri, responses(7, 1)[:6].astype(np.float32)
    )
    np.testing.assert_array_equal(
        recording.test.fmri, responses(7, 2)[:6].astype(np.float32)
    )
    assert recording.stimuli.names == (
        'n01518878_10042',
        'n01518878_12028',
        'n01621127_19020',
        'n01443537_22563',
        'n04572121_3262',
    )
    assert recording.stimuli.categories[:2] == ('n01518878',) * 2
    assert recording.subject == 'sub-01'
    np.testing.assert_array_equal(np.unique(recording.train.run), [1, 2])
    assert recording.test.run.min() > 2
    for test, names, fmri in (
        (
            'shape',
            ['colorExpStim02_red_smallring', 'colorExpStim40_black_X'],
            responses(3, 3),
        ),
        (
            'letter',
            ['letter_black_img011_A', 'letter_black_img031_U'],
            responses(2, 4),
        ),
        (
            'imagery',
            [
                'colorExpStim02_red_smallring',
                'colorExpStim40_black_X',
                'n04507155_21299',
            ],
            responses(6, 5)[[1, 3, 5]],
        ),
    ):
        other = open_recording(folder, test=test)
        assert_same(
            dataclasses.replace(
                other, test=recording.test, stimuli=recording.stimuli
            ),
            recording,
        )
        np.testing.assert_array_equal(other.test.fmri, fmri.astype(np.float32))
        assert list(dict.fromkeys(shown(other, 'test'))) == names
        assert other.stimuli.categories[0] == 'n01518878'
        if test == 'imagery':
            (problem,) = other.problems
            assert re.search('1 of the 4 trials have no stimulus', problem)
    assert recording.problems == ()
    files = sorted(folder.iterdir(), reverse=True)
    chosen = ','.join(str(f) for f in files if 'NaturalImage' in f.name)
    assert_same(open_recording(chosen), recording)
    with pytest.raises(InputError, match="test set 'letter', only test; ch"):
        open_recording(chosen, test='letter')


def test_files_of_two_subjects_are_refused(tmp_path):
    for subject in ('sub-01', 'sub-02'):
        named(tmp_path, file=f'{subject}_training.h5')
    with pytest.raises(InputError, match='files of sub-01 and sub-02; give'):
        open_recording(tmp_path)


@pytest.mark.parametrize(
    ('about', 'words'),
    [
        ({'ROI_V1': [1, 1, 1, 0, 0, 0]}, 'differ in ROI V1 of their voxels'),
        ({'voxel_x': np.ones(VOXELS)}, 'differ in voxel_x of their voxels'),
        (None, 'have 6 and 5 voxels; give files of one subject'),
    ],
)
def test_files_must_have_the_same_voxels(tmp_path, about, words):
    named(tmp_path, file='training.h5')
    if about:
        about = {**bdata_files.ROIS, **bdata_files.PLACES, **about}
        named(tmp_path, file='x_test.h5', about=about)
    else:
        bdata_files.write(
            tmp_path / 'x_test.h5', responses(2)[:, :5], {'Run': [1, 1]}, {}
        )
    with pytest.raises(InputError, match=words):
        open_recording(tmp_path)


def test_stimuli_are_held_out_where_nothing_is_said(tmp_path):
    recording = open_recording(named(tmp_path))
    assert shown(recording, 'test') == ['name-5'] * 2
    assert recording.stimuli.categories is None
    (problem,) = recording.problems
    assert re.search('does not say which .* 1 of the 6 stimuli', problem)
    # Two categories: the last of each that appears.
    design = {'category_index': [1, 2, 1, 1, 2, 7] * 2}
    recording = open_recording(named(tmp_path, design))
    assert shown(recording, 'test') == ['name-3', 'name-4'] * 2
    assert recording.stimuli.categories == ('1', '2', '1', '1', '2', '7')
    # One stimulus in each: as if there were no categories.
    design = {'category_index': [*range(6)] * 2}
    recording = open_recording(named(tmp_path, design))
    assert shown(recording, 'test') == ['name-5'] * 2
    with pytest.raises(InputError, match='holds one stimulus only'):
        open_recording(named(tmp_path, n=1))


def test_the_real_file_holds_out_the_usual_rows():
    recording = open_recording(shared_data('digits69_bdata.h5'))
    mat = digits69.read(shared_data('digits69.mat'))
    for part in ('train', 'test'):
        one, other = getattr(recording, part), getattr(mat, part)
        np.testing.assert_array_equal(one.fmri, other.fmri)
        np.testing.assert_array_equal(one.stimulus, other.stimulus)
    np.testing.assert_array_equal(recording.test.stimulus, digits69.TEST_ROWS)
    assert recording.stimuli.categories == ('1',) * 50 + ('2',) * 50
    assert len(recording.rois) == 13
    (problem,) = recording.problems
    assert 'does not say which trials are for testing' in problem


def test_named_categories_are_kept_and_conflicts_told(tmp_path):
    path = named(tmp_path, {'category_index': [1, 2, 2, 1, 1, 2] * 2})
    with h5py.File(path, 'r+') as file:
        file['vmap/category_index/1.0'] = b'cat'
        file['vmap/category_index/2.0'] = b'dog'
    assert open_recording(path).stimuli.categories[:2] == ('cat', 'dog')
    path = named(tmp_path, {'category_index': [1, 2] * 3 + [2, 1] * 3})
    recording = open_recording(path)
    assert recording.stimuli.categories is None
    assert 'name-0 is in categories 1 and 2' in recording.problems[0]


@pytest.mark.parametrize('token', ['n/a', 'on/a'])
def test_trials_without_a_stimulus_are_left_out(tmp_path, token):
    path = named(tmp_path)
    with h5py.File(path, 'r+') as file:
        del file['vmap/stimulus_name/0.0']
        file['vmap/stimulus_name/0.0'] = np.bytes_(token.encode())
    recording = open_recording(path)
    assert len(recording.train) + len(recording.test) == 10
    assert '2 of the 12 trials have no stimulus' in recording.problems[0]


@pytest.mark.parametrize(
    ('roi', 'kept'),
    [
        ('V1', [0, 1]),
        ('ROI_V1', [0, 1]),
        ('V4', [2]),
        ('hV4', [2]),
        ('VC - FFA', [0, 1, 2]),
        ('V* - VC', None),
        ('* & ROI_VC', [0, 1, 2, 3, 4]),
        ('', range(VOXELS)),
        (None, range(VOXELS)),
    ],
)
def test_roi_is_selected_while_reading(tmp_path, roi, kept):
    path = named(tmp_path)
    if kept is None:
        with pytest.raises(InputError, match='holds no voxel; choose another'):
            open_recording(path, roi=roi)
        return
    recording = open_recording(path, roi=roi)
    whole = open_recording(path)
    kept = list(kept)
    np.testing.assert_array_equal(
        recording.train.fmri, whole.train.fmri[:, kept]
    )
    np.testing.assert_array_equal(
        recording.rois['FFA'], whole.rois['FFA'][kept]
    )


def test_pictures_are_joined_by_name(tmp_path):
    path = named(tmp_path)
    folder = tmp_path / 'pictures'
    folder.mkdir()
    for i, name in enumerate([*NAMES, 'other']):
        Image.new('RGB', (20, 10 + i), (i, 0, 0)).save(folder / f'{name}.png')
    recording = open_recording(path, pictures=folder, size=8)
    assert recording.stimuli.images.shape == (6, 8, 8, 3)
    np.testing.assert_array_equal(
        recording.stimuli.images[:, 4, 4, 0], range(6)
    )
    assert '1 of the 7 pictures belong to no' in recording.problems[-1]
    (folder / 'name-3.png').unlink()
    with pytest.raises(InputError, match=r'no picture for 1 of the 6 stimuli'):
        open_recording(path, pictures=folder, size=8)


@pytest.mark.parametrize(
    ('design', 'options', 'words'),
    [
        ({}, {'roi': 'V11'}, "has no key 'V11', only V1, V4, FFA, VC"),
        ({}, {'test': 'natral'}, "no test set 'natral'.* mean 'natural'"),
        ({}, {'test': 'letter'}, "test set 'letter', only training trials"),
        ({'DataType': [5] * 12}, {}, 'DataType is 5.0 in trial 0; it must be'),
        ({'DataType': [2] * 12}, {}, 'holds no training trials, only test'),
        (
            {'DataType': [1] * 6 + [2] * 6},
            {},
            "'name-0' was shown in training and in test trials",
        ),
        ({'Run': [1.5] * 12}, {}, 'Run is 1.5 in trial 0; it must be a whole'),
        ({'Session': [np.inf] * 12}, {}, 'Session is inf in trial 0'),
        ({'event_type': [2] * 12}, {}, 'holds no trial that names a stimulus'),
        ({}, {'rows': 3}, "read as bdata, which has no option 'rows'"),
    ],
)
def test_bad_files(tmp_path, design, options, words):
    path = named(tmp_path, design)
    with pytest.raises(InputError, match=words):
        open_recording(path, **options)


def test_bad_voxels(tmp_path):
    whole = open_recording(named(tmp_path))
    for value, kind, word in (
        (np.nan, 'nan', 'NaN'),
        (np.inf, 'infinite', 'infinite'),
        (7.0, 'constant', 'constant'),
    ):
        path = named(tmp_path)
        with h5py.File(path, 'r+') as file:
            rows = slice(None) if kind == 'constant' else 4
            file['dataset'][rows, 3] = value
        recording = open_recording(path)
        np.testing.assert_array_equal(
            recording.train.fmri, np.delete(whole.train.fmri, 3, axis=1)
        )
        assert all(mask.shape == (5,) for mask in recording.rois.values())
        left_out = f'1 of the 6 voxels are left out (1 {word})'
        assert any(left_out in problem for problem in recording.problems)
        with pytest.raises(InputError, match=f'1 {word}.*drop={kind}'):
            open_recording(path, drop=())
        assert open_recording(path, drop=kind).voxels == 5
        # Outside of the chosen region they do no harm.
        assert open_recording(path, roi='V1').voxels == 2
    with h5py.File(path, 'r+') as file:
        file['metadata/value'][0] = np.nan
    with pytest.raises(InputError, match='VoxelData holds no column; its'):
        open_recording(path)
    with h5py.File(path, 'r+') as file:
        keys = file['metadata/key'][()]
        keys[list(keys).index(b'VoxelData')] = b'Voxels'
        file['metadata/key'][...] = keys
    with pytest.raises(InputError, match="no key 'VoxelData', only Voxels"):
        open_recording(path)


def test_files_without_stimuli(tmp_path):
    path = bdata_files.write(tmp_path / 'x.h5', responses(3), {'Run': [1] * 3})
    with pytest.raises(InputError, match='does not name its stimuli: it has'):
        open_recording(path)
    bdata_files.write(path, responses(3), {'stimulus_id': [np.nan] * 3})
    with pytest.raises(InputError, match='holds no trial that names'):
        open_recording(path)
    bdata_files.write(path, responses(3), {'stimulus_id': [-1, 2, 3]})
    with pytest.raises(InputError, match=r'-1.0 is the number of no training'):
        open_recording(path)


@pytest.mark.filterwarnings('error')
def test_wrong_numbers_never_get_past(tmp_path):
    """Any cell, row or column of a file may hold what nobody expects."""
    rng = np.random.default_rng(1)
    folder = tmp_path / 'several'
    folder.mkdir()
    sentences = []
    for i in range(100):
        if i % 2:
            path = changed = bdata_files.god(tmp_path)
        else:
            path = bdata_files.deep_reconstruction(folder)
            changed = sorted(path.iterdir())[i // 2 % 5]
        with h5py.File(changed, 'r+') as file:
            values = file[rng.choice(['dataset', 'metadata/value'])]
            rows, columns = values.shape
            odd = [np.nan, np.inf, -np.inf, 1e300, 3e9, -1, 0, 0.5, 2]
            which = [
                (rng.integers(rows), rng.integers(columns)),
                (rng.integers(rows), slice(None)),
                (slice(None), rng.integers(columns)),
            ]
            values[which[i % 3]] = rng.choice(odd)
        try:
            open_recording(path)
        except InputError as error:
            sentences.append(str(error))
    assert len(sentences) > 25
    assert all(text.startswith(str(tmp_path)) for text in sentences)


def test_a_surface_has_vertices(tmp_path):
    path = named(tmp_path)
    whole = open_recording(path)
    with h5py.File(path, 'r+') as file:
        keys = file['metadata/key'][()]
        keys[list(keys).index(b'VoxelData')] = b'VertexData'
        file['metadata/key'][...] = keys
    assert_same(open_recording(path), whole)


def test_numbers_of_pictures_need_float64(tmp_path):
    path = bdata_files.god(tmp_path, 'stimulus_id')
    with h5py.File(path, 'r+') as file:
        dataset = file['dataset'][()].astype(np.float32)
        del file['dataset']
        file['dataset'] = dataset
    with pytest.raises(InputError, match=r'as float32, .*save .* as float64'):
        open_recording(path)
    # Names need no decimals.
    path = named(tmp_path)
    with h5py.File(path, 'r+') as file:
        dataset = file['dataset'][()].astype(np.float32)
        del file['dataset']
        file['dataset'] = dataset
    assert open_recording(path).voxels == 6


def test_dates_as_sessions_need_float64(tmp_path):
    path = named(tmp_path, {'Session': 20190100 + np.repeat([1, 2], 6)})
    assert {*open_recording(path).train.session} == {20190101, 20190102}
    with h5py.File(path, 'r+') as file:
        dataset = file['dataset'][()].astype(np.float32)
        del file['dataset']
        file['dataset'] = dataset
    with pytest.raises(InputError, match=r'Session reaches 20190.* float32 ro'):
        open_recording(path)


def test_one_stimulus_is_spelled_in_several_ways(tmp_path):
    recording = open_recording(named(tmp_path))
    names = recording.stimuli.names
    path = named(tmp_path)
    with h5py.File(path, 'r+') as file:
        vmap = file['vmap/stimulus_name']
        first, second = [*vmap][:2]
        spelled = 'caf\u00e9.JPG', 'cafe\u0301.jpg'
        for number, name in zip((first, second), spelled):
            del vmap[number]
            vmap[number] = name
    found = open_recording(path, test='test').stimuli.names
    assert len(found) == len(names) - 1 and spelled[0] in found


def test_without_sessions_one_number_is_one_run(tmp_path):
    """Of sets that were measured in the same runs, whatever their order."""
    design = {
        'DataType': np.repeat([1, 2], [18, 9]),
        'stimulus_id': [*np.arange(1, 19), *np.arange(19, 28)],
        'Run': [*np.repeat(np.arange(1, 10), 2), *range(1, 10)],
    }
    path = bdata_files.write(tmp_path / 'x.h5', responses(27), design)
    recording = open_recording(path)
    np.testing.assert_array_equal(
        recording.train.run, np.repeat(np.arange(1, 10), 2)
    )
    np.testing.assert_array_equal(recording.test.run, np.arange(1, 10))
    [runs] = [f for f in leakage.check(recording) if f.what == 'runs']
    assert (runs.shared, runs.of) == (9, 9)


def test_an_experiment_opens_it(tmp_path):
    subject = tiny.subject()
    bdata_recording.write(subject, tmp_path / 'x.h5', tmp_path / 'pictures')
    config = tiny.get_config()
    config.recording.path = str(tmp_path / 'x.h5')
    config.recording.images = str(tmp_path / 'pictures')
    config.recording.roi = 'V1'
    config.pictures.path = str(tmp_path / 'pictures')
    found = open_data(config).recording
    np.testing.assert_array_equal(
        found.train.fmri, subject.train.fmri[:, subject.rois['V1']]
    )
    np.testing.assert_array_equal(found.stimuli.images, subject.stimuli.images)


def test_a_test_set_without_stimuli_is_not_replaced(tmp_path):
    id_ = np.r_[np.arange(8.0), np.full(6, np.nan), np.arange(4.0)]
    path = bdata_files.god(tmp_path, stimulus_id=id_)
    with pytest.raises(InputError, match=r'test fMRI has shape \(0, 6\)'):
        open_recording(path)


def test_unknown_runs_are_none(tmp_path):
    recording = open_recording(named(tmp_path, {'Run': [np.nan, *[1] * 11]}))
    assert recording.train.run is None


def test_paths_that_are_no_recordings(tmp_path):
    (tmp_path / 'empty').mkdir()
    for path, words in (
        (tmp_path / 'empty', 'empty is no recording that can be read'),
        (tmp_path / 'a.h5', 'a.h5 does not exist'),
        ('a.h5,b.h5', '^a.h5 does not exist'),
    ):
        assert not bdata_recording.looks_like(path)
        with pytest.raises(InputError, match=words):
            open_recording(path)
    with pytest.raises(InputError, match='holds no BData file; give the'):
        bdata_recording.read(tmp_path / 'empty')
    assert open_recording(write_digits(tmp_path)).format == 'digits69'


def test_inspection(tmp_path):
    (recording,) = description.open_all([bdata_files.god(tmp_path)])
    found = description.summary(recording)
    assert found['format'] == 'bdata'
    assert found['trials'] == {'train': 8, 'test': 6}
    assert found['repeats'] == {'train': 2, 'test': 3}
    assert found['rois'] == {'V1': 2, 'V4': 1, 'FFA': 2, 'VC': 5}

"""Names, inheritance, timing and versions of the files of a BIDS data set."""

import json

import bids_files
import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.recordings import open_recording
from brainjax.recordings.formats import bids
from brainjax.recordings.formats.bids import files

RAW = bids_files.RAW


def read(root, **options):
    return bids.read(root, **{**RAW, **options})


def held_out(recording):
    return {recording.stimuli.names[i] for i in recording.test.stimulus}


def named(runs):
    return {
        name: bids_files.trials(
            *(f'{name}.{i}' for i in 'xyz'), column='stim_name'
        )
        for name in runs
    }


@pytest.mark.parametrize(
    ('runs', 'test', 'run'),
    [
        (
            [f'task-see_run-{i}' for i in range(1, 13)],
            'run-1',
            'task-see_run-1',
        ),
        ([f'task-see_run-{i:02d}' for i in (1, 2, 11)], 'run-1', None),
        (['ses-1_task-see', 'ses-10_task-see'], 'ses-1', 'ses-1_task-see'),
        (['task-loc', 'task-localizer'], 'task-loc', 'task-loc'),
        (['task-loc', 'task-localizer'], 'localizer', 'task-localizer'),
    ],
)
def test_entities_match_whole(tmp_path, runs, test, run):
    recording = read(bids_files.data_set(tmp_path, named(runs)), test=test)
    wanted = run or runs[0]  # run-1 is run-01.
    assert held_out(recording) == {f'{wanted}.{i}' for i in 'xyz'}
    with pytest.raises(InputError, match="'run-99' means no runs"):
        read(tmp_path, test='run-99')


@pytest.mark.parametrize('task', ['fastestimation', 'retest', 'letterfluency'])
def test_words_in_words_name_no_set(tmp_path, task):
    recording = read(
        bids_files.data_set(tmp_path, named(['task-see', f'task-{task}']))
    )
    assert len(recording.train) + len(recording.test) == 6
    assert any(
        f'tasks {task} and see are pooled' in p
        or f'tasks see and {task} are pooled' in p
        for p in recording.problems
    )


@pytest.mark.parametrize(
    'name',
    [
        'task-see_events.tsv',
        'task-see_acq-mb_events.tsv',
        'sub-01/sub-01_task-see_events.tsv',
        'sub-01/func/sub-01_task-see_events.tsv',
        'sub-01/func/sub-01_task-see_acq-mb_run-01_events.tsv',
    ],
)
def test_events_are_inherited(tmp_path, name):
    bids_files.data_set(tmp_path, {'task-see_acq-mb_run-1': None})
    bids_files.table(
        tmp_path / name, bids_files.trials('a.png', 'b.png', 'c.png')
    )
    # Of others: another task, another acquisition, a run of which 1 is a part.
    for other in ('task-se', 'task-see_acq-sb', 'task-see_run-10'):
        bids_files.table(
            tmp_path / f'{other}_events.tsv', bids_files.trials('z.png')
        )
    assert len(read(tmp_path).stimuli) == 3


def test_the_nearest_table_is_taken(tmp_path):
    bids_files.data_set(
        tmp_path,
        {'task-see_run-1': bids_files.trials(*(f'{x}.png' for x in 'abd'))},
    )
    bids_files.table(
        tmp_path / 'task-see_events.tsv', bids_files.trials('c.png')
    )
    assert {*read(tmp_path).stimuli.names} == {*'abd'}


EVENTS = """
onset duration stim_file
2     1        a.png
12    1        b.png
22    1        c.png
"""


def first_response(root, **sidecars):
    """The mean number of the volumes in the window of the first trial."""
    for name, content in sidecars.items():
        path = root / name.replace('__', '/')
        path.with_suffix('.json').write_text(json.dumps(content))
    recording = read(root)
    at = recording.stimuli.names.index('a')
    return float(recording.train.fmri[recording.train.stimulus == at][0, 0])


@pytest.mark.parametrize('header', [0.0, 1.0, float('nan')])
@pytest.mark.parametrize(
    'name',
    [
        'task-see_acq-mb_bold',
        'sub-01/sub-01_task-see_bold',
        'sub-01/func/sub-01_task-see_acq-mb_bold',
    ],
)
def test_sidecars_are_inherited(tmp_path, header, name):
    """Volumes 3 to 6, measured 7 to 13 s, lie 4 to 12 s after 2 s."""
    bids_files.data_set(
        tmp_path,
        {'task-see_acq-mb_run-1': EVENTS},
        header,
        sidecar=False,
        values=bids_files.ramp(),
    )
    assert first_response(tmp_path, **{name: {'RepetitionTime': 2.0}}) == 4.5


def test_the_nearest_sidecar_that_states_it_counts(tmp_path):
    bids_files.data_set(
        tmp_path,
        {'task-see_run-1': EVENTS},
        0.0,
        sidecar=False,
        values=bids_files.ramp(),
    )
    with pytest.raises(InputError, match='neither its sidecar nor its header'):
        read(tmp_path)
    near = 'sub-01/func/sub-01_task-see_run-1_bold'
    assert (
        first_response(
            tmp_path,
            **{
                near: {'EchoTime': 0.03},
                'task-see_bold': {'RepetitionTime': 2.0},
            },
        )
        == 4.5
    )
    assert first_response(tmp_path, **{near: {'RepetitionTime': 1}}) == 9.5
    for wrong in (True, '2.0', 2000, -1):
        with pytest.raises(InputError, match=r'a RepetitionTime of .*seconds'):
            first_response(tmp_path, **{near: {'RepetitionTime': wrong}})
    assert first_response(tmp_path, **{near: {'RepetitionTime': 0}}) == 4.5


def test_volume_timing_is_respected_or_refused(tmp_path):
    bids_files.data_set(
        tmp_path,
        {'task-see_run-1': EVENTS},
        1.0,
        sidecar=False,
        values=bids_files.ramp(),
    )
    even = {'VolumeTiming': [2.0 * i for i in range(40)]}
    assert first_response(tmp_path, **{'task-see_bold': even}) == 4.5
    # Of 2 s one half is acquired: volume 3 is measured around 6.5 s.
    sparse = even | {'AcquisitionDuration': 1.0}
    assert first_response(tmp_path, **{'task-see_bold': sparse}) == 4.5
    long = {'VolumeTiming': [8.0 * i for i in range(40)]}
    assert first_response(tmp_path, **{'task-see_bold': long}) == 1.0
    # Around 9 s with the pause, around 12 s without.
    paused = long | {'AcquisitionDuration': 2.0}
    assert first_response(tmp_path, **{'task-see_bold': paused}) == 1.0
    for wrong in ([0, 2, 5, *range(7, 44)], [0, 2], 'x', [1] * 40):
        with pytest.raises(InputError, match='VolumeTiming'):
            first_response(
                tmp_path, **{'task-see_bold': {'VolumeTiming': wrong}}
            )


@pytest.mark.parametrize('onset', [-10.5, -6.0, 73])
def test_windows_cut_off_at_either_end_are_left_out(tmp_path, onset):
    events = EVENTS + f'{onset} 1 cut.png\n'
    bids_files.data_set(
        tmp_path, {'task-see_run-1': events}, values=bids_files.ramp()
    )
    recording = read(tmp_path)
    assert {*recording.stimuli.names} == {'a', 'b', 'c'}
    assert any('1 of 4 trials begin before' in p for p in recording.problems)


def test_a_window_on_the_first_volume_is_whole(tmp_path):
    events = EVENTS + '-4.9 1 first.png\n'
    bids_files.data_set(
        tmp_path, {'task-see_run-1': events}, values=bids_files.ramp()
    )
    assert 'first' in read(tmp_path).stimuli.names


def test_a_duration_may_be_unknown_with_a_fixed_window(tmp_path):
    events = EVENTS.replace('12    1', '12 n/a')
    bids_files.data_set(tmp_path, {'task-see_run-1': events})
    recording = read(tmp_path)
    assert len(recording.train) + len(recording.test) == 3
    with pytest.raises(InputError, match='duration of an event is n/a'):
        read(tmp_path, response='glm')


def test_versions_of_a_run_are_chosen(tmp_path):
    bids_files.data_set(
        tmp_path,
        {
            f'task-see_run-1_space-MNI_res-{res}_desc-preproc': None
            for res in (1, 2)
        },
        values=bids_files.ramp(),
    )
    bids_files.table(tmp_path / 'task-see_events.tsv', EVENTS)
    with pytest.raises(InputError, match=r"resolutions '1', '2'.*`res`"):
        read(tmp_path)
    assert read(tmp_path, res=2).voxels == 18
    root = bids_files.data_set(
        tmp_path / 'echoes',
        {f'task-see_run-1_echo-{i}': EVENTS for i in (1, 2)},
    )
    with pytest.raises(InputError, match=r"echoes '1', '2'.*`echo`"):
        read(root)
    assert read(root, echo='1').voxels == 18


def test_masks_of_another_space_are_passed_by(tmp_path):
    name = 'task-see_run-1_space-MNI_res-2_desc-preproc'
    bids_files.data_set(tmp_path, {name: None})
    bids_files.table(tmp_path / 'task-see_events.tsv', EVENTS)
    folder = tmp_path / 'masks/sub-01'
    (folder / 'V1.nii.gz').unlink()
    for i, version in enumerate(('MNI_res-1', 'MNI_res-2', 'T1w')):
        mask = np.arange(18).reshape(bids_files.SHAPE) <= i
        bids_files.image(
            folder / f'sub-01_space-{version}_label-V1_mask.nii.gz',
            mask.astype('u1'),
        )
    assert read(tmp_path).voxels == 2


def test_images_in_a_derivative_alone_are_found(tmp_path):
    """Some hand on the events and fMRIPrep's images only."""
    bids_files.data_set(
        tmp_path / 'derivatives/fmriprep',
        {'task-see_run-1_space-T1w_desc-preproc': None},
    )
    bids_files.table(
        tmp_path / 'sub-01/func/sub-01_task-see_run-1_events.tsv', EVENTS
    )
    recording = read(tmp_path)
    assert len(recording.stimuli) == 3
    assert any('holds no images; those of' in p for p in recording.problems)
    again = read(tmp_path / 'derivatives/fmriprep')
    np.testing.assert_array_equal(recording.train.fmri, again.train.fmri)
    # Masks beside the raw data serve the derivative.
    (tmp_path / 'derivatives/fmriprep/masks').rename(tmp_path / 'masks')
    assert read(tmp_path / 'derivatives/fmriprep').voxels == 18


def test_names_of_old_releases_of_fmriprep():
    name = files.parse('sub-1_task-x_run-01_bold_space-T1w_preproc.nii.gz')
    assert name.suffix == 'bold_preproc' and name.extension == '.nii.gz'
    assert name.entities['space'] == 'T1w' and name.entities['run'] == '01'
    assert files.matches({'run': '1'}, name.entities)
    assert not files.matches({'run': '10'}, name.entities)
    assert not files.matches({'acq': '1'}, name.entities)


def test_files_of_macos_are_no_files_of_the_data_set(tmp_path):
    bids_files.data_set(tmp_path, {'task-see_run-1': EVENTS})
    for path in [*tmp_path.rglob('*.*')]:
        if path.is_file():
            path.with_name(f'._{path.name}').write_bytes(b'\0\5\x16\7' * 50)
    assert open_recording(tmp_path, **RAW).voxels == 18


def test_a_mask_is_where_values_are_above_zero(tmp_path):
    bids_files.data_set(tmp_path, {'task-see_run-1': EVENTS})
    inside = np.arange(18).reshape(bids_files.SHAPE) < 5
    bids_files.image(
        tmp_path / 'masks/sub-01/V1.nii.gz',
        np.where(inside, 1, -1).astype('i2'),
    )
    recording = read(tmp_path)
    assert recording.voxels == 5
    assert any('V1.nii.gz hold values below 0' in p for p in recording.problems)
    bids_files.image(tmp_path / 'masks/sub-01/V1.nii.gz', -inside.astype('i2'))
    with pytest.raises(InputError, match='values below 0 and none above'):
        read(tmp_path)


def test_what_to_leave_out_can_be_said(tmp_path):
    values = 100 + np.random.default_rng(0).standard_normal(
        (*bids_files.SHAPE, 40)
    )
    values[0, 0, 0, 3], values[1, 1, 1, 7] = np.nan, np.inf
    values[2, 2, 1] = 7
    bids_files.data_set(tmp_path, {'task-see_run-1': EVENTS}, values=values)
    recording = read(tmp_path)
    assert recording.voxels == 15
    assert any(
        '3 of the 18 voxels are left out (1 NaN, 1 infinite, 1 constant)' in p
        for p in recording.problems
    )
    with pytest.raises(InputError, match=r'drop=nan,infinite,constant'):
        read(tmp_path, drop='nan,constant')
    with pytest.raises(InputError, match="no drop 'flat'"):
        read(tmp_path, drop='flat')

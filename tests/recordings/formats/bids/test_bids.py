"""BIDS data sets: runs, events, masks and responses."""

import dataclasses
import gzip
import sys

import nibabel
import numpy as np
import pytest
import tiny
from conftest import shared_data
from recording_files import small_recording

from brainjax.errors import InputError
from brainjax.recordings import conversion, open_recording, parse_options
from brainjax.recordings.formats import bids, digits69
from brainjax.recordings.formats.bids import events as bids_events
from brainjax.recordings.formats.bids import masks as bids_masks
from brainjax.recordings.formats.bids import responses, sets
from brainjax.recordings.formats.bids.files import Run
from brainjax.recordings.formats.bids.responses import DesignEvents, Timing

SHAPE = (3, 4, 2)
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
VOLUMES, SECONDS = 60, 2.0
TIMING = Timing(VOLUMES, SECONDS)


def write_image(path, values, affine=AFFINE, seconds=SECONDS):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(values, affine)
    if values.ndim == 4:
        image.header.set_zooms((2.0, 2.0, 2.0, seconds))
    image.header.set_xyzt_units('mm', 'sec')
    nibabel.save(image, path)


def write_table(path, columns, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ['\t'.join(columns), *('\t'.join(map(str, r)) for r in rows)]
    path.write_text('\n'.join(lines) + '\n')


def write_masks(root, subject='sub-01', **masks):
    masks = masks or {
        'V1': np.arange(24).reshape(SHAPE) < 5,
        'V2': (np.arange(24).reshape(SHAPE) > 3)
        & (np.arange(24).reshape(SHAPE) < 9),
    }
    for name, mask in masks.items():
        write_image(
            root / 'masks' / subject / f'{name}.nii.gz', mask.astype(np.uint8)
        )


def generic(root, rows=None, series=None, runs=2, seed=0):
    """Two runs of 8 trials, each stimulus once; returns the series."""
    rng = np.random.default_rng(seed)
    if series is None:
        series = rng.normal(100, 5, (runs, *SHAPE, VOLUMES))
    write_masks(root)
    for r in range(runs):
        stem = root / 'sub-01' / 'func' / f'sub-01_task-see_run-{r + 1}'
        write_image(stem.with_name(f'{stem.name}_bold.nii.gz'), series[r])
        write_table(
            stem.with_name(f'{stem.name}_events.tsv'),
            ('onset', 'duration', 'trial_type', 'stim_file'),
            rows
            if rows is not None
            else [
                (2 + 12 * i, 2, 'picture', f'pictures/p{8 * r + i:02d}.png')
                for i in range(8)
            ]
            + [(100, 2, 'rest', 'n/a')],
        )
    return series


def test_round_trip_is_exact(tmp_path):
    for name, recording in (
        ('tiny', tiny.subject()),
        ('small', small_recording()),
    ):
        _, lost = conversion.convert(recording, tmp_path / name, 'bids')
        assert not {*lost} - {
            'the subject',
            'SNR',
            'noise ceiling',
            'unpaired fMRI',
        }
        again = open_recording(tmp_path / name)
        assert again.simulated == recording.simulated
        for part in ('train', 'test'):
            a, b = getattr(recording, part), getattr(again, part)
            np.testing.assert_array_equal(a.fmri, b.fmri)
            np.testing.assert_array_equal(
                recording.stimuli.images[a.stimulus],
                again.stimuli.images[b.stimulus],
            )
            assert [recording.stimuli.names[i] for i in a.stimulus] == [
                again.stimuli.names[i] for i in b.stimulus
            ]
    with pytest.raises(InputError, match='holds subjects already'):
        bids.write(recording, tmp_path / 'small')
    names = ('../out', *recording.stimuli.names[1:])
    renamed = dataclasses.replace(
        recording, stimuli=dataclasses.replace(recording.stimuli, names=names)
    )
    with pytest.raises(InputError, match=r"'../out' cannot be the name"):
        bids.write(renamed, tmp_path / 'outside')


def test_a_response_is_the_mean_of_volumes_in_the_window(tmp_path):
    series = generic(tmp_path)
    recording = bids.read(
        tmp_path, window=(4, 9), high_pass=0, zscore_runs=False
    )
    assert recording.voxels == 9 and recording.subject == 'sub-01'
    assert {k: int(v.sum()) for k, v in recording.rois.items()} == {
        'V1': 5,
        'V2': 5,
    }
    flat = np.float32(series).reshape(2, -1, VOLUMES)[:, :9]
    for part in (recording.train, recording.test):
        for i in range(len(part)):
            name = recording.stimuli.names[part.stimulus[i]]
            number = int(name.removeprefix('p'))
            onset = 2 + 12 * (number % 8)
            # Volume v is measured around second 2 v + 1.
            inside = [
                v for v in range(VOLUMES) if onset + 4 <= 2 * v + 1 < onset + 9
            ]
            assert len(inside) in (2, 3)
            wanted = flat[number // 8][:, inside].mean(axis=1)
            np.testing.assert_allclose(part.fmri[i], wanted, rtol=1e-6)
            assert part.run[i] == 1 + number // 8
    assert any('does not say which trials' in x for x in recording.problems)
    only = bids.read(
        tmp_path, roi='V1', window=(4, 9), high_pass=0, zscore_runs=False
    )
    np.testing.assert_array_equal(
        only.train.fmri, recording.train.fmri[:, recording.rois['V1']]
    )


def test_runs_to_test_on_can_be_named(tmp_path):
    generic(tmp_path)
    recording = bids.read(
        tmp_path, test='run-2', high_pass=0, zscore_runs=False
    )
    assert (len(recording.train), len(recording.test)) == (8, 8)
    assert {*recording.test.run} == {2}
    with pytest.raises(InputError, match=r"'run-9' means no runs"):
        bids.read(tmp_path, test='run-9', high_pass=0, zscore_runs=False)


def test_a_trial_after_the_end_is_left_out_and_told(tmp_path):
    rows = [(12 * i, 2, 'x', f'p{i}.png') for i in range(6)]
    generic(tmp_path, rows=[*rows, (118, 2, 'x', 'late.png')], runs=1)
    recording = bids.read(tmp_path, high_pass=0, zscore_runs=False)
    assert len(recording.train) + len(recording.test) == 6
    assert any(
        '1 of 7 trials begin before the run or end after' in x
        for x in recording.problems
    )


def test_glm_finds_known_amplitudes(tmp_path):
    pytest.importorskip('nilearn')
    from nilearn.glm.first_level import make_first_level_design_matrix
    from pandas import DataFrame

    rng = np.random.default_rng(1)
    onsets = [4 + 13.0 * i for i in range(8)]
    amplitude = rng.normal(3, 1, (8, 24))
    at = (np.arange(VOLUMES) + 0.5) * SECONDS
    design = make_first_level_design_matrix(
        at,
        DataFrame(
            {
                'onset': onsets,
                'duration': 2.0,
                'trial_type': [f't{i}' for i in range(8)],
            }
        ),
        hrf_model='spm',
        drift_model=None,
    ).to_numpy()[:, :8]
    drift = 100 + 5 * np.cos(np.pi * at / 120)
    noise_free = (design @ amplitude + drift[:, None]).T
    rows = [(on, 2, 'x', f'p{i}.png') for i, on in enumerate(onsets)]
    for response in ('glm', 'glm-separate'):
        for sd in (0.0, 0.2):
            root = tmp_path / f'{response}{sd}'
            noisy = noise_free + sd * rng.normal(size=noise_free.shape)
            generic(root, rows, noisy.reshape(1, *SHAPE, VOLUMES), runs=1)
            recording = bids.read(root, response=response, zscore_runs=False)
            found = np.zeros((8, 9))
            for part in (recording.train, recording.test):
                for i, fmri in zip(part.stimulus, part.fmri):
                    found[int(recording.stimuli.names[i][1:])] = fmri
            error = found - amplitude[:, :9]
            if sd == 0 and response == 'glm':
                np.testing.assert_allclose(error, 0, atol=1e-3)
            elif sd:
                assert abs(error.mean()) < 0.25  # Unbiased.
                assert np.corrcoef(found.ravel(), amplitude[:, :9].ravel())[
                    0, 1
                ] > (0.7 if response == 'glm' else 0.6)


def test_cleaning_removes_drifts_and_confounds(tmp_path):
    pytest.importorskip('nilearn')
    rng = np.random.default_rng(2)
    motion = np.cumsum(rng.normal(size=VOLUMES))
    true = rng.normal(size=(1, *SHAPE, VOLUMES))
    series = true + 30 * motion + np.linspace(0, 50, VOLUMES)
    rows = [(4 + 12 * i, 2, 'x', f'p{i}.png') for i in range(8)]
    generic(tmp_path, rows, series, runs=1)
    table = (
        tmp_path
        / 'sub-01/func/sub-01_task-see_run-1_desc-confounds_timeseries.tsv'
    )
    write_table(table, ('motion', 'other'), zip(motion, ['n/a'] * VOLUMES))
    clean = bids.read(tmp_path, confounds=('motion',))
    dirty = bids.read(tmp_path)
    other = tmp_path / 'other'
    generic(other, rows, true, runs=1)
    wanted = bids.read(other)

    def r(recording):
        return np.corrcoef(
            recording.train.fmri.ravel(), wanted.train.fmri.ravel()
        )[0, 1]

    assert r(clean) > 0.85 > 0.5 > r(dirty)
    with pytest.raises(InputError, match="no column 'motoin'"):
        bids.read(tmp_path, confounds=('motoin',))


def run_of(**entities):
    return Run(None, entities, False)


def event(preset, row, **entities):
    return bids_events.PRESETS[preset].event(row, run_of(**entities), 'e.tsv')


def test_deep_image_reconstruction_events():
    row = {'onset': '32', 'duration': '8', 'stimulus_name': 'n01443537_22563'}
    session = {'ses': 'perceptionNaturalImageTraining01'}
    found = event('ds001506', row | {'event_type': '1'}, **session)
    assert found == (32, 8, 'n01443537_22563', 'n01443537', 'train')
    # Rest is nothing; a one-back repetition is modelled and not answered.
    assert event('ds001506', row | {'event_type': '-1'}, **session) is None
    repeated = event('ds001506', row | {'event_type': '2'}, **session)
    assert repeated.stimulus == ''
    number = {'onset': '0', 'duration': '8', 'event_type': '1'}
    shown = number | {'stimulus_name': 'n/a', 'stimulus_id': '1621127.01902'}
    found = event('ds001506', shown, ses='perceptionNaturalImageTest02')
    assert (found.stimulus, found.part) == ('n01621127_19020', 'test')
    # Older releases misspell the shapes' session.
    for name in ('perceptionArtificalImage01', 'perceptionArtificialImage01'):
        shape = number | {'stimulus_id': '1'}
        found = event('ds001506', shape, ses=name)
        assert found.stimulus == 'colorExpStim01_red_square'
        assert found.part == 'shape'
    letter = number | {'stimulus_id': '10'}
    found = event('ds001506', letter, ses='perceptionLetterImage01')
    assert found.stimulus == 'letter_black_img031_U'
    imagery = {
        'onset': '4',
        'duration': '8',
        'event_type': '2',
        # The names belong to other pictures; the index counts.
        'category_name': 'n01443537',
        'category_index': '17',
    }
    found = event('ds001506', imagery, ses='imagery01')
    assert (found.stimulus, found.part) == ('n02416519_12793', 'imagery')
    cue = event('ds001506', imagery | {'event_type': '1'}, ses='imagery01')
    assert cue.stimulus == ''
    fixation = imagery | {'category_index': '16'}
    assert event('ds001506', fixation, ses='imagery01').stimulus == ''


def test_face_events():
    row = {
        'onset': '6',
        'duration': '1',
        'trial_type': 'train_face  ',
        'stim_file': 'stimuli/sub-01/F0123.jpg',
        'oneback': '0',
    }
    assert event('ds001761', row) == (6, 1, 'F0123', 'F', 'train')
    test = event('ds001761', row | {'trial_type': 'test_face'})
    assert test.part == 'test'
    assert event('ds001761', row | {'oneback': '1'}).stimulus == ''
    assert event('ds001761', row | {'trial_type': 'Fix'}) is None
    assert event('ds001761', row | {'trial_type': 'Img '}).stimulus == ''
    with pytest.raises(InputError, match='must end in F or M'):
        event('ds001761', row | {'stim_file': 'fix.jpg'})


def test_generic_object_decoding_events():
    row = {
        'onset': '9',
        'duration': '9',
        'event_type': 'stimulus',
        'stim_id': '1443537.022563',
    }
    found = event('ds001246', row, ses='perceptionTraining01')
    assert found == (9, 9, 'n01443537_22563', 'n01443537', 'train')
    rest = row | {'event_type': 'rest'}
    assert event('ds001246', rest, ses='perceptionTraining01') is None
    # Imagery is of a category, and more of them than Shen et al. have cues.
    imagery = {
        'onset': '36',
        'duration': '15',
        'event_type': 'imagery',
        'category_id': '3761084',
        'category_name': 'n03761084',
        'category_index': '38',
    }
    found = event('ds001246', imagery, ses='imageryTest01')
    assert found == (36, 15, 'n03761084', 'n03761084', 'imagery')
    cue = imagery | {'event_type': 'cue'}
    assert event('ds001246', cue, ses='imageryTest01').stimulus == ''


def test_unmarked_repetitions_are_told_by_the_picture_before():
    rows = [
        {'onset': '0', 'duration': '33', 'event_type': 'rest'},
        *(
            {
                'onset': str(33 + 9 * i),
                'duration': '9',
                'event_type': 'stimulus',
                'stim_file': f'n0144353{name}_1.JPEG',
            }
            for i, name in enumerate('122313')
        ),
    ]
    found = bids_events.read_events(
        rows,
        run_of(ses='perceptionTest01'),
        bids_events.PRESETS['ds001246'],
        'e.tsv',
    )
    assert [e.stimulus[8:9] for e in found] == ['1', '2', '', '3', '1', '3']


def test_events_of_older_releases():
    """Those of ds001506 had numbers only, and no index."""
    rows = [
        {'onset': '0', 'duration': '32', 'event_type': '-1'},
        {'onset': '32', 'duration': '12', 'event_type': '1'},
        {'onset': '296', 'duration': '6', 'event_type': '-2'},
    ]
    for row, number in zip(rows, ('n/a', '7', 'n/a')):
        row['stimulus_id'] = number
    chosen = bids_events.choose_preset(None, '{}', rows)
    assert chosen == 'ds001506'
    (found,) = bids_events.read_events(
        rows,
        run_of(ses='perceptionLetterImage01'),
        bids_events.PRESETS[chosen],
        'e.tsv',
    )
    assert found == (32, 12, 'letter_black_img028_R', 'R', 'letter')


def test_presets_are_told_from_the_data_set():
    assert bids_events.choose_preset(
        None, '{"DatasetDOI": "ds001246.v1"}', []
    ) == ('ds001246')
    faces = [{'trial_type': 'train_face'}]
    assert bids_events.choose_preset(None, '{}', faces) == 'ds001761'
    for name, preset in (
        ('Generic Object Decoding (fMRI on ImageNet) ', 'ds001246'),
        ('Deep Image Reconstruction', 'ds001506'),
    ):
        assert (
            bids_events.choose_preset(None, f'{{"Name": "{name}"}}', [])
            == preset
        )
    words = [{'event_type': 'rest'}, {'event_type': 'stimulus'}]
    assert bids_events.choose_preset(None, '{}', words) == 'ds001246'
    # A localiser may come first.
    assert (
        bids_events.choose_preset(None, '{}', [{'trial_type': 'face'}, *faces])
        == 'ds001761'
    )
    assert (
        bids_events.choose_preset(None, '{}', [{'trial_type': 'a'}])
        == 'generic'
    )
    with pytest.raises(InputError, match=r"Did you mean 'ds001506'"):
        bids_events.choose_preset('ds001566', '{}', [])


def test_half_fields_and_hemispheres_are_joined(tmp_path):
    generic(tmp_path)
    flat = np.arange(24).reshape(SHAPE)
    write_masks(
        tmp_path / 'more',
        **{
            name: flat == i
            for i, name in enumerate(
                ('LH_V1d', 'RH_V1v', 'LH_V2d', 'RH_hV4', 'LH_HVC', 'LH_FFA')
            )
        },
    )
    recording = bids.read(
        tmp_path,
        masks=tmp_path / 'more/masks/sub-01',
        high_pass=0,
        zscore_runs=False,
    )
    counts = {k: int(v.sum()) for k, v in recording.rois.items()}
    assert counts['V1'] == 2 and counts['V4'] == 1 and counts['LH_V1d'] == 1
    assert counts['LVC'] == 4 and counts['VC'] == 5


def test_masks_may_be_named_as_openneuro_does(tmp_path):
    generic(tmp_path)
    (tmp_path / 'masks' / 'sub-01' / 'V1.nii.gz').unlink()
    (tmp_path / 'masks' / 'sub-01' / 'V2.nii.gz').unlink()
    flat = np.arange(24).reshape(SHAPE)
    for i, name in enumerate(('LH_V1d', 'RH_V1v', 'RH_HVC')):
        write_image(
            tmp_path / f'sourcedata/sub-01/anat/sub-01_mask_{name}.nii.gz',
            (flat == i).astype(np.uint8),
        )
    rois = bids.read(tmp_path, high_pass=0, zscore_runs=False).rois
    assert {name: int(mask.sum()) for name, mask in rois.items()} == {
        'LH_V1d': 1,
        'RH_V1v': 1,
        'RH_HVC': 1,
        'V1': 2,
        'HVC': 1,
        'LVC': 2,
        'VC': 3,
    }


def test_voxels_without_signal_are_left_out_and_told(tmp_path):
    series = generic(tmp_path)
    plain = {'high_pass': 0, 'zscore_runs': False}
    whole = bids.read(tmp_path, **plain)
    flat = series.reshape(2, 24, VOLUMES)
    flat[1, 2, 7] = np.nan
    flat[:, 6] = 50.0
    generic(tmp_path, series=series)
    recording = bids.read(tmp_path, **plain)
    assert recording.voxels == 7
    assert any(
        '2 of the 9 voxels are left out (1 NaN, 1 constant)' in x
        for x in recording.problems
    )
    kept = [0, 1, 3, 4, 5, 7, 8]
    np.testing.assert_array_equal(
        recording.train.fmri, whole.train.fmri[:, kept]
    )
    np.testing.assert_array_equal(recording.rois['V1'], whole.rois['V1'][kept])


def kamitani(root):
    """A training, a test and an imagery session in the layout of ds001246."""
    rng = np.random.default_rng(3)
    write_masks(root)
    for session, kind, names in (
        ('perceptionTraining01', 'stimulus', ('n01443537_1', 'n01443537_2')),
        ('perceptionTest01', 'stimulus', ('n02690373_7', 'n02690373_7')),
        ('imageryTest01', 'imagery', ('n03761084', 'n02690373')),
    ):
        stem = root / 'sub-01' / f'ses-{session}' / 'func'
        stem /= f'sub-01_ses-{session}_task-x_run-01'
        write_image(
            stem.with_name(f'{stem.name}_bold.nii.gz'),
            rng.normal(size=(*SHAPE, 20)),
            seconds=3.0,
        )
        columns = ('onset', 'duration', 'event_type', 'stimulus_name')
        if kind == 'imagery':
            columns = (*columns[:3], 'category_name')
        write_table(
            stem.with_name(f'{stem.name}_events.tsv'),
            columns,
            [
                (0, 9, 'rest', 'n/a'),
                *((9 + 9 * i, 9, kind, x) for i, x in enumerate(names)),
            ],
        )


def test_a_data_set_like_generic_object_decoding(tmp_path):
    kamitani(tmp_path)
    plain = {'high_pass': 0, 'zscore_runs': False}
    recording = bids.read(tmp_path, **plain)
    assert (len(recording.train), len(recording.test)) == (2, 1)
    image = 'sub-01/ses-{0}/func/sub-01_ses-{0}_task-x_run-01_bold.nii.gz'
    test = tmp_path / image.format('perceptionTest01')
    series = np.asarray(nibabel.load(test).dataobj, np.float32)
    # 9 s from second 12 are the volumes 4, 5 and 6.
    wanted = series.reshape(24, 20)[:9, 4:7].mean(axis=1)
    np.testing.assert_allclose(recording.test.fmri[0], wanted, rtol=1e-5)
    assert any('as they were scanned' in x for x in recording.problems)
    imagery = bids.read(tmp_path, test='imagery', **plain)
    assert [imagery.stimuli.names[i] for i in imagery.test.stimulus] == [
        'n03761084',
        'n02690373',
    ]
    # What is not asked for may be missing, as after a partial download.
    (tmp_path / image.format('imageryTest01')).write_bytes(b'')
    assert len(bids.read(tmp_path, **plain).test) == 1


def test_a_glm_leaves_out_trials_after_the_end(tmp_path):
    pytest.importorskip('nilearn')
    rows = [(4 + 13 * i, 2, 'x', f'p{i}.png') for i in range(8)]
    generic(tmp_path, [*rows, (121, 2, 'x', 'late.png')], runs=1)
    for response in ('glm', 'glm-separate'):
        recording = bids.read(tmp_path, response=response)
        assert len(recording.train) + len(recording.test) == 8
        assert any(
            '1 of 9 trials begin before the run or end after' in x
            for x in recording.problems
        )


@pytest.mark.parametrize('onset', [116.0, 119.0, 119.9])
@pytest.mark.parametrize('response', ['glm', 'glm-separate'])
def test_a_glm_leaves_out_trials_hardly_measured(tmp_path, onset, response):
    """The run ends before the response does; amplitudes would be noise."""
    pytest.importorskip('nilearn')
    rows = [(4 + 13 * i, 2, 'x', f'p{i}.png') for i in range(8)]
    generic(tmp_path, [*rows, (onset, 2, 'x', 'late.png')], runs=1)
    recording = bids.read(tmp_path, response=response)
    assert 'late' not in recording.stimuli.names
    assert any('1 of 9 trials begin before' in x for x in recording.problems)
    for part in (recording.train, recording.test):
        assert np.abs(part.fmri).max() < 20


def test_how_much_of_a_trial_was_measured():
    """Against regressors of a run that goes on; nilearn's grid differs."""
    first_level = pytest.importorskip('nilearn.glm.first_level')
    from pandas import DataFrame

    onset = np.array([10.0, 80, 100, 106, 110, 117, 119.9])
    duration = np.array([2.0, 30, 2, 2, 10, 2, 2])
    trial = np.array([True, True, True, False, True, True, True])
    wanted = []
    for start, length in zip(onset[trial], duration[trial]):
        table = DataFrame(
            {'onset': [start], 'duration': length, 'trial_type': 'x'}
        )
        square = (
            first_level.make_first_level_design_matrix(
                (np.arange(3 * VOLUMES) + 0.5) * SECONDS,
                table,
                hrf_model='spm',
                drift_model=None,
            )['x'].to_numpy()
            ** 2
        )
        wanted.append(square[:VOLUMES].sum() / square.sum())
    events = DesignEvents(onset, duration, trial)
    found = responses.measured(events, TIMING)
    np.testing.assert_allclose(found, wanted, atol=2e-3)
    assert found[0] == 1 and found[-1] < 1e-6
    # What a file calls long does not fill the memory.
    endless = events._replace(duration=np.full(7, 1e300))
    assert responses.measured(endless, TIMING)[0] > 0.5


@pytest.mark.parametrize('apart', [0, 1e-9, 1e-3])
def test_trials_at_one_time_cannot_be_told_apart(apart):
    pytest.importorskip('nilearn')
    onset = np.array([10.0, 10 + apart, 40])
    events = DesignEvents(onset, np.ones(3), np.ones(3, bool))
    with pytest.raises(InputError, match='some are collinear'):
        responses.glm_weights(events, TIMING, 0, None)


def happening(*parts):
    return [
        [
            bids_events.Event(5.0 * i, 1, f's{i}', '', part)
            for i, part in enumerate(parts)
        ]
    ]


def test_trials_of_unknown_sets_are_told():
    parts = ('train', 'val', 'test', '', 'holdout', 'val', 'imagery')
    events, problems = sets.select_sets(happening(*parts), 'test', 'here')
    assert [bool(e.stimulus) for e in events[0]] == [
        part in ('train', 'test', '') for part in parts
    ]
    assert len(problems) == 1
    assert problems[0].startswith('here: 4 trials are of no set that is known')
    assert '(not named, holdout, val)' in problems[0]
    # Where none is named for training, those of no name are.
    assert not sets.select_sets(happening('', 'test'), 'test', 'here')[1]
    # Where runs are named to test on, all are used.
    assert not sets.select_sets(happening(*parts), 'run-2', 'here')[1]


def test_trials_of_unknown_sets_are_among_the_problems(tmp_path):
    generic(tmp_path, runs=1)
    parts = ['train'] * 4 + ['validation'] * 2 + ['test'] * 2
    write_table(
        tmp_path / 'sub-01/func/sub-01_task-see_run-1_events.tsv',
        ('onset', 'duration', 'stimulus_name', 'split'),
        [(2 + 12 * i, 2, f'p{i}', part) for i, part in enumerate(parts)],
    )
    recording = bids.read(tmp_path, high_pass=0, zscore_runs=False)
    assert len(recording.train) == 4 and len(recording.test) == 2
    assert any(
        '2 trials are of no set' in x and 'validation' in x
        for x in recording.problems
    )


def test_masks_of_both_hemispheres_are_joined(tmp_path):
    flat = np.arange(24).reshape(SHAPE)
    write_masks(
        tmp_path,
        **{
            'sub-01_hemi-L_label-V1_mask': flat < 5,
            'sub-01_hemi-R_label-V1_mask': flat > 20,
            'sub-01_hemi-R_label-V2_mask': flat == 9,
        },
    )
    folder = tmp_path / 'masks/sub-01'
    masks = bids_masks.read_masks(folder, bids_masks.inside(folder), None)
    assert {k: int(v.sum()) for k, v in masks.rois.items()} == {
        'V1': 8,
        'V2': 1,
    }


@pytest.mark.parametrize(
    'names',
    [
        ('sub-01_ses-01_label-V1_mask', 'sub-01_ses-02_label-V1_mask'),
        ('sub-01_hemi-L_label-V1_mask', 'sub-01_label-V1_mask'),
        (
            'sub-01_ses-01_hemi-L_label-V1_mask',
            'sub-01_ses-02_hemi-R_label-V1_mask',
        ),
    ],
)
def test_two_masks_of_one_region_are_told(tmp_path, names):
    flat = np.arange(24).reshape(SHAPE)
    write_masks(tmp_path, **{name: flat < 5 for name in names})
    folder = tmp_path / 'masks/sub-01'
    with pytest.raises(InputError, match='both masks of V1') as error:
        bids_masks.read_masks(folder, bids_masks.inside(folder), None)
    assert all(name in str(error.value) for name in names)


@pytest.mark.parametrize(
    ('text', 'name'),
    [
        ('cat.v1.jpg', 'cat.v1'),
        ('stimuli/cat.v2.JPEG', 'cat.v2'),
        ('n01443537_22563.JPEG', 'n01443537_22563'),
        ('n01443537_22563', 'n01443537_22563'),
        ('1443537.022563', 'n01443537_22563'),
        ('1621127.01902', 'n01621127_19020'),
        ('5.jpg', '5'),
    ],
)
@pytest.mark.parametrize('column', ['stimulus_name', 'stim_name'])
def test_names_are_cut_at_a_picture_suffix_alone(column, text, name):
    row = {'onset': '0', 'duration': '8', 'event_type': '1', column: text}
    found = event('ds001506', row, ses='perceptionNaturalImageTraining01')
    assert found.stimulus == name


@pytest.mark.parametrize('onset', [-1e12, -30.0, -10.0])
@pytest.mark.parametrize('response', ['glm', 'glm-separate'])
def test_a_glm_leaves_out_trials_before_the_run(tmp_path, onset, response):
    """There the regressor is all but zero and the amplitude all noise."""
    pytest.importorskip('nilearn')
    rows = [(4 + 13 * i, 2, 'x', f'p{i}.png') for i in range(8)]
    plain = {'response': response, 'zscore_runs': False, 'high_pass': 0}
    series = generic(tmp_path / 'whole', rows, runs=1)
    whole = bids.read(tmp_path / 'whole', **plain)
    early = [(onset, 2, 'x', 'early.png'), *rows]
    generic(tmp_path / 'early', early, series, runs=1)
    recording = bids.read(tmp_path / 'early', **plain)
    assert recording.stimuli.names == whole.stimuli.names
    assert any('1 of 9 trials begin before' in x for x in recording.problems)
    if onset < -24:
        np.testing.assert_array_equal(recording.train.fmri, whole.train.fmri)


def test_a_subject_without_letters_is_written_as_the_first(tmp_path):
    recording = dataclasses.replace(tiny.subject(), subject='--')
    bids.write(recording, tmp_path)
    assert open_recording(tmp_path).subject == 'sub-01'


def test_without_nilearn_the_extra_is_named(tmp_path, monkeypatch):
    generic(tmp_path)
    monkeypatch.setitem(sys.modules, 'nilearn.signal', None)
    with pytest.raises(InputError, match=r"pip install 'brainjax\[bids\]'"):
        bids.read(tmp_path)
    bids.read(tmp_path, high_pass=0, zscore_runs=False)


def test_truncated_images_are_one_sentence(tmp_path):
    generic(tmp_path)
    bold = tmp_path / 'sub-01/func/sub-01_task-see_run-2_bold.nii.gz'
    whole = bold.read_bytes()
    for length in np.linspace(0, len(whole) - 1, 25).astype(int):
        bold.write_bytes(whole[:length])
        with pytest.raises(InputError, match=f'^{bold} '):
            bids.read(tmp_path, high_pass=0, zscore_runs=False)


def test_bad_input_is_one_sentence(tmp_path):
    plain = {'high_pass': 0, 'zscore_runs': False}

    def fails(words, root, **options):
        with pytest.raises(InputError, match=words) as caught:
            bids.read(root, **plain, **options)
        assert '\n' not in str(caught.value)

    generic(tmp_path)
    bold = tmp_path / 'sub-01/func/sub-01_task-see_run-1_bold.nii.gz'
    fails("has no ROI 'V9'", tmp_path, roi='V9')
    fails('no sub-02', tmp_path, subject='02')
    fails("no task 'se'", tmp_path, task='se')
    fails("no response 'gml'", tmp_path, response='gml')
    fails('holds no ROI masks', tmp_path, masks=tmp_path / 'none')
    fails("no trials of the test set 'imagery'", tmp_path, test='imagery')
    whole = bold.read_bytes()
    bold.write_bytes(whole[: len(whole) // 2])
    fails('not a complete NIfTI file', tmp_path)
    bold.write_bytes(whole)
    events = tmp_path / 'sub-01/func/sub-01_task-see_run-1_events.tsv'
    text = events.read_text()
    events.unlink()
    fails('has no sub-01_task-see_run-1_events.tsv', tmp_path)
    events.write_text(text.replace('2\t2\tpicture', 'x\t2\tpicture', 1))
    fails("onset is 'x'; it must be a finite number", tmp_path)
    events.write_text(text.replace('\t2\tpicture', '\tpicture', 1))
    fails('has 3 values for 4 columns', tmp_path)
    events.write_text(text)
    write_image(bold, np.full((*SHAPE, VOLUMES), np.nan))
    fails('no signal in any of the 9 voxels', tmp_path)
    fails('give two numbers of seconds', tmp_path, window=(4, 4))
    write_image(bold, np.zeros((3, 4, 3, VOLUMES)))
    fails('masks must be on the grid', tmp_path)
    moved = AFFINE.copy()
    moved[0, 3] = 10
    write_image(bold, np.zeros((*SHAPE, VOLUMES)), moved)
    fails('lies elsewhere than', tmp_path)
    bold.write_bytes(gzip.compress(b'no image'))
    fails('not a complete NIfTI file|is no NIfTI', tmp_path)


def test_preprocessed_images_find_the_raw_events(tmp_path):
    generic(tmp_path)
    derived = tmp_path / 'derivatives' / 'fmriprep'
    for r in (1, 2):
        name = f'sub-01_task-see_run-{r}'
        raw = tmp_path / 'sub-01/func' / f'{name}_bold.nii.gz'
        out = (
            derived
            / 'sub-01/func'
            / (f'{name}_space-T1w_desc-preproc_bold.nii.gz')
        )
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(raw.read_bytes())
    write_masks(derived)
    plain = {'high_pass': 0, 'zscore_runs': False}
    a = bids.read(tmp_path, **plain)
    b = bids.read(derived, space='T1w', **plain)
    np.testing.assert_array_equal(a.train.fmri, b.train.fmri)
    with pytest.raises(InputError, match="no space 'MNI'"):
        bids.read(derived, space='MNI', **plain)


def test_weights_are_those_of_least_squares():
    """Each against np.linalg.lstsq on models built one regressor at a time."""
    first_level = pytest.importorskip('nilearn.glm.first_level')
    from pandas import DataFrame

    rng = np.random.default_rng(4)
    onset = np.array([3.0, 10, 14, 30, 37, 60, 75, 90])
    trial = np.array([True] * 3 + [False] + [True] * 4)
    at = (np.arange(VOLUMES) + 0.5) * SECONDS
    confounds = rng.normal(size=(VOLUMES, 2))

    def regressor(which):
        table = DataFrame(
            {'onset': onset[which], 'duration': 2.0, 'trial_type': 'x'}
        )
        return first_level.make_first_level_design_matrix(
            at, table, hrf_model='spm', drift_model=None
        )['x'].to_numpy()

    own = np.stack([regressor([i]) for i in np.flatnonzero(trial)], axis=1)
    fixed = np.column_stack(
        [regressor(~trial), np.ones(VOLUMES), confounds - confounds.mean(0)]
    )
    series = rng.normal(size=(VOLUMES, 5))
    events = DesignEvents(onset, np.full(8, 2.0), trial)

    def solved(*columns):
        return np.linalg.lstsq(np.column_stack(columns), series)[0]

    weights = responses.glm_weights(events, TIMING, 0, confounds)
    np.testing.assert_allclose(
        weights @ series, solved(own, fixed)[:7], atol=1e-8
    )
    # Right on average whatever the noise: the signal passes unchanged.
    np.testing.assert_allclose(weights @ own, np.eye(7), atol=1e-8)
    np.testing.assert_allclose(weights @ fixed, 0, atol=1e-8)
    weights = responses.separate_weights(events, TIMING, 0, confounds)
    for i in range(7):
        rest = own.sum(axis=1) - own[:, i]
        np.testing.assert_allclose(
            (weights @ series)[i], solved(own[:, i], rest, fixed)[0], atol=1e-8
        )


def test_the_real_trials_come_back_exactly(tmp_path):
    recording = digits69.read(shared_data('digits69.mat'))
    _, lost = conversion.convert(recording, tmp_path / 'bids', 'bids')
    assert lost == ['the subject']


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        ({'subject': 1}, 'no sub-1, only sub-01'),
        ({'task': 1}, "no task '1'"),
        ({'space': 1}, "no space '1'"),
        ({'test': 9}, "'9' means no runs"),
        ({'test': ['run-1']}, 'test is .*give one text'),
        ({'preset': 1}, "no preset '1'"),
        ({'roi': 1}, "no ROI '1'"),
        ({'roi': ['V1']}, 'roi is .*give one text'),
        ({'response': True}, 'response is True'),
        ({'masks': 1.5}, 'masks is 1.5'),
        ({'window': ['a', 4]}, 'give two numbers of seconds'),
        ({'window': 4}, 'give two numbers of seconds'),
        ({'confounds': 1}, 'confounds is 1; give a list of texts'),
        ({'confounds': 'csf'}, "no column 'csf'"),
        ({'high_pass': 'slow'}, "high_pass is 'slow'; give a period"),
        ({'high_pass': -5}, 'high_pass is -5; give a period'),
        ({'high_pass': float('nan')}, 'high_pass is nan; give a period'),
        ({'zscore_runs': 'no'}, "zscore_runs is 'no'; give true or false"),
    ],
)
def test_options_of_another_type_are_told(tmp_path, options, words):
    generic(tmp_path, runs=1)
    motion(tmp_path, ['1'] * VOLUMES)
    plain = {'high_pass': 0, 'zscore_runs': False}
    with pytest.raises(InputError, match=words):
        bids.read(tmp_path, **{**plain, **options})


def test_a_subject_may_be_a_number(tmp_path):
    generic(tmp_path)
    for old in sorted(tmp_path.rglob('*sub-01*'), reverse=True):
        old.rename(old.with_name(old.name.replace('sub-01', 'sub-2')))
    options = parse_options(
        ('subject=2', 'test=run-2', 'high_pass=0', 'zscore_runs=false')
    )
    recording = open_recording(tmp_path, **options)
    assert recording.subject == 'sub-2'
    assert {*recording.test.run} == {2}


@pytest.mark.parametrize('response', ['window', 'glm', 'glm-separate'])
@pytest.mark.parametrize(
    ('place', 'text', 'words'),
    [
        (0, 'nan', "onset is 'nan'; it must be a finite number"),
        (0, '-inf', "onset is '-inf'; it must be a finite number"),
        (1, 'inf', "duration is 'inf'; it must be a finite number"),
        (1, '-2', "duration is '-2'; no event can end before"),
    ],
)
def test_times_that_are_no_numbers_are_told(
    tmp_path, response, place, text, words
):
    rows = [[4 + 13 * i, 2, 'x', f'p{i}.png'] for i in range(8)]
    rows[3][place] = text
    generic(tmp_path, rows, runs=1)
    with pytest.raises(InputError, match=words):
        bids.read(tmp_path, response=response, high_pass=0, zscore_runs=False)


@pytest.mark.parametrize('text', ['nan', 'inf'])
def test_confounds_that_are_no_numbers_are_told(tmp_path, text):
    generic(tmp_path, runs=1)
    motion(tmp_path, ['n/a', text, *['1'] * (VOLUMES - 2)])
    with pytest.raises(InputError, match='motion is NaN or infinite'):
        bids.read(tmp_path, confounds='motion')


def motion(root, values):
    """Writes a confound of the first run."""
    write_table(
        root
        / 'sub-01/func/sub-01_task-see_run-1_desc-confounds_timeseries.tsv',
        ('motion',),
        [(value,) for value in values],
    )

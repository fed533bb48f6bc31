"""The Natural Scenes Dataset's layout, whole or damaged on purpose."""

import dataclasses
import os
import signal
import subprocess
import sys

import h5py
import nibabel
import numpy as np
import pytest
import scipy.io
import tiny
import tiny_selfsup
from conftest import REPOSITORY
from PIL import Image

from brainjax.errors import InputError
from brainjax.methods.data import prepare
from brainjax.methods.selfsup import method as selfsup
from brainjax.pictures import loading, operations
from brainjax.recordings import conversion, open_recording
from brainjax.recordings.description import summary
from brainjax.recordings.formats import nsd
from brainjax.recordings.on_disk import StoredFmri

SHAPE = 4, 5, 3  # x, y, z: all different, so that no axis hides behind another.
TRIALS = 20
SESSIONS = 3
NUMBERS = np.array([3, 9, 4, 1, 7, 12, 20, 15, 2, 6, 18, 11])
SHARED = 4  # The first pictures of every subject.
BETAS = 'nsddata_betas/ppdata/subj01/func1pt8mm/betas_fithrf_GLMdenoise_RR'
ROIS = 'nsddata/ppdata/subj01/func1pt8mm/roi'


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('BRAINJAX_CACHE', str(tmp_path / 'cache'))
    return tmp_path / 'cache' / 'nsd'


def volumes(seed=0):
    """Betas [session, trial, x, y, z] int16."""
    rng = np.random.default_rng(seed)
    return rng.integers(-900, 900, (SESSIONS, TRIALS, *SHAPE), np.int16)


def mask():
    labels = np.random.default_rng(5).integers(-1, 2, SHAPE)
    labels[0, 0] = 1
    return labels


def order():
    """One-based places in the subject's pictures, [sessions * trials]."""
    rng = np.random.default_rng(6)
    places = rng.permutation(np.repeat(np.arange(12), 5)) + 1
    return places.reshape(1, -1)


def shown():
    return NUMBERS[order()[0] - 1]


def in_shared():
    return np.isin(shown(), NUMBERS[:SHARED])


def write_volume(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)


def write_session(root, number, values, **options):
    path = root / BETAS / f'betas_session{number:02d}.hdf5'
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, 'w') as file:
        file.create_dataset(
            'betas', data=values.transpose(0, 3, 2, 1), **options
        )
    return path


def design(**changes):
    pictures_of = np.tile(NUMBERS, (8, 1))
    pictures_of[1:, SHARED:] += 20
    return {
        'masterordering': order() * 1.0,
        'subjectim': pictures_of * 1.0,
        'sharedix': NUMBERS[:SHARED][None] * 1.0,
        **changes,
    }


def write_design(root, **changes):
    path = root / 'nsddata/experiments/nsd/nsd_expdesign.mat'
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, design(**changes))
    return path


def write_ncsnr(root, values=None):
    if values is None:
        values = np.random.default_rng(7).random(SHAPE)
    write_volume(root / BETAS / 'ncsnr.nii.gz', values.astype(np.float32))
    return values.astype(np.float32)


def write_brick(root, size=6):
    images = np.random.default_rng(8).integers(
        0, 256, (25, size, size, 3), np.uint8
    )
    path = root / 'nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5'
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, 'w') as file:
        file['imgBrick'] = images
    return images


@pytest.fixture
def root(tmp_path):
    """A dataset written by hand, not by `nsd.write`."""
    root = tmp_path / 'nsd'
    write_design(root)
    write_volume(root / ROIS / 'nsdgeneral.nii.gz', np.int16(mask()))
    for i, values in enumerate(volumes()):
        write_session(root, i + 1, values)
    return root


def expected(which, betas=None):
    """Betas of some trials, [trials, voxels] int16."""
    betas = volumes() if betas is None else betas
    return betas.reshape(-1, *SHAPE)[which][:, mask() == 1]


def percent(numbers):
    return numbers * np.float32(1 / 300)


def z_scored(which, betas=None):
    by_session = in_shared().reshape(SESSIONS, TRIALS)
    betas = volumes() if betas is None else betas
    out = []
    for values, shared in zip(betas, by_session):
        values = values[:, mask() == 1].astype(np.float64)
        train = values[~shared]
        out.append((values - train.mean(0)) / train.std(0))
    return np.concatenate(out)[which]


def test_trials_voxels_and_stimuli_are_the_right_ones(root):
    recording = nsd.read(root, zscore=False)
    assert isinstance(recording.train.fmri, StoredFmri)
    for part, which in (
        (recording.train, ~in_shared()),
        (recording.test, in_shared()),
    ):
        np.testing.assert_array_equal(part.fmri[:], percent(expected(which)))
        names = [recording.stimuli.names[i] for i in part.stimulus]
        assert names == [f'nsd-{i:05d}' for i in shown()[which]]
        np.testing.assert_array_equal(
            part.session, np.repeat([1, 2, 3], TRIALS)[which]
        )
        assert part.run is None
    assert recording.subject == 'subj01'
    assert recording.stimuli.images is None
    assert recording.snr is None and recording.noise_ceiling is None
    assert not recording.simulated
    assert recording.problems == ()
    assert list(recording.rois) == ['nsdgeneral']


@pytest.mark.parametrize(
    'options',
    [
        {'chunks': (1, 3, 5, 4)},
        {'chunks': (20, 1, 5, 4), 'compression': 'gzip'},
        {'chunks': (7, 2, 2, 3)},
    ],
)
def test_any_chunks_give_the_same(root, options, monkeypatch):
    from brainjax.recordings.formats.nsd import extraction as nsd_extraction

    monkeypatch.setattr(nsd_extraction, '_AT_ONCE', 400)
    write_session(root, 2, volumes()[1], **options)
    found = nsd.read(root, zscore=False).train.fmri[:]
    np.testing.assert_array_equal(found, percent(expected(~in_shared())))


def test_z_scores_never_see_shared_trials(root):
    recording = nsd.read(root)
    np.testing.assert_allclose(
        recording.train.fmri[:], z_scored(~in_shared()), atol=1e-5
    )
    np.testing.assert_allclose(
        recording.test.fmri[:], z_scored(in_shared()), atol=1e-5
    )
    betas = volumes()
    flat = betas.reshape(-1, *SHAPE)
    flat[in_shared()] = 7 * flat[in_shared()] + 100
    for i, values in enumerate(betas):
        write_session(root, i + 1, values)
    changed = nsd.read(root)
    np.testing.assert_array_equal(
        changed.train.fmri[:], recording.train.fmri[:]
    )
    assert np.abs(changed.test.fmri[:] - recording.test.fmri[:]).max() > 1


def test_the_second_time_nothing_is_extracted(root, cache):
    first = nsd.read(root).train.fmri[:]
    times = {p: p.stat().st_mtime_ns for p in cache.iterdir()}
    assert len(times) == 2 * SESSIONS
    again = nsd.read(root).train.fmri[:]
    assert times == {p: p.stat().st_mtime_ns for p in cache.iterdir()}
    np.testing.assert_array_equal(first, again)
    path = root / BETAS / 'betas_session01.hdf5'
    os.utime(path, ns=(0, 0))  # A file that changed is extracted again.
    nsd.read(root)
    assert len([*cache.iterdir()]) == 2 * SESSIONS + 2


KILLED = """
import os, signal, sys
import numpy as np
from brainjax.recordings.formats import nsd
real, calls = np.lib.format.open_memmap, []

def killed(*arguments):
    calls.append(real(*arguments))
    if len(calls) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return calls[-1]

np.lib.format.open_memmap = killed
nsd.read(sys.argv[1])
"""


def test_a_killed_extraction_leaves_nothing_taken_for_whole(root, cache):
    ended = subprocess.run(
        [sys.executable, '-c', KILLED, root],
        cwd=REPOSITORY,
        capture_output=True,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    [whole] = [p for p in cache.iterdir() if not p.name.startswith('.')]
    assert len([*cache.iterdir()]) == 2  # And half of one.
    kept = whole.stat().st_mtime_ns
    recording = nsd.read(root, zscore=False)
    np.testing.assert_array_equal(
        recording.train.fmri[:], percent(expected(~in_shared()))
    )
    assert whole.stat().st_mtime_ns == kept  # The first session was done.
    assert not [p for p in cache.iterdir() if p.name.startswith('.')]


def test_sessions_may_be_missing_or_chosen(root):
    (root / BETAS / 'betas_session02.hdf5').unlink()
    recording = nsd.read(root, zscore=False)
    there = np.repeat([True, False, True], TRIALS)
    np.testing.assert_array_equal(
        recording.train.fmri[:],
        percent(expected(there & ~in_shared())),
    )
    assert set(recording.train.session) == {1, 3}
    assert recording.problems[0].startswith('Sessions 2 are not there')
    only = nsd.read(root, zscore=False, sessions=[3])
    np.testing.assert_array_equal(
        only.test.fmri[:],
        percent(
            expected(np.repeat([0, 0, 1], TRIALS).astype(bool) & in_shared())
        ),
    )
    with pytest.raises(InputError, match='has no session 2; there are 1, 3'):
        nsd.read(root, sessions=[1, 2])
    with pytest.raises(InputError, match='has no session'):
        nsd.read(root, sessions=[])


def test_shared_pictures_seen_too_rarely_can_be_left_out(root):
    places = order()
    rare = places[0] == 2  # The second shared picture.
    places[0, np.flatnonzero(rare)[2:]] = 8
    write_design(root, masterordering=places * 1.0)
    recording = nsd.read(root, test='shared3')
    names = {recording.stimuli.names[i] for i in recording.test.stimulus}
    assert names == {f'nsd-{i:05d}' for i in NUMBERS[[0, 2, 3]]}
    assert '3 of the 4 shared pictures are tested' in recording.problems[0]
    trained = {recording.stimuli.names[i] for i in recording.train.stimulus}
    assert f'nsd-{NUMBERS[1]:05d}' not in trained
    assert len(nsd.read(root).test) == len(recording.test) + 2
    with pytest.raises(
        InputError, match=r"no test set 'all'.* shared, shared3"
    ):
        nsd.read(root, test='all')


def write_responses(root, **changes):
    rows = [
        [1, 1 + t // TRIALS, 1 + t % TRIALS // 5, 1 + t % 5, shown()[t], 0.5]
        for t in range(SESSIONS * TRIALS)
    ]
    header = ['SUBJECT', 'SESSION', 'RUN', 'TRIAL', '73KID', 'RT']
    for name, value in changes.items():
        rows[30][header.index(name.removeprefix('_'))] = value
    path = root / 'nsddata/ppdata/subj01/behav/responses.tsv'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join('\t'.join(map(str, r)) for r in [header, *rows]))


def test_runs_come_from_the_responses(root):
    write_responses(root)
    recording = nsd.read(root)
    run = np.arange(SESSIONS * TRIALS) % TRIALS // 5 + 1
    run += 12 * (np.arange(SESSIONS * TRIALS) // TRIALS)
    np.testing.assert_array_equal(recording.train.run, run[~in_shared()])
    write_responses(root, _73KID=5)
    with pytest.raises(InputError, match='differ in the pictures of session 2'):
        nsd.read(root)
    write_responses(root, RUN='two')
    with pytest.raises(InputError, match='must be a table of tab-separated'):
        nsd.read(root)


def test_regions_have_their_published_names(root):
    rng = np.random.default_rng(9)
    visual, faces = (rng.integers(0, n, SHAPE) for n in (8, 4))
    visual[mask() == 1] = np.arange(np.sum(mask() == 1)) % 8
    kastner = np.where(visual == 1, 17, 0)
    kastner[0, 0, 0] = 18
    for name, labels in (
        ('prf-visualrois', visual),
        ('floc-faces', faces),
        ('Kastner2015', kastner),
        ('HCP', faces),
        ('lh.nsdgeneral', np.zeros(SHAPE)),
        ('lh.alone', mask() == 1),
    ):
        write_volume(root / ROIS / f'{name}.nii.gz', np.int16(labels))
    names = root / 'nsddata/freesurfer/subj01/label/HCP.mgz.ctab'
    names.parent.mkdir(parents=True)
    names.write_text('0 Unknown\n1 MT\n2 MST\n')
    recording = nsd.read(root)
    inside = mask() == 1
    for name, labels in {
        'V1v': visual == 1,
        'hV4': visual == 7,
        'V2': (visual == 3) | (visual == 4),
        'prf-visualrois': visual > 0,
        'FFA-1': faces == 2,
        'Kastner2015-V3A': kastner == 17,
        'HCP-MST': faces == 2,
        'HCP-3': faces == 3,
        'lh.alone': mask() == 1,
    }.items():
        np.testing.assert_array_equal(
            recording.rois[name], labels[inside], err_msg=name
        )
    assert 'lh.nsdgeneral' not in recording.rois
    chosen = nsd.read(root, roi='V1 | FFA-1', zscore=False)
    np.testing.assert_array_equal(
        chosen.train.fmri[:],
        percent(
            volumes().reshape(-1, *SHAPE)[~in_shared()][
                :, np.isin(visual, (1, 2)) | (faces == 2)
            ]
        ),
    )
    with pytest.raises(InputError, match=r"no ROI 'V1x'.*[Dd]id you mean"):
        nsd.read(root, roi='V1x')


def test_the_whole_brain_is_the_brain_mask(root):
    brain = np.random.default_rng(1).integers(0, 2, SHAPE).astype(np.int16)
    write_volume(root / ROIS / '../brainmask.nii.gz', brain)
    recording = nsd.read(root, roi=None)
    assert recording.voxels == brain.sum()


def test_ncsnr_gives_snr_and_the_ceiling_of_three_repeats(root):
    ncsnr = write_ncsnr(root)[mask() == 1]
    recording = nsd.read(root)
    np.testing.assert_allclose(recording.snr, ncsnr**2, rtol=1e-6)
    np.testing.assert_allclose(
        recording.noise_ceiling,
        np.sqrt(ncsnr**2 / (ncsnr**2 + 1 / 3)),
        rtol=1e-6,
    )


def test_invalid_voxels_are_left_out_and_told(root):
    places = np.argwhere(mask() == 1)
    betas = volumes()
    betas[1, :, *places[2]] = 0  # Outside of the scanned volume one day.
    write_session(root, 2, betas[1])
    ncsnr = np.ones(SHAPE)
    ncsnr[tuple(places[5])] = np.nan
    write_ncsnr(root, ncsnr)
    recording = nsd.read(root, zscore=False)
    keep = np.delete(np.arange(len(places)), [2, 5])
    np.testing.assert_array_equal(
        recording.train.fmri[:],
        percent(expected(~in_shared(), betas)[:, keep]),
    )
    assert len(recording.snr) == len(recording.rois['nsdgeneral']) == len(keep)
    assert len(recording.problems) == 1
    assert (
        '2 of the 20 voxels are left out (1 NaN, 1 constant)'
        in (recording.problems[0])
    )
    with pytest.raises(InputError, match=r'1 NaN, .*drop=nan,constant'):
        nsd.read(root, drop='constant')


def test_pictures_come_from_the_brick_and_stay_in_the_cache(root, cache):
    images = write_brick(root)
    recording = nsd.read(root)
    numbers = np.sort(NUMBERS)
    np.testing.assert_array_equal(recording.stimuli.images, images[numbers - 1])
    assert isinstance(recording.stimuli.images, np.memmap)
    small = nsd.read(root, size=4).stimuli.images
    np.testing.assert_array_equal(
        small, operations.resize(images[numbers - 1], 4)
    )
    assert len([*(cache.parent / 'pictures').glob('*.npy')]) == 2


def test_pictures_come_from_a_folder(root, tmp_path):
    folder = tmp_path / 'pictures'
    folder.mkdir()
    for i in NUMBERS:
        Image.new('RGB', (5, 5), (int(i), 0, 0)).save(
            folder / f'nsd-{i:05d}.png'
        )
    recording = nsd.read(root, pictures=folder)
    np.testing.assert_array_equal(
        recording.stimuli.images[:, 0, 0, 0], np.sort(NUMBERS)
    )
    (folder / 'nsd-00009.png').unlink()
    with pytest.raises(InputError, match='no picture for 1 of the 12'):
        nsd.read(root, pictures=folder)


def test_the_brick_is_a_source_of_unpaired_pictures(root, tmp_path):
    images = write_brick(root)
    path = root / 'nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5'
    found, names = loading.load(path, 6, limit=3)
    assert [images[int(n[4:]) - 1].tolist() for n in names] == found.tolist()
    with h5py.File(tmp_path / 'other.h5', 'w') as file:
        file['faces'] = images
        file['labels'] = np.zeros(25)
    assert loading.load(tmp_path / 'other.h5', 6)[1][24] == 'faces-00025'
    with h5py.File(tmp_path / 'other.h5', 'a') as file:
        file['more'] = images
    with pytest.raises(InputError, match=r'2 arrays of uint8 pictures.*faces'):
        loading.load(tmp_path / 'other.h5', 6)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match='not a complete HDF5 file'):
        loading.load(path, 6)


def test_the_design_may_be_in_matlab_7_3(root):
    before = nsd.read(root, zscore=False)
    path = root / 'nsddata/experiments/nsd/nsd_expdesign.mat'
    with h5py.File(path, 'w', userblock_size=512) as file:
        for name, values in design().items():
            file[name] = values.T
    after = nsd.read(root, zscore=False)
    assert after.stimuli.names == before.stimuli.names
    np.testing.assert_array_equal(after.test.stimulus, before.test.stimulus)


def test_a_folder_inside_names_the_subject(root):
    inside = root / 'nsddata_betas/ppdata/subj01'
    assert open_recording(inside).subject == 'subj01'
    assert open_recording(root, subject='1').subject == 'subj01'
    with pytest.raises(InputError, match='the path names 1'):
        open_recording(inside, subject=2)
    with pytest.raises(InputError, match=r'subject=.one'):
        open_recording(root, subject='one')
    with pytest.raises(InputError, match=r'subj03.*holds no betas_session01'):
        open_recording(root, subject=3)
    assert not nsd.looks_like(root.parent)
    with pytest.raises(InputError, match='no folder nsddata'):
        nsd.read(root.parent)


def cut(path, part=0.5):
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])


DAMAGE = [
    (
        lambda root: cut(root / BETAS / 'betas_session02.hdf5'),
        'betas_session02.hdf5 is not a complete HDF5 file',
    ),
    (
        lambda root: (root / BETAS / 'betas_session02.hdf5').write_bytes(b''),
        'betas_session02.hdf5 is not a complete HDF5 file',
    ),
    (
        lambda root: write_session(root, 2, volumes()[1][:, :, :4]),
        r'betas have shape .20, 3, 4, 4.; .*as the ROIs have',
    ),
    (
        lambda root: write_session(root, 2, volumes()[1].astype(np.float32)),
        'betas has dtype float32',
    ),
    (
        lambda root: write_session(root, 2, volumes()[1].astype(np.int32)),
        'of int32; one at least of int16',
    ),
    (
        lambda root: write_session(root, 2, volumes()[1][:7]),
        'holds 7 trials and .* 20; all sessions',
    ),
    (
        lambda root: write_session(root, 4, volumes()[1]),
        'the 60 trials of .* end before this session',
    ),
    (
        lambda root: cut(root / ROIS / 'nsdgeneral.nii.gz'),
        'nsdgeneral.nii.gz is not a complete NIfTI file',
    ),
    (
        lambda root: (root / ROIS / 'nsdgeneral.nii.gz').unlink(),
        "has no ROI 'nsdgeneral' nor any other",
    ),
    (
        lambda root: write_volume(
            root / ROIS / 'b.nii.gz', np.zeros((2, 2, 2), np.int16)
        ),
        'all ROIs must be in one space',
    ),
    (
        lambda root: write_volume(
            root / ROIS / 'nsdgeneral.nii.gz', np.zeros(SHAPE, np.int16)
        ),
        "ROI 'nsdgeneral' holds no voxel",
    ),
    (
        lambda root: write_ncsnr(root, np.zeros((2, 2, 2))),
        'ncsnr.nii.gz has shape',
    ),
    (
        lambda root: cut(root / 'nsddata/experiments/nsd/nsd_expdesign.mat'),
        'nsd_expdesign.mat is not a complete MATLAB v5 file',
    ),
    (
        lambda root: (
            root / 'nsddata/experiments/nsd/nsd_expdesign.mat'
        ).unlink(),
        'nsd_expdesign.mat does not exist',
    ),
    (
        lambda root: write_design(root, masterordering='abc'),
        "has no numbers 'masterordering'",
    ),
    (
        lambda root: write_design(root, masterordering=order() + 1.0),
        'masterordering must hold numbers from 1 to 12',
    ),
    (
        lambda root: write_design(root, subjectim=np.zeros((8, 12))),
        'subjectim must count pictures from 1',
    ),
    (
        lambda root: write_design(root, subjectim=np.zeros((0, 12))),
        'subject 1 is not among them',
    ),
    (
        lambda root: write_design(root, sharedix=np.zeros((1, 1))),
        'no trial of shared pictures',
    ),
    (
        lambda root: write_design(root, sharedix=NUMBERS[None] * 1.0),
        'fewer than two trials of pictures that are not shared',
    ),
]


@pytest.mark.parametrize(('damage', 'words'), DAMAGE)
def test_damage_is_one_sentence(root, damage, words):
    damage(root)
    with pytest.raises(InputError, match=words) as error:
        nsd.read(root)
    assert '\n' not in str(error.value)


def test_damaged_files_of_the_cache_are_found(root, cache):
    nsd.read(root)
    for path in cache.iterdir():
        cut(path, 0.9)
    with pytest.raises(InputError, match='is cut off; remove it'):
        nsd.read(root)


def test_written_and_read_again_it_is_the_same(root, tmp_path):
    write_responses(root)
    write_ncsnr(root)
    write_brick(root)
    first = nsd.read(root, zscore=False)
    nsd.write(first, tmp_path / 'again')
    again = nsd.read(tmp_path / 'again', zscore=False)
    assert [*conversion.differences(first, again)] == []
    np.testing.assert_array_equal(again.train.fmri[:], first.train.fmri[:])
    np.testing.assert_array_equal(again.test.run, first.test.run)
    nsd.write(again, tmp_path / 'third', subject=5)
    third = nsd.read(tmp_path / 'third', subject=5)
    np.testing.assert_array_equal(
        third.train.fmri[:], nsd.read(root).train.fmri[:]
    )


def test_any_recording_can_be_written(tmp_path):
    subject = tiny.subject()
    nsd.write(subject, tmp_path / 'tiny')
    again = nsd.read(tmp_path / 'tiny', zscore=False)
    assert again.simulated
    for part in ('train', 'test'):
        a, b = getattr(subject, part), getattr(again, part)
        np.testing.assert_allclose(b.fmri[:], a.fmri, atol=0.5 / 300 + 1e-6)
        np.testing.assert_array_equal(a.stimulus, b.stimulus)
    np.testing.assert_array_equal(again.stimuli.images, subject.stimuli.images)
    for name, values in subject.rois.items():
        np.testing.assert_array_equal(again.rois[name], values)
    np.testing.assert_allclose(again.snr, subject.snr, rtol=1e-6)
    assert summary(again)['format'] == 'nsd'
    with pytest.raises(InputError, match='subject=9'):
        nsd.write(subject, tmp_path / 'tiny', subject=9)


def test_the_self_supervised_method_trains_from_disk(tmp_path):
    nsd.write(tiny.subject(), tmp_path / 'tiny')
    lazy = open_recording(tmp_path / 'tiny', size=tiny.SIZE)
    eager = dataclasses.replace(
        lazy,
        train=dataclasses.replace(lazy.train, fmri=lazy.train.fmri[:]),
        test=dataclasses.replace(lazy.test, fmri=lazy.test.fmri[:]),
    )
    config = tiny_selfsup.config(**tiny_selfsup.ONE_LAYER)
    config.encoder.epochs = config.decoder.epochs = 1
    fitted = [
        selfsup.fit(
            prepare(r, tiny.pictures(64, seed=1)), config, tmp_path / name
        )
        for name, r in (('lazy', lazy), ('eager', eager))
    ]
    # Normalised responses differ in their last digit; steps spread it.
    for part, rtol in (('encoder', 1e-3), ('decoder', 1e-2)):
        a, b = (f.history[part][0] for f in fitted)
        np.testing.assert_allclose(a['loss'], b['loss'], rtol=rtol)
        np.testing.assert_allclose(
            a['validation_score'], b['validation_score'], rtol=rtol
        )

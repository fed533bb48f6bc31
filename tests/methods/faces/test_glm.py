"""From simulated BOLD of a face-viewing subject to its map and patterns.

The regressors of the simulation come from nilearn, each convolved as a whole
with its latent as modulation; ours mix convolved events.
"""

import jax
import nibabel
import numpy as np
import pytest
import tiny_faces
from PIL import Image

from brainjax.errors import InputError
from brainjax.linear import glm, latents
from brainjax.methods.data import prepare
from brainjax.methods.faces import data as faces_data
from brainjax.methods.faces import glm as face_glm
from brainjax.methods.faces import method, networks, time_series
from brainjax.methods.faces.findings import findings
from brainjax.methods.faces.latents import decode
from brainjax.networks.weights import vaegan as vaegan_weights
from brainjax.recordings import open_recording
from brainjax.recordings.formats.bids.responses import Timing
from brainjax.recordings.formats.faces import runs as face_runs
from brainjax.recordings.formats.faces.runs import Columns
from brainjax.recordings.on_disk import StoredFmri

nilearn = pytest.importorskip('nilearn.glm.first_level')

VOLUMES, SECONDS = 120, 2.0
LATENTS, TESTS, RUNS, SHAPE = 4, 3, 4, (5, 5, 4)
VOXELS = int(np.prod(SHAPE))


def plan(rng, run):
    """Rows of an events.tsv: new faces, test faces, repeats, imagery."""
    rows, onset = [], 6.0
    for i in range(68):
        test, null = i % 7 == 3, i % 5 == 4
        if null:
            rows.append((onset, 3.0, 'Fix ', 'fix.jpg', 0))
        elif test:
            name = f'faces/M{900 + rng.integers(TESTS)}.jpg'
            rows.append((onset, 3.0, 'test_face', name, 0))
        elif i % 16 == 6:
            rows.append((*(onset, 3.0), *rows[-1][2:4], 1))
        else:
            name = f'faces/{"FM"[i % 2]}{100 * run + i}.jpg'
            rows.append((onset, 3.0, 'train_face', name, 0))
        onset += 3.0
    return [*rows, (onset + 6, 12.0, 'Img', 'fix.jpg', 0)]


def simulated(regressors, rng, betas, noise):
    """[volumes, voxels] with drift and motion of its own."""
    at = (np.arange(VOLUMES) + 0.5) / VOLUMES
    drift = np.outer(np.cos(2 * np.pi * at), rng.normal(0, 20, VOXELS))
    motion = rng.normal(size=(VOLUMES, 6))
    moved = motion @ rng.normal(0, 5, (6, VOXELS))
    mean = rng.normal(900, 50, VOXELS)
    fmri = regressors @ betas + drift + moved + mean
    return fmri + noise * rng.normal(size=fmri.shape), motion


def regressor(rows, amplitudes, seconds, volumes=VOLUMES):
    at = (np.arange(volumes) + 0.5) * SECONDS
    condition = [
        [row[0] for row in rows],
        [seconds] * len(rows),
        amplitudes,
    ]
    return nilearn.compute_regressor(np.array(condition), 'spm', at)[0][:, 0]


def independent(rows, names, values):
    """The regressors of one run, in the order of `Columns`."""
    stem = [row[3].split('/')[-1].removesuffix('.jpg') for row in rows]
    kind = [row[2].strip() for row in rows]
    single = [
        i
        for i, row in enumerate(rows)
        if kind[i] == 'train_face' and not row[4]
    ]
    shown = [rows[i] for i in single]
    z = values[[names.index(stem[i]) for i in single]]
    columns = [regressor(shown, z[:, k], 1.0) for k in range(LATENTS)]
    columns.append(regressor(shown, np.ones(len(z)), 1.0))

    def of(chosen, seconds=1.0):
        chosen = [row for row, keep in zip(rows, chosen) if keep]
        return (
            regressor(chosen, np.ones(len(chosen)), seconds)
            if chosen
            else np.zeros(VOLUMES)
        )

    columns += [
        of(
            [
                kind[i] == 'test_face' and stem[i] == name and not rows[i][4]
                for i in range(len(rows))
            ]
        )
        for name in TEST_NAMES
    ]
    columns.append(of([row[4] == 1 for row in rows]))
    columns.append(of([k == 'Img' for k in kind], 12.0))
    return np.stack(columns, axis=1)


TEST_NAMES = tuple(f'M{900 + i}' for i in range(TESTS))


def write(root, noise, seed=0, seen=None):
    """Writes a BIDS data set; returns betas [regressors, voxels], latents.

    `seen` [tests, latents] are those of the test faces, which follow the map.
    """
    rng = np.random.default_rng(seed)
    tables = [plan(rng, run) for run in range(RUNS)]
    names = [
        row[3].split('/')[-1].removesuffix('.jpg')
        for rows in tables
        for row in rows
        if row[2] == 'train_face' and not row[4]
    ]
    values = rng.normal(0, 1, (len(names), LATENTS))
    betas = rng.normal(0, 8, (Columns(LATENTS, TESTS).count, VOXELS))
    if seen is not None:
        mapped = np.c_[seen, np.ones(TESTS)] @ betas[: LATENTS + 1]
        betas[LATENTS + 1 : LATENTS + 1 + TESTS] = mapped
    folder = root / 'sub-01' / 'func'
    folder.mkdir(parents=True)
    (root / 'masks' / 'sub-01').mkdir(parents=True)
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    mask = nibabel.Nifti1Image(np.ones(SHAPE, np.uint8), affine)
    nibabel.save(mask, root / 'masks' / 'sub-01' / 'brain.nii.gz')
    for run, rows in enumerate(tables):
        x = independent(rows, names, values)
        fmri, motion = simulated(x, rng, betas, noise)
        image = nibabel.Nifti1Image(
            np.float32(fmri.T.reshape(*SHAPE, VOLUMES)), affine
        )
        image.header.set_zooms((3.0, 3.0, 3.0, SECONDS))
        image.header.set_xyzt_units('mm', 'sec')
        stem = f'sub-01_task-faces_run-{run + 1}'
        nibabel.save(image, folder / f'{stem}_bold.nii.gz')
        lines = ['onset\tduration\ttrial_type\tstim_file\toneback']
        lines += ['\t'.join(map(str, row)) for row in rows]
        (folder / f'{stem}_events.tsv').write_text('\n'.join(lines))
        lines = ['\t'.join(face_runs.MOTION)]
        lines += ['\t'.join(map(str, row)) for row in motion]
        (folder / f'{stem}_desc-confounds_timeseries.tsv').write_text(
            '\n'.join(lines)
        )
    return betas, values, names


def found_in(root, values, names, **options):
    subject = face_runs.find(root)
    assert list(subject.train) == names
    order = [subject.test.index(name) for name in TEST_NAMES]
    columns = Columns(LATENTS, len(subject.test))
    runs = face_runs.read(subject, values, confounds=face_runs.MOTION)
    return face_glm.fit(runs, columns), order


def test_known_betas_come_back_from_files(tmp_path):
    betas, values, names = write(tmp_path, noise=0.0)
    found, order = found_in(tmp_path, values, names)
    np.testing.assert_allclose(found.weights, betas[: LATENTS + 1], atol=1e-2)
    tests = betas[LATENTS + 1 : LATENTS + 1 + TESTS]
    np.testing.assert_allclose(found.tests[order], tests, atol=1e-2)
    np.testing.assert_allclose(found.imagery, betas[-1], atol=1e-2)
    assert (found.gain > 0.9).all()


def test_single_trials_stand_for_time_series(tmp_path):
    """How near single trials come."""
    betas, values, names = write(tmp_path, noise=20.0)
    found, _ = found_in(tmp_path, values, names)
    truth = betas[:LATENTS]

    def error(weights):
        """1 - r, in which the unit of z-scored runs has no part."""
        return 1 - np.corrcoef(weights[:LATENTS].ravel(), truth.ravel())[0, 1]

    errors = {}
    for response in ('glm-separate', 'window'):
        options = {'response': response, 'confounds': face_runs.MOTION}
        recording = open_recording(tmp_path, **options)
        order = [
            names.index(recording.stimuli.names[i].removesuffix('.jpg'))
            for i in recording.train.stimulus
        ]
        weights = latents.fit(values[order], recording.train.fmri)
        errors[response] = error(weights)
    assert errors['glm-separate'] < 1.3 * error(found.weights)
    assert errors['glm-separate'] < 0.8 * errors['window']


def test_noise_is_what_theory_says(tmp_path):
    betas, values, names = write(tmp_path, noise=4.0, seed=1)
    found, order = found_in(tmp_path, values, names)
    np.testing.assert_allclose(found.variance.mean(), 16, rtol=0.03)
    tests = betas[LATENTS + 1 : LATENTS + 1 + TESTS]
    z = (found.tests[order] - tests) / np.sqrt(
        found.variance * found.noise[order][:, None]
    )
    # 300 values, those of one voxel correlated a little.
    assert abs(z.mean()) < 0.25 and abs(z.std() - 1) < 0.2


def test_faces_are_decoded_from_their_patterns():
    """What the GLM finds is what the linear map takes."""
    rng = np.random.default_rng(2)
    columns = Columns(LATENTS, TESTS)
    weights = rng.normal(size=(LATENTS + 1, 300))
    seen = rng.normal(size=(TESTS, LATENTS))
    betas = np.concatenate(
        [
            weights,
            latents.predict(np.float32(weights), seen),
            rng.normal(size=(2, 300)),
        ]
    )
    runs = []
    for _ in range(5):
        x = rng.normal(size=(80, columns.count))
        y = x @ betas + 0.1 * rng.normal(size=(80, 300))
        runs.append(glm.Run(x, np.ones((80, 1)), y))
    found = face_glm.fit(runs, columns)
    decoded = latents.invert(found.weights, found.tests)
    np.testing.assert_allclose(decoded, seen, atol=0.02)


def test_test_faces_and_imagery_do_not_choose_voxels():
    rng = np.random.default_rng(3)
    columns = Columns(LATENTS, TESTS)
    runs = []
    for _ in range(4):
        x = rng.normal(1, 1, (80, columns.count))
        y = x @ rng.normal(size=(columns.count, 30)) + rng.normal(size=(80, 30))
        runs.append(glm.Run(x, np.ones((80, 1)), y))
    apart = slice(columns.test.start, None)
    # The same responses to training faces, others to everything else.
    added = rng.normal(0, 9, (TESTS + 2, 30))
    changed = [
        run._replace(fmri=run.fmri + run.regressors[:, apart] @ added)
        for run in runs
    ]
    one, other = face_glm.fit(runs, columns), face_glm.fit(changed, columns)
    for name in ('t', 'gain', 'weights', 'variance'):
        np.testing.assert_allclose(
            getattr(one, name), getattr(other, name), rtol=1e-3, atol=1e-4
        )
    assert np.abs(other.tests - one.tests).max() > 5


def test_each_event_goes_to_its_regressor():
    event = face_runs.Event
    events = [
        event(-30.0, 3.0, 'F1', 'F', 'train'),
        event(6.0, 3.0, 'F2', 'F', 'train'),
        event(9.0, 3.0, '', '', 'test'),
        event(30.0, 12.0, '', '', ''),
        event(59.9, 3.0, 'M9', 'M', 'test'),  # Too late to be seen.
        event(100.0, 3.0, 'M9', 'M', 'test'),
    ]
    z = np.array([[1.0, 2.0], [3.0, 4.0]])
    x = face_runs.design(events, ['F1', 'F2'], ['M9'], z, Timing(30, SECONDS))
    face, repeat, imagery = (
        regressor([(onset,)], [1.0], seconds, 30)
        for onset, seconds in ((6.0, 1.0), (9.0, 1.0), (30.0, 12.0))
    )
    late = np.zeros(30)
    expected = [3 * face, 4 * face, face, late, repeat, imagery]
    np.testing.assert_allclose(x, np.stack(expected, axis=1), atol=1e-12)


def test_bad_input_is_one_sentence(tmp_path):
    _, values, names = write(tmp_path, noise=0.0)
    subject = face_runs.find(tmp_path)
    with pytest.raises(InputError, match=rf'each of the {len(names)} training'):
        next(face_runs.read(subject, values[1:]))
    with pytest.raises(InputError, match=r"no column 'csf'"):
        next(face_runs.read(subject, values, confounds=['csf']))
    events = next(tmp_path.glob('sub-01/func/*_run-1_events.tsv'))
    text = events.read_text()
    events.write_text(text.replace('faces/M900', f'faces/{names[0]}'))
    with pytest.raises(InputError, match='is a training and a test face'):
        face_runs.find(tmp_path)
    for path in tmp_path.glob('sub-01/func/*_events.tsv'):
        path.write_text(text.replace('train_face', 'Fix'))
    with pytest.raises(InputError, match='no event has the trial_type train'):
        face_runs.find(tmp_path)


def test_a_run_fits_the_time_series(tmp_path, monkeypatch):
    """Planted latents of test faces come back, nearer than by single trials.

    Pictures are sums of a few patterns, so that principal components are a
    rotation of what was planted.
    """
    seen = np.random.default_rng(7).normal(0, 1, (TESTS, LATENTS))
    _, values, names = write(tmp_path, noise=2.0, seen=seen)
    shapes = np.random.default_rng(8).normal(
        0, 12, (LATENTS, tiny_faces.SIZE, tiny_faces.SIZE, 3)
    )
    folder = tmp_path / 'stimuli' / 'faces'
    folder.mkdir(parents=True)
    for name, z in [*zip(names, values), *zip(TEST_NAMES, seen)]:
        picture = 128 + np.tensordot(z, shapes, 1)
        with open(folder / f'{name}.jpg', 'wb') as stream:
            Image.fromarray(np.uint8(picture.clip(0, 255))).save(stream, 'png')
    config = tiny_faces.get_config()
    config.references = config.ceilings = False
    config.pictures.crop = 1.0
    config.networks.latents = LATENTS
    config.recording.path = str(tmp_path)
    config.recording.images = str(tmp_path / 'stimuli')
    config.recording.options = 'preset=ds001761;response=glm'
    config.networks.weights = str(tmp_path / 'untrained.safetensors')
    vaegan_weights.save(
        config.networks.weights, networks.initialise(config, jax.random.key(0))
    )
    # As the single trials of a whole brain, which go to disk.
    monkeypatch.setattr(time_series, 'LARGE', 0)
    monkeypatch.setenv('BRAINJAX_CACHE', str(tmp_path / 'cache'))
    errors = {}
    for response in ('time-series', 'trials'):
        config.map.response = response
        data = prepare(*faces_data.load(config))
        fitted = method.fit(data, config, tmp_path / response)
        x = decode(fitted.pca, data.test.fmri, config, fitted.repeats)
        target = fitted.pca.encode(
            data.recording.stimuli.images[data.test.stimulus]
        )
        # The unit of single trials is that of z-scored runs.
        errors[response] = 1 - np.corrcoef(x.ravel(), target.ravel())[0, 1]
        if response == 'time-series':
            assert isinstance(data.normalised.train.fmri, StoredFmri)
            # That of the weights and patterns is the same.
            np.testing.assert_allclose(x, target, atol=0.2 * target.std())
            assert len(data.test) == len(data.recording.test) == TESTS
            found = findings(fitted, data, config)
            assert found.scores['pairwise_pca']['value'] == 1
    assert errors['time-series'] < 0.02
    assert errors['time-series'] < errors['trials']


def test_t_and_gain_choose_voxels_of_time_series():
    config = tiny_faces.get_config()
    config.map.voxels, config.map.least_t = 0.5, 3.0
    gain = np.linspace(0, 1, 10)
    t = np.array([9.0] * 7 + [2.0, 9.0, 9.0])
    found = face_glm.Patterns(*[np.zeros((2, 10))] * 5, t=t, gain=gain)
    np.testing.assert_array_equal(
        time_series.choose(found, config), [5, 6, 8, 9]
    )
    config.map.least_t, config.map.voxels = 0.0, 1.0
    assert len(time_series.choose(found, config)) == 10
    config.references = config.ceilings = False
    with pytest.raises(InputError, match='needs the runs of a BIDS'):
        time_series.check(config, None)

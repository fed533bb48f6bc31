import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.recordings.recording import Stimuli
from brainjax.recordings.reliability import (
    noise_ceiling_from_repeats,
    split_half,
)
from brainjax.recordings.transforms import average_repeats
from brainjax.simulation.scenes import scenes
from brainjax.simulation.subject import (
    simulate,
    simulated_subject,
    unpaired_scenes,
)
from brainjax.simulation.voxels import responses, voxel_parameters

FEW = {'V1': 40, 'V2': 30, 'HVC': 30}


def small(**options):
    settings = {'n_train': 20, 'n_test': 6, 'test_repeats': 3, 'voxels': FEW}
    return simulated_subject(seed=4, **(settings | options))


@pytest.fixture(scope='module')
def repeated():
    """Many pictures, few voxels; and their noiseless responses."""
    recording = small(
        n_train=150, n_test=250, train_repeats=4, test_repeats=4,
        noise_ceiling={'V1': 0.8, 'V2': 0.6, 'HVC': 0.4},
    )  # fmt: skip
    signal = responses(
        recording.stimuli.images, voxel_parameters(seed=4, voxels=FEW)
    )
    return recording, signal


def test_what_it_holds():
    recording = small(n_unpaired_fmri=7, train_repeats=2, trials_per_run=15)
    assert recording.simulated and recording.subject == 'simulated-4'
    assert recording.train.fmri.shape == (40, 100)
    assert recording.test.fmri.shape == (18, 100)
    assert recording.unpaired_fmri.shape == (7, 100)
    assert recording.stimuli.images.shape == (26, 64, 64, 3)
    for fmri in (
        recording.train.fmri,
        recording.test.fmri,
        recording.unpaired_fmri,
        recording.snr,
        recording.noise_ceiling,
    ):
        assert fmri.dtype == np.float32
    sizes = {name: int(mask.sum()) for name, mask in recording.rois.items()}
    assert sizes == {**FEW, 'LVC': 70, 'VC': 100}
    assert (np.bincount(recording.train.stimulus) == 2).all()
    assert (np.bincount(recording.test.stimulus)[20:] == 3).all()
    assert np.unique(recording.train.run).tolist() == [1, 2, 3]
    assert np.unique(recording.test.run).tolist() == [4, 5]
    names = zip(recording.stimuli.names, recording.stimuli.categories)
    assert all(name.endswith(f'-{category}') for name, category in names)


def test_the_same_seed_simulates_the_same():
    first, again = small(n_unpaired_fmri=3), small(n_unpaired_fmri=3)
    for a, b in (
        (first.train.fmri, again.train.fmri),
        (first.test.fmri, again.test.fmri),
        (first.unpaired_fmri, again.unpaired_fmri),
        (first.train.stimulus, again.train.stimulus),
        (first.stimuli.images, again.stimuli.images),
    ):
        np.testing.assert_array_equal(a, b)
    other = simulated_subject(
        seed=5, n_train=20, n_test=6, test_repeats=3, voxels=FEW
    )
    assert (other.stimuli.images != first.stimuli.images).any()
    assert (other.noise_ceiling != first.noise_ceiling).any()


def test_the_training_trials_do_not_depend_on_the_others():
    first, other = small(), small(n_test=4, n_unpaired_fmri=5)
    np.testing.assert_array_equal(first.train.fmri, other.train.fmri)
    np.testing.assert_array_equal(first.train.stimulus, other.train.stimulus)


def test_no_picture_is_in_two_parts():
    recording = small(n_unpaired_fmri=20, noise_ceiling=0.985)
    parts = [recording.stimuli.images, unpaired_scenes(20, seed=4)[0]]
    pixels = np.concatenate(parts).reshape(46, -1)
    assert len(np.unique(pixels, axis=0)) == 46
    paired = np.concatenate([recording.train.fmri, recording.test.fmri])
    among = np.corrcoef(paired, recording.unpaired_fmri)[: len(paired), 38:]
    repeats = np.corrcoef(recording.test.fmri[recording.test.stimulus == 20])
    assert among.max() < 0.8 < repeats.min()


def test_every_noise_ceiling_is_what_a_perfect_model_reaches(repeated):
    recording, signal = repeated
    averaged = average_repeats(recording.test)
    reached = [
        np.corrcoef(a, b)[0, 1]
        for a, b in zip(averaged.fmri.T, signal[averaged.stimulus].T)
    ]
    difference = reached - recording.noise_ceiling
    assert abs(difference.mean()) < 0.02
    assert np.abs(difference).max() < 0.2
    for name, stated in (('V1', 0.8), ('V2', 0.6), ('HVC', 0.4)):
        mine = recording.noise_ceiling[recording.rois[name]]
        assert abs(np.median(mine) - stated) < 0.1
        assert mine.std() > 0.05


def test_noise_ceilings_measured_from_repeats_agree(repeated):
    recording, _ = repeated
    measured = noise_ceiling_from_repeats(recording.test, 4)
    assert abs((measured - recording.noise_ceiling).mean()) < 0.03
    assert np.corrcoef(measured, recording.noise_ceiling)[0, 1] > 0.9
    halves = np.sqrt(np.maximum(split_half(recording.test), 0))
    assert abs((halves - recording.noise_ceiling).mean()) < 0.04
    assert np.corrcoef(halves, recording.noise_ceiling)[0, 1] > 0.85


def test_snr_is_signal_over_noise_of_one_trial(repeated):
    recording, signal = repeated
    noise = recording.train.fmri - signal[recording.train.stimulus]
    measured = signal.var(axis=0) / noise.var(axis=0)
    ratio = measured / recording.snr
    assert abs(ratio.mean() - 1) < 0.05
    assert np.abs(ratio - 1).max() < 0.6
    np.testing.assert_allclose(
        recording.noise_ceiling,
        np.sqrt(1 / (1 + 1 / (4 * recording.snr))),
        rtol=1e-4,
    )


def test_noise_is_shared_between_voxels_but_not_between_trials(repeated):
    recording, signal = repeated
    noise = recording.train.fmri - signal[recording.train.stimulus]
    noise = noise / noise.std(axis=0)
    values = np.linalg.eigvalsh(noise.T @ noise / len(noise))[::-1]
    # Six sources with a quarter of the variance, and the own noise in them.
    assert 0.25 < values[:6].sum() / values.sum() < 0.35
    assert values[5] > 1.5 * values[6]
    between = (noise[1:] * noise[:-1]).mean(axis=0)
    assert abs(between.mean()) < 0.02
    order = np.argsort(recording.train.stimulus, kind='stable')
    repeats = noise[order].reshape(-1, 4, 100)
    assert abs((repeats[:, 0] * repeats[:, 1]).mean()) < 0.02


def test_averaging_quietens_the_unpaired_fmri():
    once, averaged = (
        small(n_unpaired_fmri=80, unpaired_repeats=n).unpaired_fmri.var(axis=0)
        for n in (1, 8)
    )
    noise = 1 / small().snr
    np.testing.assert_allclose((once - averaged).mean(), noise.mean() * 7 / 8,
                               rtol=0.1)  # fmt: skip


def test_own_pictures_can_be_shown():
    images, names, _ = scenes(9, 40, 1)
    voxels = voxel_parameters(seed=1, voxels={'V4': 12})
    recording = simulate(
        Stimuli(images[:6], names[:6]),
        Stimuli(images[6:], names[6:]),
        voxels=voxels,
        seed=1,
        noise_ceiling=0.99,
    )
    assert recording.stimuli.categories is None
    assert [*recording.rois] == ['V4', 'VC']
    averaged = average_repeats(recording.test).fmri
    error = averaged - responses(images[6:], voxels)
    assert np.sqrt((error**2).mean()) < 0.3


def test_a_linear_decoder_finds_the_pictures():
    voxels = dict.fromkeys(('V1', 'V2', 'V3', 'V4', 'HVC'), 240)
    recording = simulated_subject(
        seed=1, n_train=300, n_test=50, test_repeats=10, voxels=voxels
    )
    test = average_repeats(recording.test)
    pixels = recording.stimuli.images.reshape(-1, 16, 4, 16, 4, 3)
    pixels = pixels.mean((2, 4)).reshape(350, -1) / 255
    mean = recording.train.fmri.mean(0)
    train = (recording.train.fmri - mean).astype(float)
    shown = pixels[recording.train.stimulus]
    dual = np.linalg.solve(
        train @ train.T + 0.1 * np.trace(train @ train.T) / 300 * np.eye(300),
        shown - shown.mean(0),
    )
    decoded = (test.fmri - mean) @ train.T @ dual + shown.mean(0)
    similar = np.corrcoef(decoded, pixels[test.stimulus])[:50, 50:]
    right = (similar < np.diag(similar)[:, None]).sum() / (50 * 49)
    assert right > 0.85


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'test_repeats': 0}, 'test_repeats is 0'),
        ({'n_train': 0}, 'training pictures is 0'),
        ({'shared_noise': 1.5}, 'shared_noise is 1.5'),
        ({'noise_ceiling': 1}, 'noise ceiling of HVC is 1'),
        ({'noise_ceiling': {'V1': 0.5}}, 'noise ceiling of HVC is None'),
    ],
)
def test_wrong_settings_are_named(options, message):
    with pytest.raises(InputError, match=message):
        small(**options)


def test_silhouettes_are_white_objects_on_black_and_shown_where_asked():
    recording = small(pictures='silhouettes', n_train=20, size=24)
    images = recording.stimuli.images
    assert images.shape[1:] == (24, 24, 3)
    np.testing.assert_array_equal(images[..., 0], images[..., 2])
    light = images[..., 0] / 255
    assert (light[:, 0, 0] == 0).all()  # No object reaches the corner.
    assert (light.max(axis=(1, 2)) > 0.9).all()
    assert 0.05 < light.mean() < 0.4
    assert recording.stimuli.names[0].startswith('silhouette-')
    free = unpaired_scenes(20, seed=4, size=24, pictures='silhouettes')[0]
    assert not (free[:, None] == images[None]).all(axis=(2, 3, 4)).any()

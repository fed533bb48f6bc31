import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.recordings import Stimuli, average_repeats, normalise, take_voxels
from brainjax.simulation import face_subject as simulated
from brainjax.simulation.face_scenes import faces

VOXELS = {'V1': 12, 'FFA': 18}


@pytest.fixture(scope='module')
def stimuli():
    images, names, kinds = faces(72, 32, 0)
    return [
        Stimuli(images[part], names[part], kinds[part])
        for part in (slice(64), slice(64, 72))
    ]


def subject(stimuli, **options):
    return simulated.simulate_faces(
        *stimuli, **{'seed': 1, 'voxels': VOXELS} | options
    )


def test_a_subject_is_whole_and_follows_from_its_seed(stimuli):
    recording = subject(stimuli, imagined=2, imagery_repeats=3)
    assert recording.simulated and recording.voxels == 30
    assert len(recording.train) == 64 and len(recording.test) == 8 * 54
    assert recording.rois['V1'].sum() == 12
    assert recording.rois['FFA'].sum() == 18
    assert sorted(set(recording.imagery.stimulus)) == [64, 65]
    assert len(recording.imagery) == 6
    again = subject(stimuli, imagined=2, imagery_repeats=3)
    np.testing.assert_array_equal(recording.test.fmri, again.test.fmri)
    other = subject(stimuli, seed=2)
    assert not np.allclose(recording.test.fmri, other.test.fmri)


def test_noise_is_as_stated(stimuli):
    recording = subject(stimuli, noise_ceiling=0.7, test_repeats=400)
    voxels = simulated.face_voxels(stimuli[0].images, seed=1, voxels=VOXELS)
    truth = simulated.face_responses(stimuli[1].images, voxels)
    fmri = recording.test.fmri.reshape(400, 8, -1)
    order = recording.test.stimulus.reshape(400, 8) - 64
    sorted_ = np.take_along_axis(fmri, order.argsort(1)[..., None], axis=1)
    # Variance of one trial around the face's mean: S / N with S = 1.
    noise = sorted_.var(axis=0, ddof=1).mean(axis=0)
    np.testing.assert_allclose(noise, 1 / recording.snr, rtol=0.1)
    expected = np.sqrt(1 / (1 + noise / 400))
    np.testing.assert_allclose(expected, recording.noise_ceiling, rtol=0.03)
    assert 0.6 < np.median(recording.noise_ceiling) < 0.8
    average = average_repeats(recording.test).fmri
    # All voxels' baselines are above the responses' spread over faces.
    r = [np.corrcoef(a, b)[0, 1] for a, b in zip(average.T, truth.T)]
    assert np.median(r) > 0.4


def test_responses_over_faces_have_mean_0_and_variance_1(stimuli):
    images = stimuli[0].images
    voxels = simulated.face_voxels(images, seed=3, voxels=VOXELS)
    found = simulated.face_responses(images, voxels)
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(found.std(0), 1, rtol=1e-4)


def test_fusiform_voxels_answer_to_how_parts_go_together(stimuli):
    voxels = simulated.face_voxels(
        stimuli[0].images, seed=0, voxels={'FFA': 10}
    )
    face = np.float32(stimuli[1].images[:1])
    upper, lower = face.copy(), face.copy()
    upper[:, 16:], lower[:, :16] = 127.5, 127.5
    grey = np.full_like(face, 127.5)
    whole, top, bottom, none = (
        simulated.face_responses(x, voxels) for x in (face, upper, lower, grey)
    )
    # Of a linear model the halves would add up.
    assert np.abs(whole + none - top - bottom).max() > 0.1


def test_imagery_is_weaker_than_sight(stimuli):
    recording = subject(
        stimuli, noise_ceiling=0.99, imagined=8, imagery_gain=0.3
    )
    seen, imagined = (
        average_repeats(part).fmri
        for part in (recording.test, recording.imagery)
    )
    slopes = [np.polyfit(a, b, 1)[0] for a, b in zip(seen.T, imagined.T)]
    assert np.median(slopes) == pytest.approx(0.3, abs=0.03)
    assert subject(stimuli, imagined=0).imagery is None


def test_imagery_follows_the_trials(stimuli):
    recording = subject(stimuli, imagined=2)
    mean, deviation = (
        f(recording.train.fmri, axis=0) for f in (np.mean, np.std)
    )
    scaled = normalise(recording).imagery.fmri
    np.testing.assert_allclose(
        scaled,
        (recording.imagery.fmri - mean) / deviation,
        rtol=1e-3,
        atol=1e-4,
    )
    few = take_voxels(recording, np.array([3, 1]))
    np.testing.assert_array_equal(
        few.imagery.fmri, recording.imagery.fmri[:, [3, 1]]
    )


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'imagined': 9}, 'imagined is 9'),
        ({'imagery_gain': 2.0}, 'imagery_gain 2.0'),
        ({'voxels': {'FFA': 0}}, 'one voxel or more'),
        ({'voxels': {'FFB': 3}}, "no area of a simulated subject 'FFB'"),
        ({'noise_ceiling': 1.0}, 'noise ceiling of'),
        ({'test_repeats': 0}, 'test_repeats is 0'),
    ],
)
def test_numbers_that_cannot_be(stimuli, options, message):
    with pytest.raises(InputError, match=message):
        subject(stimuli, **options)

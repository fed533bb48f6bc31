import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.simulation.scenes import scenes
from brainjax.simulation.visual_features import FAMILIES, features
from brainjax.simulation.voxels import (
    AREAS,
    VOXELS,
    receptive_fields,
    responses,
    voxel_parameters,
)


@pytest.fixture(scope='module')
def voxels():
    return voxel_parameters(seed=2)


@pytest.fixture(scope='module')
def images():
    return scenes(100, 64, 77)[0]


def test_drawn_from_the_seed_alone(voxels):
    again, other = voxel_parameters(seed=2), voxel_parameters(seed=3)
    for name in ('area', 'centre', 'size', 'weights', 'offset'):
        first = getattr(voxels, name)
        np.testing.assert_array_equal(first, getattr(again, name))
        if name != 'area':
            assert (first != getattr(other, name)).any()
    counts = dict(zip(*np.unique(voxels.area, return_counts=True)))
    assert counts == VOXELS


def test_fields_grow_with_eccentricity_and_along_the_hierarchy(voxels):
    eccentricity = np.linalg.norm(voxels.centre - 0.5, axis=1)
    for name, area in AREAS.items():
        mine = voxels.area == name
        slope, base = np.polyfit(eccentricity[mine], voxels.size[mine], 1)
        assert abs(slope / area.slope - 1) < 0.3, name
        assert abs(base / area.size - 1) < 0.3, name
    mean = [voxels.size[voxels.area == name].mean() for name in AREAS]
    assert (np.diff(mean) > 0.2 * np.array(mean[:-1])).all()


def test_centres_crowd_around_fixation(voxels):
    assert (voxels.centre > 0).all() and (voxels.centre < 1).all()
    eccentricity = np.linalg.norm(voxels.centre - 0.5, axis=1)
    inner = (eccentricity < 0.1).sum() / 0.1**2
    middle = ((eccentricity > 0.1) & (eccentricity < 0.3)).sum() / 0.08
    outer = ((eccentricity > 0.3) & (eccentricity < 0.5)).sum() / 0.16
    assert inner > 2 * middle > 4 * outer
    assert np.abs(voxels.centre.mean(0) - 0.5).max() < 0.03


def test_field_moments():
    centre = np.array([[0.5, 0.5], [0.4, 0.55]], np.float32)
    size = np.array([0.05, 0.08], np.float32)
    fields = receptive_fields(centre, size, 64)
    place = (np.arange(64) + 0.5) / 64
    np.testing.assert_allclose(fields.sum((1, 2)), 1, rtol=1e-5)
    for field, (x, y), deviation in zip(fields, centre, size):
        columns, rows = field.sum(0), field.sum(1)
        assert abs(columns @ place - x) < 1e-3
        assert abs(rows @ place - y) < 1e-3
        spread = np.sqrt(columns @ (place - x) ** 2)
        assert abs(spread / deviation - 1) < 0.01


def test_responses_against_the_formula(voxels, images):
    maps = features(images[:6]).astype(float)
    gains = np.repeat(
        [AREAS[name].gains for name in AREAS], [*FAMILIES.values()], axis=1
    )
    place = (np.arange(32) + 0.5) / 32
    fmri = responses(images[:6], voxels)
    for i in range(0, len(voxels.area), 97):
        name = voxels.area[i]
        (x, y), size = voxels.centre[i].astype(float), float(voxels.size[i])
        field = np.exp(
            -((place - x) ** 2 + (place[:, None] - y) ** 2) / (2 * size**2)
        )
        pooled = (maps * field / field.sum()).sum((2, 3))
        pooled = np.sign(pooled) * np.abs(pooled) ** AREAS[name].exponent
        expected = pooled @ voxels.weights[i].astype(float) + voxels.offset[i]
        np.testing.assert_allclose(fmri[:, i], expected, atol=2e-3)
        unused = gains[[*AREAS].index(name)] == 0
        assert (voxels.weights[i, unused] == 0).all()


def test_responses_to_new_scenes_are_standardised(voxels, images):
    fmri = responses(images, voxels)
    assert fmri.dtype == np.float32
    assert np.abs(fmri.mean(0)).mean() < 0.15
    assert 0.9 < fmri.std(0).mean() < 1.1
    assert fmri.std(0).min() > 0.6 and fmri.std(0).max() < 1.5


def test_a_voxel_sees_its_field_only(voxels, images):
    left = (voxels.area == 'V1') & (voxels.centre[:, 0] < 0.25)
    assert left.sum() > 10
    changed = [images.copy(), images.copy()]
    changed[0][:, :, 48:] = images[::-1, :, 48:]
    changed[1][:, :, :24] = images[::-1, :, :24]
    fmri = responses(images, voxels)[:, left]
    far, near = (
        np.abs(responses(other, voxels)[:, left] - fmri).mean()
        for other in changed
    )
    assert far < 0.05 * near


def test_tuning_is_sparse_and_of_both_signs(voxels):
    energy = voxels.weights[voxels.area == 'V1', 3:15]
    assert 0.3 < (energy != 0).mean() < 0.5
    assert 0.4 < (energy[energy != 0] > 0).mean() < 0.6


def test_wrong_areas_are_named():
    with pytest.raises(InputError, match=r"'V11'.*'V1'"):
        voxel_parameters(seed=0, voxels={'V11': 3})
    with pytest.raises(InputError, match='one voxel or more'):
        voxel_parameters(seed=0, voxels={'V1': 3, 'V2': 0})
    with pytest.raises(InputError, match='one voxel or more'):
        voxel_parameters(seed=0, voxels={})

"""Where voxels lie: checked, carried along, read and written."""

import dataclasses

import nibabel
import numpy as np
import pytest
from recording_files import small_recording
from recording_parts import parts

from brainjax.errors import InputError
from brainjax.recordings import (
    Recording,
    Volume,
    conversion,
    description,
    open_recording,
    select_roi,
    take_voxels,
)
from brainjax.recordings.formats import bids
from brainjax.recordings.volume import (
    coordinates,
    fill,
    of_coordinates,
    voxel_size,
)

# Turned, mirrored and of unequal sides, in binary fractions.
OBLIQUE = np.array(
    [
        [-1.5, 0.5, 0.0, 40.0],
        [0.5, 2.0, -0.5, -90.5],
        [0.25, 0.5, 3.0, -12.0],
        [0.0, 0.0, 0.0, 1.0],
    ]
)
INDICES = np.int32([[2, 3, 0], [0, 1, 4], [1, 0, 2], [2, 0, 0], [0, 0, 1]])


def volume(**changes):
    return dataclasses.replace(Volume(INDICES, (3, 4, 5), OBLIQUE), **changes)


def placed(recording, seed=0):
    """Gives each voxel a place, in no order, of a volume much larger."""
    shape = (7, 8, 9)
    rng = np.random.default_rng(seed)
    flat = rng.choice(np.prod(shape), recording.voxels, replace=False)
    indices = np.stack(np.unravel_index(flat, shape), axis=1).astype(np.int32)
    return dataclasses.replace(
        recording, volume=Volume(indices, shape, OBLIQUE)
    )


def test_places_go_along_with_voxels():
    whole = Recording(**parts(), volume=volume())
    some = take_voxels(whole, np.array([3, 0]))
    np.testing.assert_array_equal(some.volume.indices, INDICES[[3, 0]])
    v1 = select_roi(whole, 'V1')
    np.testing.assert_array_equal(v1.volume.indices, INDICES[:2])
    np.testing.assert_allclose(
        coordinates(v1.volume),
        nibabel.affines.apply_affine(OBLIQUE, INDICES[:2]),
    )
    filled = fill(whole.volume, np.float32([1, 2, 3, 4, 5]), np.nan)
    assert filled[2, 3, 0] == 1 and filled[0, 0, 1] == 5
    assert np.isnan(filled).sum() == 3 * 4 * 5 - 5


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'indices': INDICES[:4]}, r'int32 of shape \(4, 3\).*\(5, 3\)'),
        ({'indices': INDICES.astype(float)}, 'places are float64'),
        ({'shape': (3, 4, 4)}, r'voxel 1 is at \(0, 1, 4\), outside.*1 such'),
        ({'indices': INDICES - [1, 0, 0]}, 'they must be int32'),
        (
            {'indices': INDICES[[0, 1, 2, 3, 3]]},
            r'voxel 3 is not alone at \(2, 0, 0\) \(1 voxels too many',
        ),
        ({'shape': (3, 2**20, 2**20)}, 'together at the most'),
        ({'affine': np.diag([1.0, 1, 0, 1])}, 'finite and invertible'),
        ({'affine': OBLIQUE * np.nan}, 'finite and invertible'),
    ],
)
def test_what_is_no_volume_is_refused(changes, words):
    with pytest.raises(InputError, match=f'S1.file: .*{words}'):
        Recording(**parts(), volume=volume(**changes))


def test_a_grid_is_found_in_coordinates():
    rng = np.random.default_rng(0)
    indices = np.argwhere(rng.random((6, 5, 4)) < 0.7)
    indices = rng.permutation(indices - indices.min(axis=0))
    # As MATLAB counts; any affine is found where places are stated.
    xyz = nibabel.affines.apply_affine(OBLIQUE, indices)
    found = of_coordinates(xyz, indices + 1)
    np.testing.assert_array_equal(found.indices, indices + 1)
    np.testing.assert_allclose(coordinates(found), xyz, atol=1e-9)
    straight = np.diag([3.0, 2.5, 2.0, 1])
    straight[:3, 3] = -30, -90.2, 7
    xyz = nibabel.affines.apply_affine(straight, indices)
    found = of_coordinates(xyz + rng.uniform(-0.004, 0.004, xyz.shape))
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_allclose(voxel_size(found.affine), (3, 2.5, 2), atol=0.01)
    np.testing.assert_allclose(coordinates(found), xyz, atol=0.01)
    moved = xyz.copy()
    moved[3, 1] += 1
    twice = np.concatenate([xyz, xyz[:1]])
    for wrong in (moved, twice, xyz[:, [0, 1, 1]], xyz * np.nan, xyz[:1]):
        assert of_coordinates(wrong) is None


@pytest.mark.parametrize('to', ['bids', 'nsd', 'bdata'])
def test_formats_keep_places(to, tmp_path):
    recording = placed(small_recording())
    out = tmp_path / {'bdata': 'small.h5'}.get(to, 'small')
    _, lost = conversion.convert(recording, out, to)
    ordered = [] if to == 'bdata' else ['the order of voxels']
    around = ['the volume around the voxels'] if to == 'bdata' else []
    assert [x for x in lost if 'voxels' in x] == ordered + around
    again = open_recording(out)
    shown = description.summary(again)['volume']
    assert shown['voxel_mm'] == pytest.approx(
        [1.6008, 2.1213, 3.0414], abs=1e-4
    )
    # Read without places, as written without them.
    bare = dataclasses.replace(recording, volume=None)
    conversion.convert(bare, tmp_path / f'bare{out.suffix}', to)
    assert open_recording(tmp_path / f'bare{out.suffix}').volume is None


def test_voxels_that_are_left_out_take_their_places_along(tmp_path):
    recording = placed(small_recording())
    bids.write(recording, tmp_path)
    some = open_recording(tmp_path, roi='V2')
    mine = recording.volume.indices[recording.rois['V2']]
    order = np.lexsort(mine.T[::-1])
    np.testing.assert_array_equal(some.volume.indices, mine[order])

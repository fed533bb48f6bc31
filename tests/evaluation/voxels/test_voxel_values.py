"""Tables and maps of voxels: the right value at the right place."""

import csv
import dataclasses

import bids_files
import nibabel
import numpy as np
import pytest
from nilearn import image as nilearn_image
from nilearn.maskers import NiftiMasker
from recording_files import small_recording

from brainjax.__main__ import main
from brainjax.errors import InputError
from brainjax.evaluation.voxels import voxel_values
from brainjax.evaluation.voxels.voxel_values import VoxelValues
from brainjax.recordings import Volume, open_recording

# Turned, mirrored and of unequal sides.
OBLIQUE = np.array(
    [
        [-1.5, 0.5, 0.0, 1.0],
        [0.5, 2.0, -0.5, -60.5],
        [0.25, 0.5, 3.0, -12.0],
        [0.0, 0.0, 0.0, 1.0],
    ]
)


def table(folder):
    with open(folder / 'voxels.csv', newline='') as stream:
        return [*csv.DictReader(stream)]


def at(path, row):
    """The value of a map at a row's millimetres, by nilearn."""
    found = nibabel.load(path)
    x, y, z = (float(row[axis]) for axis in 'xyz')
    place = nilearn_image.coord_transform(x, y, z, np.linalg.inv(found.affine))
    np.testing.assert_allclose(place, np.rint(place), atol=1e-3)
    return found.get_fdata()[tuple(np.rint(place).astype(int))]


def test_maps_of_a_bids_subject_are_right_in_world_coordinates(tmp_path):
    """Voxels left of x = 0 mm answer to pictures, those right of it do not."""
    shown = [f'{part}-{i}' for part in ('train', 'test') for i in range(4)] * 3
    rows = [
        f'{2 + 10 * i} 2 {name.partition("-")[0]} {name}.png'
        for i, name in enumerate(shown)
    ]
    events = '\n'.join(['onset duration split stim_file', *rows])
    rng = np.random.default_rng(0)
    grid = np.argwhere(np.ones(bids_files.SHAPE))
    world = nibabel.affines.apply_affine(OBLIQUE, grid)
    left = world[:, 0] < 0
    assert 4 < left.sum() < 14
    volumes = 130
    series = 100 + 0.03 * rng.standard_normal((len(grid), volumes))
    answer = rng.standard_normal((len({*shown}), len(grid)))
    for i, name in enumerate(shown):
        mine = answer[sorted({*shown}).index(name)] * left
        series[:, 1 + 5 * i : 6 + 5 * i] += mine[:, None]
    bids_files.data_set(
        tmp_path / 'data',
        {'task-see_run-1': events},
        volumes=volumes,
        values=np.float32(series).reshape(*bids_files.SHAPE, volumes),
        affine=OBLIQUE,
    )
    recording = open_recording(tmp_path / 'data', **bids_files.RAW)
    noise = rng.standard_normal(recording.voxels)
    found = voxel_values.collect(recording, {'influence': noise})
    maps = voxel_values.write(tmp_path, found)
    assert {path.name for path in maps} == {
        *('voxels.nii.gz', 'noise_ceiling.nii.gz', 'influence.nii.gz')
    }
    lines = table(tmp_path)
    assert len(lines) == len(grid)
    for line in lines:
        ceiling = at(tmp_path / 'maps/noise_ceiling.nii.gz', line)
        assert ceiling == pytest.approx(float(line['noise_ceiling']))
        assert (ceiling > 0.97) == (float(line['x']) < 0)
        assert line['rois'] == 'V1'
    # nilearn's masker goes its own way through the files.
    mask = nibabel.load(tmp_path / 'maps/voxels.nii.gz')
    values = NiftiMasker(mask, standardize=None).fit_transform(
        tmp_path / 'maps/influence.nii.gz'
    )
    places = nibabel.affines.apply_affine(
        mask.affine, np.argwhere(mask.get_fdata())
    )
    for place, value in zip(places, values.ravel()):
        far = [
            np.hypot.reduce(place - [float(line[a]) for a in 'xyz'])
            for line in lines
        ]
        assert min(far) < 1e-4
        assert value == pytest.approx(
            float(lines[np.argmin(far)]['influence']), rel=1e-5
        )


def found_of(order=None, **values):
    """Values of the small recording's voxels, somewhere in a volume."""
    recording = small_recording()
    count = recording.voxels
    places = np.random.default_rng(0).permutation(6 * 5 * 4)[:count]
    indices = np.stack(np.unravel_index(places, (6, 5, 4)), axis=1)
    volume = Volume(indices.astype(np.int32), (6, 5, 4), OBLIQUE)
    recording = dataclasses.replace(recording, volume=volume)
    return voxel_values.collect(recording, values)


def test_voxels_in_any_order_come_to_their_places(tmp_path):
    count = small_recording().voxels
    values = np.arange(count) - 2.5
    values[3] = np.nan
    found = found_of(influence=values)
    voxel_values.write(tmp_path, found)
    influence = tmp_path / 'maps/influence.nii.gz'
    lines = table(tmp_path)
    flat = [tuple(int(line[axis]) for axis in 'ijk') for line in lines]
    assert flat != sorted(flat)
    for i, line in enumerate(lines):
        assert int(line['voxel']) == i
        assert at(influence, line) == (0 if i == 3 else values[i])
        assert at(tmp_path / 'maps/voxels.nii.gz', line) == 1
    assert lines[3]['influence'] == ''
    header = nibabel.load(influence).header
    assert header['descrip'].item().decode().startswith('change of the pic')
    assert header.get_intent()[::2] == ('estimate', 'influence')
    again = voxel_values.read(tmp_path)
    np.testing.assert_array_equal(again.values['influence'], values)
    np.testing.assert_array_equal(again.volume.indices, found.volume.indices)
    assert again.rois.keys() == found.rois.keys()


def test_without_places_there_is_a_table_alone(tmp_path, capsys):
    found = found_of(influence=np.ones(small_recording().voxels))
    bare = found._replace(volume=None, rois={})
    assert voxel_values.write(tmp_path, bare) == []
    assert table(tmp_path)[0]['x'] == table(tmp_path)[0]['rois'] == ''
    assert voxel_values.read(tmp_path).volume is None
    assert main(['maps', str(tmp_path)]) == 0
    assert 'noise_ceiling' in capsys.readouterr().out
    assert main(['maps', str(tmp_path), '--plot', 'glass']) == 2
    assert 'does not say where its voxels lie' in capsys.readouterr().err
    assert main(['maps', str(tmp_path), '--only', 'influense']) == 2
    assert "mean 'influence'" in capsys.readouterr().err
    with pytest.raises(InputError, match='holds no voxels'):
        voxel_values.read(tmp_path / 'elsewhere')


def test_folds_are_averaged_and_angles_on_the_circle():
    def fold(angle, influence):
        arrays = {'angle': angle, 'influence': influence}
        return VoxelValues(
            {name: np.float32(x) for name, x in arrays.items()}, {}, None
        )

    nan = np.nan
    mean = voxel_values.average(
        [
            fold([170, 10, nan], [1, nan, nan]),
            fold([-170, 20, nan], [3, 4, nan]),
        ]
    )
    np.testing.assert_allclose(abs(mean.values['angle'][0]), 180, rtol=1e-5)
    np.testing.assert_allclose(mean.values['angle'][1:], [15, nan], rtol=1e-5)
    np.testing.assert_array_equal(mean.values['influence'], [2, 4, nan])
    assert voxel_values.average([mean, None]) is None


def test_maps_are_drawn(tmp_path, capsys):
    voxel_values.write(tmp_path, found_of())
    for how in ('glass', 'slices'):
        argv = ['maps', str(tmp_path), '--plot', how, '--only', 'snr']
        assert main(argv) == 0
        path = tmp_path / f'maps/snr_{how}.png'
        assert capsys.readouterr().out == f'{path}\n'
        assert path.stat().st_size > 10_000


def test_titles_fit_into_nifti_files():
    assert max(map(len, voxel_values.TITLES.values())) <= 79

"""BData files: all layouts, whole and damaged."""

import dataclasses

import bdata_files
import h5py
import numpy as np
import pytest
import scipy.io
from conftest import shared_data
from recording_files import cell

from brainjax.errors import InputError
from brainjax.recordings.formats.bdata import bdata

DESIGN = {'Run': [1, 1, 2], 'stimulus_name': [2, 1, np.nan]}
VMAP = {'stimulus_name': {1: 'n01443537_22563', 2: 'sträußchen'}}


def write(folder, **options):
    return bdata_files.write(
        folder / 'x.h5', bdata_files.responses(3), DESIGN, **options
    )


def assert_same(one, other):
    np.testing.assert_array_equal(one.dataset, other.dataset)
    np.testing.assert_array_equal(one.values, other.values)
    assert one.keys == other.keys
    assert one.descriptions == other.descriptions


@pytest.mark.parametrize('old', [True, False])
@pytest.mark.parametrize('first', [(), ('Run',), ('stimulus_name', 'Run')])
def test_values_land_where_they_belong(tmp_path, old, first):
    path = write(tmp_path, old=old, first=first, vmap=VMAP)
    assert bdata.looks_like(path)
    data = bdata.read(path)
    fmri = bdata_files.responses(3)
    np.testing.assert_array_equal(data.select('VoxelData'), fmri)
    np.testing.assert_array_equal(data.select('ROI_V1'), fmri[:, :2])
    np.testing.assert_array_equal(
        data.select('ROI_VC - ROI_V1 - ROI_FFA'), fmri[:, 2:3]
    )
    np.testing.assert_array_equal(data.select('voxel_x = 5'), fmri[:, 5:])
    np.testing.assert_array_equal(data.labels('Run'), [1, 1, 2])
    assert data.labels('stimulus_name') == [
        'sträußchen',
        'n01443537_22563',
        'n/a',
    ]
    assert data.dataset.dtype == data.values.dtype == np.float64


def test_labels_without_a_vmap_are_numbers(tmp_path):
    data = bdata.read(write(tmp_path))
    np.testing.assert_array_equal(data.labels('stimulus_name'), [2, 1, np.nan])
    for key, words in (
        ('stimulus', "x.h5 has no key 'stimulus', .* mean 'stimulus_name'"),
        ('VoxelData', "'VoxelData' has 6 columns where one is needed"),
    ):
        with pytest.raises(InputError, match=words):
            data.labels(key)
    data = bdata.read(write(tmp_path, vmap={'Run': {1: 'one'}}))
    with pytest.raises(InputError, match=r'vmap of Run .* what 2.0 stands for'):
        data.labels('Run')


def test_round_trip_is_exact(tmp_path):
    data = bdata.read(write(tmp_path, vmap=VMAP))
    bdata.write(data, tmp_path / 'y.h5')
    again = bdata.read(tmp_path / 'y.h5')
    assert_same(data, again)
    assert again.vmap == VMAP
    with h5py.File(tmp_path / 'y.h5') as file:
        assert set(file['header']) == {'ctime', 'creator'}
        assert file['header/creator'][()].startswith(b'brainjax ')
        assert set(file['vmap/stimulus_name']) == {'1.0', '2.0'}
    bdata.write(dataclasses.replace(data, vmap={}), tmp_path / 'y.h5')
    with h5py.File(tmp_path / 'y.h5') as file:
        assert len(file['vmap']) == 0


def matlab_variables():
    dataset, keys, values = bdata_files.arrays(
        bdata_files.responses(3), DESIGN, first=('Run',)
    )
    return {
        'dataSet': dataset,
        'metaData': {
            'key': cell(keys),
            'description': cell(f'1 = {key}' for key in keys),
            'value': values,
        },
    }


@pytest.mark.parametrize('version', [5, 7.3])
def test_matlab_files_hold_the_same(tmp_path, version):
    path = tmp_path / 'x.mat'
    if version == 5:
        scipy.io.savemat(path, matlab_variables(), do_compression=True)
    else:
        bdata_files.write_matlab73(path, matlab_variables())
    assert bdata.looks_like(path)
    data = bdata.read(path)
    assert_same(data, bdata.read(write(tmp_path, first=('Run',))))
    assert data.vmap == {}


@pytest.mark.parametrize('version', [5, 7.3])
def test_bad_matlab_files(tmp_path, version):
    path = tmp_path / 'x.mat'

    def save(variables):
        if version == 5:
            scipy.io.savemat(path, variables)
        else:
            bdata_files.write_matlab73(path, variables)

    whole = matlab_variables()
    for changes, words in (
        ({'metaData': np.eye(3)}, 'metaData must be a structure with key'),
        ({'metaData': {'key': cell(['a'])}}, 'must be a structure with key'),
        ({'dataSet': 'text'}, 'dataSet must be numbers'),
        (
            {'metaData': {**whole['metaData'], 'key': np.eye(2)}},
            'key in the metadata must be texts',
        ),
        ({'dataSet': np.eye(3)}, 'the metadata have shape'),
    ):
        save({**whole, **changes})
        with pytest.raises(InputError, match=f'^{path}.*{words}'):
            bdata.read(path)
    save({'dataSet': np.eye(3)})
    with pytest.raises(InputError, match='has no metaData; give a BData file'):
        bdata.read(path)


def damage(path, change):
    with h5py.File(path, 'r+') as file:
        change(file)


def replace(name, value):
    def change(file):
        del file[name]
        if value is not None:
            file[name] = value

    return change


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (replace('dataset', None), "has no array 'dataset'"),
        (replace('dataset', np.zeros(3)), r'dataset has shape \(3,\)'),
        (replace('dataset', np.zeros((0, 8))), 'must be .samples, columns.'),
        (replace('dataset', np.zeros((3, 7))), 'does not fit together'),
        (replace('dataset', b'text'), 'dataset has dtype object, which'),
        (replace('metadata/key', None), "has no array 'metadata/key'"),
        (replace('metadata/key', np.eye(2)), 'key has dtype float64'),
        (replace('metadata/key', [b'a'] * 9), "two keys are named 'a'"),
        (replace('metadata/key', [b'a']), 'but 1 keys and 8 columns make it'),
        (replace('metadata/value', np.zeros(8)), r'have shape \(8,\)'),
        (replace('metadata/description', [b'a']), '1 descriptions for 9 keys'),
        (replace('vmap/stimulus_name', b'x'), 'vmap/stimulus_name must be a'),
        (replace('vmap/stimulus_name/1.0', 3.0), '1.0 has dtype float64'),
        (replace('vmap/stimulus_name/1.0', [b'a', b'b']), 'must be one text'),
        (
            lambda file: file.move('vmap/stimulus_name/1.0', 'vmap/Run/one'),
            "vmap/Run holds 'one', which is no number",
        ),
        (
            replace('vmap/stimulus_name', h5py.ExternalLink('y.h5', '/a')),
            'must be a group',
        ),
        (replace('dataset', h5py.SoftLink('/metadata/value')), 'no array'),
    ],
)
def test_bad_files(tmp_path, change, words):
    path = write(tmp_path, vmap=VMAP)
    damage(path, change)
    with pytest.raises(InputError, match=f'^{path}.*{words}'):
        bdata.read(path)


def test_a_bomb_is_refused_before_it_is_loaded(tmp_path):
    path = write(tmp_path)
    with h5py.File(path, 'r+') as file:
        del file['dataset']
        file.create_dataset(
            'dataset', (10**5, 10**5), 'f8', chunks=(10, 10), compression='gzip'
        )
    with pytest.raises(InputError, match=r'dataset declares 74.5 GiB in a'):
        bdata.read(path)


def test_paths_without_a_file(tmp_path):
    for path in (tmp_path, tmp_path / 'no.h5'):
        with pytest.raises(InputError, match=f'^{path} '):
            bdata.read(path)


def test_others_are_not_claimed(tmp_path):
    path = tmp_path / 'x.h5'
    assert not bdata.looks_like(path)
    assert not bdata.looks_like(tmp_path)
    path.write_text('text')
    assert not bdata.looks_like(path)
    with h5py.File(path, 'w') as file:
        file['betas'] = np.zeros((3, 2), np.int16)
    assert not bdata.looks_like(path)
    bdata_files.write_matlab73(path, {'dataTrnS1': np.eye(2)})
    assert not bdata.looks_like(path)
    scipy.io.savemat(path, {'X': np.eye(2), 'Y': np.eye(2)})
    assert not bdata.looks_like(path)


def test_damage_never_gets_past(tmp_path):
    path = write(tmp_path, vmap=VMAP)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    sentences = []
    for i in range(150):
        content = bytearray(whole)
        for _ in range(10):
            content[rng.integers(len(whole))] ^= rng.integers(1, 256)
        if i % 3 == 0:
            del content[rng.integers(len(whole)) :]
        path.write_bytes(content)
        bdata.looks_like(path)
        try:
            bdata.read(path)
        except InputError as error:
            sentences.append(str(error))
    assert len(sentences) > 50
    assert all(text.startswith(str(path)) for text in sentences)


def test_the_real_file(tmp_path):
    path = shared_data('digits69_bdata.h5')
    assert bdata.looks_like(path)
    data = bdata.read(path)
    assert data.dataset.shape == (100, 3095)
    assert data.labels('stimulus_name')[::99] == ['digit6_001', 'digit9_100']
    bdata.write(data, tmp_path / 'copy.h5')
    again = bdata.read(tmp_path / 'copy.h5')
    assert_same(data, again)
    assert again.vmap == data.vmap

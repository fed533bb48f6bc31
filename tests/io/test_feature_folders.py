"""Folders of features: the field's layouts and the compact one."""

import h5py
import numpy as np
import pytest
import scipy.io
from bdata_files import write_matlab73
from recording_files import cell

from brainjax.errors import InputError
from brainjax.io import feature_files, feature_folders

NAMES = ('n01443537_22563', 'n01621127_19020', 'n01677366_18182')


def made(shape=(4, 3, 2)):
    rng = np.random.default_rng(0)
    return rng.normal(size=(len(NAMES), *shape)).astype(np.float32)


def test_a_file_is_laid_out_as_matlab_7_3(tmp_path):
    array = made()[0]
    feature_files.write(tmp_path / 'a.mat', array)
    content = (tmp_path / 'a.mat').read_bytes()
    assert content.startswith(b'MATLAB 7.3 MAT-file')
    assert content[124:128] == b'\x00\x02IM'
    assert content[512:516] == b'\x89HDF'
    with h5py.File(tmp_path / 'a.mat') as file:
        assert file['feat'].shape == (2, 3, 4, 1)
        assert file['feat'].attrs['MATLAB_class'] == b'single'
    assert feature_files.shape(tmp_path / 'a.mat') == (4, 3, 2)
    found = feature_files.read(tmp_path / 'a.mat')
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, array)
    np.testing.assert_array_equal(
        feature_files.read(tmp_path / 'a.mat', 1, 3), array[1:3]
    )


def test_version_5_and_plain_hdf5_are_read(tmp_path):
    array, flat = made()[0], made((5,))[0]
    scipy.io.savemat(tmp_path / 'old.mat', {'feat': array})
    scipy.io.savemat(tmp_path / 'flat.mat', {'feat': flat[None]})
    with h5py.File(tmp_path / 'plain.mat', 'w') as file:
        file['feat'] = array[None]
    for name, wanted in (('old', array), ('flat', flat), ('plain', array)):
        path = tmp_path / f'{name}.mat'
        assert feature_files.shape(path) == wanted.shape
        np.testing.assert_array_equal(feature_files.read(path), wanted)
        np.testing.assert_array_equal(
            feature_files.read(path, 1, 2), wanted[1:2]
        )


@pytest.mark.parametrize('shape', [(4, 3, 2), (6,)])
@pytest.mark.parametrize(
    'write', [feature_folders.write_features, feature_folders.write_compact]
)
def test_what_is_written_is_read(tmp_path, shape, write):
    arrays = {'conv1': made(shape), 'fc': made((7,))}
    for layer, array in arrays.items():
        write(tmp_path, layer, NAMES, array)
    for hidden in ('._conv1.npy', 'conv1/._n.mat', '._x/a.mat'):
        path = tmp_path / hidden
        if path.parent.is_dir():
            path.write_bytes(b'written by a Macintosh')
    layers = feature_folders.open_layers(tmp_path)
    assert [*layers] == ['conv1', 'fc']
    assert [*feature_folders.open_layers(tmp_path, ['fc'])] == ['fc']
    assert layers['conv1'].shape == shape and layers['fc'].units == 7
    assert sorted(layers['fc'].names) == sorted(NAMES)
    for layer, array in arrays.items():
        order = [2, 0]
        found = feature_folders.read(layers[layer], [NAMES[i] for i in order])
        np.testing.assert_array_equal(found, array[order])
        np.testing.assert_array_equal(
            feature_folders.read(layers[layer], NAMES, 1, 3), array[:, 1:3]
        )


def test_decoded_features_lie_deeper(tmp_path):
    feature_folders.write_features(tmp_path, 'fc/S1/VC', NAMES, made((7,)))
    layers = feature_folders.open_layers(tmp_path, subject='S1', roi='VC')
    np.testing.assert_array_equal(
        feature_folders.read(layers['fc'], NAMES), made((7,))
    )
    with pytest.raises(InputError, match='holds no features'):
        feature_folders.open_layers(tmp_path, subject='S2', roi='VC')


def write_sparse(path, array, **changes):
    """As bdpy's save_array(..., sparse=True)."""
    index = np.nonzero(array)
    held = {
        '__bdpy_sparse_arrray': np.array([[1]], np.uint8),
        'index': cell([axis[None] for axis in index]),
        'value': array[index][None],
        'shape': cell([np.array([[n]]) for n in array.shape]),
        'background': np.array([[0]]),
    }
    write_matlab73(path, {'feat': held | changes})


@pytest.mark.parametrize('shape', [(4, 3, 2), (7,)])
def test_sparse_files(tmp_path, shape):
    array = made(shape)[0]
    array[array < 0.2] = 0
    path = tmp_path / 'a.mat'
    write_sparse(path, array[None])
    assert feature_files.shape(path) == shape
    found = feature_files.read(path)
    np.testing.assert_array_equal(found, array)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(feature_files.read(path, 1, 3), array[1:3])
    huge = cell([np.array([[10**6]])] * (1 + len(shape)))
    write_sparse(path, array[None], shape=huge)
    with pytest.raises(InputError, match=r'feat declares|complete file of'):
        feature_files.read(path)
    write_sparse(path, array[None], value=np.ones((1, 2), np.float32))
    with pytest.raises(InputError, match='not a complete file of'):
        feature_files.read(path)
    small = cell([np.array([[1]])] * (1 + len(shape)))
    write_sparse(path, array[None], shape=small)
    with pytest.raises(InputError, match='not a complete file of sparse'):
        feature_files.read(path)


def test_folders_and_names_as_bdpy_writes_them(tmp_path):
    arrays = {'conv1_1': made((4, 3, 2)), 'fc6': made((7,))}
    for layer, array in arrays.items():
        for i, (name, picture) in enumerate(zip(NAMES, array)):
            folder = tmp_path / layer / 'S1' / 'VC' / f'cv-fold{i % 2}'
            file = f'{layer}-S1-VC-{name}.mat'
            feature_files.write(folder / 'decoded_features' / file, picture)
    layers = feature_folders.open_layers(tmp_path, subject='S1', roi='VC')
    assert [*layers] == ['conv1_1', 'fc6']
    for layer, array in arrays.items():
        assert sorted(layers[layer].names) == sorted(NAMES)
        found = feature_folders.read(layers[layer], NAMES)
        np.testing.assert_array_equal(found, array)
    one = tmp_path / 'fc6/S1/VC/cv-fold0/decoded_features'
    other = tmp_path / 'fc6/S1/VC/cv-fold1/decoded_features'
    file = f'fc6-S1-VC-{NAMES[0]}.mat'
    (other / file).write_bytes((one / file).read_bytes())
    with pytest.raises(InputError, match='are features of one picture'):
        feature_folders.open_layers(tmp_path, subject='S1', roi='VC')
    one.rename(tmp_path / 'fc6/S1/VC/decoded_features')
    layers = feature_folders.open_layers(
        tmp_path, ['fc6'], subject='S1', roi='VC'
    )
    assert len(layers['fc6'].names) == 2


def test_columns_and_newer_sparse_files(tmp_path):
    array = made((7,))[0]
    array[array < 0.2] = 0
    scipy.io.savemat(tmp_path / 'column.mat', {'feat': array[:, None]})
    maps = made()[0]
    maps[maps < 0.2] = 0
    for name, values in (('row', array[None]), ('maps', maps[None])):
        with h5py.File(tmp_path / f'{name}.mat', 'w') as file:
            group = file.create_group('feat')
            index = np.nonzero(values)
            group['__bdpy_sparse_arrray'] = True
            group['index'] = np.stack(index)
            group['value'] = values[index]
            group['shape'] = np.array(values.shape)
            group['background'] = np.array(0)
    for name, wanted in (('column', array), ('row', array), ('maps', maps)):
        path = tmp_path / f'{name}.mat'
        assert feature_files.shape(path) == wanted.shape
        np.testing.assert_array_equal(feature_files.read(path), wanted)
        np.testing.assert_array_equal(
            feature_files.read(path, 1, 3), wanted[1:3]
        )
    with h5py.File(tmp_path / 'group.mat', 'w') as file:
        file['feat/value'] = array
    with pytest.raises(InputError, match='no array but a group of value'):
        feature_files.read(tmp_path / 'group.mat')


def indexes():
    """feature_index.mat as bdpy, MATLAB and newer bdpy write it."""
    kept = {'conv1_1': np.array([5, 0, 23]), 'fc6': np.array([6, 2])}

    def newer(path):
        with h5py.File(path, 'w') as file:
            for layer, units in kept.items():
                file[f'index/{layer}'] = units

    return kept, {
        'bdpy': lambda path: write_matlab73(
            path, {'index': {x: units[:, None] for x, units in kept.items()}}
        ),
        'version 5': lambda path: scipy.io.savemat(
            path, {'index': {x: units[None] for x, units in kept.items()}}
        ),
        'newer': newer,
    }


@pytest.mark.parametrize('how', indexes()[1])
@pytest.mark.parametrize(
    'write', [feature_folders.write_features, feature_folders.write_compact]
)
def test_units_that_are_kept(tmp_path, how, write):
    kept, writers = indexes()
    arrays = {'conv1_1': made((4, 3, 2)), 'fc6': made((7,)), 'fc7': made((2,))}
    for layer, array in arrays.items():
        flat = array.reshape(len(array), -1)
        write(tmp_path / 'all', layer, NAMES, array)
        some = flat[:, kept[layer]] if layer in kept else array
        write(tmp_path / 'some', layer, NAMES, some)
    for folder in ('all', 'some'):
        writers[how](tmp_path / folder / 'feature_index.mat')
        layers = feature_folders.open_layers(tmp_path / folder)
        assert [*layers] == [*arrays]
        for layer, units in kept.items():
            assert layers[layer].shape == units.shape
            np.testing.assert_array_equal(layers[layer].kept, units)
            wanted = arrays[layer].reshape(3, -1)[:, units]
            np.testing.assert_array_equal(
                feature_folders.read(layers[layer], NAMES), wanted
            )
            np.testing.assert_array_equal(
                feature_folders.read(layers[layer], NAMES[:2], 1, 2),
                wanted[:2, 1:2],
            )
        assert layers['fc7'].kept is None and layers['fc7'].shape == (2,)
    feature_folders.copy_index(tmp_path / 'all', tmp_path)
    feature_folders.copy_index(tmp_path / 'all', tmp_path)
    assert (tmp_path / 'feature_index.mat').exists()


def test_an_index_that_is_wrong(tmp_path):
    feature_folders.write_features(tmp_path, 'fc6', NAMES, made((7,)))
    path = tmp_path / 'feature_index.mat'
    for index, words in (
        ({'fc6': [1, 7]}, 'names 2 units of fc6 up to number 7, and .* hold 7'),
        ({'fc6': list(range(8))}, 'names 8 units of fc6'),
        ({'fc6': [1, 1]}, 'of fc6 are not different whole numbers'),
        ({'fc6': [-1]}, 'of fc6 are not different whole numbers'),
        ({'fc6': [0.5]}, 'of fc6 are not different whole numbers'),
        ({'fc6': 'x'}, 'of fc6 are not different whole numbers'),
        ([1, 2], 'holds no structure named index'),
    ):
        scipy.io.savemat(path, {'index': index})
        with pytest.raises(InputError, match=words):
            feature_folders.open_layers(tmp_path)
    path.write_bytes(b'')
    with pytest.raises(InputError, match='not a complete'):
        feature_folders.open_layers(tmp_path)
    scipy.io.savemat(path, {'index': {'fc6': [1]}})
    scipy.io.savemat(tmp_path / 'fc6' / path.name, {'index': {'fc6': [2]}})
    with pytest.raises(InputError, match='names other units than'):
        feature_folders.copy_index(tmp_path, tmp_path / 'fc6')


def test_what_is_wrong_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match='is no folder'):
        feature_folders.open_layers(tmp_path / 'none')
    with pytest.raises(InputError, match='holds no features'):
        feature_folders.open_layers(tmp_path)
    feature_folders.write_features(tmp_path / 'a', 'fc', NAMES, made((7,)))
    layer = feature_folders.open_layers(tmp_path / 'a')['fc']
    with pytest.raises(InputError, match="no fc features of picture 'n014435'"):
        feature_folders.read(layer, ['n014435'])
    with pytest.raises(InputError, match="no layer 'fc6'"):
        feature_folders.open_layers(tmp_path / 'a', ['fc6'])
    path = layer.paths[NAMES[1]]
    content = path.read_bytes()
    path.write_bytes(content[:600])
    with pytest.raises(InputError, match=r'is not a complete HDF5 file'):
        feature_folders.read(layer, NAMES)
    feature_files.write(path, np.zeros(8, np.float32))
    with pytest.raises(InputError, match='another shape than the fc'):
        feature_folders.read(layer, NAMES)
    feature_folders.write_compact(tmp_path / 'b', 'fc', NAMES, made((7,)))
    with pytest.raises(InputError, match='features of other pictures'):
        feature_folders.write_compact(
            tmp_path / 'b', 'fc', NAMES[1:], made()[1:]
        )
    for damaged in (b'', b'{"names": [1]}', b'{"names": ["a", "a"]}'):
        (tmp_path / 'b' / 'features.json').write_bytes(damaged)
        with pytest.raises(InputError, match=r'features.json is damaged'):
            feature_folders.open_layers(tmp_path / 'b')
    with pytest.raises(InputError, match='cannot be the name of a file'):
        feature_folders.write_features(tmp_path, 'fc', ['../x'], made((7,))[:1])


@pytest.mark.parity
def test_bdpy_reads_what_is_written(tmp_path):
    dataform = pytest.importorskip('bdpy.dataform')
    feature_folders.write_features(tmp_path / 'true', 'conv1', NAMES, made())
    feature_folders.write_features(
        tmp_path / 'dec', 'conv1/S1/VC', NAMES, made()
    )
    true = dataform.Features(str(tmp_path / 'true'))
    np.testing.assert_array_equal(true.get('conv1'), made())
    decoded = dataform.DecodedFeatures(str(tmp_path / 'dec'))
    for name, array in zip(NAMES, made()):
        found = decoded.get(layer='conv1', subject='S1', roi='VC', label=name)
        np.testing.assert_array_equal(np.squeeze(found), array)


def test_cells_are_no_features(tmp_path):
    cells = np.empty((1, 1), object)
    cells[0, 0] = made()[0]
    scipy.io.savemat(tmp_path / 'a.mat', {'feat': cells})
    with pytest.raises(
        InputError, match=r"a.mat holds no numbers named 'feat'"
    ):
        feature_files.read(tmp_path / 'a.mat')

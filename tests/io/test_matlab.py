"""MATLAB v5 files against SciPy, whole and damaged."""

import tracemalloc

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from conftest import shared_data
from recording_files import cell, digits_variables

from brainjax.errors import InputError
from brainjax.io import matlab

VARIABLES = {
    'doubles': np.random.default_rng(0).normal(size=(3, 4, 2)),
    'singles': np.float32([[1.5, -2]]),
    'one': np.array([[7.0]]),
    'small': np.uint8([[1, 2, 3]]),
    'long': np.int64([[-(2**40)], [2**40]]),
    'nothing': np.zeros((0, 3)),
    'text': 'sixes and nines',
    'umlaut': 'grün',
    'empty': '',
    'cells': cell(['a', np.arange(6.0).reshape(2, 3), cell(['b'])]),
}


def assert_same(ours, scipys):
    if isinstance(ours, str):
        assert [ours] == (scipys.tolist() or [''])
        return
    assert ours.shape == scipys.shape
    if ours.dtype != object:
        np.testing.assert_array_equal(ours, scipys)
        assert ours.dtype == scipys.dtype
        return
    for a, b in zip(ours.ravel(), scipys.ravel()):
        assert_same(a, b)


@pytest.mark.parametrize('compressed', [True, False])
def test_values_are_those_of_scipy(tmp_path, compressed):
    path = tmp_path / 'v.mat'
    scipy.io.savemat(path, VARIABLES, do_compression=compressed)
    ours, scipys = matlab.read(path, list(VARIABLES)), scipy.io.loadmat(path)
    assert ours.keys() == VARIABLES.keys()
    for name, values in ours.items():
        assert_same(values, scipys[name])
    assert matlab.read(path, ['one', 'absent']) == {'one': np.array([[7]])}


@pytest.mark.parametrize('compressed', [True, False])
def test_structures_are_dicts(tmp_path, compressed):
    path = tmp_path / 'v.mat'
    one = {
        'key': cell(['VoxelData', 'Run']),
        'a_rather_long_name_of_a_field': np.eye(3),
        'inner': {'text': 'abc'},
    }
    several = np.zeros((1, 2), [('number', object)])
    several['number'] = [[1.5, 2.5]]
    scipy.io.savemat(
        path,
        {'one': one, 'several': several, 'other': 1.0},
        do_compression=compressed,
    )
    assert matlab.names(path) == {'one', 'several', 'other'}
    found = matlab.read(path, ['one', 'several'])
    assert found.keys() == {'one', 'several'}
    assert found['one'].keys() == one.keys()
    assert found['one']['key'].ravel().tolist() == ['VoxelData', 'Run']
    np.testing.assert_array_equal(found['one'][[*one][1]], np.eye(3))
    assert found['one']['inner'] == {'text': 'abc'}
    assert found['several'].shape == (1, 2)
    assert [s['number'].item() for s in found['several'][0]] == [1.5, 2.5]


def test_names_of_no_file_are_none(tmp_path):
    path = tmp_path / 'v.mat'
    assert matlab.names(path) == frozenset()
    scipy.io.savemat(path, VARIABLES)
    path.write_bytes(path.read_bytes()[:-50])
    assert matlab.names(path) == frozenset()


def test_the_real_file_is_that_of_scipy():
    path = shared_data('digits69.mat')
    scipys = scipy.io.loadmat(path)
    names = [name for name in scipys if not name.startswith('__')]
    ours = matlab.read(path, names)
    assert len(ours) == len(names) == 7
    for name in names:
        assert_same(ours[name], scipys[name])


def test_bytes_may_be_in_the_other_order(tmp_path):
    path = tmp_path / 'v.mat'

    def word(*values):
        return np.array(values, '>u4').tobytes()

    matrix = b''.join(
        [
            word(6, 8, 6, 0),  # Flags: class double.
            word(5, 8, 1, 2),  # Shape.
            (1 << 16 | 1).to_bytes(4, 'big') + b'x\0\0\0',  # Name.
            word(9, 16) + np.array([1.5, -2], '>f8').tobytes(),
        ]
    )
    header = b'MATLAB 5.0 MAT-file'.ljust(124) + b'\1\0MI'
    path.write_bytes(header + word(14, len(matrix)) + matrix)
    (values,) = matlab.read(path, ['x']).values()
    np.testing.assert_array_equal(values, [[1.5, -2]])
    assert values.dtype == np.float64


def test_what_cannot_be_read_is_one_sentence(tmp_path):
    path = tmp_path / 'v.mat'
    with pytest.raises(InputError, match=r'v.mat does not exist'):
        matlab.read(path, ['x'])
    path.write_bytes(b'MATLAB 7.3 MAT-file' + bytes(200))
    assert not matlab.looks_like(path)
    with pytest.raises(InputError, match=r'v5 file .its header is another'):
        matlab.read(path, ['x'])
    scipy.io.savemat(path, {'x': scipy.sparse.eye_array(3)})
    assert matlab.looks_like(path)
    with pytest.raises(InputError, match='x is neither numbers nor text nor'):
        matlab.read(path, ['x'])
    deep = 'end'
    for _ in range(20):
        deep = cell([deep])
    scipy.io.savemat(path, {'x': deep})
    with pytest.raises(InputError, match='is neither numbers nor text nor'):
        matlab.read(path, ['x'])


def test_small_files_take_little_memory(tmp_path):
    path = tmp_path / 'v.mat'
    variables = {name: np.zeros(5 * 2**20) for name in 'abc'}  # 40 MiB each.
    scipy.io.savemat(path, variables, do_compression=True)
    assert path.stat().st_size < 2**18
    assert matlab.read(path, ['a'])['a'].size == 5 * 2**20
    with pytest.raises(InputError, match='far larger than the file'):
        matlab.read(path, ['a', 'b'])
    scipy.io.savemat(path, {'x': np.zeros(2**24)}, do_compression=True)
    tracemalloc.start()
    with pytest.raises(InputError, match='far larger than the file'):
        matlab.read(path, ['x'])
    assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    tracemalloc.stop()


def test_what_is_of_another_kind_harms_no_other_variable(tmp_path):
    path = tmp_path / 'v.mat'
    scipy.io.savemat(path, {'x': np.eye(2), 'z': np.array([[1 + 2j]])})
    text = b'MCOS', b'string'

    def word(*values):
        return np.array(values, '<u4').tobytes()

    # As MATLAB saves s = "text": flags of class 17, name, two texts, numbers.
    inner = b''.join(
        [
            word(6, 8, 13, 0),
            word(5, 8, 1, 1),
            word(1, 0),
            word(6, 4, 0, 0),
        ]
    )
    body = b''.join(
        [
            word(6, 8, 17, 0),
            b'\1\0\1\0s\0\0\0',
            b'\1\0\4\0' + text[0],
            word(1, 6) + text[1] + b'\0\0',
            word(14, len(inner)) + inner,
        ]
    )
    whole = path.read_bytes()
    element = word(14, len(body)) + body
    path.write_bytes(whole[:128] + element + whole[128:])
    assert matlab.names(path) == {'x', 's', 'z'}
    np.testing.assert_array_equal(matlab.read(path, ['x'])['x'], np.eye(2))
    with pytest.raises(InputError, match=r's is neither numbers .*an object'):
        matlab.read(path, ['s'])
    with pytest.raises(InputError, match='z holds complex numbers'):
        matlab.read(path, ['z'])


@pytest.mark.parametrize('compressed', [True, False])
def test_damage_never_gets_past(tmp_path, compressed):
    path = tmp_path / 'v.mat'
    variables = {
        **digits_variables(),
        'last': {'key': cell(['a', 'b']), 'value': np.arange(20.0)},
    }
    names = list(variables)
    scipy.io.savemat(path, variables, do_compression=compressed)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for i in range(400):
        content = bytearray(whole)
        # The cells, at the end, have most of the structure.
        first = len(whole) - 5000 if i % 2 else 0
        content[rng.integers(first, len(whole))] ^= rng.integers(1, 256)
        if i % 4 == 0:
            del content[rng.integers(first, len(whole)) :]
        path.write_bytes(content)
        try:
            matlab.read(path, names)
        except InputError:
            refused += 1
    assert refused > 100

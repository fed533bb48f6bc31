import collections
import io
import pickle

import numpy as np
import pytest
from torch_writer import Runs

from brainjax.errors import InputError
from brainjax.networks.weights import pickles


def read(data):
    return pickles.read_numpy(io.BytesIO(data), 'weights.ckpt')


ARRAYS = {
    'float32': np.random.default_rng(0).random((2, 3, 4), np.float32),
    'fortran': np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    'big_endian': np.arange(5, dtype='>i2'),
    'bytes': np.arange(3, dtype=np.uint8),
    'scalar': np.array(2.5),
    'empty': np.zeros((0, 3)),
}


@pytest.mark.parametrize('protocol', [2, 3, 4])
@pytest.mark.parametrize('module', [b'numpy.core', b'numpy._core'])
def test_arrays_of_any_layout(protocol, module):
    nested = {
        'a': {'b': ARRAYS},
        'c': collections.OrderedDict(x=ARRAYS['bytes']),
    }
    data = pickle.dumps(nested, protocol)
    if protocol < 4:  # There the names' lengths are not written.
        data = data.replace(b'cnumpy._core.', b'c' + module + b'.')
    if protocol == 2:
        # Bytes are then text, encoded by a call.
        with pytest.raises(InputError, match=r'asks for _codecs\.encode'):
            read(data)
        return
    values = read(data)
    assert values['a']['b'].keys() == ARRAYS.keys()
    for name, expected in ARRAYS.items():
        value = values['a']['b'][name]
        assert value.dtype == expected.dtype
        np.testing.assert_array_equal(value, expected)
    np.testing.assert_array_equal(values['c']['x'], ARRAYS['bytes'])


@pytest.mark.parametrize('protocol', range(6))
def test_command_is_refused_and_not_run(tmp_path, protocol):
    data = pickle.dumps({'a': Runs(tmp_path / 'ran')}, protocol)
    with pytest.raises(
        InputError, match=r'weights\.ckpt .*asks for posix\.system'
    ):
        read(data)
    assert not (tmp_path / 'ran').exists()
    pickle.loads(data)  # As it would have.
    assert (tmp_path / 'ran').exists()


@pytest.mark.parametrize(
    'data',
    [
        b'cbuiltins\neval\n(S"1"\ntR.',
        b'(S"1"\nibuiltins\neval\n.',
        b'\x80\x04\x8c\x05numpy\x8c\x0dndarray.fromfile\x93.',
        b'\x80\x04\x8c\x05numpy\x8c\x04load\x93.',
        b'cnumpy.core.multiarray\n_reconstruct.__self__\n.',
        b'\x80\x02\x82\x01.',
    ],
    ids=['global', 'inst', 'dotted', 'numpy', 'attribute', 'extension'],
)
def test_other_names_are_refused(data):
    with pytest.raises(
        InputError, match=r'weights\.ckpt is (not a plain|damaged)'
    ):
        read(data)


def test_pickle_cannot_change_our_functions():
    change = (
        b'\x80\x02cnumpy.core.multiarray\n_reconstruct\n}X\x09\x00\x00\x00'
        b'_functionNsb.'
    )
    with pytest.raises(InputError, match='changes a function'):
        read(change)
    assert read(pickle.dumps({'a': np.ones(2)}, 3))['a'].sum() == 2


@pytest.mark.parametrize(
    ('value', 'message'),
    [
        (np.array([None]), "type 'O8'"),
        (np.array(['text']), "type 'U4'"),
        (np.zeros(2, [('a', 'f4')]), 'array of type'),
        ({'a': 'text'}, 'holds a str'),
        ([np.ones(2)], 'holds a list'),
        (np.float32(1), 'asks for numpy'),
    ],
)
def test_anything_but_numeric_arrays_is_refused(value, message):
    data = pickle.dumps(value if isinstance(value, list) else {'x': value}, 3)
    with pytest.raises(InputError, match=message):
        read(data)


def test_endless_dict_is_refused():
    endless = {}
    endless['again'] = endless
    with pytest.raises(InputError, match='holds a dict'):
        read(pickle.dumps(endless, 3))


def test_array_that_lacks_data_is_refused():
    data = pickle.dumps({'x': np.arange(300, dtype=np.int8)}, 3)
    shape = b'M\x2c\x01\x85'
    assert shape in data
    with pytest.raises(InputError, match=r'damaged.*reshape'):
        read(data.replace(shape, b'M\x2d\x01\x85'))


def test_every_truncation_is_an_input_error():
    data = pickle.dumps({'x': {'y': np.arange(8.0)}}, 3)
    for length in range(len(data)):
        with pytest.raises(InputError):
            read(data[:length])


def test_every_changed_byte_reads_or_is_an_input_error():
    data = pickle.dumps({'x': {'y': np.arange(8.0)}}, 3)
    refused = 0
    for i in range(len(data)):
        for flip in (1, 64):
            changed = data[:i] + bytes([data[i] ^ flip]) + data[i + 1 :]
            try:
                read(changed)
            except InputError:
                refused += 1
    assert refused > len(data) / 2

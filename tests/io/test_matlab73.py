"""MATLAB 7.3 files, whole and damaged."""

import h5py
import numpy as np
import pytest
from bdata_files import write_matlab73
from recording_files import cell

from brainjax.errors import InputError
from brainjax.io import matlab73

VARIABLES = {
    'doubles': np.random.default_rng(0).normal(size=(3, 4, 2)),
    'singles': np.float32([[1.5, -2]]),
    'small': np.uint8([[1, 2, 3]]),
    'nothing': np.zeros((0, 3)),
    'text': 'grün',
    'empty': '',
    'cells': cell(['a', np.arange(6.0).reshape(2, 3), cell(['b'])]),
    'structure': {'key': cell(['VoxelData', 'Run']), 'value': np.eye(2)},
}


def assert_same(ours, given):
    if isinstance(given, dict):
        assert ours.keys() == given.keys()
        for field, content in given.items():
            assert_same(ours[field], content)
    elif isinstance(given, str):
        assert ours == given
    else:
        assert ours.shape == given.shape and ours.dtype == given.dtype
        for one, other in zip(ours.ravel(), given.ravel()):
            if given.dtype == object:
                assert_same(one, other)
            else:
                assert one == other


def test_values_come_back(tmp_path):
    path = write_matlab73(tmp_path / 'v.mat', VARIABLES)
    assert matlab73.looks_like(path)
    found = matlab73.read(path, [*VARIABLES, 'absent'])
    assert_same(found, VARIABLES)


def test_fields_of_several_structures_are_object_arrays(tmp_path):
    path = write_matlab73(tmp_path / 'v.mat', {'a': cell(['x', 'y']), 's': {}})
    with h5py.File(path, 'r+') as file:
        file['s/field'] = file['a'][()]
    found = matlab73.read(path, ['s'])['s']['field']
    assert found.tolist() == [['x', 'y']]


def test_what_cannot_be_read_is_one_sentence(tmp_path):
    path = tmp_path / 'v.mat'
    with pytest.raises(InputError, match=r'v.mat does not exist'):
        matlab73.read(path, ['x'])
    deep = 'end'
    for _ in range(20):
        deep = cell([deep])
    write_matlab73(path, {**VARIABLES, 'deep': deep})
    with h5py.File(path, 'r+') as file:
        file['f'] = 1.0
        file['f'].attrs['MATLAB_class'] = np.bytes_('function_handle')
        file['plain'] = np.eye(2)
        file['elsewhere'] = h5py.ExternalLink('other.h5', '/x')
        cells = file['cells'][()]
        cells[1, 0] = h5py.Reference()
        file['cells'][...] = cells
        file['empty'][...] = [2, 3]
        file['singles'].attrs['MATLAB_class'] = np.bytes_('cell')
        file['own'] = np.array([file['doubles'].ref], h5py.ref_dtype)
        file['own'].attrs['MATLAB_class'] = np.bytes_('cell')
        file['own'][0] = file['own'].ref
    for name, words in (
        ('deep', 'lies in more than 8 cells or structures'),
        ('own', 'lies in more than 8 cells or structures'),
        ('f', "f is of class 'function_handle', which cannot be read"),
        ('plain', 'plain is no variable of MATLAB 7.3'),
        ('elsewhere', 'elsewhere is no variable of MATLAB 7.3'),
        ('cells', 'is not a complete HDF5 file'),
        ('empty', 'empty is said to be empty and is not'),
        ('singles', 'singles is a cell array without references'),
    ):
        with pytest.raises(InputError, match=words):
            matlab73.read(path, [name])


def test_bombs_take_no_memory(tmp_path):
    # Sixteen arrays that declare 48 MiB each in a file of a few kilobytes.
    path = write_matlab73(tmp_path / 'v.mat', {'s': {}})
    with h5py.File(path, 'r+') as file:
        for i in range(16):
            file.create_dataset(
                f's/{i}',
                (6 * 2**20,),
                'f8',
                chunks=(2**20,),
                compression='gzip',
            ).attrs['MATLAB_class'] = np.bytes_('double')
    with pytest.raises(InputError, match='declare far more than the file can'):
        matlab73.read(path, ['s'])
    # Cells of cells that all refer to the same: each is read once.
    write_matlab73(path, {'a0': np.ones((10, 10))})
    with h5py.File(path, 'r+') as file:
        for i in range(1, 8):
            data = np.full((100, 1), file[f'a{i - 1}'].ref, h5py.ref_dtype)
            file[f'a{i}'] = data
            file[f'a{i}'].attrs['MATLAB_class'] = np.bytes_('cell')
    found = matlab73.read(path, ['a7'])['a7']
    assert found[0, 0] is found[0, 99]


def test_damage_never_gets_past(tmp_path):
    path = write_matlab73(tmp_path / 'v.mat', VARIABLES)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    sentences = []
    for i in range(150):
        content = bytearray(whole)
        for _ in range(20):
            content[rng.integers(512, len(whole))] ^= rng.integers(1, 256)
        if i % 4 == 0:
            del content[rng.integers(600, len(whole)) :]
        path.write_bytes(content)
        try:
            matlab73.read(path, [*VARIABLES])
        except InputError as error:
            sentences.append(str(error))
    assert len(sentences) > 50
    assert all(text.startswith(str(path)) for text in sentences)

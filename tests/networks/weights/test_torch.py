import os
import pickle
import zipfile

import numpy as np
import pytest
import torch_writer
from torch_writer import Runs

from brainjax.errors import InputError
from brainjax.networks.weights import torch as torch_files

GENERATOR = np.random.default_rng(0)
ARRAYS = {
    'features.0.weight': GENERATOR.standard_normal((4, 3, 2, 2), np.float32),
    'features.0.bias': GENERATOR.standard_normal(4),
    'half': np.arange(3, dtype=np.float16),
    'transposed': np.arange(6, dtype=np.float32).reshape(2, 3).T,
    'count': np.array(7),
    'empty': np.zeros((0, 2), np.float32),
}
WRITERS = {
    'zip': torch_writer.write_zip,
    'legacy': torch_writer.write_legacy,
}


def same(found, expected):
    assert list(found) == list(expected)
    for name, value in found.items():
        assert value.dtype == expected[name].dtype
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


@pytest.mark.parametrize('layout', WRITERS)
def test_reads_all_types_and_strides(tmp_path, layout):
    path = WRITERS[layout](tmp_path / 'file.pth', ARRAYS)
    same(torch_files.read(path), ARRAYS)


@pytest.mark.parametrize('layout', WRITERS)
def test_reads_only_a_prefix(tmp_path, layout):
    path = WRITERS[layout](tmp_path / 'file.pth', ARRAYS)
    found = torch_files.read(path, 'features.')
    same(found, {name: ARRAYS[name] for name in list(ARRAYS)[:2]})


def test_legacy_file_of_later_versions(tmp_path):
    path = torch_writer.write_legacy(
        tmp_path / 'file.pth', ARRAYS, rebuild='_rebuild_tensor_v2'
    )
    same(torch_files.read(path), ARRAYS)


@pytest.mark.parametrize('layout', WRITERS)
def test_command_is_refused_and_not_run(tmp_path, layout):
    runs = pickle.dumps({'a': Runs(tmp_path / 'ran')}, 2)
    path = WRITERS[layout](tmp_path / 'file.pth', {}, pickled=runs)
    with pytest.raises(
        InputError, match=r'file\.pth is not a plain .*posix\.system.*not read'
    ):
        torch_files.read(path)
    assert not (tmp_path / 'ran').exists()


def test_command_in_place_of_the_magic_number_is_refused(tmp_path):
    path = tmp_path / 'file.pth'
    path.write_bytes(pickle.dumps(Runs(tmp_path / 'ran')))
    with pytest.raises(InputError, match=r'posix\.system'):
        torch_files.read(path)
    assert not (tmp_path / 'ran').exists()


@pytest.mark.parametrize(
    'name',
    [
        'torch.nn.Module',
        'torch.load',
        'torch._utils._rebuild_tensor_v2.__call__',
    ],
)
def test_other_names_of_torch_are_refused(tmp_path, name):
    module, attribute = name.split('.', 1)
    pickled = b'\x80\x02' + torch_writer.name(module, attribute) + b'.'
    path = torch_writer.write_zip(tmp_path / 'file.pth', {}, pickled)
    with pytest.raises(InputError, match=f'asks for {name}'):
        torch_files.read(path)


@pytest.mark.parametrize(
    ('shape', 'strides', 'offset', 'size'),
    [
        ((5,), (1,), 0, 4),
        ((2, 2), (3, 1), 0, 4),
        ((4,), (1,), 1, 4),
        ((2, 2), (0, 0), 0, 1),
        ((2,), (-1,), 1, 4),
        ((2,), (1,), -1, 4),
        ((4,), (1, 1), 0, 4),
        ((4,), (1,), 0, 40),
    ],
)
@pytest.mark.parametrize('layout', WRITERS)
def test_tensor_beyond_its_data_is_refused(
    tmp_path, layout, shape, strides, offset, size
):
    data = np.arange(4 if size == 40 else size, dtype=np.float32)
    pickled = (
        b'\x80\x02}'
        + torch_writer.text('x')
        + torch_writer.tensor('0', 'float32', size, shape, strides, offset)
        + b's.'
    )
    path = WRITERS[layout](tmp_path / 'file.pth', {'x': data}, pickled)
    with pytest.raises(InputError, match='damaged'):
        torch_files.read(path)


def test_tensor_of_something_else_than_a_storage(tmp_path):
    pickled = (
        b'\x80\x02'
        + torch_writer.name('torch._utils', '_rebuild_tensor_v2')
        + b'(NK\x00))tR.'
    )
    path = torch_writer.write_zip(tmp_path / 'file.pth', {}, pickled)
    with pytest.raises(InputError, match='tensor without data'):
        torch_files.read(path)


def test_lost_data_of_a_zip_file(tmp_path):
    path = torch_writer.write_zip(tmp_path / 'file.pth', ARRAYS, lose=1)
    with pytest.raises(InputError, match='damaged'):
        torch_files.read(path)
    assert 'half' in torch_files.read(path, 'half')


def test_big_endian_is_refused(tmp_path):
    path = torch_writer.write_zip(
        tmp_path / 'file.pth', ARRAYS, byteorder='big'
    )
    with pytest.raises(InputError, match='big-endian'):
        torch_files.read(path)


def test_zip_file_of_something_else(tmp_path):
    with zipfile.ZipFile(tmp_path / 'file.zip', 'w') as archive:
        archive.writestr('readme.txt', 'text')
    with pytest.raises(InputError, match=r'not one of torch\.save'):
        torch_files.read(tmp_path / 'file.zip')


def test_not_a_state_dict(tmp_path):
    path = torch_writer.write_zip(tmp_path / 'f.pth', {}, pickle.dumps([1], 2))
    with pytest.raises(InputError, match='holds no state dict'):
        torch_files.read(path)


@pytest.mark.parametrize('content', [b'', b'text', pickle.dumps(1), b'PK\3\4'])
def test_not_a_file_of_torch(tmp_path, content):
    (tmp_path / 'file.pth').write_bytes(content)
    with pytest.raises(InputError, match=r'file\.pth'):
        torch_files.read(tmp_path / 'file.pth')


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputError, match='No such file'):
        torch_files.read(tmp_path / 'absent.pth')
    with pytest.raises(InputError, match='directory'):
        torch_files.read(tmp_path)


@pytest.mark.parametrize('layout', WRITERS)
def test_every_truncation_is_an_input_error(tmp_path, layout):
    path = WRITERS[layout](tmp_path / 'file.pth', {'x': np.ones(9)})
    for length in range(path.stat().st_size - 1, 0, -7):
        os.truncate(path, length)
        with pytest.raises(InputError):
            torch_files.read(path)


@pytest.mark.parity
@pytest.mark.parametrize('new', [True, False])
def test_files_of_torch_itself(tmp_path, new):
    torch = pytest.importorskip('torch')
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 2), torch.nn.BatchNorm2d(4)
    )
    state = model.half().float().state_dict()
    state['strided'] = torch.randn(4, 3, 5, 5).to(
        memory_format=torch.channels_last
    )
    state['view'] = torch.arange(20.0)[3:9].reshape(2, 3)
    state['tied'] = state['view']
    state['parameter'] = torch.nn.Parameter(torch.randn(2))
    state['half'] = torch.randn(3).half()
    path = tmp_path / 'file.pth'
    torch.save(state, path, _use_new_zipfile_serialization=new)
    same(
        torch_files.read(path),
        {name: value.detach().numpy() for name, value in state.items()},
    )

import os
import pickle
import time
import tracemalloc
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


def in_little_memory(path, prefix=''):
    """Reads a hostile file; returns the sentence and the most MiB it took."""
    tracemalloc.start()
    began = time.monotonic()
    try:
        with pytest.raises(InputError) as caught:
            torch_files.read(path, prefix)
        peak = tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()
    assert time.monotonic() - began < 20
    text = str(caught.value)
    assert path.name in text and '\n' not in text and len(text) < 500
    return text, peak


def item(name, value):
    return b'}' + torch_writer.text(name) + value + b's'


def nested_pairs(depth):
    """A tuple of itself twice, `depth` times: to hash or print, 2 ** depth."""
    pairs = b''.join(b'h\x00h\x00\x86q\x00' for _ in range(depth))
    return b')q\x00' + pairs + b'h\x00'


X = torch_writer.tensor('0', 'float32', 4, (4,), (1,))
PID = b'(%bctorch\nFloatStorage\n%b' + torch_writer.text('cpu') + b'%btQ'
HOSTILE = {
    'nested tuple as a key': b'}' + b')' + b'\x85' * 2 * 10**5 + b'K\x01s.',
    'pairs of pairs as a key': b'}' + nested_pairs(60) + b'K\x01s.',
    'key in a sequence': b'}((K\x01tK\x01u.',
    'key in an OrderedDict': (
        torch_writer.name('collections', 'OrderedDict')
        + b'((K\x01K\x02\x86K\x03\x86lt\x85R.'
    ),
    'list as a key': b'}]K\x01s.',
    'memo of a huge index': b'}r\xff\xff\xff\xffh\x01.',
    'lying text': b'X\xff\xff\xff\x7fabc.',
    'lying bytes': b'\x8e' + b'\xff' * 7 + b'\x00abc.',
    'lying number': b'\x8b\xff\xff\xff\x7fabc.',
    'long number': b'\x8a\xff' + b'\x01' * 255 + b'.',
    'long line': b'I' + b'9' * 10**6 + b'\n.',
    'text of a number': b'Iabc\n.',
    'extension': b'\x82\x01.',
    'object by INST': b'(ios\nsystem\n.',
    'too many steps': b'}' + b'N0' * 6 * 10**5 + b'.',
    'copies of a list': (
        b'('
        + b'N' * 10**5
        + b'lq\x00'
        + torch_writer.name('torch._utils', '_rebuild_parameter')
        + b'q\x01'
        + b'h\x01h\x00\x85R0' * 10**4
        + b'.'
    ),
    'kind of a storage': b'(' + nested_pairs(60) + b'NNNNtQ.',
    'key of a storage': PID
    % (torch_writer.text('storage'), nested_pairs(60), b'K\x04')
    + b'.',
    'size of a storage': PID
    % (torch_writer.text('storage'), torch_writer.text('0'), b'\x88')
    + b'.',
    'negative size': PID
    % (
        torch_writer.text('storage'),
        torch_writer.text('0'),
        torch_writer.number(-1),
    )
    + b'.',
    'bool in a shape': item('x', X.replace(b'(J\4\0\0\0t', b'\x88\x85', 1))
    + b'.',
    'float in a shape': item(
        'x', X.replace(b'(J\4\0\0\0t', b'G' + bytes(8) + b'\x85', 1)
    )
    + b'.',
    'axes': item(
        'x', X.replace(b'(J\4\0\0\0t', b'(' + b'K\xff' * 10**5 + b't', 1)
    )
    + b'.',
    'state of a function': (
        torch_writer.name('torch._utils', '_rebuild_tensor') + b'}b.'
    ),
    'state of a type': torch_writer.name('torch', 'FloatStorage') + b'}b.',
    'call of a type': torch_writer.name('torch', 'FloatStorage') + b')R.',
    'object of a function': (
        torch_writer.name('torch._utils', '_rebuild_tensor') + b')\x81.'
    ),
    'a name of lines': b'\x8c\x03a\nb\x8c\x03c\nd\x93.',
    'nothing on the stack': b's.',
    'a mark alone': b'(.',
}


@pytest.mark.parametrize('kind', HOSTILE)
@pytest.mark.parametrize('layout', WRITERS)
def test_hostile_tables_end_in_one_sentence(tmp_path, layout, kind):
    pickled = b'\x80\x02' + HOSTILE[kind]
    arrays = {'x': np.ones(4, np.float32)}
    path = WRITERS[layout](tmp_path / 'file.pth', arrays, pickled)
    _, peak = in_little_memory(path)
    assert peak < 300


@pytest.mark.parametrize('shared', [False, True])
def test_modules_in_a_graph_take_no_time(tmp_path, shared):
    """Each holds the next twice: two to the power of the depth in all."""
    new = b'c__torch__.M\nModule\n)\x81'
    names = [torch_writer.text('a'), b'K\x01']
    if shared:  # Names that are alike when they are written out.
        names = [torch_writer.text('1'), b'K\x01']
    pickled = new + b'}bq\x00'
    for _ in range(30):
        inner = b''.join(name + b'h\x00' for name in names)
        pickled += new + b'}(' + inner + b'ubq\x00'
    path = torch_writer.write_zip(
        tmp_path / 'file.pt', {}, b'\x80\x02' + pickled + b'.'
    )
    said, peak = in_little_memory(path)
    assert 'hold one another' in said
    assert peak < 300


def test_deflated_storages_are_bounded(tmp_path):
    size = 100 * 2**20
    table = item('x', torch_writer.tensor('0', 'float32', size, (4,), (1,)))
    with zipfile.ZipFile(
        tmp_path / 'file.pth', 'w', zipfile.ZIP_DEFLATED, compresslevel=1
    ) as archive:
        archive.writestr('a/data.pkl', b'\x80\x02' + table + b'.')
        with archive.open('a/data/0', 'w', force_zip64=True) as entry:
            for _ in range(size * 4 // 2**22):
                entry.write(bytes(2**22))
    said, peak = in_little_memory(tmp_path / 'file.pth')
    assert 'its storages declares' in said or 'GiB' in said
    assert peak < 100


@pytest.mark.parametrize('method', [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(tmp_path, method):
    with zipfile.ZipFile(tmp_path / 'file.pth', 'w', method) as archive:
        archive.writestr('a/data.pkl', b'\x80\x02}.')
    said, _ = in_little_memory(tmp_path / 'file.pth')
    assert 'compressed' in said


def test_many_views_of_one_storage_are_bounded(tmp_path):
    arrays = {'x': np.zeros(2**20, np.float32)}
    one = torch_writer.tensor('0', 'float32', 2**20, (2**20,), (1,))
    views = b''.join(torch_writer.text(f'x{i}') + b'h\x00' for i in range(2000))
    pickled = b'\x80\x02' + one + b'q\x000}(' + views + b'u.'
    path = torch_writer.write_zip(tmp_path / 'file.pth', arrays, pickled)
    said, peak = in_little_memory(path)
    assert 'all tensors in it' in said
    assert peak < 100


@pytest.mark.parametrize(
    'keys', [pickle.dumps(5, 2), pickle.dumps([5], 2), pickle.dumps('00', 2)]
)
def test_keys_of_an_old_file_that_are_no_list(tmp_path, keys):
    arrays = {'x': np.ones(4, np.float32)}
    path = torch_writer.write_legacy(tmp_path / 'file.pth', arrays)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(pickle.dumps(['0'], 2), keys))
    assert path.read_bytes() != whole
    said, _ = in_little_memory(path)
    assert 'no list of storages' in said


def test_any_stride_of_an_axis_of_one(tmp_path):
    arrays = {'x': np.arange(4, dtype=np.float32)}
    one = torch_writer.tensor('0', 'float32', 4, (1, 4), (7, 1)).replace(
        b'(J\7\0\0\0', b'(\x8a\x08' + bytes(7) + b'\x40'
    )
    path = torch_writer.write_zip(
        tmp_path / 'file.pth', arrays, b'\x80\x02' + item('x', one) + b'.'
    )
    np.testing.assert_array_equal(
        torch_files.read(path)['x'], arrays['x'][None]
    )


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

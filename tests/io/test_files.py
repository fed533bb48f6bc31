"""Files: whole or not at all; JSON that every reader takes."""

import json

import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.io import files


def refuse(constant):
    raise AssertionError(f'{constant} is not JSON')


def test_json_has_no_other_numbers(tmp_path):
    value = {
        'a': float('nan'),
        1: [np.float32(np.inf), 2.5],
        'b': np.array([[1.5, np.nan]]),
        'c': (np.int64(3), None, True, 'text'),
    }
    files.write_json(tmp_path / 'x.json', value)
    found = json.loads((tmp_path / 'x.json').read_text(), parse_constant=refuse)
    assert found == {
        'a': None,
        '1': [None, 2.5],
        'b': [[1.5, None]],
        'c': [3, None, True, 'text'],
    }


def test_json_that_is_damaged_is_one_sentence(tmp_path):
    path = tmp_path / 'x.json'
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}')  # As editors of Windows write.
    assert files.read_json(path) == {'a': 1}
    for content, words in (
        (b'{"a": ', 'x.json is damaged, not valid JSON .*; write it again'),
        (b'[1]', 'x.json is damaged, no JSON object; write it again'),
        (b'[' * 10**5, 'x.json is damaged, not valid JSON'),
        (b'\xff\xfe', 'x.json is not a complete text file'),
        (b' ' * (files.LARGEST_TEXT + 1), 'x.json has 64 MiB where text of'),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=words):
            files.read_json(path, 'write it again')
    with pytest.raises(InputError, match=r'no.json does not exist'):
        files.read_json(tmp_path / 'no.json')


def test_hidden_files_are_passed_by(tmp_path):
    for name in ('b.mat', '._b.mat', 'a.mat', '.a.mat', 'c.txt'):
        (tmp_path / name).write_text('')
    found = files.visible(tmp_path, '*.mat')
    assert [path.name for path in found] == ['a.mat', 'b.mat']


def test_what_fails_leaves_the_older_file(tmp_path):
    files.write_text(tmp_path / 'x', 'old')

    def write():
        with files.atomic(tmp_path / 'x') as part:
            part.write_text('new')
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write()
    assert (tmp_path / 'x').read_text() == 'old'
    assert len(list(tmp_path.iterdir())) == 1


def test_folder_of_one_at_a_time(tmp_path):
    with (
        files.exclusive_lock(tmp_path),
        pytest.raises(InputError, match='by another run'),
        files.exclusive_lock(tmp_path),
    ):
        pass
    with files.exclusive_lock(tmp_path):
        pass

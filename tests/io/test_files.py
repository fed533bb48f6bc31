"""Files: whole or not at all; JSON that every reader takes."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from conftest import REPOSITORY

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
        (b'\xff', 'x.json is not a text file in UTF-8 .*; save it in UTF-8'),
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


WRITER = """
import sys
from brainjax.io import files

with files.atomic(sys.argv[1]) as temporary:
    temporary.write_text('half')
    print(temporary.name, flush=True)
    sys.stdin.readline()
    temporary.write_text('whole')
"""


@pytest.fixture
def writer():
    """Starts a process that is amid writing a file; returns its temporary."""
    started = []

    def start(path):
        process = subprocess.Popen(
            [sys.executable, '-c', WRITER, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
        )
        started.append(process)
        return process, path.with_name(process.stdout.readline().strip())

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_what_a_killed_process_left_goes_and_what_a_living_one_writes_stays(
    tmp_path, writer
):
    dead, left = writer(tmp_path / 'a.npy')
    living, written = writer(tmp_path / 'b.npy')
    dead.send_signal(signal.SIGKILL)
    dead.wait()
    foreign = [
        *('.brainjax-notes', '._a.npy', '.a.x1234567.npy', 'brainjax-tmp'),
        f'{left.name[:-12]}12.npy',  # A random part of another length.
    ]
    for name in foreign:
        (tmp_path / name).write_text('kept')
    (tmp_path / left.name.replace('.npy', '.txt')).mkdir()
    (tmp_path / left.name.replace('.npy', '.lnk')).symlink_to(written)
    before = {path.name for path in tmp_path.iterdir()}
    assert left.name in before and written.name in before
    third, own = writer(tmp_path / 'c.npy')  # The next start, in its own time.
    after = {path.name for path in tmp_path.iterdir()}
    assert after == before - {left.name} | {own.name}
    for process in (living, third):
        process.communicate('\n')
        assert process.returncode == 0
    assert (tmp_path / 'b.npy').read_text() == 'whole'
    assert (tmp_path / 'c.npy').read_text() == 'whole'
    assert not (tmp_path / 'a.npy').exists()


def test_what_another_machine_wrote_to_just_now_stays(tmp_path):
    """Its lock may not be seen here."""
    names = [f'.brainjax-{i:08x}-abcd_123.npy' for i in range(2)]
    for name in names:
        (tmp_path / name).write_text('half')
    os.utime(tmp_path / names[0], (0, 0))
    files.sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == names[1:]


def test_a_file_with_the_longest_name_is_written(tmp_path):
    path = tmp_path / f'{"x" * 251}.txt'
    files.write_text(path, 'text')
    assert path.read_text() == 'text'


@pytest.mark.parametrize('kind', ['a folder', 'no regular file'])
def test_what_is_no_file_is_not_written_over(kind, tmp_path):
    path = tmp_path / 'report.html'
    path.mkdir() if kind == 'a folder' else os.mkfifo(path)
    with pytest.raises(InputError, match=rf'report.html is {kind} and a file'):
        files.write_text(path, 'text')
    assert [*tmp_path.iterdir()] == [path]

"""What a file may ask for."""

import os

import pytest

from brainjax.errors import InputError
from brainjax.io import untrusted


def test_memory_follows_from_the_size_of_the_file(tmp_path, monkeypatch):
    monkeypatch.delenv(untrusted.MAX_GIB, raising=False)
    path = tmp_path / 'x.npz'
    path.write_bytes(bytes(2**20))
    untrusted.check_size(path, 100 * 2**20, 'a')
    with pytest.raises(InputError, match=r'x\.npz: a declares 0\.1 GiB in a '):
        untrusted.check_size(path, 100 * 2**20 + 1, 'a')
    os.truncate(path, 10)
    untrusted.check_size(path, 64 * 2**20, 'a')
    monkeypatch.setenv(untrusted.MAX_GIB, '0.01')
    with pytest.raises(InputError, match='set BRAINJAX_MAX_GIB to more'):
        untrusted.check_size(path, 64 * 2**20, 'a')
    for wrong in ('much', '-1', 'nan', 'inf'):
        monkeypatch.setenv(untrusted.MAX_GIB, wrong)
        with pytest.raises(InputError, match=f"is '{wrong}'; give a number"):
            untrusted.most_bytes(1)


def test_one_sentence_names_file_and_reason(tmp_path):
    for error, words in (
        (FileNotFoundError(), 'x does not exist'),
        (PermissionError(13, 'Permission denied'), 'x cannot be read'),
        (ValueError('first\nsecond'), r'complete npz file \(first\); copy'),
        (MemoryError(), r'npz file \(MemoryError\)'),
    ):
        with (
            pytest.raises(InputError, match=words),
            untrusted.as_input_error(tmp_path / 'x', 'npz file'),
        ):
            raise error
    with (
        pytest.raises(InputError, match=r'^as it is$'),
        untrusted.as_input_error(tmp_path / 'x', 'npz file'),
    ):
        raise InputError('as it is')

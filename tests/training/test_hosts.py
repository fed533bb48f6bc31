"""Who does what: blocks that hosts share are made once, whoever makes them."""

import contextlib
import io
import itertools
import time

import host_blocks
import numpy as np
import pytest
from conftest import TESTS
from processes import run
from tiny_inversion_files import tree

from brainjax.errors import InputError
from brainjax.io import arrays
from brainjax.training import hosts

PROGRAM = TESTS / 'host_blocks.py'


@pytest.fixture(scope='module')
def true(tmp_path_factory):
    folder = tmp_path_factory.mktemp('true')
    host_blocks.write_true(folder)
    return folder


@pytest.fixture(scope='module')
def undisturbed(true, tmp_path_factory):
    out, printed = tmp_path_factory.mktemp('one'), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        contextlib.redirect_stdout(printed),
    ):
        # The program listens to them, and they are as before, then.
        monkeypatch.setattr(np, 'save', np.save)
        monkeypatch.setattr(arrays, 'write', arrays.write)
        assert host_blocks.work(true, out) == 0
    return tree(out), made(printed.getvalue())


def made(printed):
    """The blocks that a host has made, and what it says of all at the end."""
    lines = printed.splitlines()
    return [line for line in lines if not line.startswith('[Gloo]')]


def test_hosts_share_the_blocks_and_make_the_same_files(
    tmp_path, true, undisturbed
):
    done = run(2, PROGRAM, true, tmp_path)
    assert [status for status, _, _ in done] == [0, 0], done
    found, blocks = undisturbed
    assert tree(tmp_path) == found
    *blocks, errors = blocks
    told = [made(printed) for _, printed, _ in done]
    assert {lines.pop() for lines in told} == {errors}
    assert sorted(itertools.chain(*told)) == sorted(blocks)
    fair = len(blocks) / 2
    assert all(abs(len(lines) - fair) < 3 for lines in told)


def test_host_lost_without_a_word_is_noticed_and_its_blocks_are_made_later(
    tmp_path, true, undisturbed
):
    # Nothing but its silence tells the first host, which waits for it.
    done = run(2, PROGRAM, true, tmp_path, 'kill')
    assert time.time() - float((tmp_path / 'killed').read_text()) < 60
    assert [status for status, _, _ in done] == [130, -9], done
    assert 'host 1 has been silent for' in done[0][2]
    before = itertools.chain(*(made(printed) for _, printed, _ in done))
    again = run(3, PROGRAM, true, tmp_path)
    assert [status for status, _, _ in again] == [0, 0, 0], again
    found, blocks = undisturbed
    (tmp_path / 'killed').unlink()
    assert tree(tmp_path) == found
    later = itertools.chain(*(made(printed)[:-1] for _, printed, _ in again))
    assert sorted([*before, *later]) == sorted(blocks[:-1])


def test_folder_that_hosts_do_not_share(tmp_path, true):
    done = run(2, PROGRAM, true, tmp_path / 'here', 'elsewhere')
    assert [status for status, _, _ in done] == [2, 2], done
    assert 'elsewhere' in done[1][2]
    assert 'a disk that all hosts share' in done[1][2]


def test_one_host_is_first_hears_itself_and_does_it_all(tmp_path):
    assert (hosts.index(), hosts.count(), hosts.is_first()) == (0, 1, True)
    assert hosts.run_on_first(lambda: {'a': 1}) == {'a': 1}
    assert hosts.my_items([1, 2, 3]) == [1, 2, 3]
    hosts.barrier()
    (tmp_path / 'there').touch()
    hosts.wait_for_file(tmp_path / 'there')


def test_file_that_does_not_come(tmp_path, monkeypatch):
    monkeypatch.setattr(hosts, 'SECONDS_TO_SEE', 0.1)
    with pytest.raises(InputError, match='all hosts share'):
        hosts.wait_for_file(tmp_path / 'gone')

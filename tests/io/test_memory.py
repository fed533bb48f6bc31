import pytest

from brainjax.errors import InputError
from brainjax.io import memory


def test_half_of_the_machine_unless_told():
    assert memory.budget(1.5) == 3 * 2**29
    assert 2**28 < memory.budget() < 2**46


def test_a_container_has_what_it_is_given(tmp_path, monkeypatch):
    limit = tmp_path / 'memory.max'
    monkeypatch.setattr(memory, '_LIMITS', (str(limit),))
    machine = memory.budget()
    limit.write_text('max\n')
    assert memory.budget() == machine
    limit.write_text(f'{2**28}\n')
    assert memory.budget() == 2**27


def test_how_many_fit():
    assert memory.how_many(100, 30, 8) == 3
    assert memory.how_many(100, 3, 8) == 8
    assert memory.how_many(100, 300, 8) == 1  # Less than one cannot be.


def test_a_disk_that_would_be_filled_is_said_before(tmp_path):
    memory.check_disk(tmp_path, 1000, 'features of 3 pictures')
    with pytest.raises(InputError, match='3 pictures take 1073741824'):
        memory.check_disk(tmp_path, 2**60, 'features of 3 pictures')

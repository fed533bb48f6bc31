"""Parts of a computation, a thread each."""

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

from brainjax.errors import InputError
from brainjax.linear import threads

BLAS = ThreadpoolController().select(user_api='blas')


def most():
    return max(each['num_threads'] for each in BLAS.info())


def test_each_part_has_one_thread_and_its_place():
    def work(part):
        inner = threads.spread(lambda x: x + part, range(3))
        return part, most(), inner

    with BLAS.limit(limits=2):
        found = threads.spread(work, range(8))
        assert most() == 2 and found[-1] == (7, 1, [7, 8, 9])
    assert [part for part, *_ in found] == [*range(8)]
    assert {used for _, used, _ in found} == {1}


def test_what_a_part_raises_is_raised():
    def work(part):
        if part == 5:
            raise InputError(f'part {part} has no trials.')
        return np.ones(part)

    with pytest.raises(InputError, match='part 5'):
        threads.spread(work, range(8))

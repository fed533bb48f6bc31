import threading
import time

import jax
import numpy as np
import pytest

from brainjax.training.batches import indices, map_batches, prefetch


def test_every_example_comes_once_a_round():
    n, batch = 10, 4
    drawn = np.concatenate([indices(0, 0, n, i, batch) for i in range(15)])
    rounds = drawn.reshape(-1, n)
    assert len(rounds) == 6
    for order in rounds:
        assert sorted(order) == list(range(n))
    assert len({tuple(order) for order in rounds}) == 6


def test_batches_follow_from_the_step_alone():
    forward = [indices(3, 1, 7, i, 5) for i in range(20)]
    for i in (19, 4, 11, 0):
        np.testing.assert_array_equal(indices(3, 1, 7, i, 5), forward[i])
    # The order of examples does not depend on how they are cut to batches.
    np.testing.assert_array_equal(
        np.concatenate([indices(3, 1, 7, i, 2) for i in range(50)]),
        np.concatenate(forward),
    )


def test_seeds_and_streams_have_orders_of_their_own():
    orders = {
        tuple(indices(seed, stream, 50, 0, 50))
        for seed in range(3)
        for stream in range(3)
    }
    assert len(orders) == 9


def test_a_batch_may_be_larger_than_the_data():
    counts = np.bincount(indices(0, 0, 3, 0, 10), minlength=3)
    assert sorted(counts) == [3, 3, 4]


def test_prefetch_yields_in_order_and_works_ahead():
    made = []

    def batch_at(step):
        made.append(step)
        return {'step': step}

    batches = prefetch(batch_at, 5, 50, depth=2)
    assert next(batches) == {'step': 5}
    deadline = time.monotonic() + 10
    while len(made) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)
    assert sorted(made) == [5, 6, 7]  # One was taken, two wait.
    assert [b['step'] for b in batches] == list(range(6, 50))
    assert sorted(made) == list(range(5, 50))


def test_batches_are_made_side_by_side_and_come_in_their_order():
    """Each waits until its successor is begun, as for a disk."""
    begun = [threading.Event() for _ in range(12)]

    def batch_at(step):
        begun[step].set()
        last = step % 3 == 2
        assert last or begun[step + 1].wait(10)
        return step

    assert list(prefetch(batch_at, 0, 12, depth=3)) == list(range(12))


def test_prefetch_of_nothing():
    assert list(prefetch(lambda step: step, 7, 7)) == []


def test_errors_of_the_worker_are_raised_where_the_batch_is_taken():
    def batch_at(step):
        if step == 2:
            raise KeyError('no batch 2')
        return step

    before = threading.active_count()
    batches = prefetch(batch_at, 0, 5)
    assert [next(batches), next(batches)] == [0, 1]
    with pytest.raises(KeyError, match='no batch 2'):
        next(batches)
    assert threading.active_count() == before


@pytest.mark.parametrize('taken', [1, 3])
def test_closing_stops_the_threads(taken):
    before = threading.active_count()
    batches = prefetch(lambda step: np.zeros(10), 0, 10**9)
    for _ in range(taken):
        next(batches)
    assert threading.active_count() > before
    batches.close()
    assert threading.active_count() == before


@pytest.mark.parametrize('n', [0, 1, 4, 5, 11])
@pytest.mark.parametrize('fill', [True, False])
def test_a_function_over_batches(n, fill):
    sizes = set()

    @jax.jit
    def function(x):
        sizes.add(len(x))  # Once a compilation.
        return {'twice': 2 * x, 'sum': x.sum(axis=1)}

    array = np.arange(3 * n, dtype=np.float32).reshape(n, 3)
    found = map_batches(function, array, batch=4, fill=fill)
    np.testing.assert_array_equal(found['twice'], 2 * array)
    np.testing.assert_array_equal(found['sum'], array.sum(1))
    assert max(sizes) <= max(1, min(n, 4))
    if fill and n > 4:
        assert sizes == {4}

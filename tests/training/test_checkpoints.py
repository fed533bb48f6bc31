import asyncio
import functools
import gc
import logging
import os
import shutil
import signal
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
import pytest
import tensorstore
from conftest import REPOSITORY, TESTS

from brainjax.commands.jax_setup import set_up_jax
from brainjax.errors import InputError
from brainjax.training import checkpoints, state

OPTIMIZER = optax.adam(0.1)


def make(seed=0, width=3, step=4):
    rng = np.random.default_rng(seed)
    params = {
        'dense': {'kernel': rng.standard_normal((2, width), np.float32)},
        'bias': rng.standard_normal(width, np.float32),
    }
    made = state.create(
        {'params': params, 'batch_stats': {'mean': np.float32([1e-40, 2])}},
        OPTIMIZER,
        jax.random.key(seed),
        ('loss', 'D'),
    )
    totals = {'loss': jnp.float32(0.1), 'D': jnp.float32(np.nan)}
    return made.replace(step=jnp.int32(step), totals=totals)


HISTORY = [{'epoch': 1, 'loss': 0.1 + 0.2}, {'epoch': 2, 'loss': 1e-30}]


def save(folder, *states, keep=2):
    with checkpoints.manager(folder, keep) as manager:
        for each in states:
            checkpoints.save(manager, each, HISTORY)


def restore(folder, like=None):
    with checkpoints.manager(folder) as manager:
        return checkpoints.restore(manager, make(9) if like is None else like)


def same(a, b):
    """Whether two states agree bit by bit."""
    a, b = (x.replace(key=jax.random.key_data(x.key)) for x in (a, b))
    assert jax.tree.structure(a) == jax.tree.structure(b)
    return all(
        np.asarray(x).dtype == np.asarray(y).dtype
        and np.asarray(x).tobytes() == np.asarray(y).tobytes()
        for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b))
    )


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    """A folder with the steps 4 and 8, for the tests to copy."""
    folder = tmp_path_factory.mktemp('saved')
    save(folder, make(1, step=4), make(2, step=8))
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / 'checkpoints')


def data_files(folder):
    return sorted(
        os.path.join(path, name)
        for path, _, names in os.walk(folder)
        for name in names
        if os.path.getsize(os.path.join(path, name))
    )


def test_round_trip_is_exact(folder):
    restored, history = restore(folder)
    expected = make(2, step=8)
    assert same(restored, expected)
    assert not same(restored, make(3, step=8))
    assert history == HISTORY
    # The key is a key again, and draws the same.
    np.testing.assert_array_equal(
        jax.random.normal(restored.key, (3,)),
        jax.random.normal(expected.key, (3,)),
    )
    # The optimiser goes on from it.
    OPTIMIZER.update(restored.params, restored.opt_state)


def test_no_checkpoint(tmp_path):
    assert restore(tmp_path / 'new') is None


def test_the_newest_are_kept(folder):
    save(folder, make(5, step=12))
    assert {p.name for p in folder.iterdir()} == {'8', '12'}
    assert same(restore(folder)[0], make(5, step=12))


def test_a_step_that_is_saved_stays(folder):
    save(folder, make(6, step=8))
    assert same(restore(folder)[0], make(2, step=8))


def test_saving_does_not_wait_for_the_next_steps(tmp_path):
    step = jax.jit(
        functools.partial(jax.tree.map, lambda x: x * 3), donate_argnums=0
    )
    now = jax.device_put(make(1))
    with checkpoints.manager(tmp_path) as manager:
        checkpoints.save(manager, now, HISTORY)
        params = now.params
        for _ in range(20):
            params = step(params)
    assert same(restore(tmp_path)[0], make(1))


def test_what_training_adds_while_a_checkpoint_is_written_is_not_in_it(
    tmp_path, monkeypatch
):
    write = ocp.JsonCheckpointHandler._save_fn

    async def late(*arguments):
        await asyncio.sleep(0.2)  # As with a slow disk.
        await write(*arguments)

    monkeypatch.setattr(ocp.JsonCheckpointHandler, '_save_fn', late)
    history = list(HISTORY)
    with checkpoints.manager(tmp_path) as manager:
        checkpoints.save(manager, make(1), history)
        history.append({'epoch': 3, 'loss': 0.0})
    assert restore(tmp_path)[1] == HISTORY


# Orbax's readers are still at work when the first of them has failed.
@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
def test_writers_that_fail_beside_the_first_are_not_told(
    tmp_path, monkeypatch, caplog
):
    # Each a turn of the event loop later, so that one fails in the very turn
    # that ends the loop, whatever number of turns that is.
    turns = iter(range(1000))

    async def fill(*_, **__):
        for _ in range(next(turns)):
            await asyncio.sleep(0)
        raise ValueError('OUT_OF_RANGE: local file: File too large')

    set_up_jax()
    with monkeypatch.context() as patch:
        patch.setattr(tensorstore, 'open', fill)
        with pytest.raises(InputError, match='File too large'):
            save(tmp_path / 'full', make())
    gc.collect()
    assert next(turns) > 5
    assert [r.getMessage() for r in caplog.records if r.name == 'asyncio'] == []
    # What others do with asyncio is still heard.
    logging.getLogger('asyncio').error('Task exception was never retrieved')
    assert caplog.messages[-1] == 'Task exception was never retrieved'


def test_damage_is_found_in_every_file(folder):
    newest = folder / '8'
    told = []
    for path in data_files(newest):
        with open(path, 'r+b') as stream:
            content = stream.read()
            middle = len(content) // 2
            stream.seek(middle)
            stream.write(bytes([content[middle] ^ 0x11]))
        try:
            restored, history = restore(folder)
        except InputError as error:
            told.append((path, str(error)))
        else:  # A file that does not matter, such as a time stamp.
            assert same(restored, make(2, step=8)) and history == HISTORY
        with open(path, 'wb') as stream:
            stream.write(content)
    assert {message for _, message in told} == {
        f'{newest} is a damaged checkpoint; delete that folder to go on from '
        'the one before it.'
    }
    assert any('/state/' in path for path, _ in told)
    assert any('/about/' in path for path, _ in told)
    assert same(restore(folder)[0], make(2, step=8))


@pytest.mark.parametrize('part', ['state', 'about'])
def test_missing_and_cut_files(folder, part):
    path = max(data_files(folder / '8' / part), key=os.path.getsize)
    os.truncate(path, os.path.getsize(path) // 2)
    with pytest.raises(InputError, match='damaged checkpoint'):
        restore(folder)
    os.unlink(path)
    with pytest.raises(InputError, match='damaged checkpoint'):
        restore(folder)
    shutil.rmtree(folder / '8')
    assert same(restore(folder)[0], make(1, step=4))


def test_another_network_is_named(folder):
    with pytest.raises(InputError) as caught:
        restore(folder, make(width=5))
    assert str(caught.value) == (
        f"{folder / '8'} holds another network: .params['bias'] is float32[3] "
        'there and float32[5] here; use another --workdir or the config it '
        'was made with.'
    )
    other = make()
    del other.params['bias']
    with pytest.raises(InputError, match=r"\['bias'\] is .* and None here"):
        restore(folder, other)


def test_what_a_killed_save_left_is_ignored_and_removed(folder):
    shutil.copytree(folder / '8', folder / '12.orbax-checkpoint-tmp')
    shutil.rmtree(folder / '12.orbax-checkpoint-tmp' / 'about')
    assert same(restore(folder)[0], make(2, step=8))
    save(folder, make(7, step=12))
    assert {p.name for p in folder.iterdir()} == {'8', '12'}
    assert same(restore(folder)[0], make(7, step=12))


SAVER = """
import sys
import test_checkpoints as t
from brainjax.training import checkpoints

with checkpoints.manager(sys.argv[1]) as manager:
    for step in range(1, 99):
        state = t.make(width=3_000_000, step=step)
        checkpoints.save(manager, state, t.HISTORY)
"""


def test_what_a_killed_save_left_is_removed(tmp_path):
    process = subprocess.Popen(
        [sys.executable, '-c', SAVER, tmp_path],
        env={
            **os.environ,
            'PYTHONPATH': f'{REPOSITORY}:{TESTS}:{TESTS / "training"}',
        },
    )

    def names():
        return {path.name for path in tmp_path.iterdir()}

    def half():
        return [name for name in names() if 'tmp' in name]

    living = []
    while not (living and '1' in names()):  # The second is being saved.
        process.send_signal(signal.SIGCONT)
        time.sleep(0.002)
        process.send_signal(signal.SIGSTOP)
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        living = half()
    with checkpoints.manager(tmp_path):
        assert half() == living
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert half() == living
    with checkpoints.manager(tmp_path) as manager:
        assert not half() and manager.latest_step() in (1, 2)

import os
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_training import (
    OPTIMIZER,
    STEP,
    batch_at,
    make_state,
    make_step,
    run,
    score_of,
)

from brainjax.errors import InputError
from brainjax.training import loop, parallel
from brainjax.training import state as training_state
from brainjax.training.checkpoints import manager, restore
from brainjax.training.loop import Interrupted, train


def numbers(result):
    state, history = result
    state = state.replace(key=jax.random.key_data(state.key))
    return [np.asarray(x).tobytes() for x in jax.tree.leaves(state)], history


def saved_steps(folder):
    with manager(folder) as m:
        return list(m.all_steps())


@pytest.fixture(scope='module')
def undisturbed(tmp_path_factory):
    return numbers(
        run(tmp_path_factory.mktemp('undisturbed'), validate=score_of)
    )


def test_history_holds_the_mean_of_each_epoch(tmp_path):
    losses = []

    def step(state, frozen, batch):
        state, metrics = STEP(state, frozen, batch)
        jax.debug.callback(lambda x: losses.append(float(x)), metrics['loss'])
        return state, metrics

    state, history = run(tmp_path, step=step)
    assert [record['epoch'] for record in history] == [1, 2, 3, 4]
    assert set(history[0]) == {'epoch', 'loss'}
    np.testing.assert_allclose(
        [record['loss'] for record in history],
        np.reshape(losses, (4, 5)).mean(1),
        rtol=1e-5,
    )
    assert history[-1]['loss'] < history[0]['loss']
    assert int(state.step) == 20
    assert float(state.batch_stats['count']) == 20


def test_longer_run_goes_on_from_the_shorter(tmp_path, undisturbed):
    run(tmp_path, epochs=1, validate=score_of)
    run(tmp_path, epochs=3, validate=score_of)
    assert numbers(run(tmp_path, validate=score_of)) == undisturbed
    # A run that is done does nothing.
    done = run(tmp_path, validate=score_of, batches=None)
    assert numbers(done) == undisturbed


def test_training_ends_where_validation_gets_no_better(tmp_path):
    scores = {5: 1.0, 10: 3.0, 15: 2.0, 20: 9.0}  # By the number of steps.
    options = {
        'validate': lambda variables: {
            'score': scores[int(variables['batch_stats']['count'])]
        },
        'validated': lambda state: jax.tree.map(lambda w: 2 * w, state.params),
        'patience': 1,
    }
    state, history = numbers(run(tmp_path / 'whole', **options))
    assert [each['validation_score'] for each in history] == [1, 3, 2]
    with manager(tmp_path / 'whole') as m:
        kept, _ = restore(m, make_state())
    two, _ = run(tmp_path / 'two', epochs=2)
    assert int(kept.step) == 15 and float(kept.best_score) == 3
    np.testing.assert_array_equal(kept.best['params']['w'], 2 * two.params['w'])

    def cut(i):
        if i == 7:
            os.kill(os.getpid(), signal.SIGTERM)
        return batch_at(i)

    with pytest.raises(Interrupted):
        run(tmp_path / 'cut', batches=cut, **options)
    assert numbers(run(tmp_path / 'cut', **options)) == (state, history)
    done = run(tmp_path / 'cut', batches=None, **options)
    assert numbers(done) == (state, history)
    # With more patience the last epoch is the best.
    _, longer = run(tmp_path / 'longer', **options | {'patience': 2})
    assert len(longer) == 4


@pytest.mark.parametrize('stop', [1, 7, 10, 19])
@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_signal_saves_and_the_run_goes_on_later(
    tmp_path, undisturbed, stop, number
):
    before = signal.getsignal(number)

    def send(i):
        if i == stop:
            os.kill(os.getpid(), number)
        return batch_at(i)

    with pytest.raises(Interrupted, match=r'test: stopped after \d+ of 20 st'):
        run(tmp_path, batches=send, validate=score_of, checkpoint_every=9)
    assert signal.getsignal(number) is before
    (step,) = saved_steps(tmp_path)
    # Batches are made up to four steps ahead.
    assert 1 <= step <= stop + 1
    assert numbers(run(tmp_path, validate=score_of)) == undisturbed


STEPS, VALIDATIONS = range(1, 21), range(1, 5)


def two_stages(folder, send=lambda what, i: None):
    """Trains twice in a row; `send` hears of each step and validation."""
    counts = {'step': 0, 'validation': 0}

    def heard(what):
        counts[what] += 1
        send(what, counts[what])

    def counted(step):
        run = PARALLEL(step)

        def call(*arguments):
            heard('step')
            return run(*arguments)

        return call

    def validate(variables):
        heard('validation')
        return score_of(variables)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parallel, 'parallel', counted)
        return [
            numbers(run(folder / name, epochs=2, validate=validate))
            for name in ('first', 'second')
        ]


PARALLEL = parallel.parallel


@pytest.fixture(scope='module')
def two_undisturbed(tmp_path_factory):
    return two_stages(tmp_path_factory.mktemp('two'))


@pytest.mark.parametrize(
    'when',
    [*(('step', i) for i in STEPS), *(('validation', i) for i in VALIDATIONS)],
)
def test_signal_at_any_step_of_two_stages_ends_the_run(
    tmp_path, two_undisturbed, when
):
    def send(*now):
        if now == when:
            os.kill(os.getpid(), signal.SIGTERM)

    # As `brainjax run` has it where nothing is trained.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with pytest.raises((Interrupted, KeyboardInterrupt)):
            two_stages(tmp_path, send)
    finally:
        signal.signal(signal.SIGTERM, before)
    # It stopped there, and goes on as if nothing had been.
    later = []
    found = two_stages(tmp_path, lambda *now: later.append(now))
    taken = [i for what, i in later if what == 'step']
    step = when[1] if when[0] == 'step' else 5 * when[1]
    assert len(taken) == 20 - step
    assert found == two_undisturbed


def test_signal_after_the_last_question_is_raised_again(tmp_path):
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), loop._stop_requests():
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_second_signal_acts_as_ever():
    def ask():
        with loop._stop_requests() as stopping:
            assert not stopping()
            os.kill(os.getpid(), signal.SIGINT)
            assert stopping()
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)

    # Whoever started this process may have had SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            ask()
    finally:
        signal.signal(signal.SIGINT, before)


def test_error_while_making_batches_is_raised_and_the_past_kept(
    tmp_path, undisturbed
):
    def broken(i):
        if i == 12:
            raise OSError('disk gone')
        return batch_at(i)

    with pytest.raises(OSError, match='disk gone'):
        run(tmp_path, batches=broken, validate=score_of)
    assert saved_steps(tmp_path) == [5, 10]
    assert numbers(run(tmp_path, validate=score_of)) == undisturbed


def test_validation_chooses_the_best(tmp_path):
    scores, seen = iter([0.1, 0.9, 0.5, 0.9]), []

    def validate(variables):
        seen.append(jax.tree.map(np.array, variables))
        return {'score': next(scores), 'other': 3}

    state, history = run(tmp_path, validate=validate)
    assert [r['validation_score'] for r in history] == [0.1, 0.9, 0.5, 0.9]
    assert [r['validation_other'] for r in history] == [3] * 4
    assert float(state.best_score) == np.float32(0.9)
    for ours, expected, last in zip(
        *map(jax.tree.leaves, (state.best, seen[1], seen[3]))
    ):
        np.testing.assert_array_equal(ours, expected)
        assert not np.array_equal(ours, last)
    np.testing.assert_array_equal(seen[3]['params']['w'], state.params['w'])
    assert float(state.best['batch_stats']['count']) == 10


def test_without_validation_the_best_is_the_first(tmp_path):
    state, _ = run(tmp_path, epochs=1)
    assert float(state.best_score) == -np.inf


def test_the_best_is_kept_where_it_is_asked_for(tmp_path):
    kept = make_state()
    state = training_state.create(
        {'params': kept.params, 'batch_stats': kept.batch_stats},
        OPTIMIZER,
        jax.random.key(5),
        ('loss',),
    )
    assert state.best == {} and kept.best
    state, history = train(
        make_step(),
        state,
        {'noise': np.float32(0.1)},
        batch_at,
        epochs=4,
        steps_per_epoch=5,
        folder=tmp_path,
        label='test',
        validate=score_of,
    )
    best = max(record['validation_score'] for record in history)
    assert state.best == {} and float(state.best_score) == np.float32(best)


def test_checkpoints_every_other_epoch_and_at_the_end(tmp_path):
    run(tmp_path, epochs=3, checkpoint_every=2)
    assert saved_steps(tmp_path) == [10, 15]


def test_long_epochs_are_saved_sooner(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, 'SECONDS_UNSAVED', 0)
    run(tmp_path, epochs=3, checkpoint_every=9)
    assert saved_steps(tmp_path) == [10, 15]


def test_step_is_compiled_once(tmp_path):
    for epochs in (2, 3):
        traced = []
        run(
            tmp_path,
            epochs=epochs,
            step=make_step(traced),
            validate=score_of,
        )
        assert len(traced) == 1


def test_loss_that_is_not_finite_stops_the_run(tmp_path):
    def broken(i):
        batch = batch_at(i)
        if i == 8:
            batch['y'] = batch['y'] + np.float32(np.inf)
        return batch

    with pytest.raises(InputError, match=r'test: loss is (inf|nan) in epoch 2'):
        run(tmp_path, batches=broken)
    assert saved_steps(tmp_path) == [5]


def test_folder_of_another_network(tmp_path):
    run(tmp_path, epochs=1)
    other = training_state.create(
        {
            'params': {'w': jnp.zeros(7)},
            'batch_stats': {'count': jnp.zeros([])},
        },
        OPTIMIZER,
        jax.random.key(5),
        ('loss',),
    )
    with pytest.raises(InputError, match=r"another network: .params\['w'\]"):
        train(
            STEP,
            other,
            {},
            batch_at,
            epochs=1,
            steps_per_epoch=1,
            folder=tmp_path,
            label='test',
        )


def test_validation_that_is_no_number_ends_the_run(tmp_path):
    with pytest.raises(InputError, match='validation_score is nan in epoch 1'):
        run(tmp_path, validate=lambda variables: {'score': np.nan})


def test_one_host_does_not_wait_for_a_step(tmp_path, monkeypatch):
    """Nothing is read of a step before the next one has been started."""

    def vote(flag):
        raise AssertionError('one host asks nobody')

    monkeypatch.setattr(parallel, 'any_host', vote)
    assert len(run(tmp_path)[1]) == 4

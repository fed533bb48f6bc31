"""The one training loop."""

import contextlib
import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from brainjax.errors import InputError
from brainjax.io.files import PathLike
from brainjax.io.metrics import Log
from brainjax.training import checkpoints, hosts, parallel
from brainjax.training.batches import prefetch
from brainjax.training.state import TrainState, copied

SECONDS_UNSAVED = 300  # How much a kill may cost, and the rest of an epoch.

History = list[dict[str, float]]


class Interrupted(Exception):
    """The run was asked to stop and has saved where it was."""


@contextlib.contextmanager
def _stop_requests() -> Iterator[Callable[[], bool]]:
    """Yields a function that tells whether SIGINT or SIGTERM has come.

    A second signal acts as it would have without this; so does, at the end,
    one that came too late for anybody to ask.
    """
    received = []
    before = {}

    def note(number, frame):
        del frame
        received.append(number)
        signal.signal(number, before[number])

    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, note)
    except ValueError:  # Not in the main thread: signals stay as they are.
        pass
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    # Reached only if nothing was raised, Interrupted included.
    for number in received[:1]:
        signal.raise_signal(number)


def train(
    step: Callable,
    state: TrainState,
    frozen: Any,
    batch_at: Callable[[int], Any],
    *,
    epochs: int,
    steps_per_epoch: int,
    folder: PathLike,
    label: str,
    validate: Callable[[Any], dict[str, float]] | None = None,
    validated: Callable[[TrainState], Any] = lambda state: state.params,
    patience: int = 0,
    checkpoint_every: int = 1,
    made_from: Mapping[str, Any] | None = None,
    log: Log | None = None,
) -> tuple[TrainState, History]:
    """Runs `step` until `epochs` are done, from a checkpoint if there is one.

    A run that is killed and started again ends with the same numbers: batches
    and random draws follow from the step's number alone.

    Args:
      step: (state, frozen, batch) -> (state, metrics), for one device.
      state: the state before the first step; its buffers are consumed.
      frozen: arrays that no step changes.
      batch_at: step number -> pytree of NumPy arrays [batch, ...], this
        host's part of the batch (see `parallel.local_rows`).
      epochs, steps_per_epoch: how long to run.
      folder: for the checkpoints.
      label: for the progress bar.
      validate: {'params', 'batch_stats'} -> scores after each epoch; the one
        named 'score' (higher is better) chooses `state.best`, if that is kept.
      validated: the parameters of a state that `validate` and `state.best`
        get, such as a moving average.
      patience: training ends after so many epochs that were no better than
        the best before them; 0 for none.
      checkpoint_every: epochs between checkpoints, where these take less than
        SECONDS_UNSAVED; else at the end of the epoch after so long.
      made_from: what training sees and how, ready for JSON; a checkpoint that
        was made from something else is refused.
      log: of `io.metrics`; given the history when it begins and after each
        epoch, on the first host.

    Returns:
      The last state, on all devices, and one record of mean metrics for each
      epoch that was run.

    Raises:
      Interrupted: SIGINT or SIGTERM came, be it in the last step; a checkpoint
        was saved.
    """
    run = parallel.parallel(step)
    frozen = parallel.replicate(frozen)
    total = epochs * steps_per_epoch
    log = log if log and hosts.is_first() else lambda history: None
    # In this order, so that a late signal finds the last checkpoint written.
    with _stop_requests() as stopping, checkpoints.manager(folder) as manager:
        state, history = checkpoints.resume(manager, state, made_from)
        log(history)
        state = parallel.replicate(state)
        start = int(state.step)
        if _is_enough(history, patience):
            return state, history
        previous = asked = None
        saved = time.monotonic()
        batches = prefetch(lambda i: parallel.shard(batch_at(i)), start, total)
        with (
            hosts.progress(label, total, start) as show,
            contextlib.closing(batches),
        ):
            for done, batch in enumerate(batches, start + 1):
                state, metrics = run(state, frozen, batch)
                if previous is not None:  # Read a step late: no waiting.
                    show(done - 1, _text(jax.device_get(previous)))
                previous, last = metrics, done == total
                if done % steps_per_epoch == 0:
                    state, record = _close_epoch(
                        label,
                        state,
                        done // steps_per_epoch,
                        steps_per_epoch,
                        validate,
                        validated,
                    )
                    history.append(record)
                    log(history)  # Before the checkpoint: none is without.
                    show(done, _text(record))
                    last |= _is_enough(history, patience)
                    due = record['epoch'] % checkpoint_every == 0
                    due |= time.monotonic() - saved > SECONDS_UNSAVED
                    if due or last:
                        checkpoints.save(manager, state, history, made_from)
                        saved = time.monotonic()
                stop = stopping()
                if hosts.count() > 1:
                    # Votes are read a step late: no waiting but at the end.
                    before, asked = asked, parallel.any_host(stop)
                    read = asked if last else before
                    stop = read is not None and bool(read)
                if stop:
                    checkpoints.save(manager, state, history, made_from)
                    raise Interrupted(
                        f'{label}: stopped after {done} of {total} steps'
                    )
                if last:
                    break
    return state, history


def _is_enough(history: History, patience: int) -> bool:
    """Whether `patience` epochs were no better than the best before them."""
    if not 0 < patience < len(history):
        return False
    scores = [record['validation_score'] for record in history]
    return max(scores[-patience:]) <= max(scores[:-patience])


def _close_epoch(label, state, epoch, steps, validate, validated):
    record = {'epoch': epoch}
    totals = jax.device_get(state.totals)
    record |= {name: float(value) / steps for name, value in totals.items()}
    state = state.replace(totals=jax.tree.map(jnp.zeros_like, state.totals))
    _check_finite(label, record)
    if validate is not None:
        now = {'params': validated(state), 'batch_stats': state.batch_stats}
        scores = hosts.run_on_first(
            lambda: {k: float(v) for k, v in validate(now).items()}
        )
        record |= {f'validation_{k}': v for k, v in scores.items()}
        _check_finite(label, record)
        score = np.float32(scores['score'])
        if score > state.best_score:
            best = copied(now) if state.best else {}
            state = state.replace(best=best, best_score=score)
    # On all devices, as the step returned it: else it would compile anew.
    return parallel.replicate(state), record


def _check_finite(label, record):
    for name, value in record.items():
        if not math.isfinite(value):
            raise InputError(
                f'{label}: {name} is {value} in epoch {record["epoch"]}, the '
                'training has diverged; lower its learning rate and use '
                'another --workdir.'
            )


def _text(record: dict[str, float]) -> str:
    return '  '.join(
        f'{name} {value:.3g}'
        for name, value in record.items()
        if name != 'epoch'
    )

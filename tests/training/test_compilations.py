"""What a whole training compiles and moves: a step once, a batch a step."""

import collections
import logging
import re
import threading

import jax
import pytest
import tiny
import tiny_faces
import tiny_posterior
import tiny_selfsup

from brainjax.methods.data import prepare
from brainjax.methods.faces.training import fit_vaegan
from brainjax.methods.posterior.data import fit_closed_form
from brainjax.methods.posterior.training import fit_flow
from brainjax.methods.selfsup import method as selfsup
from brainjax.training import parallel

STEPS, EPOCHS = 2, 3  # The first two epochs, then one more.


@pytest.fixture
def compiled():
    """Names of what is compiled while the test runs -> how often."""
    names, logger = collections.Counter(), logging.getLogger('jax')

    class Listener(logging.Handler):
        def emit(self, record):
            found = re.match(r'Compiling (\S+) with', record.getMessage())
            names.update(found.groups() if found else ())

    listener = Listener()
    logger.addHandler(listener)
    with jax.log_compiles():
        yield names
    logger.removeHandler(listener)


def fit_selfsup(folder, epochs):
    config = tiny_selfsup.config(
        encoder__epochs=epochs,
        decoder__epochs=epochs,
        **tiny_selfsup.ONE_LAYER,
    )
    for section in (config.encoder, config.decoder):
        section.update(steps=STEPS, select='validation')
    return selfsup.fit(
        prepare(tiny.subject(), tiny_selfsup.PICTURES), config, folder
    ).history


def fit_faces(folder, epochs):
    config = tiny_faces.get_config()
    config.training.update(epochs=epochs, steps=STEPS)
    pictures = tiny_faces.pictures(24)
    _, history = fit_vaegan(pictures[8:], config, folder, pictures[:8])
    return {'vaegan': history}


def fit_posterior(folder, epochs):
    config = tiny_posterior.get_config()
    # Its rate falls to the last epoch, so that it is not made longer.
    config.flow.update(epochs=epochs, steps=STEPS)
    data = tiny_posterior.data()
    _, training = fit_closed_form(data, 0)
    _, history = fit_flow(config, training, data.fingerprints, folder)
    return {'posterior': history}


@pytest.mark.parametrize(
    ('fit', 'networks', 'trainings'),
    [
        (fit_selfsup, 2, (EPOCHS - 1, EPOCHS)),
        (fit_faces, 1, (EPOCHS - 1, EPOCHS)),
        (fit_posterior, 1, (EPOCHS,)),
    ],
)
def test_each_step_is_compiled_once_also_on_resume(
    fit, networks, trainings, tmp_path, compiled, monkeypatch
):
    """And nothing but its batch is moved to a device, in one piece."""
    build, shard = parallel.parallel, parallel.shard
    during, moved = [], []

    def guarded(step):
        run = build(step)

        def call(*arguments):
            before = compiled.total()
            with jax.transfer_guard('disallow'):
                result = run(*arguments)
            during.append(compiled.total() - before)
            return result

        return call

    def counted(batch):
        # By the thread that makes batches ahead: what is predicted before a
        # training is moved by this one.
        if threading.current_thread() is not threading.main_thread():
            moved.append(batch)
        return shard(batch)

    monkeypatch.setattr(parallel, 'parallel', guarded)
    monkeypatch.setattr(parallel, 'shard', counted)
    done = 0
    for epochs in trainings:
        during.clear(), moved.clear()
        history = fit(tmp_path, epochs)
        assert {len(records) for records in history.values()} == {epochs}
        steps = STEPS * (epochs - done)
        assert during == networks * [1, *[0] * (steps - 1)]
        assert len(moved) == networks * steps
        done = epochs
    # Copies are of one program, not of one for each shape of an array.
    assert not compiled['jit(copy)']

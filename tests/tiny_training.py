"""A tiny regression for the training loop."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from brainjax.training import parallel
from brainjax.training import state as training_state
from brainjax.training.batches import indices
from brainjax.training.loop import train

OPTIMIZER = optax.adam(0.05)


INPUTS = np.random.default_rng(0).standard_normal((30, 4), np.float32)


TARGETS = INPUTS @ np.float32([1, -2, 3, 0.5])
BATCH = 6  # For one, two or three hosts.


def batch_at(i):
    rows = indices(0, 0, len(INPUTS), i, BATCH)
    return {'x': INPUTS[rows], 'y': TARGETS[rows]}


def make_step(traced=None):
    """A noisy linear regression."""

    def step(state, frozen, batch):
        if traced is not None:
            traced.append(1)
        key = jax.random.fold_in(state.key, state.step)
        keys = parallel.example_keys(key, len(batch['x']))
        noise = jax.vmap(lambda k: jax.random.normal(k, (4,)))(keys)

        def objective(params):
            x = batch['x'] + frozen['noise'] * noise
            return jnp.mean((x @ params['w'] - batch['y']) ** 2)

        loss, gradients = jax.value_and_grad(objective)(state.params)
        loss, gradients = parallel.mean((loss, gradients))
        stats = {'count': state.batch_stats['count'] + 1}
        metrics = {'loss': loss}
        return (
            training_state.advance(state, OPTIMIZER, gradients, stats, metrics),
            metrics,
        )

    return step


STEP = make_step()


def make_state():
    return training_state.create(
        {
            'params': {'w': jnp.zeros(4)},
            'batch_stats': {'count': jnp.zeros([])},
        },
        OPTIMIZER,
        jax.random.key(5),
        ('loss',),
        keep_best=True,
    )


def run(folder, epochs=4, step=STEP, batches=batch_at, **options):
    return train(
        step,
        make_state(),
        {'noise': np.float32(0.1)},
        batches,
        epochs=epochs,
        steps_per_epoch=5,
        folder=folder,
        label='test',
        **options,
    )


def score_of(variables):
    return {'score': -float(np.abs(variables['params']['w'][0] - 0.5))}

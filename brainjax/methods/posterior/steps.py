"""The train step of the flow, written for one device."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from brainjax.methods.posterior import losses
from brainjax.methods.posterior.networks import Shape, correction, known
from brainjax.training import parallel
from brainjax.training import state as training_state
from brainjax.training.optimizers import averaged, optimizer

METRICS = ('loss', 'pictures', 'paired', 'prior')


def build_optimizer(config: ConfigDict) -> optax.GradientTransformation:
    """Adam with a clipped gradient and a falling cosine, and the average."""
    c = config.flow
    rate = optax.cosine_decay_schedule(c.learning_rate, c.epochs * c.steps)
    return averaged(
        optax.chain(optax.clip_by_global_norm(c.clip), optimizer('adam', rate)),
        c.average,
    )


def flow_step(config: ConfigDict, shape: Shape) -> Callable:
    """Returns the step that matches the flow.

    `frozen` holds 'eye', the levels 'pictures', 'paired' and 'prior', 'centre'
    and 'scale'; a batch 'pictures' {'images'}, 'paired' {'images', 'mean'}
    and 'prior' {'images'}, images uint8 and means scaled, as rows. Parts whose
    batch is 0 are left out.
    """
    update = build_optimizer(config)

    def step(state, frozen, batch):
        key = jax.random.fold_in(state.key, state.step)
        names, parts = sorted(batch), []
        for place, name in enumerate(names):
            x = batch[name]['images'].astype(jnp.float32) / 255
            wanted = losses.beyond_bounds(x)
            x, wanted = (
                (each - frozen['centre']) / frozen['scale']
                for each in (x, wanted)
            )
            keys = parallel.example_keys(jax.random.fold_in(key, place), len(x))
            time_keys, noise_keys, told_keys = jax.vmap(
                lambda key: jax.random.split(key, 3), out_axes=1
            )(keys)
            level = frozen[name]
            if name == 'paired':
                mean = batch[name]['mean']
            else:  # Of the prior, nothing is told: the level's gain is 0.
                mean = losses.told(level, frozen['eye'], x, told_keys)
            noise = jax.vmap(lambda key, x: jax.random.normal(key, x.shape))(
                noise_keys, x
            )
            t = losses.times(time_keys)
            now = (1 - t)[:, None] * noise + t[:, None] * wanted
            base, seen = known(shape, level, mean, now, t)
            parts.append((wanted - noise - base, seen, t))
        left, seen, t = map(jnp.concatenate, zip(*parts))

        def objective(params):
            # One pass of the network serves all parts.
            error = (correction(config, params, seen, t) - left) ** 2
            metrics = dict.fromkeys(METRICS, jnp.zeros([]))
            start = 0
            for name, (_, _, times) in zip(names, parts):
                metrics[name] = error[start : start + len(times)].mean()
                start += len(times)
            metrics['loss'] = error.mean()
            return metrics['loss'], metrics

        (_, metrics), gradients = jax.value_and_grad(objective, has_aux=True)(
            state.params
        )
        gradients, metrics = parallel.mean((gradients, metrics))
        state = training_state.advance(
            state, update, gradients, state.batch_stats, metrics
        )
        return state, metrics

    return step

import jax
import numpy as np
import tiny_faces

from brainjax.methods.faces import networks, steps
from brainjax.training import parallel
from brainjax.training import state as training_state


def stepped(config):
    """Takes a step; returns parameters, metrics and bytes it computes in."""
    state = training_state.create(
        networks.initialise(config, jax.random.key(0)),
        steps.build_optimizer(config),
        jax.random.key(1),
        steps.METRICS,
    )
    images = tiny_faces.pictures(config.training.batch)
    inputs = (
        parallel.replicate(state),
        {},
        parallel.shard({'images': images}),
    )
    step = parallel.parallel(steps.vaegan_step(config))
    compiled = step.lower(*inputs).compile()
    state, metrics = jax.device_get(compiled(*inputs))
    held = compiled.memory_analysis().temp_size_in_bytes
    return state.params, metrics, held


def test_computing_norms_again_changes_memory_and_nothing_else(monkeypatch):
    config = tiny_faces.get_config()
    # Steps as long as the gradient, and activations larger than the weights.
    config.training.update(optimizer='sgd', learning_rate=1e-3, batch=64)
    config.networks.update(
        channels=(16, 8),
        generator_channels=(8, 16),
        discriminator_channels=(16, 8),
    )
    params, metrics, held = stepped(config)
    monkeypatch.setattr(jax, 'checkpoint', lambda function, policy: function)
    plain_params, plain_metrics, plain_held = stepped(config)
    for name, value in plain_metrics.items():
        np.testing.assert_allclose(metrics[name], value, rtol=1e-5)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6),
        params,
        plain_params,
    )
    assert held < 0.7 * plain_held

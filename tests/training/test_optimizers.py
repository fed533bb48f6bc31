import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from brainjax.errors import InputError
from brainjax.training.optimizers import (
    amsgrad,
    clipped,
    non_negative,
    optimizer,
    separate,
    stepwise,
)


def gradients(steps=12, large=100.0):
    """A large first gradient, then small ones."""
    g = np.random.default_rng(0).standard_normal((steps, 5))
    g[0] *= large
    return np.float32(g)


def run(transform, g):
    params = jnp.zeros(g.shape[1])
    state = transform.init(params)

    @jax.jit
    def step(params, state, gradient):
        updates, state = transform.update(gradient, state, params)
        return optax.apply_updates(params, updates), state

    path = []
    for gradient in g:
        params, state = step(params, state, gradient)
        path.append(params)
    return np.array(path)


def torch_amsgrad(g, rates, b1=0.9, b2=0.999, eps=1e-8):
    """PyTorch's: the maximum is of the raw moment, corrected afterwards."""
    p = m = v = largest = np.zeros(g.shape[1])
    path = []
    for t, gradient in enumerate(np.float64(g), 1):
        m = b1 * m + (1 - b1) * gradient
        v = b2 * v + (1 - b2) * gradient**2
        largest = np.maximum(largest, v)
        denominator = np.sqrt(largest) / np.sqrt(1 - b2**t) + eps
        p = p - rates[t - 1] / (1 - b1**t) * m / denominator
        path.append(p)
    return np.array(path)


@pytest.mark.parametrize('large', [1.0, 100.0, 1e4])
def test_amsgrad_is_pytorchs(large):
    g = gradients(large=large)
    np.testing.assert_allclose(
        run(amsgrad(5e-3), g), torch_amsgrad(g, [5e-3] * 12), rtol=1e-5
    )


@pytest.mark.parametrize(
    'options', [{'b1': 0.5, 'b2': 0.9, 'eps': 1e-3}, {'b1': 0.0}]
)
def test_amsgrad_options(options):
    g = gradients()
    np.testing.assert_allclose(
        run(amsgrad(0.1, **options), g),
        torch_amsgrad(g, [0.1] * 12, **options),
        rtol=1e-5,
    )


def test_amsgrad_never_seen_gradient_leaves_a_parameter_where_it_is():
    g = gradients()
    g[:, 2] = 0
    path = run(amsgrad(0.1), g)
    assert not path[:, 2].any() and path[:, :2].all()


def test_optaxs_amsgrad_is_another():
    g = gradients(steps=10)
    ours, theirs = (
        np.abs(run(make(5e-3), g)).sum() for make in (amsgrad, optax.amsgrad)
    )
    # Its maximum stays at the first step's corrected moment.
    assert ours > 1.1 * theirs


@pytest.mark.parametrize('name', ['amsgrad', 'adam', 'sgd'])
def test_schedule_counts_the_steps_before_the_update(name):
    rate = stepwise(0.1, ((1, 0.2), (3, 0.5)), steps_per_epoch=2)
    rates = [0.1] * 2 + [0.02] * 4 + [0.01] * 6
    np.testing.assert_allclose([rate(i) for i in range(12)], rates, rtol=1e-6)
    g = gradients()
    path = run(optimizer(name, rate), g)
    if name == 'amsgrad':
        expected = torch_amsgrad(g, rates)
    elif name == 'adam':
        m = v = np.zeros(5)
        updates = []
        for t, gradient in enumerate(np.float64(g), 1):
            m = 0.9 * m + 0.1 * gradient
            v = 0.999 * v + 0.001 * gradient**2
            corrected = np.sqrt(v / (1 - 0.999**t)) + 1e-8
            updates.append(-rates[t - 1] * m / (1 - 0.9**t) / corrected)
        expected = np.cumsum(updates, axis=0)
    else:
        # Nesterov: the momentum is added once more, ahead.
        momentum, updates = np.zeros(5), []
        for t, gradient in enumerate(np.float64(g)):
            momentum = 0.9 * momentum + gradient
            updates.append(-rates[t] * (gradient + 0.9 * momentum))
        expected = np.cumsum(updates, axis=0)
    np.testing.assert_allclose(path, expected, rtol=1e-4, atol=1e-6)


def test_published_schedule_of_the_decoder():
    rate = stepwise(5e-3, ((100, 0.2), (140, 0.2)), steps_per_epoch=50)
    epochs = [0, 99.98, 100, 139.98, 140, 149]
    np.testing.assert_allclose(
        [rate(round(50 * epoch)) for epoch in epochs],
        [5e-3, 5e-3, 1e-3, 1e-3, 2e-4, 2e-4],
        rtol=1e-6,
    )


def test_no_such_optimizer():
    with pytest.raises(InputError, match=r"'amsgrd'.*Did you mean 'amsgrad'"):
        optimizer('amsgrd', 1.0)


def test_separate_optimisers_with_gates():
    params = {'a': jnp.ones(3), 'b': {'c': jnp.ones(2)}}
    parts = {'a': optax.adam(0.1), 'b': optax.sgd(0.5, momentum=0.9)}
    both = separate(parts)
    state = both.init(params)
    own = {name: part.init(params[name]) for name, part in parts.items()}
    rng = np.random.default_rng(0)
    for gates in ((1, 1), (0, 1), (1, 0), (0, 0), (1, 1)):
        gradients = jax.tree.map(
            lambda x: jnp.asarray(rng.standard_normal(x.shape, np.float32)),
            params,
        )
        gates = dict(zip('ab', map(jnp.bool_, gates)))
        updates, state = both.update(gradients, state, params, gates=gates)
        for name, part in parts.items():
            if gates[name]:
                expected, own[name] = part.update(
                    gradients[name], own[name], params[name]
                )
            else:
                expected = jax.tree.map(jnp.zeros_like, params[name])
            jax.tree.map(np.testing.assert_array_equal, updates[name], expected)
            jax.tree.map(np.testing.assert_array_equal, state[name], own[name])


def test_one_absurd_gradient_moves_no_further_than_the_clip_lets_it():
    g = np.float32(np.random.default_rng(1).standard_normal((400, 50)))
    absurd = g.copy()
    absurd[300] *= 1e4

    def way_off(transform):
        return np.linalg.norm(
            run(transform, absurd)[320] - run(transform, g)[320]
        )

    rate, times = 1e-3, 2.0
    plain, held = optax.adam(rate), clipped(optax.adam(rate), times)
    # Momentum carries twice the usual gradient on; unheld it is all there is.
    assert way_off(held) < 0.15 * way_off(plain)
    # By plain descent the path is that of a gradient twice as long as those
    # before, to the tenth that the running mean knows their norm to.
    sgd = optax.sgd(rate)
    usual = np.linalg.norm(g, axis=1).mean()
    step = np.diff(run(clipped(sgd, times), absurd), axis=0)[299]
    np.testing.assert_allclose(
        np.linalg.norm(step), rate * times * usual, rtol=0.1
    )
    np.testing.assert_allclose(
        step / np.linalg.norm(step),
        -g[300] / np.linalg.norm(g[300]),
        atol=1e-5,
    )


def test_clip_lets_by_what_is_usual_and_follows_what_lasts():
    g = np.float32(np.random.default_rng(2).standard_normal((200, 50)))
    g[:2] = 0  # Of which no norm follows that could hold what comes.
    sgd = optax.sgd(0.1)
    np.testing.assert_array_equal(run(clipped(sgd, 100.0), g), run(sgd, g))
    g[100:] *= 30
    steps = [
        np.linalg.norm(np.diff(run(each, g), axis=0), axis=1)
        for each in (sgd, clipped(sgd, 2.0))
    ]
    np.testing.assert_allclose(steps[1][:99], steps[0][:99], rtol=1e-3)
    assert steps[1][99] < 0.1 * steps[0][99]
    np.testing.assert_allclose(steps[1][-1], steps[0][-1], rtol=1e-3)


def test_parameters_that_must_not_fall_below_zero():
    params = {'mix': jnp.array([1.0, 0.2, 0.0]), 'other': jnp.array([0.1])}
    transform = optax.chain(optax.sgd(0.5), non_negative('mix'))
    state = transform.init(params)
    path = []
    for g in ([1.0, 1.0, -2.0], [1.0, -1.0, 4.0]):
        gradient = {'mix': jnp.array(g), 'other': jnp.array([1.0])}
        updates, state = transform.update(gradient, state, params)
        params = optax.apply_updates(params, updates)
        path.append(params['mix'])
    # By hand: p - g / 2, and 0 in place of what is less; 0 can rise again.
    np.testing.assert_allclose(path, [[0.5, 0, 1], [0, 0.5, 0]], atol=1e-7)
    np.testing.assert_allclose(params['other'], [-0.9], rtol=1e-6)

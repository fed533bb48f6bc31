import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
import scipy.optimize

from brainjax.methods.inversion import steps
from brainjax.methods.inversion.steps import Box


@pytest.mark.parametrize('sigma', [0.3, 0.5, 1.0, 1.37, 2.0])
@pytest.mark.parametrize('size', [(16, 11), (3, 5)])
def test_blur_is_scipys(sigma, size):
    x = np.random.default_rng(0).standard_normal((2, *size, 3))
    expected = scipy.ndimage.gaussian_filter(x, (0, sigma, sigma, 0))
    found = jax.jit(steps.blur, static_argnums=2)(x, sigma, 2.0)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_no_blur_leaves_the_picture():
    x = np.random.default_rng(0).random((1, 6, 6, 3), np.float32)
    np.testing.assert_allclose(steps.blur(x, 0.0, 2.0), x, atol=1e-6)


def test_schedule_never_arrives():
    values = [float(steps.schedule((2.0, 1.0), t, 4)) for t in range(4)]
    assert values == [2.0, 1.75, 1.5, 1.25]


def objective(target):
    return lambda x: jnp.sum((x - target) ** 4, (1, 2, 3))


def slow(target, settings, x, shifts):
    """The published order, picture by picture and step by step."""
    velocity = np.zeros_like(x)
    n, seen, losses = settings.steps, None, []

    def now(pair, t):
        return pair[0] + t * (pair[1] - pair[0]) / n

    for t in range(n):
        seen = x
        if settings.jitter:
            move = tuple(shifts[t])
            x, velocity = (np.roll(a, move, (0, 1)) for a in (x, velocity))
        losses.append(np.sum((x - target) ** 4))
        gradient = 4 * (x - target) ** 3
        gradient = gradient / np.mean(np.abs(gradient))
        velocity = now(settings.momentum, t) * velocity + gradient
        if settings.norm[1]:
            slope = np.sign(x) * np.abs(x) ** (settings.norm[0] - 1)
            velocity = velocity + settings.norm[1] * slope / np.mean(
                np.abs(slope)
            )
        x = x - now(settings.rate, t) * velocity
        if settings.jitter:
            back = tuple(-shifts[t])
            x, velocity = (np.roll(a, back, (0, 1)) for a in (x, velocity))
        x = (1 - now(settings.decay, t)) * x
        if settings.blur:
            sigma = now(settings.blur, t)
            x = scipy.ndimage.gaussian_filter(x, (sigma, sigma, 0))
    return x, seen, losses


@pytest.mark.parametrize('jitter', [0, 2])
@pytest.mark.parametrize('norm', [(3.0, 0.0), (3.0, 0.5)])
def test_steps_are_in_the_published_order(jitter, norm):
    rng = np.random.default_rng(0)
    x, target = rng.standard_normal((2, 2, 8, 9, 3))
    target *= 3
    settings = dataclasses.replace(
        steps.Descent(), steps=6, jitter=jitter, norm=norm
    )
    keys = jax.random.split(jax.random.key(0), 2)
    state = steps.start_descent(jnp.asarray(x, jnp.float32), settings)
    for t in range(6):
        state = steps.descend(
            objective(target), settings, Box(), keys, jnp.asarray(t), state
        )
    for i in range(2):
        shifts = [
            np.asarray(
                jax.random.randint(
                    jax.random.fold_in(keys[i], t), (2,), -jitter, jitter + 1
                )
            )
            for t in range(6)
        ]
        expected, seen, losses = slow(target[i], settings, x[i], shifts)
        np.testing.assert_allclose(state.x[i], expected, atol=2e-4)
        np.testing.assert_allclose(state.seen[i], seen, atol=2e-4)
        np.testing.assert_allclose(state.losses[:, i], losses, rtol=1e-3)


def test_the_box_holds_and_a_flat_loss_moves_nothing():
    settings = dataclasses.replace(
        steps.CODE_DESCENT, steps=3, decay=(0.0, 0.0)
    )
    x = jnp.full((1, 4, 4, 3), 0.5)
    state = steps.start_descent(x, settings)
    flat = steps.descend(
        lambda x: 0 * jnp.sum(x, (1, 2, 3)),
        settings,
        Box(),
        jax.random.split(jax.random.key(0), 1),
        jnp.asarray(0),
        state,
    )
    np.testing.assert_array_equal(flat.x, x)
    bound = steps.descend(
        objective(5.0),
        settings,
        Box(jnp.zeros(()), jnp.full((), 0.75)),
        jax.random.split(jax.random.key(0), 1),
        jnp.asarray(0),
        state,
    )
    np.testing.assert_allclose(bound.x, 0.75)


def test_total_variation_smooths():
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.standard_normal((1, 8, 8, 3)), jnp.float32)
    settings = dataclasses.replace(
        steps.CODE_DESCENT,
        steps=20,
        rate=(0.05, 0.0),
        decay=(0.0, 0.0),
        variation=1.0,
    )
    state = steps.start_descent(x, settings)
    for t in range(20):
        state = steps.descend(
            lambda x: 0 * jnp.sum(x, (1, 2, 3)),
            settings,
            Box(),
            jax.random.split(jax.random.key(0), 1),
            jnp.asarray(t),
            state,
        )

    def rough(x):
        return np.sum(np.diff(x, axis=1) ** 2) + np.sum(np.diff(x, axis=2) ** 2)

    assert rough(state.x) < 0.5 * rough(x)


def rosenbrock(x):
    return jnp.sum(
        100 * (x[:, 1:] - x[:, :-1] ** 2) ** 2 + (1 - x[:, :-1]) ** 2, -1
    )


@functools.partial(jax.jit, static_argnums=(0, 1))
def run(objective, settings, box, state):
    return jax.lax.fori_loop(
        0,
        settings.steps,
        lambda t, s: steps.quasi_newton(objective, settings, box, None, t, s),
        state,
    )


def search(objective, x, box, count):
    settings = steps.QuasiNewton(count)
    state = steps.start_quasi_newton(jnp.asarray(x), settings)
    return run(objective, settings, box, state)


BOXES = {
    'none': (None, None),
    'inactive': (-5.0, 5.0),
    'active': (-0.5, 0.7),
    'below only': (1.2, None),
}


@pytest.mark.parametrize('bounds', BOXES.values(), ids=BOXES)
def test_finds_what_scipy_finds(bounds):
    rng = np.random.default_rng(0)
    low, high = bounds
    x = rng.uniform(-1, 1, (4, 6)).astype(np.float32).clip(low, high)
    box = Box(
        low if low is None else jnp.full(6, low),
        high if high is None else jnp.full(6, high),
    )
    state = search(rosenbrock, x, box, 400)
    alone = jax.jit(jax.value_and_grad(lambda v: rosenbrock(v[None])[0]))
    for i in range(4):
        with jax.enable_x64(True):
            found = scipy.optimize.minimize(
                alone,
                np.float64(x[i]),
                jac=True,
                method='L-BFGS-B',
                bounds=[bounds] * 6,
            )
        assert state.loss[i] <= found.fun + 1e-3 * max(1, found.fun)
        if low is not None:
            assert np.all(state.x[i] >= low)
        if high is not None:
            assert np.all(state.x[i] <= high)


def test_losses_never_rise_and_pictures_do_not_mix():
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (3, 5)).astype(np.float32)
    together = search(rosenbrock, x, Box(), 60)
    assert np.all(np.diff(together.losses, axis=0) <= 0)
    for i in range(3):
        alone = search(rosenbrock, x[i : i + 1], Box(), 60)
        np.testing.assert_allclose(
            # Later line searches amplify rounding.
            *(alone.losses[:25, 0], together.losses[:25, i]),
            rtol=1e-2,
            atol=1e-4,
        )


def test_at_the_minimum_it_stays():
    state = search(rosenbrock, np.ones((1, 4), np.float32), Box(), 10)
    np.testing.assert_array_equal(state.x, 1)
    assert np.all(np.isfinite(state.losses))

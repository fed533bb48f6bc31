import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from brainjax.methods.inversion import quasi_newton as newton
from brainjax.methods.inversion.objective import Box


def rosenbrock(x):
    return jnp.sum(
        100 * (x[:, 1:] - x[:, :-1] ** 2) ** 2 + (1 - x[:, :-1]) ** 2, -1
    )


def search(objective, x, box, steps):
    settings = newton.QuasiNewton(steps)
    state = newton.start_quasi_newton(jnp.asarray(x), settings)

    @functools.partial(jax.jit, static_argnums=1)
    def run(state, steps):
        return jax.lax.fori_loop(
            0,
            steps,
            lambda t, s: newton.quasi_newton(
                objective, settings, box, None, t, s
            ),
            state,
        )

    return run(state, steps)


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
            alone.losses[:, 0], together.losses[:, i], rtol=1e-2, atol=1e-4
        )


def test_at_the_minimum_it_stays():
    state = search(rosenbrock, np.ones((1, 4), np.float32), Box(), 10)
    np.testing.assert_array_equal(state.x, 1)
    assert np.all(np.isfinite(state.losses))

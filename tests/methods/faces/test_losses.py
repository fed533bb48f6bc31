import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from brainjax.methods.faces import losses
from brainjax.methods.faces.losses import Logits
from brainjax.networks.vaegan import Posterior, kl_divergence


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


@pytest.fixture
def logits():
    rng = np.random.default_rng(0)
    return Logits(*(3 * rng.standard_normal((3, 5), np.float32)))


def test_divergence_is_that_of_normal_distributions():
    mean, log_sigma = np.float32([[0.3, -0.8]]), np.float32([[-0.5, 0.4]])

    def integrand(x, m, s):
        p = scipy.stats.norm(m, s)
        return p.pdf(x) * (p.logpdf(x) - scipy.stats.norm.logpdf(x))

    expected = sum(
        scipy.integrate.quad(integrand, -12, 12, (m, np.exp(s)))[0]
        for m, s in zip(mean[0], log_sigma[0])
    )
    found = kl_divergence(Posterior(mean, log_sigma))
    np.testing.assert_allclose(found, [expected], rtol=1e-5)
    zero = Posterior(jnp.zeros((1, 3)), jnp.zeros((1, 3)))
    assert kl_divergence(zero) == 0


def test_half_squared_norm_sums_over_units():
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2)
    expected = [0.5 * (x[i] ** 2).sum() for i in range(2)]
    np.testing.assert_allclose(losses.half_squared_norm(x), expected)


def test_objective_and_games(logits):
    real, reconstructed, sampled = (sigmoid(x) + 0 for x in logits)
    gan = (
        np.log(real + 1e-12)
        + np.log(1 - reconstructed + 1e-12)
        + np.log(1 - sampled + 1e-12)
    ) / 3
    np.testing.assert_allclose(
        losses.gan_objective(logits), gan.mean(), rtol=1e-5
    )
    expected = {
        'cadl': -gan.mean(),
        'minimax': gan.mean(),
        'nonsaturating': -(np.log(reconstructed) + np.log(sampled)).mean() / 3,
        'none': 0,
    }
    assert losses.GAMES.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(losses.GAMES[name](logits), value, rtol=1e-5)


def test_logarithms_of_certain_logits():
    """No infinity, and no gradient lost where float32's 1 - D is 0."""
    x = jnp.float32([-200, -30, 0, 20, 200])
    np.testing.assert_allclose(
        losses.log_real(x), np.log(sigmoid(x) + 1e-12), rtol=1e-5, atol=1e-8
    )
    np.testing.assert_allclose(losses.log_fake(x), losses.log_real(-x))
    slope = jax.vmap(jax.grad(losses.log_fake))(x)
    assert np.isfinite(slope).all()
    np.testing.assert_allclose(slope[3], -1, atol=1e-2)


def test_costs(logits):
    real, fake = losses.discriminator_costs(logits)
    np.testing.assert_allclose(
        real, -np.log(sigmoid(logits.real)).mean(), rtol=1e-5
    )
    np.testing.assert_allclose(
        fake, -np.log(1 - sigmoid(logits.reconstructed)).mean(), rtol=1e-5
    )


def test_gates_over_all_cases():
    """As the rules say, one sentence each."""
    values = (0.1, 0.292, 0.294, 0.693, 1.092, 1.094, 3.0)
    seen = set()
    for real, fake in itertools.product(values, values):
        skip_generator = real > 1.093 or fake > 1.093
        skip_discriminator = real < 0.293 or fake < 0.293
        if skip_generator and skip_discriminator:
            skip_generator = skip_discriminator = False
        found = losses.gates(jnp.float32(real), jnp.float32(fake), 0.693, 0.4)
        assert found['encoder']
        assert found['generator'] == (not skip_generator), (real, fake)
        assert found['discriminator'] == (not skip_discriminator), (real, fake)
        seen.add((skip_generator, skip_discriminator))
    assert len(seen) == 3

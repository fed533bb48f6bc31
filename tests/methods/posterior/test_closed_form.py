"""What the flow is given, against the posterior and against single voxels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny_posterior

from brainjax.linear.bayes import (
    encoder,
    noise,
    nonlinear,
    posterior,
    prior,
    reference,
)
from brainjax.methods import references
from brainjax.methods.posterior import closed_form, losses, networks
from brainjax.methods.posterior.data import (
    conditions,
    fit_closed_form,
    to_uint8,
)


@pytest.fixture(scope='module')
def known():
    data = tiny_posterior.data()
    closed, training = fit_closed_form(data, 0)
    return data, closed, training


def test_means_and_covariances_are_those_of_the_posterior(known):
    data, closed, training = known
    fitted = closed.fitted
    means = conditions(training, data.test.fmri)
    model = fitted.model
    precision = posterior.precision(
        model.encoder, model.noise, 2, model.encoder.doubt
    )
    z, told = posterior.estimate(model, precision, data.test.fmri)
    one = posterior.Posterior(z, np.zeros(len(z), int), [told], model.seen)
    np.testing.assert_allclose(
        means * training.scale + training.centre,
        reference.mean(fitted, one),
        atol=2e-4,
    )
    level = training.levels['test']
    spread = (level.axes**2).T @ level.variance * training.scale**2
    spread += fitted.outside
    np.testing.assert_allclose(
        np.sqrt(spread), reference.deviation(fitted, one)[0], atol=2e-4
    )
    # Of the prior, nothing is told by a response.
    without = training.levels['prior']
    assert not without.gain.any()
    np.testing.assert_allclose(
        without.offset * training.scale + training.centre,
        prior.pictures(fitted.basis, model.prior.mean[None])[0],
        atol=2e-4,
    )


def test_simulated_conditions_are_those_of_simulated_voxels(known):
    """Weights, noise and responses drawn one by one give the same moments."""
    _, closed, training = known
    fitted, n = closed.fitted, 4000
    model, wide = fitted.model, fitted.model.widening
    image = closed.training.unpaired[:1]
    x = (image - training.centre) / training.scale
    keys = jax.random.split(jax.random.key(0), n)
    ours = np.asarray(
        losses.told(
            training.levels['test'],
            training.eye,
            jnp.repeat(jnp.float32(x), n, axis=0),
            keys,
        )
    )
    rng = np.random.default_rng(1)
    enc = model.encoder
    y = prior.coordinates(fitted.basis, image)
    doubt = encoder.uncertainty(enc, y)[0]
    sigma = noise.of_average(model.noise, 2)
    covariance = np.diag(sigma.independent) + sigma.shared.T @ sigma.shared
    covariance += doubt * np.diag(enc.variance)
    responses = rng.multivariate_normal(
        encoder.predict(enc, y)[0], wide * covariance, n
    )
    theirs = conditions(training, responses)
    deviation = theirs.std(axis=0)
    np.testing.assert_allclose(
        ours.mean(axis=0), theirs.mean(axis=0), atol=6 * deviation.max() / 63
    )
    np.testing.assert_allclose(ours.std(axis=0), deviation, rtol=0.1, atol=1e-3)
    several = slice(60, 90, 5)
    np.testing.assert_allclose(
        np.cov(ours[:, several].T),
        np.cov(theirs[:, several].T),
        atol=0.1 * deviation.max() ** 2,
    )


def test_conditions_are_simulated_by_a_nonlinear_encoder(monkeypatch):
    """Where voxels are not linear, with its noise and what it does not know."""
    data = tiny_posterior.data(train=120, rectify=True)
    closed, training = fit_closed_form(data, 0)
    fitted, beside, n = closed.fitted, training.nonlinearity, 4000
    some = 3
    x = (training.pictures[some] / 255 - training.centre) / training.scale
    keys = jax.random.split(jax.random.key(0), n)
    level = training.levels['pictures']
    ours = np.asarray(
        losses.told(
            level,
            training.eye,
            jnp.repeat(jnp.float32(x[None]), n, axis=0),
            keys,
            jax.tree.map(lambda x: x[[some] * n], beside),
        )
    )
    encoder = reference.nonlinear(fitted, *closed.training)
    y = prior.coordinates(
        fitted.basis, training.pictures[[some]] / np.float32(255)
    )
    mean, variance = nonlinear.predict(encoder, y)
    sigma = noise.of_average(encoder.noise, 2)
    covariance = np.diag(sigma.independent) + sigma.shared.T @ sigma.shared
    covariance += np.diag(variance[0])
    rng = np.random.default_rng(1)
    theirs = conditions(
        training,
        rng.multivariate_normal(mean[0], fitted.model.widening * covariance, n),
    )
    deviation = theirs.std(axis=0)
    np.testing.assert_allclose(
        ours.mean(axis=0), theirs.mean(axis=0), atol=6 * deviation.max() / 63
    )
    np.testing.assert_allclose(ours.std(axis=0), deviation, rtol=0.2)
    # What is made of a response is the linear encoder's.
    for name in ('gain', 'offset', 'variance'):
        np.testing.assert_array_equal(
            getattr(level, name), getattr(training.levels['test'], name)
        )


def test_an_untrained_flow_draws_the_closed_form(known):
    """The network adds 0, and midpoint steps carry noise to the Gaussian."""
    data, closed, training = known
    config = tiny_posterior.get_config()
    config.draw_steps = 25
    config.flow.update(channels=(4,), groups=2, patch=4)  # Any network does.
    params = networks.init(config, closed.shape, jax.random.key(0))['params']
    level = training.levels['test']
    mean = conditions(training, data.test.fmri)[:1]
    n = 1500
    drawn = np.asarray(
        networks.draw(
            config,
            params,
            closed.shape,
            level,
            jnp.repeat(mean, n, axis=0),
            jax.random.split(jax.random.key(1), n),
        )
    )
    variance = (level.axes**2).T @ level.variance + closed_form.FLOOR
    np.testing.assert_allclose(
        drawn.mean(axis=0), mean[0], atol=5 * np.sqrt(variance.max() / n)
    )
    np.testing.assert_allclose(drawn.var(axis=0), variance, rtol=0.25)
    # Along the first axis, too, where pixels vary together.
    along = (drawn - mean) @ level.axes[-1]
    np.testing.assert_allclose(along.var(), level.variance[-1], rtol=0.15)


def test_the_gaussian_velocity_is_the_regression_of_the_velocity():
    """On x_t, by least squares over many pairs of noise and picture."""
    rng = np.random.default_rng(0)
    axes, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    along = np.float32(axes[:2]), np.float32([2.0, 0.3])
    level = closed_form.Level(*[None] * 2, *along, *[None] * 4, np.full(1, 0.1))
    mean, t, n = np.array([0.5, -1.0, 2.0]), 0.6, 400_000
    root = np.sqrt(np.array([2.0, 0.3, 0.0]) + 0.1)
    x = mean + rng.standard_normal((n, 3)) * root @ axes
    e = rng.standard_normal((n, 3))
    now = (1 - t) * e + t * x
    design = np.column_stack([now, np.ones(n)])
    fitted, *_ = np.linalg.lstsq(design, x - e, rcond=None)
    points = rng.standard_normal((5, 3))
    found = losses.gaussian_velocity(
        level, jnp.float32(np.tile(mean, (5, 1))), points, jnp.full(5, t)
    )
    np.testing.assert_allclose(
        found, np.column_stack([points, np.ones(5)]) @ fitted, atol=0.03
    )


def test_pictures_of_training_are_conditioned_without_themselves(known):
    _, closed, training = known
    seen, held_out = closed.training.pictures, training.validation
    assert len(training.paired) == 32 and len(held_out.pictures) == 8
    chosen_rows = references.to_rows(closed, held_out.pictures)
    # Whatever chooses the reconstruction, the flow does not learn from.
    learned = {row.tobytes() for row in training.paired}
    chosen = {row.tobytes() for row in to_uint8(chosen_rows)}
    assert not learned & chosen
    assert learned | chosen == {row.tobytes() for row in to_uint8(seen)}
    for pictures, means in (
        (training.paired / 255, training.means),
        (chosen_rows, held_out.means),
    ):
        scaled = (pictures - training.centre) / training.scale
        out = ((means - scaled) ** 2).mean()
        assert out < 0.9 * scaled.var()  # Something is told.
    error = ((held_out.reconstructions - chosen_rows) ** 2).mean()
    assert error < 0.9 * chosen_rows.var()


def test_pixels_at_the_bounds_are_drawn_beyond_them():
    x = jnp.array([0.0, 0.004, 0.5, 0.996, 1.0])
    found = losses.beyond_bounds(x)
    np.testing.assert_allclose(found, [-0.05, 0.004, 0.5, 0.996, 1.05])
    np.testing.assert_array_equal(found.clip(0, 1), x)

"""Each loss against the formula of the paper, written again in NumPy."""

import doctest
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from brainjax import losses
from brainjax.errors import InputError


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def pictures(seed, n=2, size=6):
    return np.random.default_rng(seed).random((n, size, size, 3), np.float32)


def agrees(ours, expected):
    assert jnp.shape(ours) == ()
    np.testing.assert_allclose(ours, expected, rtol=2e-5)


# The formulas, with loops where a loop is plainer.


def numpy_unit(features):
    norm = np.sqrt((features**2).sum(-1, keepdims=True) + 1e-10)
    return features / (norm + 1e-10)


def numpy_cosine_features(prediction, target):
    a, b = numpy_unit(np.float64(prediction)), numpy_unit(np.float64(target))
    return np.mean([1 - np.dot(*pair) for pair in zip(*flat(a, b))])


def flat(*arrays):
    return (a.reshape(-1, a.shape[-1]) for a in arrays)


def numpy_variation(images):
    x = np.float64(images)
    n, height, width, channels = x.shape
    total = 0.0
    for i in range(height - 1):
        for j in range(width - 1):
            corner = x[:, i + 1, j + 1]
            down, right = corner - x[:, i, j + 1], corner - x[:, i + 1, j]
            total += ((down**2 + right**2) ** 1.25).sum()
    return total / (n * (height - 1) * (width - 1) * channels)


def numpy_cosine(a, b):
    a, b = np.float64(a), np.float64(b)
    return np.mean(
        [x @ y / np.linalg.norm(x) / np.linalg.norm(y) for x, y in zip(a, b)]
    )


def numpy_neighbours(square, neighbours, mode):
    """Mean over the neighbours of each place of [height, width]."""
    near = [(-1, 0), (1, 0), (0, -1), (0, 1)]
    if neighbours == 8:
        near += [(-1, -1), (-1, 1), (1, -1), (1, 1)]
    height, width = square.shape
    padded = np.pad(square, 1, mode=mode)
    out = np.zeros_like(square)
    for y in range(height):
        for x in range(width):
            out[y, x] = np.mean([padded[1 + y + i, 1 + x + j] for i, j in near])
    return out


def numpy_group(weights, absolute, group, neighbours, mode, inverse_snr):
    w = np.float64(weights)
    voxels, height, width, channels = w.shape
    root = np.zeros((voxels, height, width))
    for v in range(voxels):
        q = [
            w[v, :, :, c] ** 2
            + 0.5 * numpy_neighbours(w[v, :, :, c] ** 2, neighbours, mode)
            for c in range(channels)
        ]
        root[v] = np.sqrt(np.mean(q, axis=0) / 1.5)
    weighted = [abs(w[v]).mean() * inverse_snr[v] for v in range(voxels)]
    return absolute * np.mean(weighted) + group * root.mean()


def numpy_second_moment(space):
    d = round(len(space) ** 0.5)
    voxels = space.shape[1]
    y, x = np.mgrid[:d, :d]
    total = 0.0
    for v in range(voxels):
        p = np.float64(space[:, v].reshape(d, d)) ** 2
        cx, cy = (x * p).sum() / p.sum(), (y * p).sum() / p.sum()
        total += (((x - cx) ** 2 + (y - cy) ** 2) * p).sum()
    return total / (2 * d * voxels)


def numpy_map_sparsity(space, absolute, neighbour, mode):
    d = round(len(space) ** 0.5)
    total = 0.0
    for v in range(space.shape[1]):
        s = np.float64(space[:, v].reshape(d, d))
        total += absolute * abs(s).sum()
        total += neighbour * np.sqrt(numpy_neighbours(s**2, 4, mode)).sum()
    return total


# Pictures.


def test_examples_of_the_docstrings():
    """Every loss shows what it gives for numbers that one can check."""
    found = doctest.testmod(losses)
    assert found.failed == 0
    shown = [
        function
        for name, function in vars(losses).items()
        if inspect.isfunction(function)
        and function.__module__ == losses.__name__
        and not name.startswith('_')
    ]
    assert len(shown) > 10
    assert all('>>>' in function.__doc__ for function in shown)


def test_pixel_loss_and_its_scale():
    prediction, target = pictures(1), pictures(2)
    scale = target.mean((0, 1, 2))
    expected = np.mean(
        [
            abs(prediction[..., c] - target[..., c]).mean() / float(scale[c])
            for c in range(3)
        ]
    )
    agrees(losses.pixel_loss(prediction, target, scale), expected)
    agrees(
        losses.pixel_loss(prediction, target), abs(prediction - target).mean()
    )


def test_squared_pixel_loss():
    prediction, target = pictures(1), pictures(2)
    scale = np.array([0.2, 0.3, 0.4], np.float32)
    expected = np.mean(((prediction - target) / scale) ** 2)
    agrees(
        losses.pixel_loss(prediction, target, scale, distance='squared'),
        expected,
    )
    agrees(
        losses.image_loss(
            prediction,
            target,
            {},
            {},
            pixel_weight=0.5,
            feature_weights={},
            variation_weight=0.0,
            scale=scale,
            pixel_distance='squared',
        ),
        0.5 * expected,
    )
    with pytest.raises(InputError, match='squared'):
        losses.pixel_loss(prediction, target, scale, distance='sqared')


def test_cosine_feature_loss():
    prediction, target = draw(2, 3, 4, 5), draw(2, 3, 4, 5, seed=1)
    agrees(
        losses.cosine_feature_loss(prediction, target),
        numpy_cosine_features(prediction, target),
    )
    # Scale does not matter; opposite features are 2 apart.
    agrees(
        losses.cosine_feature_loss(3 * prediction, target),
        numpy_cosine_features(prediction, target),
    )
    agrees(losses.cosine_feature_loss(prediction, -prediction), 2.0)


def test_absolute_feature_loss():
    prediction, target = draw(2, 3, 4, 5), draw(2, 3, 4, 5, seed=1)
    scale = np.float32([1, 2, 3, 4, 5])
    expected = np.mean(
        [abs((prediction - target)[..., c]).mean() / scale[c] for c in range(5)]
    )
    agrees(losses.absolute_feature_loss(prediction, target, scale), expected)


def test_total_variation():
    images = pictures(3, size=5)[:, :, :4]
    agrees(losses.total_variation(images), numpy_variation(images))
    assert losses.total_variation(np.full((1, 4, 4, 3), 0.4)) == 0
    # One step of height h in y only: (h^2)^1.25 at one row of two.
    step = np.zeros((1, 3, 3, 1), np.float32)
    step[:, 2] = 0.3
    agrees(losses.total_variation(step), 0.3**2.5 / 2)


@pytest.mark.parametrize('absolute', [False, True])
def test_image_loss_is_the_weighted_sum(absolute):
    prediction, target = pictures(1), pictures(2)
    names = {'a': (2, 6, 6, 4), 'b': (2, 3, 3, 5)}
    f = {k: draw(*s, seed=i) for i, (k, s) in enumerate(names.items())}
    g = {k: draw(*s, seed=9 + i) for i, (k, s) in enumerate(names.items())}
    scales = {'a': np.float32([1, 2, 3, 4]), 'b': np.ones(5, np.float32) / 2}
    ours = losses.image_loss(
        prediction,
        target,
        f,
        g,
        pixel_weight=0.7,
        feature_weights={'a': 10.0, 'b': 2.0},
        variation_weight=0.3,
        scale=np.float32([0.5, 0.25, 1]),
        feature_scales=scales if absolute else None,
    )
    if absolute:
        parts = [(abs(f[k] - g[k]) / scales[k]).mean() for k in 'ab']
    else:
        parts = [numpy_cosine_features(f[k], g[k]) for k in 'ab']
    agrees(
        ours,
        0.7 * (abs(prediction - target) / [0.5, 0.25, 1]).mean()
        + 10 * parts[0]
        + 2 * parts[1]
        + 0.3 * numpy_variation(prediction),
    )


def test_target_features_carry_no_gradient():
    x, features = pictures(1), {'a': draw(2, 6, 6, 4)}

    def loss(target_features):
        return losses.image_loss(
            x,
            x,
            features,
            target_features,
            pixel_weight=1.0,
            feature_weights={'a': 1.0},
            variation_weight=0.0,
        )

    gradient = jax.grad(loss)({'a': draw(2, 6, 6, 4, seed=1)})
    assert not np.any(gradient['a'])


# fMRI.


def test_fmri_losses():
    prediction, target = draw(5, 9), draw(5, 9, seed=1)
    cosine = numpy_cosine(prediction, target)
    agrees(losses.cosine(prediction, target), cosine)
    agrees(
        losses.fmri_loss(prediction, target),
        ((prediction - target) ** 2).mean() + 0.3 * (1 - cosine) / 2,
    )
    snr = np.float32(np.random.default_rng(0).random(9) + 0.1)
    difference = abs(prediction - target).mean(0)
    agrees(
        losses.fmri_cycle_loss(prediction, target, snr / snr.mean()),
        sum(difference * snr / snr.mean()) / 9 + 0.2 * (1 - cosine) / 2,
    )


def test_keras_cosine_term_is_that_of_weight_a_fifth_up_to_a_constant():
    a, b, c = (draw(5, 9, seed=i) for i in range(3))

    def keras(prediction):
        mean_square = ((prediction - a) ** 2).mean()
        return mean_square - 0.1 * numpy_cosine(prediction, a)

    ours = [losses.fmri_loss(x, a, cosine_weight=0.2) for x in (b, c)]
    agrees(ours[0] - ours[1], keras(b) - keras(c))


# Regularisers.


@pytest.mark.parametrize('neighbours', [4, 8])
@pytest.mark.parametrize('mode', ['reflect', 'symmetric'])
def test_neighbour_group_sparsity(neighbours, mode):
    weights = draw(3, 4, 5, 2)
    inverse_snr = np.float32([0.5, 1.5, 1.0])
    ours = losses.neighbour_group_sparsity(
        weights,
        absolute=40.0,
        group=400.0,
        neighbours=neighbours,
        padding=mode,
        inverse_snr=inverse_snr,
    )
    agrees(ours, numpy_group(weights, 40, 400, neighbours, mode, inverse_snr))
    plain = losses.neighbour_group_sparsity(
        weights,
        absolute=10.0,
        group=800.0,
        neighbours=neighbours,
        padding=mode,
    )
    agrees(plain, numpy_group(weights, 10, 800, neighbours, mode, np.ones(3)))


def test_second_moment():
    space = draw(25, 4)
    agrees(losses.second_moment(space), numpy_second_moment(space))
    # All mass in one place, wherever it is, has no spread.
    point = np.zeros((25, 1), np.float32)
    point[7] = 3
    assert losses.second_moment(point) == 0
    # Not divided by the mass.
    agrees(losses.second_moment(2 * space), 4 * numpy_second_moment(space))


def test_gradient_of_the_second_moment_is_that_of_finite_differences():
    space, direction = draw(25, 4), draw(25, 4, seed=1)
    slope = jnp.sum(jax.grad(losses.second_moment)(space) * direction)
    space, step = np.float64(space), 1e-5 * np.float64(direction)
    difference = numpy_second_moment(space + step)
    difference -= numpy_second_moment(space - step)
    np.testing.assert_allclose(slope, difference / 2e-5, rtol=1e-4)
    tiny = jax.grad(losses.second_moment)(np.float32(1e-17 * space))
    assert np.isfinite(tiny).all()


@pytest.mark.parametrize('mode', ['reflect', 'symmetric'])
def test_map_sparsity(mode):
    space = draw(16, 3)
    agrees(
        losses.map_sparsity(space, padding=mode),
        numpy_map_sparsity(space, 5e-6, 1e-5, mode),
    )
    agrees(
        losses.map_sparsity(space, absolute=2.0, neighbour=3.0, padding=mode),
        numpy_map_sparsity(space, 2, 3, mode),
    )


def test_sums_over_kernels_only():
    params = {
        'dense': {'kernel': draw(3, 4), 'bias': draw(4)},
        'conv': {'kernel': draw(3, 3, 2, 2), 'bias': draw(2)},
        'deep': {'conv': {'kernel': draw(1, 1, 2, 2, seed=1)}},
        'map': draw(2, 2, 2, 2),
    }
    kernels = losses.convolution_kernels(params)
    assert [k.shape for k in kernels] == [(3, 3, 2, 2), (1, 1, 2, 2)]
    agrees(losses.sum_absolute(kernels), sum(abs(k).sum() for k in kernels))


ZERO = np.zeros((2, 4, 4, 3), np.float32)
ROWS = np.zeros((2, 6), np.float32)
FLAT = {
    'pixel_loss': (lambda x: losses.pixel_loss(x, ZERO), ZERO),
    'cosine_feature_loss': (
        lambda x: losses.cosine_feature_loss(x, draw(2, 4, 4, 3)),
        ZERO,
    ),
    'total_variation': (losses.total_variation, ZERO),
    'fmri_loss': (lambda x: losses.fmri_loss(x, draw(2, 6)), ROWS),
    'fmri_loss of silence': (lambda x: losses.fmri_loss(x, ROWS), ROWS),
    'fmri_cycle_loss': (lambda x: losses.fmri_cycle_loss(x, draw(2, 6)), ROWS),
    'neighbour_group_sparsity': (
        lambda x: losses.neighbour_group_sparsity(x, absolute=1.0, group=1.0),
        ZERO,
    ),
    'second_moment': (losses.second_moment, np.zeros((16, 3), np.float32)),
    'map_sparsity': (losses.map_sparsity, np.zeros((16, 3), np.float32)),
    'sum_absolute': (losses.sum_absolute, ZERO),
}


@pytest.mark.parametrize('name', FLAT)
def test_gradients_are_finite_at_exact_zeros(name):
    function, at = FLAT[name]
    value, gradient = jax.jit(jax.value_and_grad(function))(at)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_gradients_of_a_pictures_flat_part_leave_the_rest_alone():
    half = pictures(1)
    half[:, :3] = 0.5
    gradient = jax.grad(losses.total_variation)(half)
    assert np.isfinite(gradient).all()
    assert not np.any(gradient[:, :2])
    assert np.any(gradient[:, 3:])

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from brainjax.errors import InputError
from brainjax.methods.inversion import losses, search
from brainjax.methods.inversion.networks import features
from brainjax.methods.inversion.problem import (
    Generator,
    Settings,
    build_problem,
    render,
)
from brainjax.methods.inversion.steps import (
    CODE_DESCENT,
    Descent,
    QuasiNewton,
)
from brainjax.networks import frozen
from brainjax.networks.backbones import generator

DEEP = ('conv1_2', 'conv2_2', 'conv3_3', 'fc6')
LAYERS = ('conv1_2', 'conv2_1')
PLAIN = Descent(steps=150, blur=None, decay=(0.0, 0.0))


@functools.cache
def network(preprocessing='torchvision'):
    return frozen.init_random(
        jax.random.key(0),
        'vgg16',
        1 / 8,
        32,
        dense=True,
        preprocessing=preprocessing,
    )


@functools.cache
def pictures(n=2, size=32):
    noise = np.random.default_rng(0).random((n, size, size, 3))
    smooth = scipy.ndimage.gaussian_filter(noise, (0, 2, 2, 0))
    low, high = smooth.min(), smooth.max()
    return ((smooth - low) / (high - low)).astype(np.float32)


def recover(settings, preprocessing='torchvision', layers=LAYERS, n=2):
    held = network(preprocessing)
    targets = features(held, pictures()[:n], layers)
    return search.invert(targets, ['a', 'b'][:n], held, settings)


@pytest.mark.parametrize('preprocessing', ['torchvision', 'caffe'])
def test_descent_recovers_true_features(preprocessing):
    found = recover(Settings(PLAIN, size=32), preprocessing, DEEP, n=1)
    assert found.images.shape == (1, 32, 32, 3)
    assert found.losses.shape == (150, 1)
    bounds = {'conv1_2': 0.3, 'conv2_2': 0.06, 'conv3_3': 0.02, 'fc6': 0.005}
    for layer, bound in bounds.items():
        assert np.all(found.errors[layer] < bound), (layer, found.errors)
    # The errors are those of the pictures that are returned.
    true = features(network(preprocessing), pictures()[:1], DEEP)
    seen = features(network(preprocessing), found.images, DEEP)
    for layer in DEEP:
        np.testing.assert_allclose(
            found.errors[layer],
            np.sum((seen[layer] - true[layer]) ** 2) / np.sum(true[layer] ** 2),
            rtol=0.02,
            atol=1e-5,
        )


def test_quasi_newton_recovers_true_features():
    settings = Settings(QuasiNewton(100), start='mean', boxed=True, size=32)
    found = recover(settings, layers=DEEP[:3])
    bounds = {'conv1_2': 0.15, 'conv2_2': 0.03, 'conv3_3': 0.01}
    for layer, bound in bounds.items():
        assert np.all(found.errors[layer] < bound), (layer, found.errors)
    assert np.all(np.diff(found.losses, axis=0) <= 0)
    assert found.images.min() >= -1e-5 and found.images.max() <= 1 + 1e-5
    for ours, true in zip(found.images, pictures()):
        assert np.corrcoef(ours.ravel(), true.ravel())[0, 1] > 0.7


def objective(settings):
    held = frozen.init_random(jax.random.key(0), 'vgg16', 1 / 8)
    targets = features(held, pictures(), LAYERS)
    problem, data, x = build_problem(targets, ['a', 'b'], held, settings, None)

    def loss(x):
        found = held.architecture.apply(
            held.params, render(problem, data, x), LAYERS
        )
        return losses.total(
            found, data.targets, data.weights, data.masks, settings.terms
        )

    return loss, x


def test_gradient_agrees_with_differences():
    settings = Settings(size=32)
    with jax.enable_x64(True):
        loss, _ = objective(settings)
        rng = np.random.default_rng(0)
        x = rng.uniform(-100, 100, (2, 32, 32, 3))
        direction = rng.standard_normal(x.shape)
        total = jax.jit(lambda x: jnp.sum(loss(x)))
        slope = np.sum(jax.jit(jax.grad(total))(x) * direction)
        step = 1e-3
        rise = total(x + step * direction) - total(x - step * direction)
    np.testing.assert_allclose(slope, rise / (2 * step), rtol=2e-3)


def test_noise_is_of_whole_numbers_and_belongs_to_the_name():
    settings = Settings(size=32)
    held = network('caffe')
    targets = features(held, pictures(), LAYERS)
    problem, data, x = build_problem(targets, ['a', 'b'], held, settings, None)
    pixels = 255 * render(problem, data, x)
    np.testing.assert_allclose(pixels, np.round(pixels), atol=1e-3)
    assert pixels.min() > -0.5 and pixels.max() < 255.5
    assert np.std(pixels) > 60
    other = {layer: t[::-1] for layer, t in targets.items()}
    _, _, y = build_problem(other, ['b', 'a'], held, settings, None)
    np.testing.assert_array_equal(x, y[::-1])
    changed = dataclasses.replace(settings, seed=1)
    _, _, z = build_problem(targets, ['a', 'b'], held, changed, None)
    assert np.any(x != z)


def test_a_picture_does_not_depend_on_its_neighbours():
    settings = Settings(Descent(steps=5, jitter=3), size=32)
    both, one = recover(settings), recover(settings, n=1)
    np.testing.assert_allclose(both.images[:1], one.images, atol=2e-3)
    again = recover(settings)
    np.testing.assert_array_equal(both.images, again.images)


def test_generator_codes():
    narrow = generator.init(jax.random.key(1), 'relu7', 1 / 64)
    code = generator.code_shape('relu7', narrow)
    upper = np.full(code, 3.0, np.float32)
    held_generator = Generator('relu7', narrow, upper)
    true = jnp.abs(jax.random.normal(jax.random.key(2), (1, *code)))
    image = generator.apply(narrow, 'relu7', true.clip(0, 3))[:, 112:144]
    mean = np.float32([122.67891434, 116.66876762, 104.00698793])
    image = np.asarray((image[:, :, 112:144] + mean) / 255)
    for optimiser in (
        dataclasses.replace(
            CODE_DESCENT, steps=25, rate=(0.2, 1e-10), decay=(0.0, 0.0)
        ),
        QuasiNewton(25),
    ):
        settings = Settings(
            optimiser, start='normal', size=32, boxed=True, seed=3
        )
        targets = features(network('caffe'), image, LAYERS)
        found = search.invert(
            targets, ['a'], network('caffe'), settings, held_generator
        )
        assert found.codes.reshape(1, -1).shape == (1, *code)
        assert found.codes.min() >= 0 and found.codes.max() <= 3
        assert found.losses[-1, 0] < 0.5 * found.losses[0, 0]
        # The pictures are those of the codes.
        full = generator.apply(narrow, 'relu7', found.codes.reshape(1, -1))
        expected = (full[:, 112:144, 112:144] + mean) / 255
        np.testing.assert_allclose(found.images, expected, atol=1e-3)


def test_descent_of_codes_returns_what_was_last_evaluated():
    narrow = generator.init(jax.random.key(1), 'relu7', 1 / 64)
    settings = Settings(
        dataclasses.replace(CODE_DESCENT, steps=1),
        start='normal',
        size=32,
        boxed=True,
    )
    held = network('caffe')
    targets = features(held, pictures(1), LAYERS)
    held_generator = Generator('relu7', narrow)
    _, _, first = build_problem(targets, ['a'], held, settings, held_generator)
    found = search.invert(targets, ['a'], held, settings, held_generator)
    np.testing.assert_allclose(found.codes, first, atol=1e-6)


def test_terms_weights_and_channels_change_the_search():
    base = Settings(Descent(steps=3), size=32)
    changes = [
        {'terms': tuple((name, 1.0) for name in losses.LOSSES)},
        {'weights': 'equal'},
        {'weights': tuple((layer, 2.0) for layer in LAYERS)},
        {'channels': (('conv1_2', (0, 1)),)},
    ]
    first = recover(base, n=1)
    for change in changes:
        found = recover(dataclasses.replace(base, **change), n=1)
        assert np.all(np.isfinite(found.images)), change
        assert np.all(np.isfinite(found.losses)), change
        assert np.any(found.losses != first.losses), change


def test_some_units_of_a_layer():
    held, settings = network(), Settings(Descent(steps=2), size=32)
    layers = ('conv1_2', 'conv2_2')
    whole = features(held, pictures(), layers)
    rng = np.random.default_rng(0)
    disk = {  # Units are counted as they lie there, channels first.
        layer: frozen.channels_first(x).reshape(2, -1)
        for layer, x in whole.items()
    }

    def invert(kept):
        some = {**whole, **{x: disk[x][:, units] for x, units in kept.items()}}
        return search.invert(some, 'ab', held, settings, kept=kept)

    order = {x: rng.permutation(y.shape[1]) for x, y in disk.items()}
    every = search.invert(whole, 'ab', held, settings)
    again = invert(order)
    np.testing.assert_allclose(again.losses, every.losses, rtol=1e-4)
    np.testing.assert_allclose(again.images, every.images, atol=1e-3)
    kept = {x: order[x][:50] for x in layers[:1]}
    found = invert(kept)
    assert np.any(found.losses != every.losses)
    seen = features(held, found.images, layers)
    for layer in layers:
        ours, true = (
            frozen.channels_first(x[layer]).reshape(2, -1)[
                :, kept.get(layer, slice(None))
            ]
            for x in (seen, whole)
        )
        error = np.sum((ours - true) ** 2, 1) / np.sum(true**2, 1)
        np.testing.assert_allclose(found.errors[layer], error, rtol=1e-3)
    with pytest.raises(InputError, match='up to number 8192, and it has 8192'):
        search.invert(
            {'conv1_2': np.zeros((2, 1))},
            'ab',
            held,
            settings,
            kept={'conv1_2': np.array([8192])},
        )


def test_stretch():
    images = pictures() * 0.2 + 0.5
    found = search.stretch(images)
    for raw, shown in zip(images, found):
        low, high = np.percentile(raw, [2, 98])
        np.testing.assert_allclose(
            shown, (raw.clip(low, high) - low) / (high - low), atol=1e-6
        )
    assert found.min() == 0 and found.max() == 1
    grey = np.full((1, 4, 4, 3), 0.5, np.float32)
    assert not np.any(search.stretch(grey))


def test_what_cannot_be_inverted():
    settings = Settings(Descent(steps=1), size=32)
    held = network()
    targets = features(held, pictures(), DEEP)

    def refused(message, targets=targets, names=('a', 'b'), **change):
        with pytest.raises(InputError, match=message):
            search.invert(
                targets, names, held, dataclasses.replace(settings, **change)
            )

    refused('no features', targets={})
    refused(r"no tap 'conv9_1'", targets={'conv9_1': np.zeros((2, 3))})
    refused(
        r'conv1_2 have shape \(1, 32, 32, 8\).*2 pictures of 32 px',
        targets={'conv1_2': targets['conv1_2'][:1]},
    )
    refused('fc6 takes', targets={'fc6': targets['fc6']}, size=64)
    broken = np.array(targets['conv1_2'])
    broken[0, 0, 0, 0] = np.nan
    refused('conv1_2 are not all finite', targets={'conv1_2': broken})
    refused(r"'square'.*Did you mean 'squared'", terms=(('square', 1.0),))
    refused("no start 'zeros'", start='zeros')
    refused('no channel 8', channels=(('conv1_2', (8,)),))
    narrow = generator.init(jax.random.key(1), 'relu7', 1 / 64)
    with pytest.raises(InputError, match='one bound a unit'):
        search.invert(
            targets,
            ('a', 'b'),
            held,
            dataclasses.replace(settings, start='zeros'),
            Generator('relu7', narrow, np.ones(3)),
        )

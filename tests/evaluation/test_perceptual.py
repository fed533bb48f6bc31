"""LPIPS against NumPy's and PyTorch's forms of its formula."""

import jax
import numpy as np
import pytest

from brainjax.evaluation import perceptual
from brainjax.networks.backbones import BACKBONES, alexnet, vgg

GENERATOR = np.random.default_rng(0)
SIZE = {'alexnet': 80, 'vgg16': 48}


@pytest.fixture(scope='module', params=['alexnet', 'vgg16'])
def network(request):
    name = request.param
    if name == 'alexnet':
        params = BACKBONES['alexnet'].init(jax.random.key(0), 1 / 16)
        kernels = params
    else:
        params = BACKBONES['vgg16'].init(jax.random.key(0), 1 / 16)
        kernels = {
            f'conv{i}': params[f'conv{i}_{n}']
            for i, n in enumerate((2, 2, 3, 3, 3), start=1)
        }
    heads = {
        f'lin{i}': GENERATOR.random(layer['bias'].shape, np.float32)
        for i, layer in enumerate(kernels.values())
    }
    return name, params, heads


def pictures(name, n=3):
    return GENERATOR.random((n, SIZE[name], SIZE[name], 3))


def formula(name, params, x, y, heads):
    """LPIPS of one pair, as published."""
    apply = {'alexnet': alexnet.apply, 'vgg16': vgg.apply}[name]
    taps = perceptual.TAPS[name]
    total = 0
    a, b = (apply(params, np.float32(z[None]), taps) for z in (x, y))
    for i, tap in enumerate(taps):
        f, g = (np.float64(outputs[tap][0]) for outputs in (a, b))
        f, g = (
            z / (np.sqrt((z**2).sum(-1, keepdims=True)) + 1e-10) for z in (f, g)
        )
        weight = 1 if heads is None else heads[f'lin{i}']
        total += ((f - g) ** 2 * weight).sum(-1).mean()
    return total


@pytest.mark.parametrize('learned', [True, False])
def test_formula(network, learned, monkeypatch):
    name, params, heads = network
    heads = heads if learned else None
    x, y = pictures(name), pictures(name)
    expected = [[formula(name, params, a, b, heads) for b in y] for a in x]
    np.testing.assert_allclose(
        perceptual.distance(name, params, x, y, heads),
        np.diagonal(expected),
        rtol=1e-4,
    )
    found = perceptual.distances(name, params, x, y, heads)
    np.testing.assert_allclose(found, expected, atol=2e-4)
    # In portions of less than all.
    monkeypatch.setattr(perceptual, 'LARGEST', 1)
    monkeypatch.setattr(perceptual, 'BATCH', 2)
    portions = perceptual.distances(name, params, x, y, heads)
    np.testing.assert_allclose(portions, found, atol=1.1e-4)


def test_equal_pictures_have_no_distance_and_tie(network):
    name, params, heads = network
    x = pictures(name)
    x[2] = x[0]
    assert (perceptual.distance(name, params, x, x, heads) == 0).all()
    found = perceptual.distances(name, params, x, x, heads)
    assert (np.diagonal(found) == 0).all() and found[0, 2] == 0
    assert found[0, 1] == found[2, 1]
    bytes_ = np.uint8(x * 255)
    np.testing.assert_allclose(
        perceptual.distances(name, params, bytes_, bytes_ / 255.0, heads),
        perceptual.distances(name, params, bytes_, bytes_, heads),
        atol=2e-4,
    )


@pytest.mark.parity
def test_torch_agrees(network):
    torch = pytest.importorskip('torch')
    functional = torch.nn.functional
    name, params, heads = network

    def layer(x, part, **options):
        kernel = torch.from_numpy(np.array(part['kernel']))
        bias = torch.from_numpy(np.array(part['bias']))
        return torch.relu(
            functional.conv2d(
                x, kernel.permute(3, 2, 0, 1).double(), bias.double(), **options
            )
        )

    def outputs(images):
        shift = torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)
        scale = torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1)
        x = torch.from_numpy(images).permute(0, 3, 1, 2) * 2 - 1
        x = (x - shift.double()) / scale.double()
        taken = []
        if name == 'alexnet':
            for i in range(1, 6):
                options = {1: {'stride': 4, 'padding': 2}, 2: {'padding': 2}}
                if i in (2, 3):
                    x = functional.max_pool2d(x, 3, 2)
                x = layer(
                    x, params[f'conv{i}'], **options.get(i, {'padding': 1})
                )
                taken.append(x)
            return taken
        for block, n in enumerate((2, 2, 3, 3, 3), start=1):
            if block > 1:
                x = functional.max_pool2d(x, 2)
            for i in range(1, n + 1):
                x = layer(x, params[f'conv{block}_{i}'], padding=1)
            taken.append(x)
        return taken

    x, y = pictures(name), pictures(name)
    expected = 0
    for i, (a, b) in enumerate(zip(outputs(x), outputs(y))):
        a, b = (
            z / (z.pow(2).sum(1, keepdim=True).sqrt() + 1e-10) for z in (a, b)
        )
        weight = torch.from_numpy(heads[f'lin{i}']).view(1, -1, 1, 1)
        expected = expected + ((a - b) ** 2 * weight).sum(1).mean((1, 2))
    np.testing.assert_allclose(
        perceptual.distance(name, params, x, y, heads),
        expected.numpy(),
        rtol=2e-5,
    )

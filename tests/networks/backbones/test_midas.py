"""MiDaS from a file of the published layout, beside NumPy from its definition.

The reference keeps batch norms apart and follows the names of the file.
"""

import math

import jax
import numpy as np
import pytest
import torch_writer
from numpy_layers import cubic

from brainjax.networks import weights
from brainjax.networks.backbones import midas
from brainjax.networks.weights import catalogue, converters

# The layout of the published networks, with fewer blocks and channels.
LARGE = midas.Large(
    (1, 2, 1, 1), 4, (4, 8, 8, 8), (8, 8, 12, 8), 2, (8, 8, 8, 8)
)
SMALL = midas.Small(
    (1, 2, 1, 1, 2, 1, 1), 4, (4, 4, 4, 8, 8, 8, 12), (4, 8, 8, 16)
)
SIZES = {'midas_large': LARGE, 'midas_small': SMALL}


def published(sizes):
    """A state dict with the file's names and random numbers."""
    rng = np.random.default_rng(0)
    state = {}
    for layer, parts in midas.shapes(sizes).items():
        h, w, i, o = parts['kernel']
        place, norm = midas.torch_names(layer)
        scale = math.sqrt(1 / (h * w * i))
        state[f'{place}.weight'] = scale * rng.standard_normal((o, i, h, w))
        if norm:
            state[f'{norm}.weight'] = rng.uniform(0.5, 1.5, o)
            state[f'{norm}.bias'] = 0.1 * rng.standard_normal(o)
            state[f'{norm}.running_mean'] = 0.1 * rng.standard_normal(o)
            state[f'{norm}.running_var'] = rng.uniform(0.5, 1.5, o)
        elif not layer.endswith('/in'):
            state[f'{place}.bias'] = 0.1 + 0.1 * rng.standard_normal(o)
    return {name: np.float32(value) for name, value in state.items()}


class Reference:
    """Channels first, of one picture [3, side, side]."""

    def __init__(self, state, epsilon):
        self.state, self.epsilon = state, epsilon

    def conv(self, x, name, stride=1, same=False):
        w = self.state[f'{name}.weight'].astype(float)
        k = w.shape[-1]
        if same:  # TensorFlow's: more behind than before.
            total = max(
                (-(-x.shape[1] // stride) - 1) * stride + k - x.shape[1], 0
            )
            before, after = total // 2, total - total // 2
        else:
            before = after = k // 2
        x = np.pad(x, ((0, 0), (before, after), (before, after)))
        groups = len(x) // w.shape[1]
        windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), (1, 2))
        windows = windows[:, ::stride, ::stride]
        parts = zip(np.split(windows, groups), np.split(w, groups))
        y = np.concatenate(
            [np.einsum('chwij,ocij->ohw', a, b) for a, b in parts]
        )
        bias = self.state.get(f'{name}.bias')
        return y if bias is None else y + bias[:, None, None]

    def norm(self, x, name):
        scale, shift, mean, variance = (
            self.state[f'{name}.{part}'][:, None, None]
            for part in ('weight', 'bias', 'running_mean', 'running_var')
        )
        return (x - mean) / np.sqrt(variance + self.epsilon) * scale + shift

    def unit(self, x, name, in_place):
        rectified = np.maximum(x, 0)
        y = np.maximum(self.conv(rectified, f'{name}.conv1'), 0)
        y = self.conv(y, f'{name}.conv2')
        return y + (rectified if in_place else x)

    def fuse(self, taps, small):
        path = None
        for i in (4, 3, 2, 1):
            place = f'scratch.refinenet{i}'
            x = self.conv(taps[i - 1], f'scratch.layer{i}_rn')
            if path is not None:
                x = path + self.unit(x, f'{place}.resConfUnit1', not small)
            x = self.unit(x, f'{place}.resConfUnit2', not small)
            path = interpolated(x, True)
            if small:
                path = self.conv(path, f'{place}.out_conv')
        x = self.conv(path, 'scratch.output_conv.0')
        x = self.conv(interpolated(x, False), 'scratch.output_conv.2')
        x = self.conv(np.maximum(x, 0), 'scratch.output_conv.4')
        return np.maximum(x, 0)[0]

    def large(self, x):
        x = self.conv(x, 'pretrained.layer1.0', 2)
        x = np.maximum(self.norm(x, 'pretrained.layer1.1'), 0)
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(
            padded, (3, 3), (1, 2)
        )
        x = windows[:, ::2, ::2].max((3, 4))
        taps = []
        for stage, blocks in enumerate(LARGE.blocks, start=1):
            for i in range(blocks):
                place = f'pretrained.layer{stage}.{"4." * (stage == 1)}{i}'
                stride = 2 if stage > 1 and i == 0 else 1
                y = x
                for j, s in ((1, 1), (2, stride), (3, 1)):
                    y = self.conv(y, f'{place}.conv{j}', s)
                    y = self.norm(y, f'{place}.bn{j}')
                    y = np.maximum(y, 0) if j < 3 else y
                if i == 0:
                    x = self.conv(x, f'{place}.downsample.0', stride)
                    x = self.norm(x, f'{place}.downsample.1')
                x = np.maximum(x + y, 0)
            taps.append(x)
        return self.fuse(taps, False)

    def small(self, x):
        def act(x):
            return np.clip(x, 0, 6)

        x = self.conv(x, 'pretrained.layer1.0', 2, True)
        x = act(self.norm(x, 'pretrained.layer1.1'))
        # Stage -> its place, kernel's stride.
        places = ('1.3', '1.4', '2.0', '3.0', '3.1', '4.0', '4.1')
        strides = (1, 2, 2, 2, 1, 2, 1)
        taps = []
        for stage, (place, stride) in enumerate(zip(places, strides)):
            for i in range(SMALL.blocks[stage]):
                name = f'pretrained.layer{place}.{i}'
                chain = ['conv_pw', 'conv_dw', 'conv_pwl']
                if stage == 0:
                    chain = ['conv_dw', 'conv_pw']
                y = x
                for j, conv in enumerate(chain, start=1):
                    s = stride if conv == 'conv_dw' and i == 0 else 1
                    y = self.conv(y, f'{name}.{conv}', s, True)
                    y = self.norm(y, f'{name}.bn{j}')
                    y = act(y) if j < len(chain) else y
                x = x + y if x.shape == y.shape else y
            if stage in (1, 2, 4, 6):
                taps.append(x)
        return self.fuse(taps, True)


def interpolated(x, aligned):
    """Bilinear, twice as large, place by place."""
    for axis in (1, 2):
        n = x.shape[axis]
        x = np.moveaxis(x, axis, 0)
        out = []
        for i in range(2 * n):
            at = i * (n - 1) / (2 * n - 1) if aligned else (i + 0.5) / 2 - 0.5
            at = min(max(at, 0), n - 1)
            low = min(int(at), n - 1)
            part = at - low
            out.append((1 - part) * x[low] + part * x[min(low + 1, n - 1)])
        x = np.moveaxis(np.array(out), 0, axis)
    return x


@pytest.mark.parametrize('name', SIZES)
def test_converted_network_beside_numpy(name, tmp_path):
    sizes = SIZES[name]
    state = published(sizes)
    path = torch_writer.write_zip(tmp_path / 'model.pt', state)
    params = converters.from_midas(path, name, sizes)
    shapes = {
        layer: {part: np.shape(x) for part, x in parts.items()}
        for layer, parts in params.items()
    }
    assert shapes == midas.shapes(sizes)
    assert midas.is_small(params) == (name == 'midas_small')
    images = np.random.default_rng(1).random((2, 64, 64, 3), np.float32)
    found = midas.apply(params, images)
    mean = np.array([0.485, 0.456, 0.406])
    deviation = np.array([0.229, 0.224, 0.225])
    reference = Reference(state, sizes.epsilon)
    forward = getattr(reference, name.removeprefix('midas_'))
    for image, near in zip(images, found):
        expected = forward(((image - mean) / deviation).transpose(2, 0, 1))
        assert expected.std() > 0
        np.testing.assert_allclose(near, expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    ('name', 'millions'), [('midas_large', 105), ('midas_small', 21)]
)
def test_parameters_of_the_published_networks(name, millions):
    """As the README of MiDaS counts them."""
    count = sum(
        math.prod(shape)
        for parts in catalogue.shapes(name).values()
        for shape in parts.values()
    )
    assert round(count / 1e6) == millions
    assert name not in weights.networks()


def test_estimate_is_of_the_pictures_size(tmp_path):
    state = published(SMALL)
    path = torch_writer.write_zip(tmp_path / 'model.pt', state)
    params = converters.from_midas(path, 'midas_small', SMALL)
    images = np.random.default_rng(1).random((2, 20, 20, 3), np.float32)
    near = jax.device_get(midas.estimate(params, images, side=32))
    assert near.shape == (2, 20, 20)
    np.testing.assert_allclose(near.min((1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(near.max((1, 2)), 1, atol=1e-6)


def test_enlarging_is_pytorchs_bicubic():
    x = np.random.default_rng(0).random((1, 5, 5, 1))
    found = midas.resize(np.float32(x), 8)[0, ..., 0]
    matrix = np.zeros((8, 5))
    for i in range(8):
        centre = (i + 0.5) * 5 / 8 - 0.5
        for j in range(-2, 8):
            matrix[i, min(max(j, 0), 4)] += cubic(centre - j)
    expected = matrix @ x[0, ..., 0] @ matrix.T
    np.testing.assert_allclose(found, expected, atol=1e-5)

"""Inception, EfficientNet, ResNet and CLIP against PyTorch forms of them."""

import jax
import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.networks.backbones import (
    clip,
    efficientnet,
    feedforward,
    inception,
    resnet,
)
from brainjax.networks.weights import cache as weights
from brainjax.networks.weights import converters


def kernels(network):
    return {layer: parts['kernel'] for layer, parts in network.shapes().items()}


def drawn(network):
    return jax.tree.map(
        lambda shape: jax.ShapeDtypeStruct(shape, np.float32),
        network.shapes(),
        is_leaf=lambda x: isinstance(x, tuple),
    )


def count(shapes):
    return sum(int(np.prod(shape)) for shape in shapes.values())


def test_numbers_of_parameters_are_the_published_ones():
    # The published networks without their classifiers, and ResNet without
    # the two vectors of each norm.
    assert count(kernels(resnet)) == 25_557_032 - 2_049_000 - 53_120
    shapes = kernels(efficientnet)
    vectors = sum(
        shape[-1] * (1 if name.endswith(('squeeze', 'excite')) else 2)
        for name, shape in shapes.items()
    )
    assert count(shapes) + vectors == 7_794_184 - 1_281_000
    total = sum(count(parts) for parts in clip.shapes().values())
    assert total == 303_966_208
    # Two vectors a norm.
    channels = sum(shape[-1] for shape in kernels(inception).values())
    assert count(kernels(inception)) + 2 * channels == 21_785_568


@pytest.mark.parametrize(
    ('network', 'size', 'features'),
    [(inception, 342, 2048), (efficientnet, 255, 1280), (resnet, 224, 2048)],
)
def test_pooled_features_have_the_published_length(network, size, features):
    images = jax.ShapeDtypeStruct((2, size, size, 3), np.float32)
    params = drawn(network)
    found = jax.eval_shape(
        lambda p, x: network.apply(p, x, ['avgpool']), params, images
    )
    assert found['avgpool'].shape == (2, features)


def test_inception_keeps_the_published_grids():
    params = drawn(inception)
    for size, expected in ((224, 5), (299, 8), (342, 9)):
        images = jax.ShapeDtypeStruct((1, size, size, 3), np.float32)
        found = jax.eval_shape(
            lambda p, x: inception.apply(p, x, ['Mixed_7c']), params, images
        )
        assert found['Mixed_7c'].shape == (1, expected, expected, 2048)


def test_clip_needs_its_own_size():
    params = drawn(clip)
    with pytest.raises(ValueError, match=r'give \[n, 224'):
        jax.eval_shape(
            lambda p, x: clip.apply(p, x, ['embedding']),
            params,
            jax.ShapeDtypeStruct((1, 256, 256, 3), np.float32),
        )


def test_half_is_near_and_keeps_its_norms():
    shapes = clip.tower_shapes(64, blocks=1, patch=4, tokens=10, outputs=5)
    params = clip.draw(jax.random.key(0), shapes)
    images = np.random.default_rng(0).random((2, 12, 12, 3), np.float32)
    cast = clip.half(params)
    assert cast['block00']['attend_kernel'].dtype == np.float16
    assert cast['block00']['attention_scale'].dtype == np.float32
    apply = jax.jit(lambda p: clip.apply(p, images, ['embedding']))
    [found] = apply(cast).values()
    assert found.dtype == np.float16
    [whole] = apply(params).values()
    np.testing.assert_allclose(found, whole, atol=0.02)


def state_of(network, generator):
    """A state dict of the published layout with running statistics."""
    state = {}
    for layer, (height, width, inputs, outputs) in kernels(network).items():
        convolution, norm = network.torch_names(layer)
        fan = height * width * inputs
        kernel = generator.normal(
            0, fan**-0.5, (outputs, inputs, height, width)
        )
        state[f'{convolution}.weight'] = kernel
        if norm is None:
            state[f'{convolution}.bias'] = generator.normal(0, 0.1, outputs)
            continue
        state[f'{norm}.weight'] = generator.uniform(1.0, 1.6, outputs)
        state[f'{norm}.bias'] = generator.normal(0, 0.1, outputs)
        state[f'{norm}.running_mean'] = generator.normal(0, 0.1, outputs)
        state[f'{norm}.running_var'] = generator.uniform(0.6, 1.4, outputs)
    return {name: np.float32(value) for name, value in state.items()}


class Torch:
    """The published layers, in float64, with the norm apart."""

    def __init__(self, torch, state, epsilon):
        self.torch = torch
        self.state = {
            name: torch.from_numpy(np.float64(value))
            for name, value in state.items()
        }
        self.epsilon = epsilon

    def __call__(self, x, conv, norm=None, stride=1, padding=0, groups=1):
        functional = self.torch.nn.functional
        x = functional.conv2d(
            x,
            self.state[f'{conv}.weight'],
            self.state.get(f'{conv}.bias'),
            stride,
            padding,
            groups=groups,
        )
        if norm:
            x = functional.batch_norm(
                x,
                *(
                    self.state[f'{norm}.{part}']
                    for part in (
                        'running_mean',
                        'running_var',
                        'weight',
                        'bias',
                    )
                ),
                eps=self.epsilon,
            )
        return x


def imagenet(torch, images):
    mean = torch.tensor([0.485, 0.456, 0.406]).double()
    deviation = torch.tensor([0.229, 0.224, 0.225]).double()
    x = (torch.from_numpy(images).double() - mean) / deviation
    return x.permute(0, 3, 1, 2)


def torch_resnet(torch, state, images):
    layer = Torch(torch, state, 1e-5)
    relu, functional = torch.relu, torch.nn.functional
    x = relu(layer(imagenet(torch, images), 'conv1', 'bn1', 2, 3))
    x = functional.max_pool2d(x, 3, 2, 1)
    for stage, blocks in enumerate((3, 4, 6, 3), start=1):
        for i in range(blocks):
            name = f'layer{stage}.{i}'
            stride = 2 if stage > 1 and i == 0 else 1
            y = relu(layer(x, f'{name}.conv1', f'{name}.bn1'))
            y = relu(layer(y, f'{name}.conv2', f'{name}.bn2', stride, 1))
            y = layer(y, f'{name}.conv3', f'{name}.bn3')
            if i == 0:
                x = layer(
                    x,
                    f'{name}.downsample.0',
                    f'{name}.downsample.1',
                    stride,
                )
            x = relu(x + y)
    return functional.adaptive_avg_pool2d(x, 1).flatten(1)


def torch_efficientnet(torch, state, images):
    layer = Torch(torch, state, 1e-5)
    silu = torch.nn.functional.silu
    x = imagenet(torch, images)
    x = silu(layer(x, 'features.0.0', 'features.0.1', 2, 1))
    settings = (
        (1, 3, 1, 2),
        (6, 3, 2, 3),
        (6, 5, 2, 3),
        (6, 3, 2, 4),
        (6, 5, 1, 4),
        (6, 5, 2, 5),
        (6, 3, 1, 2),
    )
    for stage, (ratio, size, stride, blocks) in enumerate(settings, start=1):
        for i in range(blocks):
            name, place, y = f'features.{stage}.{i}.block', 0, x
            if ratio > 1:
                y = silu(layer(y, f'{name}.0.0', f'{name}.0.1'))
                place = 1
            y = silu(
                layer(
                    y,
                    f'{name}.{place}.0',
                    f'{name}.{place}.1',
                    stride if i == 0 else 1,
                    (size - 1) // 2,
                    groups=y.shape[1],
                )
            )
            gate = y.mean((2, 3), keepdim=True)
            gate = silu(layer(gate, f'{name}.{place + 1}.fc1'))
            gate = layer(gate, f'{name}.{place + 1}.fc2').sigmoid()
            y = layer(
                y * gate, f'{name}.{place + 2}.0', f'{name}.{place + 2}.1'
            )
            x = x + y if i else y
    x = silu(layer(x, 'features.8.0', 'features.8.1'))
    return x.mean((2, 3))


def torch_inception(torch, state, images):
    convolution = Torch(torch, state, 1e-3)
    functional = torch.nn.functional

    def layer(x, name, stride=1, padding=0):
        return torch.relu(
            convolution(x, f'{name}.conv', f'{name}.bn', stride, padding)
        )

    def pool(x):
        return functional.max_pool2d(x, 3, 2)

    def mean(x):
        return functional.avg_pool2d(x, 3, 1, 1)

    x = imagenet(torch, images)
    # What the published network does to ImageNet's normalisation.
    x = torch.cat(
        [
            x[:, c : c + 1] * (d / 0.5) + (m - 0.5) / 0.5
            for c, (m, d) in enumerate(
                zip((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
            )
        ],
        1,
    )
    x = layer(layer(x, 'Conv2d_1a_3x3', 2), 'Conv2d_2a_3x3')
    x = pool(layer(x, 'Conv2d_2b_3x3', padding=1))
    x = pool(layer(layer(x, 'Conv2d_3b_1x1'), 'Conv2d_4a_3x3'))
    for letter in 'bcd':
        name = f'Mixed_5{letter}.branch'
        five = layer(layer(x, f'{name}5x5_1'), f'{name}5x5_2', padding=2)
        three = layer(x, f'{name}3x3dbl_1')
        three = layer(three, f'{name}3x3dbl_2', padding=1)
        three = layer(three, f'{name}3x3dbl_3', padding=1)
        pooled = layer(mean(x), f'{name}_pool')
        x = torch.cat([layer(x, f'{name}1x1'), five, three, pooled], 1)
    name = 'Mixed_6a.branch3x3'
    three = layer(layer(x, f'{name}dbl_1'), f'{name}dbl_2', padding=1)
    x = torch.cat(
        [layer(x, name, 2), layer(three, f'{name}dbl_3', 2), pool(x)], 1
    )
    for letter in 'bcde':
        name = f'Mixed_6{letter}.branch'
        once, twice = x, x
        for i, around in enumerate((0, (0, 3), (3, 0)), start=1):
            once = layer(once, f'{name}7x7_{i}', padding=around)
        for i, around in enumerate(
            (0, (3, 0), (0, 3), (3, 0), (0, 3)), start=1
        ):
            twice = layer(twice, f'{name}7x7dbl_{i}', padding=around)
        pooled = layer(mean(x), f'{name}_pool')
        x = torch.cat([layer(x, f'{name}1x1'), once, twice, pooled], 1)
    name = 'Mixed_7a.branch'
    three = layer(layer(x, f'{name}3x3_1'), f'{name}3x3_2', 2)
    seven = layer(layer(x, f'{name}7x7x3_1'), f'{name}7x7x3_2', 1, (0, 3))
    seven = layer(seven, f'{name}7x7x3_3', padding=(3, 0))
    x = torch.cat([three, layer(seven, f'{name}7x7x3_4', 2), pool(x)], 1)
    for letter in 'bc':
        name = f'Mixed_7{letter}.branch'
        three = layer(x, f'{name}3x3_1')
        double = layer(layer(x, f'{name}3x3dbl_1'), f'{name}3x3dbl_2', 1, 1)
        x = torch.cat(
            [
                layer(x, f'{name}1x1'),
                layer(three, f'{name}3x3_2a', padding=(0, 1)),
                layer(three, f'{name}3x3_2b', padding=(1, 0)),
                layer(double, f'{name}3x3dbl_3a', padding=(0, 1)),
                layer(double, f'{name}3x3dbl_3b', padding=(1, 0)),
                layer(mean(x), f'{name}_pool'),
            ],
            1,
        )
    return x.mean((2, 3))


@pytest.mark.parity
@pytest.mark.parametrize(
    ('name', 'network', 'reference', 'size'),
    [
        ('inception', inception, torch_inception, 107),
        ('efficientnet_b1_v2', efficientnet, torch_efficientnet, 67),
        ('swav', resnet, torch_resnet, 65),
    ],
)
def test_pooled_features_agree_with_torch(
    name, network, reference, size, tmp_path
):
    torch = pytest.importorskip('torch')
    generator = np.random.default_rng(0)
    state = state_of(network, generator)
    prefix = 'module.' if name == 'swav' else ''
    torch.save(
        {prefix + key: torch.from_numpy(x) for key, x in state.items()},
        tmp_path / 'weights.pth',
    )
    params = converters.from_torch(tmp_path / 'weights.pth', name)
    images = generator.random((2, size, size, 3), np.float32)
    found = jax.jit(lambda p, x: network.apply(p, x, ['avgpool'])['avgpool'])(
        params, images
    )
    with torch.no_grad():
        expected = reference(torch, state, images).numpy()
    assert expected.std() > 1e-3  # The signal has not died out.
    error = np.abs(found - expected).max() / np.abs(expected).max()
    assert error < 1e-5, error


def torch_clip(torch, width, blocks, patch, tokens, outputs):
    """The image tower of CLIP, with OpenAI's names."""
    nn = torch.nn

    class Gelu(nn.Module):
        def forward(self, x):
            return x * torch.sigmoid(1.702 * x)

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.attn = nn.MultiheadAttention(width, width // 64)
            self.ln_1 = nn.LayerNorm(width)
            self.mlp = nn.ModuleDict(
                {
                    'c_fc': nn.Linear(width, 4 * width),
                    'gelu': Gelu(),
                    'c_proj': nn.Linear(4 * width, width),
                }
            )
            self.ln_2 = nn.LayerNorm(width)

        def forward(self, x):
            y = self.ln_1(x)
            x = x + self.attn(y, y, y, need_weights=False)[0]
            y = self.mlp['gelu'](self.mlp['c_fc'](self.ln_2(x)))
            return x + self.mlp['c_proj'](y)

    class Transformer(nn.Module):
        def __init__(self):
            super().__init__()
            self.resblocks = nn.Sequential(*(Block() for _ in range(blocks)))

        def forward(self, x):
            return self.resblocks(x)

    class Visual(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(3, width, patch, patch, bias=False)
            self.class_embedding = nn.Parameter(torch.randn(width))
            self.positional_embedding = nn.Parameter(torch.randn(tokens, width))
            self.ln_pre = nn.LayerNorm(width)
            self.transformer = Transformer()
            self.ln_post = nn.LayerNorm(width)
            self.proj = nn.Parameter(torch.randn(width, outputs))

        def forward(self, x):
            x = self.conv1(x).flatten(2).permute(2, 0, 1)
            first = self.class_embedding.expand(1, x.shape[1], -1)
            x = torch.cat([first, x]) + self.positional_embedding[:, None]
            x = self.transformer(self.ln_pre(x))
            return self.ln_post(x[0]) @ self.proj

    class Clip(nn.Module):
        def __init__(self):
            super().__init__()
            self.visual = Visual()
            self.logit_scale = nn.Parameter(torch.ones([]))

        def forward(self, x):
            return self.visual(x)

    torch.manual_seed(0)
    model = Clip().eval()
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return model


@pytest.mark.parity
@pytest.mark.filterwarnings('ignore:.*torch.jit', 'ignore:Converting a tensor')
@pytest.mark.parametrize('script', [False, True])
def test_clip_agrees_with_torch(script, tmp_path):
    torch = pytest.importorskip('torch')
    sizes = {
        'width': 128,
        'blocks': 2,
        'patch': 4,
        'tokens': 26,
        'outputs': 48,
    }
    model = torch_clip(torch, **sizes)
    images = np.random.default_rng(0).random((3, 20, 20, 3), np.float32)
    x = torch.from_numpy(feedforward.normalise(images, 'clip')).permute(
        0, 3, 1, 2
    )
    if script:
        torch.jit.save(torch.jit.trace(model, x), tmp_path / 'clip.pt')
    else:
        torch.save(model.state_dict(), tmp_path / 'clip.pt')
    params = converters.from_torch(tmp_path / 'clip.pt', 'clip')
    assert {
        group: {part: value.shape for part, value in parts.items()}
        for group, parts in params.items()
    } == clip.tower_shapes(**sizes)
    [found] = clip.apply(params, images, ['embedding']).values()
    with torch.no_grad():
        expected = model.double()(x.double()).numpy()
    error = np.abs(found - expected).max() / np.abs(expected).max()
    assert error < 1e-5, error


def test_files_of_other_networks_are_refused(tmp_path):
    from torch_writer import write_zip

    path = tmp_path / 'weights.pth'
    write_zip(path, {'conv1.weight': np.zeros((64, 3, 7, 7), np.float32)})
    with pytest.raises(InputError, match=r"no 'bn1.weight', which swav needs"):
        weights.fetch('swav', path)
    with pytest.raises(InputError, match=r"no 'features.0.0.weight'"):
        weights.fetch('efficientnet_b1_v1', path)
    with pytest.raises(InputError, match=r"no 'visual.conv1.weight'"):
        weights.fetch('clip', path)
    write_zip(path, {'conv1.weight': np.zeros((64, 3, 3, 3), np.float32)})
    with pytest.raises(InputError, match=r'shape \(64, 3, 3, 3\), not \(64, 3'):
        weights.fetch('swav', path)


def test_weights_without_a_published_hash_are_not_downloaded(
    tmp_path, monkeypatch
):
    monkeypatch.setenv('BRAINJAX_CACHE', str(tmp_path))
    with pytest.raises(
        InputError, match=r'not published as a file.*swav.*--from FILE'
    ):
        weights.fetch('swav')

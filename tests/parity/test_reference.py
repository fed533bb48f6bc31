"""The PyTorch reference itself, against plain NumPy loops."""

# ruff: noqa: E402 (what needs torch is imported after asking for it)

import numpy as np
import pytest
import scipy.signal

torch = pytest.importorskip('torch')

import reference

pytestmark = pytest.mark.parity

PHASES = np.array([-0.03515625, 0.26171875, 0.87890625, -0.10546875])


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def as_tensor(x):
    return torch.from_numpy(np.asarray(x, np.float64))


def parameters(module):
    return sum(p.numel() for p in module.parameters())


def randomise(module, rng):
    """Draws every parameter and statistic, so that none is one or zero."""
    module.double()
    for p in module.parameters():
        p.data = as_tensor(0.2 * rng.normal(size=p.shape) + 0.1)
    for name, buffer in module.named_buffers():
        if name.endswith('running_mean'):
            buffer.data = as_tensor(rng.normal(size=buffer.shape))
        elif name.endswith('running_var'):
            buffer.data = as_tensor(rng.uniform(0.5, 2, size=buffer.shape))
    return module


def correlate(x, kernel, bias, stride, before, after):
    """A convolution as a loop over channels; x [c, h, w]."""
    x = np.pad(x, ((0, 0), (before, after), (before, after)))
    out = [
        sum(
            scipy.signal.correlate2d(plane, k, mode='valid')
            for plane, k in zip(x, filter_)
        )
        for filter_ in kernel
    ]
    return np.stack(out)[:, ::stride, ::stride] + bias[:, None, None]


def numpy_upsample(x):
    """Bicubic x2 of [c, h, w] from the phases and clamped indices."""
    for axis in (1, 2):
        n = x.shape[axis]
        out = []
        for i in range(n):
            low = np.clip(np.arange(i - 2, i + 2), 0, n - 1)
            high = np.clip(np.arange(i - 1, i + 3), 0, n - 1)
            out.append(np.tensordot(PHASES, x.take(low, axis), ([0], [axis])))
            out.append(
                np.tensordot(PHASES[::-1], x.take(high, axis), ([0], [axis]))
            )
        x = np.stack(out, axis)
    return x


def test_bicubic_phases(rng):
    x = rng.normal(size=(1, 2, 5, 6))
    ours = reference.upsample(as_tensor(x), 'bicubic')[0]
    np.testing.assert_allclose(ours, numpy_upsample(x[0]), atol=1e-12)


def test_golden_parameter_counts():
    for voxels in (10, 4643):
        decoder = reference.DecoderReference(voxels)
        assert parameters(decoder) == 12544 * voxels + 325_123
        encoder = reference.SeparableEncoderReference(voxels)
        assert parameters(encoder) == 1980 * voxels + 147_712
        assert set(encoder.maps()) == {26, 12}


def test_vgg_taps_are_the_published_places(rng):
    weights = {}
    inputs = 3
    for block, layers in enumerate(reference.VGG_BLOCKS['vgg16'][:2], 1):
        for layer in range(1, layers + 1):
            kernel = rng.normal(size=(2, inputs, 3, 3))
            weights[f'conv{block}_{layer}'] = (kernel, rng.normal(size=2))
            inputs = 2
    image = rng.uniform(size=(3, 8, 8))
    found = reference.vgg_taps(
        {k: tuple(map(as_tensor, v)) for k, v in weights.items()},
        as_tensor(image)[None],
        ('conv1_2', 'relu1_2', 'pool1', 'conv2_1', 'pool2'),
    )
    x = (image - np.c_[[0.485, 0.456, 0.406]][..., None]) / np.c_[
        [0.229, 0.224, 0.225]
    ][..., None]
    x = np.maximum(correlate(x, *weights['conv1_1'], 1, 1, 1), 0)
    x = correlate(x, *weights['conv1_2'], 1, 1, 1)
    np.testing.assert_allclose(found['conv1_2'][0], x)
    x = np.maximum(x, 0)
    np.testing.assert_allclose(found['relu1_2'][0], x)
    x = x.reshape(2, 4, 2, 4, 2).max((2, 4))
    np.testing.assert_allclose(found['pool1'][0], x)
    x = correlate(x, *weights['conv2_1'], 1, 1, 1)
    np.testing.assert_allclose(found['conv2_1'][0], x)
    assert found['pool2'].shape == (1, 2, 2, 2)


def test_decoder_forward(rng):
    decoder = reference.DecoderReference(5, grid=3, width=4, groups=2)
    randomise(decoder, rng)
    fmri = rng.normal(size=5)
    w = {k: v.detach().numpy() for k, v in decoder.state_dict().items()}
    x = (w['dense.weight'] @ fmri + w['dense.bias']).reshape(4, 3, 3)
    reflect = ((0, 0), (2, 2), (2, 2))
    for i in range(3):
        x = np.pad(numpy_upsample(x), reflect, mode='reflect')
        x = correlate(x, w[f'conv.{i}.weight'], w[f'conv.{i}.bias'], 1, 0, 0)
        groups = x.reshape(2, -1)
        mean, var = groups.mean(1), groups.var(1)
        groups = (groups - mean[:, None]) / np.sqrt(var + 1e-5)[:, None]
        x = groups.reshape(x.shape)
        x = x * w[f'norm.{i}.weight'][:, None, None]
        x = x + w[f'norm.{i}.bias'][:, None, None]
        x = x / (1 + np.exp(-x))
    x = np.pad(x, reflect, mode='reflect')
    x = correlate(x, w['top.weight'], w['top.bias'], 1, 0, 0)
    x = 1 / (1 + np.exp(-x))
    np.testing.assert_allclose(
        decoder(as_tensor(fmri)[None])[0].detach(), x, atol=1e-10
    )


@pytest.mark.parametrize('variant', reference.DECODERS)
def test_decoder_variants_make_images(variant):
    decoder = reference.DecoderReference(4, **reference.DECODERS[variant])
    images = decoder(torch.randn(2, 4))
    assert images.shape == (2, 3, 112, 112)
    assert images.min() >= 0 and images.max() <= 1


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('padding', ['torch', 'tf'])
def test_separable_encoder_forward(rng, stride, padding):
    voxels, channels, sides = 3, (2, 3, 2, 2), (32, 16, 8, 4)
    encoder = reference.SeparableEncoderReference(
        voxels, channels, sides, stride, padding
    )
    randomise(encoder, rng).eval()
    taps = [rng.normal(size=(c, s, s)) for c, s in zip(channels, sides)]
    w = {k: v.detach().numpy() for k, v in encoder.state_dict().items()}

    def norm(x, name):
        shape = (-1, 1, 1)
        x = x - w[f'{name}.running_mean'].reshape(shape)
        x = x / np.sqrt(w[f'{name}.running_var'].reshape(shape) + 1e-5)
        return x * w[f'{name}.weight'].reshape(shape) + w[
            f'{name}.bias'
        ].reshape(shape)

    expected = np.zeros(voxels)
    strides = (2, 2, stride, 1)
    for b, x in enumerate(taps):
        x = norm(x, f'norm_in.{b}')
        if b == 0:
            x = x.reshape(2, 16, 2, 16, 2).max((2, 4))
        before, after = (1, 1)
        if padding == 'tf' and strides[b] == 2:
            before, after = 0, 1
        if b == 3:
            before = after = 0
        x = correlate(
            x,
            w[f'conv.{b}.conv.weight'],
            w[f'conv.{b}.conv.bias'],
            strides[b],
            before,
            after,
        )
        x = norm(np.maximum(x, 0), f'norm_out.{b}')
        d = x.shape[1] - 2
        space, mix = w[f'space.{d}.weight'], w[f'mix.{b}']
        for v in range(voxels):
            y = w[f'mix_bias.{b}'][v]
            for c in range(32):
                for ky in range(3):
                    for kx in range(3):
                        window = x[c, ky : ky + d, kx : kx + d]
                        y += mix[v, c * 9 + ky * 3 + kx] * np.sum(
                            window * space[v].reshape(d, d)
                        )
            expected[v] += y * abs(w['branch_weights'][v, b])
    got = encoder([as_tensor(t)[None] for t in taps])[0].detach()
    np.testing.assert_allclose(got, expected, rtol=1e-9)


def test_perceptual_loss_and_total_variation(rng):
    a, b = rng.normal(size=(2, 2, 3, 4, 5))
    total, count = 0.0, 0
    for i in range(2):
        for y in range(4):
            for x in range(5):
                u, v = a[i, :, y, x], b[i, :, y, x]
                cosine = u @ v / np.linalg.norm(u) / np.linalg.norm(v)
                total, count = total + 1 - cosine, count + 1
    got = reference.perceptual_loss(as_tensor(a), as_tensor(b))
    np.testing.assert_allclose(got, total / count, rtol=1e-8)

    powers = []
    for image in a.reshape(-1, 4, 5):
        for y in range(1, 4):
            for x in range(1, 5):
                dy = image[y, x] - image[y - 1, x]
                dx = image[y, x] - image[y, x - 1]
                powers.append((dy**2 + dx**2) ** 1.25)
    got = reference.total_variation(as_tensor(a))
    np.testing.assert_allclose(got, np.mean(powers), rtol=1e-10)


def test_fmri_losses(rng):
    a, b = rng.normal(size=(2, 4, 6))
    snr = rng.uniform(size=6)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosine = np.mean((a * b).sum(1) / norms)
    square, absolute = np.mean((a - b) ** 2), np.mean(snr * abs(a - b))
    a, b, snr = map(as_tensor, (a, b, snr))
    for got, expected in (
        (reference.encoder_loss(a, b), square + 0.3 * (1 - cosine) / 2),
        (
            reference.encoder_loss(a, b, 0.1, 'keras'),
            square - 0.1 * cosine,
        ),
        (reference.cycle_loss(a, b, snr), absolute + 0.2 * (1 - cosine) / 2),
        (
            reference.cycle_loss(a, b, snr, 0.1, 'keras'),
            absolute - 0.1 * cosine,
        ),
    ):
        np.testing.assert_allclose(got, expected, rtol=1e-10)


@pytest.mark.parametrize('neighbours', [4, 8])
@pytest.mark.parametrize('padding', ['reflect', 'symmetric'])
def test_group_sparsity(rng, neighbours, padding):
    voxels, channels, side = 2, 3, 4
    weight = rng.normal(size=(voxels, channels, side, side))
    offsets = [
        (dy, dx)
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
        if (dy, dx) != (0, 0) and (neighbours == 8 or not (dy and dx))
    ]

    def inside(i):
        if padding == 'reflect':
            return abs(i) if i < side else 2 * side - 2 - i
        return max(0, min(i, side - 1))

    total = 0.0
    for v in range(voxels):
        for y in range(side):
            for x in range(side):
                q = 0.0
                for c in range(channels):
                    around = np.mean(
                        [
                            weight[v, c, inside(y + dy), inside(x + dx)] ** 2
                            for dy, dx in offsets
                        ]
                    )
                    q += (weight[v, c, y, x] ** 2 + 0.5 * around) / 1.5
                total += np.sqrt(q / channels)
    expected = 400 * total / (voxels * side * side)
    inverse = rng.uniform(size=voxels)
    expected += 40 * np.mean(abs(weight) * inverse[:, None, None, None])
    got = reference.dense_regulariser(
        as_tensor(weight),
        as_tensor(inverse),
        neighbours=neighbours,
        padding=padding,
    )
    np.testing.assert_allclose(got, expected, rtol=1e-10)


def test_map_regularisers(rng):
    voxels, side = 3, 5
    maps = rng.normal(size=(voxels, side, side))
    moment = sparsity = 0.0
    for v in range(voxels):
        p = maps[v] ** 2
        cx = (
            sum(x * p[y, x] for y in range(side) for x in range(side)) / p.sum()
        )
        cy = (
            sum(y * p[y, x] for y in range(side) for x in range(side)) / p.sum()
        )
        padded = np.pad(p, 1, mode='reflect')
        for y in range(side):
            for x in range(side):
                moment += ((x - cx) ** 2 + (y - cy) ** 2) * p[y, x]
                around = (
                    padded[y, x + 1]
                    + padded[y + 2, x + 1]
                    + padded[y + 1, x]
                    + padded[y + 1, x + 2]
                )
                sparsity += 5e-6 * abs(maps[v, y, x]) + 1e-5 * np.sqrt(
                    around / 4
                )
    np.testing.assert_allclose(
        reference.second_moment(as_tensor(maps)),
        moment / (2 * side * voxels),
        rtol=1e-10,
    )
    np.testing.assert_allclose(
        reference.map_sparsity(as_tensor(maps)), sparsity, rtol=1e-10
    )


def test_frozen_encoder_stays_and_decoder_moves():
    torch.manual_seed(0)
    vgg, inputs = {}, 3
    for block, layers in enumerate(reference.VGG_BLOCKS['vgg19'], 1):
        for layer in range(1, layers + 1):
            kernel = 0.3 * torch.randn(4, inputs, 3, 3)
            vgg[f'conv{block}_{layer}'] = (kernel, torch.randn(4))
            inputs = 4
    encoder = reference.SeparableEncoderReference(6, (4,) * 4, (32, 16, 8, 4))
    decoder = reference.DecoderReference(6, grid=4, width=8, groups=2)
    before = [
        {k: v.clone() for k, v in module.state_dict().items()}
        for module in (encoder, decoder)
    ]
    losses = reference.decoder_step(
        decoder,
        encoder,
        reference.amsgrad(decoder.parameters(), 1e-2),
        vgg,
        vgg,
        {
            'fmri': torch.randn(2, 6),
            'images': torch.rand(2, 3, 32, 32),
            'unpaired_images': torch.rand(3, 3, 32, 32),
            'unpaired_fmri': torch.randn(2, 6),
        },
        torch.ones(3),
        torch.ones(6),
        torch.ones(6),
    )
    assert all(torch.isfinite(value) for value in losses.values())
    for key, value in encoder.state_dict().items():
        assert torch.equal(value, before[0][key]), key
    for key, value in decoder.state_dict().items():
        assert not torch.equal(value, before[1][key]), key

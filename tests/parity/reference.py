"""The self-supervised method written a second time, in PyTorch.

Written from the formulas of Beliy et al. 2019 and Gaziv et al. 2022 alone, in
the layout of the papers (NCHW, PyTorch modules and PyTorch's own layers), so
that two independent forms can be held against each other. Weights come from
JAX trees through `convert`. The published variants are called by their year
and framework: 'beliy2019', 'gaziv2022-keras', 'gaziv2022-torch'.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# Convolutions in each of the five blocks.
VGG_BLOCKS = {'vgg16': (2, 2, 3, 3, 3), 'vgg19': (2, 2, 4, 4, 4)}

ENCODER_TAPS = {
    'vgg16': ('relu1_2', 'relu2_2', 'relu3_3', 'relu4_3'),
    'vgg19': ('relu1_2', 'relu2_2', 'relu3_4', 'relu4_4'),
}
POOLED_TAPS = ('pool1', 'pool2', 'pool3', 'pool4', 'pool5')
UNPOOLED_TAPS = ('relu1_2', 'relu2_2', 'relu3_3', 'relu4_3', 'relu5_3')

DECODERS = {
    'gaziv2022-torch': {},
    'gaziv2022-keras': {
        'upsample': 'bilinear',
        'pad': 'zero',
        'activation': 'relu',
        'activation_first': True,
    },
    'beliy2019': {
        'upsample': 'nearest',
        'upsample_first': False,
        'pad': 'zero',
        'activation': 'relu',
        'activation_first': True,
        'norm': 'batch',
        'kernel': 3,
    },
}


# Backbones.


def vgg_taps(
    weights: Mapping[str, tuple[torch.Tensor, torch.Tensor]],
    images: torch.Tensor,
    taps: Iterable[str],
) -> dict[str, torch.Tensor]:
    """Returns the named activations of a VGG for images [n, 3, h, w] in 0..1.

    `weights` maps 'conv1_1', ... to (kernel OIHW, bias). 'convB_I' is taken
    before the ReLU, 'reluB_I' after it, 'poolB' after the block's 2x2 maximum.
    """
    wanted = set(taps)
    found = {}
    mean = images.new_tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
    std = images.new_tensor(IMAGENET_STD).view(1, 3, 1, 1)
    x = (images - mean) / std
    for block in range(1, 6):
        layer = 1
        while f'conv{block}_{layer}' in weights:
            name = f'{block}_{layer}'
            x = F.conv2d(x, *weights[f'conv{name}'], padding=1)
            found[f'conv{name}'] = x
            x = F.relu(x)
            found[f'relu{name}'] = x
            if wanted <= found.keys():
                return {tap: found[tap] for tap in wanted}
            layer += 1
        x = F.max_pool2d(x, 2)
        found[f'pool{block}'] = x
        if wanted <= found.keys():
            break
    return {tap: found[tap] for tap in wanted}


# Encoders.


class StridedConv(nn.Module):
    """A convolution padded as PyTorch's padding=1 or as TensorFlow's SAME."""

    def __init__(self, inputs, outputs, kernel, stride, padding='torch'):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride)
        self.kernel, self.stride, self.padding = kernel, stride, padding

    def forward(self, x):
        if self.padding == 'torch':
            before = after = self.kernel // 2
        else:  # even sides only: the total is kernel - stride
            total = max(self.kernel - self.stride, 0)
            before, after = total // 2, total - total // 2
        return self.conv(F.pad(x, (before, after, before, after)))


class SeparableEncoderReference(nn.Module):
    """Separable readout of four VGG taps (Gaziv et al. 2022).

    `sides` are the sides of the four taps in pixels. With `branch3_stride` 2
    branches 3 and 4 share the small map, with 1 branch 3 uses the large one.
    The Keras release: 1, 'tf', .5, 1e-3, .01 and no `absolute`, as there the
    optimiser keeps the branch weights from falling below 0.
    """

    def __init__(
        self,
        voxels: int,
        channels: Sequence[int] = (64, 128, 256, 512),
        sides: Sequence[int] = (112, 56, 28, 14),
        branch3_stride: int = 2,
        padding: str = 'torch',
        dropout: float = 0.5,
        norm_eps: float = 1e-5,
        norm_momentum: float = 0.1,
        absolute: bool = True,
    ):
        super().__init__()
        self.absolute = absolute
        strides = (2, 2, branch3_stride, 1)
        kernels = (3, 3, 3, 1)
        halved = (sides[0] // 2, *sides[1:])
        sides = [-(-h // s) - 2 for h, s in zip(halved, strides)]
        self.sides = sides
        self.norm_in = nn.ModuleList(
            nn.BatchNorm2d(c, norm_eps, norm_momentum) for c in channels
        )
        self.conv = nn.ModuleList(
            StridedConv(c, 32, k, s, padding)
            for c, k, s in zip(channels, kernels, strides)
        )
        self.norm_out = nn.ModuleList(
            nn.BatchNorm2d(32, norm_eps, norm_momentum) for _ in channels
        )
        self.space = nn.ModuleDict(
            {
                str(side): nn.Linear(side**2, voxels, bias=False)
                for side in sorted(set(sides))
            }
        )
        self.mix = nn.ParameterList(
            nn.Parameter(nn.init.xavier_normal_(torch.empty(voxels, 288)))
            for _ in channels
        )
        self.mix_bias = nn.ParameterList(
            nn.Parameter(torch.full((voxels,), 0.01)) for _ in channels
        )
        self.branch_weights = nn.Parameter(torch.ones(voxels, 4))
        self.dropout = nn.Dropout(dropout)

    def forward(self, taps: Sequence[torch.Tensor]) -> torch.Tensor:
        fmri = 0.0
        for b, x in enumerate(taps):
            x = self.norm_in[b](x)
            if b == 0:
                x = F.max_pool2d(x, 2)
            x = self.norm_out[b](F.relu(self.conv[b](x)))
            patches = F.unfold(x, 3)  # [n, c * 9 + ky * 3 + kx, y * w + x]
            maps = self.space[str(self.sides[b])]
            pooled = self.dropout(maps(patches))  # [n, 288, voxels]
            mixed = (pooled * self.mix[b].T).sum(1) + self.mix_bias[b]
            weight = self.branch_weights[:, b]
            fmri = fmri + mixed * (weight.abs() if self.absolute else weight)
        return fmri

    def maps(self) -> dict[int, torch.Tensor]:
        """Returns the spatial maps [voxels, side, side] by side."""
        return {
            int(side): layer.weight.view(-1, int(side), int(side))
            for side, layer in self.space.items()
        }


class DenseEncoderReference(nn.Module):
    """Two strided convolutions and a dense layer (Beliy et al. 2019)."""

    def __init__(
        self,
        voxels: int,
        channels: int = 96,
        side: int = 56,
        dropout: float = 0.5,
        padding: str = 'tf',
        norm_eps: float = 1e-3,
        norm_momentum: float = 0.01,
    ):
        super().__init__()
        self.norm_in = nn.BatchNorm2d(channels, norm_eps, norm_momentum)
        self.conv = nn.ModuleList(
            StridedConv(c, 32, 3, 2, padding) for c in (channels, 32)
        )
        self.norm = nn.ModuleList(
            nn.BatchNorm2d(32, norm_eps, norm_momentum) for _ in range(2)
        )
        self.dropout = nn.Dropout(dropout)
        self.grid = side // 4
        self.dense = nn.Linear(32 * self.grid**2, voxels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm_in(x)
        for conv, norm in zip(self.conv, self.norm):
            x = norm(F.relu(conv(x)))
        return self.dense(self.dropout(x.flatten(1)))

    def weight(self) -> torch.Tensor:
        """Returns the dense weights as [voxels, 32, grid, grid]."""
        return self.dense.weight.view(-1, 32, self.grid, self.grid)


# Decoder.


def upsample(x: torch.Tensor, method: str) -> torch.Tensor:
    """Returns x [n, c, h, w] at twice the size.

    'bilinear' puts pixel centres at half pixels. TensorFlow 1 (the Keras
    release) had the legacy form without the half pixel, which differs.
    """
    if method == 'nearest':
        return F.interpolate(x, scale_factor=2, mode='nearest')
    return F.interpolate(x, scale_factor=2, mode=method, align_corners=False)


class DecoderReference(nn.Module):
    """fMRI [n, voxels] to images [n, 3, 8 grid, 8 grid] in 0..1."""

    def __init__(
        self,
        voxels: int,
        grid: int = 14,
        width: int = 64,
        groups: int = 32,
        kernel: int = 5,
        upsample: str = 'bicubic',
        upsample_first: bool = True,
        pad: str = 'reflect',
        activation: str = 'swish',
        activation_first: bool = False,
        norm: str = 'group',
        norm_eps: float = 1e-5,
        norm_momentum: float = 0.1,
    ):
        super().__init__()
        self.grid, self.width, self.kernel = grid, width, kernel
        self.upsample, self.upsample_first = upsample, upsample_first
        self.pad, self.activation_first = pad, activation_first
        self.activation = {'swish': F.silu, 'relu': F.relu}[activation]
        self.dense = nn.Linear(voxels, width * grid * grid)
        self.conv = nn.ModuleList(
            nn.Conv2d(width, width, kernel) for _ in range(3)
        )
        self.norm = nn.ModuleList(
            nn.GroupNorm(groups, width, norm_eps)
            if norm == 'group'
            else nn.BatchNorm2d(width, norm_eps, norm_momentum)
            for _ in range(3)
        )
        self.top = nn.Conv2d(width, 3, kernel)

    def padded(self, x):
        mode = {'reflect': 'reflect', 'zero': 'constant'}[self.pad]
        return F.pad(x, (self.kernel // 2,) * 4, mode=mode)

    def forward(self, fmri: torch.Tensor) -> torch.Tensor:
        x = self.dense(fmri).view(-1, self.width, self.grid, self.grid)
        for conv, norm in zip(self.conv, self.norm):
            if self.upsample_first:
                x = upsample(x, self.upsample)
            x = conv(self.padded(x))
            if self.activation_first:
                x = self.activation(x)
            if not self.upsample_first:
                x = upsample(x, self.upsample)
            x = norm(x)
            if not self.activation_first:
                x = self.activation(x)
        return torch.sigmoid(self.top(self.padded(x)))

    def weight(self) -> torch.Tensor:
        """Returns the dense weights as [voxels, width, grid, grid]."""
        return self.dense.weight.T.reshape(-1, self.width, self.grid, self.grid)

    def kernels(self) -> list[torch.Tensor]:
        return [*(conv.weight for conv in self.conv), self.top.weight]


# Losses.


def pixel_loss(output, target, scale) -> torch.Tensor:
    """Returns the mean absolute error of images divided by scale [3]."""
    scale = scale.clamp_min(1e-6).view(1, -1, 1, 1)
    return (output / scale - target / scale).abs().mean()


def unit_channels(features: torch.Tensor) -> torch.Tensor:
    norm = ((features**2).sum(1, keepdim=True) + 1e-10).sqrt()
    return features / (norm + 1e-10)


def perceptual_loss(output, target) -> torch.Tensor:
    """Returns the mean of 1 - cosine over channels of features [n,c,h,w]."""
    products = unit_channels(output) * unit_channels(target.detach())
    return (1 - products.sum(1)).mean()


def feature_loss(output, target, scale) -> torch.Tensor:
    """Returns the mean absolute error of features divided by scale [c]."""
    scale = scale.view(1, -1, 1, 1)
    return ((output - target.detach()) / scale).abs().mean()


def total_variation(images) -> torch.Tensor:
    """Returns mean (dy^2 + dx^2)^1.25 against the pixel below and right."""
    corner = images[..., 1:, 1:]
    dy = corner - images[..., :-1, 1:]
    dx = corner - images[..., 1:, :-1]
    return ((dy**2 + dx**2) ** 1.25).mean()


def image_loss(
    vgg,
    output,
    target,
    scale,
    taps: Sequence[str] = POOLED_TAPS,
    weights: Sequence[float] = (10, 10, 10, 10, 2),
    tv: float = 0.3,
) -> torch.Tensor:
    """Returns the image loss of Gaziv et al. 2022 (PyTorch weights).

    The Keras release: taps=UNPOOLED_TAPS, weights=(2, 2, 2, 2, 2).
    """
    ours = vgg_taps(vgg, output, taps)
    with torch.no_grad():
        theirs = vgg_taps(vgg, target, taps)
    loss = pixel_loss(output, target, scale) + tv * total_variation(output)
    for tap, weight in zip(taps, weights):
        loss = loss + weight * perceptual_loss(ours[tap], theirs[tap])
    return loss


def image_loss_2019(
    vgg, output, target, pixel_scale, feature_scales, tv: float = 1.0
) -> torch.Tensor:
    """Returns the image loss of Beliy et al. 2019 (VGG19)."""
    weights = {'relu1_2': 0.70, 'relu2_2': 0.15}
    ours = vgg_taps(vgg, output, weights)
    with torch.no_grad():
        theirs = vgg_taps(vgg, target, weights)
    loss = 0.15 * pixel_loss(output, target, pixel_scale)
    for tap, weight in weights.items():
        loss = loss + weight * feature_loss(
            ours[tap], theirs[tap], feature_scales[tap]
        )
    return loss + tv * total_variation(output)


def mean_cosine(a, b) -> torch.Tensor:
    return F.cosine_similarity(a, b, dim=1).mean()


def encoder_loss(output, target, cosine=0.3, variant='torch') -> torch.Tensor:
    """Returns the supervised fMRI loss; 'keras' is MSE - cosine * cos."""
    error = ((output - target) ** 2).mean()
    if variant == 'torch':
        return error + cosine * (1 - mean_cosine(output, target)) / 2
    return error - cosine * mean_cosine(output, target)


def cycle_loss(
    output, target, snr, cosine=0.2, variant='torch'
) -> torch.Tensor:
    """Returns the fMRI loss of the DE cycle; snr [voxels] has mean 1."""
    error = (snr * (output - target).abs()).mean()
    if variant == 'torch':
        return error + cosine * (1 - mean_cosine(output, target)) / 2
    return error - cosine * mean_cosine(output, target)


# Regularisers.


def neighbour_sum(x, neighbours: int, padding: str) -> torch.Tensor:
    """Returns the sum over the 4 or 8 neighbours in the last two axes."""
    height, width = x.shape[-2:]
    rows = torch.from_numpy(np.pad(np.arange(height), 1, mode=padding))
    columns = torch.from_numpy(np.pad(np.arange(width), 1, mode=padding))
    padded = x[..., rows.to(x.device), :][..., columns.to(x.device)]
    total = 0.0
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            if (dy, dx) == (0, 0) or (neighbours == 4 and dy and dx):
                continue
            total = (
                total
                + padded[..., 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
            )
    return total


def second_moment(maps) -> torch.Tensor:
    """Returns the spread of squared maps [voxels, d, d] round their centre."""
    voxels, side, _ = maps.shape
    p = maps**2
    y, x = torch.meshgrid(
        torch.arange(side).to(maps), torch.arange(side).to(maps), indexing='ij'
    )
    mass = p.sum((1, 2))
    cx = ((x * p).sum((1, 2)) / mass).view(-1, 1, 1)
    cy = ((y * p).sum((1, 2)) / mass).view(-1, 1, 1)
    spread = ((x - cx) ** 2 + (y - cy) ** 2) * p
    return spread.sum() / (2 * side * voxels)


def map_sparsity(maps, l1=5e-6, group=1e-5, padding='reflect') -> torch.Tensor:
    """Returns l1 * sum |S| + group * sum sqrt(mean of 4 neighbours' S^2)."""
    around = neighbour_sum(maps**2, 4, padding) / 4
    return l1 * maps.abs().sum() + group * around.sqrt().sum()


def group_sparsity(weight, neighbours, padding) -> torch.Tensor:
    """Returns mean sqrt(mean over channels of Q) for [voxels, c, h, w]."""
    square = weight**2
    around = neighbour_sum(square, neighbours, padding) / neighbours
    return ((square + 0.5 * around) / 1.5).mean(1).sqrt().mean()


def dense_regulariser(
    weight, inverse_snr=None, l1=40, group=400, neighbours=8, padding='reflect'
) -> torch.Tensor:
    """Returns l1 * mean(|W| * inverse SNR) + group * group sparsity.

    (20, 400, 4, 'symmetric') is the Keras decoder, and without inverse_snr
    the 2019 decoder; (10, 800, 4, 'symmetric') the 2019 encoder.
    """
    size = weight.abs()
    if inverse_snr is not None:
        size = size * inverse_snr.view(-1, 1, 1, 1)
    return l1 * size.mean() + group * group_sparsity(
        weight, neighbours, padding
    )


def conv_l1(kernels) -> torch.Tensor:
    return sum(kernel.abs().sum() for kernel in kernels)


def conv_l2(kernels) -> torch.Tensor:
    return sum((kernel**2).sum() for kernel in kernels)


def encoder_regulariser_2019(encoder: DenseEncoderReference) -> torch.Tensor:
    """Returns what Beliy et al. 2019 add to the encoder's loss."""
    kernels = [layer.conv.weight for layer in encoder.conv]
    dense = dense_regulariser(
        encoder.weight(), None, 10, 800, 4, padding='symmetric'
    )
    return dense + 1e-5 * conv_l1(kernels) + 1e-3 * conv_l2(kernels)


def decoder_regulariser_2019(decoder) -> torch.Tensor:
    """Returns what Beliy et al. 2019 add to the decoder's: no SNR in it."""
    return dense_regulariser(
        decoder.weight(), None, 20, 400, 4, padding='symmetric'
    )


def decoder_regulariser_keras(decoder, inverse_snr) -> torch.Tensor:
    """Returns what the Keras script adds to the decoder's loss."""
    dense = dense_regulariser(
        decoder.weight(), inverse_snr, 20, 400, 4, padding='symmetric'
    )
    return dense + 1e-5 * conv_l1(decoder.kernels())


# Initial values and learning rates.


def glorot_deviation(*shape: int) -> float:
    """Returns the deviation of Keras' glorot_normal for a weight's shape.

    sqrt(2 / (fan in + fan out)), where a matrix has its sides, a vector of n
    the root of n twice, and anything longer counts as a convolution's kernel:
    its last two axes, each times the number of places.
    """
    if len(shape) == 1:
        fans = 2 * shape[0] ** 0.5
    else:
        fans = (shape[-1] + shape[-2]) * np.prod(shape[:-2])
    return float((2 / fans) ** 0.5)


def learning_rate(variant: str, part: str, epoch: int) -> float:
    """Returns the rate of an epoch, counted from 0."""
    if variant == 'beliy2019' and part == 'encoder':
        return 0.1 / 10 ** sum(epoch >= drop for drop in (20, 35, 45, 50))
    if variant == 'beliy2019':  # A fifth every 30 epochs, first at 29.
        return 1e-3 / 5 ** ((epoch + 1) // 30)
    if variant == 'gaziv2022-torch' and part == 'encoder':
        return 1e-3 * 0.2 ** max(0, (epoch - 1) // 10)
    if variant == 'gaziv2022-torch':
        return 5e-3 if epoch < 100 else 1e-3 if epoch < 140 else 2e-4
    table = {
        'encoder': ((20, 1e-3), (30, 1e-4), (35, 1e-5), (49, 1e-6)),
        'decoder': (
            *((28, 1e-3), (58, 2e-4), (118, 4e-5)),
            *((148, 8e-6), (149, 1.6e-6)),
        ),
    }[part]
    return next(rate for last, rate in table if epoch <= last)


def decoder_regulariser(decoder, inverse_snr, conv=1e-4) -> torch.Tensor:
    """Returns what the PyTorch script adds to the decoder's loss."""
    dense = dense_regulariser(decoder.weight(), inverse_snr)
    return dense + conv * conv_l1(decoder.kernels())


def encoder_regulariser(
    encoder: SeparableEncoderReference,
    repeats: Mapping[int, int],
    moment: float = 10.0,
    conv: float = 1e-4,
    channel: float = 5e-6,
    branch: float = 5e-2,
    padding: str = 'reflect',
    frozen: Iterable[torch.Tensor] = (),
) -> torch.Tensor:
    """Returns what the PyTorch script adds to the encoder's loss.

    `repeats` says how often each map counts, by side: the script's
    {26: 3, 12: 1}, although the network uses each twice. `frozen` are the
    backbone's kernels, which the script counts too (a constant).
    """
    loss = conv * conv_l1(layer.conv.weight for layer in encoder.conv)
    loss = loss + conv * conv_l1(frozen)
    for side, maps in encoder.maps().items():
        one = moment * second_moment(maps) + map_sparsity(maps, padding=padding)
        loss = loss + repeats[side] * one
    loss = loss + channel * sum(mix.abs().sum() for mix in encoder.mix)
    return loss + branch * encoder.branch_weights.abs().sum()


# One step.


def amsgrad(parameters, learning_rate=5e-3) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=learning_rate, amsgrad=True)


def predict(encoder, backbone, images, name='vgg19') -> torch.Tensor:
    """Returns the encoder's fMRI [n, voxels] of images."""
    taps = ENCODER_TAPS[name]
    found = vgg_taps(backbone, images, taps)
    return encoder([found[tap] for tap in taps])


def decoder_step(
    decoder,
    encoder,
    optimizer,
    loss_vgg,
    encoder_vgg,
    batch: Mapping[str, torch.Tensor],
    pixel_scale,
    snr,
    inverse_snr,
    weights: tuple[float, float, float] = (1.0, 1.0, 1.0),
    encoder_name: str = 'vgg19',
) -> dict[str, torch.Tensor]:
    """Does one step of the decoder, D + ED + DE + regularisation.

    `batch` has 'fmri' and 'images' (paired), 'unpaired_images' and
    'unpaired_fmri'. The frozen encoder is in eval mode. Gradients stay in
    `.grad` of the decoder's parameters.

    Returns:
      The losses 'd', 'ed', 'de', 'regularisation' and 'total', detached.
    """
    encoder.eval().requires_grad_(False)
    decoder.train()
    optimizer.zero_grad(set_to_none=True)
    with torch.no_grad():
        predicted = predict(
            encoder, encoder_vgg, batch['unpaired_images'], encoder_name
        )
    losses = {
        'd': image_loss(
            loss_vgg, decoder(batch['fmri']), batch['images'], pixel_scale
        ),
        'ed': image_loss(
            loss_vgg, decoder(predicted), batch['unpaired_images'], pixel_scale
        ),
        'regularisation': decoder_regulariser(decoder, inverse_snr),
    }
    if weights[2]:
        again = predict(
            encoder,
            encoder_vgg,
            decoder(batch['unpaired_fmri']),
            encoder_name,
        )
        losses['de'] = cycle_loss(again, batch['unpaired_fmri'], snr)
    else:
        losses['de'] = torch.zeros_like(losses['d'])
    losses['total'] = losses['regularisation'] + sum(
        weight * losses[name]
        for name, weight in zip(('d', 'ed', 'de'), weights)
    )
    losses['total'].backward()
    optimizer.step()
    return {name: loss.detach() for name, loss in losses.items()}

"""The VAE-GAN and its training step written a second time, in PyTorch.

Written from the published description alone (VanRullen & Reddy 2019, Larsen
et al. 2016), in NCHW, with PyTorch's modules, three separate losses, each
with its own forward pass of the whole graph, and three optimisers.
"""

import torch
import torch.nn.functional as F
from torch import nn


def _norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-6, momentum=0.1)


class Down(nn.Sequential):
    """TensorFlow's SAME convolution of stride 2: one row and column more."""

    def __init__(self, inputs, outputs, norm):
        super().__init__(
            nn.ZeroPad2d((0, 1, 0, 1)),
            nn.Conv2d(inputs, outputs, 3, 2),
            *([_norm(outputs)] if norm else []),
            nn.ELU(),
        )


class Up(nn.Sequential):
    """Its transpose: PyTorch's gives one row and column too many."""

    def __init__(self, inputs, outputs):
        super().__init__(
            nn.ConvTranspose2d(inputs, outputs, 3, 2),
            nn.ZeroPad2d((0, -1, 0, -1)),
            _norm(outputs),
            nn.ELU(),
        )


class EncoderReference(nn.Module):
    def __init__(self, size, channels, latents, sigma=(0.0, 0.5)):
        super().__init__()
        pairs = zip((3, *channels), channels)
        self.layers = nn.ModuleList(Down(a, b, True) for a, b in pairs)
        grid = size // 2 ** len(channels)
        self.fc = nn.Linear(grid * grid * channels[-1], latents)
        self.mu = nn.Linear(latents, latents)
        self.log_sigma = nn.Linear(latents, latents)
        self.sigma = sigma

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        x = self.fc(x.permute(0, 2, 3, 1).flatten(1))
        centre, reach = self.sigma
        log_sigma = centre + reach * torch.tanh(self.log_sigma(x))
        return torch.tanh(self.mu(x)), log_sigma


class GeneratorReference(nn.Module):
    def __init__(self, size, channels, latents):
        super().__init__()
        self.grid = size // 2 ** len(channels)
        self.fc = nn.Linear(latents, self.grid**2 * channels[0])
        pairs = zip(channels, (*channels[1:], 3))
        self.layers = nn.ModuleList(Up(a, b) for a, b in pairs)

    def forward(self, z):
        x = F.elu(self.fc(z)).view(len(z), self.grid, self.grid, -1)
        x = x.permute(0, 3, 1, 2)
        for layer in self.layers:
            x = layer(x)
        return x


class DiscriminatorReference(nn.Module):
    def __init__(self, size, channels):
        super().__init__()
        pairs = zip((3, *channels), channels)
        self.layers = nn.ModuleList(Down(a, b, False) for a, b in pairs)
        grid = size // 2 ** len(channels)
        self.fc = nn.Linear(grid * grid * channels[-1], 1)

    def forward(self, x):
        features = []
        for layer in self.layers:
            x = layer(x)
            features.append(x)
        return self.fc(x.permute(0, 2, 3, 1).flatten(1))[:, 0], features


def _untracked(module, x):
    """Runs a module whose batch norms leave their running averages alone."""
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 0.0
    y = module(x)
    for norm in norms:
        norm.momentum = 0.1
    return y


def losses(
    encoder,
    generator,
    discriminator,
    x,
    noise,
    prior,
    *,
    gamma=0.5,
    kl=1.0,
    first_feature=3,
    pixels=0.0,
    game='cadl',
    eps=1e-12,
):
    """Returns every term of the three losses, means over the batch."""
    mu, log_sigma = encoder(x)
    rebuilt = generator(mu + noise * torch.exp(log_sigma))
    drawn = _untracked(generator, prior)
    (real, seen), (fake, shown), (prior_fake, _) = (
        discriminator(images) for images in (x, rebuilt, drawn)
    )
    d_real, d_fake, d_prior = (
        torch.sigmoid(logit) for logit in (real, fake, prior_fake)
    )
    divergence = -0.5 * (
        1 + 2 * log_sigma - mu**2 - torch.exp(2 * log_sigma)
    ).sum(1)
    reconstruction = sum(
        0.5 * ((a - b) ** 2).flatten(1).sum(1)
        for a, b in list(zip(shown, seen))[first_feature:]
    )
    reconstruction = reconstruction + pixels * 0.5 * (
        (rebuilt - x) ** 2
    ).flatten(1).sum(1)
    gan = (
        torch.log(d_real + eps)
        + torch.log(1 - d_fake + eps)
        + torch.log(1 - d_prior + eps)
    ) / 3
    played = {
        'cadl': -gan,
        'minimax': gan,
        'nonsaturating': -(torch.log(d_fake + eps) + torch.log(d_prior + eps))
        / 3,
        'none': 0 * gan,
    }[game]
    return {
        'kl': divergence.mean(),
        'reconstruction': reconstruction.mean(),
        'real': -torch.log(d_real + eps).mean(),
        'fake': -torch.log(1 - d_fake + eps).mean(),
        'encoder': (kl * divergence + reconstruction).mean(),
        'generator': (gamma * reconstruction + played).mean(),
        'discriminator': -gan.mean(),
    }


def gates(real, fake, equilibrium=0.693, margin=0.4):
    """Returns whether generator and discriminator take their step."""
    generator = not (real > equilibrium + margin or fake > equilibrium + margin)
    discriminator = not (
        real < equilibrium - margin or fake < equilibrium - margin
    )
    if not generator and not discriminator:
        generator = discriminator = True
    return generator, discriminator


def adam(networks, rate):
    return [
        torch.optim.Adam(network.parameters(), rate) for network in networks
    ]


def step(networks, optimizers, x, noise, prior, margin=0.4, **options):
    """One update of all three networks; returns the terms before it."""
    terms = losses(*networks, x, noise, prior, **options)
    real, fake = float(terms['real'].detach()), float(terms['fake'].detach())
    names = ('encoder', 'generator', 'discriminator')
    gradients = [
        torch.autograd.grad(
            terms[name], list(network.parameters()), retain_graph=True
        )
        for name, network in zip(names, networks)
    ]
    steps = (True, *gates(real, fake, margin=margin))
    for network, optimizer, gradient, taken in zip(
        networks, optimizers, gradients, steps
    ):
        for p, g in zip(network.parameters(), gradient):
            p.grad = g
        if taken:
            optimizer.step()
    found = {k: float(v.detach()) for k, v in terms.items()}
    found |= {'generator_steps': steps[1], 'discriminator_steps': steps[2]}
    return found


# Weights, both ways. Ours are HWIO and NHWC; see tests/parity/convert.py.


def _pairs(module, tree, stats):
    """Yields (parameter or buffer, its array in our layout, name)."""
    for i, layer in enumerate(module.layers, 1):
        ours = tree[f'layer{i}']
        for part in layer:
            if isinstance(part, (nn.Conv2d, nn.ConvTranspose2d)):
                # [3, 3, in, out] to OIHW; [3, 3, out, in] to IOHW.
                kernel = ours['convolution']['kernel']
                yield part.weight, kernel.transpose(3, 2, 0, 1)
                yield part.bias, ours['convolution']['bias']
            elif isinstance(part, nn.BatchNorm2d):
                yield part.weight, ours['norm']['scale']
                yield part.bias, ours['norm']['bias']
                if stats:
                    norm = stats[f'layer{i}']['norm']
                    yield part.running_mean, norm['mean']
                    yield part.running_var, norm['var']
    for name in ('fc', 'mu', 'log_sigma'):
        if hasattr(module, name):
            yield getattr(module, name).weight, tree[name]['kernel'].T
            yield getattr(module, name).bias, tree[name]['bias']


def load(module, tree, stats=None):
    """Copies our NumPy parameters and statistics into a module."""
    with torch.no_grad():
        for theirs, ours in _pairs(module, tree, stats):
            theirs.copy_(torch.from_numpy(ours.copy()))
    return module


def difference(module, gradients):
    """Returns how far gradients in our layout are from the module's.

    Relative to the largest of all: a bias before a batch norm has none.
    """
    pairs = [
        (p.grad.numpy(), ours)
        for p, ours in _pairs(module, gradients, None)
        if p.requires_grad
    ]
    largest = max(abs(theirs).max() for theirs, _ in pairs)
    return max(abs(a - b).max() for a, b in pairs) / largest

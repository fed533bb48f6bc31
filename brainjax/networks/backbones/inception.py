"""Inception v3 (Szegedy et al. 2016).

Torchvision's variant. Batch normalisation is part of the kernels, see
`converters.fold_batch_norm`; every layer is a convolution and a ReLU.
"""

from collections.abc import Iterable, Iterator, Mapping

import jax
import jax.numpy as jnp

from brainjax.networks.backbones import feedforward

EPSILON = 1e-3  # Of the published batch normalisation.

# (layer, height and width of the kernel, channels); pools come in between.
STEM = (
    ('Conv2d_1a_3x3', (3, 3), 32),
    ('Conv2d_2a_3x3', (3, 3), 32),
    ('Conv2d_2b_3x3', (3, 3), 64),
    ('Conv2d_3b_1x1', (1, 1), 80),
    ('Conv2d_4a_3x3', (3, 3), 192),
)


def _three(pool: int) -> dict:
    """Branches of a block over 35 x 35: branch -> layers in a row."""
    return {
        'branch1x1': [('', (1, 1), 64)],
        'branch5x5': [('_1', (1, 1), 48), ('_2', (5, 5), 64)],
        'branch3x3dbl': [
            ('_1', (1, 1), 64),
            ('_2', (3, 3), 96),
            ('_3', (3, 3), 96),
        ],
        'branch_pool': [('', (1, 1), pool)],
    }


def _seven(inner: int) -> dict:
    """Branches of a block over 17 x 17, whose kernels are 1 x 7 and 7 x 1."""
    return {
        'branch1x1': [('', (1, 1), 192)],
        'branch7x7': [
            ('_1', (1, 1), inner),
            ('_2', (1, 7), inner),
            ('_3', (7, 1), 192),
        ],
        'branch7x7dbl': [
            ('_1', (1, 1), inner),
            ('_2', (7, 1), inner),
            ('_3', (1, 7), inner),
            ('_4', (7, 1), inner),
            ('_5', (1, 7), 192),
        ],
        'branch_pool': [('', (1, 1), 192)],
    }


# In the last two blocks a branch ends in two layers side by side.
_LAST = {
    'branch1x1': [('', (1, 1), 320)],
    'branch3x3': [
        ('_1', (1, 1), 384),
        ('_2a', (1, 3), 384),
        ('_2b', (3, 1), 384),
    ],
    'branch3x3dbl': [
        ('_1', (1, 1), 448),
        ('_2', (3, 3), 384),
        ('_3a', (1, 3), 384),
        ('_3b', (3, 1), 384),
    ],
    'branch_pool': [('', (1, 1), 192)],
}
BLOCKS = {
    'Mixed_5b': _three(32),
    'Mixed_5c': _three(64),
    'Mixed_5d': _three(64),
    'Mixed_6a': {
        'branch3x3': [('', (3, 3), 384)],
        'branch3x3dbl': [
            ('_1', (1, 1), 64),
            ('_2', (3, 3), 96),
            ('_3', (3, 3), 96),
        ],
        'branch_pool': [],
    },
    'Mixed_6b': _seven(128),
    'Mixed_6c': _seven(160),
    'Mixed_6d': _seven(160),
    'Mixed_6e': _seven(192),
    'Mixed_7a': {
        'branch3x3': [('_1', (1, 1), 192), ('_2', (3, 3), 320)],
        'branch7x7x3': [
            ('_1', (1, 1), 192),
            ('_2', (1, 7), 192),
            ('_3', (7, 1), 192),
            ('_4', (3, 3), 192),
        ],
        'branch_pool': [],
    },
    'Mixed_7b': _LAST,
    'Mixed_7c': _LAST,
}
HALVING = ('Mixed_6a', 'Mixed_7a')


def shapes(
    width: float = 1.0, size: int = 224, dense: bool = False
) -> feedforward.Shapes:
    """Returns the shapes of the parameters."""
    del size, dense  # It is convolutions all through.
    kernels, inputs = {}, 3
    for name, sides, channels in STEM:
        outputs = feedforward.scaled(channels, width)
        kernels[name] = (*sides, inputs, outputs)
        inputs = outputs
    for block, branches in BLOCKS.items():
        outputs = 0
        for branch, layers in branches.items():
            last = inputs  # Channels that a layer reads.
            for suffix, sides, channels in layers:
                made = feedforward.scaled(channels, width)
                kernels[f'{block}/{branch}{suffix}'] = (*sides, last, made)
                if suffix.endswith('a'):  # The next reads what this one does.
                    outputs += made
                else:
                    last = made
            outputs += last
        inputs = outputs
    return feedforward.with_biases(kernels)


def torch_names(layer: str) -> tuple[str, str]:
    """Returns torchvision's names of a layer's convolution and norm."""
    name = layer.replace('/', '.')
    return f'{name}.conv', f'{name}.bn'


def _average(x: jax.Array) -> jax.Array:
    """3 x 3 mean at stride 1, in which the zeros around it count."""
    total = jax.lax.reduce_window(
        x, 0.0, jax.lax.add, (1, 3, 3, 1), (1, 1, 1, 1), 'SAME'
    )
    return total / 9


def _layer(params: Mapping, name: str, x: jax.Array, stride=1, padding='SAME'):
    return jax.nn.relu(feedforward.convolve(x, params[name], stride, padding))


def _block(params: Mapping, block: str, x: jax.Array) -> jax.Array:
    halving = block in HALVING
    outputs = []
    for branch, layers in BLOCKS[block].items():
        y = x
        if branch == 'branch_pool':
            y = feedforward.max_pool(x, 3, 2) if halving else _average(x)
        for suffix, size, _ in layers:
            name = f'{block}/{branch}{suffix}'
            if halving and size == (3, 3) and suffix == layers[-1][0]:
                y = _layer(params, name, y, 2, 'VALID')
            elif suffix.endswith('a'):
                outputs.append(_layer(params, name, y))
            else:
                y = _layer(params, name, y)
        outputs.append(y)
    return jnp.concatenate(outputs, axis=-1)


def steps(
    params: Mapping, preprocessing: str = 'inception'
) -> Iterator[feedforward.Step]:
    """Yields the network's steps, see `apply`."""
    yield feedforward.preprocess(preprocessing)
    for name, _, _ in STEM:
        options = {
            'Conv2d_1a_3x3': (2, 'VALID'),
            'Conv2d_2b_3x3': (1, 'SAME'),
        }.get(name, (1, 'VALID'))
        yield (
            name,
            lambda x, name=name, options=options: _layer(
                params, name, x, *options
            ),
        )
        if name in ('Conv2d_2b_3x3', 'Conv2d_4a_3x3'):
            yield '', lambda x: feedforward.max_pool(x, 3, 2)
    for block in BLOCKS:
        yield block, lambda x, block=block: _block(params, block, x)
    yield 'avgpool', lambda x: jnp.mean(x, axis=(1, 2))


def apply(
    params: feedforward.Params,
    images: jax.Array,
    taps: Iterable[str],
    preprocessing: str = 'inception',
) -> dict[str, jax.Array]:
    """Computes features of images, see `feedforward.run`.

    Args:
      params: of `Backbone.init` or `weights.load`.
      images: [n, height, width, 3] floating point in 0..1, RGB, at least 75
        pixels high and wide.
      taps: 'Conv2d_1a_3x3' to 'Mixed_7c', after their ReLU, and 'avgpool',
        the mean over space.
      preprocessing: what the weights expect, of `feedforward.PREPROCESSING`.

    Returns:
      {tap: [n, height', width', channels]}; 'avgpool' is [n, 2048].
    """
    return feedforward.run(steps(params, preprocessing), images, taps)

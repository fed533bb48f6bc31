"""CLIP's image tower (Radford et al. 2021).

OpenAI's ViT-L/14: patches of 14 x 14 pixels, 24 blocks of width 1024 with
layer normalisation before each part, the quick GELU, and a projection of the
class token to 768 numbers. All sizes are read off the parameters.
"""

import functools
import math
from collections.abc import Iterable, Iterator, Mapping

import jax
import jax.numpy as jnp

from brainjax.networks.backbones import feedforward

SIZE, PATCH, BLOCKS, WIDTH, OUTPUTS = 224, 14, 24, 1024, 768
HEAD_WIDTH = 64
EPSILON = 1e-5


def tower_shapes(
    width: int, blocks: int, patch: int, tokens: int, outputs: int
) -> feedforward.Shapes:
    """Returns the shapes of the parameters of an image tower of any sizes."""
    result = {
        'embedding': {
            'patches': (patch, patch, 3, width),
            'class': (width,),
            'positions': (tokens, width),
        },
        'before': {'scale': (width,), 'bias': (width,)},
        'after': {'scale': (width,), 'bias': (width,)},
        'projection': {'kernel': (width, outputs)},
    }
    matrices = {
        'attend': (width, 3 * width),
        'combine': (width, width),
        'widen': (width, 4 * width),
        'narrow': (4 * width, width),
    }
    for i in range(blocks):
        block = result[f'block{i:02d}'] = {}
        for name, shape in matrices.items():
            block[f'{name}_kernel'] = shape
            block[f'{name}_bias'] = shape[1:]
        for name in ('attention', 'perceptron'):
            block[f'{name}_scale'] = block[f'{name}_bias'] = (width,)
    return result


def shapes(
    width: float = 1.0, size: int = SIZE, dense: bool = False
) -> feedforward.Shapes:
    """Returns the shapes of the parameters."""
    del dense
    return tower_shapes(
        # Whole heads.
        width=max(1, round(WIDTH * width / HEAD_WIDTH)) * HEAD_WIDTH,
        blocks=BLOCKS,
        patch=PATCH,
        tokens=(size // PATCH) ** 2 + 1,
        outputs=feedforward.scaled(OUTPUTS, width),
    )


def torch_names() -> dict[str, str]:
    """Returns our name -> the one in OpenAI's files, 'N' for the block."""
    return {
        'embedding.patches': 'visual.conv1.weight',
        'embedding.class': 'visual.class_embedding',
        'embedding.positions': 'visual.positional_embedding',
        'before.scale': 'visual.ln_pre.weight',
        'before.bias': 'visual.ln_pre.bias',
        'after.scale': 'visual.ln_post.weight',
        'after.bias': 'visual.ln_post.bias',
        'projection.kernel': 'visual.proj',
        **{
            f'block.{ours}_{part}': (
                f'visual.transformer.resblocks.N.{theirs}'
                f'{separator}{"bias" if part == "bias" else "weight"}'
            )
            for ours, theirs, separator, kind in (
                ('attend', 'attn.in_proj', '_', 'kernel'),
                ('combine', 'attn.out_proj', '.', 'kernel'),
                ('widen', 'mlp.c_fc', '.', 'kernel'),
                ('narrow', 'mlp.c_proj', '.', 'kernel'),
                ('attention', 'ln_1', '.', 'scale'),
                ('perceptron', 'ln_2', '.', 'scale'),
            )
            for part in (kind, 'bias')
        },
    }


def draw(key: jax.Array, shapes: feedforward.Shapes) -> feedforward.Params:
    """Draws parameters from N(0, 1 / fan in); biases are 0 and scales 1."""
    params = {}
    for i, (group, part, shape) in enumerate(
        (group, part, shape)
        for group, parts in shapes.items()
        for part, shape in parts.items()
    ):
        if part.endswith('scale'):
            value = jnp.ones(shape)
        elif part.endswith('bias'):
            value = jnp.zeros(shape)
        else:
            value = jax.random.normal(jax.random.fold_in(key, i), shape)
            value /= math.sqrt(max(1, math.prod(shape[:-1])))
        params.setdefault(group, {})[part] = value
    return params


def half(params: Mapping) -> dict[str, dict[str, jax.Array]]:
    """Casts to float16 all but layer normalisation, as OpenAI's loader does.

    `apply` then computes in float16, as on a GPU in the published scores.
    """
    # `attention_` and `perceptron_` are the norms; the matrices are verbs.
    return {
        group: {
            part: value
            if group in ('before', 'after')
            or part.startswith(('attention_', 'perceptron_'))
            else jnp.asarray(value, jnp.float16)
            for part, value in parts.items()
        }
        for group, parts in params.items()
    }


def _normalise(x: jax.Array, scale: jax.Array, bias: jax.Array) -> jax.Array:
    """Layer normalisation, in float32 whatever x is."""
    y = x.astype(jnp.float32)
    mean = y.mean(axis=-1, keepdims=True)
    variance = ((y - mean) ** 2).mean(axis=-1, keepdims=True)
    y = (y - mean) * jax.lax.rsqrt(variance + EPSILON) * scale + bias
    return y.astype(x.dtype)


def _attend(block: Mapping, x: jax.Array) -> jax.Array:
    """Multi-head self-attention over tokens; x is [n, tokens, width]."""
    n, tokens, width = x.shape
    heads = width // HEAD_WIDTH
    query, key, value = (
        part.reshape(n, tokens, heads, HEAD_WIDTH)
        for part in jnp.split(
            x @ block['attend_kernel'] + block['attend_bias'], 3, axis=-1
        )
    )
    weights = jax.nn.softmax(
        jnp.einsum('nqhd,nkhd->nhqk', query / math.sqrt(HEAD_WIDTH), key)
    )
    x = jnp.einsum('nhqk,nkhd->nqhd', weights, value).reshape(n, tokens, width)
    return x @ block['combine_kernel'] + block['combine_bias']


def _perceptron(block: Mapping, x: jax.Array) -> jax.Array:
    x = x @ block['widen_kernel'] + block['widen_bias']
    x = x * jax.nn.sigmoid(1.702 * x)  # The quick GELU.
    return x @ block['narrow_kernel'] + block['narrow_bias']


def _block(block: Mapping, x: jax.Array) -> jax.Array:
    x += _attend(
        block, _normalise(x, block['attention_scale'], block['attention_bias'])
    )
    return x + _perceptron(
        block,
        _normalise(x, block['perceptron_scale'], block['perceptron_bias']),
    )


def _embed(params: Mapping, x: jax.Array) -> jax.Array:
    """Turns pictures into tokens [n, 1 + patches, width]; the class is first.

    Raises:
      ValueError: the pictures have another size than the positions are for.
    """
    kernel = params['embedding']['patches']
    positions = params['embedding']['positions']
    patch, width = kernel.shape[0], kernel.shape[-1]
    side = math.isqrt(len(positions) - 1) * patch
    if x.shape[1:3] != (side, side):
        raise ValueError(
            f'The images have shape {x.shape}; give [n, {side}, {side}, 3].'
        )
    x = jax.lax.conv_general_dilated(
        x.astype(kernel.dtype),
        kernel,
        (patch, patch),
        'VALID',
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    ).reshape(len(x), -1, width)
    # The class token comes before the patches, as its position does.
    first = jnp.broadcast_to(params['embedding']['class'], (len(x), 1, width))
    x = jnp.concatenate([first, x], axis=1) + positions
    return _normalise(x, **params['before'])


def _project(params: Mapping, x: jax.Array) -> jax.Array:
    x = _normalise(x[:, 0], **params['after'])
    return x @ params['projection']['kernel']


def _map(x: jax.Array) -> jax.Array:
    """Turns tokens into a map of the patches, the class token left out."""
    side = math.isqrt(x.shape[1] - 1)
    return x[:, 1:].reshape(len(x), side, side, -1)


def steps(
    params: Mapping, preprocessing: str = 'clip'
) -> Iterator[feedforward.Step]:
    """Yields the network's steps, between which tokens pass."""
    yield feedforward.preprocess(preprocessing)
    yield '', functools.partial(_embed, params)
    for name in sorted(name for name in params if name.startswith('block')):
        yield name, functools.partial(_block, params[name])
    # Embeddings of one length, as CLIP compares them, are left to the caller.
    yield 'embedding', functools.partial(_project, params)


def apply(
    params: feedforward.Params,
    images: jax.Array,
    taps: Iterable[str],
    preprocessing: str = 'clip',
) -> dict[str, jax.Array]:
    """Computes features of images, see `feedforward.run`.

    Args:
      params: of `Backbone.init`, `half` or `weights.load`.
      images: [n, height, width, 3] floating point in 0..1, RGB, of the size
        that the network was made for: 224 pixels.
      taps: 'block00' to 'block23', maps of the patches' tokens; 'embedding',
        the projected class token, before any normalisation of its length.
      preprocessing: what the weights expect, of `feedforward.PREPROCESSING`.

    Returns:
      {tap: [n, 16, 16, 1024]}; 'embedding' is [n, 768].
    """
    found = feedforward.run(steps(params, preprocessing), images, taps)
    return {tap: _map(x) if x.ndim == 3 else x for tap, x in found.items()}

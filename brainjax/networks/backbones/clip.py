"""CLIP's image tower as a frozen feature extractor (Radford et al. 2021).

OpenAI's ViT-L/14: patches of 14 x 14 pixels, 24 blocks of width 1024 with
layer normalisation before each part, the quick GELU, and a projection of the
class token to 768 numbers. All sizes are read off the parameters.
"""

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
SIZE = 224
HEAD_WIDTH = 64
EPSILON = 1e-5


def shapes(
    width: int = 1024,
    blocks: int = 24,
    patch: int = 14,
    tokens: int = 257,
    outputs: int = 768,
) -> dict[str, tuple[int, ...]]:
    """Returns flat name -> shape; the defaults are those of ViT-L/14."""
    result = {
        'embedding.patches': (patch, patch, 3, width),
        'embedding.class': (width,),
        'embedding.positions': (tokens, width),
        'before.scale': (width,),
        'before.bias': (width,),
        'after.scale': (width,),
        'after.bias': (width,),
        'projection.kernel': (width, outputs),
    }
    for i in range(blocks):
        block = f'block{i:02d}'
        for name, (read, written) in {
            'attend': (width, 3 * width),
            'combine': (width, width),
            'widen': (width, 4 * width),
            'narrow': (4 * width, width),
        }.items():
            result[f'{block}.{name}_kernel'] = (read, written)
            result[f'{block}.{name}_bias'] = (written,)
        for name in ('attention', 'perceptron'):
            result[f'{block}.{name}_scale'] = (width,)
            result[f'{block}.{name}_bias'] = (width,)
    return result


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


def init(key: jax.Array, **sizes: int) -> dict[str, dict[str, jax.Array]]:
    """Draws random parameters from N(0, 1 / fan in); scales are 1.

    Args:
      key: a JAX random key.
      sizes: of `shapes`.
    """
    params = {}
    for i, (name, shape) in enumerate(shapes(**sizes).items()):
        group, part = name.split('.')
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
    x = x * jax.nn.sigmoid(1.702 * x)
    return x @ block['narrow_kernel'] + block['narrow_bias']


def apply(params: Mapping, images: jax.Array) -> jax.Array:
    """Embeds images.

    Args:
      params: from `init`, `half` or `weights.load`.
      images: [n, height, width, 3] floating point in 0..1, RGB, of the size
        that the network was made for: 224 pixels.

    Returns:
      [n, 768], before any normalisation of its length.

    Raises:
      ValueError: the images have another size or are not floating-point.
    """
    embedding = params['embedding']
    kernel, positions = embedding['patches'], embedding['positions']
    patch, width = kernel.shape[0], kernel.shape[-1]
    side = math.isqrt(len(positions) - 1) * patch
    if images.shape[1:] != (side, side, 3) or not jnp.issubdtype(
        images.dtype, jnp.floating
    ):
        raise ValueError(
            f'The images are {images.dtype} of shape {images.shape}; give '
            f'floating point [n, {side}, {side}, 3] in 0..1.'
        )
    x = (images - np.float32(MEAN)) / np.float32(DEVIATION)
    x = jax.lax.conv_general_dilated(
        x.astype(kernel.dtype),
        kernel,
        (patch, patch),
        'VALID',
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    ).reshape(len(images), -1, width)
    first = jnp.broadcast_to(embedding['class'], (len(images), 1, width))
    x = jnp.concatenate([first, x], axis=1) + positions
    x = _normalise(x, **params['before'])
    for name in sorted(name for name in params if name.startswith('block')):
        block = params[name]
        x += _attend(
            block,
            _normalise(x, block['attention_scale'], block['attention_bias']),
        )
        x += _perceptron(
            block,
            _normalise(x, block['perceptron_scale'], block['perceptron_bias']),
        )
    x = _normalise(x[:, 0], **params['after'])
    return x @ params['projection']['kernel']

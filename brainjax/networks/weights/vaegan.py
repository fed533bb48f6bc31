"""Weights of a VAE-GAN: safetensors of ours, and the authors' checkpoint.

variables = from_tensorflow('vaegan_celeba.ckpt')
save('vaegan_celeba.safetensors', variables)
variables = load('vaegan_celeba.safetensors')
"""

import re
from typing import Any

import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np

from brainjax.errors import InputError
from brainjax.io import tensors
from brainjax.io.files import PathLike
from brainjax.networks import vaegan
from brainjax.networks.weights import tensorflow

# What each variable of the authors' is in ours. Kernels of dense layers, of
# convolutions [3, 3, inputs, outputs] and of transposed ones [3, 3, outputs,
# inputs] have the same layout.
_LAYER = re.compile(
    r'(?P<part>encoder|generator)/layer(?P<layer>\d{1,3})/'
    r'(?P<name>(?:conv2d|deconv2d)/[Wb]|bn/(?:beta|gamma))'
)
_DENSE = re.compile(
    r'(?P<part>encoder|generator)/(?:variational/)?'
    r'(?P<layer>fc|mu|log_sigma)/(?P<name>[Wb])'
)
# Moving averages, under any scope; TensorFlow calls moments by the operation
# that made them.
_AVERAGE = re.compile(
    r'(?P<part>encoder|generator)/layer(?P<layer>\d{1,3})/(?:.*/)?'
    r'(?P<name>bn/moving_(?:mean|variance)|'
    r'moments/(?:normalize/)?(?:mean|variance|Squeeze|Squeeze_1)/'
    r'ExponentialMovingAverage)'
)
_NAMES = {
    'W': 'kernel',
    'b': 'bias',
    'gamma': 'scale',
    'beta': 'bias',
    'mean': 'mean',
    'moving_mean': 'mean',
    'Squeeze': 'mean',
    'variance': 'var',
    'moving_variance': 'var',
    'Squeeze_1': 'var',
}


def _place(name: str) -> tuple[str, ...] | None:
    """Returns where a variable of the authors' goes in ours, or None."""
    for kind, pattern in (
        ('params', _LAYER),
        ('params', _DENSE),
        ('batch_stats', _AVERAGE),
    ):
        match = pattern.fullmatch(name)
        if match:
            parts = match['name'].removesuffix('/ExponentialMovingAverage')
            own = _NAMES[parts.split('/')[-1]]
            layer = match['layer']
            if layer.isdigit():
                within = 'convolution' if 'conv2d' in parts else 'norm'
                return kind, match['part'], int(layer), within, own
            return kind, match['part'], layer, own
    return None


def from_tensorflow(source: PathLike) -> dict[str, Any]:
    """Reads encoder and generator from a checkpoint of the authors' layout.

    Args:
      source: a V1 checkpoint file, such as `vaegan_celeba.ckpt`; or of a V2
        checkpoint the `.index` file or the prefix of its files' names. What
        else it holds, such as the optimiser's slots, is not read.

    Returns:
      {'params', 'batch_stats'} as `vaegan.encode` and `vaegan.generate` take
      them, float32.
    """
    found = tensorflow.read(source, lambda name: bool(_place(name)))
    flat = {}
    for name, value in found.items():
        place = _place(name)
        if place in flat:
            raise InputError(
                f'{source} holds {"/".join(map(str, place))} twice, the second '
                f'as {name}; give a checkpoint of one network.'
            )
        flat[place] = np.ascontiguousarray(value, np.float32)
    flat = _number_layers(flat)
    variables = flax.traverse_util.unflatten_dict(flat)
    check(variables, source)
    return variables


def _number_layers(flat):
    """Names layers from layer1 on, wherever the file's numbers begin."""
    numbers = {
        part: sorted({p[2] for p in flat if p[1] == part and _is_number(p[2])})
        for part in ('encoder', 'generator')
    }
    return {
        (
            kind,
            part,
            f'layer{numbers[part].index(layer) + 1}'
            if _is_number(layer)
            else layer,
            *rest,
        ): value
        for (kind, part, layer, *rest), value in flat.items()
    }


def _is_number(layer):
    return isinstance(layer, int)


def save(path: PathLike, variables: dict[str, Any]) -> None:
    """Writes encoder and generator as safetensors."""
    kept = {
        kind: {part: variables[kind][part] for part in ('encoder', 'generator')}
        for kind in ('params', 'batch_stats')
    }
    tensors.write(path, kept, {'name': 'vaegan'})


def load(path: PathLike) -> dict[str, Any]:
    """Reads what `save` wrote."""
    variables, _ = tensors.read(path)
    check(variables, path)
    return variables


def check(variables: dict[str, Any], source: PathLike) -> None:
    """Raises InputError unless the arrays are those of one VAE-GAN.

    Args:
      variables: nested dicts of arrays.
      source: where they are from, for the message.
    """
    flat = flax.traverse_util.flatten_dict(variables, sep='/')
    shapes = {name: tuple(value.shape) for name, value in flat.items()}
    try:
        expected = _expected(variables)
    except KeyError as error:
        raise InputError(
            f'{source} does not hold a VAE-GAN: {error} is missing; give the '
            'whole checkpoint of one.'
        ) from error
    except (
        AttributeError,
        IndexError,
        TypeError,
        ValueError,
        ZeroDivisionError,
    ) as error:
        raise InputError(
            f'{source} does not hold a VAE-GAN: its arrays are not shaped like '
            'layers; give the whole checkpoint of one.'
        ) from error
    for name in sorted(expected.keys() | shapes.keys()):
        if shapes.get(name) != expected.get(name):
            found, right = (
                list(each[name]) if name in each else 'absent'
                for each in (shapes, expected)
            )
            raise InputError(
                f'{source} does not hold one VAE-GAN: {name} is {found}, not '
                f'{right}; give the whole checkpoint of one.'
            )


def _expected(variables):
    """The shapes of a whole VAE-GAN with these layers and latents."""
    params = variables['params']
    encoder = vaegan.encoder_of(params['encoder'])
    generator = vaegan.generator_of(params['generator'])
    latents, size = encoder.latents, generator.size
    result = {}
    for part, module, shape in (
        ('encoder', encoder, (1, size, size, 3)),
        ('generator', generator, (1, latents)),
    ):
        own = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros(shape))
        for kind, tree in own.items():
            for name, leaf in flax.traverse_util.flatten_dict(
                tree, sep='/'
            ).items():
                result[f'{kind}/{part}/{name}'] = leaf.shape
    return result

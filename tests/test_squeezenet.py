"""SqueezeNet v1.0: shapes, taps, and that its real weights know classes."""

import io
import tarfile

import jax
import numpy as np
import pytest
from conftest import shared_data
from PIL import Image

from brainjax.errors import InputError
from brainjax.networks import converters, squeezenet


def test_shapes_and_taps():
    params = squeezenet.init(jax.random.key(0), width=0.125)
    images = jax.random.uniform(jax.random.key(1), (2, 224, 224, 3))
    taps = ('conv1', 'pool1', 'fire2_expand', 'pool4', 'fire9', 'pool10')
    found = squeezenet.apply(params, images, taps)
    wide = squeezenet.shapes(0.125)
    assert {k: v.shape[1:3] for k, v in found.items() if v.ndim == 4} == {
        'conv1': (109, 109),
        'pool1': (54, 54),
        'fire2_expand': (54, 54),
        'pool4': (27, 27),
        'fire9': (13, 13),
    }
    assert found['fire9'].shape[-1] == 2 * wide['fire9_expand1'][-1]
    assert found['pool10'].shape == (2, wide['conv10'][-1])
    with pytest.raises(InputError, match='fire1'):
        squeezenet.apply(params, images, ('fire1',))


def test_real_weights_tell_classes_apart():
    """Pictures of one synset get one class, of other synsets other classes."""
    params = converters.from_squeezenet(
        shared_data('squeezenet_v1.0_imagenet.npz')
    )
    pictures: dict[str, list] = {}
    with tarfile.open(shared_data('tiny_imagenet_10k.tar')) as archive:
        for member in archive:
            synset = member.name.split('/')[-2] if '/' in member.name else ''
            mine = pictures.setdefault(synset, [])
            if not member.isfile() or len(mine) == 8:
                continue
            image = Image.open(io.BytesIO(archive.extractfile(member).read()))
            mine.append(image.convert('RGB').resize((224, 224)))
            if sum(len(x) == 8 for x in pictures.values()) == 12:
                break
    chosen = [x for x in pictures.values() if len(x) == 8][:12]
    classify = jax.jit(
        lambda x: squeezenet.apply(params, x, ('pool10',))['pool10']
    )
    agreement, modes = [], set()
    for images in chosen:
        scores = classify(np.stack([np.float32(x) / 255 for x in images]))
        assert scores.shape == (8, 1000)
        classes, counts = np.unique(scores.argmax(1), return_counts=True)
        agreement.append(counts.max() / 8)
        modes.add(int(classes[counts.argmax()]))
    # Pictures of 64 px are hard; of random classes .13 agree.
    assert np.mean(agreement) > 0.25
    assert len(modes) >= 8


@pytest.mark.parity
def test_forward_pass_is_pytorchs():
    torch = pytest.importorskip('torch')
    f = torch.nn.functional
    params = squeezenet.init(jax.random.key(0), width=0.25)
    images = np.random.default_rng(0).random((1, 127, 127, 3), np.float32)

    def convolve(x, name, **options):
        kernel, bias = (
            torch.from_numpy(np.array(params[name][part]))
            for part in ('kernel', 'bias')
        )
        return f.conv2d(x, kernel.permute(3, 2, 0, 1), bias, **options)

    mean = torch.tensor([122.67891434, 116.66876762, 104.00698793])
    x = (255 * torch.from_numpy(images) - mean).flip(-1).permute(0, 3, 1, 2)
    x = f.max_pool2d(
        f.relu(convolve(x, 'conv1', stride=2)), 3, 2, ceil_mode=True
    )
    for name in squeezenet.FIRES:
        s = f.relu(convolve(x, f'{name}_squeeze'))
        x = torch.cat(
            [
                convolve(s, f'{name}_expand1'),
                convolve(s, f'{name}_expand3', padding=1),
            ],
            1,
        ).relu()
        if name in squeezenet.POOLED:
            x = f.max_pool2d(x, 3, 2, ceil_mode=True)
    theirs = f.relu(convolve(x, 'conv10')).mean((2, 3)).numpy()
    ours = np.asarray(squeezenet.apply(params, images, ('pool10',))['pool10'])
    assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()

"""Pictures with depth, and depth alone (selfsup spec 6)."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
import torch_writer
import weight_files
from ml_collections import FrozenConfigDict
from numpy_layers import convolve
from PIL import Image
from tiny_selfsup import config

from brainjax.errors import InputError
from brainjax.methods.data import Loaded, prepare
from brainjax.methods.selfsup import (
    channels,
    depth,
    losses,
    networks,
    scales,
)
from brainjax.methods.selfsup import method as selfsup
from brainjax.methods.selfsup.config import gaziv2022
from brainjax.methods.selfsup.data import check, load, split
from brainjax.networks.backbones import feedforward, midas
from brainjax.networks.weights import converters
from brainjax.pictures import depth as depth_maps
from brainjax.reports import draw
from brainjax.simulation import subject
from brainjax.simulation.voxels import depth_responses, voxel_parameters

RNG = np.random.default_rng(0)


def count(tree):
    return sum(x.size for x in jax.tree.leaves(tree))


def test_what_pixels_are_divided_by_may_be_stored(tmp_path):
    """A file as the Keras release's img_norm.npz: l1 and l2, a channel each."""
    path = tmp_path / 'img_norm.npz'
    stored = np.array([0.48, 0.45, 0.4]).reshape(1, 1, 1, 3)
    np.savez(path, l1=stored, l2=2 * stored)
    recording = tiny.subject()
    changed = config(image_loss__pixel_scale=str(path))
    data = split(prepare(recording, tiny.pictures(4, seed=1)), changed)
    found, own = (scales.of(c, data, None) for c in (changed, config()))
    np.testing.assert_allclose(
        found['pixel_scale'], [0.48, 0.45, 0.4], rtol=1e-6
    )
    assert not np.allclose(found['pixel_scale'], own['pixel_scale'], rtol=0.01)
    for wrong in (
        {'l2': stored},
        {'l1': 255 * stored},
        {'l1': stored[..., :1]},
    ):
        np.savez(path, **wrong)
        with pytest.raises(InputError, match='an array l1 of 3 numbers above'):
            check(changed, recording)
    path.unlink()
    with pytest.raises(InputError, match=r'img_norm\.npz'):
        check(changed, recording)


@pytest.mark.parametrize('kind', channels.CHANNELS)
def test_parameters_of_the_published_networks(kind):
    """Equations of the kernels, bias by bias; published for three channels."""
    c = gaziv2022()
    c.channels, c.encoder.weights = kind, 'random'
    n, voxels = channels.CHANNELS[kind], 4643
    backbone = jax.eval_shape(
        lambda: networks.load_backbone(c.encoder, 0, size=112, channels=n)
    )
    frozen = FrozenConfigDict(c)
    variables = jax.eval_shape(
        networks.build_encoder(frozen, voxels).init,
        jax.random.key(0),
        networks.feature_shapes(frozen, backbone),
    )
    assert count(variables['params']) == 1980 * voxels + 147_712
    vgg19, inputs = 0, n
    for outputs in [64] * 2 + [128] * 2 + [256] * 4 + [512] * 8:
        vgg19 += (9 * inputs + 1) * outputs
        inputs = outputs
    assert count(backbone) == vgg19
    decoder = jax.eval_shape(
        networks.build_decoder(frozen).init,
        jax.random.key(0),
        jnp.zeros((1, voxels)),
    )
    top = (25 * 64 + 1) * n
    expected = 12544 * voxels + 325_123 - (25 * 64 + 1) * 3 + top
    assert count(decoder) == expected


def standardised(depth):
    deviation = depth.std(axis=(1, 2), keepdims=True, ddof=1)
    mean = depth.mean(axis=(1, 2), keepdims=True)
    return (depth - mean) / np.maximum(deviation, 0.1)


@pytest.mark.parametrize('kind', ['rgbd', 'depth'])
def test_image_loss_against_its_definition(kind):
    """In NumPy, from the terms of spec 6 one by one."""
    c = config(channels=kind, size=8)
    c.image_loss.update(
        taps=('relu1_1',), tap_weights=(10.0,), pixels=1.0, depth=0.5
    )
    n = channels.CHANNELS[kind]
    params = networks.load_backbone(c.image_loss, 0, size=8, channels=n)
    made, true = RNG.random((2, 3, 8, 8, n)).astype(np.float32)
    scale = np.float32(0.2 + RNG.random(n))
    found = losses.picture_loss(
        FrozenConfigDict(c),
        {'loss_backbone': params, 'pixel_scale': scale},
        made,
        true,
    )
    off = np.abs(made - true) / scale
    expected = 0.5 * off[..., -1].mean()
    if kind == 'rgbd':
        expected += off[..., :3].mean()

    def seen(images):
        mean, deviation = map(np.array, feedforward.STATISTICS['torchvision'])
        parts = [standardised(images[..., -1:])]
        if kind == 'rgbd':
            parts.insert(0, (images[..., :3] - mean) / deviation)
        x = convolve(np.concatenate(parts, -1), params['conv1_1'], 1, (1, 1))
        x = np.maximum(x, 0)
        return x / np.sqrt((x**2).sum(-1, keepdims=True) + 1e-10)

    expected += 10 * (1 - (seen(made) * seen(true)).sum(-1)).mean()
    corner = made[:, 1:, 1:]
    square = (corner - made[:, :-1, 1:]) ** 2 + (corner - made[:, 1:, :-1]) ** 2
    expected += c.image_loss.variation * (square**1.25).mean()
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_flat_depth_is_not_blown_up():
    depth = np.full((1, 4, 4, 1), 0.5, np.float32)
    depth[0, 0, 0] += 0.01
    found = feedforward.standardise_depth(jnp.array(depth))
    assert float(jnp.abs(found).max()) < 0.1
    np.testing.assert_allclose(found, standardised(depth), atol=1e-6)


def test_depth_of_a_simulated_subject():
    """Of the same pictures; part of the voxels' variance follows it."""
    few = {'voxels': {'V1': 30}, 'size': 16, 'n_train': 60, 'n_test': 20}
    plain = subject.simulated_subject(seed=2, **few)
    near = subject.simulated_subject(seed=2, depth=0.5, **few)
    images, depth = near.stimuli.images, near.stimuli.depth
    np.testing.assert_array_equal(images, plain.stimuli.images)
    voxels = voxel_parameters(seed=2, voxels=few['voxels'])
    # The middle of the object is near, the sky is not.
    assert depth.max() == 255 and depth.min() == 0
    assert depth[:, 6:10, 6:10].mean() > depth[:, :3].mean() + 30
    pictures = np.concatenate([images, depth[..., None]], -1)
    seen, mixed, alone = (
        depth_responses(pictures, voxels, part) for part in (0.0, 0.5, 1.0)
    )
    np.testing.assert_allclose(mixed, np.sqrt(0.5) * (seen + alone), atol=1e-5)
    assert 0.5 < alone.std() < 1.5
    with pytest.raises(InputError, match='silhouettes have no depth'):
        subject.simulated_subject(depth=0.5, pictures='silhouettes')


def test_depth_maps_are_found_by_name(tmp_path):
    maps = RNG.integers(0, 256, (3, 16, 16), np.uint8)
    names = ['n01/a.1.JPEG', 'n02/b', 'c.png']
    for name, image in zip(('c', 'a.1', 'b'), maps):
        (tmp_path / 'deep').mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / 'deep' / f'{name}.png')
    found = depth_maps.load(tmp_path, names, 16)
    np.testing.assert_array_equal(found, maps[[1, 2, 0]])
    with pytest.raises(InputError, match=r'no depth map named as .* d\.png'):
        depth_maps.load(tmp_path, [*names, 'd.png'], 16)
    # The authors' file has the stimuli's depth as a fourth channel.
    rgbd = RNG.integers(0, 256, (3, 16, 16, 4), np.uint8)
    path = tmp_path / 'rgbd.npz'
    np.savez(path, train_images=rgbd[:2], test_images=rgbd[2:])
    found = depth_maps.load(path, names, 16)
    np.testing.assert_array_equal(found, rgbd[..., 3])
    with pytest.raises(InputError, match='3 depth maps and there are 2'):
        depth_maps.load(path, names[:2], 16)


def with_depth(images):
    """A recording and pictures of tiny's subject: depth is the red channel."""
    recording = tiny.subject()
    stimuli = recording.stimuli
    stimuli = dataclasses.replace(stimuli, depth=stimuli.images[..., 0])
    recording = dataclasses.replace(recording, stimuli=stimuli)
    return Loaded(recording, images, (), (), images[..., 0])


def test_training_sees_all_channels(tmp_path):
    images = tiny.pictures(64, seed=1)
    loaded = with_depth(images)
    data = prepare(*loaded)
    c = config(channels='rgbd')
    parts = split(data, c)
    stimuli = loaded.recording.stimuli
    for found, true in (
        (parts.images, stimuli.images),
        (parts.pictures, images),
    ):
        assert found.shape == (len(true), 16, 16, 4)
        np.testing.assert_array_equal(found[..., :3], true)
        np.testing.assert_array_equal(found[..., 3], true[..., 0])
    check(FrozenConfigDict(c), loaded.recording)
    # Of depth alone the maps are the pictures.
    paths = [flag.split('=')[1] for flag in tiny.write(tmp_path)]
    folder = tmp_path / 'near'
    folder.mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image[..., 0]).save(folder / f'{i:02d}.png')
    npz = tmp_path / 'rgbd.npz'
    rgbd = np.concatenate([stimuli.images, stimuli.images[..., :1]], axis=-1)
    np.savez(npz, train_images=rgbd[:120], test_images=rgbd[120:])
    c = config(
        channels='depth',
        recording__path=paths[0],
        recording__images=paths[1],
        pictures__path=paths[2],
        depth__stimuli=str(npz),
        depth__pictures=str(folder),
    )
    loaded = load(c)
    parts = split(prepare(*loaded), c)
    assert parts.images.shape == (144, 16, 16, 1)
    np.testing.assert_array_equal(parts.pictures[..., 0], images[..., 0])
    shown = loaded.recording.stimuli.images
    np.testing.assert_array_equal(shown, np.repeat(rgbd[..., 3:], 3, -1))
    check(FrozenConfigDict(c), loaded.recording)
    c.depth.stimuli = ''
    with pytest.raises(InputError, match=r'name them with config\.depth\.sti'):
        load(c)


def test_depth_is_estimated_from_what_was_decoded(tmp_path, monkeypatch):
    """The sequential baseline, by a small MiDaS of random weights."""
    monkeypatch.setenv('BRAINJAX_CACHE', str(tmp_path))
    c = config(depth__network='midas_small')
    with pytest.raises(InputError, match='brainjax fetch midas_small'):
        check(FrozenConfigDict(c), tiny.subject())
    sizes = midas.Small((1,) * 7, 4, (4,) * 7, (4, 8, 8, 16), side=32)
    rng = np.random.default_rng(0)
    params = {
        layer: {part: rng.normal(0, 0.3, shape) for part, shape in of.items()}
        for layer, of in midas.shapes(sizes).items()
    }
    params = jax.tree.map(np.float32, params)
    monkeypatch.setattr(depth.weights, 'load', {'midas_small': params}.get)
    monkeypatch.setattr(
        midas, 'SIZES', {'midas_small': sizes._replace(side=32)}
    )
    images = np.float32(tiny.pictures(24, seed=4)) / 255
    monkeypatch.setattr(depth, 'reconstruct_all', lambda *_: images)
    data = prepare(tiny.subject(), tiny.pictures(4, seed=1))
    found = depth.of(None, data, c)
    maps = found.maps['sequential_depth']
    np.testing.assert_allclose(maps, midas.estimate(params, images), atol=1e-5)
    shown = data.recording.stimuli.images[data.test.stimulus] / np.float32(255)
    r = [
        np.corrcoef(a.ravel(), b.ravel())[0, 1]
        for a, b in zip(maps, midas.estimate(params, shown))
    ]
    value = found.scores['sequential_depth_pixcorr']['value']
    assert value == pytest.approx(np.nanmean(r), abs=1e-3)


def test_weights_of_the_authors_checkpoints(tmp_path):
    """Files of a training on several devices, with a network inside."""
    state = {
        name.replace('features.', 'features.module.'): value
        for name, value in weight_files.state_dict('vgg16').items()
    }
    first = 'features.module.0.weight'
    state[first] = RNG.standard_normal((4, 4, 3, 3)).astype(np.float32)
    path = torch_writer.write_zip(
        tmp_path / 'model_best.pth.tar', state, torch_writer.checkpoint(state)
    )
    params = converters.from_torch(path, 'vgg16_rgbd')
    np.testing.assert_array_equal(
        params['conv1_1']['kernel'], state[first].transpose(2, 3, 1, 0)
    )
    assert len(params) == 13


def test_depth_is_decoded_beside_colours(tmp_path):
    c = config(
        channels='rgbd',
        simulated__depth=0.3,
        encoder__epochs=2,
        decoder__epochs=4,
        decoder__decoder_encoder=0.0,
    )
    data = prepare(*load(c))
    fitted = selfsup.fit(data, c, tmp_path)
    found = depth.of(fitted, data, c)
    near = found.scores['depth_two_way_pixels']
    assert near['value'] > 0.6 and near['chance'] == pytest.approx(0.5)
    pixcorr = found.scores['depth_pixcorr']
    assert pixcorr['value'] > pixcorr['chance']
    assert found.maps['depth'].shape == (12, 16, 16)
    images = selfsup.reconstruct(fitted, data.test.fmri, c)
    assert images.shape == (12, 16, 16, 3)
    assert draw(found.figures[0]).get_label().startswith('12 pictures')

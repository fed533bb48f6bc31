"""brainjax beside an independent PyTorch form of the same formulas."""

# ruff: noqa: E402 (what needs torch is imported after asking for it)

import functools

import numpy as np
import pytest

torch = pytest.importorskip('torch')

import convert
import jax
import jax.numpy as jnp
import optax
import reference

from brainjax import losses
from brainjax.methods.selfsup import losses as selfsup_losses
from brainjax.methods.selfsup import steps as selfsup_steps
from brainjax.methods.selfsup.config import gaziv2022
from brainjax.networks import layers
from brainjax.networks.backbones import BACKBONES, vgg
from brainjax.networks.decoder import Decoder
from brainjax.networks.encoder import DenseEncoder, SeparableEncoder
from brainjax.training import optimizers, parallel
from brainjax.training import state as training_state

pytestmark = pytest.mark.parity

DECODER_SWITCHES = {
    'gaziv2022-torch': {},
    'gaziv2022-keras': {
        'upsampling': 'bilinear',
        'padding': 'zero',
        'activation': 'relu',
        'order': 'upsample conv activation norm',
    },
    'beliy2019': {
        'upsampling': 'nearest',
        'padding': 'zero',
        'activation': 'relu',
        'kernel': 3,
        'norm': 'batch',
        'order': 'conv activation upsample norm',
    },
}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def close(ours, theirs, tolerance=1e-4):
    """Asserts agreement relative to the array's largest value."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    atol = tolerance * np.abs(theirs).max()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=atol)


def trees_close(ours, theirs, tolerance=1e-4):
    ours = dict(jax.tree_util.tree_leaves_with_path(ours))
    theirs = dict(jax.tree_util.tree_leaves_with_path(theirs))
    assert ours.keys() == theirs.keys()
    for path, value in ours.items():
        try:
            close(value, theirs[path], tolerance)
        except AssertionError as error:
            raise AssertionError(
                f'{jax.tree_util.keystr(path)}{error}'
            ) from None


def array(rng, *shape):
    return rng.normal(size=shape).astype(np.float32)


def randomised(tree, rng):
    """Draws every leaf anew, so that no scale is 1 and no bias 0."""

    def draw(path, leaf):
        name = path[-1].key
        if name == 'var' or name == 'scale':
            return rng.uniform(0.5, 1.5, leaf.shape).astype(np.float32)
        fan_in = max(1, np.prod(leaf.shape[:-1]))
        return array(rng, *leaf.shape) / np.float32(fan_in**0.5)

    return jax.tree_util.tree_map_with_path(draw, tree)


def precise(tree, dtype=np.float64):
    return jax.tree.map(lambda x: np.asarray(x, dtype), tree)


def same(ours, theirs, *arrays, to_torch=convert.tensor):
    """Asserts equal values and equal gradients for the first array.

    In float64: a ReLU or a maximum that rounding decides otherwise changes a
    float32 gradient by more than the rounding.
    """
    arrays = precise(arrays)
    with jax.enable_x64(True):
        value, gradient = jax.jit(jax.value_and_grad(ours))(*arrays)
    tensors = [to_torch(a) for a in arrays]
    tensors[0].requires_grad_()
    result = theirs(*tensors)
    result.backward()
    close(value, result.detach(), 1e-6)
    expected = tensors[0].grad
    if to_torch is convert.images_to_torch:
        expected = convert.images_to_jax(expected)
    close(gradient, expected, 1e-5)


def training(module):
    """Returns the compiled apply with the batch's own statistics."""
    return jax.jit(
        functools.partial(module.apply, train=True, mutable='batch_stats')
    )


# Layers and networks.


@pytest.mark.parametrize('method', ['bicubic', 'bilinear', 'nearest'])
def test_upsample(rng, method):
    x = array(rng, 2, 5, 7, 3)
    theirs = reference.upsample(convert.images_to_torch(x), method)
    ours = jax.jit(layers.upsample, static_argnums=1)(x, method)
    close(ours, convert.images_to_jax(theirs), 1e-5)


def decoder_pair(
    variant, rng, voxels=50, size=32, channels=64, dtype=np.float32
):
    ours = Decoder(size=size, channels=channels, **DECODER_SWITCHES[variant])
    shapes = jax.eval_shape(
        ours.init, jax.random.key(0), jnp.zeros((1, voxels))
    )
    variables = precise(randomised(shapes, rng), dtype)
    theirs = reference.DecoderReference(
        voxels, size // 8, channels, **reference.DECODERS[variant]
    )
    convert.load_decoder(
        theirs, variables['params'], variables.get('batch_stats')
    )
    return ours, variables, theirs


@pytest.mark.parametrize('variant', DECODER_SWITCHES)
def test_decoder(rng, variant):
    ours, variables, theirs = decoder_pair(variant, rng)
    fmri = array(rng, 4, 50)
    images = jax.jit(ours.apply)(variables, fmri)
    expected = theirs.eval()(convert.tensor(fmri))
    close(images, convert.images_to_jax(expected))

    images, _ = training(ours)(variables, fmri)
    expected = theirs.train()(convert.tensor(fmri))
    close(images, convert.images_to_jax(expected))


def test_decoder_gradients(rng):
    ours, variables, theirs = decoder_pair('gaziv2022-torch', rng)
    fmri, target = array(rng, 4, 50), array(rng, 4, 32, 32, 3)
    gradients = jax.jit(
        jax.grad(
            lambda params: jnp.sum(
                ours.apply({'params': params}, fmri) * target
            )
        )
    )(variables['params'])
    product = theirs(convert.tensor(fmri)) * convert.images_to_torch(target)
    product.sum().backward()
    trees_close(gradients, convert.decoder_gradients_to_jax(theirs))


def separable_pair(
    rng,
    stride,
    voxels=50,
    size=32,
    channels=(8, 16, 32, 64),
    dtype=np.float32,
):
    sides = (size, size // 2, size // 4, size // 8)
    features = {
        tap: array(rng, 4, side, side, c).astype(dtype)
        for tap, side, c in zip(SeparableEncoder.taps, sides, channels)
    }
    ours = SeparableEncoder(voxels, strides=(2, 2, stride, 1))
    shapes = jax.eval_shape(ours.init, jax.random.key(0), features)
    variables = precise(randomised(shapes, rng), dtype)
    theirs = reference.SeparableEncoderReference(
        voxels, channels, sides, stride, dropout=0.0
    )
    convert.load_separable_encoder(
        theirs, variables['params'], variables['batch_stats']
    )
    taps = [
        convert.images_to_torch(features[tap]) for tap in SeparableEncoder.taps
    ]
    return ours, variables, features, theirs, taps


def running_statistics(theirs, examples):
    """Returns PyTorch's running moments in the form of Flax.

    PyTorch averages the unbiased variance, Flax the biased one, both with
    weight 0.1; the examples behind each differ by layer.
    """
    found = {}
    for b in range(4):
        found[f'branch_{b}'] = {}
        for name in ('norm_in', 'norm_out'):
            norm = getattr(theirs, name)[b]
            n = examples[f'branch_{b}'][name]
            before = norm.before
            batch = (norm.running_var - 0.9 * before) / 0.1
            found[f'branch_{b}'][name] = {
                'mean': norm.running_mean.numpy(),
                'var': (0.9 * before + 0.1 * batch * (n - 1) / n).numpy(),
            }
    return found


@pytest.mark.parametrize('stride', [1, 2])
def test_separable_encoder(rng, stride):
    ours, variables, features, theirs, taps = separable_pair(rng, stride)
    fmri = jax.jit(ours.apply)(variables, features)
    close(fmri, theirs.eval()(taps).detach())

    fmri, state = training(ours)(variables, features)
    examples = {}
    for b in range(4):
        for norm in (theirs.norm_in[b], theirs.norm_out[b]):
            norm.before = norm.running_var.clone()
        side = theirs.sides[b] + 2
        examples[f'branch_{b}'] = {
            'norm_in': taps[b][:, 0].numel(),
            'norm_out': len(taps[b]) * side**2,
        }
    expected = theirs.train()(taps)
    close(fmri, expected.detach())
    trees_close(state['batch_stats'], running_statistics(theirs, examples))


@pytest.mark.parametrize('train', [False, True])
def test_separable_encoder_gradients(rng, train):
    ours, variables, features, theirs, taps = separable_pair(
        rng, 2, dtype=np.float64
    )
    target = rng.normal(size=(4, 50))

    def product(params):
        fmri, _ = ours.apply(
            {**variables, 'params': params},
            features,
            train=train,
            mutable='batch_stats',
        )
        return jnp.sum(fmri * target)

    with jax.enable_x64(True):
        gradients = jax.jit(jax.grad(product))(variables['params'])
    product = theirs.train(train)(taps) * convert.tensor(target)
    product.sum().backward()
    expected = convert.separable_encoder_gradients_to_jax(theirs)
    trees_close(gradients, expected, 1e-5)


def test_dense_encoder(rng):
    features = {'relu1': array(rng, 4, 16, 16, 12)}
    ours = DenseEncoder(50)
    shapes = jax.eval_shape(ours.init, jax.random.key(0), features)
    variables = randomised(shapes, rng)
    theirs = reference.DenseEncoderReference(
        50, 12, 16, dropout=0.0, norm_eps=1e-5, norm_momentum=0.1
    )
    convert.load_dense_encoder(
        theirs, variables['params'], variables['batch_stats']
    )
    tap = convert.images_to_torch(features['relu1'])
    close(jax.jit(ours.apply)(variables, features), theirs.eval()(tap).detach())
    fmri, _ = training(ours)(variables, features)
    close(fmri, theirs.train()(tap).detach())


def count(tree):
    return sum(np.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize('voxels', [10, 4643])
def test_golden_parameter_counts(voxels):
    shapes = jax.eval_shape(
        Decoder().init, jax.random.key(0), jnp.zeros((1, voxels))
    )
    assert count(shapes) == 12544 * voxels + 325_123
    features = {
        tap: jnp.zeros((1, side, side, channels))
        for tap, side, channels in zip(
            SeparableEncoder.taps, (112, 56, 28, 14), (64, 128, 256, 512)
        )
    }
    shapes = jax.eval_shape(
        SeparableEncoder(voxels).init, jax.random.key(0), features
    )
    assert count(shapes['params']) == 1980 * voxels + 147_712
    assert shapes['params']['space_26'].shape == (676, voxels)
    assert shapes['params']['space_12'].shape == (144, voxels)


def test_full_size_forward(rng):
    ours, variables, theirs = decoder_pair('gaziv2022-torch', rng, 200, 112)
    fmri = array(rng, 2, 200)
    expected = theirs.eval()(convert.tensor(fmri))
    close(jax.jit(ours.apply)(variables, fmri), convert.images_to_jax(expected))

    ours, variables, features, theirs, taps = separable_pair(
        rng, 2, 200, 112, (64, 128, 256, 512)
    )
    close(
        jax.jit(ours.apply)(variables, features), theirs.eval()(taps).detach()
    )


# Losses.


def test_pixel_loss(rng):
    output, target = rng.uniform(size=(2, 3, 6, 5, 3)).astype(np.float32)
    scale = np.array([0.4, 0.5, 0.6], np.float32)
    same(
        lambda a, b: losses.pixel_loss(a, b, scale),
        lambda a, b: reference.pixel_loss(a, b, convert.tensor(scale)),
        output,
        target,
        to_torch=convert.images_to_torch,
    )


def test_feature_losses(rng):
    output, target = array(rng, 2, 3, 6, 5, 7)
    same(
        losses.cosine_feature_loss,
        reference.perceptual_loss,
        np.maximum(output, 0),
        np.maximum(target, 0),
        to_torch=convert.images_to_torch,
    )
    scale = rng.uniform(0.5, 2, 7).astype(np.float32)
    same(
        lambda a, b: losses.absolute_feature_loss(a, b, scale),
        lambda a, b: reference.feature_loss(a, b, convert.tensor(scale)),
        output,
        target,
        to_torch=convert.images_to_torch,
    )


def test_total_variation(rng):
    same(
        losses.total_variation,
        reference.total_variation,
        array(rng, 3, 6, 5, 3),
        to_torch=convert.images_to_torch,
    )


def test_fmri_losses(rng):
    output, target = array(rng, 2, 4, 50)
    snr = rng.uniform(0.1, 2, 50).astype(np.float32)
    same(losses.fmri_loss, reference.encoder_loss, output, target)
    same(
        lambda a, b: losses.fmri_cycle_loss(a, b, snr),
        lambda a, b: reference.cycle_loss(a, b, convert.tensor(snr)),
        output,
        target,
    )
    # The Keras release leaves out the constant 0.1.
    same(
        lambda a, b: losses.fmri_loss(a, b, 0.2) - 0.1,
        lambda a, b: reference.encoder_loss(a, b, 0.1, 'keras'),
        output,
        target,
    )
    same(
        lambda a, b: losses.fmri_cycle_loss(a, b, snr, 0.2) - 0.1,
        lambda a, b: reference.cycle_loss(
            a, b, convert.tensor(snr), 0.1, 'keras'
        ),
        output,
        target,
    )


# Regularisers.


@pytest.mark.parametrize(
    ('absolute', 'group', 'neighbours', 'padding', 'weighted'),
    [
        (40, 400, 8, 'reflect', True),
        (20, 400, 4, 'symmetric', True),
        (20, 400, 4, 'symmetric', False),
        (10, 800, 4, 'symmetric', False),
    ],
)
def test_dense_regulariser(rng, absolute, group, neighbours, padding, weighted):
    weights = array(rng, 6, 4, 5, 3)  # [voxels, height, width, channels]
    inverse_snr = rng.uniform(0.1, 2, 6).astype(np.float32)
    same(
        lambda w: losses.neighbour_group_sparsity(
            w,
            absolute=absolute,
            group=group,
            neighbours=neighbours,
            padding=padding,
            inverse_snr=inverse_snr if weighted else 1.0,
        ),
        lambda w: reference.dense_regulariser(
            w,
            convert.tensor(inverse_snr) if weighted else None,
            absolute,
            group,
            neighbours,
            padding,
        ),
        weights,
        to_torch=convert.images_to_torch,
    )


def as_maps(space):
    side = round(space.shape[0] ** 0.5)
    return space.T.reshape(-1, side, side)


@pytest.mark.parametrize('padding', ['reflect', 'symmetric'])
def test_map_regularisers(rng, padding):
    space = array(rng, 36, 5)
    same(
        losses.second_moment,
        lambda s: reference.second_moment(as_maps(s)),
        space,
    )
    same(
        functools.partial(losses.map_sparsity, padding=padding),
        lambda s: reference.map_sparsity(as_maps(s), padding=padding),
        space,
    )


def test_absolute_sums(rng):
    tree = {
        'conv': {'kernel': array(rng, 3, 3, 4, 5), 'bias': array(rng, 5)},
        'dense': {'kernel': array(rng, 4, 5)},
    }
    close(
        losses.sum_absolute(losses.convolution_kernels(tree)),
        reference.conv_l1([convert.conv_to_torch(tree['conv']['kernel'])]),
        1e-6,
    )


# The optimiser.


def test_amsgrad_is_pytorchs_and_not_optaxs(rng):
    start = array(rng, 30)
    gradients = 0.1 * array(rng, 20, 30) + 0.05
    gradients[0] *= 100

    theirs = torch.nn.Parameter(convert.tensor(start))
    optimizer = reference.amsgrad([theirs], 5e-3)
    for gradient in gradients:
        theirs.grad = convert.tensor(gradient)
        optimizer.step()
    expected = theirs.detach().numpy() - start

    def moved(transform):
        params, state = start, transform.init(start)
        update = jax.jit(transform.update)
        for gradient in gradients:
            updates, state = update(gradient, state, params)
            params = params + np.asarray(updates)
        return params - start

    close(moved(optimizers.amsgrad(5e-3)), expected)
    shorter = np.abs(moved(optax.amsgrad(5e-3))).sum()
    assert shorter < 0.8 * np.abs(expected).sum()


# Backbones and the whole step.


def small_vgg(rng, name, last=None):
    shapes = jax.eval_shape(
        lambda key: BACKBONES[name].init(key, 0.125), jax.random.key(0)
    )
    kept = {layer: shapes[layer] for layer in shapes if layer <= (last or 'd')}
    return randomised(kept, rng)


@pytest.mark.parametrize('name', ['vgg16', 'vgg19'])
def test_vgg(rng, name):
    params = small_vgg(rng, name)
    images = rng.uniform(size=(2, 48, 48, 3)).astype(np.float32)
    taps = (
        'conv1_1',
        'conv4_2',
        *reference.ENCODER_TAPS[name],
        *reference.POOLED_TAPS,
    )
    ours = jax.jit(vgg.apply, static_argnums=2)(params, images, taps)
    theirs = reference.vgg_taps(
        convert.vgg(params), convert.images_to_torch(images), taps
    )
    assert set(ours) == set(theirs) == set(taps)
    for tap in taps:
        close(ours[tap], convert.images_to_jax(theirs[tap]))


def small_config(size=32):
    config = gaziv2022()
    config.size = size
    config.encoder.weights = config.image_loss.weights = 'random'
    config.encoder.width = config.image_loss.width = 0.125
    config.decoder.decoder_encoder = 1.0
    return config


@pytest.mark.parametrize('release', ['torch', 'keras'])
def test_image_loss(rng, release):
    config = small_config()
    taps, weights = reference.POOLED_TAPS, (10, 10, 10, 10, 2)
    if release == 'keras':
        taps, weights = reference.UNPOOLED_TAPS, (2, 2, 2, 2, 2)
    config.image_loss.taps = taps
    config.image_loss.tap_weights = tuple(map(float, weights))
    params = precise(small_vgg(rng, 'vgg16'))
    scale = np.array([0.4, 0.5, 0.6], np.float32)
    frozen = {'loss_backbone': params, 'pixel_scale': scale}
    output, target = rng.uniform(size=(2, 3, 32, 32, 3)).astype(np.float32)
    same(
        lambda a, b: selfsup_losses.picture_loss(config, frozen, a, b),
        lambda a, b: reference.image_loss(
            convert.vgg(params), a, b, convert.tensor(scale), taps, weights
        ),
        output,
        target,
        to_torch=convert.images_to_torch,
    )


def test_image_loss_2019(rng):
    config = small_config()
    config.image_loss.backbone = 'vgg19'
    config.image_loss.taps = ('relu1_2', 'relu2_2')
    config.image_loss.tap_weights = (0.7, 0.15)
    config.image_loss.distance = 'absolute'
    config.image_loss.pixels = 0.15
    config.image_loss.variation = 1.0
    params = precise(small_vgg(rng, 'vgg19', 'conv2_2'))
    scale = np.array([0.4, 0.5, 0.6], np.float32)
    feature_scales = {
        'relu1_2': rng.uniform(0.5, 2, 8).astype(np.float32),
        'relu2_2': rng.uniform(0.5, 2, 16).astype(np.float32),
    }
    frozen = {
        'loss_backbone': params,
        'pixel_scale': scale,
        'feature_scales': feature_scales,
    }
    output, target = rng.uniform(size=(2, 3, 32, 32, 3)).astype(np.float32)
    same(
        lambda a, b: selfsup_losses.picture_loss(config, frozen, a, b),
        lambda a, b: reference.image_loss_2019(
            convert.vgg(params),
            a,
            b,
            convert.tensor(scale),
            jax.tree.map(convert.tensor, feature_scales),
        ),
        output,
        target,
        to_torch=convert.images_to_torch,
    )


@pytest.mark.parametrize('stride', [1, 2])
def test_encoder_regularisation(rng, stride):
    _, variables, _, theirs, _ = separable_pair(rng, stride)
    config = small_config()
    config.encoder.strides = (2, 2, stride, 1)
    params = variables['params']
    value, gradients = jax.jit(
        jax.value_and_grad(
            lambda p: selfsup_steps.encoder_regularisation(config, p)
        )
    )(params)
    expected = reference.encoder_regulariser(theirs, {6: 3, 2: 1})
    for p in theirs.parameters():
        p.grad = torch.zeros_like(p)
    expected.backward()
    close(value, expected.detach())
    trees_close(gradients, convert.separable_encoder_gradients_to_jax(theirs))


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_whole_decoder_step(rng, dtype):
    config = small_config()
    voxels, size = 50, config.size
    encoder, encoder_variables, _, theirs_encoder, _ = separable_pair(
        rng, 2, dtype=dtype
    )
    decoder, variables, theirs = decoder_pair(
        'gaziv2022-torch', rng, dtype=dtype
    )
    loss_vgg = precise(small_vgg(rng, 'vgg16'), dtype)
    encoder_vgg = precise(small_vgg(rng, 'vgg19', 'conv4_4'), dtype)
    snr = rng.uniform(0.1, 2, voxels).astype(dtype)
    snr /= snr.mean()
    inverse_snr = (1 / snr) / (1 / snr).mean()
    scale = np.array([0.4, 0.5, 0.6], dtype)

    def pictures(n):
        return rng.integers(0, 256, (n, size, size, 3), np.uint8)

    batch = {
        'paired': {
            'fmri': array(rng, 3, voxels).astype(dtype),
            'images': pictures(3),
        },
        'pictures': {'images': pictures(5)},
        'fmri': {'fmri': array(rng, 2, voxels).astype(dtype)},
    }
    frozen = {
        'encoder': encoder_variables,
        'encoder_backbone': encoder_vgg,
        'loss_backbone': loss_vgg,
        'pixel_scale': scale,
        'snr': snr,
        'inverse_snr': inverse_snr,
    }
    with jax.enable_x64(dtype is np.float64):
        state = training_state.create(
            variables,
            selfsup_steps.build_optimizer(config.decoder),
            jax.random.key(0),
            selfsup_steps.DECODER_METRICS,
        )
        step = parallel.parallel(
            selfsup_steps.decoder_step(config, encoder, decoder)
        )
        state, metrics = jax.device_get(
            step(
                parallel.replicate(state),
                parallel.replicate(frozen),
                parallel.shard(batch),
            )
        )

    def as_images(part):
        return convert.images_to_torch(
            (batch[part]['images'] / np.float32(255)).astype(dtype)
        )

    learning_rate = config.decoder.learning_rate
    expected = reference.decoder_step(
        theirs,
        theirs_encoder,
        reference.amsgrad(theirs.parameters(), learning_rate),
        convert.vgg(loss_vgg),
        convert.vgg(encoder_vgg),
        {
            'fmri': convert.tensor(batch['paired']['fmri']),
            'images': as_images('paired'),
            'unpaired_images': as_images('pictures'),
            'unpaired_fmri': convert.tensor(batch['fmri']['fmri']),
        },
        convert.tensor(scale),
        convert.tensor(snr),
        convert.tensor(inverse_snr),
    )
    for ours, name in (
        ('D', 'd'),
        ('ED', 'ed'),
        ('DE', 'de'),
        ('regularisation', 'regularisation'),
        ('loss', 'total'),
    ):
        close(metrics[ours], expected[name], 1e-5)

    # One ReLU or maximum that rounding decides otherwise changes a gradient
    # by more than the rounding. It does not happen in float64.
    gradients = convert.decoder_gradients_to_jax(theirs)
    ours = jax.tree.map(lambda mean: mean / 0.1, state.opt_state.mean)
    trees_close(ours, gradients, 1e-5 if dtype is np.float64 else 2e-2)

    # The first step is the rate times the gradient's sign, so an element
    # counts where rounding does not decide the sign.
    after = convert.decoder_to_jax(theirs)
    for path, old in jax.tree_util.tree_leaves_with_path(variables['params']):
        new, moved, gradient = (
            functools.reduce(lambda t, k: t[k.key], path, tree)
            for tree in (after, state.params, gradients)
        )
        least = 1e-4 if dtype is np.float64 else 4e-2
        clear = np.abs(gradient) > least * np.abs(gradient).max()
        assert clear.mean() > (0.9 if dtype is np.float64 else 0.1)
        close(moved[clear], new[clear])
        assert np.abs(moved - old).max() < 1.01 * learning_rate

"""The networks of the self-supervised method, built from a config."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from brainjax.methods.selfsup import channels
from brainjax.networks import layers, weights
from brainjax.networks.backbones import backbone, winograd
from brainjax.networks.decoder import Decoder
from brainjax.networks.encoder import (
    Adapter,
    DenseEncoder,
    SeparableEncoder,
)
from brainjax.training import parallel
from brainjax.training.batches import map_batches
from brainjax.training.state import cast

STRIPS = 24  # Of a picture, by which it is measured where units look.


def to_float(images: jax.Array) -> jax.Array:
    """uint8 0..255 -> float32 0..1."""
    return images.astype(jnp.float32) / 255


def load_backbone(
    section: ConfigDict,
    seed: int,
    dtype: str = 'float32',
    size: int = 0,
    channels: int = 3,
) -> Any:
    """Returns the frozen parameters that a config section names.

    Args:
      section: `config.encoder` or `config.image_loss`.
      seed: of random ones.
      dtype: what they are cast to, once; the network then computes in it.
      size: of the pictures, in pixels; CLIP's parameters depend on it.
      channels: of the pictures.
    """
    if section.weights != 'random':
        return cast(jax.device_put(weights.load(section.weights)), dtype)
    known = backbone(section.backbone, 'encoder')
    key = jax.random.key(seed)
    params = known.init(key, section.width, size or None, channels=channels)
    return cast(params, dtype)


def backbone_features(
    section: ConfigDict, params: Any, images: jax.Array
) -> dict[str, jax.Array]:
    """Returns a section's taps, {tap: [n, height, width, channels]}.

    Args:
      section: `config.encoder` or `config.image_loss`.
      params: of `load_backbone`.
      images: [n, size, size, channels] in 0..1.
    """
    known = backbone(section.backbone, 'encoder')
    preprocessing = channels.PREPROCESSING.get(
        images.shape[-1], known.preprocessing[0]
    )
    if section.weights != 'random':
        preprocessing = weights.SOURCES[section.weights].preprocessing
    return known.apply(
        winograd.freeze(params), images, section.taps, preprocessing
    )


def build_encoder(config: ConfigDict, voxels: int):
    """Returns the Flax module that `config.encoder` describes."""
    c = config.encoder
    if c.kind == 'dense':
        return DenseEncoder(
            voxels,
            tap=c.taps[0],
            layers=c.layers,
            channels=c.channels,
            dropout=c.dropout,
            release=c.release,
            axis_name=parallel.AXIS,
        )
    return SeparableEncoder(
        voxels,
        taps=tuple(c.taps),
        pools=tuple(c.pools),
        kernels=tuple(c.kernels),
        strides=tuple(c.strides),
        channels=c.channels,
        dropout=c.dropout,
        release=c.release,
        axis_name=parallel.AXIS,
    )


def build_decoder(config: ConfigDict) -> Decoder:
    """Returns the Flax module that `config.decoder` describes."""
    c = config.decoder
    return Decoder(
        size=config.size,
        blocks=c.blocks,
        channels=c.channels,
        kernel=c.kernel,
        upsampling=c.upsampling,
        padding=c.padding,
        activation=c.activation,
        norm=c.norm,
        groups=c.groups,
        order=c.order,
        release=c.release,
        axis_name=parallel.AXIS,
        outputs=channels.number(config),
    )


def feature_shapes(config: ConfigDict, params: Any) -> dict[str, Any]:
    """Shapes of the encoder's taps for one picture."""
    picture = channels.shape_of_one(config)
    return jax.eval_shape(
        functools.partial(backbone_features, config.encoder), params, picture
    )


def unit_places(
    config: ConfigDict, encoder: SeparableEncoder, params: Any
) -> list[np.ndarray]:
    """Where the units that each branch reads look, in picture widths.

    Args:
      config: of the experiment.
      encoder: its separable encoder.
      params: of the encoder's backbone, or their shapes.

    Returns:
      [side] of each branch, the same for rows and columns.
    """
    known = backbone(config.encoder.backbone, 'encoder')
    places = []
    shapes = feature_shapes(config, params)
    for b, tap in enumerate(config.encoder.taps):
        units = shapes[tap].shape[1]
        windows = known.windows_of(params, tap, units, config.size)
        windows += encoder.windows(b, units)
        side = encoder.side(b, units)
        places.append(layers.unit_centres(windows, side) / config.size)
    return places


@functools.partial(jax.jit, static_argnums=(0, 1))
def adapted(config, encoder, variables, params, images) -> list[jax.Array]:
    """What the separable encoder's adapters make of pictures, by branch.

    Args:
      config: of the experiment, frozen.
      encoder: its separable encoder.
      variables: of that.
      params: of the encoder's backbone.
      images: [n, size, size, channels] in 0..1.

    Returns:
      [n, side, side, channels] of each branch.
    """
    features = backbone_features(config.encoder, params, images)
    _, seen = encoder.apply(
        variables,
        features,
        capture_intermediates=lambda module, _: isinstance(module, Adapter),
        mutable=['intermediates'],
    )
    return [
        seen['intermediates'][f'branch_{b}']['__call__'][0]
        for b in range(len(config.encoder.taps))
    ]


def unit_offsets(config, encoder, variables, params, images) -> np.ndarray:
    """How far right of and below `unit_places` each branch looks, measured.

    Kernels have weights, too: their middle may lie a pixel off that of their
    window. Strips of pictures are exchanged for those of other pictures; the
    change of the middle patches, mixed as the voxels mix them and per contrast
    exchanged, has its mean place within three units of where strides put it.

    Args:
      config, encoder, variables, params: as for `adapted`.
      images: [n, size, size, channels] uint8; the second half is exchanged
        for the first.

    Returns:
      [branches, 2] x and y in picture widths.
    """
    half = len(images) // 2
    shown, other = to_float(images[:half]), to_float(images[half : 2 * half])
    grams = [mix @ mix.T for mix in encoder.mixes(variables['params'])]
    strips, pixels = ((np.arange(n) + 0.5) / n for n in (STRIPS, config.size))
    given = (config, encoder, variables, params)
    before = _patches(*given, shown)
    aways, nears, middles = [], [], []
    for own in unit_places(config, encoder, params):
        own, reach = own[1:-1], 3 * (own[1] - own[0])
        middles.append(slice(max(len(own) // 2 - 2, 0), len(own) // 2 + 2))
        aways.append(strips[:, None] - own[middles[-1]])
        nears.append(((reach - abs(aways[-1])) * STRIPS + 0.5).clip(0, 1))
    offsets = np.zeros((len(grams), 2))
    # What is near no middle unit tells nothing.
    used = np.any([near.any(axis=1) for near in nears], axis=0)
    energies = [np.zeros((2, *near.shape)) for near in nears]
    for i in np.flatnonzero(used):
        line = np.float32(np.exp(-(((pixels - strips[i]) * STRIPS) ** 2) / 2))
        for axis in (0, 1):
            window = line[None, :, None] if axis == 0 else line[:, None, None]
            window = np.broadcast_to(window, (config.size, config.size, 1))
            found = _energies(*given, shown, other, before, grams, window)
            for b, energy in enumerate(found):
                along = np.asarray(energy).sum(axis=axis)
                energies[b][axis, i] = along[middles[b]]
    for b, (energy, near, away) in enumerate(zip(energies, nears, aways)):
        weight = energy * near
        total = weight.sum(axis=1)
        moved_by = (weight * away).sum(axis=1) / np.where(total, total, 1)
        offsets[b] = moved_by.mean(axis=1)
    return offsets


@functools.partial(jax.jit, static_argnums=(0, 1))
def _patches(config, encoder, variables, params, images):
    seen = adapted(config, encoder, variables, params, images)
    return [layers.patches(x) for x in seen]


@functools.partial(jax.jit, static_argnums=(0, 1))
def _energies(
    config, encoder, variables, params, shown, other, before, grams, window
):
    """Change of the mixed patches per contrast, of each branch [side, side]."""
    change = window * (other - shown)
    contrast = jnp.square(change).sum() * len(window)
    contrast = contrast / jnp.square(window).sum()
    contrast = jnp.maximum(contrast, 1e-6)  # Borders may be alike in all.
    after = _patches(config, encoder, variables, params, shown + change)
    return [
        jnp.sum(((new - old) @ gram) * (new - old), axis=(0, 3)) / contrast
        for new, old, gram in zip(after, before, grams)
    ]


def freeze(config: ConfigDict, encoder, variables, backbone) -> dict[str, Any]:
    """Returns what `encode` wants of a trained encoder, on a device."""
    frozen = jax.device_put(
        {
            'encoder': computing(config, variables),
            'encoder_backbone': backbone,
        }
    )
    if hasattr(encoder, 'fold'):
        folded = encoder.fold(
            variables['params'], feature_shapes(config, backbone)
        )
        frozen['encoder_folded'] = cast(folded, config.compute_dtype)
    return frozen


def computing(config: ConfigDict, variables) -> dict[str, Any]:
    """Returns a module's variables with parameters to compute with.

    Running statistics stay float32.
    """
    params = cast(variables['params'], config.compute_dtype)
    return {**variables, 'params': params}


def encode(config, encoder, frozen, images, keys=None):
    """Predicts fMRI with the frozen encoder.

    Args:
      config: of the experiment.
      encoder: the module.
      frozen: with 'encoder' (variables), 'encoder_backbone' and perhaps
        'encoder_folded', which makes predictions without dropout cheap.
      images: [n, size, size, channels] in 0..1.
      keys: [n] typed keys for dropout, or None for none.

    Returns:
      [n, voxels].
    """
    features = backbone_features(
        config.encoder, frozen['encoder_backbone'], images
    )
    options = {'keys': keys}
    if keys is None and 'encoder_folded' in frozen:
        options['folded'] = frozen['encoder_folded']
    variables = computing(config, frozen['encoder'])
    return encoder.apply(variables, features, **options)


def convolved(config, encoder, frozen, images) -> jax.Array:
    """What the frozen encoder's convolutions make of pictures, and these.

    The response is linear in the first, whatever weights read it out.

    Args:
      config, encoder, frozen, images: of `encode`.

    Returns:
      [n, F] float32, the outputs of all adapters, or of the last convolution
      of a dense encoder, in a row, and then the pixels.
    """
    features = backbone_features(
        config.encoder, frozen['encoder_backbone'], images
    )
    last = f'norm_{getattr(encoder, "layers", 0) - 1}'
    _, seen = encoder.apply(
        computing(config, frozen['encoder']),
        features,
        # The read-out behind them is not computed: nothing asks for it.
        capture_intermediates=lambda module, method: (
            method == '__call__'
            and (isinstance(module, Adapter) or module.name == last)
        ),
        mutable=['intermediates'],
    )
    outputs = [*jax.tree.leaves(seen['intermediates']), images]
    rows = [x.reshape(len(images), -1) for x in outputs]
    return jnp.concatenate(rows, axis=1).astype(jnp.float32)


def loss_features(config, frozen, images) -> dict[str, jax.Array]:
    """The features that the image loss compares, float32; images in 0..1."""
    params = frozen['loss_backbone']
    found = backbone_features(config.image_loss, params, images)
    return cast(found, 'float32')


@functools.partial(jax.jit, static_argnums=(0, 1))
def _encode(config, encoder, frozen, images):
    return encode(config, encoder, frozen, to_float(images))


def predict(config, encoder, frozen, images: np.ndarray) -> np.ndarray:
    """Predicts fMRI [n, voxels] of uint8 images [n, size, size, 3]."""
    frozen = {k: v for k, v in frozen.items() if k.startswith('encoder')}
    return map_batches(
        functools.partial(_encode, config, encoder, frozen), images
    )


@functools.partial(jax.jit, static_argnums=(0, 1))
def _convolved(config, encoder, frozen, images):
    return convolved(config, encoder, frozen, to_float(images))


def predict_convolved(
    config, encoder, frozen, images: np.ndarray
) -> np.ndarray:
    """`convolved` [n, F] of uint8 images [n, size, size, 3]."""
    frozen = {k: frozen[k] for k in ('encoder', 'encoder_backbone')}
    return map_batches(
        functools.partial(_convolved, config, encoder, frozen), images
    )


@functools.partial(jax.jit, static_argnums=0)
def loss_features_of_uint8(config, frozen, images):
    """`loss_features` of uint8 images, compiled."""
    return loss_features(config, frozen, to_float(images))

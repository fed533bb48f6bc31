"""The networks of the self-supervised method, built from a config."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from brainjax.networks import layers, weights
from brainjax.networks.backbones import backbone
from brainjax.networks.decoder import Decoder
from brainjax.networks.encoder import (
    Adapter,
    DenseEncoder,
    SeparableEncoder,
)
from brainjax.training import parallel
from brainjax.training.batches import map_batches
from brainjax.training.state import cast


def to_float(images: jax.Array) -> jax.Array:
    """uint8 0..255 -> float32 0..1."""
    return images.astype(jnp.float32) / 255


def load_backbone(
    section: ConfigDict, seed: int, dtype: str = 'float32', size: int = 0
) -> Any:
    """Returns the frozen parameters that a config section names.

    Args:
      section: `config.encoder` or `config.image_loss`.
      seed: of random ones.
      dtype: what they are cast to, once; the network then computes in it.
      size: of the pictures, in pixels; CLIP's parameters depend on it.
    """
    if section.weights != 'random':
        return cast(jax.device_put(weights.load(section.weights)), dtype)
    known = backbone(section.backbone, 'encoder')
    key = jax.random.key(seed)
    return cast(known.init(key, section.width, size or None), dtype)


def backbone_features(
    section: ConfigDict, params: Any, images: jax.Array
) -> dict[str, jax.Array]:
    """Returns a section's taps, {tap: [n, height, width, channels]}.

    Args:
      section: `config.encoder` or `config.image_loss`.
      params: of `load_backbone`.
      images: [n, size, size, 3] in 0..1.
    """
    known = backbone(section.backbone, 'encoder')
    preprocessing = known.preprocessing[0]
    if section.weights != 'random':
        preprocessing = weights.SOURCES[section.weights].preprocessing
    return known.apply(params, images, section.taps, preprocessing)


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
    )


def feature_shapes(config: ConfigDict, params: Any) -> dict[str, Any]:
    """Shapes of the encoder's taps for one picture."""
    picture = jax.ShapeDtypeStruct(
        (1, config.size, config.size, 3), jnp.float32
    )
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
      images: [n, size, size, 3] in 0..1.
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

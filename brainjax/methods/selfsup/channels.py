"""What pictures hold: colours, depth or both (Gaziv and Irani 2021).

`config.channels` says it; networks, losses and scores follow from the number
of channels. Depth maps stand beside the pictures in a recording; for training
they are its fourth channel. Of depth alone they are pictures of their own:
grey, with one channel in training and three wherever pictures are shown.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError
from brainjax.io import arrays
from brainjax.methods.data import Given, Loaded
from brainjax.networks.backbones import feedforward
from brainjax.pictures import depth as depth_maps
from brainjax.recordings import Stimuli
from brainjax.simulation import subject

CHANNELS = {'rgb': 3, **feedforward.CHANNELS}
# Number of channels -> how a backbone takes them, where it is not RGB.
PREPROCESSING = {n: name for name, n in feedforward.CHANNELS.items()}


def number(config: ConfigDict) -> int:
    """Returns how many channels pictures have."""
    return CHANNELS[config.get('channels', 'rgb')]  # Older models: 'rgb'.


def shape_of_one(config: ConfigDict) -> jax.ShapeDtypeStruct:
    """Returns the shape of a batch of one picture, as networks take it."""
    size = config.size
    return jax.ShapeDtypeStruct((1, size, size, number(config)), jnp.float32)


def of_stimuli(config: ConfigDict, stimuli: Stimuli) -> np.ndarray:
    """Returns the stimuli, [n, size, size, channels] uint8."""
    return of_pictures(config, stimuli.images, stimuli.depth)


def of_pictures(
    config: ConfigDict, images: np.ndarray, depth: np.ndarray | None = None
) -> np.ndarray:
    """Returns pictures as networks take them.

    Args:
      config: of the experiment.
      images: [n, size, size, 3] uint8, grey where depth alone is seen; or
        with all channels already.
      depth: [n, size, size] uint8, wanted of three channels where there are
        to be four.

    Returns:
      [n, size, size, channels] uint8.
    """
    if number(config) < images.shape[-1]:
        return images[..., : number(config)]
    if number(config) > images.shape[-1]:
        return np.concatenate([images, depth[..., None]], axis=-1)
    return images


def shown(images: np.ndarray) -> np.ndarray:
    """Returns the pictures [n, size, size, 3] among all channels."""
    if images.shape[-1] == 1:
        return np.repeat(images, 3, axis=-1)
    return images[..., :3]


def stored_scale(config: ConfigDict) -> np.ndarray | None:
    """Reads `config.image_loss.pixel_scale`, [channels] float32, if given."""
    path = config.image_loss.get('pixel_scale', '')  # Older models: ''.
    if not path:
        return None
    held = arrays.read(path)
    scale = held.get('l1', np.empty(0)).ravel()
    # A pixel is 1 at most, so more is of another unit.
    if len(scale) != number(config) or not ((scale > 0) & (scale <= 1)).all():
        raise InputError(
            f'{path} does not hold what pixels are divided by (an array l1 '
            f'of {number(config)} numbers above 0 and up to 1); give such a '
            "file, or leave config.image_loss.pixel_scale at ''."
        )
    return scale.astype(np.float32)


def with_depth(config: ConfigDict, loaded: Loaded, given: Given) -> Loaded:
    """Adds depth maps, or takes them in the place of the pictures.

    Args:
      config: of the experiment, whose channels have depth.
      loaded: recording and pictures, RGB.
      given: what a caller held already.
    """
    if loaded.others:
        raise InputError(
            'config.recording.others are read without depth maps; set '
            "config.channels to 'rgb'."
        )
    recording, size = loaded.recording, loaded.recording.stimuli.images.shape[1]
    stimuli = recording.stimuli
    near = stimuli.depth
    if config.depth.stimuli:
        near = depth_maps.load(config.depth.stimuli, stimuli.names, size)
    if near is None:
        raise InputError(
            f'{recording.source} has no depth maps, and config.channels is '
            f'{config.channels!r}; name them with config.depth.stimuli'
            + (
                ', or set config.simulated.depth above 0.'
                if recording.simulated
                else '.'
            )
        )
    depth = _of_unpaired(config, loaded, given, size)
    if config.channels == 'rgbd':
        stimuli = dataclasses.replace(stimuli, depth=near)
        recording = dataclasses.replace(recording, stimuli=stimuli)
        return loaded._replace(recording=recording, depth=depth)
    stimuli = dataclasses.replace(stimuli, images=_grey(near), depth=None)
    recording = dataclasses.replace(recording, stimuli=stimuli)
    return loaded._replace(recording=recording, pictures=_grey(depth))


def _of_unpaired(config, loaded, given, size):
    """Depth of the unpaired pictures, [n, size, size] uint8."""
    if not len(loaded.pictures):
        return np.empty((0, size, size), np.uint8)
    if config.depth.pictures:
        names = loaded.names
        if not len(names):
            raise InputError(
                'The unpaired pictures have no names by which '
                f'{config.depth.pictures} could hold their depth maps; give '
                'a folder or an archive.'
            )
        return depth_maps.load(config.depth.pictures, names, size)
    c = config.pictures
    generated = not (c.path or config.recording.path)
    if generated and given.pictures is None and config.simulated.depth:
        images, *_ = subject.unpaired_scenes(
            c.number,
            seed=config.seed,
            size=size,
            pictures=config.simulated.pictures,
            depth=config.simulated.depth,
        )
        return images[..., 3]
    raise InputError(
        'The unpaired pictures have no depth maps, and config.channels is '
        f'{config.channels!r}; name them with config.depth.pictures.'
    )


def _grey(depth):
    return np.repeat(depth[..., None], 3, axis=-1)

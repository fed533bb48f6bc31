"""What the method for faces asks of its input."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError, check_known
from brainjax.methods.data import no_pictures
from brainjax.methods.faces import pictures, voxels
from brainjax.networks import vaegan
from brainjax.networks.weights import vaegan as vaegan_weights
from brainjax.recordings import Recording, need_pictures, roi_mask
from brainjax.recordings.on_disk import mean_and_std
from brainjax.training.state import COMPUTE_TYPES

INVERSIONS = ('published', 'least_squares', 'most_probable')


def load(config: ConfigDict) -> tuple[Recording, np.ndarray]:
    """Opens or simulates what a config names: recording, unpaired faces."""
    recording = pictures.load_recording(config)
    if not config.pictures.number:
        return recording, no_pictures(config)
    return recording, pictures.load_pictures(config)


def check(recording: Recording, config: ConfigDict) -> None:
    """Raises InputError if the method cannot work with these."""
    c = config.map
    check_known('inversion', c.inversion, INVERSIONS)
    check_known('compute_dtype', config.compute_dtype, COMPUTE_TYPES)
    if c.inversion == 'published':
        mean, deviation = mean_and_std(recording.train.fmri)
        if np.abs(mean / deviation).max() < 1e-3:
            raise InputError(
                f'{recording.source}: every voxel has mean 0, so that the '
                'constant cannot be told from the latents; set '
                "config.map.inversion='least_squares'."
            )
    size = config.size
    shape = need_pictures(recording).shape[1:3]
    if shape != (size, size):
        raise InputError(
            f'{recording.source}: the stimuli are {shape[0]} x {shape[1]} px '
            f'and config.size is {size}; set it to the size of the stimuli.'
        )
    latents = max(config.networks.latents, config.pca.components)
    if not 0 < c.voxels <= 1:
        raise InputError(
            f'config.map.voxels is {c.voxels:g}; give the share of voxels to '
            'use, above 0 and up to 1.'
        )
    fewest = fewest_voxels(roi_masks(recording, config), recording, config)
    if fewest <= latents and c.inversion != 'most_probable':
        raise InputError(
            f'{recording.source}: {fewest} voxels, or as many in the '
            f'smallest ROI, cannot determine {latents} latents and a '
            'constant; give more voxels, raise config.map.voxels, lower '
            'config.networks.latents, or set '
            "config.map.inversion='most_probable'."
        )
    trained = np.unique(recording.train.stimulus)
    judged = c.voxels < 1 or c.inversion == 'most_probable'
    if len(trained) <= latents + 1 and (judged or not c.ridge):
        raise InputError(
            f'{recording.source}: {len(trained)} training faces cannot '
            f'determine the weights of {latents} latents'
            f'{" and what they leave of voxels" if judged else ""}; give more '
            'faces or lower config.networks.latents.'
        )
    if (
        recording.imagery is not None
        and not np.isin(
            recording.imagery.stimulus, recording.test.stimulus
        ).all()
    ):
        raise InputError(
            f'{recording.source}: a face was imagined that is not among the '
            'test faces; leave those trials out.'
        )
    if config.gender:
        male = pictures.labels(recording)[trained]
        if male.all() or not male.any():
            raise InputError(
                f'{recording.source}: all training faces have one gender; '
                'set config.gender=False to leave that score out.'
            )


def load_weights(config: ConfigDict) -> dict[str, Any]:
    """Reads a trained VAE-GAN, ours or the authors'.

    Raises:
      InputError: the file cannot be used, or is for other pictures.
    """
    path = config.networks.weights
    read = (
        vaegan_weights.load
        if path.endswith('.safetensors')
        else vaegan_weights.from_tensorflow
    )
    variables = read(path)
    generator = variables['params']['generator']
    found = (
        vaegan.picture_size(generator),
        generator['fc']['kernel'].shape[0],
    )
    if found != (config.size, config.networks.latents):
        raise InputError(
            f'{path} is for pictures of {found[0]} px and {found[1]} latents; '
            'set config.size and config.networks.latents to that.'
        )
    return variables


def fewest_voxels(
    masks: Mapping[str, np.ndarray], recording: Recording, config: ConfigDict
) -> int:
    """Returns how many voxels the smallest set that is used has.

    Args:
      masks: name -> [voxels] bool, of the ROIs that are scored alone.
      recording: its voxels count where there are no such ROIs.
      config: see `faces_config.vanrullen2019`.
    """
    sizes = [int(mask.sum()) for mask in masks.values()]
    smallest = min(sizes, default=recording.voxels)
    return voxels.number(smallest, config.map.voxels)


def roi_masks(
    recording: Recording, config: ConfigDict
) -> dict[str, np.ndarray]:
    """Returns the masks of `config.map.rois`, [voxels] bool each.

    Raises:
      InputError: no such ROI, or it is empty.
    """
    return {
        name: roi_mask(recording.rois, name, recording.source)
        for name in config.map.rois
    }

"""What the method for faces asks of its input."""

from typing import Any

import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError
from brainjax.methods import face_pictures
from brainjax.networks import backbone, vaegan, vaegan_weights
from brainjax.recordings import Recording, need_pictures, roi_mask
from brainjax.recordings.stored import mean_and_deviation
from brainjax.training import precision

INVERSIONS = ('published', 'least_squares')


def check(recording: Recording, config: ConfigDict) -> None:
    """Raises InputError if the method cannot work with these."""
    c = config.map
    backbone.check_known('inversion', c.inversion, INVERSIONS)
    backbone.check_known('compute_dtype', config.compute_dtype, precision.TYPES)
    if c.inversion == 'published':
        mean, deviation = mean_and_deviation(recording.train.fmri)
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
    smallest = min(
        (mask.sum() for mask in roi_masks(recording, config).values()),
        default=recording.voxels,
    )
    if smallest <= latents:
        raise InputError(
            f'{recording.source}: {smallest} voxels, or as many in the '
            f'smallest ROI, cannot determine {latents} latents and a '
            'constant; give more voxels or lower config.networks.latents.'
        )
    trained = np.unique(recording.train.stimulus)
    if len(trained) <= latents + 1 and not c.ridge:
        raise InputError(
            f'{recording.source}: {len(trained)} training faces cannot '
            f'determine the weights of {latents} latents; give more faces or '
            'lower config.networks.latents.'
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
        male = face_pictures.labels(recording)[trained]
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

"""Deep image reconstruction (Shen et al. 2019), from recording to pictures.

A network's features are decoded from fMRI, unit by unit (`linear.ridge`), and
given the spread of true ones (`linear.scaling`); then pictures are searched
that have them (`inversion`). The same search from the test pictures' true
features shows what it could give at best, and direct ridge regression from
voxels to pixels what a method without a network gives.
"""

import pathlib

import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import check_known
from brainjax.io.files import PathLike
from brainjax.methods.data import Data
from brainjax.methods.inversion import subsets
from brainjax.methods.inversion.data import (
    SCALINGS,
    Fitted,
    build_network,
    decode,
    invert,
    prepare,
    true_features,
)
from brainjax.networks import frozen
from brainjax.recordings import (
    average_repeats,
    need_pictures,
)


def fit(data: Data, config: ConfigDict, workdir: PathLike) -> Fitted:
    """Computes the training stimuli's features and prepares the ridge.

    Args:
      data: of `methods.data.prepare`; its pictures are not used.
      config: see `inversion.config.shen2019`.
      workdir: gets 'decoded' and 'inversion', from which an interrupted run
        resumes.

    Raises:
      InputError: the recording, the network or a setting cannot be used.
    """
    check_known('scaling', config.decoding.scaling, SCALINGS)
    check_known('optimiser', config.inversion.optimiser, ('lbfgs', 'descent'))
    subsets.check(data.recording, config)
    network = build_network(config)
    if config.decoding.scaling == 'published':
        frozen.check_scales(network)
    train = data.normalised.train
    averaged = average_repeats(train)
    images = need_pictures(data.recording)[averaged.stimulus]
    return Fitted(
        network,
        true_features(network, images, config),
        prepare(train, config),
        images.reshape(len(images), -1) / np.float32(255),
        averaged.fmri,
        pathlib.Path(workdir),
    )


def reconstruct(
    fitted: Fitted, fmri: np.ndarray, config: ConfigDict
) -> np.ndarray:
    """Decodes features and searches pictures that have them.

    Args:
      fitted: from `fit`.
      fmri: [trials, voxels], normalised as `fit` does.
      config: as in `fit`.

    Returns:
      [trials, size, size, 3] float32 in 0..1.
    """
    return invert(fitted, decode(fitted, fmri, config), config, 'inversion')

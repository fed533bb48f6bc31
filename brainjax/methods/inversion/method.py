"""Deep image reconstruction (Shen et al. 2019), from recording to pictures.

A network's features are decoded from fMRI, unit by unit (`linear.ridge`), and
given the spread of true ones (`linear.scaling`); then pictures are searched
that have them (`search`). The same search from the test pictures' true
features shows what it could give at best.
"""

import pathlib
from typing import NamedTuple

import numpy as np
from ml_collections import ConfigDict

from brainjax.io import metrics
from brainjax.io.files import PathLike
from brainjax.linear import ridge
from brainjax.methods.data import Data
from brainjax.methods.inversion import files
from brainjax.methods.inversion.data import (
    TrainingData,
    check,
    training_data,
)
from brainjax.methods.inversion.networks import build_network, true_features
from brainjax.methods.inversion.training import decode, fit_ridge
from brainjax.networks import frozen
from brainjax.pictures.operations import resize


class Fitted(NamedTuple):
    """What reconstructs.

    Attributes:
      network: whose features are decoded.
      features: layer -> true ones of the training stimuli, [stimuli, ...].
      prepared: the ridge, from fMRI to any of their units.
      folder: of the run.
      train: what it was fitted on, the pictures at the network's size.
    """

    network: frozen.Network
    features: dict[str, np.ndarray]
    prepared: ridge.Prepared
    folder: pathlib.Path
    train: TrainingData | None = None


def fit(data: Data, config: ConfigDict, workdir: PathLike) -> Fitted:
    """Computes the training stimuli's features and prepares the ridge.

    Args:
      data: of `methods.data.prepare`; its pictures are not used.
      config: see `inversion.config.shen2019`.
      workdir: gets 'decoded' and 'inversion', from which an interrupted run
        resumes.
    """
    check(config, data.recording)
    network = build_network(config)
    return learn(network, training_data(data), config, workdir)


def learn(
    network: frozen.Network,
    train: TrainingData,
    config: ConfigDict,
    workdir: PathLike,
) -> Fitted:
    """`fit` of a network and data that are known to be fit for it."""
    c = config.network
    train = train._replace(images=resize(train.images, c.size, c.fit))
    return Fitted(
        network,
        true_features(network, train.images, config),
        fit_ridge(train.trials, config),
        pathlib.Path(workdir),
        train,
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
    log = metrics.logger(fitted.folder, 'decoding', config.log.tensorboard)
    decoded = decode(fitted.prepared, fitted.features, fmri, config, log)
    return files.invert_in(
        fitted.folder, files.DECODED, decoded, fitted.network, config
    )

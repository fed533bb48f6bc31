"""Deep image reconstruction (Shen et al. 2019), from recording to pictures.

A network's features are decoded from fMRI, unit by unit (`linear.ridge`), and
given the spread of true ones (`linear.scaling`); then pictures are searched
that have them (`search`). The same search from the test pictures' true
features shows what it could give at best.
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from brainjax.io import feature_folders, metrics
from brainjax.io.feature_folders import Layer
from brainjax.io.files import PathLike
from brainjax.linear import ridge
from brainjax.methods.data import Data
from brainjax.methods.inversion import files, generators, scales, true_features
from brainjax.methods.inversion.data import (
    TrainingData,
    check,
    training_data,
)
from brainjax.methods.inversion.networks import build_network
from brainjax.methods.inversion.problem import Generator
from brainjax.methods.inversion.scales import Scales
from brainjax.methods.inversion.training import Wanted, decode, fit_ridge
from brainjax.networks import frozen
from brainjax.pictures.operations import resize


class Fitted(NamedTuple):
    """What reconstructs.

    Attributes:
      network: whose features are decoded.
      features: layer -> true ones of the training stimuli, on disk.
      prepared: the ridge, from fMRI to any of their units.
      scales: the spread that decoded features get.
      folder: of the run.
      train: what it was fitted on, the pictures at the network's size.
      generator: whose codes are searched; None for pixels.
      tested: names of the test stimuli, ascending; none where not known.
      temporary: the folder of the features where they are not to stay.
    """

    network: frozen.Network
    features: dict[str, Layer]
    prepared: ridge.Prepared
    scales: Scales
    folder: pathlib.Path
    train: TrainingData
    generator: Generator | None = None
    tested: Sequence[str] = ()
    temporary: Any = None


def fit(data: Data, config: ConfigDict, workdir: PathLike) -> Fitted:
    """Computes the training stimuli's features and prepares the ridge.

    Args:
      data: of `methods.data.prepare`; its pictures are not used.
      config: see `inversion.config.shen2019`.
      workdir: gets 'features', 'decoded' and 'inversion', from which an
        interrupted run resumes. One of several test sets
        (`config.recording.tests`) takes 'features' of the folder above.
    """
    check(config, data.recording)
    network, workdir = build_network(config), pathlib.Path(workdir)
    fitted = learn(
        network,
        training_data(data),
        config,
        workdir,
        shared=workdir.parent if config.recording.tests else workdir,
    )
    return fitted._replace(tested=test_names(data))


def test_names(data: Data) -> Sequence[str]:
    """Names of the test stimuli, ascending, if they can be those of files."""
    names = [data.recording.stimuli.names[i] for i in data.test.stimulus]
    # A name with a folder, 'face/01', cannot be that of a file.
    return names if all(map(feature_folders.is_file_name, names)) else ()


def learn(
    network: frozen.Network,
    train: TrainingData,
    config: ConfigDict,
    workdir: PathLike,
    temporary: Any = None,
    shared: PathLike | None = None,
) -> Fitted:
    """`fit` of a network and data that are known to be fit for it.

    Args:
      network, train, config, workdir: see `fit`.
      temporary: see `Fitted`.
      shared: folder that gets the training stimuli's features; by default
        the workdir.
    """
    c, workdir = config.network, pathlib.Path(workdir)
    train = train._replace(images=resize(train.images, c.size, c.fit))
    if c.features:
        layers = true_features.find(c.features, network, train.names, config)
    else:
        folder = pathlib.Path(shared or workdir) / 'features' / 'train'
        layers = true_features.extract(
            network, train.images, train.names, config, folder
        )
    return Fitted(
        network,
        layers,
        fit_ridge(train.trials, config),
        scales.measure(
            layers,
            layers,
            train.names,
            config.decoding.scaling,
            config.decoding.spread,
        ),
        workdir,
        train,
        generators.build(config),
        temporary=temporary,
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
    decoded = decode_in(fitted, fitted.prepared, fmri, files.DECODED, config)
    return files.invert_in(
        fitted.folder,
        files.DECODED,
        decoded,
        names_of(fitted, len(fmri)),
        fitted.network,
        config,
        fitted.scales,
        fitted.generator,
    )


def names_of(fitted: Fitted, n: int) -> list[str]:
    """What n trials are called in folders: as the test stimuli, if they are.

    What is drawn for a picture depends on its name, so that a run gives what
    `brainjax decode` and `invert` do.
    """
    return _named(fitted.tested, n)


def _named(tested: Sequence[str], n: int) -> list[str]:
    if n == len(tested):
        return [*tested]
    return [f'trial-{i:05d}' for i in range(n)]


def decode_in(
    fitted: Fitted,
    prepared: ridge.Prepared,
    fmri: np.ndarray,
    label: str,
    config: ConfigDict,
) -> dict[str, Layer]:
    """Decodes features into 'decoded/LABEL' of the run's folder.

    Args:
      fitted: from `fit`.
      prepared: the ridge, which may be of a part of the voxels.
      fmri: [trials, voxels] of the same voxels.
      label: what the features are called.
      config: as in `fit`.
    """
    names = names_of(fitted, len(fmri))
    folder = _decoded(fitted.folder, label)
    _decode(fitted, prepared, label, [Wanted(names, fmri, folder)], config)
    return feature_folders.open_layers(folder, list(fitted.features))


def decode_sets(
    fitted: Fitted,
    prepared: ridge.Prepared,
    label: str,
    sets: Mapping[pathlib.Path, tuple[Sequence[str], np.ndarray]],
    config: ConfigDict,
) -> None:
    """`decode_in` of several test sets, where each unit is fitted once.

    Args:
      fitted, prepared, label, config: see `decode_in`.
      sets: folder of a run -> `test_names` of its data, and [trials, voxels].
    """
    wanted = [
        Wanted(_named(names, len(fmri)), fmri, _decoded(folder, label))
        for folder, (names, fmri) in sets.items()
    ]
    _decode(fitted, prepared, label, wanted, config)


def _decoded(run: pathlib.Path, label: str) -> pathlib.Path:
    return run / 'decoded' / label


def _decode(
    fitted: Fitted,
    prepared: ridge.Prepared,
    label: str,
    sets: Sequence[Wanted],
    config: ConfigDict,
) -> None:
    log = None
    if label == files.DECODED:
        log = metrics.logger(fitted.folder, 'decoding', config.log.tensorboard)
    decode(prepared, fitted.features, fitted.train.names, sets, config, log)
